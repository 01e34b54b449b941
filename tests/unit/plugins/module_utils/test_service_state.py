# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Services that a fake systemctl keeps."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils import service_state
from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.journal import Journal
from ansible_collections.virtperf.vhost.plugins.module_utils.service_state import System, ensure, undo_service_state

IRQBALANCE = {"name": "irqbalance", "state": "stopped"}
LIBVIRT = {"name": "libvirtd.socket", "state": "started"}


class FakeSystem(System):
    """Units by name, active or not; ``stubborn`` ones do not change, ``busy`` ones take so many looks to settle."""

    def __init__(self) -> None:
        self.units = {"irqbalance.service": True, "libvirtd.socket": False, "libvirtd.service": False}
        self.calls: list[str] = []
        self.stubborn: set[str] = set()
        self.broken: set[str] = set()
        self.busy: dict[str, int] = {}

    def properties(self, unit: str, *names: str) -> dict[str, str]:
        """As systemctl show has them."""
        state = "active" if self.units.get(unit) else "inactive"
        if self.busy.get(unit):
            self.busy[unit] -= 1
            state = "deactivating"
        triggers = "libvirtd.service" if unit == "libvirtd.socket" else ""
        found = {
            "LoadState": "loaded" if unit in self.units else "not-found",
            "ActiveState": state,
            "Triggers": triggers,
        }
        return {name: found[name] for name in names}

    def change(self, unit: str, verb: str) -> None:
        """Start or stop."""
        self.calls.append(f"{verb} {unit}")
        if unit in self.broken:
            raise VirtperfError(f"{unit} does not {verb}", found="Job failed")
        if unit not in self.stubborn:
            self.units[unit] = verb == "start"


@pytest.fixture
def host(tmp_path: Path) -> Host:
    boot = tmp_path / "proc/sys/kernel/random/boot_id"
    boot.parent.mkdir(parents=True)
    boot.write_text("this-boot\n")
    return Host(proc=str(tmp_path / "proc"), run=str(tmp_path / "run"), state=str(tmp_path / "state"))


@pytest.fixture
def system(monkeypatch: pytest.MonkeyPatch) -> FakeSystem:
    monkeypatch.setattr(service_state.time, "sleep", lambda _seconds: None)
    return FakeSystem()


def undo_all(host: Host, system: FakeSystem) -> list[str]:
    return [undo_service_state(host, entry.undo, system) for entry in reversed(Journal(host).entries())]


def test_predicted_done_idempotent_and_undone(host: Host, system: FakeSystem) -> None:
    before = dict(system.units)
    predicted = ensure(host, [IRQBALANCE, LIBVIRT], check_mode=True, system=system)
    assert (system.calls, Journal(host).entries()) == ([], [])
    done = ensure(host, [IRQBALANCE, LIBVIRT], run_id="run-7", system=system)
    assert predicted == done
    assert done["actions"] == ["stop irqbalance.service", "start libvirtd.socket"]
    assert done["services"][0] == {
        "name": "irqbalance.service",
        "was": "started",
        "state": "stopped",
        "changed": True,
    }
    assert system.units == {**before, "irqbalance.service": False, "libvirtd.socket": True}
    assert [entry.run_id for entry in Journal(host).entries()] == ["run-7", "run-7"]
    assert not ensure(host, [IRQBALANCE, LIBVIRT], system=system)["changed"]
    assert undo_all(host, system) == ["stopped libvirtd.socket again", "started irqbalance.service again"]
    assert system.units == before
    assert undo_all(host, system) == ["", ""]


def test_one_that_is_not_there_is_stopped(host: Host, system: FakeSystem) -> None:
    del system.units["irqbalance.service"]
    assert not ensure(host, [IRQBALANCE], system=system)["changed"]
    with pytest.raises(VirtperfError, match=r"cannot be started \(found: systemd says not-found\)"):
        ensure(host, [{**IRQBALANCE, "state": "started"}], system=system)


def test_a_socket_whose_service_runs_serves(host: Host, system: FakeSystem) -> None:
    system.units["libvirtd.service"] = True
    assert not ensure(host, [LIBVIRT], system=system)["changed"]


def test_one_on_its_way_is_waited_for(host: Host, system: FakeSystem) -> None:
    system.busy["irqbalance.service"] = 3
    system.units["irqbalance.service"] = False
    assert not ensure(host, [IRQBALANCE], system=system)["changed"]


@pytest.mark.parametrize("how", ["broken", "stubborn"])
def test_all_or_nothing(host: Host, system: FakeSystem, how: str) -> None:
    before = dict(system.units)
    getattr(system, how).add("libvirtd.socket")
    with pytest.raises(VirtperfError, match="everything is as it was before"):
        ensure(host, [IRQBALANCE, LIBVIRT], system=system)
    assert (system.units, Journal(host).entries()) == (before, [])


@pytest.mark.parametrize("name", ["-a", "", "a b", "x;y"])
def test_bad_names(host: Host, system: FakeSystem, name: str) -> None:
    with pytest.raises(VirtperfError, match="is no name of a service"):
        ensure(host, [{"name": name, "state": "stopped"}], system=system)


def test_the_same_twice(host: Host, system: FakeSystem) -> None:
    with pytest.raises(VirtperfError, match="asked for twice"):
        ensure(host, [IRQBALANCE, {"name": "irqbalance.service", "state": "started"}], system=system)


def test_undo_after_a_reboot_or_of_one_that_is_gone(host: Host, system: FakeSystem) -> None:
    ensure(host, [IRQBALANCE], system=system)
    (entry,) = Journal(host).entries()
    del system.units["irqbalance.service"]
    assert undo_service_state(host, entry.undo, system) == ""
    assert undo_service_state(host, {**entry.undo, "boot": "another"}, system) == ""


@pytest.mark.parametrize("program", ["missing", "failing"])
def test_a_machine_without_systemd(monkeypatch: pytest.MonkeyPatch, program: str) -> None:
    found = None if program == "missing" else "/bin/false"
    monkeypatch.setattr(service_state.shutil, "which", lambda *_arguments, **_keywords: found)
    with pytest.raises(VirtperfError, match="systemd does not answer") as caught:
        System().properties("x.service", "LoadState")
    assert caught.value.way_out
