# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kernel's driver as an end, in a kernel that is a directory."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.kernel_net.mirror import Mirror
from ansible_collections.virtperf.vhost.plugins.module_utils.reflect.end import End
from ansible_collections.virtperf.vhost.plugins.module_utils.reflect.kernel_end import KernelEnd, parse, start
from ansible_collections.virtperf.vhost.tests.unit.plugins.module_utils.kernel_net.fake_kernel import (
    PORTS,
    FakeEthtool,
    FakeSystem,
    build,
    write,
)


def raw(**more: Any) -> dict[str, Any]:
    return {"name": "generator", "ports": [{"device": PORTS["eth1"]}], "cpus": [1], "queues": 1, **more}


class Machine:
    """A kernel, its ethtool and its modules, and what is left of an end on it."""

    def __init__(self, directory: Path) -> None:
        self.kernel = build(directory)
        self.ethtool = FakeEthtool(self.kernel)
        self.system = FakeSystem()
        self.before = self.state()

    def start(self, **more: Any) -> KernelEnd:
        return start(self.kernel, raw(**more), self.system, self.ethtool)

    def state(self) -> dict[str, str]:
        roots = [Path(self.kernel.proc, name) for name in ("irq", "sys", "net")] + [Path(self.kernel.sys)]
        files = [path for root in roots for path in sorted(root.rglob("*")) if path.is_file()]
        return {str(path): path.read_text() for path in files if "kpktgend" not in path.name}


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.fixture
def tc(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    said: list[str] = []

    def note(_mirror: Mirror, *words: str) -> str:
        said.append(" ".join(words))
        return ""

    monkeypatch.setattr(Mirror, "_tc", note)
    return said


class TestDefinition:
    @pytest.mark.parametrize(
        ("wrong", "named"),
        [
            ({"name": "vswitch"}, "cannot be named 'vswitch'"),
            ({"name": None}, "cannot be named None"),
            ({"ports": []}, "ports is not usable"),
            ({"ports": ["eth1"]}, "ports is not usable"),
            ({"ports": [{"device": "eth1"}]}, "no PCI address"),
            ({"cpus": []}, "cpus is not usable"),
            ({"cpus": [1, 1]}, "cpus is not usable"),
            ({"cpus": [True]}, "cpus is not usable"),
            ({"cpus": "01"}, "cpus is not usable"),
            ({"queues": 0}, "queues is not usable"),
            ({"queues": "1"}, "queues is not usable"),
            ({"cpus": [0, 1]}, "2 CPUs cannot serve 1 queues"),
            ({"burst": 8}, "burst is unknown"),
        ],
    )
    def test_what_cannot_be(self, wrong: dict[str, Any], named: str) -> None:
        with pytest.raises(VirtperfError, match=named):
            parse(raw(**wrong))

    def test_queues_share_cpus_where_there_are_fewer(self) -> None:
        definition = parse(raw(queues=3, cpus=[4, 7]))
        assert [definition.cpu_of(queue) for queue in range(3)] == [4, 7, 4]


class TestGenerator:
    def test_it_says_what_it_has(self, machine: Machine) -> None:
        end: End = machine.start()
        assert machine.system.loaded == ["pktgen"]
        setup = end.setup()
        assert (setup["rx_queues"], setup["tx_queues"], setup["cpus"]) == (1, 1, [1])
        assert (setup["link_up"], setup["link_speed_mbps"], setup["ring_sizes"]) == (True, None, [256, 512])
        assert (setup["driver"], setup["version"]) == ("virtio-net", "Linux 6.12.107+deb13-cloud-amd64")
        assert "eth1@0 on CPU 1" in setup["command"]
        assert machine.kernel.read(f"{machine.kernel.sys}/class/net/eth1/flags") == "0x1003"
        assert end.stop() == "stopped"

    def test_it_sends_and_stops(self, machine: Machine) -> None:
        end = machine.start()
        end.offer(64, forwarding=True)
        assert machine.kernel.threads["kpktgend_1"] == ["eth1@0"]
        assert machine.kernel.settings["eth1@0"]["pkt_size"] == "60"
        end.offer(512, forwarding=True)
        assert machine.kernel.settings["eth1@0"]["pkt_size"] == "508"
        assert end.is_running()
        end.offer(512, forwarding=False)
        assert end.is_running()
        assert end.counters().tx_packets == 200
        assert end.cpu_seconds() == {201: 201.0}
        end.clear()
        assert end.statistics() is None
        end.stop()

    def test_two_ports_add_up(self, machine: Machine) -> None:
        end = machine.start(ports=[{"device": address} for address in PORTS.values()], queues=2, cpus=[0, 1])
        assert machine.kernel.threads == {"kpktgend_0": ["eth1@0", "eth2@0"], "kpktgend_1": ["eth1@1", "eth2@1"]}
        assert end.counters().rx_packets == 130
        write(machine.kernel.sys, "class/net/eth1/speed", "10000\n")
        assert end.setup()["link_speed_mbps"] is None
        write(machine.kernel.sys, "class/net/eth2/speed", "10000\n")
        assert end.setup()["link_speed_mbps"] == 20000
        assert end.setup()["cpus"] == [0, 1]
        end.stop()

    def test_all_is_put_back(self, machine: Machine) -> None:
        end = machine.start(cpus=[0])
        end.offer(64, forwarding=True)
        assert machine.state() != machine.before
        assert (end.stop(), end.stop()) == ("stopped", "")
        assert machine.state() == machine.before
        assert machine.ethtool.now["eth1"] == 2
        assert not end.is_running()

    def test_all_is_put_back_when_it_cannot_start(self, machine: Machine) -> None:
        with pytest.raises(VirtperfError, match="eth1 cannot have 5 queues"):
            machine.start(queues=5)
        assert machine.state() == machine.before
        Path(machine.kernel.proc, "net/pktgen/kpktgend_1").unlink()
        with pytest.raises(VirtperfError, match="no thread for CPU 1"):
            machine.start()
        assert machine.state() == machine.before

    def test_when_pktgen_ends_by_itself_it_is_dead(self, machine: Machine) -> None:
        end = machine.start()
        end.offer(64, forwarding=True)
        machine.kernel.stopped.set()
        assert _soon(lambda: not end.is_running())
        assert "pkts-sofar" in end.died().found
        end.stop()

    def test_when_its_interface_is_gone_it_is_dead(self, machine: Machine) -> None:
        end = machine.start()
        Path(machine.kernel.sys, "class/net/eth1").unlink()
        assert not end.is_running()
        assert "no interface eth1 any more" in end.died().found
        assert end.died().facts["dead"] == "generator"


class TestReflector:
    def test_it_is_at_work_from_the_start(self, machine: Machine, tc: list[str]) -> None:
        end = machine.start(name="reflector")
        assert tc[-1].endswith("redirect dev eth1")
        assert machine.system.loaded == []
        assert end.setup()["cpus"] == [1]
        write(machine.kernel.proc, "irq/31/smp_affinity_list", "0\n")
        assert end.setup()["cpus"] == [0], "where the interrupts go, the packets are handled"
        write(machine.kernel.proc, "irq/31/smp_affinity_list", "1\n")
        assert end.cpu_seconds() == {21: 21.0}
        assert end.is_running()
        end.offer(64, forwarding=False)
        assert tc[-1] == "qdisc del dev eth1 clsact"
        end.offer(64, forwarding=True)
        assert tc[-1].endswith("redirect dev eth1")
        end.stop()
        assert tc[-1] == "qdisc del dev eth1 clsact"
        assert machine.state() == machine.before


def test_a_cpu_that_is_not_there(machine: Machine) -> None:
    with pytest.raises(VirtperfError, match="cannot run on CPU 5"):
        machine.start(cpus=[5])
    assert machine.kernel.written == []


def test_a_function_without_an_interface(machine: Machine) -> None:
    Path(machine.kernel.sys, "class/net/eth1").unlink()
    with pytest.raises(VirtperfError, match=r"0000:00:11\.0 has no network interface"):
        machine.start()


def _soon(condition: Any) -> bool:
    limit = time.monotonic() + 5
    while not condition() and time.monotonic() < limit:
        time.sleep(0.01)
    return bool(condition())
