# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module qemu_vm as Ansible calls it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from ansible.module_utils.basic import AnsibleModule

from ansible_collections.virtperf.vhost.plugins.module_utils.module import RUN_ARGUMENTS
from ansible_collections.virtperf.vhost.plugins.modules import qemu_vm
from ansible_collections.virtperf.vhost.tests.unit.documentation import documented_options
from ansible_collections.virtperf.vhost.tests.unit.plugins.module_utils.qemu.fake_qemu import Lab, installed
from ansible_collections.virtperf.vhost.tests.unit.plugins.modules.call import Run, caller

VM: dict[str, Any] = {"name": "guest", "accel": "tcg", "memory": {"size": "64MiB"}}


@pytest.fixture
def lab(monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    with installed(monkeypatch) as lab:
        yield lab


@pytest.fixture
def run(lab: Lab, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    return caller(qemu_vm.main, lab.host, capsys, monkeypatch)


def test_each_state_is_predicted_and_then_unchanged(run: Run, lab: Lab) -> None:
    for state in ("paused", "started", "paused", "stopped", "started", "absent"):
        arguments: dict[str, Any] = {"state": state, "vms": [VM], "stop_limits": {"powerdown": 0}}
        predicted = run(check=True, diff=True, **arguments)
        done = run(diff=True, **arguments)
        assert done["changed"], state
        for key in ("changed", "actions", "diff"):
            assert predicted[key] == done[key], (state, key)
        assert not run(**arguments)["changed"], state
    assert lab.running() == []


def test_the_way_it_ended_is_told(run: Run) -> None:
    run(vms=[VM])
    assert run(state="stopped", stop_limits={"powerdown": 0})["stopped"] == {"guest": "quit"}


def test_the_fallback_is_a_warning_and_stays_in_the_facts(run: Run, lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    warned: list[str] = []  # ansible itself tells a warning once in the life of a process, and this one runs many tests
    monkeypatch.setattr(AnsibleModule, "warn", lambda _module, text: warned.append(text))
    lab.behave(kvm_says="error: failed to set MSR")
    vm = {**VM, "accel": "auto"}
    first = run(vms=[vm])
    assert "KVM does not work here" in " ".join(warned)
    assert (first["vms"][0]["accel"], run(vms=[vm])["vms"]) == ("tcg", first["vms"])
    assert first["vms"][0]["accel_reason"]


def test_credentials_do_not_come_back(run: Run) -> None:
    done = run(vms=[{**VM, "credentials": {"passwd.root": "hunter2"}}], diff=True)
    assert "hunter2" not in json.dumps({key: value for key, value in done.items() if key != "invocation"})


def test_a_vm_that_runs_needs_memory(run: Run) -> None:
    assert "memory" in run(vms=[{"name": "guest"}])["msg"]


def test_the_documentation_says_what_the_module_takes() -> None:
    spec = {
        "state": {"type": "str", "choices": ["started", "paused", "stopped", "absent"], "default": "started"},
        "vms": {"type": "list", "elements": "dict"},
    }
    documented = documented_options(qemu_vm.DOCUMENTATION)
    assert {key: documented[key]["type"] for key in spec} == {key: spec[key]["type"] for key in spec}
    vms = yaml.safe_load(qemu_vm.DOCUMENTATION)["options"]["vms"]["suboptions"]
    assert set(vms) == set(qemu_vm.VM)
    for name, spec in (("taps", qemu_vm.TAP), ("vhost_user", qemu_vm.VHOST_USER)):
        documented_types = {key: option["type"] for key, option in vms[name]["suboptions"].items()}
        assert documented_types == {key: option["type"] for key, option in spec.items()}, name
    assert not set(RUN_ARGUMENTS) & set(documented)
