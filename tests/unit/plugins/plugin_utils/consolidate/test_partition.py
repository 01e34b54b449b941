# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""VM cores and I/O cores of a host."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils.consolidate.policies import Partition
from ansible_collections.virtperf.vhost.plugins.plugin_utils.consolidate.partition import divide
from ansible_collections.virtperf.vhost.plugins.plugin_utils.values import PlanError
from ansible_collections.virtperf.vhost.tests.unit import consolidate_stations as make

SMT = {**make.CPUS, "siblings_of": {"0": [0, 2], "1": [1, 3], "2": [0, 2], "3": [1, 3]}}


def divided(vm: Any = "auto", io: Any = "auto", load: Any = "auto", cpus: dict[str, Any] | None = None) -> Partition:
    asked = {f"consolidate_{part}_cpus": value for part, value in (("vm", vm), ("io", io), ("load", load))}
    return divide(asked, make.CPUS if cpus is None else cpus)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({}, ((0, 1, 2), (3,), (0, 1, 2))),
        ({"io": "2-3"}, ((0, 1), (2, 3), (0, 1))),
        ({"io": 0}, ((1, 2, 3), (0,), (1, 2, 3))),
        ({"vm": [3, 2]}, ((2, 3), (1,), (2, 3))),
        ({"vm": "0", "io": [1], "load": "2-3"}, ((0,), (1,), (2, 3))),
        # The I/O core's other thread takes from it.
        ({"cpus": SMT}, ((0, 2), (3,), (0, 2))),
        ({"cpus": {**SMT, "allowed": [1, 3], "online": [1, 3]}}, ((1,), (3,), (1,))),
        # Isolated CPUs are not among those that a process inherits.
        ({"cpus": {**make.CPUS, "allowed": [0, 1], "isolated": [2, 3]}}, ((0, 1, 2), (3,), (0, 1, 2))),
    ],
)
def test_asked_for_or_chosen(asked: dict[str, Any], expected: tuple[tuple[int, ...], ...]) -> None:
    assert divided(**asked) == Partition(*expected)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"cpus": {**make.CPUS, "allowed": [0], "online": [0]}}, "two CPUs, and this host lets us use 1: 0"),
        ({"vm": "0-7"}, "consolidate_vm_cpus asks for CPU 4-7, and this host lets us use 4 CPUs: 0-3"),
        ({"vm": "0-2", "io": "2,3"}, "consolidate_vm_cpus and consolidate_io_cpus share CPU 2"),
        ({"vm": "0-3"}, "consolidate_vm_cpus leaves no CPU for consolidate_io_cpus"),
        ({"io": "0-3"}, "consolidate_io_cpus leaves no CPU for consolidate_vm_cpus"),
        ({"io": "last"}, "consolidate_io_cpus cannot be 'last'. Allowed: CPUs such as"),
        ({"io": []}, r"consolidate_io_cpus cannot be \[\]"),
        ({"load": [9]}, "consolidate_load_cpus asks for CPU 9"),
    ],
)
def test_fewer_cpus_than_the_partition_asks_for(asked: dict[str, Any], message: str) -> None:
    with pytest.raises(PlanError, match=message):
        divided(**asked)
