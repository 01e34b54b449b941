# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pins in words: the same for what was asked and what was read back."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.virtperf.vhost.plugins.plugin_utils.pins import pins_in_words

ASKED = {
    "vcpus": [{"vcpu": 0, "cpus": "0,3"}, {"vcpu": 10, "cpus": "4"}, {"vcpu": 2, "cpus": "5"}],
    "emulator": {"cpus": "0,3"},
}
OBSERVED = [
    {"thread": "emulator", "cpus": "0,3"},
    {"thread": "vcpu 10", "cpus": "4"},
    {"thread": "vcpu 2", "cpus": "5"},
    {"thread": "vcpu 0", "cpus": "0,3"},
    {"thread": "emulator", "cpus": "0,3"},
]


def test_both_are_the_same_words() -> None:
    assert pins_in_words(ASKED) == pins_in_words(OBSERVED) == "vCPU 0: 0,3, vCPU 2: 5, vCPU 10: 4, emulator: 0,3"


def test_a_thread_that_strayed_is_seen() -> None:
    assert pins_in_words([*OBSERVED, {"thread": "emulator", "cpus": "7"}]).endswith("emulator: 0,3, emulator: 7")


@pytest.mark.parametrize("pins", [None, "", [], {}, "0-3", [1]])
def test_what_are_no_pins(pins: Any) -> None:
    assert pins_in_words(pins) == ""
