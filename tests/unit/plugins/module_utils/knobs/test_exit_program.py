# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program that bpftrace runs: what is in it, and what is left out."""

from __future__ import annotations

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.knobs.exit_program import WANTED, write
from ansible_collections.virtperf.vhost.plugins.module_utils.knobs.exit_reasons import name_of
from ansible_collections.virtperf.vhost.plugins.module_utils.throttle.probes import Probes

ALL = Probes(frozenset(WANTED))


def without(*names: str) -> Probes:
    return Probes(frozenset(probe for probe in WANTED if not any(name in probe for name in names)))


def test_all_of_it() -> None:
    program = write(ALL, 99, [4711, 4811], [4730], second_sources=True)
    assert program.absent == {}
    assert "tracepoint:kvm:kvm_exit /@on == 1 && (pid == 4711 || pid == 4811)/" in program.text
    assert "kprobe:handle_tx_kick /@on == 1 && (tid == 4730)/" in program.text
    assert "tracepoint:kvm:kvm_msi_set_irq /pid == 4711 || pid == 4811 || tid == 4730/" in program.text
    assert program.text.count("{") == program.text.count("}")
    printed = [f"print(@{name});" for name in ("exits", "mmio", "fast_mmio", "pio", "msi", "injected", "tx_kicks")]
    assert all(text in program.text.split("tracepoint:task:task_rename")[1] for text in printed)


def test_it_prints_when_it_is_asked_to_and_not_when_a_window_ends() -> None:
    text = write(ALL, 99, [4711], [4730], second_sources=True).text
    at_names = text.split("tracepoint:task:task_rename")[1].splitlines()
    (ends,) = (line for line in at_names if "@on = (uint64)0" in line)
    (shows,) = (line for line in at_names if "print(@exits)" in line)
    assert "print" not in ends
    assert '"virtperf-show"' in shows


def test_of_injected_interrupts_only_those_of_messages() -> None:
    text = write(ALL, 99, [4711], [4730], second_sources=True).text
    (messages,) = (line for line in text.splitlines() if "kvm_msi_set_irq" in line)
    # The vector is learnt outside windows as well: a message's lowest byte.
    assert messages.index("@vector[(uint64)args->data & 0xff] = 1;") < messages.index("if (@on == 1)")
    assert "kvm_inj_virq /@on == 1 && ((pid == 4711) && args->reinjected == 0 && @vector[" in text
    assert "print(@vector)" not in text
    without_messages = write(without("kvm_msi_set_irq"), 99, [1], [], second_sources=True)
    assert without_messages.absent["injected"].endswith("kvm:kvm_msi_set_irq")


def test_what_this_kernel_lacks_is_left_out_with_the_reason() -> None:
    program = write(without("kvm_exit", "handle_rx_kick"), 99, [1], [2], second_sources=True)
    assert program.absent == {
        "exits": "not available: no tracepoint kvm:kvm_exit",
        "rx_kicks": "not available: no kprobe handle_rx_kick",
    }
    for word in ("kvm_exit", "handle_rx_kick", "print(@exits)"):
        assert word not in program.text
    assert "@tx_kicks" in program.text


def test_no_worker_at_all() -> None:
    program = write(ALL, 99, [1], [], second_sources=True)
    assert sorted(program.absent) == ["rx_kicks", "tx_kicks"]
    assert "kvm_msi_set_irq /pid == 1/" in program.text


def test_what_guests_count_themselves_is_counted_here_only_when_that_is_asked_for() -> None:
    program = write(ALL, 99, [4711], [4730], second_sources=False)
    second = ["fast_mmio", "injected", "mmio", "msi", "pio", "rx_kicks", "tx_kicks"]
    assert program.absent == dict.fromkeys(second, "not asked for")
    assert "kvm_exit /@on == 1 && (pid == 4711)/" in program.text
    assert "print(@exits);" in program.text
    for probe in ("kvm_mmio", "kvm_fast_mmio", "kvm_pio", "kvm_msi_set_irq", "kvm_inj_virq", "kprobe"):
        assert probe not in program.text


def test_windows_need_names() -> None:
    with pytest.raises(VirtperfError, match=r"nothing can be counted .*no tracepoint task:task_rename"):
        write(without("task_rename"), 99, [1], [2], second_sources=True)


def test_reasons_have_names() -> None:
    assert [name_of(2, 0x400), name_of(2, 0x78), name_of(1, 12), name_of(1, 48), name_of(2, 9999)] == [
        "npf",
        "hlt",
        "hlt",
        "ept_violation",
        "9999",
    ]
    assert name_of(1, 0x80000000 | 33) == "33", "VMX marks failed entries in a higher bit"
