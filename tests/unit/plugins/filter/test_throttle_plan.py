# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filters of the study throttle as Ansible finds them."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.virtperf.vhost.plugins.filter.throttle_plan import FilterModule
from ansible_collections.virtperf.vhost.plugins.filter.throttle_remaining import FilterModule as Remaining
from ansible_collections.virtperf.vhost.tests.unit.plugins.plugin_utils.throttle.test_plan import GIVEN


def test_they_are_found_by_their_names() -> None:
    timelines = FilterModule().filters()["throttle_plan"](GIVEN)["timelines"]
    assert Remaining().filters()["throttle_remaining"](timelines, [], "a") == timelines


def test_what_cannot_be_is_a_filter_s_error() -> None:
    with pytest.raises(AnsibleFilterError, match="throttle_trials cannot be 0"):
        FilterModule().filters()["throttle_plan"]({**GIVEN, "throttle_trials": 0})
