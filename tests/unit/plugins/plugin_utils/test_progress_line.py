# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The line that a person watches while a study measures."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.virtperf.vhost.plugins.plugin_utils.progress_line import duration, progress_line

STATUS = {
    "doing": "measuring",
    "cell": 3,
    "cells": 24,
    "trial": 2,
    "trials": 3,
    "what": "driver virtio_user_split, queues 1, packet_size 256",
    "last": "11.96 Mpps at 128 bytes",
    "left_s": 95.4,
    "invalid": 0,
}


def test_where_it_is_what_came_last_and_for_how_long() -> None:
    assert progress_line(STATUS) == (
        "cell 3 of 24, trial 2 of 3 (driver virtio_user_split, queues 1, packet_size 256),"
        " last 11.96 Mpps at 128 bytes, 1 min 35 s left"
    )


def test_a_launch_has_no_trial() -> None:
    assert progress_line({**STATUS, "doing": "launching", "last": ""}) == "cell 3 of 24, launching, 1 min 35 s left"


def test_invalid_trials_are_not_kept_quiet() -> None:
    assert progress_line({**STATUS, "invalid": 2}).endswith(", 2 invalid so far")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (185, "3 min 05 s"),
        (3599.6, "1 h 00 min"),
        (3720, "1 h 02 min"),
        (90000, "25 h 00 min"),
    ],
)
def test_time_as_a_person_says_it(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@given(
    st.dictionaries(
        st.sampled_from([*STATUS, "other"]), st.none() | st.integers(0, 1 << 40) | st.text(max_size=5), max_size=5
    )
)
def test_a_status_of_another_version_is_still_a_line(status: dict[str, Any]) -> None:
    # A measurement must not fail because of a line about it.
    line = progress_line(status)
    assert line.startswith("cell ")
