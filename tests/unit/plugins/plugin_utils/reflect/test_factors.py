# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Levels as they come from files and command lines."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.virtperf.vhost.plugins.plugin_utils.reflect.factors import FACTORS
from ansible_collections.virtperf.vhost.tests.unit.plugins.plugin_utils.reflect.planning import (
    planned,
    refusal,
)


@pytest.mark.parametrize(
    ("variable", "raw", "levels"),
    [
        ("reflect_queues", "1,2", [1, 2]),
        ("reflect_queues", " 1, 4 ", [1, 4]),
        ("reflect_queues", "2", [2]),
        ("reflect_queues", 2, [2]),
        ("reflect_queues", (2, "1"), [2, 1]),
        ("reflect_packet_sizes", "64,1518", [64, 1518]),
        ("reflect_drivers", "virtio_user_packed", ["virtio_user_packed"]),
        ("reflect_drivers", "virtio_user_packed, virtio_user_split", ["virtio_user_packed", "virtio_user_split"]),
        ("reflect_in_order", True, [True]),
        ("reflect_in_order", "true,false", [True, False]),
        ("reflect_in_order", "False", [False]),
        ("reflect_mrg_rxbuf", ["yes", "no"], [True, False]),
        ("reflect_mrg_rxbuf", 0, [False]),
    ],
)
def test_a_list_a_value_or_a_command_line(variable: str, raw: Any, levels: list[Any]) -> None:
    found = planned(**{variable: raw})["definition"]["factors"][FACTORS[variable].name]
    assert found == levels
    assert [type(level) for level in found] == [type(level) for level in levels]


@pytest.mark.parametrize("variable", FACTORS)
@pytest.mark.parametrize("raw", ["chicken", "", None, -1, 1.5, "1;2", {"a": 1}, [[1]], "9" * 5000, "²"])
def test_the_impossible_is_named_with_what_is_allowed(variable: str, raw: Any) -> None:
    message = refusal(**{variable: raw})
    assert message.startswith(f"{variable} cannot be {raw!r}") or (isinstance(raw, list) and variable in message)
    assert f"Allowed: {FACTORS[variable].allowed()}" in message


@pytest.mark.parametrize(
    ("variable", "raw", "allowed"),
    [
        ("reflect_direction", "sideways", "vswitch, far_end"),
        ("reflect_forwarding_cores", "two", "one, per_queue"),
        (
            "reflect_drivers",
            "e1000",
            "virtio_user_split, virtio_user_packed, uio_pci_generic, igb_uio, virtio-net",
        ),
        ("reflect_links", 3, "whole numbers from 1 to 2"),
        ("reflect_generator", "moongen", "testpmd, pktgen"),
        ("reflect_link_speed", 1000, "0, 10000, 20000, 25000, 40000, 50000, 56000, 100000, 200000"),
        ("reflect_in_order", "maybe", "true, false"),
        ("reflect_burst", 513, "whole numbers from 1 to 512"),
        ("reflect_ring_size", 300, "powers of two from 32 to 32768"),
        ("reflect_ring_size", 65536, "powers of two from 32 to 32768"),
        ("reflect_queues", 0, "whole numbers from 1 to 16"),
        ("reflect_queues", True, "whole numbers from 1 to 16"),
        ("reflect_packet_sizes", [64, 1519], "whole numbers from 64 to 1518"),
        ("reflect_packet_sizes", 60, "whole numbers from 64 to 1518"),
    ],
)
def test_what_is_allowed(variable: str, raw: Any, allowed: str) -> None:
    assert refusal(**{variable: raw}).endswith(f"Allowed: {allowed}")


def test_no_level_at_all() -> None:
    assert refusal(reflect_queues=[]) == "reflect_queues is empty. Allowed: whole numbers from 1 to 16"


@pytest.mark.parametrize("raw", ["1,2,1", [1, "1", 2], [2, 1, 1, 1]])
def test_a_level_twice_would_be_a_cell_twice(raw: Any) -> None:
    assert refusal(reflect_queues=raw) == "reflect_queues names 1 more than once"
