# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All sources of a series together."""

from __future__ import annotations

import os

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.sampler.sources import open_sources
from ansible_collections.virtperf.vhost.plugins.module_utils.sampler.threads import Watched


def test_all_or_nothing() -> None:
    me = Watched("me", os.getpid(), os.getpid())
    before = len(os.listdir("/proc/self/fd"))
    sources = open_sources(Host(), ["lo"], [me], {})
    assert [column[0] for source in sources.all for column in source.columns] == ["net"] * 8 + ["qdisc"] * 3 + [
        "thread"
    ] * 2
    assert sources.threads in sources.all
    for source in sources.all:
        source.close()
    with pytest.raises(VirtperfError, match="cgroup x has no"):
        open_sources(Host(), ["lo"], [me], {"x": "/nowhere"})
    assert len(os.listdir("/proc/self/fd")) == before


def test_without_interfaces_nobody_asks_the_network() -> None:
    assert [len(source.columns) for source in open_sources(Host(proc="/nowhere"), [], [], {}).all] == [0, 0]
