# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What has to be known before the numbers."""

from __future__ import annotations

from typing import Any

from ansible_collections.virtperf.vhost.plugins.plugin_utils.analysis import analyse
from ansible_collections.virtperf.vhost.plugins.plugin_utils.circumstances import accelerators, caution, warnings
from ansible_collections.virtperf.vhost.plugins.plugin_utils.grid import Grid, lay_out
from ansible_collections.virtperf.vhost.plugins.plugin_utils.records import Record
from ansible_collections.virtperf.vhost.tests.unit import record_factory as make


def grid(*observed: dict[str, Any]) -> Grid:
    """A grid of one cell with these setups."""
    records = [Record(make.record(trial=n, observed=each), n) for n, each in enumerate(observed, start=1)]
    (only,) = lay_out(analyse(records, []))
    return only


def test_emulation_is_said() -> None:
    assert accelerators(grid({"accel": "tcg"}, {"accel": "tcg"}, {})) == "tcg (emulation)"
    assert accelerators(grid({"accel": "kvm"}, {"accel": "tcg"})) == "kvm, tcg (emulation)"
    assert accelerators(grid({}, {"accel": None})) == ""


def test_each_warning_once() -> None:
    assert warnings(grid({"warnings": ["a", "b"]}, {"warnings": ["b", "c"]}, {"warnings": None}, {})) == ["a", "b", "c"]


def test_absolute_numbers_say_little_where_something_is_emulated_or_a_vm() -> None:
    effects = "the effects count, not the absolute numbers."
    assert caution(grid({"accel": "kvm"}, {"accel": "tcg"}), {}) == f"Guests were emulated: {effects}"
    assert caution(grid({"accel": "kvm"}), {"cpus": {"virtual": True}}).startswith("The measured host is a virtual")
    assert caution(grid({"accel": "kvm"}), {"cpus": {"virtual": False}}) == ""
    assert caution(grid({}), {"cpus": "unknown"}) == caution(grid({}), {}) == ""
