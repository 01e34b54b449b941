# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter of the same name as Ansible finds it."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.virtperf.vhost.plugins.filter.knobs_where import FilterModule
from ansible_collections.virtperf.vhost.tests.unit.plugins.plugin_utils.knobs.test_where import BOOT, VARIABLES, VMS
from ansible_collections.virtperf.vhost.tests.unit.plugins.plugin_utils.throttle.test_where import KEYS


def test_it_is_found_by_its_name() -> None:
    assert FilterModule().filters()["knobs_where"](BOOT, VMS, VARIABLES, KEYS)["number"] == 1


def test_what_cannot_be_is_a_filter_s_error() -> None:
    with pytest.raises(AnsibleFilterError, match="there is no VM called client"):
        FilterModule().filters()["knobs_where"](BOOT, [], VARIABLES, KEYS)
