# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole timelines, with real programs on this machine and cgroups that only pretend."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host, read_lines
from ansible_collections.virtperf.vhost.plugins.module_utils.sampler.threads import Threads
from ansible_collections.virtperf.vhost.plugins.module_utils.throttle import study
from ansible_collections.virtperf.vhost.plugins.module_utils.throttle.setup import setup
from ansible_collections.virtperf.vhost.plugins.module_utils.throttle.study import Study, Summary

CONTRACT = {
    "schema": int,
    "run_id": str,
    "study": str,
    "host": str,
    "cell": dict,
    "trial": int,
    "started_at": str,
    "duration_s": float,
    "metrics": dict,
    "cpu": dict,
    "asked": dict,
    "observed": dict,
    "valid": bool,
    "reasons": list,
    "verdict": dict,
}
TALK = "import time\nwhile True:\n print('{}', flush=True)\n time.sleep(0.1)"
INTERVAL = json.dumps({"event": "interval", "data": {"sum": {"start": 0, "end": 0.1, "bytes": 1250}}})


class Limiter:
    """Notes what it is asked for."""

    def __init__(self) -> None:
        self.limits: list[str] = []

    def set(self, cpu_max: str) -> str:
        self.limits.append(cpu_max)
        return cpu_max

    def restore(self) -> None:
        self.limits.append("as before")


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(run=str(tmp_path / "run"), state=str(tmp_path / "state"))


def program(text: str) -> list[str]:
    return [sys.executable, "-c", text]


def raw(**changes: Any) -> dict[str, Any]:
    return {
        "workload": "iperf3",
        "layout": "kthread",
        "phases": [
            {"name": "baseline", "seconds": 1},
            {"name": "throttled", "cpu_max": "1000 1000000", "seconds": 1},
        ],
        "trials": 1,
        "sender": "client",
        "server": {
            "name": "guest1",
            "interfaces": ["lo"],
            "through": ["sh", "-c"],
            "command": program(TALK.format(INTERVAL)),
            "ready": ["true"],
        },
        "client": {"name": "guest2", "interfaces": ["lo"], "command": ["sleep", "60"]},
        "bridge": [],
        "threads": [{"label": "w", "role": "worker", "pid": os.getpid(), "tid": os.getpid()}],
        "cgroups": {},
        "sample_seconds": 0.1,
        "socket_seconds": 0.2,
        "settle_seconds": 0.2,
        "warmup_seconds": 0.1,
        **changes,
    }


def run(host: Host, tmp_path: Path, **changes: Any) -> tuple[Summary, list[dict[str, Any]], Limiter]:
    (tmp_path / "cg").mkdir(exist_ok=True)
    (tmp_path / "cg" / "cpu.stat").write_text("usage_usec 1\n")
    limiter = Limiter()
    made = setup(raw(cgroups={"workers": str(tmp_path / "cg")}, **changes))
    summary = Study(host, "r1", "lab1", made, limiter).run()
    return summary, read_lines(f"{host.state}/runs/r1/throttle.jsonl"), limiter


def test_a_record_for_each_phase_as_the_contract_says(host: Host, tmp_path: Path) -> None:
    summary, found, limiter = run(host, tmp_path)
    assert limiter.limits == ["max 100000", "1000 1000000", "as before"]
    assert [(record["cell"], record["valid"], record["reasons"]) for record in found] == [
        ({"workload": "iperf3", "layout": "kthread", "phase": "baseline"}, True, []),
        ({"workload": "iperf3", "layout": "kthread", "phase": "throttled"}, True, []),
    ]
    for record in found:
        for key, kind in CONTRACT.items():
            assert type(record[key]) is kind, key
    second = found[1]
    assert (second["schema"], second["study"], second["run_id"], second["host"]) == (1, "throttle", "r1", "lab1")
    assert second["asked"]["cpu_max"] == second["observed"]["cpu_max"] == "1000 1000000"
    assert second["metrics"]["goodput_mbps"] == pytest.approx(0.1)
    assert second["timeline"]["set_from_s"] == pytest.approx(1.0, abs=0.2)
    assert second["started_at"] > found[0]["started_at"]
    assert second["observed"]["clocks"]["server"]["offset_s"] == pytest.approx(0.0, abs=0.05)
    assert Path(host.state, "runs", "r1", second["series"]).is_file()
    assert (summary.trials, summary.invalid, len(summary.series), len(summary.paces)) == (2, 0, 1, 1)
    status = json.loads(Path(host.run, "status.json").read_text())
    assert status["what"] == "iperf3, kthread, throttled at 1000 1000000"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        (
            {"client": {"interfaces": ["lo"], "command": ["sh", "-c", "echo 'cannot connect' >&2; exit 1"]}},
            "before the first phase client ended with status 1, its last words: cannot connect",
        ),
        ({"client": {"interfaces": ["lo"], "command": ["/nowhere/x"]}}, "ended with status 127"),
        ({"bridge": ["nosuch0"]}, "there is no network interface nosuch0"),
        (
            {"server": {"interfaces": ["lo"], "command": ["sh", "-c", "echo bad; exit 3"], "ready": ["false"]}},
            "server ended with status 3 (found: bad)",
        ),
    ],
)
def test_a_timeline_that_cannot_begin_marks_all_its_phases(
    host: Host, tmp_path: Path, changes: dict[str, Any], reason: str
) -> None:
    summary, found, limiter = run(host, tmp_path, **changes)
    assert [record["valid"] for record in found] == [False, False]
    assert all(reason in record["reasons"][0] for record in found)
    assert summary.reasons == found[0]["reasons"]
    assert limiter.limits == []


def test_one_that_ends_in_the_middle_spoils_what_comes_after(host: Host, tmp_path: Path) -> None:
    client = {"name": "guest2", "interfaces": ["lo"], "command": ["sh", "-c", "sleep 1.6; echo bye; exit 5"]}
    _summary, found, limiter = run(host, tmp_path, client=client, warmup_seconds=0.0, trials=2)
    assert [(record["trial"], record["valid"]) for record in found] == [(1, True), (1, False), (2, True), (2, False)]
    assert found[1]["reasons"] == ["client guest2 ended with status 5, its last words: bye"]
    assert found[1]["duration_s"] < 0.95
    assert limiter.limits[2] == "as before"


def test_a_vm_that_stops_is_named(host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Threads, "ended", lambda _self: ["guest1/vcpu0"])
    _summary, found, limiter = run(host, tmp_path)
    assert found[0]["reasons"] == ["guest1/vcpu0 ended: the VM has stopped"]
    assert found[1]["reasons"] == ["not run: guest1/vcpu0 ended: the VM has stopped"]
    assert limiter.limits == ["max 100000", "as before"]


def test_a_guest_whose_clock_is_minutes_off_is_measured_and_told(host: Host, tmp_path: Path) -> None:
    # Times, and nothing else that is printed there, are five minutes behind.
    behind = 'case $line in [0-9]*.*) line=$((${line%.*} - 300)).${line#*.};; esac; echo "$line"'
    through = ["sh", "-c", f'sh -c "$1" | while read -r line; do {behind}; done', "sh"]
    server = {**raw()["server"], "through": through, "command": program(TALK.format(INTERVAL))}
    _summary, found, _limiter = run(host, tmp_path, server=server)
    for record in found:
        assert (record["valid"], record["reasons"]) == (True, [])
        clock = record["observed"]["clocks"]["server"]
        assert clock["note"] == "the guest's clock is 5.0 minutes behind"
        assert clock["offset_s"] == pytest.approx(-300, abs=0.1)
        # What it prints has our instants, not its own.
        assert record["metrics"]["goodput_mbps"] == pytest.approx(0.1)


def test_a_program_that_is_never_ready(host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(study, "_READY_S", 0.3)
    server = {"interfaces": ["lo"], "command": ["sleep", "60"], "ready": ["sh", "-c", "echo no port >&2; exit 1"]}
    _summary, found, _limiter = run(host, tmp_path, server=server)
    assert found[0]["reasons"][0].startswith("server is not ready after 0 s (found: sh -c echo no port")
