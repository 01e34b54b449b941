# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hypervisor in a VM, as a user starts, uses and removes it. The first run on a machine builds its image."""

from __future__ import annotations

import os
from pathlib import Path

import bench
from a_sandbox import ACCESS, PLACES, play, run


def test_it_is_up_in_a_minute_and_again_is_nothing(sandbox: float, tmp_path: Path) -> None:
    print(f"up after {sandbox:.1f} s")
    assert sandbox < 60
    assert play("up", tmp_path) == 0


def test_it_is_reached_at_the_loopback_only(sandbox: float) -> None:
    port = int((ACCESS / "port").read_text())
    lines = [
        line.split() for name in ("tcp", "tcp6") for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]
    ]
    listening = {line[1] for line in lines if line[3] == "0A" and line[1].endswith(f":{port:04X}")}
    assert listening == {f"0100007F:{port:04X}"}
    for path in (ACCESS, *PLACES):
        assert os.stat(path).st_mode & 0o077 == 0, path


def test_it_is_a_hypervisor(sandbox: float, tmp_path: Path) -> None:
    look = {"name": "Look", "virtperf.vhost.vhost_info": {"probe_kvm": True}, "register": "host"}
    info = run(tmp_path, [look])["host"]["vhost_info"]
    assert info["kvm"]["usable"] is True, info["kvm"]
    assert info["vhost"]["net"] == "loaded", info["vhost"]
    assert info["cgroup"]["version"] == "unified", info["cgroup"]
    assert {"cpu", "cpuset"} <= set(info["cgroup"]["available"]), info["cgroup"]


def test_it_keeps_what_it_has_compiled(sandbox: float, tmp_path: Path) -> None:
    count = {"name": "Count", "ansible.builtin.command": {"cmd": "ls /var/cache/virtperf-compiled"}}
    got = run(tmp_path, [{**count, "register": name} for name in ("first", "second")])
    assert len(got["first"]["stdout_lines"]) > 20
    assert got["first"]["stdout"] == got["second"]["stdout"]


def test_a_restore_of_runs_leaves_it_alone(sandbox: float, tmp_path: Path) -> None:
    done = bench.play("restore", {}, tmp_path)
    assert done.status == 0, done.output
    assert play("up", tmp_path) == 0
