# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A resumed run measures what is not done."""

from __future__ import annotations

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.virtperf.vhost.plugins.plugin_utils.reflect.remaining import remaining
from ansible_collections.virtperf.vhost.tests.unit.plugins.plugin_utils.reflect.planning import (
    host,
    planned,
)


@given(st.data())
def test_it_is_what_is_not_done(data: st.DataObject) -> None:
    study = planned(host(2), reflect_packet_sizes=[64, 128])
    before = copy.deepcopy(study)
    cells = study["definition"]["cells"]
    valid = data.draw(st.lists(st.integers(0, 4), min_size=len(cells), max_size=len(cells)))
    done = [
        {"host": "lab1", "study": "reflect", "cell": dict(reversed(cell.items())), "valid_trials": trials}
        for cell, trials in zip(cells, valid, strict=True)
        if trials
    ]
    left = remaining(study["launches"], data.draw(st.permutations(done)), "lab1")
    found = [(cell["cell"], cell["trials"]) for launch in left for cell in launch["cells"]]
    assert found == [(cell, 3 - trials) for cell, trials in zip(cells, valid, strict=True) if trials < 3]
    assert all(launch["cells"] for launch in left)
    assert study == before


def test_nothing_is_left_of_a_complete_run() -> None:
    study = planned()
    done = [
        {"host": "lab1", "study": "reflect", "cell": cell, "valid_trials": 3} for cell in study["definition"]["cells"]
    ]
    assert remaining(study["launches"], done, "lab1") == []


@pytest.mark.parametrize("other", [{"host": "lab2"}, {"study": "throttle"}])
def test_what_others_have_measured_is_not_done_here(other: dict[str, str]) -> None:
    study = planned()
    cell = study["definition"]["cells"][0]
    done = [{"host": "lab1", "study": "reflect", "cell": cell, "valid_trials": 3, **other}]
    assert remaining(study["launches"], done, "lab1") == study["launches"]
