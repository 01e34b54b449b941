# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module: what it takes, what it gives back, and that both are documented."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from ansible.module_utils.testing import patch_module_args

from ansible_collections.virtperf.vhost.plugins.module_utils import module
from ansible_collections.virtperf.vhost.plugins.module_utils.pinning import pinner
from ansible_collections.virtperf.vhost.plugins.modules import vcpu_pin
from ansible_collections.virtperf.vhost.tests.unit.documentation import documented_options
from ansible_collections.virtperf.vhost.tests.unit.plugins.module_utils.pinning.fake_vm import FakeVm

Run = Callable[..., dict[str, Any]]


@pytest.fixture
def vm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeVm:
    vm = FakeVm(tmp_path)
    for tid in (100, 101, 102, 103, 104):
        vm.cgroup(tid, "/", "0-7")
    connection = contextlib.nullcontext(SimpleNamespace(execute=vm.ask))
    monkeypatch.setattr(pinner, "connected", lambda _path: connection)
    monkeypatch.setattr(pinner, "Scheduler", lambda: vm.scheduler)
    monkeypatch.setattr(module, "Host", lambda: vm.host)
    monkeypatch.setattr(os, "geteuid", lambda: os.stat(tmp_path).st_uid)
    return vm


@pytest.fixture
def run(vm: FakeVm, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Call main() and return the result."""
    monkeypatch.setattr(vm.host.__class__, "private_directory", lambda _self, path: os.makedirs(path, exist_ok=True))
    monkeypatch.setattr(os, "geteuid", lambda: 0)

    def run(**arguments: Any) -> dict[str, Any]:
        with patch_module_args(arguments), pytest.raises(SystemExit) as caught:
            vcpu_pin.main()
        result: dict[str, Any] = json.loads(capsys.readouterr().out)
        assert bool(caught.value.code) == result.get("failed", False)
        return result

    return run


def wanted(**wishes: Any) -> dict[str, Any]:
    return {"vms": [{"name": "vm", "qmp": "/q", **(wishes or {"vcpus": [{"vcpu": 0, "cpus": "1"}]})}]}


def test_predicted_done_idempotent(run: Run) -> None:
    predicted = run(**wanted(), _ansible_check_mode=True, _ansible_diff=True)
    done = run(**wanted(), _ansible_diff=True)
    for key in ("changed", "actions", "vms", "diff"):
        assert predicted[key] == done[key], key
    assert done["diff"]["prepared"].splitlines()[1].split() == ["vm", "103", "vCPU", "0", "0-7", "1"]
    assert not run(**wanted())["changed"]


def test_a_doubtful_layout_is_warned_of_or_refused(run: Run, vm: FakeVm, monkeypatch: pytest.MonkeyPatch) -> None:
    # Where Ansible's controller has been imported too, it would take the warnings for its own.
    warned: list[str] = []
    monkeypatch.setattr(vcpu_pin.AnsibleModule, "warn", lambda _self, text: warned.append(text))
    both = wanted(vcpus=[{"vcpu": 0, "cpus": "1"}, {"vcpu": 1, "cpus": "5"}])
    run(**both)
    assert "share the core of CPUs 1,5" in str(warned)
    assert "share the core" in run(**both, on_shared_siblings="fail")["msg"]


def test_documentation_and_specification_agree() -> None:
    documented = documented_options(vcpu_pin.DOCUMENTATION)
    assert set(documented) | {"run_id"} == set(vcpu_pin.ARGUMENTS)

    def same(options: dict[str, Any], arguments: dict[str, Any]) -> None:
        for name, option in options.items():
            option.pop("description", None)
            argument = dict(arguments[name])
            same(option.pop("suboptions", {}), argument.pop("options", {}))
            assert option == argument, name

    same(documented, vcpu_pin.ARGUMENTS)


def test_everything_returned_is_documented(run: Run) -> None:
    documented = yaml.safe_load(vcpu_pin.RETURN)
    done = run(**wanted())
    assert set(done) - {"changed", "invocation", "warnings"} <= set(documented)
    (vm,) = done["vms"]
    assert set(vm) == set(documented["vms"]["contains"])
    assert set(vm["threads"][0]) == set(documented["vms"]["contains"]["threads"]["contains"])
    for wishes in (
        {"vcpus": [{"vcpu": 9, "cpus": "1"}]},
        {"vcpus": [{"vcpu": 0, "cpus": "99"}]},
        {"iothreads": [{"id": "x", "cpus": "1"}]},
    ):
        failed = run(**wanted(**wishes))
        assert set(failed) - {"changed", "invocation", "warnings", "failed", "msg", "exception"} <= set(documented)
