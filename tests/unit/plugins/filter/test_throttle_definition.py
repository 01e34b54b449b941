# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One definition of the study throttle for all hosts of a run."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.virtperf.vhost.plugins.filter.throttle_definition import FilterModule
from ansible_collections.virtperf.vhost.plugins.plugin_utils.manifest import new_manifest
from ansible_collections.virtperf.vhost.plugins.plugin_utils.wanted import wanted_cells
from ansible_collections.virtperf.vhost.tests.unit import throttle_factory as make

PHASES = make.timeline_phases()


def definition(*layouts: str, **more: Any) -> dict[str, Any]:
    """That of a host with these layouts."""
    made = make.definition([("iperf3", layout) for layout in layouts], PHASES)
    return {**made, "phases": {"iperf3": [phase.as_dict() for phase in PHASES]}, **more}


def merged(**hosts: dict[str, Any]) -> dict[str, Any]:
    """The definition for these hosts."""
    found: dict[str, Any] = FilterModule().filters()["throttle_definition"](hosts)
    return found


def test_a_layout_that_a_host_does_not_have_is_skipped_there() -> None:
    studies = {"throttle": merged(a=definition("kthread", "libvirt"), b=definition("kthread"))}
    manifest = new_manifest("r", studies, ["a", "b"])
    cells = wanted_cells(manifest["studies"], manifest["hosts"])
    skipped = [(cell.host, cell.cell["layout"]) for cell in cells if cell.skipped]
    assert skipped == [("b", "libvirt")] * 9
    assert len(cells) == 36


def test_what_has_to_be_the_same() -> None:
    with pytest.raises(AnsibleFilterError, match=r"throttle_sample_seconds is 0\.1 on a and 1\.0 on b"):
        merged(a=definition("kthread"), b=definition("kthread", sample_seconds=1.0))
