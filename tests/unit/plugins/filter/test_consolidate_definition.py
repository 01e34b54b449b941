# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One definition of the study consolidate for all hosts of a run."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.virtperf.vhost.plugins.filter.consolidate_definition import FilterModule
from ansible_collections.virtperf.vhost.plugins.plugin_utils.manifest import new_manifest
from ansible_collections.virtperf.vhost.plugins.plugin_utils.wanted import wanted_cells
from ansible_collections.virtperf.vhost.tests.unit.plugins.plugin_utils.consolidate.test_plan import planned


def merged(**hosts: dict[str, Any]) -> dict[str, Any]:
    """The definition for these hosts."""
    found: dict[str, Any] = FilterModule().filters()["consolidate_definition"](hosts)
    return found


def test_a_host_with_fewer_guests_skips_the_cells_of_more() -> None:
    few = planned(guest_counts=[1], workloads=["nginx"], io_cpus=[2])["definition"]
    many = planned(guest_counts=[1, 2], workloads=["nginx"])["definition"]
    studies = {"consolidate": merged(a=many, b=few)}
    manifest = new_manifest("r", studies, ["a", "b"])
    skipped = [cell for cell in wanted_cells(manifest["studies"], manifest["hosts"]) if cell.skipped]
    assert {(cell.host, cell.cell["guests"]) for cell in skipped} == {("b", 2)}
    assert studies["consolidate"]["partition"]["b"]["io_cpus"] == "2"


def test_what_has_to_be_the_same() -> None:
    with pytest.raises(AnsibleFilterError, match=r"consolidate_window_seconds is 2\.0 on a and 5\.0 on b"):
        merged(a=planned()["definition"], b=planned(window_seconds=5)["definition"])
