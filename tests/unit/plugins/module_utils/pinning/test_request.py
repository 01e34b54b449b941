# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A request that makes no sense is refused by name before anything is looked at."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.virtperf.vhost.plugins.module_utils import cpulist
from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.pinning.request import Wish, parse
from ansible_collections.virtperf.vhost.plugins.module_utils.pinning.scheduler import Setting


@given(st.sets(st.integers(0, 200), min_size=1))
def test_cpus_are_read_as_the_kernel_writes_them(cpus: set[int]) -> None:
    (request,) = parse([{"qmp": "/q", "vcpus": [{"vcpu": 3, "cpus": cpulist.render(cpus)}]}])
    assert request.wishes == (Wish("vcpu", "3", tuple(sorted(cpus))),)
    assert request.name == "/q"


def test_the_named_before_all() -> None:
    (request,) = parse([{"domain": "d", "iothreads": [{"cpus": "1"}, {"id": "a", "cpus": "2"}]}])
    named, others = request.wish_for("iothread", "a"), request.wish_for("iothread", "b")
    assert named is not None
    assert others is not None
    assert (named.cpus, others.cpus, request.wish_for("vcpu", "0")) == ((2,), (1,), None)


def test_what_is_not_wished_stays() -> None:
    now = Setting((0, 1), "fifo", 5, True)
    assert Wish("vcpu", "0", (2,)).applied_to(now) == Setting((2,), "fifo", 5, True)
    assert Wish("vcpu", "0", None, "batch").applied_to(now) == Setting((0, 1), "batch", 0, True)


@pytest.mark.parametrize(
    ("vm", "message"),
    [
        ({"emulator": {"cpus": "1"}}, "no qmp, no domain"),
        ({"qmp": "/q", "domain": "d", "emulator": {"cpus": "1"}}, "both qmp and domain"),
        ({"qmp": "/q"}, "nothing is asked for"),
        ({"qmp": "/q", "emulator": {}}, "nothing is asked for"),
        ({"qmp": "/q", "emulator": {"cpus": None}}, "emulator threads: neither cpus nor policy"),
        ({"qmp": "/q", "vhost": {"cpus": ""}}, "vhost workers: cpus is empty"),
        ({"qmp": "/q", "vcpus": [{"vcpu": 0, "cpus": "1-"}]}, "vCPU 0: '1-' is not a list of CPUs"),
        ({"qmp": "/q", "vcpus": [{"vcpu": 0, "cpus": "1"}] * 2}, "vCPU 0 is listed more than once"),
        ({"qmp": "/q", "vcpus": [{"vcpu": 0, "policy": "deadline"}]}, "no policy 'deadline'"),
        ({"qmp": "/q", "vcpus": [{"vcpu": 0, "policy": "fifo"}]}, "policy fifo needs a priority"),
        ({"qmp": "/q", "vcpus": [{"vcpu": 0, "policy": "rr", "priority": 100}]}, "policy rr needs a priority"),
        ({"qmp": "/q", "vcpus": [{"vcpu": 0, "cpus": "1", "priority": 1}]}, "a priority goes with"),
    ],
)
def test_refused(vm: dict[str, Any], message: str) -> None:
    with pytest.raises(VirtperfError) as caught:
        parse([vm])
    assert message in str(caught.value)


def test_a_vm_is_listed_once() -> None:
    with pytest.raises(VirtperfError, match="d is listed more than once"):
        parse([{"domain": "d", "emulator": {"cpus": "1"}}] * 2)
