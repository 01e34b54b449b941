# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be traced, on directories that only pretend to be a kernel's."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.throttle.probes import Probes, look
from ansible_collections.virtperf.vhost.plugins.module_utils.throttle.trace_program import WANTED

KALLSYMS = """\
0000000000000000 T vhost_signal\t[vhost]
0000000000000000 T vhost_exceeds_weight\t[vhost]
0000000000000000 T vhost_add_used_and_signal\t[vhost]
0000000000000000 T vhost_add_used_and_signal_n\t[vhost]
0000000000000000 t handle_tx_kick\t[vhost_net]
0000000000000000 d handle_rx_kick\t[vhost_net]
0000000000000000 r __ksymtab_vhost_signal\t[vhost]
"""
FORMAT = 'print fmt: "reason: %s", __print_symbolic(REC->reason, { 2, "NOT_SPECIFIED" }, { 87, "FULL_RING" })'


def traceable(base: Path, events: str = "sys/kernel/tracing/events") -> Host:
    """A host with all that bpftrace takes, without those functions that have no line in KALLSYMS."""
    for probe in WANTED:
        kind, _colon, name = probe.partition(":")
        if kind == "tracepoint":
            (base / events / name.replace(":", "/")).mkdir(parents=True)
    (base / events / "skb/kfree_skb/format").write_text(FORMAT)
    (base / "sys/kernel/btf").mkdir(parents=True)
    (base / "sys/kernel/btf/vmlinux").touch()
    (base / "sys/bus/event_source/devices/kprobe").mkdir(parents=True)
    (base / "proc").mkdir()
    (base / "proc/kallsyms").write_text(KALLSYMS)
    return Host(proc=str(base / "proc"), sys=str(base / "sys"), run=str(base / "run"), state=str(base / "state"))


@pytest.fixture(autouse=True)
def able(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(os, "geteuid", lambda: 0)


@pytest.mark.parametrize("events", ["sys/kernel/tracing/events", "sys/kernel/debug/tracing/events"])
def test_what_is_there(tmp_path: Path, events: str) -> None:
    found = look(traceable(tmp_path, events), WANTED)
    assert found.drop_reasons == {2: "NOT_SPECIFIED", 87: "FULL_RING"}
    assert {probe for probe in WANTED if probe.startswith("tracepoint:")} <= found.available
    assert {probe for probe in found.available if not probe.startswith("tracepoint:")} == {
        "kprobe:vhost_signal",
        "kprobe:vhost_exceeds_weight",
        "kretprobe:handle_tx_kick",
        *(f"{kind}:vhost_add_used_and_signal{which}" for kind in ("kprobe", "kretprobe") for which in ("", "_n")),
    }


def test_a_kernel_without_kprobes_has_its_functions_in_vain(tmp_path: Path) -> None:
    host = traceable(tmp_path)
    (tmp_path / "sys/bus/event_source/devices/kprobe").rmdir()
    found = look(host, WANTED)
    assert all(probe.startswith("tracepoint:") for probe in found.available)
    assert found.absent(["kprobe:vhost_signal"]) == "not available: no kprobe vhost_signal"


def test_what_is_absent_is_named() -> None:
    probes = Probes(frozenset({"kprobe:a"}))
    assert probes.absent(["kprobe:a"]) == ""
    assert probes.absent(["kprobe:a", "kprobe:b", "tracepoint:c:d"]) == "not available: no kprobe b, no tracepoint c:d"


def test_all_that_is_missing_is_said_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(VirtperfError) as caught:
        look(Host(proc=str(tmp_path), sys=str(tmp_path)), WANTED)
    text = str(caught.value)
    for what in ("no program bpftrace", "user 1000, not root", "no tracefs that can be read", "no BTF"):
        assert what in text
    for way_out in (
        "install bpftrace",
        "become root",
        "mount -t tracefs",
        "CONFIG_DEBUG_INFO_BTF",
        "without throttle_",
    ):
        assert way_out in text.split("Way out: ")[1]


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("sys/kernel/tracing/events", "no tracefs that can be read"),
        ("sys/kernel/btf/vmlinux", "no BTF of the kernel's"),
    ],
)
def test_one_that_is_missing_is_enough(tmp_path: Path, path: str, found: str) -> None:
    host = traceable(tmp_path)
    (tmp_path / path).rename(tmp_path / "elsewhere")
    with pytest.raises(VirtperfError) as caught:
        look(host, WANTED)
    assert caught.value.found == found
