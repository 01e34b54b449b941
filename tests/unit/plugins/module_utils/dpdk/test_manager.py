# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several testpmds: no more is restarted than has to be, and nothing is touched that cannot work."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils.dpdk import manager
from ansible_collections.virtperf.vhost.plugins.module_utils.dpdk.definition import Definition, Port
from ansible_collections.virtperf.vhost.plugins.module_utils.dpdk.instance import Instance, names
from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.journal import Journal
from ansible_collections.virtperf.vhost.tests.unit.plugins.module_utils.dpdk.fake_testpmd import Lab, installed


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    with installed(tmp_path, monkeypatch) as lab:
        # More CPUs than a test machine has; those it has are used where something is really started.
        monkeypatch.setattr(manager.processes, "allowed_cpus", lambda: {*lab.cpus, 10, 11, 12, 13})
        yield lab


def plan(lab: Lab, *wanted: Definition, overlap: bool = True) -> manager.Plan:
    made = manager.plan_started(lab.host, wanted)
    manager.check(lab.host, wanted, made, allow_overlap=overlap)
    return made


def ensure(lab: Lab, *wanted: Definition) -> list[str]:
    made = plan(lab, *wanted)
    manager.apply(lab.host, Journal(lab.host, "run-1"), made)
    return made.actions()


def refusal(lab: Lab, *wanted: Definition, overlap: bool = False) -> str:
    with pytest.raises(VirtperfError) as caught:
        plan(lab, *wanted, overlap=overlap)
    return str(caught.value)


class TestWhatIsDone:
    def test_servers_start_before_those_who_connect(self, lab: Lab) -> None:
        first, last = lab.cpus[0], lab.cpus[-1]
        assert ensure(lab, lab.generator(), lab.vswitch()) == [
            f"start vswitch on CPU {first}",
            f"start generator on CPU {last}",
        ]
        assert lab.running() == ["generator", "vswitch"]

    def test_the_same_again_is_nothing(self, lab: Lab) -> None:
        ensure(lab, lab.vswitch(), lab.generator())
        again = plan(lab, lab.vswitch(), lab.generator())
        assert not again
        assert again.actions() == []

    def test_only_who_has_changed_is_restarted(self, lab: Lab) -> None:
        ensure(lab, lab.vswitch(), lab.generator())
        vswitch, generator = lab.pid("vswitch"), lab.pid("generator")
        actions = ensure(lab, lab.vswitch(), lab.generator(mbufs=4096))
        assert actions == ["stop generator (changed: mbufs)", f"start generator on CPU {lab.cpus[-1]}"]
        assert lab.pid("vswitch") == vswitch
        assert lab.pid("generator") != generator
        assert lab.running() == ["generator", "vswitch"]

    def test_who_loses_its_server_is_restarted_with_it(self, lab: Lab) -> None:
        ensure(lab, lab.vswitch(), lab.generator())
        generator = lab.pid("generator")
        assert ensure(lab, lab.vswitch(queues=2), lab.generator(packet_size=128)) == [
            f"stop generator (what serves {lab.socket} restarts)",
            "stop vswitch (changed: queues)",
            f"start vswitch on CPU {lab.cpus[0]}",
            f"start generator on CPU {lab.cpus[-1]}",
        ]
        assert lab.pid("generator") != generator

    def test_who_lost_its_server_by_a_crash_is_too(self, lab: Lab) -> None:
        ensure(lab, lab.vswitch(), lab.generator())
        lab.kill("vswitch")
        assert [action.split()[:2] for action in ensure(lab, lab.vswitch(), lab.generator())] == [
            ["stop", "generator"],
            ["stop", "vswitch"],
            ["start", "vswitch"],
            ["start", "generator"],
        ]

    @pytest.mark.parametrize(
        ("changes", "commands"),
        [
            ({"packet_size": 256}, "set txpkts 256"),
            ({"burst": 64}, "set burst 64"),
            ({"forwarding": True}, "start"),
        ],
    )
    def test_what_can_change_live_does(self, lab: Lab, changes: dict[str, object], commands: str) -> None:
        ensure(lab, lab.vswitch(), lab.generator())
        pids = lab.pid("vswitch"), lab.pid("generator")
        assert ensure(lab, lab.vswitch(), lab.generator(**changes)) == [f"tell generator: {commands}"]
        assert (lab.pid("vswitch"), lab.pid("generator")) == pids
        assert not plan(lab, lab.vswitch(), lab.generator(**changes))

    def test_a_definition_that_was_lost_means_a_restart(self, lab: Lab) -> None:
        ensure(lab, lab.vswitch())
        Path(Instance(lab.host, "vswitch").directory, "definition.json").unlink()
        assert plan(lab, lab.vswitch()).actions()[0] == "stop vswitch (changed: its definition is lost)"

    def test_those_not_named_are_left_alone(self, lab: Lab) -> None:
        ensure(lab, lab.vswitch(), lab.generator())
        assert not plan(lab, lab.vswitch())
        assert lab.running() == ["generator", "vswitch"]


class TestStopping:
    def test_all_go_those_who_connect_first(self, lab: Lab) -> None:
        ensure(lab, lab.vswitch(), lab.generator())
        made = manager.plan_stopped(lab.host, None)
        assert made.actions() == ["stop generator", "stop vswitch"]
        manager.apply(lab.host, Journal(lab.host), made)
        assert names(lab.host) == []
        assert not manager.plan_stopped(lab.host, None)

    def test_the_named_only_and_each_at_most_once(self, lab: Lab) -> None:
        ensure(lab, lab.vswitch(), lab.generator())
        assert manager.plan_stopped(lab.host, ["generator", "nobody"]).stops == ["generator"]

    def test_what_a_crash_left_is_removed(self, lab: Lab) -> None:
        ensure(lab, lab.vswitch())
        lab.kill("vswitch")
        manager.apply(lab.host, Journal(lab.host), manager.plan_stopped(lab.host, None))
        assert names(lab.host) == []
        assert os.listdir(lab.huge_dir) == []


class TestCpus:
    def test_two_loops_on_one_cpu_are_refused(self, lab: Lab) -> None:
        words = refusal(lab, lab.vswitch(cpus=[10]), lab.generator(cpus=[11, 10]))
        assert "vswitch and generator would both forward on CPU 10" in words
        assert "allow_overlap" in words

    def test_unless_that_is_wanted(self, lab: Lab) -> None:
        assert plan(lab, lab.vswitch(cpus=[10]), lab.generator(cpus=[10]), overlap=True)

    def test_main_lcores_may_share(self, lab: Lab) -> None:
        assert plan(lab, lab.vswitch(cpus=[10], main_cpu=12), lab.generator(cpus=[11], main_cpu=12), overlap=False)

    def test_those_not_named_keep_theirs(self, lab: Lab) -> None:
        ensure(lab, lab.vswitch())
        assert "vswitch and other would both" in refusal(lab, replace(lab.vswitch(), name="other"))

    def test_a_dead_one_has_no_cpu(self, lab: Lab) -> None:
        ensure(lab, lab.vswitch())
        lab.kill("vswitch")
        other = replace(lab.generator(), name="other", cpus=lab.vswitch().cpus)
        assert plan(lab, other, overlap=False)

    def test_cpus_that_this_host_does_not_have(self, lab: Lab) -> None:
        words = refusal(lab, lab.vswitch(cpus=[10, 4000], main_cpu=4001))
        assert "vswitch cannot run on CPU 4000, 4001" in words
        assert "10" in words

    def test_one_name_twice(self, lab: Lab) -> None:
        assert "two testpmds are named vswitch" in refusal(lab, lab.vswitch(), lab.vswitch())


class TestSockets:
    def test_one_in_use_is_refused_with_its_owner_and_left_alone(self, lab: Lab, tmp_path: Path) -> None:
        path = str(tmp_path / "foreign.sock")
        with socket.socket(socket.AF_UNIX) as foreign:
            foreign.bind(path)
            foreign.listen()
            words = refusal(lab, self.serving(lab, path))
            assert f"the socket path {path} is taken" in words
            assert f"process {os.getpid()} (" in words
            assert os.path.exists(path)

    def test_in_our_own_directory_too(self, lab: Lab) -> None:
        lab.host.private_directory(lab.host.run)
        with socket.socket(socket.AF_UNIX) as foreign:
            foreign.bind(lab.socket)
            foreign.listen()
            assert f"process {os.getpid()} (" in refusal(lab, lab.vswitch())

    def test_a_full_backlog_is_somebody_too(self, lab: Lab, tmp_path: Path) -> None:
        path = str(tmp_path / "foreign.sock")
        with socket.socket(socket.AF_UNIX) as foreign, socket.socket(socket.AF_UNIX) as waiting:
            foreign.bind(path)
            foreign.listen(0)
            waiting.connect(path)
            assert "is taken" in refusal(lab, self.serving(lab, path))

    def test_a_stale_one_of_ours_goes_when_its_place_is_needed(self, lab: Lab) -> None:
        self.stale(lab, lab.socket)
        made = plan(lab, lab.vswitch())
        assert os.path.lexists(lab.socket)  # a check touches nothing
        manager.apply(lab.host, Journal(lab.host), made)
        assert lab.running() == ["vswitch"]

    def test_a_stale_one_elsewhere_is_somebody_else_s(self, lab: Lab, tmp_path: Path) -> None:
        path = str(tmp_path / "foreign.sock")
        self.stale(lab, path)
        words = refusal(lab, self.serving(lab, path))
        assert "nobody serves" in words
        assert os.path.lexists(path)

    def test_our_own_directory_cannot_be_left_by_dots(self, lab: Lab, tmp_path: Path) -> None:
        path = f"{lab.host.run}/../foreign.sock"
        self.stale(lab, path)
        assert "is taken" in refusal(lab, self.serving(lab, path))
        assert os.path.lexists(path)

    def test_a_file_that_is_no_socket_is_never_removed(self, lab: Lab) -> None:
        lab.host.private_directory(lab.host.run)
        Path(lab.socket).write_text("notes")
        assert "is taken" in refusal(lab, lab.vswitch())
        assert Path(lab.socket).read_text() == "notes"

    def test_the_one_that_its_own_crash_left_is_no_obstacle_wherever_it_lies(self, lab: Lab, tmp_path: Path) -> None:
        wanted = self.serving(lab, str(tmp_path / "elsewhere.sock"))
        ensure(lab, wanted)
        lab.kill("vswitch")
        ensure(lab, wanted)
        assert lab.running() == ["vswitch"]

    def test_unless_somebody_took_it_since(self, lab: Lab, tmp_path: Path) -> None:
        path = str(tmp_path / "elsewhere.sock")
        ensure(lab, self.serving(lab, path))
        lab.kill("vswitch")
        os.unlink(path)
        with socket.socket(socket.AF_UNIX) as foreign:
            foreign.bind(path)
            foreign.listen()
            assert f"process {os.getpid()} (" in refusal(lab, self.serving(lab, path))

    def test_a_running_one_that_restarts_gives_its_own_back(self, lab: Lab) -> None:
        ensure(lab, lab.vswitch())
        ensure(lab, lab.vswitch(queues=2))
        assert lab.running() == ["vswitch"]

    @staticmethod
    def serving(lab: Lab, path: str) -> Definition:
        return replace(lab.vswitch(), ports=(Port("net_vhost0", {"iface": path}),))

    @staticmethod
    def stale(lab: Lab, path: str) -> None:
        lab.host.private_directory(lab.host.run)
        with socket.socket(socket.AF_UNIX) as left:
            left.bind(path)


class TestHugepages:
    def test_too_few_are_told_before_anything_starts(self, lab: Lab) -> None:
        lab.hugepages(24)
        words = refusal(lab, lab.vswitch(), lab.generator(), overlap=True)
        assert "32 MiB of hugepages on NUMA node 0 are needed (testpmd vswitch, generator) (found: 24 MiB free" in words
        assert "virtperf.vhost.hugepages" in words

    def test_just_enough_is_enough(self, lab: Lab) -> None:
        lab.hugepages(32)
        assert plan(lab, lab.vswitch(), lab.generator())

    def test_those_of_whoever_is_stopped_come_back(self, lab: Lab) -> None:
        ensure(lab, lab.vswitch())
        lab.hugepages(0)
        assert plan(lab, lab.vswitch(mbufs=4096))
        assert "24 MiB of hugepages" in refusal(lab, lab.vswitch(memory_mib=24))

    def test_those_that_a_crash_left_come_back_too(self, lab: Lab) -> None:
        ensure(lab, lab.vswitch(), lab.generator())
        lab.hugepages(0)
        lab.kill("generator")
        assert plan(lab, lab.vswitch(), lab.generator()).actions() == [
            "stop generator (it has died)",
            f"start generator on CPU {lab.cpus[-1]}",
        ]

    def test_but_not_twice(self, lab: Lab) -> None:
        ensure(lab, lab.vswitch())
        lab.kill("vswitch")
        (lab.huge_dir / "virtperf-vswitchmap_0").unlink()
        lab.hugepages(0)
        assert "16 MiB of hugepages" in refusal(lab, lab.vswitch())

    def test_each_node_has_its_own(self, lab: Lab) -> None:
        lab.hugepages(16, node=1)
        lab.hugepages(0)
        assert plan(lab, lab.vswitch(numa_node=1))
        assert "NUMA node 0" in refusal(lab, lab.vswitch(numa_node=1), lab.generator(), overlap=True)

    def test_a_directory_without_hugepages(self, lab: Lab, tmp_path: Path) -> None:
        assert "is not a hugetlbfs mount, or there is no NUMA node 5" in refusal(lab, lab.vswitch(numa_node=5))

    def test_a_directory_that_is_not_there(self, lab: Lab) -> None:
        words = refusal(lab, lab.vswitch(huge_dir="/nowhere/at/all"))
        assert "/nowhere/at/all cannot be used for hugepages (found: No such file" in words


class TestApply:
    def test_the_journal_knows_before_anything_runs(self, lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
        seen: list[list[object]] = []
        start = Instance.start

        def look_and_start(instance: Instance, definition: Definition) -> None:
            seen.append([entry.undo["name"] for entry in Journal(lab.host).entries()])
            start(instance, definition)

        monkeypatch.setattr(Instance, "start", look_and_start)
        ensure(lab, lab.vswitch(), lab.generator())
        assert seen == [["vswitch"], ["vswitch", "generator"]]
        assert {entry.run_id for entry in Journal(lab.host).entries()} == {"run-1"}

    def test_a_failed_start_takes_back_those_of_the_same_call_only(self, lab: Lab) -> None:
        ensure(lab, lab.vswitch())
        lab.behave(generator={"dies_at_start": True})
        other = replace(
            lab.vswitch(), name="other", ports=(Port("net_vhost1", {"iface": f"{lab.host.run}/other.sock"}),)
        )
        with pytest.raises(VirtperfError, match="generator ended at its start"):
            ensure(lab, lab.vswitch(), other, lab.generator())
        assert lab.running() == ["vswitch"]

    def test_without_the_program_nothing_is_touched(self, lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PATH", str(lab.directory))
        assert "not installed" in refusal(lab, lab.vswitch())
        assert not os.path.exists(lab.host.run)
        assert not os.path.exists(lab.host.state)


class TestUndo:
    def test_it_is_stopped_and_its_files_go(self, lab: Lab) -> None:
        ensure(lab, lab.vswitch())
        (entry,) = Journal(lab.host).entries()
        assert manager.undo_testpmd(lab.host, entry.undo) == "stopped testpmd vswitch (quit)"
        assert names(lab.host) == []
        assert os.listdir(lab.huge_dir) == []
        assert manager.undo_testpmd(lab.host, entry.undo) == ""

    def test_one_that_died_leaves_only_files(self, lab: Lab) -> None:
        ensure(lab, lab.vswitch())
        lab.kill("vswitch")
        assert manager.undo_testpmd(lab.host, {"name": "vswitch"}) == "removed the files of testpmd vswitch"
