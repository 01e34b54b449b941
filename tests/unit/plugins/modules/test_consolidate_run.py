# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module consolidate_run as Ansible calls it."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.virtperf.vhost.plugins.module_utils import processes
from ansible_collections.virtperf.vhost.plugins.module_utils.consolidate import places, polling
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host, read_lines
from ansible_collections.virtperf.vhost.plugins.module_utils.journal import Journal
from ansible_collections.virtperf.vhost.plugins.modules import consolidate_run
from ansible_collections.virtperf.vhost.tests.unit import consolidate_stations as make
from ansible_collections.virtperf.vhost.tests.unit.documentation import documented_options
from ansible_collections.virtperf.vhost.tests.unit.plugins.module_utils.consolidate import test_study as study
from ansible_collections.virtperf.vhost.tests.unit.plugins.modules.call import Run, caller
from ansible_collections.virtperf.vhost.tests.unit.plugins.modules.test_sampler import documented


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    monkeypatch.setattr(places, "_connect", lambda _address, _port: None)
    monkeypatch.setattr(places, "missing_here", lambda _made: [])
    monkeypatch.setattr(polling, "check", lambda *_given: None)
    monkeypatch.setattr(processes, "name_myself", lambda _name: None)
    monkeypatch.setattr(processes, "identify", lambda _host, pid: processes.Identity(pid, 1, "boot"))
    proc = make.FakeProc(tmp_path / "proc", dict.fromkeys(("plain1", "poll1", "plain2", "poll2"), 5))
    proc.write()
    proc.thread(os.getpid(), os.getpid(), 5, 5)
    (tmp_path / "sys/devices/system/cpu").mkdir(parents=True)
    (tmp_path / "sys/devices/system/cpu/online").write_text("0-3\n")
    return Host(str(tmp_path / "proc"), str(tmp_path / "sys"), str(tmp_path / "run"), str(tmp_path / "state"))


@pytest.fixture
def run(host: Host, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    @contextlib.contextmanager
    def connected(_host: Host, _made: Any) -> Iterator[study.Stations]:
        yield study.Stations(make.FakeStation(), {f"g{number}": study.station(number) for number in (1, 2)})

    monkeypatch.setattr(consolidate_run, "connected", connected)
    monkeypatch.setattr(consolidate_run, "Switcher", lambda *_given: study.Changes())
    call = caller(consolidate_run.main, host, capsys, monkeypatch)

    def run(**arguments: Any) -> dict[str, Any]:
        mode = {key: arguments.pop(key) for key in ("check",) if key in arguments}
        return call(**mode, **{**make.arguments(), "run_id": "r1", "host": "hv", **arguments})

    return run


def test_one_call_takes_all_trials(run: Run, host: Host) -> None:
    result = run(trials=[make.trial(), make.trial(policy="sidecore")])
    assert (result["trials"], result["switches"]) == (2, 2)
    assert result["records"].endswith("/runs/r1/consolidate.jsonl")
    assert [record["host"] for record in read_lines(result["records"])] == ["hv", "hv"]
    assert [entry.resource for entry in Journal(host).entries()] == ["process"]


def test_check_mode_looks_and_measures_nothing(run: Run, host: Host) -> None:
    assert run(check=True)["changed"]
    assert not os.path.exists(host.state)
    assert not run(trials=[])["changed"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"vm_cpus": "0-5"}, "the partition asks for more CPUs than there are: 4-5 among the VM cores"),
        ({"io_cpus": "2"}, "CPU 2 cannot be a VM core and an I/O core"),
        ({"trials": [make.trial(guests=3)]}, "a trial cannot have 3 guests"),
        ({"trials": [make.trial("iperf3")]}, "value of workload must be one of"),
        (
            {"guests": [make.guest(1, threads=[{"role": role, "pid": 1, "tid": 999} for role in ("worker", "vcpu")])]},
            "there is no network interface|g1/worker0 is not there",
        ),
    ],
)
@pytest.mark.parametrize("check", [True, False])
def test_what_cannot_be_is_told_before_anything_is_started(
    run: Run, host: Host, arguments: dict[str, Any], message: str, check: bool
) -> None:
    result = run(check=check, **arguments)
    assert result["failed"]
    assert re.search(message, result["msg"])
    assert not Journal(host).entries()


def test_the_documentation_is_that_of_the_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, Any] = {}
    monkeypatch.setattr(consolidate_run, "AnsibleModule", lambda **given: seen.update(given))
    monkeypatch.setattr(consolidate_run, "run_module", lambda *_arguments: None)
    consolidate_run.main()
    assert documented(documented_options(consolidate_run.DOCUMENTATION)) == {
        name: option for name, option in seen["argument_spec"].items() if name != "run_id"
    }


def test_everything_returned_is_documented(run: Run) -> None:
    returned = yaml.safe_load(consolidate_run.RETURN)
    others = {"changed", "invocation", "warnings"}
    assert set(run()) - others == set(returned)
    checked = set(run(check=True)) - others
    assert checked == {name for name, field in returned.items() if field["returned"] == "success"}
    assert all("sample" in field for field in returned.values())


def test_its_example_is_one() -> None:
    (task,) = yaml.safe_load(consolidate_run.EXAMPLES)
    assert set(task["virtperf.vhost.consolidate_run"]) <= {*documented_options(consolidate_run.DOCUMENTATION), "run_id"}
