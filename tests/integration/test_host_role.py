# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role host does about a QEMU that is missing or too old. Nothing is installed here: this is check mode."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import bench
import pytest

OTHER = 'ID=fedora\nNAME="Fedora Linux"\nVERSION_ID=44\n'
# The distribution is another one, for as long as the playbook runs.
ELSEWHERE = 'mount --bind "$1" "$(realpath /etc/os-release)" && shift && exec "$@"'


def prepare(directory: Path, qemu: str, os_release: str = "") -> subprocess.CompletedProcess[str]:
    """Run the role where that QEMU is found."""
    found = {"vhost_info": {"testpmd": {"path": "/usr/bin/dpdk-testpmd"}, "qemu": {"path": None, "version": qemu}}}
    role = {"name": "Prepare", "ansible.builtin.import_role": {"name": "virtperf.vhost.host"}}
    play = {"name": "Test", "hosts": "localhost", "gather_facts": False, "tasks": [role]}
    playbook, release = directory / "playbook.yml", directory / "os-release"
    playbook.write_text(json.dumps([{**play, "vars": {"run_host": found, "host_guests": True}}]))
    release.write_text(os_release or Path("/etc/os-release").read_text())
    return subprocess.run(
        [
            *("unshare", "--mount", "--propagation", "private", "sh", "-ec", ELSEWHERE, "elsewhere", str(release)),
            *(str(bench.CHECKOUT / "tools/env"), "ansible-playbook", "--check", str(playbook)),
        ],
        cwd=bench.CHECKOUT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize(("qemu", "installs"), [("7.2.22", True), ("8.0.0", False)])
def test_a_qemu_that_is_too_old_is_replaced(tmp_path: Path, qemu: str, installs: bool) -> None:
    done = prepare(tmp_path, qemu)
    assert ("installing the Debian packages qemu-system-x86" in done.stdout) == installs, done.stdout


def test_elsewhere_the_error_names_what_is_missing_and_the_way_out(tmp_path: Path) -> None:
    done = prepare(tmp_path, "7.2.22", OTHER)
    said = " ".join(done.stdout.split())
    assert done.returncode != 0
    for words in (
        "localhost lacks what guests need (found: QEMU 7.2.22, where 8.0",
        "Way out:",
        "this is Fedora Linux 44",
    ):
        assert words in said
