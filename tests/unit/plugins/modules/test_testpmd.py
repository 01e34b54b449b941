# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module testpmd as Ansible calls it, with processes that only pretend."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.testing import patch_module_args

from ansible_collections.virtperf.vhost.plugins.module_utils import module
from ansible_collections.virtperf.vhost.plugins.module_utils.dpdk import manager
from ansible_collections.virtperf.vhost.plugins.module_utils.dpdk.definition import Definition
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.journal import Journal
from ansible_collections.virtperf.vhost.plugins.modules import testpmd
from ansible_collections.virtperf.vhost.tests.unit.documentation import documented_options
from ansible_collections.virtperf.vhost.tests.unit.plugins.module_utils.dpdk.fake_testpmd import Lab, installed

Run = Callable[..., dict[str, Any]]


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

    def run(*instances: dict[str, Any], **arguments: Any) -> dict[str, Any]:
        given = {"instances": list(instances), "run_id": "r1"} if instances else {"run_id": "r1"}
        with patch_module_args({**given, **arguments}), pytest.raises(SystemExit) as caught:
            testpmd.main()
        result: dict[str, Any] = json.loads(capsys.readouterr().out)
        assert bool(caught.value.code) == result.get("failed", False)
        return result

    return run


def both(run: Run, *instances: dict[str, Any], **arguments: Any) -> dict[str, Any]:
    """Predict, do, compare, and do it again, which changes nothing. Returns what was done."""
    predicted = run(*instances, **arguments, _ansible_check_mode=True, _ansible_diff=True)
    done = run(*instances, **arguments, _ansible_diff=True)
    for key in ("changed", "actions", "diff"):
        assert predicted[key] == done[key], key
    again = run(*instances, **arguments, _ansible_diff=True)
    assert (again["changed"], again["actions"]) == (False, [])
    # What the diff promised is what is there afterwards.
    assert again["diff"]["before"] == again["diff"]["after"] == done["diff"]["after"]
    return done


def test_check_mode_starts_nothing(run: Run, lab: Lab) -> None:
    result = run(lab.raw_vswitch(), _ansible_check_mode=True)
    assert (result["changed"], result["instances"]) == (True, [])
    assert not os.path.exists(lab.host.run)
    assert not os.path.exists(lab.host.state)


def test_a_pair_from_its_start_to_its_end(run: Run, lab: Lab) -> None:
    vswitch = lab.raw_vswitch(forwarding=True)
    done = both(run, vswitch, lab.raw_generator())
    assert done["actions"] == [f"start vswitch on CPU {lab.cpus[0]}", f"start generator on CPU {lab.cpus[-1]}"]
    assert [(facts["name"], facts["running"]) for facts in done["instances"]] == [
        ("generator", True),
        ("vswitch", True),
    ]
    assert done["diff"]["before"] == ""
    assert "vswitch.forwarding: True\n" in done["diff"]["after"]
    assert [(entry.resource, entry.undo["name"], entry.run_id) for entry in Journal(lab.host).entries()] == [
        ("testpmd", "vswitch", "r1"),
        ("testpmd", "generator", "r1"),
    ]

    pids = {facts["name"]: facts["pid"] for facts in done["instances"]}
    done = both(run, vswitch, lab.raw_generator(packet_size=128, forwarding=True))
    assert done["actions"] == ["tell generator: set txpkts 128; start"]
    assert {facts["name"]: facts["pid"] for facts in done["instances"]} == pids
    assert "generator.packet_size: 64\n" in done["diff"]["before"]
    assert "generator.packet_size: 128\n" in done["diff"]["after"]

    done = both(run, state="stopped")
    assert done["actions"] == ["stop generator", "stop vswitch"]
    assert done["diff"]["after"] == ""
    assert lab.running() == []
    assert os.listdir(lab.huge_dir) == []
    assert not os.path.exists(lab.socket)


def test_a_change_that_needs_a_launch_takes_those_along_that_are_connected(run: Run, lab: Lab) -> None:
    run(lab.raw_vswitch(), lab.raw_generator())
    done = both(run, lab.raw_vswitch(mbufs=4096), lab.raw_generator())
    assert done["actions"] == [
        f"stop generator (what serves {lab.socket} restarts)",
        "stop vswitch (changed: mbufs)",
        f"start vswitch on CPU {lab.cpus[0]}",
        f"start generator on CPU {lab.cpus[-1]}",
    ]


def test_those_named_are_stopped_and_the_others_left_alone(run: Run, lab: Lab) -> None:
    run(lab.raw_vswitch(), lab.raw_generator())
    done = both(run, {"name": "generator"}, {"name": "nobody"}, state="stopped")
    assert done["actions"] == ["stop generator"]
    assert lab.running() == ["vswitch"]


def test_one_that_has_died_is_started_again(run: Run, lab: Lab) -> None:
    run(lab.raw_vswitch())
    lab.kill("vswitch")
    done = run(lab.raw_vswitch())
    assert done["actions"] == ["stop vswitch (it has died)", f"start vswitch on CPU {lab.cpus[0]}"]
    assert lab.running() == ["vswitch"]


def test_one_whose_definition_was_lost_can_still_be_told_of(run: Run, lab: Lab) -> None:
    run(lab.raw_vswitch())
    Path(lab.host.run, "testpmd", "vswitch", "definition.json").write_text("{}")
    assert run(lab.raw_vswitch(), _ansible_check_mode=True, _ansible_diff=True)["changed"]
    assert run(state="stopped")["changed"]
    assert lab.running() == []


@pytest.mark.parametrize("check_mode", [True, False])
class TestRefused:
    """Before anything is touched, and in check mode too."""

    def refuse(self, run: Run, lab: Lab, check_mode: bool, *instances: dict[str, Any], **arguments: Any) -> str:
        before = lab.running()
        result = run(*instances, **arguments, _ansible_check_mode=check_mode)
        assert result["failed"]
        assert lab.running() == before
        assert Journal(lab.host).entries() == []
        message: str = result["msg"]
        return message

    def test_cpus_that_two_would_share(self, run: Run, lab: Lab, check_mode: bool) -> None:
        pair = lab.raw_vswitch(), lab.raw_generator(cpus=[lab.cpus[0]])
        message = self.refuse(run, lab, check_mode, *pair)
        assert f"testpmd vswitch and generator would both forward on CPU {lab.cpus[0]}" in message
        assert "allow_overlap" in message
        assert run(*pair, allow_overlap=True, _ansible_check_mode=True)["changed"]

    def test_cpus_that_there_are_not(self, run: Run, lab: Lab, check_mode: bool) -> None:
        message = self.refuse(run, lab, check_mode, lab.raw_vswitch(cpus=[4000]))
        assert "cannot run on CPU 4000" in message
        assert str(lab.cpus) in message

    def test_a_socket_path_that_is_taken(self, run: Run, lab: Lab, check_mode: bool) -> None:
        os.makedirs(lab.host.run)
        Path(lab.socket).write_text("mine")
        assert lab.socket in self.refuse(run, lab, check_mode, lab.raw_vswitch())
        assert Path(lab.socket).read_text() == "mine"

    def test_hugepages_that_there_are_not(self, run: Run, lab: Lab, check_mode: bool) -> None:
        lab.hugepages(8)
        message = self.refuse(run, lab, check_mode, lab.raw_vswitch())
        assert message.startswith("16 MiB of hugepages on NUMA node 0 are needed (testpmd vswitch) (found: 8 MiB free")

    def test_testpmd_missing(self, run: Run, lab: Lab, check_mode: bool, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PATH", str(lab.directory))
        message = self.refuse(run, lab, check_mode, lab.raw_vswitch())
        assert message.startswith("dpdk-testpmd is not installed")
        assert "apt-get install dpdk-dev" in message

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            ({"cpus": None}, "testpmd vswitch: cpus is not usable"),
            ({"ports": None}, "testpmd vswitch: ports is not usable"),
            ({"huge_dir": None}, "testpmd vswitch: huge_dir is not usable"),
            ({"name": "../x"}, "a testpmd cannot be named '../x'"),
            ({"burst": 513}, "burst is not usable (found: 513). Way out: from 1 to 512"),
            ({"forward_mode": "fly"}, "must be one of: io, mac"),
            ({"cpus": ["one"]}, "cannot be converted to an int"),
            ({"ports": [{"options": {}}]}, "missing required arguments: device"),
            ({"colour": "red"}, "Unsupported parameters"),
        ],
    )
    def test_bad_instances(self, run: Run, lab: Lab, check_mode: bool, change: dict[str, Any], words: str) -> None:
        assert words in self.refuse(run, lab, check_mode, lab.raw_vswitch(**change))

    def test_no_instances(self, run: Run, lab: Lab, check_mode: bool) -> None:
        assert "state is started but all of the following are missing: instances" in self.refuse(run, lab, check_mode)


def test_one_that_dies_at_its_start_fails_with_the_end_of_its_log_and_takes_nothing_with_it(run: Run, lab: Lab) -> None:
    lab.behave(generator={"dies_at_start": True})
    result = run(lab.raw_vswitch(), lab.raw_generator())
    assert result["msg"].startswith("testpmd generator ended at its start with status 1")
    assert "Cannot get hugepage information" in result["log_end"]
    assert lab.running() == []


def test_the_documentation_is_that_of_the_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, Any] = {}
    monkeypatch.setattr(testpmd, "AnsibleModule", lambda **given: seen.update(given))
    monkeypatch.setattr(testpmd, "run_module", lambda *_arguments: None)
    testpmd.main()
    assert documented(documented_options(testpmd.DOCUMENTATION)) == {
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


def test_the_arguments_are_the_fields_of_a_definition_with_their_defaults() -> None:
    fields = Definition.__dataclass_fields__
    assert set(testpmd.INSTANCE) == set(fields)
    for name, option in testpmd.INSTANCE.items():
        if "default" in option:
            default = fields[name].default
            assert option["default"] == (list(default) if isinstance(default, tuple) else default), name


def test_everything_returned_is_documented(run: Run, lab: Lab) -> None:
    returned = yaml.safe_load(testpmd.RETURN)
    result = run(lab.raw_vswitch())
    assert set(result) - {"changed", "invocation"} == {"actions", "instances"}
    assert set(result["instances"][0]) == set(returned["instances"]["sample"][0])
    assert {"actions", "instances", "log_end"} == set(returned)
    assert all("returned" in field and "sample" in field for field in returned.values())
