# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All trials, with stations and a kernel that only pretend."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils.consolidate import barrier, places, polling
from ansible_collections.virtperf.vhost.plugins.module_utils.consolidate.policies import Policy
from ansible_collections.virtperf.vhost.plugins.module_utils.consolidate.setup import setup
from ansible_collections.virtperf.vhost.plugins.module_utils.consolidate.study import Stations, Study, Summary
from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host, read_lines
from ansible_collections.virtperf.vhost.tests.unit import consolidate_stations as make

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
    "guests": list,
    "asked": dict,
    "observed": dict,
    "valid": bool,
    "reasons": list,
    "verdict": dict,
}
METRICS = {
    "total_mbps",
    "transactions_per_s",
    "fairness",
    "latency_p50_us",
    "latency_p99_us",
    "io_cpu",
    "transactions_per_cpu",
    "mbps_per_cpu",
}


class Changes:
    """Notes the policies."""

    def __init__(self, refuses: str = "") -> None:
        self.calls: list[str] = []
        self.refuses = refuses

    def enter(self) -> list[str]:
        self.calls.append("enter")
        return ["a core is shared"]

    def set(self, policy: Policy) -> dict[str, Any]:
        self.calls.append(policy.name)
        if policy.name == self.refuses:
            raise VirtperfError("the kernel grants less")
        return {"worker_cpus": "3", "vcpu_cpus": "0-2", "cgroups": ["/x"]}

    def leave(self) -> None:
        self.calls.append("leave")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody here takes long to be told."""
    for name in ("_A_TELL_S", "_READY_S", "_SLACK_S"):
        monkeypatch.setattr(barrier, name, 0.02)


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    monkeypatch.setattr(places, "_connect", lambda _address, _port: None)
    monkeypatch.setattr(polling, "check", lambda *_given: None)
    proc = make.FakeProc(tmp_path / "proc", dict.fromkeys(("plain1", "poll1", "plain2", "poll2"), 5))
    proc.write()
    proc.thread(os.getpid(), os.getpid(), 5, 5)
    return Host(proc=str(tmp_path / "proc"), run=str(tmp_path / "run"), state=str(tmp_path / "state"))


def station(number: int, **changes: Any) -> make.FakeStation:
    links = [{"ifname": f"eth{net}", "address": f"52:54:00:c5:{net:02x}:{number:02x}"} for net in (1, 2)]

    def answer(words: Sequence[str]) -> str:
        if words[:2] == ["ip", "-json"]:
            return json.dumps(links)
        return "/usr/bin/netperf\n/usr/bin/memcached\n/usr/sbin/nginx\n" if "command -v" in " ".join(words) else ""

    return make.FakeStation(f"g{number}", says={"netperf": make.RR}, answers=answer, **changes)


def run(
    host: Host, changes: Changes, stations: dict[str, make.FakeStation], **arguments: Any
) -> tuple[Summary, list[dict[str, Any]]]:
    made = setup(make.arguments(**arguments))
    study = Study(host, "r1", "hv", made, changes)
    try:
        summary = study.run(Stations(make.FakeStation(), stations, {"g1": "6.12.1", "g2": "6.12.1"}))
    finally:
        found = read_lines(f"{host.state}/runs/r1/consolidate.jsonl")
    return summary, found


@pytest.fixture
def stations() -> dict[str, make.FakeStation]:
    return {f"g{number}": station(number) for number in (1, 2)}


def test_a_record_for_each_trial_as_the_contract_says(host: Host, stations: dict[str, make.FakeStation]) -> None:
    changes = Changes()
    trials = [
        make.trial("tcp_rr", 1, "sidecore_poll"),
        make.trial("tcp_rr", 1, "baseline"),
        make.trial("tcp_rr", 2, "baseline"),
    ]
    summary, found = run(host, changes, stations, trials=trials)
    assert changes.calls == ["enter", "sidecore_poll", "baseline", "baseline", "leave"]
    assert [record["cell"] for record in found] == [
        {"policy": "sidecore_poll", "guests": 1, "workload": "tcp_rr"},
        {"policy": "baseline", "guests": 1, "workload": "tcp_rr"},
        {"policy": "baseline", "guests": 2, "workload": "tcp_rr"},
    ]
    for record in found:
        for key, kind in CONTRACT.items():
            assert type(record[key]) is kind, key
        assert set(record["metrics"]) >= METRICS
        assert {"name", "transactions_per_s", "latency_p50_us", "latency_p99_us", "started_late_s"} <= set(
            record["guests"][0]
        )
    first, last = found[0], found[-1]
    assert (first["schema"], first["study"], first["run_id"], first["host"]) == (1, "consolidate", "r1", "hv")
    assert (first["asked"]["nic"], first["asked"]["poll_us"]) == ("poll", 50)
    assert (last["asked"]["nic"], last["asked"]["poll_us"], last["asked"]["position"]) == ("plain", 0, 3)
    assert last["asked"]["seed"] == "r1"
    assert len(last["guests"]) == 2
    assert first["observed"]["worker_cpus"] == "3"
    assert first["observed"]["interfaces"] == {"g1": "eth2"}
    assert first["observed"]["partition"] == {"vm_cpus": "0-2", "io_cpus": "3", "load_cpus": "0-2"}
    # Nothing grew on these taps.
    assert first["reasons"] == ["guest g1: nothing went over its tap poll1 in the window"]
    assert (summary.trials, summary.invalid, summary.switches) == (3, 3, 2)
    assert summary.warnings == ["a core is shared"]
    status = json.loads(Path(host.run, "status.json").read_text())
    assert (status["cell"], status["cells"], status["what"]) == (3, 3, "tcp_rr, 2 guests, baseline")


def test_a_trial_that_fails_does_not_keep_the_next(host: Host, stations: dict[str, make.FakeStation]) -> None:
    trials = [make.trial(policy="sidecore"), make.trial(policy="baseline")]
    summary, found = run(host, Changes(refuses="sidecore"), stations, trials=trials)
    assert found[0]["reasons"] == ["the kernel grants less"]
    assert found[0]["metrics"] == {}
    assert found[0]["verdict"]["evidence"] == "the trial was not taken"
    assert found[1]["metrics"]["transactions_per_s"] == 1000.5
    assert summary.trials == 2


def test_trials_of_a_guest_that_is_dead(host: Host, stations: dict[str, make.FakeStation]) -> None:
    class Dying(Changes):
        def set(self, policy: Policy) -> dict[str, Any]:
            stations["g2"].dies = "the connection broke"
            return super().set(policy)

    _summary, found = run(host, Dying(), stations, trials=[make.trial(guests=2), make.trial(guests=1)])
    assert found[0]["reasons"] == ["guest g2 does not answer (station) (found: the connection broke)"]
    assert found[1]["metrics"]["transactions_per_s"] == 1000.5


def test_guests_that_cannot_be_made_ready_end_it_with_all_put_back(
    host: Host, stations: dict[str, make.FakeStation]
) -> None:
    changes = Changes()
    stations["g2"].answers = lambda _words: "[]"
    with pytest.raises(VirtperfError, match="guest g2 has no netperf"):
        run(host, changes, stations)
    assert changes.calls == ["enter", "leave"]
