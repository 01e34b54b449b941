# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the guests do, all of them the same at the same time: names, and what each of them takes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

NETPERF, MEMCACHED, NGINX = "netperf", "memcached", "nginx"
# Seen from the hypervisor: which counter of a tap a stream's bytes are in.
FROM_GUEST, TO_GUEST = "rx_bytes", "tx_bytes"


@dataclass(frozen=True)
class Workload:
    """``test`` is netperf's name of it. ``stream`` is the counter that a stream is counted by; "" for requests, which
    are counted by whoever asks. ``message_bytes`` is what one call of send or recv has, None where the program says.
    """

    name: str
    program: str
    test: str = ""
    stream: str = ""
    message_bytes: int | None = None

    @property
    def is_stream(self) -> bool:
        """Whether it is counted in Mbit/s, and not in transactions."""
        return bool(self.stream)


WORKLOADS: Mapping[str, Workload] = {
    workload.name: workload
    for workload in (
        Workload("tcp_stream_64", NETPERF, "TCP_STREAM", FROM_GUEST, 64),
        Workload("tcp_stream_16k", NETPERF, "TCP_STREAM", FROM_GUEST, 16384),
        Workload("tcp_maerts", NETPERF, "TCP_MAERTS", TO_GUEST, 16384),
        Workload("tcp_rr", NETPERF, "TCP_RR"),
        Workload("udp_rr", NETPERF, "UDP_RR"),
        Workload("memcached", MEMCACHED),
        Workload("nginx", NGINX),
    )
}
# Of the talk that this comes from, and short enough for a coffee.
DEFAULT = ("tcp_stream_64", "tcp_maerts", "tcp_rr", "udp_rr", "memcached", "nginx")

# Debian's packages that the hypervisor needs for each program; the guests' are in their image.
PACKAGES: Mapping[str, tuple[str, ...]] = {
    NETPERF: ("netperf",),
    MEMCACHED: ("libmemcached-tools",),
    NGINX: ("apache2-utils",),
}
# The programs themselves, each by all the names it goes by.
HERE: Mapping[str, tuple[str, ...]] = {
    NETPERF: ("netserver",),
    MEMCACHED: ("memcaslap", "memaslap"),
    NGINX: ("ab",),
}
IN_GUEST: Mapping[str, tuple[str, ...]] = {NETPERF: ("netperf",), MEMCACHED: ("memcached",), NGINX: ("nginx",)}


def programs(names: Iterable[str]) -> list[str]:
    """What these workloads are made with, each once."""
    return list(dict.fromkeys(WORKLOADS[name].program for name in names))


def packages(names: Iterable[str]) -> list[str]:
    """What the hypervisor needs for them."""
    return [package for program in programs(names) for package in PACKAGES[program]]
