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

from ansible_collections.virtperf.vhost.plugins.module_utils.kernel_module import manager
from ansible_collections.virtperf.vhost.plugins.modules import kernel_module
from ansible_collections.virtperf.vhost.tests.unit.documentation import documented_options
from ansible_collections.virtperf.vhost.tests.unit.fake_modules import FakeSystem, ModuleHost, module_host
from ansible_collections.virtperf.vhost.tests.unit.plugins.modules.call import Run, caller

WANTED = [{"name": "vhost", "parameters": {"fork_from_owner_default": False}}, {"name": "vhost_net"}]


@pytest.fixture
def host(tmp_path: Path) -> ModuleHost:
    host = module_host(tmp_path)
    os.mkdir(host.state, 0o700)
    return host


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeSystem:
    system = FakeSystem(tmp_path)
    monkeypatch.setitem(manager.ensure.__kwdefaults__, "system", system)
    return system


@pytest.fixture
def run(
    host: ModuleHost, system: FakeSystem, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Run:
    return caller(kernel_module.main, host, capsys, monkeypatch)


def test_predicted_done_and_left_alone(run: Run, system: FakeSystem) -> None:
    system.load("vhost_net", {})
    predicted = run(modules=WANTED, check=True, diff=True)
    done = run(modules=WANTED, diff=True)
    for key in ("changed", "actions", "modules", "diff"):
        assert predicted[key] == done[key], key
    assert done["changed"]
    assert done["diff"]["before"]["vhost"] == "loaded fork_from_owner_default=Y"
    assert done["diff"]["after"]["vhost"] == "loaded fork_from_owner_default=N"
    assert not run(modules=WANTED)["changed"]
    assert not run(modules=[])["changed"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "missing required arguments: modules"),
        ({"modules": [{"parameters": {}}]}, "missing required arguments: name"),
        ({"modules": [{"name": "vhost", "state": "x"}]}, "Unsupported parameters"),
        ({"modules": [{"name": "no_such"}]}, "there is no module no_such"),
    ],
)
def test_bad_arguments(run: Run, arguments: dict[str, Any], message: str) -> None:
    result = run(**arguments)
    assert result["failed"]
    assert message in result["msg"]


def test_documentation_and_specification_agree() -> None:
    documented = documented_options(kernel_module.DOCUMENTATION)
    suboptions = documented["modules"].pop("suboptions")
    arguments = {name: dict(argument) for name, argument in kernel_module.ARGUMENTS.items() if name != "run_id"}
    options = arguments["modules"].pop("options")
    assert {name: {k: v for k, v in each.items() if k != "description"} for name, each in suboptions.items()} == options
    assert documented == arguments


def test_everything_returned_is_documented(run: Run, system: FakeSystem) -> None:
    documented = yaml.safe_load(kernel_module.RETURN)
    result = run(modules=WANTED)
    assert set(result) - {"changed", "invocation"} <= set(documented)
    assert set(result["modules"][0]) == set(documented["modules"]["contains"])
    failure_keys = set(documented) | {"msg", "failed", "changed", "invocation", "exception"}
    system.use("vhost_net", 7, "qemu", "vhost-net")
    wrong: list[dict[str, Any]] = [
        {"name": "vhost", "parameters": {"x": 1}},
        {"name": "vhost", "parameters": {"fork_from_owner_default": True}},
    ]
    for module in wrong:
        assert set(run(modules=[module])) <= failure_keys
