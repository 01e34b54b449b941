# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module: what it takes, what it gives back, and that both are documented."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.journal import Journal
from ansible_collections.virtperf.vhost.plugins.module_utils.lab_network import manager
from ansible_collections.virtperf.vhost.plugins.module_utils.restore import UNDO
from ansible_collections.virtperf.vhost.plugins.modules import lab_network
from ansible_collections.virtperf.vhost.tests.unit.documentation import documented_options
from ansible_collections.virtperf.vhost.tests.unit.fake_network import FakeNetwork, FakeSystem, network_host
from ansible_collections.virtperf.vhost.tests.unit.plugins.modules.call import Run, caller

WANTED: dict[str, Any] = {"bridges": [{"name": "lab0", "address": "192.0.2.1/24", "taps": [{"name": "tap0"}]}]}


@pytest.fixture
def network(tmp_path: Path) -> FakeNetwork:
    return FakeNetwork(tmp_path)


@pytest.fixture
def host(tmp_path: Path, network: FakeNetwork, monkeypatch: pytest.MonkeyPatch) -> Host:
    for function in (manager.ensure_present, manager.ensure_absent):
        defaults = function.__kwdefaults__ or {}
        monkeypatch.setitem(defaults, "ip", network)
        monkeypatch.setitem(defaults, "system", FakeSystem(network))
    return network_host(tmp_path)


@pytest.fixture
def run(host: Host, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    return caller(lab_network.main, host, capsys, monkeypatch)


def test_present_and_absent_as_predicted(run: Run, host: Host, network: FakeNetwork) -> None:
    before = network.state()
    for state in ("present", "absent"):
        given = {**WANTED, "state": state}
        predicted = run(**given, check=True, diff=True)
        done = run(**given, diff=True, run_id="run-7")
        for key in ("changed", "actions", "diff"):
            assert predicted[key] == done[key], key
        assert done["changed"]
        assert {entry.run_id for entry in Journal(host).entries()} == ({"run-7"} if state == "present" else set())
        assert not run(**given)["changed"]
    assert network.state() == before


def test_restore_knows_it() -> None:
    assert UNDO[manager.RESOURCE] is manager.undo_lab_network


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "missing required arguments: bridges"),
        ({"bridges": [{"address": "192.0.2.1/24"}]}, "missing required arguments: name"),
        ({"bridges": [{"name": "a", "taps": [{"queues": 2}]}]}, "missing required arguments: name"),
        ({"bridges": [{"name": "a", "stp": True}]}, "Unsupported parameters"),
        ({"bridges": [{"name": "a/b"}]}, "a bridge cannot be named 'a/b'"),
    ],
)
def test_bad_arguments(run: Run, network: FakeNetwork, arguments: dict[str, Any], message: str) -> None:
    result = run(**arguments)
    assert result["failed"]
    assert message in result["msg"]
    assert network.commands == []


def test_documentation_and_specification_agree() -> None:
    documented = documented_options(lab_network.DOCUMENTATION)
    of_bridges = documented["bridges"].pop("suboptions")
    of_taps = of_bridges["taps"].pop("suboptions")
    for key, options in (("bridges", of_bridges), ("taps", of_taps)):
        for option in options.values():
            del option["description"]
        assert options, key
    arguments = {name: dict(argument) for name, argument in lab_network.ARGUMENTS.items() if name != "run_id"}
    del arguments["bridges"]["options"]
    bridges = {name: dict(argument) for name, argument in lab_network.BRIDGE_ARGUMENTS.items()}
    del bridges["taps"]["options"]
    assert (documented, of_bridges, of_taps) == (arguments, bridges, lab_network.TAP_ARGUMENTS)


def test_everything_returned_is_documented(run: Run, network: FakeNetwork) -> None:
    documented = yaml.safe_load(lab_network.RETURN)
    done = run(**WANTED)
    assert set(done) - {"changed", "invocation", "warnings"} <= set(documented)
    of_bridge = documented["bridges"]["contains"]
    assert set(done["bridges"][0]) == set(of_bridge)
    assert set(done["bridges"][0]["taps"][0]) == set(of_bridge["taps"]["contains"])
    network.tap("vnet0")["master"] = "lab0"
    network.opened("tap0")
    queues = [{"name": "lab0", "taps": [{"name": "tap0", "queues": 2}]}]
    for given in (
        {"bridges": queues},
        {"bridges": [{"name": "lab0"}], "state": "absent"},
        {"bridges": [{"name": "lab1", "address": "192.0.2.1/24"}]},
    ):
        failed = run(**given)
        assert failed["failed"]
        assert set(failed) - {"changed", "invocation", "warnings", "failed", "msg", "exception"} <= set(documented)
