# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Counters of interfaces out of /proc/net/dev."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.sampler.interfaces import COUNTERS, Interfaces, parse

HEADINGS = """\
Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier
"""
LO = "    lo: 11 1 2 3 4 5 6 7 12 1 0 0 0 0 0 0\n"
# Without a blank behind the colon, as kernels print counters of eight digits and more.
TAP = "  tap0:99999999999 200 3 4 0 0 0 0 88888888888 100 5 6 0 0 0 0\n"


def write(tmp_path: Path, text: str) -> Host:
    (tmp_path / "net").mkdir(exist_ok=True)
    (tmp_path / "net" / "dev").write_text(HEADINGS + text)
    return Host(proc=str(tmp_path))


def test_every_counter_in_its_column(tmp_path: Path) -> None:
    source = Interfaces(write(tmp_path, LO + TAP), ["tap0", "lo"])
    assert dict(zip(source.columns[:8], source.read()[:8], strict=True)) == {
        ("net", "tap0", "rx_bytes"): 99999999999,
        ("net", "tap0", "rx_packets"): 200,
        ("net", "tap0", "rx_errors"): 3,
        ("net", "tap0", "rx_dropped"): 4,
        ("net", "tap0", "tx_bytes"): 88888888888,
        ("net", "tap0", "tx_packets"): 100,
        ("net", "tap0", "tx_errors"): 5,
        ("net", "tap0", "tx_dropped"): 6,
    }
    assert source.columns[8] == ("net", "lo", "rx_bytes")
    source.close()


def test_one_that_goes_away_is_none_and_the_others_stay(tmp_path: Path) -> None:
    source = Interfaces(write(tmp_path, LO + TAP), ["lo", "tap0"])
    write(tmp_path, LO)
    assert source.read() == [11, 1, 2, 3, 12, 1, 0, 0] + [None] * 8


def test_one_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(VirtperfError, match=r"there is no network interface tap1, tap2 \(found: lo, tap0\)"):
        Interfaces(write(tmp_path, LO + TAP), ["tap1", "tap0", "tap2"])


names = st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters=":"), min_size=1, max_size=15)
fields = st.lists(st.integers(0, 2**64 - 1), min_size=16, max_size=16)


@given(st.dictionaries(names, fields, max_size=5))
def test_whatever_there_is_comes_back(interfaces: dict[str, list[int]]) -> None:
    text = HEADINGS + "".join(f"{name:>6}: {' '.join(map(str, row))}\n" for name, row in interfaces.items())
    found = parse(text.encode())
    assert {name.decode(): len(row) for name, row in found.items()} == dict.fromkeys(interfaces, len(COUNTERS))
    assert all(found[name.encode()] == (*row[:4], *row[8:12]) for name, row in interfaces.items())
