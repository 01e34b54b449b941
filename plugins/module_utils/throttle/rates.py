# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From samples to numbers: rates, bursts, shares. A sample is a counter's value and its instant in seconds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ansible_collections.virtperf.vhost.plugins.module_utils.sampler.source import Reading

# Ethernet, IPv4 and TCP with timestamps: what a frame on a tap has before a stream's bytes. With segmentation offload
# one frame carries up to 64 KiB behind one such header.
HEADER_BYTES = 14 + 20 + 32
# Steps with less than this share of the fastest step's rate, or slower than this in bytes/s, are no part of a burst:
# keep-alives, ARP, a cursor that blinks.
_BURST_SHARE = 0.02
_BURST_LEAST = 100_000.0
# A hair less than a tenth of a second: samples come a little early or late.
_BURST_S = 0.09
# A pause this long ends a burst.
_PAUSE_S = 0.5
# Over how long a rate is averaged when we look for the instant at which a stream is back.
_SMOOTH_S = 0.5


@dataclass(frozen=True)
class Step:
    """From one sample to the next that is known: what a counter grew by."""

    from_s: float
    to_s: float
    grown: int

    @property
    def rate(self) -> float:
        """Per second."""
        return self.grown / (self.to_s - self.from_s)


@dataclass(frozen=True)
class Burst:
    """Steps of traffic between two pauses."""

    from_s: float
    to_s: float
    bytes: int


def steps(times_s: Sequence[float], values: Sequence[Reading]) -> list[Step]:
    """The steps of a counter. Where it goes back (its interface was made anew) there is none."""
    known = [(at_s, value) for at_s, value in zip(times_s, values) if value is not None]
    pairs = zip(known, known[1:])
    return [Step(a[0], b[0], b[1] - a[1]) for a, b in pairs if b[1] >= a[1] and b[0] > a[0]]


def growth(times_s: Sequence[float], values: Sequence[Reading]) -> int | None:
    """What a counter grew by; None where it was not read twice."""
    taken = steps(times_s, values)
    return sum(step.grown for step in taken) if taken else None


def between(times_s: Sequence[float], values: Sequence[Reading], from_s: float, to_s: float) -> int | None:
    """What a counter grew by between two samples; None where it was not read then."""
    known = dict(zip(times_s, values))
    before, after = known.get(from_s), known.get(to_s)
    return None if before is None or after is None else after - before


def per_second(times_s: Sequence[float], values: Sequence[Reading]) -> float | None:
    """The mean rate over all steps."""
    taken = steps(times_s, values)
    seconds = sum(step.to_s - step.from_s for step in taken)
    return sum(step.grown for step in taken) / seconds if seconds else None


def mbps(times_s: Sequence[float], byte_counts: Sequence[Reading]) -> float | None:
    """Mbit/s (10^6 bits) of a byte counter."""
    rate = per_second(times_s, byte_counts)
    return None if rate is None else rate * 8 / 1e6


def peak_mibps(times_s: Sequence[float], byte_counts: Sequence[Reading]) -> float | None:
    """Mibit/s (2^20 bits) of the fastest tenth of a second, or step where samples are rarer: what a stream reaches in a
    burst. A sample that came late is followed by a shorter step, which alone would say more than was.
    """
    fastest = None
    before: list[Step] = []
    for step in steps(times_s, byte_counts):
        before = [*before, step] if before and before[-1].to_s == step.from_s else [step]
        while before[-1].to_s - before[0].to_s >= _BURST_S:  # what is left without the first is long enough
            del before[0]
        seconds = before[-1].to_s - before[0].from_s
        if seconds >= _BURST_S:
            fastest = max(fastest or 0.0, sum(one.grown for one in before) / seconds)
    return None if fastest is None else fastest * 8 / 2**20


def bursts(times_s: Sequence[float], byte_counts: Sequence[Reading]) -> list[Burst]:
    """The bursts of a stream that pauses in between, such as the frames of a window that changes its colour.

    One that the stretch begins or ends in the middle of is left out.
    """
    taken = steps(times_s, byte_counts)
    if not taken:
        return []
    least = max(_BURST_LEAST, _BURST_SHARE * max(step.rate for step in taken))
    found: list[Burst] = []
    for step in taken:
        if step.rate < least:
            continue
        if found and step.from_s - found[-1].to_s < _PAUSE_S:
            found[-1] = Burst(found[-1].from_s, step.to_s, found[-1].bytes + step.grown)
        else:
            found.append(Burst(step.from_s, step.to_s, step.grown))
    begin_s, end_s = taken[0].from_s, taken[-1].to_s
    return [burst for burst in found if burst.from_s - begin_s >= _PAUSE_S and end_s - burst.to_s >= _PAUSE_S]


def reached_s(times_s: Sequence[float], byte_counts: Sequence[Reading], mbps_wanted: float) -> float | None:
    """Seconds from the first sample until the rate over the half second before is what is wanted; None if it never is.

    The samples are those since a change of the limit.
    """
    known = [(at_s, value) for at_s, value in zip(times_s, byte_counts) if value is not None]
    begin = 0
    for end, (at_s, value) in enumerate(known):
        while begin + 1 < end and known[begin + 1][0] <= at_s - _SMOOTH_S:
            begin += 1
        from_s, before = known[begin]
        # A hair less than the stretch asked for: samples come a little early or late.
        if at_s - from_s >= 0.9 * _SMOOTH_S and (value - before) * 8 / 1e6 / (at_s - from_s) >= mbps_wanted:
            return at_s - times_s[0]
    return None


def payload_bytes(byte_count: int, packets: int) -> int:
    """What a TCP stream's frames carried, by the counters of a tap."""
    return max(0, byte_count - HEADER_BYTES * packets)


def ratio(part: float | None, whole: float | None) -> float | None:
    """Their quotient; None where either is not known or there is no whole."""
    return part / whole if part is not None and whole else None
