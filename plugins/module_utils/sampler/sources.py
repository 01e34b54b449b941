# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All sources of a series, opened together or not at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.sampler.cgroups import Cgroups
from ansible_collections.virtperf.vhost.plugins.module_utils.sampler.interfaces import Interfaces
from ansible_collections.virtperf.vhost.plugins.module_utils.sampler.qdiscs import Qdiscs
from ansible_collections.virtperf.vhost.plugins.module_utils.sampler.source import Source
from ansible_collections.virtperf.vhost.plugins.module_utils.sampler.threads import Threads, Watched


@dataclass(frozen=True)
class Sources:
    """``threads`` is one of ``all``, apart because it knows who has ended."""

    all: Sequence[Source]
    threads: Threads


def open_sources(
    host: Host, interfaces: Sequence[str], threads: Sequence[Watched], cgroups: Mapping[str, str]
) -> Sources:
    """Interfaces with their queueing disciplines, threads, cgroups; VirtperfError names what is not there."""
    opened: list[Source] = []
    try:
        if interfaces:
            opened.append(Interfaces(host, interfaces))
            opened.append(Qdiscs(interfaces))
        watched = Threads(host, threads)
        opened.append(watched)
        opened.append(Cgroups(cgroups))
    except (VirtperfError, OSError):
        for source in opened:
            source.close()
        raise
    return Sources(opened, watched)
