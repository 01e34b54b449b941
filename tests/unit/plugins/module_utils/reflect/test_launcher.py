# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is started and ended for a launch, with a guest that only pretends."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils.dpdk import manager
from ansible_collections.virtperf.vhost.plugins.module_utils.dpdk.instance import Instance
from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.reflect.guest import GuestSide
from ansible_collections.virtperf.vhost.plugins.module_utils.reflect.launch import FarEnd, GuestPart, Launch
from ansible_collections.virtperf.vhost.plugins.module_utils.reflect.launcher import Launcher
from ansible_collections.virtperf.vhost.tests.unit.plugins.module_utils.dpdk.fake_testpmd import Lab, installed

SETUP = {"rx_queues": 1, "tx_queues": 1, "link_up": True, "link_speed_mbps": None, "cpus": [1], "ring_sizes": [256]}


class FakeGuest:
    """Takes down what is asked of it."""

    def __init__(self) -> None:
        self.done: list[str] = []

    def bring_up(self, launch: Launch, part: GuestPart) -> FakeGuest:
        self.name = launch.far_end.name
        self.done.append(f"up {part.driver}")
        return self

    def setup(self) -> dict[str, Any]:
        return dict(SETUP)

    def facts(self) -> dict[str, Any]:
        return {"accel": "tcg"}

    def logs_of_the_dead(self) -> list[tuple[str, str]]:
        return [("vm-reflect", "panic")]

    def remove(self) -> None:
        self.done.append("remove")


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    with installed(tmp_path, monkeypatch) as lab:
        monkeypatch.setattr(manager.processes, "allowed_cpus", lambda: set(range(100)))
        yield lab


@pytest.fixture
def guest() -> FakeGuest:
    return FakeGuest()


@pytest.fixture
def launcher(lab: Lab, guest: FakeGuest) -> Launcher:
    return Launcher(lab.host, "run-1", cast(GuestSide, guest), allow_overlap=len(lab.cpus) < 2)


def on_host(lab: Lab) -> Launch:
    generator = lab.generator()
    return Launch(lab.vswitch(), FarEnd("testpmd", generator.name, generator.cpus, generator.as_dict()), [])


def in_guest(lab: Lab, driver: str = "igb_uio", **vswitch: Any) -> Launch:
    part = GuestPart({}, driver, (), 64, {})
    return Launch(replace(lab.vswitch(), **vswitch), FarEnd("testpmd", "generator", (1,), {}), [], part)


def test_both_on_this_host(lab: Lab, launcher: Launcher, guest: FakeGuest) -> None:
    ends, observed = launcher.bring_up(on_host(lab))
    assert lab.running() == ["generator", "vswitch"]
    assert (ends.generator.name, ends.reflector.name) == ("generator", "vswitch")
    assert "accel" not in observed
    # A VM of a launch before would keep CPUs and memory.
    assert guest.done == ["remove"]


def test_the_far_end_in_a_guest(lab: Lab, launcher: Launcher, guest: FakeGuest) -> None:
    ends, observed = launcher.bring_up(in_guest(lab))
    assert lab.running() == ["vswitch"]
    assert ends.far_end is cast(Any, guest)
    assert observed["accel"] == "tcg"
    vswitch = Instance(lab.host, "vswitch").definition()
    assert vswitch is not None
    assert vswitch.forwarding
    assert guest.done[-1] == "up igb_uio"


def test_the_guest_s_generator_takes_the_place_of_the_host_s(lab: Lab, launcher: Launcher) -> None:
    launches = [on_host(lab), in_guest(lab)]
    launcher.expect(launches)
    for launch in launches:
        launcher.bring_up(launch)
    assert lab.running() == ["vswitch"]


def test_another_driver_leaves_the_vm_as_it_is(lab: Lab, launcher: Launcher, guest: FakeGuest) -> None:
    launcher.bring_up(in_guest(lab))
    guest.done.clear()
    launcher.bring_up(in_guest(lab, "uio_pci_generic"))
    assert guest.done == ["up uio_pci_generic"]


def test_a_new_vswitch_takes_the_vm_with_it(lab: Lab, launcher: Launcher, guest: FakeGuest) -> None:
    launcher.bring_up(in_guest(lab))
    guest.done.clear()
    launcher.bring_up(in_guest(lab, mbufs=4096))
    assert guest.done == ["remove", "up igb_uio"]


def test_after_a_failure_nothing_is_left(lab: Lab, launcher: Launcher, guest: FakeGuest) -> None:
    launch = in_guest(lab)
    launcher.bring_up(launch)
    launcher.end(launch)
    assert lab.running() == []
    assert guest.done[-1] == "remove"


def test_a_guest_that_cannot_be_ended_does_not_keep_the_rest(
    lab: Lab, launcher: Launcher, guest: FakeGuest, monkeypatch: pytest.MonkeyPatch
) -> None:
    launch = in_guest(lab)
    launcher.bring_up(launch)

    def remove() -> None:
        raise VirtperfError("vm-reflect survives even SIGKILL")

    monkeypatch.setattr(guest, "remove", remove)
    launcher.end(launch)
    assert lab.running() == []


def test_logs_are_those_of_the_dead(lab: Lab, launcher: Launcher) -> None:
    launch = on_host(lab)
    launcher.bring_up(launch)
    assert launcher.logs_of_the_dead(launch) == []
    lab.kill("generator")
    assert [name for name, _log in launcher.logs_of_the_dead(launch)] == ["testpmd-generator"]
    assert launcher.logs_of_the_dead(in_guest(lab)) == [("vm-reflect", "panic")]
