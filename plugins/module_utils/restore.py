# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The journal, backwards: each resource undone by its own module, whatever is left kept for the next attempt."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.virtperf.vhost.plugins.module_utils.dpdk.manager import undo_testpmd
from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.guest_access.keys import undo_guest_keys
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.hugepages import undo_pool
from ansible_collections.virtperf.vhost.plugins.module_utils.hugetlbfs import undo_mount
from ansible_collections.virtperf.vhost.plugins.module_utils.journal import Entry, Journal
from ansible_collections.virtperf.vhost.plugins.module_utils.kernel_module.manager import undo_kernel_module
from ansible_collections.virtperf.vhost.plugins.module_utils.kernel_setting import undo_kernel_setting
from ansible_collections.virtperf.vhost.plugins.module_utils.lab_network.manager import undo_lab_network
from ansible_collections.virtperf.vhost.plugins.module_utils.libvirt_domain.manager import undo_domain
from ansible_collections.virtperf.vhost.plugins.module_utils.pci.bind import undo_pci_driver
from ansible_collections.virtperf.vhost.plugins.module_utils.pinning.pinner import undo_pins
from ansible_collections.virtperf.vhost.plugins.module_utils.pktgen.manager import undo_pktgen
from ansible_collections.virtperf.vhost.plugins.module_utils.processes import undo_process
from ansible_collections.virtperf.vhost.plugins.module_utils.qemu.manager import undo_vm
from ansible_collections.virtperf.vhost.plugins.module_utils.service_state import undo_service_state
from ansible_collections.virtperf.vhost.plugins.module_utils.stream_end.manager import undo_stream_end
from ansible_collections.virtperf.vhost.plugins.module_utils.throttle.limiter import undo_cpu_max
from ansible_collections.virtperf.vhost.plugins.module_utils.vhost_cgroup.manager import undo_vhost_cgroup

Undo = Callable[[Host, Mapping[str, Any]], str]
UNDO: dict[str, Undo] = {
    "process": undo_process,
    "testpmd": undo_testpmd,
    "hugetlbfs": undo_mount,
    "hugepages": undo_pool,
    "vcpu_pin": undo_pins,
    "pci_driver": undo_pci_driver,
    "qemu_vm": undo_vm,
    "libvirt_domain": undo_domain,
    "pktgen": undo_pktgen,
    "guest_keys": undo_guest_keys,
    "cpu_max": undo_cpu_max,
    "vhost_cgroup": undo_vhost_cgroup,
    "kernel_module": undo_kernel_module,
    "kernel_setting": undo_kernel_setting,
    "service_state": undo_service_state,
    "stream_end": undo_stream_end,
    "lab_network": undo_lab_network,
}


@dataclass
class Outcome:
    """What a restore did, in plain words, and what it could not do."""

    actions: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


def replay(host: Host) -> Outcome:
    """Undo every entry, newest first. One that fails stays in the journal; the others are undone all the same.

    Processes that make changes come before all else. Idempotent, and safe to be killed: entries are forgotten only
    after all were tried.
    """
    outcome = Outcome()
    if not os.path.isdir(host.state):
        return outcome
    with open(os.path.join(host.state, "restore.lock"), "w", encoding="utf-8") as gate:
        # A guard and a restore by hand may come at the same time: one of them waits and finds nothing left to do.
        fcntl.flock(gate, fcntl.LOCK_EX)
        _replay(host, outcome)
    return outcome


def _replay(host: Host, outcome: Outcome) -> None:
    journal = Journal(host)
    undone: set[int] = set()
    # Again and again, for a run that is being stopped may still have made a change.
    while not outcome.failures and (left := [entry for entry in journal.entries() if entry.number not in undone]):
        # Before all else whoever makes the changes: a sweep starts anew what ends beneath it.
        for entry in sorted(left, key=lambda entry: (entry.resource == "process", entry.number), reverse=True):
            try:
                action = _undo(host, entry)
            except (VirtperfError, OSError, ValueError, TypeError, KeyError) as error:
                outcome.failures.append(f"{entry.resource}: {error}")
            else:
                undone.add(entry.number)
                outcome.actions += [action] if action else []
    journal.keep_only([entry for entry in journal.entries() if entry.number not in undone])
    if not outcome.failures and os.path.isdir(host.run):
        try:
            shutil.rmtree(host.run)
        except OSError as error:
            outcome.failures.append(f"directory {host.run}: {error}")
        else:
            outcome.actions.append(f"removed {host.run}")


def _undo(host: Host, entry: Entry) -> str:
    undo = UNDO.get(entry.resource)
    if undo is None:
        raise VirtperfError(
            f"this version does not know how to undo it (run {entry.run_id}, {dict(entry.undo)})",
            way_out="restore with the version that made it",
        )
    return undo(host, entry.undo)


def pending(host: Host) -> list[str]:
    """What a restore would look at, newest first, in plain words."""
    entries = [f"{entry.resource} {dict(entry.undo)}" for entry in reversed(Journal(host).entries())]
    return [*entries, *([f"directory {host.run}"] if os.path.isdir(host.state) and os.path.isdir(host.run) else [])]
