# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Facts about hosts in words."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.virtperf.vhost.plugins.plugin_utils.facts import flatten, is_command, versions
from ansible_collections.virtperf.vhost.tests.unit import record_factory as make


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({}, []),
        (make.FACTS, ["DPDK 22.11.11", "libvirt 9.0.0", "Linux 6.1.0-40-amd64"]),
        ({"dpdk": "22.11.7", "qemu": ""}, ["DPDK 22.11.7"]),
        ({"dpdk": "DPDK 22.11.7"}, ["DPDK 22.11.7"]),
        ({"dpdk": {"version": None}, "kernel": 6}, []),
    ],
)
def test_versions(facts: dict[str, Any], words: list[str]) -> None:
    assert versions(facts) == words


def test_facts_become_lines_with_dotted_names() -> None:
    facts = {
        "cpus": {"model": "x", "node_of": {"0": 0, "1": 1}, "isolated": []},
        "nodes": [{"node": 0}, {"node": 1}],
        "qemu": None,
        "smt": False,
        "argv": ["testpmd", "a b"],
    }
    assert dict(flatten(facts)) == {
        "cpus.model": "x",
        "cpus.node_of": "0: 0, 1: 1",
        "cpus.isolated": "none",
        "nodes[0].node": "0",
        "nodes[1].node": "1",
        "qemu": "unknown",
        "smt": "off",
        "argv": "testpmd 'a b'",
    }


def test_command_lines_are_known_by_their_names() -> None:
    assert all(is_command(name) for name in ("kernel.cmdline", "vswitch.command", "x.argv", "command_line"))
    assert not is_command("commander.name")
