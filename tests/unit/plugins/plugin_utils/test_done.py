# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What counts as done is of the same host, study and cell."""

from __future__ import annotations

import pytest

from ansible_collections.virtperf.vhost.plugins.plugin_utils.done import Done

ENTRY = {"host": "lab1", "study": "reflect", "cell": {"queues": 1, "driver": "igb_uio"}, "valid_trials": 2}


@pytest.mark.parametrize(
    ("host", "study", "cell", "trials"),
    [
        ("lab1", "reflect", {"driver": "igb_uio", "queues": 1}, 2),
        ("lab2", "reflect", {"driver": "igb_uio", "queues": 1}, 0),
        ("lab1", "throttle", {"driver": "igb_uio", "queues": 1}, 0),
        ("lab1", "reflect", {"driver": "igb_uio", "queues": 2}, 0),
    ],
)
def test_trials(host: str, study: str, cell: dict[str, object], trials: int) -> None:
    assert Done([ENTRY], host, study).trials(cell) == trials


def test_numbers() -> None:
    done = Done([{**ENTRY, "trials": [1, 3]}], "lab1", "reflect")
    assert done.numbers({"driver": "igb_uio", "queues": 1}) == {1, 3}
    assert done.numbers({"driver": "igb_uio", "queues": 2}) == set()
