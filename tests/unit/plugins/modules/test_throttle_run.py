# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module throttle_run as Ansible calls it."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.virtperf.vhost.plugins.module_utils import processes, restore
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host, read_lines
from ansible_collections.virtperf.vhost.plugins.module_utils.journal import Journal
from ansible_collections.virtperf.vhost.plugins.module_utils.lock import Holder, RunLock
from ansible_collections.virtperf.vhost.plugins.modules import throttle_run
from ansible_collections.virtperf.vhost.tests.unit.documentation import documented_options
from ansible_collections.virtperf.vhost.tests.unit.plugins.module_utils.throttle.test_limiter import FakeHost
from ansible_collections.virtperf.vhost.tests.unit.plugins.modules.call import Run, caller
from ansible_collections.virtperf.vhost.tests.unit.plugins.modules.test_sampler import ME, documented


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return FakeHost(run=str(tmp_path / "run"), state=str(tmp_path / "state"))


@pytest.fixture
def cgroup(tmp_path: Path) -> Path:
    path = tmp_path / "workers"
    path.mkdir()
    (path / "cpu.max").write_text("50000 100000\n")
    (path / "cpu.stat").write_text("usage_usec 1\nnr_periods 0\nnr_throttled 0\nthrottled_usec 0\n")
    return path


@pytest.fixture
def run(host: Host, cgroup: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setattr(processes, "name_myself", lambda _name: None)
    call = caller(throttle_run.main, host, capsys, monkeypatch)

    def run(**arguments: Any) -> dict[str, Any]:
        given: dict[str, Any] = {
            "run_id": "r1",
            "workload": "other",
            "layout": "kthread",
            "phases": [{"name": "throttled", "cpu_max": "1000 1000000", "seconds": 1}],
            "trials": 1,
            "client": {"interfaces": ["lo"]},
            "threads": [{**ME, "role": "worker"}],
            "cgroups": {"workers": str(cgroup)},
            "warmup_seconds": 0,
        }
        return call(**{**given, **arguments})

    return run


def test_a_timeline_and_the_limit_as_it_was(run: Run, host: Host, cgroup: Path) -> None:
    result = run()
    assert (result["trials"], result["invalid"], result["reasons"]) == (1, 0, [])
    (record,) = read_lines(result["records"])
    assert record["observed"]["cpu_max"] == "1000 1000000"
    assert (cgroup / "cpu.max").read_text() == "50000 100000\n"
    entries = Journal(host).entries()
    assert [entry.resource for entry in entries] == ["process", "cpu_max"]
    assert entries[1].undo["before"] == {str(cgroup): "50000 100000"}


def test_check_mode_looks_and_measures_nothing(run: Run, host: Host) -> None:
    assert run(check=True)["changed"]
    assert not os.path.exists(host.state)


@pytest.mark.parametrize("check", [True, False])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"phases": [{"name": "x", "cpu_max": "999 1000000", "seconds": 1}]}, "below the kernel's minimum"),
        ({"cgroups": {}}, "there is no cgroup to limit"),
        ({"cgroups": {"w": "/nowhere"}}, "cgroup w has no cpu.stat"),
        ({"client": {"interfaces": ["nosuch0"]}}, "there is no network interface nosuch0"),
        ({"threads": [{**ME, "role": "worker", "start": 1}]}, "me has ended"),
        ({"layout": "odd"}, "value of layout must be one of"),
    ],
)
def test_what_cannot_be_measured(run: Run, host: Host, change: dict[str, Any], message: str, check: bool) -> None:
    assert message in run(**change, check=check)["msg"]
    assert not os.path.exists(host.state)


def test_a_second_run_while_one_is_throttling(run: Run, host: Host, cgroup: Path) -> None:
    with subprocess.Popen(["sleep", "60"]) as other:
        who = processes.identify(Host(), other.pid)
        RunLock(host).take(Holder("r0", "lab", who.pid, who.start, who.boot, "2026-11-20T10:00:00Z"))
        message = run()["msg"]
        other.kill()
    assert "another run holds this host" in message
    assert "run r0" in message
    assert (cgroup / "cpu.max").read_text() == "50000 100000\n"
    assert Journal(host).entries() == []


def test_restore_lifts_the_limit_of_one_that_was_killed_while_throttled(run: Run, host: Host, cgroup: Path) -> None:
    phases = [{"name": "throttled", "cpu_max": "1000 1000000", "seconds": 60}]
    child = os.fork()
    if not child:
        with contextlib.suppress(BaseException):
            run(phases=phases)
        os._exit(1)
    limit_s = time.monotonic() + 20
    while (cgroup / "cpu.max").read_text() != "1000 1000000\n" and time.monotonic() < limit_s:
        time.sleep(0.01)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    assert (cgroup / "cpu.max").read_text() == "1000 1000000\n"
    outcome = restore.replay(host)
    assert (cgroup / "cpu.max").read_text() == "50000 100000\n"
    assert outcome.failures == []
    assert Journal(host).entries() == []


@pytest.mark.parametrize("check", [True, False])
def test_a_trace_that_cannot_be_had_is_refused_before_anything_is_started(
    run: Run, host: Host, monkeypatch: pytest.MonkeyPatch, check: bool
) -> None:
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    message = run(trace=True, check=check)["msg"]
    assert "no program bpftrace" in message
    assert "Way out: install bpftrace" in message
    assert not os.path.exists(host.state)


def test_the_documentation_is_that_of_the_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, Any] = {}
    monkeypatch.setattr(throttle_run, "AnsibleModule", lambda **given: seen.update(given))
    monkeypatch.setattr(throttle_run, "run_module", lambda *_arguments: None)
    throttle_run.main()
    assert documented(documented_options(throttle_run.DOCUMENTATION)) == {
        name: option for name, option in seen["argument_spec"].items() if name != "run_id"
    }


def test_everything_returned_is_documented(run: Run) -> None:
    returned = yaml.safe_load(throttle_run.RETURN)
    assert set(run()) - {"changed", "invocation"} == set(returned)
    checked = set(run(check=True)) - {"changed", "invocation"}
    assert checked == {name for name, field in returned.items() if field["returned"] == "success"}
    assert all("sample" in field for field in returned.values())
