# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module knobs_run as Ansible calls it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.virtperf.vhost.plugins.module_utils import processes
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host, read_lines
from ansible_collections.virtperf.vhost.plugins.module_utils.journal import Journal
from ansible_collections.virtperf.vhost.plugins.module_utils.knobs import study
from ansible_collections.virtperf.vhost.plugins.modules import knobs_run
from ansible_collections.virtperf.vhost.tests.unit.documentation import documented_options
from ansible_collections.virtperf.vhost.tests.unit.plugins.module_utils.knobs.fake_boot import (
    FakeGuests,
    hypervisor,
    raw,
    trial,
)
from ansible_collections.virtperf.vhost.tests.unit.plugins.modules.call import Run, caller
from ansible_collections.virtperf.vhost.tests.unit.plugins.modules.test_sampler import documented


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return hypervisor(tmp_path)


@pytest.fixture
def run(host: Host, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    guests = FakeGuests()
    monkeypatch.setattr(processes, "name_myself", lambda _name: None)
    # Our own process is none of this host's.
    monkeypatch.setattr(processes, "identify", lambda _host, pid: processes.Identity(pid, 1, "boot"))

    class Fake(study.Study):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments, guests.connect)

    monkeypatch.setattr(knobs_run, "Study", Fake)
    call = caller(knobs_run.main, host, capsys, monkeypatch)

    def run(**arguments: Any) -> dict[str, Any]:
        return call(**{"run_id": "r1", **raw(), **arguments})

    return run


def test_trials_and_their_records(run: Run, host: Host) -> None:
    result = run()
    assert (result["trials"], result["invalid"], result["reasons"]) == (2, 0, [])
    assert result["absent"]["exits"] == "not asked for"
    assert [record["asked"]["position"] for record in read_lines(result["records"])] == [1, 2]
    (entry,) = Journal(host).entries()
    assert (entry.resource, entry.undo["name"]) == ("process", "knobs_run")


def test_check_mode_looks_and_measures_nothing(run: Run, host: Host) -> None:
    result = run(check=True)
    assert (result["changed"], result["trials"]) == (True, 0)
    assert not os.path.exists(host.state)


@pytest.mark.parametrize("check", [True, False])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"trials": [trial(1, "nobody", "on")]}, "trial 1 has an unknown arm"),
        ({"workloads": {"tcp_out": {"kind": "x", "from": "dut", "to": "peer"}}}, "kind cannot be 'x'"),
        ({"threads": [{"label": "a", "role": "vcpu", "pid": 4711, "tid": 1}]}, "a is not there"),
        ({"threads": [{"label": "a", "role": "cook", "pid": 4711, "tid": 1}]}, "value of role must be one of"),
        ({"window_seconds": 0.0}, "window_seconds cannot be 0"),
    ],
)
def test_what_cannot_be_measured(run: Run, host: Host, change: dict[str, Any], message: str, check: bool) -> None:
    assert message in run(**change, check=check)["msg"]
    assert not os.path.exists(host.state)


def test_the_documentation_is_that_of_the_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, Any] = {}
    monkeypatch.setattr(knobs_run, "AnsibleModule", lambda **given: seen.update(given))
    monkeypatch.setattr(knobs_run, "run_module", lambda *_arguments: None)
    knobs_run.main()
    assert documented(documented_options(knobs_run.DOCUMENTATION)) == {
        name: option for name, option in seen["argument_spec"].items() if name != "run_id"
    }


def test_everything_returned_is_documented(run: Run) -> None:
    returned = yaml.safe_load(knobs_run.RETURN)
    assert set(run()) - {"changed", "invocation"} == set(returned)
    checked = set(run(check=True)) - {"changed", "invocation"}
    assert checked == {name for name, field in returned.items() if field["returned"] == "success"}
    assert all("sample" in field for field in returned.values())
