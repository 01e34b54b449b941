# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One definition of the study knobs for all hosts of a run."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.virtperf.vhost.plugins.plugin_utils.knobs.merge import merge
from ansible_collections.virtperf.vhost.plugins.plugin_utils.knobs.plan import plan
from ansible_collections.virtperf.vhost.plugins.plugin_utils.manifest import new_manifest
from ansible_collections.virtperf.vhost.plugins.plugin_utils.values import PlanError
from ansible_collections.virtperf.vhost.plugins.plugin_utils.wanted import wanted_cells
from ansible_collections.virtperf.vhost.tests.unit.plugins.plugin_utils.knobs.test_plan import GIVEN, HOST


def definition(host: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    """That of a host."""
    found: dict[str, Any] = plan({**GIVEN, **changes}, HOST if host is None else host)["definition"]
    return found


def skipped(merged: dict[str, Any], *hosts: str) -> list[tuple[str, str, str]]:
    """Host, level and reason, as the report finds them."""
    manifest = new_manifest("r", {"knobs": merged}, list(hosts))
    cells = wanted_cells(manifest["studies"], manifest["hosts"])
    return [(cell.host, f"{cell.cell['knob']}={cell.cell['level']}", cell.skipped) for cell in cells if cell.skipped]


def test_one_host_s_is_its_own() -> None:
    one = definition(knobs_names="tx_queue_size")
    assert merge({"a": one}) == one
    ((host, cell, reason),) = skipped(one, "a")
    assert (host, cell) == ("a", "tx_queue_size=1024")
    assert reason.startswith("gone since QEMU 2.10")


def test_hosts_with_other_knobs() -> None:
    merged = merge({"a": definition(knobs_names="csum"), "b": definition(knobs_names="csum,vhost=off")})
    assert list(merged["baselines"]) == ["csum", "vhost"]
    assert list(merged["workloads"]) == ["tcp_to_host_64k", "tcp_out_64k", "tcp_from_host_64k", "tcp_rr"]
    assert {(host, cell) for host, cell, _reason in skipped(merged, "a", "b")} == {
        ("a", "vhost=on"),
        ("a", "vhost=off"),
    }


def test_a_level_that_is_gone_on_one_of_them() -> None:
    names = {"knobs_names": "tx_queue_size"}
    merged = merge({"a": definition(**names), "b": definition({"qemu": {"version": "2.9"}}, **names)})
    ((host, cell, reason),) = skipped(merged, "a", "b")
    assert (host, cell) == ("a", "tx_queue_size=1024")
    assert reason.startswith("gone since QEMU 2.10")
    assert [(gone["host"], gone["level"]) for gone in merged["gone"]] == [("a", "1024")]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"knobs_pairs": 6}, "knobs_pairs is 5 on a and 6 on b"),
        ({"knobs_window_seconds": 2}, r"knobs_window_seconds is 1.0 on a and 2.0 on b"),
        ({"knobs_udp_pps": 6000}, "knobs_udp_pps is 5000 on a and 6000 on b"),
        ({"knobs_seed": "x"}, "knobs_seed is '' on a and 'x' on b"),
    ],
)
def test_what_has_to_be_the_same(change: dict[str, Any], message: str) -> None:
    with pytest.raises(PlanError, match=message):
        merge({"a": definition(knobs_names="csum"), "b": definition(knobs_names="csum", **change)})
