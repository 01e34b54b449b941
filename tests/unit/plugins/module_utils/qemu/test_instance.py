# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One VM: it starts, is ready or is not, dies, hangs and ends."""

from __future__ import annotations

import os
import signal
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.qemu import accel, disks, macvtap
from ansible_collections.virtperf.vhost.plugins.module_utils.qemu import instance as instance_module
from ansible_collections.virtperf.vhost.plugins.module_utils.qemu.instance import PAUSED, Instance, Limits, names
from ansible_collections.virtperf.vhost.tests.unit.plugins.module_utils.qemu.fake_qemu import Lab, installed


@pytest.fixture
def lab(monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    monkeypatch.setattr(instance_module, "_ANSWER_PATIENCE_S", 0.5)
    with installed(monkeypatch) as lab:
        yield lab


def start(lab: Lab, ready_s: float = 10, **more: Any) -> Instance:
    vm = lab.vm(**more)
    instance = Instance(lab.host, vm.name)
    overlays = disks.plan_overlays(lab.host, vm)
    instance.start(vm, accel.find(), accel.Accelerator("tcg", "tcg"), overlays, ready_s)
    return instance


def refusal(lab: Lab, **more: Any) -> VirtperfError:
    with pytest.raises(VirtperfError) as caught:
        start(lab, **more)
    assert lab.running() == []
    return caught.value


class TestStart:
    def test_it_waits_for_its_cont_and_can_be_found_again_by_name(self, lab: Lab) -> None:
        instance = start(lab)
        assert names(lab.host) == ["guest"]
        assert Instance(lab.host, "guest").definition() == lab.vm()
        assert instance.observe().state == "paused"
        assert stat.S_IMODE(os.stat(instance.qmp_path).st_mode) == 0o600
        facts = instance.facts()
        # A script's line starts with its interpreter.
        assert Path(f"/proc/{lab.pid()}/cmdline").read_text().split("\0")[2:-1] == facts["command"]
        assert (facts["accel"], facts["qemu_version"]) == ("tcg", "10.0.2")

    def test_credentials_go_by_private_files(self, lab: Lab) -> None:
        secret = lab.directory / "secret"
        secret.write_bytes(b"\xff\n")
        instance = start(lab, credentials={"b": "text"}, credential_files={"a": str(secret)})
        files = [Path(instance.directory, f"credential{number}") for number in (0, 1)]
        assert [file.read_text() for file in files] == [
            "io.systemd.credential.binary:a=/wo=",
            "io.systemd.credential.binary:b=dGV4dA==",
        ]
        assert all(stat.S_IMODE(file.stat().st_mode) == 0o600 for file in files)

    def test_a_seed_is_written_anew_and_goes_with_it(self, lab: Lab) -> None:
        instance = start(lab, cloud_init={"hostname": "old"})
        instance.stop(Limits(powerdown_s=0))
        instance = start(lab, cloud_init={"hostname": "new"})
        seed = Path(instance.directory, "seed")
        assert "new" in (seed / "meta-data").read_text()
        assert {stat.S_IMODE(path.stat().st_mode) for path in seed.iterdir()} == {0o600}
        assert stat.S_IMODE(seed.stat().st_mode) == 0o700
        instance.stop(Limits(powerdown_s=0))
        instance.forget()
        assert not seed.exists()

    def test_a_port_is_connected_with_its_queues(self, lab: Lab) -> None:
        port = start(lab, vhost_user=[{"socket": lab.serve(), "queues": 2}]).facts()["ports"][0]
        assert (port["kind"], port["connected"], port["queues"]) == ("vhost-user", True, 2)

    def test_fewer_queues_than_asked_for(self, lab: Lab) -> None:
        lab.behave(guest={"queues": 1})
        error = refusal(lab, vhost_user=[{"socket": lab.serve(), "queues": 2}])
        assert "1 of 2" in str(error)

    def test_macvtaps_are_handed_over_open_and_nothing_else_is(self, lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(macvtap, "_DEVICES", str(lab.directory))
        for number in (7, 8):
            interface = lab.directory / f"sys/class/net/m{number}"
            (interface / f"tap{number}").mkdir(parents=True)
            (interface / "ifindex").write_text(f"{number}\n")
            (lab.directory / f"tap{number}").touch()
        taps = [{"ifname": "t0"}, {"ifname": "m7", "macvtap": True, "queues": 2}, {"ifname": "m8", "macvtap": True}]
        instance = start(lab, taps=taps)
        facts = instance.facts()
        assert [(port["kind"], port["queues"]) for port in facts["ports"]] == [
            ("tap", 1),
            ("macvtap", 2),
            ("macvtap", 1),
        ]
        assert [word for word in facts["command"] if word.startswith("tap,") and ",fd" in word] == [
            "tap,id=net-tap1,fds=100:101,vhost=on",
            "tap,id=net-tap2,fd=102,vhost=on",
        ]
        opened = {fd.name: os.readlink(fd) for fd in Path(f"/proc/{lab.pid()}/fd").iterdir()}
        devices = [str(lab.directory / f"tap{number}") for number in (7, 7, 8)]
        assert [opened[fd] for fd in ("100", "101", "102")] == devices
        assert [target for target in opened.values() if "/tap" in target] == devices
        assert not [fd for fd in os.listdir("/proc/self/fd") if fd in ("100", "101", "102")], "ours are closed again"

    def test_a_macvtap_that_went_away(self, lab: Lab) -> None:
        error = refusal(lab, taps=[{"ifname": "m7", "macvtap": True}])
        assert "VM guest: the macvtap m7 cannot be opened (found: it has no device" in str(error)

    def test_a_death_is_told_with_the_end_of_the_log(self, lab: Lab) -> None:
        lab.behave(guest={"dies_at_start": True})
        error = refusal(lab)
        assert "ended at its start with status 1" in str(error)
        assert "invalid option" in error.facts["log_end"]

    def test_a_crash_is_told_by_its_signal(self, lab: Lab) -> None:
        lab.behave(guest={"crashes_at_start": True})
        assert "signal SIGSEGV" in str(refusal(lab))

    def test_a_socket_at_which_nobody_comes_is_named(self, lab: Lab) -> None:
        served, path = lab.serve(), str(lab.directory / "a b,c;'.sock")
        error = refusal(lab, ready_s=0.5, vhost_user=[{"socket": served}, {"socket": path, "role": "server"}])
        assert error.facts["sockets"] == [path]
        assert path in error.what
        assert not os.path.lexists(path), "its own socket goes with it"

    def test_silence_is_told_with_the_console(self, lab: Lab) -> None:
        lab.behave(guest={"silent": True})
        error = refusal(lab, ready_s=0.3)
        assert "QMP does not answer" in error.what
        assert "SeaBIOS" in error.facts["log_end"]


class TestStop:
    @pytest.mark.parametrize(
        ("behaviour", "limits", "how"),
        [
            ({"obeys": True}, Limits(5, 5, 5), "powerdown"),
            ({}, Limits(0.2, 5, 5), "quit"),
            ({"obeys": True}, Limits(0, 5, 5), "quit"),
            ({"hangs": True}, Limits(0.2, 0.2, 5), "kill"),
        ],
    )
    def test_each_way_has_its_limit(self, lab: Lab, behaviour: dict[str, Any], limits: Limits, how: str) -> None:
        lab.behave(guest=behaviour)
        instance = start(lab)
        instance.tell("cont", frozenset({"running"}))
        assert instance.stop(limits) == how
        assert instance.stop(limits) == ""
        assert instance.observe().state == "stopped"

    def test_cpus_that_stand_still_see_no_button(self, lab: Lab) -> None:
        instance = start(lab)
        begun_s = time.monotonic()
        assert instance.stop(Limits(30, 5, 5)) == "quit"
        assert time.monotonic() - begun_s < 10

    def test_what_does_not_answer_is_killed(self, lab: Lab) -> None:
        instance = start(lab)
        os.kill(lab.pid(), signal.SIGSTOP)
        assert instance.observe().status == "silent"
        assert instance.stop(Limits(0.2, 0.2, 5)) == "kill"

    def test_nothing_is_left(self, lab: Lab) -> None:
        instance = start(lab)
        instance.stop(Limits(0))
        instance.forget()
        assert names(lab.host) == []


def test_a_stop_or_cont_that_does_nothing_is_told(lab: Lab) -> None:
    lab.behave(guest={"stuck": True})
    instance = start(lab)
    with pytest.raises(VirtperfError, match="'cont' did not work"):
        instance.tell("cont", frozenset({"running"}))
    instance.tell("stop", PAUSED)


def test_a_lost_port_is_waited_for(lab: Lab) -> None:
    vm = lab.vm(vhost_user=[{"socket": lab.serve()}])
    instance = start(lab, vhost_user=[{"socket": vm.vhost_user[0].socket}])
    instance.wait_connected(vm, 0)
    peer, _address = lab.listeners[0].accept()
    peer.close()
    with pytest.raises(VirtperfError, match=r"nobody is at the other end of .*v\.sock after 0\.1 s"):
        instance.wait_connected(vm, 0.1)


@pytest.mark.parametrize("text", ["", "{", "[]", "7", '{"pid": 1}', '{"name": "x"}'])
def test_files_of_another_version_are_none(lab: Lab, text: str) -> None:
    instance = Instance(lab.host, "guest")
    lab.host.private_directory(instance.directory)
    for name in ("process.json", "definition.json", "launch.json"):
        Path(instance.directory, name).write_text(text)
    assert instance.identity() is None
    assert instance.definition() is None
    assert instance.facts()["state"] == "stopped"
