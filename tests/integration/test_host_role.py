# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role host does about what is missing: a QEMU, packages, words of the kernel's command line.

Nothing is installed here: this is check mode, or it fails before. The role with all that it changes is tested in the
sandbox.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import bench
import pytest

pytestmark = pytest.mark.apart

OTHER = 'ID=fedora\nNAME="Fedora Linux"\nVERSION_ID=44\n'
# The distribution is another one, for as long as the playbook runs, and no other run is seen to hold the machine.
ELSEWHERE = """
mkdir -p /var/lib/virtperf
mount -t tmpfs tmpfs /var/lib/virtperf
mount --bind "$1" "$(realpath /etc/os-release)"
shift
exec "$@"
"""
# There is nothing in /etc/default, what is put there is shown, and there is no dpkg.
BOOT = """
mount -t tmpfs tmpfs /etc/default
mount --bind /dev/null /usr/bin/dpkg-query
"$@" || status=$?
cat /etc/default/grub.d/virtperf.cfg || true
exit $status
"""
UPDATE_GRUB = """#!/bin/sh
echo "update-grub was run"
echo "$0" >>"$(dirname "$0")/runs"
"""


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


def role(directory: Path, *options: str, **variables: Any) -> subprocess.CompletedProcess[str]:
    """Run the role on a host without dpkg and with a grub of the test's own."""
    found = {"testpmd": {"path": "/usr/bin/dpdk-testpmd"}, "kernel": {"cmdline": "root=/dev/vda1 quiet isolcpus=2-3"}}
    tasks = [{"name": "Prepare", "ansible.builtin.import_role": {"name": "virtperf.vhost.host"}}]
    playbook, grub = directory / "playbook.yml", directory / "bin" / "update-grub"
    given = {"run_host": {"vhost_info": found}, **variables}
    play = {"name": "Test", "hosts": "localhost", "gather_facts": False, "tasks": tasks, "vars": given}
    playbook.write_text(json.dumps([play]))
    grub.parent.mkdir()
    grub.write_text(UPDATE_GRUB)
    grub.chmod(0o755)
    return subprocess.run(
        [
            *("unshare", "--mount", "--propagation", "private", "sh", "-ec", BOOT, "boot"),
            *(str(bench.CHECKOUT / "tools/env"), "ansible-playbook", *options, str(playbook)),
        ],
        cwd=bench.CHECKOUT,
        env={**os.environ, "PATH": f"{grub.parent}:{os.environ['PATH']}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
    )


def test_packages_that_cannot_be_looked_for(tmp_path: Path) -> None:
    done = role(tmp_path, host_packages=["dpdk-dev", "iperf3"], host_libvirt=True)
    said = " ".join(done.stdout.split())
    assert done.returncode != 0
    assert "localhost is not known to have iperf3, libvirt-daemon-system, libvirt-clients, " in said
    assert "host_libvirt_packages: []" in said


def test_words_of_the_command_line_are_written_and_take_a_reboot(tmp_path: Path) -> None:
    done = role(tmp_path, host_kernel_command_line=["isolcpus=2-3", "nohz_full=2-3"], host_reboot="yes")
    said = " ".join(done.stdout.split())
    assert done.returncode != 0
    assert "localhost has to be rebooted to have nohz_full=2-3 on its kernel's command line (found: this is the" in said
    assert 'GRUB_CMDLINE_LINUX_DEFAULT="$GRUB_CMDLINE_LINUX_DEFAULT isolcpus=2-3 nohz_full=2-3"' in said
    assert (tmp_path / "bin" / "runs").exists()


def test_check_mode_neither_writes_nor_reboots(tmp_path: Path) -> None:
    done = role(tmp_path, "--check", host_kernel_command_line=["nohz_full=2-3"], host_packages=["x"])
    said = " ".join(done.stdout.split())
    assert "has to be rebooted" not in said
    assert "GRUB_CMDLINE_LINUX_DEFAULT" not in said
    assert not (tmp_path / "bin" / "runs").exists()
    # It went on.
    assert "localhost is not known to have x" in said


@pytest.mark.parametrize(
    ("words", "message"),
    [(["quiet", "isolcpus=2-3"], "is not known to have x"), (["$(reboot)"], "a word with other characters")],
    ids=["all there", "not fit"],
)
def test_words_that_are_there_and_words_that_cannot_be(tmp_path: Path, words: list[str], message: str) -> None:
    done = role(tmp_path, host_kernel_command_line=words, host_packages=["x"])
    said = " ".join(done.stdout.split())
    assert message in said
    assert "GRUB_CMDLINE_LINUX_DEFAULT" not in said
    assert not (tmp_path / "bin" / "runs").exists()


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"host_irqbalance": "started"}, "value of host_irqbalance must be one of: , stopped, got: started"),
        ({"host_reboot": "maybe"}, "value of host_reboot must be one of: ask, yes, no, got: maybe"),
        ({"host_kernel_modules": "vhost"}, "host_kernel_modules"),
        ({"host_watchdog": "often"}, "host_watchdog"),
    ],
)
def test_bad_variables(tmp_path: Path, variables: dict[str, Any], message: str) -> None:
    done = role(tmp_path, "--check", **variables)
    said = " ".join(done.stdout.split())
    assert done.returncode != 0
    assert message in said
    assert "Validation of arguments failed" in said
