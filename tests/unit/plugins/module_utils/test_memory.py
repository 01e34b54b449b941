# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sizes of memory, as people and as the kernel write them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.virtperf.vhost.plugins.module_utils import memory
from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host

BUDDYINFO = """\
Node 0, zone      DMA      0      0      0      0      0      0      0      0      1      1      3
Node 0, zone   Normal   1137   1852    785    434    204    859    112    285    251    121    137
Node 1, zone   Normal      1      1      1      1      1      1      1      1      1      5      0
"""


@pytest.fixture
def host(tmp_path: Path) -> Host:
    (tmp_path / "meminfo").write_text("MemTotal:  900 kB\nMemFree:  300 kB\nMemAvailable: 500 kB\nHugePages_Total: 4\n")
    (tmp_path / "buddyinfo").write_text(BUDDYINFO)
    node = tmp_path / "devices/system/node/node1"
    node.mkdir(parents=True)
    (node.parent / "online").write_text("0-1\n")
    (node / "meminfo").write_text(
        "Node 1 MemTotal:  600 kB\nNode 1 MemFree:  100 kB\nNode 1 Active(file): 20 kB\n"
        "Node 1 Inactive(file): 3 kB\nNode 1 Inactive(anon): 1000 kB\nNode 1 SReclaimable: 4 kB\n"
    )
    return Host(proc=str(tmp_path), sys=str(tmp_path))


@pytest.mark.parametrize(
    ("text", "size_kb"),
    [
        ("2MiB", 2048),
        ("2M", 2048),
        ("2MB", 2048),
        ("2048kB", 2048),
        ("2048 kB", 2048),
        ("2048k", 2048),
        (" 1gib ", 1024**2),
        ("1T", 1024**3),
    ],
)
def test_parse_size(text: str, size_kb: int) -> None:
    assert memory.parse_size(text) == size_kb


@pytest.mark.parametrize("text", ["", "2", "0M", "-2M", "1.5G", "2Mi b", "2MiBs", "M", "2P", "٢M"])
def test_parse_size_refuses(text: str) -> None:
    with pytest.raises(VirtperfError, match="not a size of memory") as caught:
        memory.parse_size(text)
    assert caught.value.facts == {"size": text}
    assert "2MiB" in caught.value.way_out


@given(st.integers(1, 10**9))
def test_a_label_is_exact(size_kb: int) -> None:
    assert memory.parse_size(memory.label(size_kb)) == size_kb


@pytest.mark.parametrize(
    ("size_kb", "text"), [(0, "0kB"), (64, "64kB"), (2048, "2MiB"), (1024**2, "1GiB"), (3 * 1024**2, "3GiB")]
)
def test_label(size_kb: int, text: str) -> None:
    assert memory.label(size_kb) == text


@pytest.mark.parametrize(
    ("size_kb", "text"), [(0, "0 kB"), (1023, "1023 kB"), (1536, "1.5 MiB"), (21 * 2**20, "21.0 GiB")]
)
def test_human(size_kb: int, text: str) -> None:
    assert memory.human(size_kb) == text


def test_memory_of_the_host(host: Host) -> None:
    found = memory.read_memory(host)
    assert found == memory.Memory(900, 300, 500)
    assert found.as_dict() == {"total_kb": 900, "free_kb": 300, "available_kb": 500}
    assert str(found) == "total 900 kB, free 300 kB, available 500 kB"


def test_memory_of_a_node_counts_caches_as_available(host: Host) -> None:
    assert memory.read_memory(host, 1) == memory.Memory(600, 100, 127)


def test_memory_that_is_not_told(host: Host) -> None:
    assert memory.read_memory(host, 7) == memory.Memory(None, None, None)
    assert str(memory.read_memory(host, 7)) == "unknown"


def test_nodes(host: Host, tmp_path: Path) -> None:
    assert memory.nodes(host) == (0, 1)
    assert memory.nodes(Host(sys=str(tmp_path / "none"))) == ()


@pytest.mark.parametrize(
    ("size_kb", "node", "blocks"),
    [
        (2048, None, (1 + 2 * 3) + (121 + 2 * 137) + 5),
        (2048, 0, (1 + 2 * 3) + (121 + 2 * 137)),
        (2048, 1, 5),
        (2048, 2, None),
        (1024**2, None, None),
    ],
)
def test_free_blocks(host: Host, size_kb: int, node: int | None, blocks: int | None) -> None:
    assert memory.free_blocks(host, size_kb, node) == blocks


def test_free_blocks_without_a_count(tmp_path: Path) -> None:
    assert memory.free_blocks(Host(proc=str(tmp_path)), 2048) is None
