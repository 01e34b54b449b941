# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter of the same name as Ansible finds it."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.virtperf.vhost.plugins.filter.knobs_definition import FilterModule
from ansible_collections.virtperf.vhost.tests.unit.plugins.plugin_utils.knobs.test_merge import definition


def test_it_is_found_by_its_name() -> None:
    one = definition(knobs_names="csum")
    assert FilterModule().filters()["knobs_definition"]({"a": one}) == one


def test_what_cannot_be_is_a_filter_s_error() -> None:
    hosts = {"a": definition(knobs_names="csum"), "b": definition(knobs_names="csum", knobs_pairs=3)}
    with pytest.raises(AnsibleFilterError, match="knobs_pairs is 5 on a and 3 on b"):
        FilterModule().filters()["knobs_definition"](hosts)
