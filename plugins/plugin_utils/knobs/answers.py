# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A line for each question of the KVM wiki's list that the run asked, with the numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.virtperf.vhost.plugins.plugin_utils.knobs import wording as words
from ansible_collections.virtperf.vhost.plugins.plugin_utils.knobs.analysis import Comparison, KnobCell, Screening
from ansible_collections.virtperf.vhost.plugins.plugin_utils.knobs.catalogue import KNOBS
from ansible_collections.virtperf.vhost.plugins.plugin_utils.knobs.gone import GoneLevel
from ansible_collections.virtperf.vhost.plugins.plugin_utils.knobs.metrics import (
    CPU,
    INTERRUPTS,
    KICKS,
    METRICS,
)
from ansible_collections.virtperf.vhost.plugins.plugin_utils.wording import level, one_line


@dataclass(frozen=True, slots=True)
class Figure:
    """A number that a question asks for. ``form`` has its place, ``of`` makes it from the metric's median."""

    metric: str
    form: str
    of: Callable[[float], float] = float


def _per(value: float) -> float:
    """Packets for one event, from events for one packet."""
    return 1 / value if value else float("inf")


def _thousand(value: float) -> float:
    return 1000 * value


_PER_INTERRUPT = Figure(INTERRUPTS, "an interrupt per N packets, N = {}", _per)
_PER_KICK = Figure(KICKS, "a kick per N packets, N = {}", _per)
_STOPS = Figure("queue_stops", "queue full and stopped {} times")
_TAP_DROPS = Figure("tap_drops", "the tap dropped {} packets")
_CORES = Figure(CPU, "{} cores busy")
_PER_CPU = Figure("mbps_per_cpu", "{} Mbit/s per CPU")
_RX_KICKS = Figure("rx_kicks_per_packet", "{} kicks for buffers per 1,000 packets", _thousand)
_TX_INTERRUPTS = Figure("tx_interrupts_per_packet", "{} transmit interrupts per 1,000 packets", _thousand)
_LATENCY = Figure("latency_p50_us", "median latency {} us")

# What each knob's question asks for beside the effect on what its workload is about.
FIGURES: Mapping[str, Sequence[Figure]] = {
    "vhost": (_CORES, _LATENCY),
    "mrg_rxbuf": (_RX_KICKS, _PER_CPU),
    "event_idx": (_PER_KICK, _PER_INTERRUPT),
    "indirect_desc": (_STOPS,),
    "vectors": (_PER_INTERRUPT,),
    "tx": (_PER_KICK, _LATENCY),
    "txtimer": (_PER_KICK,),
    "txburst": (_PER_KICK,),
    "rx_queue_size": (_TAP_DROPS,),
    "tx_queue_size": (_STOPS,),
    "sndbuf": (_STOPS, _CORES),
    "txqueuelen": (_TAP_DROPS,),
    "zcopytx": (_CORES,),
    "counters": (_CORES,),
    "csum": (_PER_CPU,),
    "gso": (_PER_CPU,),
    "guest_tso4": (_PER_CPU,),
    "host_tso4": (_PER_CPU,),
    "macvtap": (_CORES,),
    "bridge_nf": (_CORES,),
    "poll_us": (_PER_KICK, _CORES),
    "napi_tx": (_TX_INTERRUPTS,),
    "queues": (_CORES,),
}


@dataclass(frozen=True, slots=True)
class Answer:
    """A question, and what the run says to it, one line a workload."""

    knob: str
    question: str
    lines: Sequence[str]
    note: str


def answers(screening: Screening, gone: Sequence[GoneLevel]) -> list[Answer]:
    """The answers, in the order of the list, then those about what is not in it (two knobs that were crossed)."""
    # A knob of which nothing is left has no cells, or skipped ones only.
    asked = {*screening.by_knob, *(one.knob for one in gone)}
    order = [name for name in KNOBS if name in asked] + [name for name in screening.by_knob if name not in KNOBS]
    return [_answer(screening, knob, [one for one in gone if one.knob == knob]) for knob in order]


def gone_of(definition: Mapping[str, Any], host: str) -> list[GoneLevel]:
    """What a definition names as no longer there on a host, each once."""
    found = [
        GoneLevel(*(level(entry.get(key) or "") for key in ("knob", "level", "since", "replaced_by")))
        for entry in definition.get("gone") or ()
        if entry.get("host", host) == host
    ]
    return list(dict.fromkeys(found))


def _answer(screening: Screening, knob: str, gone: Sequence[GoneLevel]) -> Answer:
    known = KNOBS.get(knob)
    lines = [line for comparison in screening.by_knob.get(knob, ()) for line in _lines(comparison)]
    lines += [f"{f'{one.level}: ' if one.level else ''}{one.reason}" for one in gone]
    return Answer(
        knob=knob,
        question=known.question if known else f"What do {one_line(knob)} do together?",
        lines=lines or [f"not measured{_why(screening, knob)}"],
        note=known.note if known else "",
    )


def _lines(comparison: Comparison) -> Iterator[str]:
    """udp_out, on -> off: an interrupt per N packets, N = 12.0 -> 3.1 (matters); pps x 0.98 (0.95 to 1.01), matters."""
    effect = comparison.effect
    parts = [part for figure in FIGURES.get(comparison.variant.knob, ()) if (part := _figure(comparison, figure))]
    title = METRICS[comparison.primary].title
    if effect is None:
        parts.append(f"{title} {words.verdict_in_full(comparison)}")
    else:
        sign = "x " if effect.is_ratio else ""
        told = f"{title} {sign}{words.value(effect)} ({words.interval(effect)}), {effect.verdict}"
        parts.append(f"{told} ({words.more_pairs(effect)})" if words.more(effect) else told)
    yield f"{comparison.variant.workload}, {comparison.change}: {'; '.join(parts)}"


def _figure(comparison: Comparison, figure: Figure) -> str:
    """The number of both levels, and whether the difference counts; "" where there is none."""
    both = [_number(cell, figure) for cell in (comparison.baseline, comparison.variant)]
    effect = comparison.effects.get(figure.metric)
    if "" in both or effect is None:
        return ""
    return f"{figure.form.format(' -> '.join(both))} ({effect.verdict})"


def _number(cell: KnobCell | None, figure: Figure) -> str:
    number = cell.metric(figure.metric) if cell else None
    if number is None:
        return ""
    made = figure.of(number.median)
    return "none" if made == float("inf") else words.amount(made)


def _why(screening: Screening, knob: str) -> str:
    """Why no cell of a knob has anything to say."""
    cells = [cell for cell in screening.cells if cell.knob == knob]
    reasons = dict.fromkeys(reason for cell in cells for reason in ([cell.skipped] if cell.skipped else cell.reasons))
    return f": {'; '.join(reasons)}" if reasons else ""
