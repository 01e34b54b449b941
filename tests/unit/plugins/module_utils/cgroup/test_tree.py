# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tree: who is where, and what stands in the way of threaded cgroups."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils.cgroup.tree import Tree, above, describe
from ansible_collections.virtperf.vhost.tests.unit.fake_cgroups import FakeHost, Kernel, fake_host


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeHost:
    return fake_host(tmp_path, monkeypatch)


@pytest.fixture
def kernel(host: FakeHost) -> Kernel:
    return host.kernel


@pytest.fixture
def tree(host: FakeHost) -> Tree:
    return Tree(host, str(host.kernel.mount))


def test_kinds_and_domains(kernel: Kernel, tree: Tree) -> None:
    kernel.add("/a", "/a/b", "/a/c")
    kernel.groups["/a/b"].threaded = True
    kernel.show()
    kinds = [tree.kind(path) for path in ("/", "/a", "/a/b", "/a/c")]
    assert kinds == ["root", "domain threaded", "threaded", "domain invalid"]
    assert [tree.domain_of(path) for path in ("/", "/a", "/a/b")] == ["/", "/a", "/a"]
    assert tree.children("/a") == ["/a/b", "/a/c"]
    assert tree.children("/none") == []
    assert above("/a/b") == ["/", "/a"]


def test_members(kernel: Kernel, tree: Tree) -> None:
    kernel.add("/a", "/a/b")
    kernel.groups["/a/b"].threaded = True
    for tid, group in ((5, "/a"), (6, "/a/b")):
        kernel.thread(5, tid, "some", group)
    assert (tree.processes("/a"), tree.members("/a"), tree.members("/a/b")) == ([5], [5], [6])
    assert tree.processes("/a/b") == [], "the kernel refuses to tell"
    assert (tree.group_of(6), tree.group_of(7)) == ("/a/b", "")
    kernel.put("proc/6/cgroup", "1:name=systemd:/x\n0::/a/b (deleted)")
    assert tree.group_of(6) == ""
    assert tree.is_populated("/a")


def test_obstacles(kernel: Kernel, tree: Tree) -> None:
    kernel.add("/a", "/a/b", "/a/c", "/e")
    kernel.add("/m", enabled="memory")
    kernel.thread(5, 5, "some", "/a/b")
    kernel.thread(6, 6, "other", "/m")
    assert tree.thread_root_obstacle("/a") == "/a/b below /a has processes"
    assert tree.thread_root_obstacle("/a", "/a/b") == ""
    assert tree.thread_root_obstacle("/") == ""
    assert "/m has enabled memory" in tree.thread_root_obstacle("/m")
    assert tree.threaded_obstacle("/a/b") == "it has process 5 (some)"
    assert tree.threaded_obstacle("/a") == "it has processes below it"
    assert (tree.threaded_obstacle("/a/c"), tree.threaded_obstacle("/e")) == ("", "")
    assert tree.enable_obstacle("/m") == "it has process 6 (other)"
    assert [tree.enable_obstacle(path) for path in ("/", "/a", "/a/b")] == ["", "", ""]


def test_a_line_of_nothing_is_written_as_one(kernel: Kernel, tree: Tree) -> None:
    kernel.groups["/"].enabled.add("cpuset")
    kernel.add("/a")
    seen: list[str] = []
    kernel.write = lambda _file, text: seen.append(text)  # type: ignore[method-assign]
    tree.write("/a", "cpuset.cpus", "")
    assert seen == ["\n"]


def test_few_of_many_are_named(host: FakeHost) -> None:
    assert describe(host, []) == ""
    assert describe(host, [1, 2, 3, 4, 5, 6]) == "processes 1 (?), 2 (?), 3 (?), 4 (?), 2 more"
