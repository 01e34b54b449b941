# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filters of the study consolidate as Ansible finds them."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.virtperf.vhost.plugins.filter.consolidate_plan import FilterModule
from ansible_collections.virtperf.vhost.plugins.filter.consolidate_remaining import FilterModule as Remaining
from ansible_collections.virtperf.vhost.plugins.filter.consolidate_where import FilterModule as Where
from ansible_collections.virtperf.vhost.tests.unit.plugins.plugin_utils.consolidate import test_where as where
from ansible_collections.virtperf.vhost.tests.unit.plugins.plugin_utils.consolidate.test_plan import GIVEN, HOST


def test_they_are_found_by_their_names() -> None:
    trials = FilterModule().filters()["consolidate_plan"](GIVEN, HOST)["trials"]
    assert len(Remaining().filters()["consolidate_remaining"](trials, [], "hv", "r1")) == len(trials)
    place = Where().filters()["consolidate_where"]
    assert [guest["name"] for guest in place(where.NICS, where.VMS, where.VARIABLES, where.KEYS)] == ["a", "b"]


def test_what_cannot_be_is_a_filter_s_error() -> None:
    with pytest.raises(AnsibleFilterError, match="consolidate_trials cannot be 0"):
        FilterModule().filters()["consolidate_plan"]({**GIVEN, "consolidate_trials": 0}, HOST)
    with pytest.raises(AnsibleFilterError, match="there is no VM called vm-a"):
        Where().filters()["consolidate_where"](where.NICS, [], where.VARIABLES, where.KEYS)
