# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The far end in a real guest behind a real vhost-user port: DPDK on either uio module, and the kernel's own driver."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bench
import pytest
from calls import call

sys.path.insert(0, str(bench.CHECKOUT / ".venv/collections"))

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.far_end.connection import Connection, RemoteEnd
from ansible_collections.virtperf.vhost.plugins.module_utils.guest_access.keys import Keys
from ansible_collections.virtperf.vhost.plugins.module_utils.guest_access.ssh import Access, wait
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.qemu.definition import derived_mac

HUGE = "/run/virtperf/hugepages"
SOCKET = "/run/virtperf/vswitch.sock"
NAME = "far-end"
# Behind the user network, which is the first.
PORT = "0000:00:11.0"
NETWORK = "[Match]\nMACAddress={mac}\n[Network]\nAddress=10.0.2.15/24\nLinkLocalAddressing=no\n"
DRIVERS = ("uio_pci_generic", "igb_uio", "virtio-net")


@dataclass
class Lab:
    """A vswitch, a guest behind it, and the agent in the guest."""

    access: Access
    connection: Connection
    pid: int

    def far_end(self, driver: str, name: str) -> RemoteEnd:
        """Ready to send, or sending back."""
        self.connection.call("bind", addresses=[PORT], driver=driver)
        definition: dict[str, Any] = {"name": name, "ports": [{"device": PORT}], "cpus": [1]}
        if driver == "virtio-net":
            self.connection.call("end", kind="kernel", definition=definition)
        else:
            dpdk = {"main_cpu": 0, "huge_dir": "/dev/hugepages", "memory_mib": 96, "mbufs": 4096}
            mode = {"forward_mode": "flowgen"} if name == "generator" else {"forwarding": True}
            self.connection.call("end", kind="testpmd", definition={**definition, **dpdk, **mode})
        return RemoteEnd(self.connection, name)


def vswitch(**more: Any) -> None:
    """Have it serve the socket, with one core."""
    port = {"device": "net_vhost0", "options": {"iface": SOCKET, "queues": 1}}
    instance = {"name": "vswitch", "cpus": [0], "huge_dir": HUGE, "ports": [port], **more}
    done = call("testpmd", {"instances": [instance]})
    assert not done.get("failed"), done


def vm(image: dict[str, str], keys: Keys, port: int) -> dict[str, Any]:
    """The definition of the guest."""
    return {
        "name": NAME,
        "vcpus": 2,
        "accel": "tcg",
        "memory": {"size": "768MiB", "huge_path": HUGE, "share": True},
        "disks": [{"base": image["path"], "cache": "unsafe"}],
        "kernel": image["kernel"],
        "initrd": image["initrd"],
        "append": image["command_line"],
        "vhost_user": [{"socket": SOCKET}],
        "user_net": {"forwards": [{"host_port": port, "guest_port": 22}]},
        "credentials": {
            "network.network.05-lab": NETWORK.format(mac=derived_mac(NAME, "user0")),
            "ssh.authorized_keys.root": keys.public_key(),
        },
        "credential_files": {"ssh.host_key.ed25519": keys.host_key_path(NAME)},
    }


@pytest.fixture(scope="module")
def lab(image: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """One for all tests here: a boot takes longer than they do."""
    assert shutil.which("dpdk-testpmd"), "apt-get install dpdk-dev"
    before = bench.machine()
    # ssh has to take any name of a file.
    keys = Keys(Host(state=str(tmp_path_factory.mktemp('it\'s a "50 %"; place'))), "test")
    keys.ensure([NAME])
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    try:
        pools = [{"size": "2M", "count": 470, "count_means": "free"}]
        given = call("hugepages", {"pools": pools, "mounts": [{"path": HUGE, "size": "2M"}]})
        assert not given.get("failed"), given
        vswitch(forwarding=True)
        started = call("qemu_vm", {"vms": [vm(image, keys, port)], "ready_when": {"console": "virtperf: ready"}})
        assert not started.get("failed"), started
        pid = started["vms"][0]["pid"]
        access = Access(NAME, port, keys.identity_path, keys.known_hosts_path)
        wait(access, 30, lambda: Path(f"/proc/{pid}").exists())
        with Connection(access) as connection:
            connection.call("hugepages", count=64)
            yield Lab(access, connection, pid)
    finally:
        restored = call("restore", {})
    assert not restored.get("failed"), restored
    assert bench.machine() == before


def rates(end: RemoteEnd, seconds: float) -> tuple[float, float, float, float]:
    """Packets/s in and out, and bytes a packet in and out."""
    first = last = end.counters()
    while last.at_s < first.at_s + seconds:
        time.sleep(0.02)
        last = end.counters()
    took_s = last.at_s - first.at_s
    assert seconds <= took_s < seconds + 1
    received, sent = last.rx_packets - first.rx_packets, last.tx_packets - first.tx_packets
    assert received > 0
    assert sent > 0
    in_bytes = (last.rx_bytes - first.rx_bytes) / received
    out_bytes = (last.tx_bytes - first.tx_bytes) / sent
    return received / took_s, sent / took_s, in_bytes, out_bytes


@pytest.mark.parametrize("driver", DRIVERS)
def test_it_makes_packets_that_come_back(lab: Lab, driver: str) -> None:
    vswitch(forwarding=True)
    end = lab.far_end(driver, "generator")
    setup = end.setup()
    assert (setup["driver"], setup["rx_queues"], setup["tx_queues"]) == (driver, 1, 1)
    assert (setup["link_up"], setup["cpus"]) == (True, [1])
    # QEMU's default: 256, and 1024 from 10.0.13 on.
    assert setup["ring_sizes"] in ([256], [1024])
    for size in (64, 1024):
        end.offer(size, forwarding=False)
        end.offer(size, forwarding=True)
        time.sleep(0.2)
        received, sent, in_bytes, out_bytes = rates(end, 0.5)
        print(f"{driver} {size}: {received / 1e6:.2f} Mpps back of {sent / 1e6:.2f} sent")
        assert (in_bytes, out_bytes) == (pytest.approx(size - 4, abs=0.5), pytest.approx(size - 4, abs=0.5))
    used = end.cpu_seconds()
    time.sleep(0.3)
    assert any(end.cpu_seconds()[thread] > seconds for thread, seconds in used.items())
    end.offer(64, forwarding=False)
    time.sleep(0.2)
    still = end.counters()
    time.sleep(0.2)
    assert end.counters().tx_packets == still.tx_packets
    assert end.is_running()
    assert end.stop()
    assert not end.is_running()


@pytest.mark.parametrize("driver", ["uio_pci_generic", "virtio-net"])
def test_it_sends_back_what_comes(lab: Lab, driver: str) -> None:
    end = lab.far_end(driver, "reflector")
    vswitch(forward_mode="flowgen", packet_size=128, forwarding=True)
    time.sleep(0.2)
    received, sent, in_bytes, out_bytes = rates(end, 0.5)
    print(f"{driver}: {received / 1e6:.2f} Mpps came, {sent / 1e6:.2f} sent back")
    assert (in_bytes, out_bytes) == (pytest.approx(124, abs=0.5), pytest.approx(124, abs=0.5))
    vswitch(forwarding=False)
    end.stop()


def test_it_answers_while_packets_move(lab: Lab) -> None:
    vswitch(forwarding=True)
    end = lab.far_end("uio_pci_generic", "generator")
    end.offer(64, forwarding=True)
    waited = sorted(end.counters().waited_s for _reading in range(50))
    print(f"a reading takes {waited[25] * 1e3:.1f} ms, 9 of 10 at most {waited[45] * 1e3:.1f} ms")
    assert waited[25] < 0.2, "this machine may be busy with other things"
    end.stop()


def test_what_went_wrong_in_the_guest_is_told_here(lab: Lab) -> None:
    with pytest.raises(VirtperfError, match=rf"in guest {NAME}: nothing was touched") as caught:
        lab.connection.call("bind", addresses=["0000:00:10.0"], driver="uio_pci_generic")
    assert "SSH" in caught.value.what
    assert lab.connection.call("bind", addresses=[PORT], driver="virtio-net")["devices"]


def test_a_wrong_host_key_is_no_way_in(lab: Lab, tmp_path: Path) -> None:
    known = tmp_path / "known_hosts"
    known.write_text("")
    stranger = Access(NAME, lab.access.port, lab.access.identity, str(known))
    with pytest.raises(VirtperfError, match="Host key verification failed"):
        wait(stranger, 3, lambda: True)


def test_a_guest_that_dies_in_the_middle_is_told_at_once(lab: Lab) -> None:
    """The last: there is no guest after it."""
    end = lab.far_end("uio_pci_generic", "generator")
    end.offer(64, forwarding=True)
    died_s: list[float] = []

    def kill() -> None:
        died_s.append(time.monotonic())
        os.kill(lab.pid, signal.SIGKILL)

    threading.Timer(0.3, kill).start()
    with pytest.raises(VirtperfError, match=f"guest {NAME} does not answer") as caught:
        rates(end, 10)
    assert time.monotonic() - died_s[0] < 2
    assert caught.value.facts["guest"] == NAME
    assert not end.is_running()
    assert end.log() == end.stop() == ""
    assert "does not answer" in str(end.died())
