# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Domains of a host: started, compared, refused, removed, and undone with and without libvirt."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils import processes, restore
from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.journal import Journal
from ansible_collections.virtperf.vhost.plugins.module_utils.libvirt_domain import manager
from ansible_collections.virtperf.vhost.plugins.module_utils.libvirt_domain.definition import parse
from ansible_collections.virtperf.vhost.plugins.module_utils.libvirt_domain.instance import Instance, names
from ansible_collections.virtperf.vhost.plugins.module_utils.pinning import domain as libvirt_domain
from ansible_collections.virtperf.vhost.plugins.module_utils.qemu import console
from ansible_collections.virtperf.vhost.plugins.module_utils.qemu import manager as qemu_manager
from ansible_collections.virtperf.vhost.plugins.module_utils.qemu.console import Sign
from ansible_collections.virtperf.vhost.plugins.module_utils.qemu.instance import Instance as QemuInstance
from ansible_collections.virtperf.vhost.tests.unit.plugins.module_utils.libvirt_domain.fake_libvirt import (
    XML,
    Libvirtd,
    daemon,
    running,
)

LINUX = Sign("Linux version", 5)


@pytest.fixture
def libvirtd(monkeypatch: pytest.MonkeyPatch) -> Iterator[Libvirtd]:
    with running(monkeypatch) as libvirtd:
        yield libvirtd


def plan(libvirtd: Libvirtd, *requests: dict[str, Any], on_change: str = "restart") -> manager.Plan:
    wanted = [parse(libvirtd.host, request) for request in requests]
    with daemon() as connection:
        made = manager.plan_started(libvirtd.host, connection, wanted, on_change)
        manager.check(libvirtd.host, wanted, made)
    return made


def start(libvirtd: Libvirtd, *requests: dict[str, Any], sign: Sign | None = None, **more: Any) -> manager.Plan:
    made = plan(libvirtd, *requests, **more)
    with daemon() as connection:
        manager.apply(libvirtd.host, Journal(libvirtd.host), connection, made, 0, sign)
    return made


def remove(libvirtd: Libvirtd, *chosen: str, powerdown_s: float = 0) -> dict[str, str]:
    with daemon() as connection:
        made = manager.plan_absent(libvirtd.host, chosen or None)
        return manager.apply(libvirtd.host, Journal(libvirtd.host), connection, made, powerdown_s)


def test_started_once_and_gone_without_a_trace(libvirtd: Libvirtd) -> None:
    first = start(libvirtd, libvirtd.request(), libvirtd.request("other"), sign=LINUX)
    assert [action.partition(",")[0] for action in first.actions()] == ["start guest", "start other"]
    again = start(libvirtd, libvirtd.request(), libvirtd.request("other"), sign=LINUX)
    assert (again.actions(), len(libvirtd.domains)) == ([], 2)
    with daemon() as connection:
        facts = Instance(libvirtd.host, "guest").facts(connection)
    assert (facts["state"], facts["pid"], facts["uuid"]) == (
        "running",
        libvirtd.domains[0].pid,
        libvirtd.domains[0].UUIDString(),
    )
    assert facts["taps"] == [{"ifname": "tap0", "mac": "52:54:00:00:00:01", "queues": 1}]
    assert remove(libvirtd) == {"guest": "destroy", "other": "destroy"}
    assert (libvirtd.domains, libvirtd.left(), Journal(libvirtd.host).entries()) == ([], [], [])
    assert not os.path.exists(libvirtd.host.run)
    assert not manager.plan_absent(libvirtd.host, ["guest"])


def test_a_change_is_named_and_restarts(libvirtd: Libvirtd) -> None:
    start(libvirtd, libvirtd.request())
    changed = libvirtd.request(xml=XML.replace("<vcpu>1", "<vcpu>2"))
    with pytest.raises(VirtperfError, match="a restart is not allowed") as caught:
        plan(libvirtd, changed, on_change="fail")
    assert caught.value.facts["restart_needed"] == {"guest": ["xml: vcpu"]}
    left = start(libvirtd, changed, on_change="warn")
    assert (left.actions(), left.restart_needed) == ([], {"guest": ["xml: vcpu"]})
    assert "it needs a restart" in left.warnings[0]
    done = start(libvirtd, changed)
    assert done.actions() == ["stop guest (changed: xml: vcpu)", "start guest"]
    assert [domain.root.findtext("vcpu") for domain in libvirtd.domains] == ["2"]


@pytest.mark.parametrize(
    ("number", "actions"),
    [(3, ["resume guest"]), (6, ["stop guest (it is crashed)", "start guest"]), (99, ["stop guest (it is 99)"])],
)
def test_one_that_stands_still_or_worse(libvirtd: Libvirtd, number: int, actions: list[str]) -> None:
    start(libvirtd, libvirtd.request())
    libvirtd.domains[0].number = number
    assert start(libvirtd, libvirtd.request()).actions()[: len(actions)] == actions
    assert [domain.number for domain in libvirtd.domains] == [1]


def test_one_that_has_ended_is_started_again(libvirtd: Libvirtd) -> None:
    start(libvirtd, libvirtd.request())
    libvirtd.end(libvirtd.domains[0])
    with daemon() as connection:
        assert Instance(libvirtd.host, "guest").facts(connection)["state"] == "stopped"
    assert start(libvirtd, libvirtd.request()).actions() == ["start guest"]


def test_a_guest_is_asked_before_it_is_ended(libvirtd: Libvirtd) -> None:
    start(libvirtd, libvirtd.request(), libvirtd.request("deaf"))
    libvirtd.domains[0].obeys = True
    assert remove(libvirtd, powerdown_s=0.2) == {"guest": "powerdown", "deaf": "destroy"}


@pytest.mark.parametrize(("is_running", "word"), [(True, "running"), (False, "defined")])
def test_somebody_else_s_is_left_alone(libvirtd: Libvirtd, is_running: bool, word: str) -> None:
    theirs = libvirtd.somebody_s("guest", running=is_running)
    with pytest.raises(VirtperfError, match=rf"has a domain guest already.*UUID theirs, {word}"):
        plan(libvirtd, libvirtd.request())
    assert remove(libvirtd, "guest") == {}
    assert libvirtd.domains == [theirs]


def test_the_same_name_elsewhere(libvirtd: Libvirtd, monkeypatch: pytest.MonkeyPatch) -> None:
    start(libvirtd, libvirtd.request())
    domain = libvirtd.domains.pop()
    with pytest.raises(VirtperfError, match="libvirt does not know it"):
        plan(libvirtd, libvirtd.request())
    libvirtd.domains.append(domain)
    remove(libvirtd)
    monkeypatch.setattr(QemuInstance, "is_running", lambda instance: instance.name == "guest")
    with pytest.raises(VirtperfError, match="a VM of the module qemu_vm"):
        plan(libvirtd, libvirtd.request())


def test_refused_before_anything_is_touched(libvirtd: Libvirtd) -> None:
    good = libvirtd.request()
    for requests, message in (
        ([good, good], "two domains are named guest"),
        ([good, {**good, "name": "b", "credential_files": {"k": "/no/such"}}], "credential_files.k /no/such"),
        ([good, {**good, "name": "b", "xml": XML.replace("tap0", "tap9")}], "domain b: there is no interface tap9"),
        ([good, {**good, "name": "b", "disks": [{"target": "vda", "base": "/no/such"}]}], "/no/such cannot be used"),
    ):
        with pytest.raises(VirtperfError, match=message):
            plan(libvirtd, *requests)
    assert (libvirtd.domains, libvirtd.left()) == ([], [])


def test_the_accelerator_is_tried_once_and_kept(libvirtd: Libvirtd) -> None:
    libvirtd.lab.behave(kvm_says="error: failed to set MSR")
    made = start(libvirtd, libvirtd.request(accel="auto"), libvirtd.request("b", accel="auto"))
    assert made.actions()[0].startswith("start guest with tcg")
    assert len(made.warnings) == 1
    assert [domain.root.get("type") for domain in libvirtd.domains] == ["qemu", "qemu"]
    with daemon() as connection:
        facts = Instance(libvirtd.host, "b").facts(connection)
    assert (facts["accel"], bool(facts["accel_reason"])) == ("tcg", True)


def test_a_secret_is_in_a_file_of_ours_alone(libvirtd: Libvirtd) -> None:
    secret = libvirtd.directory / "host_key"
    secret.write_text("hunter2")
    start(libvirtd, libvirtd.request(credential_files={"ssh.host_key.ed25519": str(secret)}))
    (credential,) = Path(libvirtd.host.run).rglob("credential0")
    assert credential.read_text() == "io.systemd.credential.binary:ssh.host_key.ed25519=aHVudGVyMg=="
    assert stat.S_IMODE(credential.stat().st_mode) == 0o600
    assert stat.S_IMODE(credential.parent.stat().st_mode) == 0o700
    xml = libvirtd.domains[0].XMLDesc()
    assert f"type=11,path={credential}" in xml
    assert "aHVudGVyMg" not in xml


def test_a_start_that_libvirt_refuses(libvirtd: Libvirtd) -> None:
    libvirtd.refuses = "Could not set up host forwarding rule"
    with pytest.raises(VirtperfError, match="libvirt does not start domain guest") as caught:
        start(libvirtd, libvirtd.request())
    assert "forwarding rule" in str(caught.value)
    assert "qemu: starting" in caught.value.facts["log_end"]
    assert restore.replay(libvirtd.host).failures == []
    assert libvirtd.left() == ["restore.lock"]


def test_one_that_dies_at_once_and_what_was_started_with_it(libvirtd: Libvirtd) -> None:
    start(libvirtd, libvirtd.request("first"))
    libvirtd.dies = True
    with pytest.raises(VirtperfError, match="domain guest has ended right after its start") as caught:
        start(libvirtd, libvirtd.request("first"), libvirtd.request())
    assert "qemu: starting\n-- the guest's console:\nLinux version 6" in caught.value.facts["log_end"]
    assert [domain.name() for domain in libvirtd.domains] == ["first"]


def test_a_guest_that_never_says_so_is_stopped_again(libvirtd: Libvirtd) -> None:
    with pytest.raises(VirtperfError, match=r"guest: no 'ready' on the console in 0.1 s") as caught:
        start(libvirtd, libvirtd.request(), sign=Sign("ready", 0.1))
    assert caught.value.facts["not_ready"] == ["guest"]
    assert "Linux version 6" in caught.value.facts["log_end"]
    assert libvirtd.domains == []


def test_a_guest_that_dies_while_it_is_waited_for(libvirtd: Libvirtd, monkeypatch: pytest.MonkeyPatch) -> None:
    # The console's clock alone: qemu-img is waited for with the real one.
    clock = SimpleNamespace(monotonic=time.monotonic, sleep=lambda _s: libvirtd.end(libvirtd.domains[0]))
    monkeypatch.setattr(console, "time", clock)
    with pytest.raises(VirtperfError, match="domain guest has died") as caught:
        start(libvirtd, libvirtd.request(), sign=Sign("ready", 5))
    assert "Linux version 6" in str(caught.value)


def test_a_start_that_was_cut_short(libvirtd: Libvirtd) -> None:
    start(libvirtd, libvirtd.request())
    (identity,) = Path(libvirtd.host.run).rglob("process.json")
    identity.unlink()
    again = start(libvirtd, libvirtd.request(), sign=LINUX)
    assert again.actions() == ["stop guest (its start was cut short)", "start guest"]
    identity.unlink()
    assert remove(libvirtd) == {"guest": "destroy"}


class TestUndo:
    def test_by_libvirt(self, libvirtd: Libvirtd) -> None:
        start(libvirtd, libvirtd.request())
        start(libvirtd, libvirtd.request(xml=XML.replace("<vcpu>1", "<vcpu>2")))
        outcome = restore.replay(libvirtd.host)
        assert outcome.failures == []
        assert outcome.actions[0] == "stopped domain guest"
        assert (libvirtd.domains, libvirtd.left()) == ([], ["restore.lock"])

    def test_by_virsh_where_python_has_no_libvirt(self, libvirtd: Libvirtd, monkeypatch: pytest.MonkeyPatch) -> None:
        start(libvirtd, libvirtd.request())
        known = libvirtd.domains[0].UUIDString()
        called: list[list[str]] = []

        def run(command: list[str], **_: Any) -> None:
            called.append(command)
            libvirtd.end(libvirtd.domains[0])

        monkeypatch.setitem(sys.modules, "libvirt_qemu", None)
        monkeypatch.setattr(libvirt_domain, "available", lambda: False)
        monkeypatch.setattr(manager.shutil, "which", lambda _name: "/usr/bin/virsh")
        monkeypatch.setattr(manager.subprocess, "run", run)
        assert restore.replay(libvirtd.host).failures == []
        assert called == [["virsh", "-q", "-c", "qemu:///system", "destroy", known]]
        assert libvirtd.left() == ["restore.lock"]

    @pytest.mark.parametrize("error", [None, subprocess.TimeoutExpired("virsh", 60)])
    def test_without_a_libvirt_that_answers(
        self, libvirtd: Libvirtd, monkeypatch: pytest.MonkeyPatch, error: Exception | None
    ) -> None:
        start(libvirtd, libvirtd.request())
        libvirtd.there = False
        ended: list[int] = []

        def end(_host: object, identity: processes.Identity) -> str:
            ended.append(identity.pid)
            return "terminated"

        def run(*_: Any, **__: Any) -> None:
            assert error
            raise error

        monkeypatch.setattr(manager.processes, "end", end)
        if error:
            monkeypatch.setattr(libvirt_domain, "available", lambda: False)
            monkeypatch.setattr(manager.shutil, "which", lambda _name: "/usr/bin/virsh")
            monkeypatch.setattr(manager.subprocess, "run", run)
        pid = libvirtd.domains[0].pid
        assert restore.replay(libvirtd.host).failures == []
        assert ended == [pid]

    def test_of_one_that_is_gone_already(self, libvirtd: Libvirtd) -> None:
        start(libvirtd, libvirtd.request())
        libvirtd.end(libvirtd.domains[0])
        assert restore.replay(libvirtd.host).actions[0] == "removed the files of domain guest"
        assert manager.undo_domain(libvirtd.host, {"name": "guest", "uuid": "u", "uri": "x"}) == ""

    def test_a_log_that_was_there_before_stays(self, libvirtd: Libvirtd) -> None:
        (libvirtd.logs / "guest.log").write_text("of another day\n")
        start(libvirtd, libvirtd.request())
        remove(libvirtd)
        assert libvirtd.left() == ["guest.log"]

    def test_after_a_boot_overlays_tell_what_is_ours(self, libvirtd: Libvirtd) -> None:
        start(libvirtd, libvirtd.request())
        libvirtd.end(libvirtd.domains[0])
        manager.shutil.rmtree(libvirtd.host.run)
        assert names(libvirtd.host) == ["guest"]
        assert remove(libvirtd) == {}
        assert libvirtd.left() == []


def test_qemu_vm_does_not_take_them_for_its_own(libvirtd: Libvirtd) -> None:
    start(libvirtd, libvirtd.request())
    assert not qemu_manager.plan_absent(libvirtd.host, None)
