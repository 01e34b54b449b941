# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the controllers are, on unified, hybrid and old hosts, and what is said where they cannot be had."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils.cgroup import hierarchy
from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host

HEAD = "#subsys_name\thierarchy\tnum_cgroups\tenabled\n"


def arrange(root: Path, mounts: str, known: str, v2: str = "", kind: str = "") -> Host:
    host = Host(str(root / "proc"), str(root / "sys"), str(root / "run"), str(root / "state"))
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/mounts").write_text(mounts.replace("/sys", host.sys))
    (root / "proc/cgroups").write_text(HEAD + known)
    (root / "sys").mkdir()
    if v2:
        (root / "sys/cgroup.controllers").write_text(v2)
        (root / "sys/cgroup.subtree_control").write_text("cpu")
    if kind:
        (root / "sys/cgroup.type").write_text(kind)
    return host


UNIFIED = ("cgroup2 /sys cgroup2 rw 0 0\n", "cpu 0 9 1\ncpuset 0 9 1\n", "cpuset cpu io\n")


def test_unified(tmp_path: Path) -> None:
    host = arrange(tmp_path, *UNIFIED)
    assert hierarchy.require(host, ["cpu", "cpuset"]).facts() == {
        "version": "unified",
        "mount": host.sys,
        "available": ["cpuset", "cpu", "io"],
        "enabled": ["cpu"],
        "v1": {},
        "disabled": [],
    }


@pytest.mark.parametrize(
    ("mounts", "known", "v2", "version", "messages"),
    [
        (
            "x /sys/cpu cgroup rw,cpu,cpuacct 0 0\ncgroup2 /sys cgroup2 rw 0 0\n",
            "cpu 1 9 1\ncpuset 0 9 1\n",
            "cpuset",
            "hybrid",
            ["lacks cpu", "/sys/cpu;", "has cpuset", "systemd.unified_cgroup_hierarchy=1"],
        ),
        ("x /sys/cpu cgroup rw,cpu 0 0\n", "cpu 1 9 1\n", "", "v1", ["is not mounted", "cpu is bound to version 1 at"]),
        ("x /sys cgroup2 rw 0 0\n", "cpu 7 9 1\n", "io", "hybrid", ["cpu is bound to version 1, mounted nowhere here"]),
        ("", "cpu 0 9 1\n", "", "none", ["is not mounted"]),
        ("x /sys cgroup2 rw 0 0\n", "cpu 0 9 0\n", "io", "unified", ["booted without the controller cpu"]),
        ("x /sys cgroup2 rw 0 0\n", "io 0 9 1\n", "io", "unified", ["this kernel has no cgroup controller cpu"]),
    ],
)
def test_what_is_missing_is_told_with_a_way_out(
    tmp_path: Path, mounts: str, known: str, v2: str, version: str, messages: list[str]
) -> None:
    host = arrange(tmp_path, mounts, known, v2)
    assert hierarchy.observe(host).version == version
    with pytest.raises(VirtperfError) as caught:
        hierarchy.require(host, ["cpu"])
    for message in messages:
        assert message in str(caught.value)
    assert caught.value.facts["cgroup"]["version"] == version


def test_a_part_of_anothers_tree_is_not_delegated(tmp_path: Path) -> None:
    host = arrange(tmp_path, "x /sys cgroup2 rw 0 0\n", "cpu 0 9 1\n", "pids", "domain")
    with pytest.raises(VirtperfError, match=r"/sys is not delegated the controller cpu .found: .* has pids") as caught:
        hierarchy.require(host, ["cpu"])
    assert (caught.value.facts["ancestor"], caught.value.facts["controllers"]) == (host.sys, ["cpu"])


def test_a_host_without_anything(tmp_path: Path) -> None:
    assert hierarchy.observe(Host(proc=str(tmp_path), sys=str(tmp_path))).version == "none"
