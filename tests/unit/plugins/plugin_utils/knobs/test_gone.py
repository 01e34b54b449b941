# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Levels that are gone: by a version, or by a parameter that is not there."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.virtperf.vhost.plugins.plugin_utils.knobs.catalogue import KNOBS
from ansible_collections.virtperf.vhost.plugins.plugin_utils.knobs.gone import gone_levels


@pytest.mark.parametrize(
    ("version", "levels"),
    [("10.0.2", ["1024"]), ("2.10", ["1024"]), ("2.9.1", []), (None, []), ("unknown", [])],
)
def test_by_version(version: str | None, levels: list[str]) -> None:
    gone = gone_levels(KNOBS["tx_queue_size"], {"qemu": {"version": version}})
    assert list(gone) == levels
    assert all(level.since == "QEMU 2.10" for level in gone.values())


@pytest.mark.parametrize(
    ("host", "since"),
    [
        ({"vhost": {"net_parameters": ["experimental_zcopytx"]}}, ""),
        ({"vhost": {"net_parameters": None}}, ""),
        ({}, ""),
        ({"vhost": {"net_parameters": []}, "kernel": {"release": "9.1.0-x"}}, "some release before Linux 9.1.0"),
        ({"vhost": {"net_parameters": ["other"]}}, "this Linux"),
    ],
)
def test_by_parameter(host: dict[str, Any], since: str) -> None:
    gone = gone_levels(KNOBS["zcopytx"], host)
    assert [(level, one.since) for level, one in gone.items()] == ([("1", since)] if since else [])
    if since:
        assert gone["1"].reason.startswith(f"gone since {since}: nothing that a guest's traffic takes by itself")


def test_what_nobody_says_is_there() -> None:
    assert not any(gone_levels(knob, {}) for knob in KNOBS.values())
