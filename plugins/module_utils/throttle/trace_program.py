# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program that bpftrace runs: histograms and counts of vhost workers, kept in the kernel and apart for each phase.

Every map has the number of a phase in its key. The number goes up each time we take our own name anew: the kernel sees
that (``task_rename``) before our call returns, so phases are cut at an instant and not where somebody reads maps.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.throttle.probes import Probes

READY = "ready"
PHASE = "@phase"
# Taking this name ends the program.
END_NAME = "virtperf-end"
_RENAME, _EXIT = "tracepoint:task:task_rename", "tracepoint:sched:sched_process_exit"
_WAKEUP, _SWITCH = "tracepoint:sched:sched_wakeup", "tracepoint:sched:sched_switch"
_DROP = "tracepoint:skb:kfree_skb"
# A worker's handlers ask after each packet whether they had their share, and say what they moved so far.
_PACKET = "kprobe:vhost_exceeds_weight"
# Both end in vhost_signal, which compilers put into them: their calls are counted, and those of vhost_signal beside.
_SIGNAL = "kprobe:vhost_signal"
_ADD = ("kprobe:vhost_add_used_and_signal", "kprobe:vhost_add_used_and_signal_n")
_ADD_ENDS = ("kretprobe:vhost_add_used_and_signal", "kretprobe:vhost_add_used_and_signal_n")
_TX_ENDS = ("kretprobe:handle_tx_kick", "kretprobe:handle_tx_net")
_RX_ENDS = ("kretprobe:handle_rx_kick", "kretprobe:handle_rx_net")


@dataclass(frozen=True)
class Figure:
    """Something that is traced: the map it is in, for each worker (or tap), and the probes that it takes."""

    name: str
    unit: str
    needs: tuple[str, ...]
    is_histogram: bool = True


DROPS = "drops"
FIGURES = (
    Figure("wakeup_delay_us", "µs from a wake-up of the worker until it ran", (_WAKEUP, _SWITCH)),
    Figure("held_us", "µs that the worker could have run on and was kept from it", (_SWITCH,)),
    Figure("tx_run_packets", "packets that a guest sent, a run of the worker's handle_tx", (_PACKET, *_TX_ENDS)),
    Figure("tx_run_bytes", "bytes that a guest sent, a run of the worker's handle_tx", (_PACKET, *_TX_ENDS)),
    Figure("rx_run_packets", "packets to a guest, a run of the worker's handle_rx", (_PACKET, *_RX_ENDS)),
    Figure("rx_run_bytes", "bytes to a guest, a run of the worker's handle_rx", (_PACKET, *_RX_ENDS)),
    Figure("wakeup_packets", "packets, both ways, a wake-up", (_SWITCH, _PACKET, *_TX_ENDS, *_RX_ENDS)),
    Figure("wakeup_bytes", "bytes, both ways, a wake-up", (_SWITCH, _PACKET, *_TX_ENDS, *_RX_ENDS)),
    Figure("signals", "calls of vhost_signal", (_SIGNAL, *_ADD, *_ADD_ENDS), is_histogram=False),
    Figure(DROPS, "packets dropped, by interface, the kernel's reason and its function", (_DROP,), is_histogram=False),
)
WANTED = tuple(dict.fromkeys([_RENAME, _EXIT, *(probe for figure in FIGURES for probe in figure.needs)]))


@dataclass(frozen=True)
class Program:
    """``absent`` are the figures that this kernel cannot give, with the reason."""

    text: str
    absent: Mapping[str, str]


def write(probes: Probes, myself: int, workers: Sequence[int], interfaces: Sequence[int]) -> Program:
    """Of these thread ids and interface indexes, with phases told by the thread ``myself``."""
    if lacking := probes.absent((_RENAME, _EXIT)):
        raise VirtperfError(
            "the vhost workers cannot be traced here", found=lacking, way_out="measure without throttle_trace"
        )
    absent = {figure.name: reason for figure in FIGURES if (reason := probes.absent(figure.needs))}
    if DROPS not in absent and not probes.drop_reasons:
        absent[DROPS] = "not available: this kernel tells no reasons (Linux 5.17 and newer do)"
    have = {figure.name for figure in FIGURES} - set(absent)
    return Program("\n".join(_blocks(have, myself, workers, interfaces)) + "\n", absent)


def _blocks(have: set[str], myself: int, workers: Sequence[int], interfaces: Sequence[int]) -> Iterator[str]:
    yield f'BEGIN {{ {PHASE} = (uint64)0; printf("{READY}\\n"); }}'
    yield f"""{_RENAME} /args->pid == {myself}/ {{
  if (args->newcomm == "{END_NAME}") {{ exit(); }}
  else {{ {PHASE} = {PHASE} + 1; printf("phase %d\\n", {PHASE}); }}
}}"""
    # Whatever becomes of us: no trace without.
    yield f"{_EXIT} /args->pid == {myself}/ {{ exit(); }}"
    if "wakeup_delay_us" in have:
        # What a wake-up leads to counts in the phase of the wake-up.
        yield f"""{_WAKEUP} /{_is("args->pid", workers)}/ {{
  $t = (uint64)args->pid; @woken_at[$t] = nsecs; @woken_in[$t] = {PHASE};
}}"""
    if "held_us" in have:
        yield from _switch(have, workers)
    if have & {"tx_run_bytes", "rx_run_bytes"}:
        yield f"""{_PACKET} /{_is("tid", workers)}/ {{
  @run_packets[(uint64)tid] = arg1 & 0xffffffff; @run_bytes[(uint64)tid] = arg2 & 0xffffffff;
}}"""
    for way, ends in (("tx", _TX_ENDS), ("rx", _RX_ENDS)):
        if f"{way}_run_bytes" in have:
            yield _run_ends(way, ends, workers, "wakeup_bytes" in have)
    if "signals" in have:
        mine, count = _is("tid", workers), f"@signals[{PHASE}, (uint64)tid] = count();"
        yield f"{', '.join(_ADD)} /{mine}/ {{ {count} @adding[(uint64)tid] = 1; }}"
        yield f"{', '.join(_ADD_ENDS)} /{mine}/ {{ @adding[(uint64)tid] = 0; }}"
        yield f"{_SIGNAL} /{mine}/ {{ if (@adding[(uint64)tid] == 0) {{ {count} }} }}"
    if DROPS in have and interfaces:
        yield f"""{_DROP} {{
  $i = (uint64)((struct sk_buff *)args->skbaddr)->dev->ifindex;
  if ({_is("$i", interfaces)}) {{ @{DROPS}[{PHASE}, $i, (uint64)args->reason, ksym(args->location)] = count(); }}
}}"""


def _switch(have: set[str], workers: Sequence[int]) -> Iterator[str]:
    """A worker that goes off its CPU asleep ends a wake-up; one that could go on is held back."""
    delay = awake = ""
    if "wakeup_delay_us" in have:
        delay = """
    if (@woken_at[$n] != 0) {
      @wakeup_delay_us[@woken_in[$n], $n] = hist((nsecs - @woken_at[$n]) / 1000); delete(@woken_at[$n]);
    }"""
    if "wakeup_bytes" in have:
        awake = f"""
    else if (@awake_packets[$p] != 0) {{
      @wakeup_packets[{PHASE}, $p] = hist(@awake_packets[$p]); delete(@awake_packets[$p]);
      @wakeup_bytes[{PHASE}, $p] = hist(@awake_bytes[$p]); delete(@awake_bytes[$p]);
    }}"""
    # Woken while it still ran, it had no delay. States are bits, 0 is able to run; 0x100 stands for preempted. What is
    # not there is not deleted: newer bpftraces print a line each time.
    woken = "if (@woken_at[$p] != 0) { delete(@woken_at[$p]); }" if delay else ""
    yield f"""{_SWITCH} {{
  if ({_is("args->prev_pid", workers)}) {{
    $p = (uint64)args->prev_pid; {woken}
    if ((args->prev_state & 0xff) == 0) {{ @off_at[$p] = nsecs; @off_in[$p] = {PHASE}; }}{awake}
  }}
  if ({_is("args->next_pid", workers)}) {{
    $n = (uint64)args->next_pid;{delay}
    if (@off_at[$n] != 0) {{
      @held_us[@off_in[$n], $n] = hist((nsecs - @off_at[$n]) / 1000); delete(@off_at[$n]);
    }}
  }}
}}"""


def _run_ends(way: str, ends: Sequence[str], workers: Sequence[int], adds_up: bool) -> str:
    awake = "@awake_packets[$t] += @run_packets[$t]; @awake_bytes[$t] += @run_bytes[$t];" if adds_up else ""
    return f"""{", ".join(ends)} /{_is("tid", workers)}/ {{
  $t = (uint64)tid;
  if (@run_packets[$t] != 0) {{
    @{way}_run_packets[{PHASE}, $t] = hist(@run_packets[$t]); @{way}_run_bytes[{PHASE}, $t] = hist(@run_bytes[$t]);
    {awake}
    delete(@run_packets[$t]); delete(@run_bytes[$t]);
  }}
}}"""


def _is(what: str, numbers: Sequence[int]) -> str:
    return " || ".join(f"{what} == {number}" for number in numbers)
