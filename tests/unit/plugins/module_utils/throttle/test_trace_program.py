# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program for bpftrace, from what a kernel has."""

from __future__ import annotations

import re

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.throttle.probes import Probes
from ansible_collections.virtperf.vhost.plugins.module_utils.throttle.trace_program import (
    DROPS,
    FIGURES,
    WANTED,
    write,
)

REASONS = {87: "FULL_RING"}
# A probe at the beginning of a line, or after another one.
PROBE = re.compile(r"(?:^|, )((?:tracepoint|kprobe|kretprobe):[\w:]+)", re.MULTILINE)


def test_all_of_a_kernel_that_has_all() -> None:
    program = write(Probes(frozenset(WANTED), REASONS), 100, [11, 12], [3, 4])
    assert program.absent == {}
    assert set(PROBE.findall(program.text)) == set(WANTED)
    for figure in FIGURES:
        assert f"@{figure.name}[" in program.text
    assert "/args->pid == 11 || args->pid == 12/" in program.text
    assert "/tid == 11 || tid == 12/" in program.text
    assert "$i == 3 || $i == 4" in program.text
    assert program.text.count("/args->pid == 100/") == 2


@pytest.mark.parametrize("missing", [probe for probe in WANTED if "task_rename" not in probe and "exit" not in probe])
def test_what_a_kernel_lacks_is_left_out_with_the_reason(missing: str) -> None:
    program = write(Probes(frozenset(WANTED) - {missing}, REASONS), 100, [11], [3])
    assert missing not in PROBE.findall(program.text)
    wanted = {figure.name for figure in FIGURES if missing in figure.needs}
    assert set(program.absent) == wanted
    for name in wanted:
        assert missing.replace(":", " ", 1) in program.absent[name]
        assert f"@{name}[" not in program.text
    assert program.text.count("{") == program.text.count("}")
    # A map that nobody fills, or that nobody empties, would be of no use, or grow.
    for name in ("woken_at", "off_at", "run_bytes", "awake_bytes"):
        uses = program.text.count(f"@{name}[")
        assert uses == 0 or (uses > 1 and f"delete(@{name}[" in program.text), name


@pytest.mark.parametrize("probe", ["tracepoint:task:task_rename", "tracepoint:sched:sched_process_exit"])
def test_without_a_way_to_tell_phases_and_our_end_there_is_none(probe: str) -> None:
    with pytest.raises(VirtperfError, match=probe.replace(":", " ", 1)):
        write(Probes(frozenset(WANTED) - {probe}, REASONS), 100, [11], [3])


def test_a_kernel_without_reasons_for_drops() -> None:
    program = write(Probes(frozenset(WANTED)), 100, [11], [3])
    assert list(program.absent) == [DROPS]
    assert "kfree_skb" not in program.text
