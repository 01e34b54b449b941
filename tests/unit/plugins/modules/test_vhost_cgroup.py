# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module: what it takes, what it gives back, and that both are documented."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.virtperf.vhost.plugins.module_utils.vhost_cgroup import manager
from ansible_collections.virtperf.vhost.plugins.modules import vhost_cgroup
from ansible_collections.virtperf.vhost.tests.unit.documentation import documented_options
from ansible_collections.virtperf.vhost.tests.unit.fake_cgroups import FakeHost, FakeScheduler, fake_host
from ansible_collections.virtperf.vhost.tests.unit.plugins.modules.call import Run, caller


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeHost:
    host = fake_host(tmp_path, monkeypatch)
    host.kernel.qemu(100, "a", "/", ["tap,id=n,ifname=tap0,vhost=on"])
    host.kernel.tap(100, 10, "tap0")
    host.kernel.worker(100, 110)
    monkeypatch.setattr(manager, "Scheduler", FakeScheduler)
    os.mkdir(host.state, 0o700)
    return host


@pytest.fixture
def run(host: FakeHost, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    return caller(vhost_cgroup.main, host, capsys, monkeypatch)


WANTED: dict[str, Any] = {"cgroup": "top/killer", "vms": [{"name": "a"}], "cpu_max": "1000 1000000"}


def test_present_and_absent_as_predicted(run: Run, host: FakeHost) -> None:
    before = host.kernel.state()
    for state in ("present", "absent"):
        given = {**WANTED, "state": state}
        predicted = run(**given, check=True, diff=True)
        done = run(**given, diff=True)
        for key in ("changed", "actions", "groups", "workers", "diff"):
            assert predicted[key] == done[key], key
        assert done["changed"]
        assert not run(**given)["changed"]
    assert host.kernel.state() == before
    assert "/top/killer (threaded)\n  cpu.max = 1000 1000000\n" in run(**WANTED, check=True, diff=True)["diff"]["after"]


def test_documentation_and_specification_agree() -> None:
    documented = documented_options(vhost_cgroup.DOCUMENTATION)
    suboptions = documented["vms"].pop("suboptions")
    arguments = {name: dict(argument) for name, argument in vhost_cgroup.ARGUMENTS.items() if name != "run_id"}
    assert set(arguments["vms"].pop("options")) == set(suboptions)
    assert documented == arguments


def test_everything_returned_is_documented(run: Run) -> None:
    documented = yaml.safe_load(vhost_cgroup.RETURN)
    done = run(**WANTED)
    assert set(done) - {"changed", "invocation", "warnings"} <= set(documented)
    for key in ("groups", "workers"):
        assert set(done[key][0]) == set(documented[key]["contains"])
    for given in ({"cpus": "9"}, {"cpu_max": "1"}, {"vms": [{"name": "a", "interface": "x"}]}):
        failed = run(**{**WANTED, **given})
        assert set(failed) - {"changed", "invocation", "warnings", "failed", "msg", "exception"} <= set(documented)
    assert run(**{**WANTED, "vms": []})["msg"].startswith("no VM is listed")
