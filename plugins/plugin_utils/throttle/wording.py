# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The numbers of a phase as they are shown, the same in the table and the report."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median

from ansible_collections.virtperf.vhost.plugins.plugin_utils.numbers import Number
from ansible_collections.virtperf.vhost.plugins.plugin_utils.throttle.analysis import PhaseSummary, Timeline
from ansible_collections.virtperf.vhost.plugins.plugin_utils.wording import percent, rate

NONE = "-"

Word = Callable[[PhaseSummary], str]


def mbps(phase: PhaseSummary) -> str:
    """812: the median of what arrived."""
    return _shown(phase.mbps, rate)


def mbps_range(phase: PhaseSummary) -> str:
    """790 to 831: from the slowest trial to the fastest."""
    return _range(phase.mbps, rate)


def ratio(phase: PhaseSummary) -> str:
    """0.53, or 0.0006: what arrived against the baseline."""
    return _shown(phase.metric("baseline_ratio"), _ratio)


def worker(phase: PhaseSummary) -> str:
    """93 %: the CPU time of the busiest worker, of one CPU."""
    return _shown(phase.cpu("worker"), percent)


def throttled(phase: PhaseSummary) -> str:
    """100 %: the share of its periods in which the cgroup that fared worst was throttled."""
    return _shown(phase.metric("throttled_ratio"), percent)


def drops(phase: PhaseSummary) -> str:
    """1,204: packets that the taps' queues dropped."""
    return _count(phase, "tap_dropped")


def resent(phase: PhaseSummary) -> str:
    """12: TCP segments that were sent again."""
    return _count(phase, "retransmits")


def limit(phase: PhaseSummary) -> str:
    """worker-throttled, or worker-throttled (2/3) where trials differ."""
    agreeing = sum(record.limit == phase.verdict.limit for record in phase.counted)
    differ = 0 < agreeing < len(phase.counted)
    return phase.verdict.limit + (f" ({agreeing}/{len(phase.counted)})" if differ else "")


def change_bytes(phase: PhaseSummary) -> str:
    """4,101,000: bytes that the client's tap carried for a change of the picture."""
    return _shown(phase.metric("burst_bytes"), _whole)


def change_bytes_range(phase: PhaseSummary) -> str:
    """4,100,768 to 4,101,560: the smallest change of all trials, and the largest."""
    low, high = phase.metric("burst_bytes_low"), phase.metric("burst_bytes_high")
    return f"{_whole(low.low)} to {_whole(high.high)}" if low and high else NONE


def peak(phase: PhaseSummary) -> str:
    """154: the fastest sample, in Mibit/s."""
    return _shown(phase.metric("peak_mibps"), rate)


def made(phase: PhaseSummary) -> str:
    """33: changes of the picture, of all trials."""
    return _sum(phase, "changes_made")


def shown(phase: PhaseSummary) -> str:
    """30: those of them that the client showed."""
    return _sum(phase, "changes_shown")


def skipped(phase: PhaseSummary) -> str:
    """3: those that it never showed, though it showed a later one."""
    return _sum(phase, "changes_skipped")


def pending(phase: PhaseSummary) -> str:
    """2: those that were still on their way when the timeline ended."""
    return _sum(phase, "changes_pending")


def delay(phase: PhaseSummary) -> str:
    """0.31 s: from change to shown."""
    return _shown(phase.metric("change_delay_s"), seconds)


def longest_delay(phase: PhaseSummary) -> str:
    """1.40 s: the longest of all trials."""
    longest = phase.metric("longest_change_delay_s")
    return seconds(longest.high) if longest else NONE


def seconds(value: float) -> str:
    """1.20 s."""
    return f"{value:.2f} s"


STREAM: tuple[tuple[str, Word], ...] = (
    ("ratio", ratio),
    ("worker", worker),
    ("held", throttled),
    ("drops", drops),
    ("resent", resent),
)
PICTURE: tuple[tuple[str, Word], ...] = (
    ("bytes a change", change_bytes),
    ("min to max", change_bytes_range),
    ("peak", peak),
    ("made", made),
    ("shown", shown),
    ("skipped", skipped),
    ("pending", pending),
    ("delay", delay),
    ("longest", longest_delay),
)
# What these columns are called, and what that means.
STREAM_LEGEND = (
    "ratio: to the baseline. worker: CPU time of the busiest vhost worker. held: share of the periods in which the"
    " workers were throttled. drops: packets that the taps' queues dropped. resent: TCP segments."
)
PICTURE_LEGEND = (
    "bytes a change: on the client's tap, with all headers. peak: Mibit/s of the fastest sample. made, shown, skipped,"
    " pending (on their way at the timeline's end): changes of the picture, all trials together. delay: from change to"
    " shown, and the longest."
)


def has_picture(timeline: Timeline) -> bool:
    """Whether the stream showed a picture that changed."""
    return any(phase.metric("bursts") or phase.metric("changes_made") for phase in timeline.phases)


def recovery(timeline: Timeline) -> str:
    """How soon the stream was back after the limit was lifted, in a sentence; "" where no phase shows it."""
    phase = timeline.recovery
    if phase is None:
        return ""
    known = [value for value in phase.back_s if value is not None]
    never = len(phase.back_s) - len(known)
    if not known:
        return f"In {phase.name} 90 % of the baseline never came back."
    spread = f" ({min(known):.2f} to {max(known):.2f})" if len(known) > 1 else ""
    back = f"{seconds(median(known))}{spread} after the limit was lifted"
    words = f"90 % of the baseline was back {back}, in {phase.name}"
    return f"{words}; in {never} of {len(phase.back_s)} trials it never was." if never else f"{words}."


def _ratio(value: float) -> str:
    if 0 < value < 0.00005:
        return "< 0.0001"
    return f"{value:.2f}" if value >= 0.1 else f"{value:.4f}".rstrip("0").rstrip(".")


def _shown(number: Number | None, word: Callable[[float], str]) -> str:
    return word(number.median) if number else NONE


def _range(number: Number | None, word: Callable[[float], str]) -> str:
    return f"{word(number.low)} to {word(number.high)}" if number else NONE


def _count(phase: PhaseSummary, metric: str) -> str:
    return _shown(phase.metric(metric), _whole)


def _sum(phase: PhaseSummary, metric: str) -> str:
    known = [value for record in phase.counted if (value := record.metric(metric)) is not None]
    return _whole(sum(known)) if known else NONE


def _whole(value: float) -> str:
    return f"{value:,.0f}"
