# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several VMs: a plan says what is then done, and nothing is touched that cannot work."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils import processes, restore
from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.journal import Journal
from ansible_collections.virtperf.vhost.plugins.module_utils.qemu import instance as instance_module
from ansible_collections.virtperf.vhost.plugins.module_utils.qemu import manager
from ansible_collections.virtperf.vhost.plugins.module_utils.qemu.definition import Definition
from ansible_collections.virtperf.vhost.plugins.module_utils.qemu.instance import Instance, Limits
from ansible_collections.virtperf.vhost.tests.unit.plugins.module_utils.qemu.fake_qemu import Lab, installed


@pytest.fixture
def lab(monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    monkeypatch.setattr(instance_module, "_ANSWER_PATIENCE_S", 0.5)
    with installed(monkeypatch) as lab:
        yield lab


def plan(lab: Lab, *wanted: Definition, paused: bool = False, on_change: str = "restart") -> manager.Plan:
    made = manager.plan_present(lab.host, wanted, paused=paused, on_change=on_change)
    manager.check(lab.host, wanted, made)
    return made


def carry_out(lab: Lab, made: manager.Plan, ready_s: float = 5) -> dict[str, str]:
    return manager.apply(lab.host, Journal(lab.host, "run-1"), made, Limits(0.2, 5, 5), ready_s)


def ensure(lab: Lab, *wanted: Definition, paused: bool = False) -> list[str]:
    made = plan(lab, *wanted, paused=paused)
    carry_out(lab, made)
    assert not plan(lab, *wanted, paused=paused), "the same again is nothing"
    return made.actions()


def states(lab: Lab) -> dict[str, str]:
    return {name: Instance(lab.host, name).observe().state for name in instance_module.names(lab.host)}


class TestPresent:
    def test_through_the_states(self, lab: Lab) -> None:
        assert ensure(lab, lab.vm("a"), lab.vm("b"))[:2] == ["start a with tcg", "start b with tcg"]
        assert ensure(lab, lab.vm("a"), paused=True) == ["pause a"]
        assert states(lab) == {"a": "paused", "b": "running"}
        assert ensure(lab, lab.vm("a")) == ["resume a"]
        assert ensure(lab, lab.vm("c"), paused=True) == ["start c with tcg, paused"]
        assert states(lab) == {"a": "running", "b": "running", "c": "paused"}

    def test_a_changed_one_is_restarted_with_the_reason(self, lab: Lab) -> None:
        ensure(lab, lab.vm())
        pid = lab.pid()
        made = plan(lab, lab.vm(vcpus=2, append="", arguments=["-d", "int"]))
        assert made.actions()[0] == "stop guest (changed: vcpus, arguments)"
        assert made.restart_needed == {"guest": ["vcpus", "arguments"]}
        assert carry_out(lab, made) == {"guest": "quit"}
        assert lab.pid() != pid

    def test_or_refused(self, lab: Lab) -> None:
        ensure(lab, lab.vm())
        with pytest.raises(VirtperfError, match=r"changed: vcpus.*on_change: restart") as caught:
            plan(lab, lab.vm(vcpus=2), on_change="fail")
        assert caught.value.facts["restart_needed"] == {"guest": ["vcpus"]}

    def test_or_left_as_it_is(self, lab: Lab) -> None:
        ensure(lab, lab.vm())
        made = plan(lab, lab.vm(vcpus=2), on_change="warn")
        assert not made
        assert "needs a restart" in made.warnings[0]

    def test_a_dead_one_is_started_anew(self, lab: Lab) -> None:
        ensure(lab, lab.vm())
        os.kill(lab.pid(), signal.SIGKILL)
        identity = Instance(lab.host, "guest").identity()
        assert identity
        assert processes.wait_gone(lab.host, identity, 5)
        assert ensure(lab, lab.vm())[0] == "start guest with tcg"

    def test_one_that_hangs_is_restarted(self, lab: Lab) -> None:
        ensure(lab, lab.vm())
        os.kill(lab.pid(), signal.SIGSTOP)
        made = plan(lab, lab.vm())
        assert made.actions()[0] == "stop guest (it is silent)"

    def test_one_that_has_crashed_inside_is_restarted(self, lab: Lab) -> None:
        lab.behave(guest={"status": "internal-error"})
        carry_out(lab, plan(lab, lab.vm(), paused=True))
        assert plan(lab, lab.vm()).actions()[0] == "stop guest (it is internal-error)"

    @pytest.mark.parametrize("reconnect", [0, 1])
    def test_a_lost_port(self, lab: Lab, reconnect: int) -> None:
        vm = lab.vm(vhost_user=[{"socket": lab.serve(), "reconnect": reconnect}])
        ensure(lab, vm)
        lab.listeners[0].accept()[0].close()
        made = plan(lab, vm)
        if reconnect:
            assert (bool(made), made.waits) == (False, [vm])
        else:
            assert "does not reconnect" in made.actions()[0]

    def test_a_failed_start_takes_its_companions_back(self, lab: Lab) -> None:
        ensure(lab, lab.vm("stays"))
        lab.behave(bad={"dies_at_start": True})
        with pytest.raises(VirtperfError, match="VM bad ended"):
            carry_out(lab, plan(lab, lab.vm("good"), lab.vm("bad")))
        assert lab.running() == ["stays"]

    def test_an_old_qemu_is_refused_before_anything_stops(self, lab: Lab) -> None:
        ensure(lab, lab.vm())
        lab.behave(version="7.2.18")
        with pytest.raises(VirtperfError, match="too old for vhost-user"):
            plan(lab, lab.vm(vhost_user=[{"socket": lab.serve()}]))
        assert lab.running() == ["guest"]

    def test_an_overlay_is_part_of_the_plan(self, lab: Lab) -> None:
        vm = lab.vm(disks=[{"base": lab.base()}])
        overlay = f"{lab.host.state}/qemu/guest/virtperf-guest-disk0.qcow2"
        assert plan(lab, vm).actions()[0] == f"start guest with tcg, making {overlay}"
        ensure(lab, vm)
        assert Path(overlay).exists()


class TestGone:
    def test_stopped_keeps_its_files(self, lab: Lab) -> None:
        ensure(lab, lab.vm("a", disks=[{"base": lab.base()}]), lab.vm("b"))
        made = manager.plan_stopped(lab.host, ["a", "unknown"])
        assert made.actions() == ["stop a"]
        assert carry_out(lab, made) == {"a": "quit"}
        assert not manager.plan_stopped(lab.host, ["a"])
        assert states(lab) == {"a": "stopped", "b": "running"}
        assert Path(lab.host.state, "qemu/a/virtperf-a-disk0.qcow2").exists()

    def test_absent_does_not(self, lab: Lab) -> None:
        ensure(lab, lab.vm("a", disks=[{"base": lab.base()}]), lab.vm("b"))
        made = manager.plan_absent(lab.host, None)
        assert made.actions() == ["stop a", "stop b", "remove a", "remove b"]
        carry_out(lab, made)
        assert states(lab) == {}
        assert not Path(lab.host.state, "qemu").exists()
        assert not manager.plan_absent(lab.host, None)

    def test_what_is_removed_is_forgotten_and_its_earlier_overlays_go_too(self, lab: Lab) -> None:
        elsewhere = lab.directory / "elsewhere"
        elsewhere.mkdir()
        ensure(lab, lab.vm("a", disks=[{"base": lab.base()}], overlay_dir=str(elsewhere)), lab.vm("b"))
        ensure(lab, lab.vm("a", disks=[{"base": lab.base()}]))
        carry_out(lab, manager.plan_absent(lab.host, ["a"]))
        assert list(elsewhere.iterdir()) == []
        assert [entry.undo["name"] for entry in Journal(lab.host).entries()] == ["b"]
        carry_out(lab, manager.plan_absent(lab.host, ["b"]))
        assert not Path(lab.host.run).exists()

    def test_names_are_checked(self, lab: Lab) -> None:
        for made in (manager.plan_stopped, manager.plan_absent):
            with pytest.raises(VirtperfError, match="cannot be named"):
                made(lab.host, ["../../etc"])


class TestUndo:
    def test_all_of_it_goes_and_again_is_nothing(self, lab: Lab) -> None:
        elsewhere = lab.directory / "elsewhere"
        elsewhere.mkdir()
        ensure(lab, lab.vm(disks=[{"base": lab.base()}], overlay_dir=str(elsewhere)))
        undo = Journal(lab.host).entries()[0].undo
        assert manager.undo_vm(lab.host, undo) == "stopped VM guest (quit)"
        assert list(elsewhere.iterdir()) == []
        assert manager.undo_vm(lab.host, undo) == ""

    def test_overlays_are_found_after_the_runtime_files_are_lost(self, lab: Lab) -> None:
        elsewhere = lab.directory / "elsewhere"
        elsewhere.mkdir()
        overlay = elsewhere / "virtperf-guest-disk0.qcow2"
        overlay.write_text("")
        assert manager.undo_vm(lab.host, {"name": "guest", "overlays": [str(overlay)]})
        assert not overlay.exists()

    def test_restore_knows_it(self) -> None:
        assert restore.UNDO["qemu_vm"] is manager.undo_vm
