# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An interface's counters, queues, rings, link and interrupts."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.kernel_net.interface import (
    Ethtool,
    Interface,
    devices,
    interrupts,
    read_counters,
)
from ansible_collections.virtperf.vhost.tests.unit.plugins.module_utils.kernel_net.fake_kernel import (
    INTERRUPTS,
    NET_DEV,
    FakeEthtool,
    Kernel,
    build,
    write,
)


@pytest.fixture
def kernel(tmp_path: Path) -> Kernel:
    return build(tmp_path)


@pytest.fixture
def ethtool(kernel: Kernel) -> FakeEthtool:
    return FakeEthtool(kernel)


@pytest.fixture
def eth1(kernel: Kernel, ethtool: FakeEthtool) -> Iterator[Interface]:
    """Whatever a test does to it can be put back."""
    before = [kernel.read(f"{kernel.proc}/irq/{number}/smp_affinity_list") for number in range(31, 35)]
    interface = Interface(kernel, "eth1", ethtool)
    yield interface
    interface.restore()
    assert interface.queues() == (2, 2)
    assert kernel.read(f"{interface.folder}/flags") == "0x1002"
    assert kernel.read(f"{kernel.proc}/sys/net/ipv6/conf/eth1/disable_ipv6") == "0"
    assert before == [kernel.read(f"{kernel.proc}/irq/{number}/smp_affinity_list") for number in range(31, 35)]


class TestParsers:
    def test_the_counters_of_each_interface(self) -> None:
        found = devices(NET_DEV)
        assert list(found) == ["lo", "eth1", "eth2"]
        assert found["eth2"][:2] == (12345678901, 30)
        assert len(found["eth1"]) == 16

    def test_interrupts_by_name(self) -> None:
        found = interrupts(INTERRUPTS)
        assert (found["virtio3-input.1"], found["timer"]) == ("33", "0")
        assert "interrupts" not in found

    @given(st.text())
    def test_any_text(self, text: str) -> None:
        assert all(len(numbers) == 16 for numbers in devices(text).values())
        assert all(number.isdigit() for number in interrupts(text).values())

    @given(st.text(st.characters(categories=["L", "N"]), min_size=1), st.tuples(*[st.integers(0, 1 << 64)] * 16))
    def test_any_counters(self, name: str, numbers: tuple[int, ...]) -> None:
        assert devices(f"{name}: {' '.join(map(str, numbers))}\n") == {name: numbers}


class TestCounters:
    def test_of_one(self, kernel: Kernel) -> None:
        counters = read_counters(kernel, ["eth1"])
        assert (counters.rx_packets, counters.rx_bytes, counters.rx_missed) == (100, 6000, 2)
        assert (counters.tx_packets, counters.tx_bytes, counters.tx_errors) == (200, 12000, 7)

    def test_of_two_together(self, kernel: Kernel) -> None:
        assert read_counters(kernel, ["eth1", "eth2"]).rx_bytes == 12345684901

    def test_of_one_that_is_gone(self, kernel: Kernel) -> None:
        with pytest.raises(VirtperfError, match="no interface eth7 any more"):
            read_counters(kernel, ["eth1", "eth7"])


class TestWhatItSays:
    def test_queues_and_rings(self, eth1: Interface, ethtool: FakeEthtool) -> None:
        assert eth1.queues() == (2, 2)
        assert eth1.rings() == [256, 512]
        ethtool.knows = False
        assert eth1.rings() == []

    def test_link(self, eth1: Interface, kernel: Kernel) -> None:
        assert eth1.link() == (True, None)
        write(kernel.sys, "class/net/eth1/speed", "100000\n")
        write(kernel.sys, "class/net/eth1/carrier", "0\n")
        assert eth1.link() == (False, 100000)

    def test_its_own_interrupts(self, eth1: Interface) -> None:
        assert eth1.interrupts()["input.1"] == "33"
        assert len(eth1.interrupts()) == 5


class TestChanges:
    def test_queues(self, eth1: Interface) -> None:
        eth1.use_queues(1)
        assert eth1.queues() == (1, 1)

    def test_more_queues_than_there_are(self, eth1: Interface, ethtool: FakeEthtool) -> None:
        with pytest.raises(VirtperfError, match="eth1 cannot have 3 queues"):
            eth1.use_queues(3)
        ethtool.knows = False
        with pytest.raises(VirtperfError, match="eth1 cannot have 2 queues"):
            eth1.use_queues(2)
        eth1.use_queues(1)

    def test_a_driver_that_does_not_do_it(self, eth1: Interface, ethtool: FakeEthtool) -> None:
        ethtool.deaf = True
        with pytest.raises(VirtperfError, match="was to have 1 queues") as caught:
            eth1.use_queues(1)
        assert caught.value.found == "2"
        ethtool.deaf = False

    def test_up_and_quiet(self, eth1: Interface, kernel: Kernel) -> None:
        eth1.bring_up()
        assert kernel.read(f"{eth1.folder}/flags") == "0x1003"
        written = [path for path, _value in kernel.written]
        assert written == ["/sys/net/ipv6/conf/eth1/disable_ipv6", "/class/net/eth1/flags"]

    def test_interrupts_of_each_queue_on_its_cpu(self, eth1: Interface, kernel: Kernel) -> None:
        eth1.send_interrupts_to([1, 0])
        found = [kernel.read(f"{kernel.proc}/irq/{number}/smp_affinity_list") for number in (30, 31, 32, 33, 34, 41)]
        assert found == ["0-1", "1", "1", "0", "0", "0-1"]
        assert eth1.interrupt_cpus() == [0, 1]

    def test_the_last_change_is_put_back_first(self, eth1: Interface, kernel: Kernel) -> None:
        path = f"{kernel.proc}/irq/31/smp_affinity_list"
        eth1.write(path, "1")
        eth1.write(path, "0")

    def test_it_waits_for_the_link_but_not_for_ever(self, eth1: Interface, kernel: Kernel) -> None:
        eth1.wait_link(0)
        write(kernel.sys, "class/net/eth1/carrier", "0\n")
        eth1.wait_link(0.05)

    def test_nothing_to_put_back_when_it_is_gone(self, kernel: Kernel) -> None:
        interface = Interface(kernel, "eth2", FakeEthtool(kernel))
        interface.bring_up()
        shutil.rmtree(os.path.realpath(interface.folder))
        os.unlink(interface.folder)
        interface.restore()
        assert not interface.exists()


def test_the_real_ethtool_asks_the_real_kernel() -> None:
    with pytest.raises(OSError, match=r"No such device|not supported"):
        Ethtool().ask("no-such-if", (0x3C, *[0] * 8))
