# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the roles server and client do about an iperf3 that is too old. Nothing is installed: this is check mode."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import bench
import pytest

pytestmark = pytest.mark.apart


@pytest.mark.parametrize("end", ["server", "client"])
@pytest.mark.parametrize(("version", "installs"), [("3.12", True), ("3.17", False)])
def test_an_iperf3_that_is_too_old_is_replaced(tmp_path: Path, end: str, version: str, installs: bool) -> None:
    iperf3, playbook = tmp_path / "iperf3", tmp_path / "playbook.yml"
    iperf3.write_text(f"#!/bin/sh\necho 'iperf {version} (cJSON 1.7.15)'\n")
    iperf3.chmod(0o755)
    # As a study has it: the role is included for another host than the play's.
    include = {"name": f"virtperf.vhost.{end}", "apply": {"delegate_to": "guest"}}
    guest = {"name": "guest", "ansible_connection": "local", "ansible_python_interpreter": "/usr/bin/python3"}
    tasks = [
        {"name": "Have a guest", "ansible.builtin.add_host": guest},
        {"name": "Prepare it", "ansible.builtin.include_role": include},
    ]
    playbook.write_text(json.dumps([{"name": "Test", "hosts": "localhost", "gather_facts": False, "tasks": tasks}]))
    done = subprocess.run(
        [str(bench.CHECKOUT / "tools/env"), "ansible-playbook", "--check", str(playbook)],
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
        cwd=bench.CHECKOUT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert ("installing the Debian packages iperf3" in done.stdout) == installs, done.stdout
    assert ("Install it" in done.stdout) == installs
    assert "[localhost -> guest]" in done.stdout
