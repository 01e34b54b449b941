# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter guest_domains as Ansible finds it."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.virtperf.vhost.plugins.filter.guest_domains import FilterModule
from ansible_collections.virtperf.vhost.tests.unit.plugins.plugin_utils.test_guest_domains import VM

guest_domains = FilterModule().filters()["guest_domains"]


def test_it_is_found_by_its_name() -> None:
    assert [made["name"] for made in guest_domains([VM, {**VM, "name": "load"}])] == ["web", "load"]


def test_what_cannot_be_is_a_filter_s_error() -> None:
    with pytest.raises(AnsibleFilterError, match="cannot be a domain of libvirt's"):
        guest_domains([{**VM, "cloud_init": {"hostname": "web"}}])
