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

from ansible_collections.virtperf.vhost.plugins.module_utils import service_state as core
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.modules import service_state
from ansible_collections.virtperf.vhost.tests.unit.documentation import documented_options
from ansible_collections.virtperf.vhost.tests.unit.plugins.modules.call import Run, caller

IRQBALANCE = {"name": "irqbalance", "state": "stopped"}


class OneUnit(core.System):
    """irqbalance, and nothing else."""

    active = True

    def properties(self, unit: str, *names: str) -> dict[str, str]:
        """As systemctl show has them."""
        known = unit == "irqbalance.service"
        return {
            "LoadState": "loaded" if known else "not-found",
            "ActiveState": "active" if known and self.active else "inactive",
            "Triggers": "",
        }

    def change(self, unit: str, verb: str) -> None:
        """Start or stop."""
        self.active = verb == "start"


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setitem(core.ensure.__kwdefaults__, "system", OneUnit())
    os.mkdir(tmp_path / "state", 0o700)
    return caller(service_state.main, Host(state=str(tmp_path / "state")), capsys, monkeypatch)


def test_predicted_done_and_left_alone(run: Run) -> None:
    predicted = run(services=[IRQBALANCE], check=True, diff=True)
    done = run(services=[IRQBALANCE], diff=True)
    for key in ("changed", "actions", "services", "diff"):
        assert predicted[key] == done[key], key
    assert done["diff"] == {
        "before": {"irqbalance.service": "started"},
        "after": {"irqbalance.service": "stopped"},
    }
    assert not run(services=[IRQBALANCE])["changed"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "missing required arguments: services"),
        ({"services": [{"name": "x"}]}, "missing required arguments: state"),
        ({"services": [{"name": "x", "state": "restarted"}]}, "value of state must be one of"),
        ({"services": [{"name": "x", "state": "started"}]}, "x.service cannot be started"),
    ],
)
def test_bad_arguments(run: Run, arguments: dict[str, Any], message: str) -> None:
    result = run(**arguments)
    assert result["failed"]
    assert message in result["msg"]


def test_documentation_and_specification_agree() -> None:
    documented = documented_options(service_state.DOCUMENTATION)
    suboptions = documented["services"].pop("suboptions")
    arguments = {name: dict(argument) for name, argument in service_state.ARGUMENTS.items() if name != "run_id"}
    options = arguments["services"].pop("options")
    assert {name: {k: v for k, v in each.items() if k != "description"} for name, each in suboptions.items()} == options
    assert documented == arguments


def test_everything_returned_is_documented(run: Run) -> None:
    documented = yaml.safe_load(service_state.RETURN)
    result = run(services=[IRQBALANCE])
    assert set(result) - {"changed", "invocation"} <= set(documented)
    assert set(result["services"][0]) == set(documented["services"]["contains"])
    failure_keys = set(documented) | {"msg", "failed", "changed", "invocation", "exception"}
    assert set(run(services=[{"name": "x", "state": "started"}])) <= failure_keys
