# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The programs of a trial: which of them run where, for each guest the same, and how what they print is read."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.virtperf.vhost.plugins.module_utils.consolidate.setup import Guest, Setup, Trial
from ansible_collections.virtperf.vhost.plugins.module_utils.consolidate.workloads import MEMCACHED, NETPERF
from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.traffic import ab, memcached, netperf
from ansible_collections.virtperf.vhost.plugins.module_utils.traffic.station import Station

MEMCACHED_PORT, NGINX_PORT = 11211, 80


@dataclass(frozen=True)
class Told:
    """What a program says of its guest; None is not its business, or not known.

    One that waits by itself says when it was ready, and when it did begin.
    """

    goodput_mbps: float | None = None
    transactions_per_s: float | None = None
    p50_us: float | None = None
    p99_us: float | None = None
    ready_s: float | None = None
    started_s: float | None = None


@dataclass(frozen=True)
class Load:
    """``read`` makes something of output and errors, or raises VirtperfError.

    A program that ``waits`` for the barrier's instant by itself is started at once.
    """

    guest: str
    key: str
    station: Station
    words: Sequence[str]
    read: Callable[[str, str], Told]
    waits: bool = False


def loads(
    trial: Trial, made: Setup, here: Station, guests: Mapping[str, Station], maker: str, at_s: float, directory: str
) -> list[Load]:
    """Those of all its guests. ``here`` is the hypervisor, ``maker`` what memaslap is called there, ``at_s`` the
    barrier's instant. Files are kept in ``directory``.
    """
    return [
        load
        for guest in made.guests[: trial.guests]
        for load in _of_guest(trial, made, guest, here, guests[guest.name], maker, at_s, directory)
    ]


def _of_guest(
    trial: Trial, made: Setup, guest: Guest, here: Station, there: Station, maker: str, at_s: float, directory: str
) -> list[Load]:
    seconds, nic = made.timing.run_s, guest.nics[trial.policy.nic]
    if trial.workload.program == NETPERF:
        words = netperf.words(
            trial.workload.test,
            made.addresses[trial.policy.nic],
            seconds,
            local=nic.address,
            message_bytes=trial.workload.message_bytes,
        )
        return [Load(guest.name, "netperf", there, words, _netperf)]
    if trial.workload.program == MEMCACHED:
        # Of several CPUs it may use, memaslap takes the host's first one for its thread, whatever that is for, and all
        # of them the same one. So each gets one.
        cpus = made.partition.load_cpus
        cpu = cpus[made.guests.index(guest) % len(cpus)]
        load = memcached.words(maker, nic.address, MEMCACHED_PORT, seconds, made.connections)
        probe = memcached.probe_words(sys.executable, nic.address, MEMCACHED_PORT, at_s, float(seconds))
        return [
            # First, for it takes its time to be ready.
            Load(guest.name, f"probe {guest.name}", here, probe, _probe, waits=True),
            Load(guest.name, f"memaslap {guest.name}", here, ["taskset", "-c", str(cpu), *load], _memcached),
        ]
    url = f"http://{nic.address}:{NGINX_PORT}/"
    words = ab.words(url, seconds, made.connections, f"{directory}/ab-{guest.name}.csv")
    return [Load(guest.name, f"ab {guest.name}", here, words, _ab)]


def _netperf(text: str, errors: str) -> Told:
    result = netperf.parse(text, errors)
    if not result.rate:
        raise VirtperfError("netperf moved nothing", found=" ".join(text.split())[-300:])
    if result.unit.startswith("Trans"):
        return Told(transactions_per_s=result.rate, p50_us=result.p50_us, p99_us=result.p99_us)
    return Told(goodput_mbps=result.rate)


def _memcached(text: str, errors: str) -> Told:
    return Told(transactions_per_s=memcached.parse(text, errors).requests_per_s)


def _probe(text: str, errors: str) -> Told:
    found = memcached.parse_probe(text, errors)
    return Told(p50_us=found.p50_us, p99_us=found.p99_us, ready_s=found.ready_s, started_s=found.started_s)


def _ab(text: str, errors: str) -> Told:
    found = ab.parse(text, errors)
    return Told(transactions_per_s=found.requests_per_s, p50_us=found.p50_us, p99_us=found.p99_us)
