# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module reflect_run as Ansible calls it, with testpmds that only pretend."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.testing import patch_module_args

from ansible_collections.virtperf.vhost.plugins.module_utils import module, processes
from ansible_collections.virtperf.vhost.plugins.module_utils.dpdk import manager
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host, read_lines
from ansible_collections.virtperf.vhost.plugins.module_utils.journal import Journal
from ansible_collections.virtperf.vhost.plugins.module_utils.lock import LEASE_S
from ansible_collections.virtperf.vhost.plugins.modules import reflect_run
from ansible_collections.virtperf.vhost.tests.unit.documentation import documented_options
from ansible_collections.virtperf.vhost.tests.unit.plugins.module_utils.dpdk.fake_testpmd import Lab, installed

Run = Callable[..., dict[str, Any]]
BRIEF = {"trial_seconds": 0.05, "warmup_seconds": 0, "sample_seconds": 0}


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    with installed(tmp_path, monkeypatch) as lab:
        if len(lab.cpus) < 2:
            lab.cpus.append(lab.cpus[0] + 1)
        monkeypatch.setattr(manager.processes, "allowed_cpus", lambda: set(lab.cpus))
        yield lab


@pytest.fixture
def run(lab: Lab, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Call main() and return the result."""
    monkeypatch.setattr(module, "Host", lambda: lab.host)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(Host, "private_directory", lambda _self, path: os.makedirs(path, exist_ok=True))
    # This process is that of the tests, and keeps its name.
    monkeypatch.setattr(processes, "name_myself", lambda _name: None)

    def run(*launches: dict[str, Any], **arguments: Any) -> dict[str, Any]:
        given = {"launches": list(launches), "run_id": "r1", "host": "lab1", **BRIEF, **arguments}
        with patch_module_args(given), pytest.raises(SystemExit) as caught:
            reflect_run.main()
        result: dict[str, Any] = json.loads(capsys.readouterr().out)
        assert bool(caught.value.code) == result.get("failed", False)
        return result

    return run


def launch(lab: Lab, *sizes: int, trials: int = 1, **vswitch: Any) -> dict[str, Any]:
    """One pair that serves these packet sizes."""
    cells = [
        {
            "cell": {"driver": "virtio_user_split", "queues": 1, "packet_size": size},
            "asked": {
                "packet_size": size,
                "queues": 1,
                "ring_size": 256,
                "packed": False,
                "in_order": False,
                "mrg_rxbuf": False,
                "vectorized": False,
            },
            "trials": trials,
        }
        for size in sizes
    ]
    return {"vswitch": lab.raw_vswitch(**vswitch), "far_end": lab.raw_generator(), "cells": cells}


def records(lab: Lab) -> list[dict[str, Any]]:
    return read_lines(f"{lab.host.state}/runs/r1/reflect.jsonl")


def test_all_trials_of_all_launches_in_one_call(run: Run, lab: Lab) -> None:
    result = run(launch(lab, 64, 128, trials=2), launch(lab, 64, mbufs=4096))
    assert (result["changed"], result["trials"], result["launches"], result["relaunches"]) == (True, 5, 2, 0)
    assert result["records"] == f"{lab.host.state}/runs/r1/reflect.jsonl"
    found = records(lab)
    assert [(record["cell"]["packet_size"], record["trial"]) for record in found] == [
        (64, 1),
        (64, 2),
        (128, 1),
        (128, 2),
        (64, 1),
    ]
    assert {(record["run_id"], record["host"]) for record in found} == {("r1", "lab1")}
    assert result["invalid"] == sum(not record["valid"] for record in found)
    assert lab.running() == ["generator", "vswitch"]


def test_the_journal_has_the_module_itself_before_what_it_starts(run: Run, lab: Lab) -> None:
    run(launch(lab, 64))
    entries = Journal(lab.host).entries()
    assert [entry.resource for entry in entries] == ["process", "testpmd", "testpmd"]
    assert entries[0].undo == {"name": "reflect_run", **processes.identify(Host(), os.getpid()).as_dict()}


def test_check_mode_checks_and_measures_nothing(run: Run, lab: Lab) -> None:
    result = run(launch(lab, 64), _ansible_check_mode=True)
    assert (result["changed"], result["trials"]) == (True, 0)
    assert result["records"] == f"{lab.host.state}/runs/r1/reflect.jsonl"
    assert not os.path.exists(lab.host.run)
    assert not os.path.exists(lab.host.state)


def test_check_mode_refuses_what_could_not_be_launched(run: Run, lab: Lab) -> None:
    lab.hugepages(8)
    result = run(launch(lab, 64), _ansible_check_mode=True)
    assert result["msg"].startswith("32 MiB of hugepages on NUMA node 0 are needed")


def test_no_launches_are_no_change_in_both_modes(run: Run, lab: Lab) -> None:
    for check_mode in (True, False):
        result = run(_ansible_check_mode=check_mode)
        assert (result["changed"], result["trials"]) == (False, 0)
    assert records(lab) == []


def test_what_is_not_launched_is_in_the_records(run: Run, lab: Lab) -> None:
    lab.behave(vswitch={"dies_at_start": True})
    result = run(launch(lab, 64, 128))
    assert (result["trials"], result["invalid"]) == (2, 2)
    reason, *_kept_logs = result["reasons"]
    assert reason.startswith("not launched: testpmd vswitch ended at its start")
    assert [record["reasons"][0] for record in records(lab)] == [reason, reason]


def test_an_impossible_launch_is_found_before_the_first_is_started(run: Run, lab: Lab) -> None:
    result = run(launch(lab, 64), launch(lab, 64, burst=0))
    assert "testpmd vswitch: burst is not usable (found: 0)" in result["msg"]
    assert lab.running() == []
    assert Journal(lab.host).entries() == []


@pytest.mark.parametrize("check_mode", [True, False])
@pytest.mark.parametrize(
    ("timing", "message"),
    [
        ({"trial_seconds": 0}, "trial_seconds is not usable (found: 0.0). Way out: from 0.05 to 600.0 seconds"),
        ({"trial_seconds": 600.1}, "trial_seconds is not usable (found: 600.1)"),
        ({"trial_seconds": "nan"}, "trial_seconds is not usable (found: nan)"),
        ({"trial_seconds": "soon"}, "cannot be converted to a float"),
        ({"warmup_seconds": -1}, "warmup_seconds is not usable (found: -1.0)"),
        ({"warmup_seconds": "inf"}, "warmup_seconds is not usable (found: inf)"),
        ({"sample_seconds": -0.1}, "sample_seconds is not usable (found: -0.1)"),
        ({"sample_seconds": 1e-9}, "Way out: 0 for no samples, or 0.01 seconds and more"),
        ({"trial_seconds": 301, "warmup_seconds": 300}, "Way out: up to 600.0 seconds together"),
    ],
)
def test_times_that_cannot_be(run: Run, lab: Lab, timing: dict[str, Any], message: str, check_mode: bool) -> None:
    result = run(launch(lab, 64), **timing, _ansible_check_mode=check_mode)
    assert message in result["msg"]
    assert not os.path.exists(lab.host.state)


def test_the_longest_trial_ends_before_the_lock_counts_as_abandoned() -> None:
    assert reflect_run._LONGEST_TRIAL_S < 0.8 * LEASE_S


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"vswitch": None}, "missing required arguments: vswitch"),
        ({"cells": [{"cell": {}, "asked": {}}]}, "missing required arguments: trials"),
        ({"far_end": {"name": "generator"}}, "testpmd generator: cpus is not usable"),
        ({"colour": "red"}, "Unsupported parameters"),
    ],
)
def test_bad_launches(run: Run, lab: Lab, change: dict[str, Any], message: str) -> None:
    raw = {key: value for key, value in {**launch(lab, 64), **change}.items() if value is not None}
    assert message in run(raw)["msg"]
    assert lab.running() == []


def test_the_documentation_is_that_of_the_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, Any] = {}
    monkeypatch.setattr(reflect_run, "AnsibleModule", lambda **given: seen.update(given))
    monkeypatch.setattr(reflect_run, "run_module", lambda *_arguments: None)
    reflect_run.main()
    assert documented(documented_options(reflect_run.DOCUMENTATION)) == {
        name: option for name, option in seen["argument_spec"].items() if name != "run_id"
    }


def documented(options: dict[str, Any]) -> dict[str, Any]:
    """Documented options as the argument spec has them, suboptions included."""
    found = {}
    for name, option in options.items():
        kept = {key: value for key, value in option.items() if key not in ("description", "suboptions")}
        inner = {"options": documented(option["suboptions"])} if "suboptions" in option else {}
        found[name] = {**kept, **inner}
    return found


def test_everything_returned_is_documented(run: Run, lab: Lab) -> None:
    returned = yaml.safe_load(reflect_run.RETURN)
    assert set(run(launch(lab, 64))) - {"changed", "invocation"} == set(returned)
    checked = set(run(launch(lab, 64), _ansible_check_mode=True)) - {"changed", "invocation"}
    assert checked == {name for name, field in returned.items() if field["returned"] == "success"}
    assert all("sample" in field for field in returned.values())
