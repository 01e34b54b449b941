# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program that bpftrace runs all through a boot: it counts while we carry one name, and prints at another.

Taking a name is seen by the kernel (``task_rename``) before our call returns, so that a window is cut at an instant.
Maps are never cleared: what is printed is the sum of all windows so far, and holds still until the next one begins.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.throttle.probes import Probes

READY = "ready"
NOT_ASKED = "not asked for"
# It counts while we have the first of these names (of 15 letters at most), prints at the second and ends at the third.
COUNT_NAME, SHOW_NAME, END_NAME = "virtperf-count", "virtperf-show", "virtperf-end"
SHOWN = "shown"
_RENAME, _GONE = "tracepoint:task:task_rename", "tracepoint:sched:sched_process_exit"
_EXIT, _MSI = "tracepoint:kvm:kvm_exit", "tracepoint:kvm:kvm_msi_set_irq"
_INJECT = "tracepoint:kvm:kvm_inj_virq"
_MMIO, _FAST, _PIO = "tracepoint:kvm:kvm_mmio", "tracepoint:kvm:kvm_fast_mmio", "tracepoint:kvm:kvm_pio"
_TX, _RX = "kprobe:handle_tx_kick", "kprobe:handle_rx_kick"
# kvm_mmio's type of a write; a local APIC's page, which an interrupt's end is written to; the ports that PCI devices
# have begin behind those of a PC's own.
_WRITE, _APIC_PAGE, _FIRST_PCI_PORT = 2, 0xFEE00, 0x1000


@dataclass(frozen=True)
class Figure:
    """Something that is counted: its map, what its keys are, and the probes that it takes.

    ``is_second``: the hypervisor's count of what guests count themselves in any case.
    """

    name: str
    keys: tuple[str, ...]
    needs: tuple[str, ...]
    is_second: bool = True


FIGURES = (
    Figure("exits", ("pid", "isa", "reason"), (_EXIT,), is_second=False),
    Figure("mmio", ("pid",), (_MMIO,)),
    Figure("fast_mmio", ("pid",), (_FAST,)),
    Figure("pio", ("pid",), (_PIO,)),
    Figure("msi", ("pid", "tid"), (_MSI,)),
    # Those that reached the guest: one that is raised while the same one waits is lost in it. None are seen where the
    # processor delivers them by itself (APICv, AVIC).
    Figure("injected", ("pid",), (_MSI, _INJECT)),
    Figure("tx_kicks", ("tid",), (_TX,)),
    Figure("rx_kicks", ("tid",), (_RX,)),
)
WANTED = tuple(dict.fromkeys([_RENAME, _GONE, *(probe for figure in FIGURES for probe in figure.needs)]))


@dataclass(frozen=True)
class Program:
    """``absent`` are the figures that this kernel cannot give, with the reason."""

    text: str
    absent: Mapping[str, str]


def write(probes: Probes, myself: int, vms: Sequence[int], workers: Sequence[int], *, second_sources: bool) -> Program:
    """Of these process ids and thread ids, for the thread ``myself``; VirtperfError where nothing can be counted."""
    if lacking := probes.absent((_RENAME, _GONE)):
        raise VirtperfError("nothing can be counted in this kernel", found=lacking)
    absent = {figure.name: reason for figure in FIGURES if (reason := probes.absent(figure.needs))}
    if not second_sources:
        absent.update({figure.name: NOT_ASKED for figure in FIGURES if figure.is_second})
    elif not workers:
        no_worker = "not available: no vhost worker was named"
        absent.update(dict.fromkeys(("tx_kicks", "rx_kicks"), no_worker))
    have = [figure.name for figure in FIGURES if figure.name not in absent]
    return Program("\n".join(_blocks(have, myself, vms, workers)) + "\n", absent)


def _blocks(have: Sequence[str], myself: int, vms: Sequence[int], workers: Sequence[int]) -> Iterator[str]:
    yield f'BEGIN {{ @on = (uint64)0; @shown = (uint64)0; printf("{READY}\\n"); }}'
    # Whatever becomes of us: no trace without.
    yield f"{_GONE} /args->pid == {myself}/ {{ exit(); }}"
    mine, theirs = _is("pid", vms), _is("tid", workers)
    if "exits" in have:
        yield _block(_EXIT, mine, "@exits[(uint64)pid, (uint64)args->isa, (uint64)args->exit_reason] = count();")
    if "mmio" in have:
        outside = f"args->type == {_WRITE} && (args->gpa >> 12) != {_APIC_PAGE}"
        yield _block(_MMIO, f"({mine}) && {outside}", "@mmio[(uint64)pid] = count();")
    if "fast_mmio" in have:
        yield _block(_FAST, mine, "@fast_mmio[(uint64)pid] = count();")
    if "pio" in have:
        yield _block(
            _PIO, f"({mine}) && args->rw == 1 && args->port >= {_FIRST_PCI_PORT}", "@pio[(uint64)pid] = count();"
        )
    # A kernel thread that raises an interrupt is no thread of its VM.
    either = " || ".join(part for part in (mine, theirs) if part)
    if "msi" in have:
        # A message's lowest byte is the vector, learnt outside windows too. Timers and the like have others. It is
        # written down once: writing to a map takes a lock and a new element.
        vector = "@vector[(uint64)args->data & 0xff]"
        learn = f"if ({vector} == 0) {{ {vector} = 1; }} " if "injected" in have else ""
        count = "@msi[(uint64)pid, (uint64)tid] = count();"
        yield f"{_MSI} /{either}/ {{ {learn}if (@on == 1) {{ {count} }} }}"
    if "injected" in have:
        new = "args->reinjected == 0 && @vector[(uint64)args->vector] == 1"
        yield _block(_INJECT, f"({mine}) && {new}", "@injected[(uint64)pid] = count();")
    for name, probe in (("tx_kicks", _TX), ("rx_kicks", _RX)):
        if name in have:
            yield _block(probe, theirs, f"@{name}[(uint64)tid] = count();")
    shown = " ".join(f"print(@{name});" for name in have)
    # Printing comes after all that is counted, so that every map is known by then.
    yield f"""{_RENAME} /args->pid == {myself}/ {{
  if (args->newcomm == "{END_NAME}") {{ exit(); }}
  else if (args->newcomm == "{COUNT_NAME}") {{ @on = (uint64)1; }}
  else {{ @on = (uint64)0; }}
  if (args->newcomm == "{SHOW_NAME}") {{ @shown = @shown + 1; {shown} printf("{SHOWN} %d\\n", @shown); }}
}}"""


def _block(probe: str, of: str, action: str) -> str:
    return f"{probe} /@on == 1 && ({of})/ {{ {action} }}"


def _is(what: str, numbers: Sequence[int]) -> str:
    return " || ".join(f"{what} == {number}" for number in numbers)
