# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""VM cores and I/O cores, and who uses them."""

from __future__ import annotations

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils.consolidate.policies import POLICIES, Partition, check
from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError

PARTITION = Partition((0, 1, 2), (3,), (0, 1))


def test_policies_have_as_many_cores_each() -> None:
    for policy in POLICIES.values():
        assert {*PARTITION.vcpus(policy), *PARTITION.workers(policy)} == {0, 1, 2, 3}
    assert PARTITION.workers(POLICIES["baseline"]) == PARTITION.vcpus(POLICIES["baseline"]) == (0, 1, 2, 3)
    assert PARTITION.workers(POLICIES["sidecore"]) == (3,)
    assert PARTITION.vcpus(POLICIES["sidecore"]) == (0, 1, 2)
    assert [policy.nic for policy in POLICIES.values()] == ["plain", "plain", "poll"]
    check(PARTITION, (0, 1, 2, 3))


@pytest.mark.parametrize(
    ("partition", "message"),
    [
        (Partition((0, 1), (4, 5), (0,)), "more CPUs than there are: 4-5 among the I/O cores .*CPUs 0-3 are online"),
        (Partition((0, 1), (), (0,)), "the partition has no I/O cores"),
        (Partition((0, 1), (1,), (0,)), "CPU 1 cannot be a VM core and an I/O core"),
        (Partition((0,), (1,), (9,)), "9 among the load cores"),
    ],
)
def test_partitions_that_cannot_be_had(partition: Partition, message: str) -> None:
    with pytest.raises(VirtperfError, match=message):
        check(partition, (0, 1, 2, 3))
