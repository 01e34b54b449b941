# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One plan: who moves, through whom, and how it is shown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.pinning.change import Change, actions, plan, table
from ansible_collections.virtperf.vhost.plugins.module_utils.pinning.request import parse
from ansible_collections.virtperf.vhost.tests.unit.plugins.module_utils.pinning.fake_vm import PID, FakeVm


@pytest.fixture
def vm(tmp_path: Path) -> FakeVm:
    return FakeVm(tmp_path)


def changes(vm: FakeVm, *, libvirt: bool = False, **wishes: Any) -> list[Change]:
    (request,) = parse([{"qmp": "/q", **wishes}])
    return plan(request, vm.observe(), vm.scheduler, libvirt=libvirt)


def test_the_table(vm: FakeVm) -> None:
    planned = changes(
        vm, vcpus=[{"vcpu": 1, "cpus": "3", "policy": "fifo", "priority": 2}], iothreads=[{"cpus": "1-2"}]
    )
    assert table(planned) == (
        "vm  thread  role            before  after\n"
        "vm  104     vCPU 1          0-7     3 fifo:2\n"
        "vm  102     I/O thread io0  0-7     1-2\n"
    )
    assert actions(planned) == [
        "vm: vCPU 1, thread 104: from 0-7 to 3 fifo:2",
        "vm: I/O thread io0, thread 102: from 0-7 to 1-2",
    ]


def test_nothing_to_do(vm: FakeVm) -> None:
    planned = changes(vm, emulator={"cpus": "0-7"})
    assert (table(planned), actions(planned)) == ("", [])


@pytest.mark.parametrize(
    ("wishes", "message"),
    [
        ({"vcpus": [{"vcpu": 2, "cpus": "1"}]}, "vm has no vCPU 2 .found: 2 vCPUs, 0-1"),
        ({"iothreads": [{"id": "x", "cpus": "1"}]}, "vm has no I/O thread x .found: io0"),
    ],
)
def test_a_thread_there_is_not(vm: FakeVm, wishes: dict[str, Any], message: str) -> None:
    with pytest.raises(VirtperfError, match=message):
        changes(vm, **wishes)


def test_no_io_threads_at_all(vm: FakeVm) -> None:
    vm.answers["query-iothreads"] = []
    with pytest.raises(VirtperfError, match="started without any"):
        changes(vm, iothreads=[{"cpus": "1"}])


def test_workers_may_come_later(vm: FakeVm) -> None:
    assert not any(change.changed for change in changes(vm, vhost={"cpus": "1"}))


def test_a_thread_that_ended_is_left_out(vm: FakeVm) -> None:
    del vm.scheduler.settings[101]
    assert 101 not in [change.thread.tid for change in changes(vm, emulator={"cpus": "1"})]


def test_libvirt_pins_the_emulator_unless_workers_share_its_cgroup(vm: FakeVm) -> None:
    def through() -> set[str]:
        return {c.thread.role for c in changes(vm, libvirt=True, emulator={"cpus": "1"}) if c.through_libvirt}

    assert through() == {"vcpu", "iothread", "emulator"}
    vm.thread(105, f"vhost-{PID}")
    assert through() == {"vcpu", "iothread"}
