# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is refused before a launch, each by its name."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.qemu import accel, checks, macvtap
from ansible_collections.virtperf.vhost.plugins.module_utils.qemu.definition import Definition
from ansible_collections.virtperf.vhost.tests.unit.plugins.module_utils.qemu.fake_qemu import Lab, installed


@pytest.fixture
def lab(monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    with installed(monkeypatch) as lab:
        yield lab


def launch(lab: Lab, replaced: Definition | None = None, **more: Any) -> None:
    checks.check_launch(lab.host, lab.vm(**more), accel.find(), replaced)


def refusal(lab: Lab, **more: Any) -> str:
    with pytest.raises(VirtperfError) as caught:
        launch(lab, **more)
    return str(caught.value)


class TestSockets:
    def test_served(self, lab: Lab) -> None:
        launch(lab, vhost_user=[{"socket": lab.serve("a b,c;'.sock")}])

    def test_missing(self, lab: Lab) -> None:
        path = str(lab.directory / "none")
        text = refusal(lab, vhost_user=[{"socket": path}])
        assert f"nobody serves the vhost-user socket {path}" in text

    def test_stale(self, lab: Lab) -> None:
        path = lab.serve()
        lab.listeners[0].close()
        assert "that nobody listens on" in refusal(lab, vhost_user=[{"socket": path}])

    def test_served_by_a_link_s_name(self, lab: Lab) -> None:
        link = lab.directory / "link"
        link.symlink_to(lab.serve())
        launch(lab, vhost_user=[{"socket": str(link)}])

    def test_ours_may_not_be_another_s(self, lab: Lab) -> None:
        ports = [{"socket": lab.serve(), "role": "server"}]
        assert "another process listens there" in refusal(lab, vhost_user=ports)
        launch(lab, replaced=lab.vm(vhost_user=ports), vhost_user=ports)

    def test_a_file_is_not_replaced(self, lab: Lab) -> None:
        assert "no socket" in refusal(lab, vhost_user=[{"socket": lab.base(), "role": "server"}])

    def test_a_socket_that_was_left_behind_is(self, lab: Lab) -> None:
        path = lab.serve()
        lab.listeners[0].close()
        launch(lab, vhost_user=[{"socket": path, "role": "server"}])

    def test_no_directory(self, lab: Lab) -> None:
        assert "no directory /none" in refusal(lab, vhost_user=[{"socket": "/none/v.sock", "role": "server"}])


class TestTaps:
    def interface(self, lab: Lab, flags: str = "") -> None:
        directory = lab.directory / "sys/class/net/tap0"
        directory.mkdir(parents=True)
        if flags:
            (directory / "tun_flags").write_text(flags)

    def test_none_of_that_name(self, lab: Lab) -> None:
        launch(lab, taps=[{"ifname": "tap0", "vhost": False}])

    def test_another_kind(self, lab: Lab) -> None:
        self.interface(lab)
        assert "tap0 is not a tap" in refusal(lab, taps=[{"ifname": "tap0", "vhost": False}])

    @pytest.mark.parametrize(("flags", "queues", "way_out"), [
        ("0x1002", 2, "mode tap multi_queue"), ("0x1102", 1, "mode tap"), ("0x1002", 1, ""), ("0x1102", 2, ""),
    ])  # fmt: skip
    def test_queues(self, lab: Lab, flags: str, queues: int, way_out: str) -> None:
        self.interface(lab, flags)
        taps = [{"ifname": "tap0", "vhost": False, "queues": queues}]
        if way_out:
            assert way_out in refusal(lab, taps=taps)
        else:
            launch(lab, taps=taps)

    def test_no_vhost_net(self, lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
        exists = os.path.exists
        monkeypatch.setattr(os.path, "exists", lambda path: path != "/dev/vhost-net" and exists(path))
        assert "modprobe vhost_net" in refusal(lab, taps=[{"ifname": "tap0"}])


class TestMacvtaps:
    MAC = "52:54:00:00:00:01"

    @pytest.fixture(autouse=True)
    def device(self, lab: Lab, monkeypatch: pytest.MonkeyPatch) -> Path:
        """macvtap m0 is interface 7."""
        monkeypatch.setattr(macvtap, "_DEVICES", str(lab.directory))
        interface = lab.directory / "sys/class/net/m0"
        (interface / "tap7").mkdir(parents=True)
        (interface / "ifindex").write_text("7\n")
        (interface / "address").write_text(f"{self.MAC}\n")
        device = lab.directory / "tap7"
        device.touch()
        return device

    def tap(self, **changes: Any) -> dict[str, Any]:
        return {"ifname": "m0", "macvtap": True, "vhost": False, "mac": self.MAC, **changes}

    def test_one_that_is_there(self, lab: Lab) -> None:
        launch(lab, taps=[self.tap()])
        launch(lab, taps=[self.tap(queues=2)])

    def test_none_of_that_name(self, lab: Lab) -> None:
        assert "m1 is not a macvtap (found: no such interface" in refusal(lab, taps=[self.tap(ifname="m1")])

    def test_another_kind(self, lab: Lab) -> None:
        tap = lab.directory / "sys/class/net/tap0"
        tap.mkdir()
        assert "an interface of another kind" in refusal(lab, taps=[self.tap(ifname="tap0")])
        (tap / "tun_flags").write_text("0x1002")
        text = refusal(lab, taps=[self.tap(ifname="tap0")])
        assert "found: a tap" in text
        assert "kind: macvtap" in text

    def test_taken_for_a_tap(self, lab: Lab) -> None:
        text = refusal(lab, taps=[self.tap(macvtap=False)])
        assert "m0 is not a tap interface (found: a macvtap)" in text
        assert "macvtap: true" in text

    def test_without_a_device(self, lab: Lab, device: Path) -> None:
        device.unlink()
        assert f"no {device}" in refusal(lab, taps=[self.tap()])

    @pytest.mark.parametrize("mac", ["", "52:54:00:00:00:02"])
    def test_not_the_guest_s_mac(self, lab: Lab, mac: str) -> None:
        text = refusal(lab, taps=[self.tap(mac=mac)])
        assert f"its MAC address is {self.MAC}, the guest's is {mac or '52:54:00'}" in text
        assert f"Way out: mac: {self.MAC}" in text

    def test_no_vhost_net(self, lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
        exists = os.path.exists
        monkeypatch.setattr(os.path, "exists", lambda path: path != "/dev/vhost-net" and exists(path))
        assert "modprobe vhost_net" in refusal(lab, taps=[self.tap(vhost=True)])


def test_a_port_of_the_loopback_that_is_taken(lab: Lab) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        net = {"user_net": {"forwards": [{"host_port": port}]}}
        assert f"cannot forward port {port}" in refusal(lab, **net)
        launch(lab, replaced=lab.vm(**net), **net)


def test_a_property_that_this_qemu_lacks(lab: Lab) -> None:
    ports = [{"socket": lab.serve(), "virtio": {"mrg_rxbuff": True}}]
    assert "near it are mrg_rxbuf" in refusal(lab, vhost_user=ports)


@pytest.mark.parametrize("key", ["kernel", "initrd"])
def test_a_file_that_is_missing(lab: Lab, key: str) -> None:
    files = {"kernel": lab.base(), key: "/no/such file;"}
    assert f"{key} /no/such file;" in refusal(lab, **files)


def test_a_node_that_is_missing(lab: Lab) -> None:
    text = refusal(lab, memory={"size": "64MiB", "share": True, "nodes": [0, 7]})
    assert "no NUMA node 7" in text
    assert "online are [0]" in text


class TestTogether:
    def refusal(self, *wanted: Definition, others: tuple[Definition, ...] = ()) -> str:
        with pytest.raises(VirtperfError) as caught:
            checks.check_together(wanted, others)
        return str(caught.value)

    def test_names(self, lab: Lab) -> None:
        assert "two VMs are named guest" in self.refusal(lab.vm(), lab.vm())

    @pytest.mark.parametrize("shared", [
        {"vhost_user": [{"socket": "/v.sock"}]}, {"taps": [{"ifname": "tap0"}]},
        {"user_net": {"forwards": [{"host_port": 2222}]}},
    ])  # fmt: skip
    def test_what_only_one_can_have(self, lab: Lab, shared: dict[str, Any]) -> None:
        assert "VM a has it" in self.refusal(lab.vm("a", **shared), lab.vm("b", **shared))
        assert "VM a has it" in self.refusal(lab.vm("b", **shared), others=(lab.vm("a", **shared),))
        checks.check_together([lab.vm("a", **shared)], [])


class TestHugepages:
    @pytest.fixture
    def host(self, lab: Lab) -> Host:
        """100 pages of 2 MiB, mounted at <lab>/huge."""
        (lab.directory / "huge").mkdir()
        proc = lab.directory / "proc"
        (proc / "self").mkdir(parents=True)
        mounts = f"none / ext4 rw 0 0\nx {lab.directory}/huge hugetlbfs rw,pagesize=2M 0 0\n"
        (proc / "self/mounts").write_text(mounts)
        for base in ("kernel/mm", "devices/system/node/node0"):
            pool = lab.directory / "sys" / base / "hugepages/hugepages-2048kB"
            pool.mkdir(parents=True)
            for name, value in (("nr", 120), ("free", 110), ("surplus", 0), ("resv", 10)):
                (pool / f"{name}_hugepages").write_text(str(value))
        return Host(proc=str(proc), sys=lab.host.sys, run=lab.host.run, state=lab.host.state)

    def vm(self, lab: Lab, size: str, name: str = "guest", **more: Any) -> Definition:
        return lab.vm(name, memory={"size": size, "huge_path": str(lab.directory / "huge"), **more})

    def test_enough_for_all_together(self, lab: Lab, host: Host) -> None:
        checks.check_hugepages(host, [self.vm(lab, "100MiB", "a"), self.vm(lab, "100MiB", "b")], [])
        checks.check_hugepages(host, [self.vm(lab, "200MiB", nodes=[0])], [])

    def test_promised_pages_are_not_free(self, lab: Lab, host: Host) -> None:
        with pytest.raises(VirtperfError, match=r"202\.0 MiB of hugepages are needed.*a, b.*200\.0 MiB free"):
            checks.check_hugepages(host, [self.vm(lab, "100MiB", "a"), self.vm(lab, "102MiB", "b")], [])

    def test_whole_pages(self, lab: Lab, host: Host) -> None:
        with pytest.raises(VirtperfError, match="not a whole number of pages"):
            checks.check_hugepages(host, [self.vm(lab, "63MiB")], [])

    def test_something_else_is_mounted_there(self, lab: Lab, host: Host) -> None:
        (Path(host.proc) / "self/mounts").write_text("none / ext4 rw 0 0\n")
        with pytest.raises(VirtperfError, match="ext4 mounted at /"):
            checks.check_hugepages(host, [self.vm(lab, "64MiB")], [])


def test_both_halves_of_a_host_key_for_cloud_init(lab: Lab) -> None:
    key = lab.directory / "key"
    told = {"hostname": "guest", "host_key_file": str(key)}
    for path in (key, key.with_suffix(".pub")):
        assert f"cloud_init.host_key_file {path} cannot be read" in refusal(lab, cloud_init=told)
        path.touch()
    launch(lab, cloud_init=told)
