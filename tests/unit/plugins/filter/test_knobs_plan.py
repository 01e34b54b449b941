# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filters of the study knobs as Ansible finds them."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.virtperf.vhost.plugins.filter.knobs_plan import FilterModule
from ansible_collections.virtperf.vhost.plugins.filter.knobs_remaining import FilterModule as Remaining
from ansible_collections.virtperf.vhost.tests.unit.plugins.plugin_utils.knobs.test_plan import GIVEN, HOST


def test_they_are_found_by_their_names() -> None:
    boots = FilterModule().filters()["knobs_plan"](GIVEN, HOST)["boots"]
    left = Remaining().filters()["knobs_remaining"](boots, [], "a", "r1")
    assert [boot["arms"] for boot in left] == [boot["arms"] for boot in boots]


def test_what_cannot_be_is_a_filter_s_error() -> None:
    with pytest.raises(AnsibleFilterError, match="knobs_pairs cannot be 0"):
        FilterModule().filters()["knobs_plan"]({**GIVEN, "knobs_pairs": 0}, HOST)
