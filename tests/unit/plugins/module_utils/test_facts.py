# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All facts together: they never fail, whatever a host lacks."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils import facts
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.tests.unit.fake_hugetlb import KB_1G, FakeHost, FakeSystem, fake_host

SUBJECTS = {
    "cpus",
    "numa_nodes",
    "memory",
    "hugepages",
    "kernel",
    "virtualization",
    "kvm",
    "vhost",
    "busy_poll",
    "tracing",
    "cgroup",
    "vms",
    "testpmd",
    "dpdk",
    "qemu",
    "libvirt",
    "python",
    "load",
    "run_lock",
    "unreadable",
}


@pytest.fixture
def host(tmp_path: Path) -> FakeHost:
    return fake_host(tmp_path, nodes=2)


def write_lock(host: Host, text: str) -> None:
    Path(host.state).mkdir()
    Path(host.state, "lock.json").write_text(text)


def test_a_host_without_anything(tmp_path: Path) -> None:
    empty = str(tmp_path / "nothing")
    found = facts.gather(Host(proc=empty, sys=empty, run=empty, state=empty))
    assert set(found) == SUBJECTS
    assert found["hugepages"] == {"sizes": [], "default_size": None, "pools": [], "mounts": []}
    assert found["memory"] == {"total_kb": None, "free_kb": None, "available_kb": None}
    assert found["load"] is None
    assert found["run_lock"] is None
    assert found["unreadable"] == []
    assert found["vms"] == []
    assert found["cgroup"]["version"] == "none"
    assert found["kernel"]["cmdline"] is None


def test_hugepages(host: FakeHost) -> None:
    host.kernel.has(12, used=3, surplus=2, node=1)
    host.kernel.has(4, size=KB_1G)
    host.kernel.promise(1)
    FakeSystem(host).add("/dev/huge pages", "rw,pagesize=1024M", device="none")
    FakeSystem(host).add("/run/ours", "rw,pagesize=2M")
    found = facts.gather(host)["hugepages"]
    assert found["sizes"] == ["2MiB", "1GiB"]
    assert found["default_size"] == "2MiB"
    assert found["pools"] == [
        {"size": "2MiB", "node": None, "total": 12, "free": 9, "reserved": 1, "surplus": 2},
        {"size": "2MiB", "node": 0, "total": 0, "free": 0, "reserved": None, "surplus": 0},
        {"size": "2MiB", "node": 1, "total": 12, "free": 9, "reserved": None, "surplus": 2},
        {"size": "1GiB", "node": None, "total": 4, "free": 4, "reserved": 0, "surplus": 0},
        {"size": "1GiB", "node": 0, "total": 4, "free": 4, "reserved": None, "surplus": 0},
        {"size": "1GiB", "node": 1, "total": 0, "free": 0, "reserved": None, "surplus": 0},
    ]
    assert found["mounts"] == [
        {"path": "/dev/huge pages", "size": "1GiB", "ours": False},
        {"path": "/run/ours", "size": "2MiB", "ours": True},
    ]


def test_a_pool_whose_files_are_odd_is_left_out(host: FakeHost) -> None:
    Path(host.sys, "devices/system/node/node1/hugepages/hugepages-2048kB/free_hugepages").write_text("many")
    assert len(facts.gather(host)["hugepages"]["pools"]) == 5


@pytest.mark.parametrize(("run_id", "ours"), [("run-7", True), ("run-8", False), ("", False)])
def test_the_lock_of_a_run(host: FakeHost, run_id: str, ours: bool) -> None:
    write_lock(host, '{"run_id": "run-7", "pid": 4711}')
    assert facts.gather(host, run_id)["run_lock"] == {"run_id": "run-7", "pid": 4711, "ours": ours}


@pytest.mark.parametrize("text", ["", "{", "[]", "null"])
def test_a_lock_that_says_nothing(host: FakeHost, text: str) -> None:
    write_lock(host, text)
    assert facts.gather(host)["run_lock"] is None


def test_a_lock_that_may_not_be_read_is_listed(host: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    lock = f"{host.state}/lock.json"
    read = Host.read

    def forbidden(self: Host, path: str) -> str:
        if path == lock:
            raise PermissionError(13, "Permission denied", path)
        return read(self, path)

    monkeypatch.setattr(Host, "read", forbidden)
    found = facts.gather(host)
    assert (found["run_lock"], found["unreadable"]) == (None, [lock])


def test_load(host: FakeHost) -> None:
    loadavg = Path(host.proc, "loadavg")
    loadavg.write_text("0.12 0.20 1.08 2/345 6789\n")
    assert facts.gather(host)["load"] == [0.12, 0.2, 1.08]
    loadavg.write_text("busy")
    assert facts.gather(host)["load"] is None


def test_firmware_and_devices(host: FakeHost) -> None:
    for name, text in (("dmi/id/sys_vendor", "QEMU\n"), ("dmi/id/product_name", "q35\n"), ("misc/kvm/dev", "10:232\n")):
        file = Path(host.sys, "class", name)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    assert facts.gather(host)["virtualization"] == {
        "vendor": "QEMU",
        "product": "q35",
        "kvm_device": True,
        "vhost_net_device": False,
    }


def test_this_machine_is_looked_at_in_no_time() -> None:
    def look() -> tuple[float, dict[str, Any]]:
        start = time.perf_counter()
        found = facts.gather(Host())
        return time.perf_counter() - start, found

    seconds, found = min((look() for _ in range(3)), key=lambda pair: pair[0])
    assert seconds < 0.15
    assert json.loads(json.dumps(found)) == found
    assert set(found) == SUBJECTS
    assert found["kernel"]["release"]
