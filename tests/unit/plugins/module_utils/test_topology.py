# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""CPUs and nodes of a machine that is a directory."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils import topology
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host

CPUINFO = """\
processor\t: 0
vendor_id\t: AuthenticAMD
model name\t: AMD EPYC 9554 64-Core Processor
flags\t\t: fpu vme hypervisor avx512f
power management:

processor\t: 1
model name\t: another
"""


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """Two sockets with a node each, two cores a socket, two threads a core; CPU 7 is unplugged."""
    files = {
        "proc/cpuinfo": CPUINFO,
        "sys/devices/system/cpu/present": "0-7",
        "sys/devices/system/cpu/online": "0-6",
        "sys/devices/system/cpu/isolated": "2-3",
        "sys/devices/system/cpu/nohz_full": " (null)",
        "sys/devices/system/cpu/smt/active": "1",
        "sys/devices/system/cpu/cpu0/cpufreq/scaling_driver": "acpi-cpufreq",
        "sys/devices/system/cpu/cpufreq/policy0/scaling_governor": "performance",
        "sys/devices/system/cpu/cpufreq/policy1/scaling_governor": "ondemand",
        "sys/devices/system/cpu/cpufreq/policy2/scaling_governor": "performance",
        "sys/devices/system/node/online": "0-1",
        "sys/devices/system/node/node0/cpulist": "0-1,4-5",
        "sys/devices/system/node/node1/cpulist": "2-3,6-7",
        "sys/devices/system/node/node1/meminfo": "Node 1 MemTotal:  600 kB\nNode 1 MemFree:  100 kB\n",
    }
    for cpu in range(7):
        base = f"sys/devices/system/cpu/cpu{cpu}/topology"
        core = cpu % 4
        files[f"{base}/thread_siblings_list"] = f"{core},{core + 4}" if core < 3 else "3"
        files[f"{base}/physical_package_id"] = str(core // 2)
    for name, text in files.items():
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{text}\n")
    return Host(proc=str(tmp_path / "proc"), sys=str(tmp_path / "sys"))


def test_cpus(host: Host) -> None:
    assert topology.cpus(host, {5, 1}) == {
        "model": "AMD EPYC 9554 64-Core Processor",
        "present": [0, 1, 2, 3, 4, 5, 6, 7],
        "online": [0, 1, 2, 3, 4, 5, 6],
        "allowed": [1, 5],
        "isolated": [2, 3],
        "nohz_full": [],
        "node_of": {"0": 0, "1": 0, "4": 0, "5": 0, "2": 1, "3": 1, "6": 1, "7": 1},
        "siblings_of": {
            "0": [0, 4],
            "1": [1, 5],
            "2": [2, 6],
            "3": [3],
            "4": [0, 4],
            "5": [1, 5],
            "6": [2, 6],
        },
        "sockets": 2,
        "smt": True,
        "frequency_driver": "acpi-cpufreq",
        "governors": ["ondemand", "performance"],
        "virtual": True,
    }


def test_numa_nodes(host: Host) -> None:
    assert topology.numa_nodes(host) == [
        {"node": 0, "cpus": [0, 1, 4, 5], "memory": {"total_kb": None, "free_kb": None, "available_kb": None}},
        {"node": 1, "cpus": [2, 3, 6, 7], "memory": {"total_kb": 600, "free_kb": 100, "available_kb": 100}},
    ]


def test_a_machine_that_tells_nothing(tmp_path: Path) -> None:
    host = Host(proc=str(tmp_path), sys=str(tmp_path))
    cpus = topology.cpus(host, [0])
    assert {name for name, value in cpus.items() if value} == {"allowed"}
    assert {name for name, value in cpus.items() if value is None} == {
        "model",
        "sockets",
        "smt",
        "frequency_driver",
        "virtual",
    }
    assert topology.numa_nodes(host) == []


def test_a_cpu_without_topology_is_its_own_sibling(host: Host, tmp_path: Path) -> None:
    (tmp_path / "sys/devices/system/cpu/cpu6/topology/thread_siblings_list").unlink()
    assert topology.cpus(host, [0])["siblings_of"]["6"] == [6]


@pytest.mark.parametrize(
    ("cpuinfo", "model", "virtual"),
    [("processor\t: 0\nBogoMIPS\t: 50.00\n\n", None, None), ("model name\t: X: y\nflags\t\t: fpu\n\n", "X: y", False)],
)
def test_models(host: Host, tmp_path: Path, cpuinfo: str, model: str | None, virtual: bool | None) -> None:
    (tmp_path / "proc/cpuinfo").write_text(cpuinfo)
    cpus = topology.cpus(host, [0])
    assert (cpus["model"], cpus["virtual"]) == (model, virtual)


def test_this_machine() -> None:
    cpus = topology.cpus(Host(), os.sched_getaffinity(0))
    assert cpus["allowed"]
    assert set(cpus["allowed"]) <= set(cpus["online"]) <= set(cpus["present"])
    assert list(cpus["siblings_of"]) == [str(cpu) for cpu in cpus["online"]]
