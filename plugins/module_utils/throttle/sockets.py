# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""TCP sockets as ``ss -tinm`` shows them: retransmits, what the sender waited for, and how full its buffer is."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

# A writer that found its buffer full is woken when a third of it is free (sk_stream_write_space in net/core/stream.c),
# so one that waits most of the time is seen at any level from two thirds on.
_FULL = 2 / 3
_FIRST_LINE = re.compile(r"^(?:tcp\s+)?([A-Z][A-Z0-9-]+)\s+(\d+)\s+(\d+)\s+(\S+)\s+(\S+)")
_MEMORY = re.compile(r"skmem:\(([^)]*)\)")
_MEMORY_PART = re.compile(r"(rb|tb|bl|r|t|f|w|o|d)(\d+)")
# busy:1204ms, rwnd_limited:300ms(24.9%); bytes_sent:5000; retrans:0/17 (now/ever).
_TIMES = re.compile(r"\b(busy|rwnd_limited|sndbuf_limited):(\d+)ms")
_COUNTS = re.compile(r"\b(bytes_sent|bytes_retrans|bytes_acked|bytes_received|segs_out):(\d+)")
_RETRANSMITS = re.compile(r"\bretrans:\d+/(\d+)")


@dataclass(frozen=True)
class Socket:
    """One connection. Bytes and milliseconds are sums since it was made; what ss did not say is 0, memory None.

    ``queued_bytes`` is the memory that data to send takes up, of ``buffer_bytes`` that it may.
    """

    local: str
    peer: str
    receive_queue: int
    send_queue: int
    queued_bytes: int | None
    buffer_bytes: int | None
    bytes_sent: int
    retransmits: int
    busy_ms: int
    rwnd_limited_ms: int
    sndbuf_limited_ms: int

    @property
    def is_full(self) -> bool:
        """Whether who writes to it may be waiting for room."""
        return bool(self.buffer_bytes) and (self.queued_bytes or 0) >= _FULL * (self.buffer_bytes or 0)


@dataclass(frozen=True)
class Look:
    """All sockets at one instant: ``at_s`` is when it came, on the clock of who read it."""

    at_s: float
    sockets: tuple[Socket, ...]


def parse(text: str) -> list[Socket]:
    """The sockets in the output of ``ss -tinm``, with details in the same line (``-O``) or the next."""
    found: list[Socket] = []
    head, details = "", ""
    for line in [*text.splitlines(), ""]:
        if line[:1].isspace():
            details += line
            continue
        found += _socket(head, details)
        head, details = line, ""
    return found


def _socket(head: str, details: str) -> list[Socket]:
    match = _FIRST_LINE.match(head)
    if match is None:  # the heading, or nothing
        return []
    _state, receive_queue, send_queue, local, peer = match.groups()
    said = head[match.end() :] + details
    inside = _MEMORY.search(said)
    memory = {name: int(number) for name, number in _MEMORY_PART.findall(inside.group(1) if inside else "")}
    counts = {name: int(number) for name, number in _TIMES.findall(said) + _COUNTS.findall(said)}
    retransmits = _RETRANSMITS.search(said)
    return [
        Socket(
            local=local,
            peer=peer,
            receive_queue=int(receive_queue),
            send_queue=int(send_queue),
            queued_bytes=memory.get("w"),
            buffer_bytes=memory.get("tb"),
            bytes_sent=counts.get("bytes_sent", 0),
            retransmits=int(retransmits.group(1)) if retransmits else 0,
            busy_ms=counts.get("busy", 0),
            rwnd_limited_ms=counts.get("rwnd_limited", 0),
            sndbuf_limited_ms=counts.get("sndbuf_limited", 0),
        )
    ]


def looks(lines: Iterable[tuple[float, str]], mark: str = "@") -> list[Look]:
    """Outputs of ss one after the other, each ended by a line with the mark; lines come with their instants."""
    found = []
    text: list[str] = []
    for at_s, line in lines:
        if line.strip() == mark:
            found.append(Look(at_s, tuple(parse("\n".join(text)))))
            text = []
        else:
            text.append(line.rstrip("\n"))
    return found


@dataclass(frozen=True)
class Stretch:
    """The busiest connection between two instants. Shares are of the time between its first and last look, 0 to 1;
    ``full_share`` is of the looks. ``retransmits`` are those of all connections.
    """

    looks: int
    retransmits: int
    rwnd_limited_share: float
    sndbuf_limited_share: float
    full_share: float
    buffer_bytes: int | None


def stretch(seen: Sequence[Look], from_s: float, to_s: float) -> Stretch | None:
    """What the looks between two instants say together; None with fewer than two of them that saw a connection."""
    inside = [look for look in seen if from_s <= look.at_s <= to_s and look.sockets]
    if len(inside) < 2:
        return None
    first = {(one.local, one.peer): one for one in inside[0].sockets}
    last = {(one.local, one.peer): one for one in inside[-1].sockets}
    both = [key for key in last if key in first]
    if not both:
        return None
    seconds = inside[-1].at_s - inside[0].at_s
    # The stream, where a test's control connection lies beside it.
    busiest = max(both, key=lambda key: last[key].bytes_sent)
    before, after = first[busiest], last[busiest]
    there = [one for look in inside for one in look.sockets if (one.local, one.peer) == busiest]
    return Stretch(
        looks=len(inside),
        retransmits=sum(last[key].retransmits - first[key].retransmits for key in both),
        rwnd_limited_share=_share(after.rwnd_limited_ms - before.rwnd_limited_ms, seconds),
        sndbuf_limited_share=_share(after.sndbuf_limited_ms - before.sndbuf_limited_ms, seconds),
        full_share=sum(one.is_full for one in there) / len(there),
        buffer_bytes=after.buffer_bytes,
    )


def _share(milliseconds: int, seconds: float) -> float:
    return min(1.0, max(0.0, milliseconds / 1e3 / seconds)) if seconds > 0 else 0.0
