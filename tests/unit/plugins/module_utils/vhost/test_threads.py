# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The threads of a VM that its traffic runs on."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils.vhost import threads, vms, workers
from ansible_collections.virtperf.vhost.tests.unit.fake_cgroups import FakeHost, fake_host


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeHost:
    host = fake_host(tmp_path, monkeypatch)
    host.kernel.add("/vm")
    host.kernel.qemu(100, "a", "/vm", ["tap,id=n0,ifname=tap0,vhost=on"])
    host.kernel.tap(100, 10, "tap0")
    return host


def told(host: FakeHost) -> list[tuple[str, int, int, int]]:
    (vhost,) = workers.find(host, vms.find(host))
    found = threads.facts(host, 100, vhost.workers)
    return [(thread["role"], thread["number"], thread["pid"], thread["tid"]) for thread in found]


def test_each_with_its_role(host: FakeHost) -> None:
    host.kernel.worker(100, 110)
    host.kernel.worker(100, 111, kthread=True)
    host.kernel.thread(100, 120, "CPU 1/KVM", "/vm")
    host.kernel.thread(100, 121, "call_rcu", "/vm")
    assert told(host) == [
        ("worker", 0, 100, 110),
        ("worker", 1, 111, 111),
        ("vcpu", 0, 100, 101),
        ("vcpu", 1, 100, 120),
        ("emulator", 0, 100, 100),
    ]


def test_no_vcpu_is_made_up(host: FakeHost) -> None:
    host.kernel.thread(100, 101, "qemu-system-x86", "/vm")
    assert told(host) == [("emulator", 0, 100, 100)]


def test_the_start_guards_against_another_thread_of_that_number(host: FakeHost) -> None:
    host.kernel.thread(100, 101, "CPU 0/KVM", "/vm", start=777)
    assert {thread["tid"]: thread["start"] for thread in threads.facts(host, 100, ())} == {100: 100, 101: 777}
