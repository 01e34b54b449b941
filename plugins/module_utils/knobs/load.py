# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What makes the traffic of a trial: iperf3, netperf, or the kernel's own packets. Servers run all through a boot."""

from __future__ import annotations

import re
import signal
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.knobs.addresses import Prepared
from ansible_collections.virtperf.vhost.plugins.module_utils.knobs.places import Place
from ansible_collections.virtperf.vhost.plugins.module_utils.knobs.setup import DUT, Arm, Setup, Workload
from ansible_collections.virtperf.vhost.plugins.module_utils.traffic import netperf
from ansible_collections.virtperf.vhost.plugins.module_utils.traffic.programs import Ended

# Not the port of a server that may run anyway.
IPERF3_PORT = 5301
_KEY = "load"
# How much longer than its window a program would run by itself, if nobody ended it.
_SLACK_S = 5.0
_READY_S = 30.0
# A netperf that is told to end says what it has within this.
_ENDS_S = 2.0
_INTERIM_S = 0.1
# iperf3's server takes one client at a time, and a moment to see that the last one is gone: it turns the next one away
# as busy, or resets its connection.
_TURNED_AWAY = ("busy", "control message", "Connection reset")
_ATTEMPTS = 3
_LISTENS = re.compile(r"^ *\d+: [0-9A-F]+:([0-9A-F]{4}) [0-9A-F:]+ 0A ", re.MULTILINE)


@dataclass(frozen=True)
class Outcome:
    """What a program says of itself: netperf's result, which knows of transactions and latencies."""

    netperf: netperf.Result | None = None


class Load(Protocol):
    """The traffic of one trial."""

    def start(self) -> None:
        """Begin; VirtperfError where it cannot."""

    def fault(self) -> str:
        """Why it does not run any more, "" while it does."""

    def again(self) -> bool:
        """Whether it was worth another attempt, which has begun then."""

    def stop(self) -> Outcome:
        """End it; VirtperfError where it had nothing to say that it had to."""


class Servers:
    """iperf3 and netserver, where the workloads need them."""

    def __init__(self, places: Mapping[str, Place]) -> None:
        self._places = places

    def start(self, setup: Setup) -> None:
        """All of them, and wait until they listen."""
        used = [setup.workloads[trial.workload] for trial in setup.trials]
        wanted = dict.fromkeys((one.kind, one.target) for one in used if one.kind != "pktgen")
        for kind, role in wanted:
            self._places[role].start(kind, server_words(kind))
        for kind, role in wanted:
            self.wait(kind, role)

    def restart(self, kind: str, role: str) -> None:
        """One that still waits for a client that is gone."""
        self._places[role].stop(kind)
        self._places[role].start(kind, server_words(kind))
        self.wait(kind, role)

    def wait(self, kind: str, role: str) -> None:
        """Until it listens; VirtperfError with its last words where it does not."""
        place = self._places[role]
        port = IPERF3_PORT if kind == "iperf3" else netperf.PORT
        limit = time.monotonic() + _READY_S
        while port not in listening(place.command(["cat", "/proc/net/tcp", "/proc/net/tcp6"])):
            ended = place.ended(kind)
            if ended is not None or time.monotonic() > limit:
                said = f"status {ended.status}: {ended.last_words}" if ended else f"nothing on port {port}"
                raise VirtperfError(
                    f"{kind}'s server on {place.name} is not ready",
                    found=said,
                    way_out="see whether it is installed there, and whether its port is free",
                )
            time.sleep(0.1)


def server_words(kind: str) -> list[str]:
    """In the foreground, for us to end it."""
    if kind == "netperf":
        return netperf.server_words()
    return ["iperf3", "--server", "--port", str(IPERF3_PORT), "--interval", "0"]


def listening(text: str) -> set[int]:
    """The ports that somebody listens on, by /proc/net/tcp and tcp6."""
    return {int(port, 16) for port in _LISTENS.findall(text)}


def load(
    workload: Workload, arm: Arm, places: Mapping[str, Place], prepared: Prepared, servers: Servers, seconds: float
) -> Load:
    """For so many seconds at most."""
    if workload.kind == "pktgen":
        return _Packets(workload, arm, places[workload.source], prepared)
    return _Program(workload, arm, places[workload.source], servers, seconds)


class _Program:
    """iperf3's or netperf's client."""

    def __init__(self, workload: Workload, arm: Arm, place: Place, servers: Servers, seconds: float) -> None:
        self._workload, self._arm, self._place, self._servers = workload, arm, place, servers
        self._seconds = seconds + _SLACK_S
        self._attempts = 0

    def start(self) -> None:
        self._attempts += 1
        self._place.start(_KEY, list(self._words()))

    def fault(self) -> str:
        ended = self._place.ended(_KEY)
        return "" if ended is None else self._said(ended)

    def again(self) -> bool:
        ended = self._place.ended(_KEY)
        if ended is None or self._attempts >= _ATTEMPTS or self._workload.kind != "iperf3":
            return False
        said = f"{ended.stdout}{ended.stderr}"
        if not any(words in said for words in _TURNED_AWAY):
            return False
        if self._attempts > 1:
            self._servers.restart(self._workload.kind, self._workload.target)
        self.start()
        return True

    def stop(self) -> Outcome:
        if self._workload.kind == "iperf3":
            self._place.stop(_KEY)
            return Outcome()
        # The alarm that ends its test by itself, sent earlier: it says what it has.
        self._place.nudge(_KEY, signal.SIGALRM)
        try:
            ended = self._place.finish(_KEY, _ENDS_S)
        except VirtperfError:
            ended = self._place.stop(_KEY)
        return Outcome(netperf.parse(ended.stdout, ended.stderr))

    def _said(self, ended: Ended) -> str:
        return (
            f"{self._workload.kind} on {self._place.name} ended with status {ended.status}"
            f" before its window did: {ended.last_words}"
        )

    def _words(self) -> Iterator[str]:
        workload, arm = self._workload, self._arm
        source, target = arm.address(workload.source), arm.address(workload.target)
        if workload.kind == "netperf":
            yield from netperf.words(
                workload.test,
                target,
                self._seconds,
                local=source,
                message_bytes=workload.message_bytes,
                interim_s=_INTERIM_S,
            )
            return
        yield from ("iperf3", "--client", target, "--bind", source, "--port", str(IPERF3_PORT))
        yield from ("--time", f"{self._seconds:.0f}", "--interval", "0")
        if workload.message_bytes is not None:
            yield from ("--length", str(workload.message_bytes))


class _Packets:
    """pktgen in a guest's kernel."""

    def __init__(self, workload: Workload, arm: Arm, place: Place, prepared: Prepared) -> None:
        self._workload, self._arm, self._place, self._prepared = workload, arm, place, prepared

    def start(self) -> None:
        workload, arm = self._workload, self._arm
        via = arm.mac if workload.source == DUT else self._prepared.nics[workload.source]
        mac = arm.mac if workload.target == DUT else self._prepared.macs[workload.target]
        # Nobody answers these packets: a bridge that has not heard of their target sends them everywhere.
        self._place.command(["bash", "-c", f"echo > /dev/udp/{arm.address(workload.target)}/9"])
        self._place.send(
            via=via,
            mac=mac,
            source=arm.address(workload.source),
            destination=arm.address(workload.target),
            packet_size=workload.packet_size,
            pps=workload.rate_pps,
        )

    def fault(self) -> str:
        return ""

    def again(self) -> bool:
        return False

    def stop(self) -> Outcome:
        self._place.hush()
        return Outcome()
