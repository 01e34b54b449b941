# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Starting a pktgen-dpdk: checked before anything is touched, written down before it is done."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from ansible_collections.virtperf.vhost.plugins.module_utils import processes
from ansible_collections.virtperf.vhost.plugins.module_utils.dpdk import memory
from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.journal import Journal
from ansible_collections.virtperf.vhost.plugins.module_utils.pktgen.definition import Definition
from ansible_collections.virtperf.vhost.plugins.module_utils.pktgen.instance import Instance, executable


def check(host: Host, definition: Definition) -> None:
    """Refuse what cannot work."""
    executable()
    allowed = processes.allowed_cpus()
    missing = sorted({*definition.cpus, definition.main_cpu} - allowed)
    if missing:
        raise VirtperfError(
            f"pktgen {definition.name} cannot run on CPU {', '.join(map(str, missing))}",
            found=f"this host lets us use {sorted(allowed)}",
            way_out="choose among those",
        )
    memory.check(
        host,
        definition.huge_dir,
        definition.numa_node,
        definition.memory_mib,
        # What one of its name holds goes before it starts.
        Instance(host, definition.name).hugepage_bytes(),
        f"pktgen {definition.name}",
    )


def start(host: Host, journal: Journal, definition: Definition) -> Instance:
    """Start it, in place of one of its name."""
    check(host, definition)
    instance = Instance(host, definition.name)
    instance.stop()
    instance.forget()
    journal.append("pktgen", name=definition.name)
    instance.start(definition)
    return instance


def undo_pktgen(host: Host, undo: Mapping[str, Any]) -> str:
    """Stop the instance that a journal entry names and remove its files."""
    instance = Instance(host, str(undo["name"]))
    if not os.path.isdir(instance.directory):
        return ""
    how = instance.stop()
    instance.forget()
    return f"stopped pktgen {instance.name} ({how})" if how else f"removed the files of pktgen {instance.name}"
