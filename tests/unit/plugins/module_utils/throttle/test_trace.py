# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""bpftrace beside a timeline. One that only pretends prints what a real one printed."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils import processes
from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.throttle import trace
from ansible_collections.virtperf.vhost.plugins.module_utils.throttle.phases import parse
from ansible_collections.virtperf.vhost.plugins.module_utils.throttle.pump import Pump
from ansible_collections.virtperf.vhost.plugins.module_utils.throttle.setup import Setup, setup
from ansible_collections.virtperf.vhost.plugins.module_utils.throttle.timeline import PhaseRun
from ansible_collections.virtperf.vhost.plugins.module_utils.throttle.trace import Trace, Tracer, prepare, words
from ansible_collections.virtperf.vhost.tests.unit.plugins.module_utils.throttle.test_probes import traceable
from ansible_collections.virtperf.vhost.tests.unit.plugins.module_utils.throttle.test_study import raw
from ansible_collections.virtperf.vhost.tests.unit.plugins.module_utils.throttle.test_study import run as run_study

# Counts the names that are taken, as the kernel would; these come through a file. MAPS are printed at the end.
FAKE = """\
import json, sys, time
def said(text):
    print(json.dumps({{"type": "printf", "data": text + "\\n"}}), flush=True)
{before}
said("ready")
names = open({names!r})
phase = 0
while True:
    name = names.readline()
    if not name:
        time.sleep(0.01)
    elif name == "virtperf-end\\n":
        break
    else:
        phase += 1
        said(f"phase {{phase}}")
phase += {lost}
print({maps!r}.replace("PHASE", str(phase)), flush=True)
"""
MAPS = """\
{"type": "map", "data": {"@phase": PHASE}}
{"type": "map", "data": {"@signals": {"2,41": 5, "3,41": 2}}}
{"type": "map", "data": {"@drops": {"3,1,87,tun_net_xmit": 700}}}
{"type": "hist", "data": {"@wakeup_delay_us": {"2,41": [{"min": 4, "max": 7, "count": 9}], "3,41": [\
{"min": 1, "max": 1, "count": 1}, {"min": 2, "max": 3, "count": 0}, {"min": 524288, "max": 1048575, "count": 3}]}}}"""


class Limiter:
    """Sets nothing."""

    def set(self, cpu_max: str) -> str:
        return cpu_max

    def restore(self) -> None:
        """Nothing to put back."""


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    host = traceable(tmp_path)
    (tmp_path / "sys/class/net/lo").mkdir(parents=True)
    (tmp_path / "sys/class/net/lo/ifindex").write_text("1\n")
    return host


@pytest.fixture
def bpftrace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Puts one that pretends into the path."""
    names = tmp_path / "names"
    names.touch()

    def take(name: str) -> None:
        with names.open("a") as file:
            file.write(f"{name}\n")

    def install(before: str = "", lost: int = 0, maps: str = MAPS) -> None:
        program = tmp_path / "bin" / "bpftrace"
        program.parent.mkdir()
        text = FAKE.format(before=before, names=str(names), lost=lost, maps=maps)
        program.write_text(f"#!{sys.executable}\n{text}")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
        monkeypatch.setattr(processes, "name_myself", take)

    return install


def made(**changes: Any) -> Setup:
    worker = {"label": "guest1/worker", "role": "worker", "pid": 40, "tid": 41}
    return setup(raw(cgroups={"w": "/w"}, threads=[worker], trace=True, **changes))


def traced(host: Host, tmp_path: Path, **changes: Any) -> Trace:
    with Pump() as pump:
        tracer = Tracer(host, pump, made(**changes))
        limiter = tracer.cutting(Limiter())
        assert limiter.set("max 100000") == "max 100000"
        limiter.set("1000 1000000")
        limiter.restore()
        found = tracer.finish(0.0, str(tmp_path / "raw.jsonl"))
        assert all(child.status is not None for child in pump.children[:1])
    return found


def run_of(name: str) -> PhaseRun:
    (phase,) = parse([{"name": name, "seconds": 1}])
    return PhaseRun(phase, 0.0, 0.0, 1.0, "max 100000")


def test_each_phase_has_what_was_counted_in_it(host: Host, tmp_path: Path, bpftrace: Callable[..., None]) -> None:
    bpftrace()
    found = traced(host, tmp_path)
    assert found.problem == ""
    first, second = (found.of(number, run_of("x")) for number in (0, 1))
    assert first["counts"] == {"signals": {"guest1/worker": 5}}
    assert first["histograms"]["wakeup_delay_us"] == {"guest1/worker": [[4, 7, 9]]}
    assert first["drops"] == []
    assert first["histograms"]["held_us"] == {"guest1/worker": []}
    assert second["drops"] == [{"interface": "lo", "reason": "FULL_RING", "where": "tun_net_xmit", "packets": 700}]
    assert second["histograms"]["wakeup_delay_us"] == {"guest1/worker": [[1, 1, 1], [524288, 1048575, 3]]}
    assert second["units"]["wakeup_delay_us"].startswith("µs ")
    assert second["absent"]["rx_run_bytes"] == "not available: no kretprobe handle_rx_kick, no kretprobe handle_rx_net"
    assert "rx_run_bytes" not in second["histograms"]
    assert second["absent"]["retransmits"] == "not available: no TCP connection of the sender's is watched"
    assert words(second) == (
        "traced: guest1/worker ran 524288 to 1048575 µs after half of its wake-ups, 1048575 at the most;"
        " lo dropped 700 for FULL_RING in tun_net_xmit"
    )
    assert words(found.of(7, run_of("x"))) == ""
    lines = [json.loads(line) for line in (tmp_path / "raw.jsonl").read_text().splitlines()]
    assert (lines[0]["type"], lines[-1]["type"]) == ("program", "hist")


def test_what_it_printed_is_not_worth_a_trial(host: Host, tmp_path: Path, bpftrace: Callable[..., None]) -> None:
    bpftrace()
    (tmp_path / "raw.jsonl").mkdir()
    found = traced(host, tmp_path)
    assert found.absent["raw"].startswith("not kept: ")
    assert found.of(0, run_of("x"))["counts"] == {"signals": {"guest1/worker": 5}}


def test_what_the_sender_s_tcp_sent_again(host: Host, tmp_path: Path, bpftrace: Callable[..., None]) -> None:
    bpftrace()
    client = {"name": "guest2", "interfaces": ["lo"], "sockets": ["dport", "=", ":1"]}
    found = traced(host, tmp_path, client=client, socket_seconds=0.1)
    assert "retransmits" not in found.absent
    seen = found.looks[0]
    assert found.of(0, run_of("x"))["absent"]["retransmits"] == "not available: no two looks at the sender's counters"
    later = trace.retransmits.Look(seen.at_s + 1, {**seen.counters, "TCPTimeouts": seen.counters["TCPTimeouts"] + 4})
    (phase,) = parse([{"name": "x", "seconds": 1}])
    run = PhaseRun(phase, seen.at_s + 0.5, seen.at_s + 0.5, seen.at_s + 1.5, "max 100000")
    counted = Trace(found.prepared, found.absent, found.parts, [seen, later]).of(0, run)["retransmits"]
    assert (counted["TCPTimeouts"], counted["RetransSegs"]) == (4, 0)


def test_an_end_that_tells_no_counters(host: Host, tmp_path: Path, bpftrace: Callable[..., None]) -> None:
    bpftrace()
    client = {"name": "guest2", "through": ["sh", "-c", "echo cut off >&2; exit 255"], "sockets": ["dport", "=", ":1"]}
    found = traced(host, tmp_path, client=client)
    assert found.absent["retransmits"] == "not available: guest2 told no counters of TCP's: cut off"


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"lost": -1}, "not available: bpftrace saw 3 of 4 changes of phase"),
        ({"maps": "Killed"}, "not available: bpftrace printed no maps (status 0): "),
    ],
)
def test_a_trace_that_came_to_nothing_says_so(
    host: Host, tmp_path: Path, bpftrace: Callable[..., None], changes: dict[str, Any], problem: str
) -> None:
    bpftrace(**changes)
    found = traced(host, tmp_path)
    assert found.problem.startswith(problem)
    record = found.of(0, run_of("x"))
    assert record["absent"]["signals"] == found.problem
    assert (record["counts"], record["histograms"], record["drops"]) == ({}, {}, None)
    assert words(record) == ""


def test_a_bpftrace_that_cannot_is_told_before_anything_else_is_started(
    host: Host, tmp_path: Path, bpftrace: Callable[..., None]
) -> None:
    bpftrace(before='sys.exit("ERROR: no BPF for you")')
    with Pump() as pump, pytest.raises(VirtperfError, match=r"does not trace \(found: .*status 1: ERROR: no BPF"):
        Tracer(host, pump, made())


def test_one_that_never_gets_ready(host: Host, bpftrace: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trace, "_ATTACH_S", 0.2)
    bpftrace(before="time.sleep(60)")
    with Pump() as pump, pytest.raises(VirtperfError, match="waited for 'ready', status None"):
        Tracer(host, pump, made())


def test_without_a_worker_there_is_nothing_to_trace(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    vcpu = {"label": "v", "role": "vcpu", "pid": 40, "tid": 42}
    with pytest.raises(VirtperfError, match=r"there is no vhost worker to trace .*vhost=off"):
        prepare(host, setup(raw(threads=[vcpu], phases=[{"name": "x", "seconds": 1}], trace=True)))


@pytest.mark.parametrize(("lost", "problem"), [(0, ""), (-1, "not available: bpftrace saw 3 of 4 changes of phase")])
def test_a_record_of_the_study_has_its_phase_s_part(
    host: Host, tmp_path: Path, bpftrace: Callable[..., None], lost: int, problem: str
) -> None:
    bpftrace(lost=lost, maps=MAPS.replace(",41", f",{os.getpid()}"))
    summary, found, limiter = run_study(dataclasses.replace(host, proc="/proc"), tmp_path, trace=True)
    assert limiter.limits == ["max 100000", "1000 1000000", "as before"]
    # The measurement itself does not depend on it.
    assert (summary.invalid, summary.reasons) == (0, [problem] if problem else [])
    assert [record["observed"]["trace"] for record in found] == [True, True]
    assert [record["trace"]["histograms"].get("wakeup_delay_us") for record in found] == (
        [None, None] if problem else [{"w": [[4, 7, 9]]}, {"w": [[1, 1, 1], [524288, 1048575, 3]]}]
    )
    assert ("; traced: w ran 4 to 7 µs" in found[0]["verdict"]["evidence"]) == (not problem)
    raw_path = Path(host.state, "runs", "r1", found[0]["series"].replace(".jsonl", ".trace.jsonl"))
    assert json.loads(raw_path.read_text().splitlines()[0])["type"] == "program"


def test_a_study_that_is_not_traced_says_so(host: Host, tmp_path: Path) -> None:
    _summary, found, _limiter = run_study(dataclasses.replace(host, proc="/proc"), tmp_path)
    assert [("trace" in record, record["observed"]["trace"]) for record in found] == [(False, False)] * 2


def test_a_study_whose_trace_cannot_begin_starts_nothing(
    host: Host, tmp_path: Path, bpftrace: Callable[..., None]
) -> None:
    bpftrace(before='sys.exit("no")')
    _summary, found, limiter = run_study(dataclasses.replace(host, proc="/proc"), tmp_path, trace=True)
    assert [record["valid"] for record in found] == [False, False]
    assert found[0]["reasons"][0].startswith("bpftrace does not trace")
    assert limiter.limits == []


def test_an_interface_that_is_gone(host: Host) -> None:
    with pytest.raises(VirtperfError, match=r"is not there .found: .*/sys/class/net/tap7/ifindex"):
        prepare(host, made(bridge=["tap7"]))
