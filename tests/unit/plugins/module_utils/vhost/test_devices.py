# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which worker serves what: told where it follows for certain, and left open where it does not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.vhost import devices
from ansible_collections.virtperf.vhost.plugins.module_utils.vhost.devices import Devices, assign
from ansible_collections.virtperf.vhost.plugins.module_utils.vhost.netdevs import tap_backends
from ansible_collections.virtperf.vhost.tests.unit.fake_cgroups import FakeHost, fake_host

TAP0 = "tap,id=a,ifname=tap0,vhost=on"
TAP1 = "tap,id=b,ifname=tap1,vhost=on,queues=2"
OFF = "tap,id=c,ifname=tap2"
TAPS = ((3, "tap0"), (15, "tap1"), (21, "tap1"))
BOTH = [("net", "tap0"), ("net", "tap1"), ("net", "tap1")]


def served(count: int, vhost: str, taps: tuple[tuple[int, str], ...], *netdevs: str) -> list[tuple[str, str]]:
    backends = tap_backends([word for netdev in netdevs for word in ("-netdev", netdev)])
    found = assign(count, Devices(tuple(vhost.split()), taps), backends)
    return [(one.device, one.interface) for one in found]


@pytest.mark.parametrize(
    ("count", "vhost", "taps", "netdevs", "expected"),
    [
        (3, "net net net", TAPS, (TAP0, TAP1), BOTH),
        # Descriptors say nothing of the order; an interface without vhost has no worker.
        (3, "net net net", (*TAPS, (1, "tap2")), (OFF, TAP0, TAP1), BOTH),
        (4, "vsock net net net", TAPS, (TAP0, TAP1), [*BOTH, ("vsock", "")]),
        (5, "vsock scsi net net net", TAPS, (TAP0, TAP1), [*BOTH, ("", ""), ("", "")]),
        # By the descriptors that libvirt opened.
        (1, "net", ((31, "vnet7"),), ("tap,fd=31,id=a,vhost=on",), [("net", "vnet7")]),
        (1, "net", ((31, "vnet7"),), ("tap,fd=99,id=a,vhost=on",), [("net", "vnet7")]),
        (2, "net net", ((31, "vnet7"), (33, "vnet8")), ("tap,fd=99,vhost=on", "tap,fd=33,vhost=on"), [("net", "")] * 2),
        # macvtaps by the descriptors that QEMU was handed, between taps by name.
        (
            5,
            "net net net net net",
            ((3, "tap0"), (15, "tap9"), (100, "m1"), (101, "m1"), (102, "m2")),
            (
                "tap,id=m,fds=100:101,vhost=on,poll-us=50",
                TAP0,
                "tap,id=n,fd=102,vhost=on",
                "tap,id=o,ifname=tap9,vhost=on",
            ),
            [("net", "m1"), ("net", "m1"), ("net", "tap0"), ("net", "m2"), ("net", "tap9")],
        ),
        # Named by a pattern.
        (1, "net", ((3, "tap5"),), ("tap,id=a,ifname=tap%d,vhost=on",), [("net", "tap5")]),
        # One plugged in later, then two of them.
        (2, "net net", ((3, "tap0"), (9, "tap9")), (TAP0,), [("net", "tap0"), ("net", "tap9")]),
        (3, "net net net", ((3, "tap0"), (8, "tap8"), (9, "tap9")), (TAP0,), [BOTH[0], ("net", ""), ("net", "")]),
        (3, "net net vsock", ((3, "tap0"), (9, "tap9")), (TAP0,), [BOTH[0], ("", ""), ("", "")]),
        # One is just ending, or starting.
        (2, "net net net", TAPS, (TAP0, TAP1), [("net", "")] * 2),
        (1, "net net", ((3, "tap0"), (4, "tap0")), (TAP0,), [("net", "tap0")]),
        (1, "net vsock", ((3, "tap0"),), (TAP0,), [("", "")]),
        # QEMU went on without vhost.
        (1, "net", TAPS, (TAP0, TAP1), [("net", "")]),
        (0, "", (), (), []),
    ],
)
def test_assigned(
    count: int,
    vhost: str,
    taps: tuple[tuple[int, str], ...],
    netdevs: tuple[str, ...],
    expected: list[tuple[str, str]],
) -> None:
    assert served(count, vhost, taps, *netdevs) == expected


def test_nothing_is_known_of_what_may_not_be_read() -> None:
    assert [one.device for one in assign(2, None, [])] == ["", ""]


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeHost:
    host = fake_host(tmp_path, monkeypatch)
    host.kernel.qemu(100, "a", "/", [])
    return host


def test_what_a_process_has_open(host: FakeHost) -> None:
    kernel = host.kernel
    kernel.tap(100, 30, "tap0")
    kernel.opens(100, 4, "/dev/tap12")
    kernel.opens(100, 5, "/dev/tap13")
    kernel.opens(100, 6, "/dev/vhost-vsock")
    kernel.opens(100, 7, "/dev/net/tun")
    kernel.opens(100, 8, "socket:[1]")
    kernel.put("sys/class/net/macvtap0/ifindex", "12")
    found = devices.look(host, 100)
    assert found == Devices(("vsock", "net"), ((4, "macvtap0"), (30, "tap0")))
    assert found.interfaces() == ["macvtap0", "tap0"]
    assert devices.look(host, 999) == Devices((), ())


def test_without_root(host: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: str) -> list[str]:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(os, "listdir", refuse)
    assert devices.look(Host(host.proc), 100) is None
