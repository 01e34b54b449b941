# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module sampler as Ansible calls it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.virtperf.vhost.plugins.module_utils import processes
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.journal import Journal
from ansible_collections.virtperf.vhost.plugins.module_utils.sampler.series import read
from ansible_collections.virtperf.vhost.plugins.modules import sampler
from ansible_collections.virtperf.vhost.tests.unit.documentation import documented_options
from ansible_collections.virtperf.vhost.tests.unit.plugins.modules.call import Run, caller

ME: dict[str, Any] = {"label": "me", "pid": os.getpid(), "tid": os.getpid()}


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(run=str(tmp_path / "run"), state=str(tmp_path / "state"))


@pytest.fixture
def run(host: Host, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setattr(processes, "name_myself", lambda _name: None)
    call = caller(sampler.main, host, capsys, monkeypatch)

    def run(**arguments: Any) -> dict[str, Any]:
        return call(**{"run_id": "r1", "seconds": 0.3, "interfaces": ["lo"], "threads": [ME], **arguments})

    return run


def test_a_series_of_this_machine(run: Run, host: Host) -> None:
    result = run(name="mine")
    assert result["series"] == f"{host.state}/runs/r1/samples/mine.jsonl"
    series = read(result["series"])
    assert result["samples"] == len(series.times_s) >= 2
    assert series.column("net", "lo", "rx_bytes")[0] is not None
    assert series.column("thread", "me", "run_ns")[-1] is not None
    assert [entry.resource for entry in Journal(host).entries()] == ["process"]


def test_check_mode_looks_and_samples_nothing(run: Run, host: Host) -> None:
    assert run(check=True)["changed"]
    assert not os.path.exists(host.state)


@pytest.mark.parametrize("check", [True, False])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"interfaces": ["nosuch0"]}, "there is no network interface nosuch0"),
        ({"cgroups": {"workers": "/nowhere"}}, "cgroup workers has no cpu.stat"),
        ({"threads": [{**ME, "start": 1}]}, "me has ended"),
        ({"seconds": -1}, "seconds cannot be -1"),
        ({"sample_seconds": 0.001}, "sample_seconds cannot be 0.001"),
        ({"name": "../x"}, "cannot be named '../x'"),
        ({"run_id": "../x"}, "run_id"),
    ],
)
def test_what_cannot_be_sampled(run: Run, host: Host, change: dict[str, Any], message: str, check: bool) -> None:
    assert message in run(**change, check=check)["msg"]
    assert not os.path.exists(host.state)


def test_the_documentation_is_that_of_the_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, Any] = {}
    monkeypatch.setattr(sampler, "AnsibleModule", lambda **given: seen.update(given))
    monkeypatch.setattr(sampler, "run_module", lambda *_arguments: None)
    sampler.main()
    assert documented(documented_options(sampler.DOCUMENTATION)) == {
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


def test_everything_returned_is_documented(run: Run) -> None:
    returned = yaml.safe_load(sampler.RETURN)
    assert set(run()) - {"changed", "invocation"} == set(returned)
    checked = set(run(check=True)) - {"changed", "invocation"}
    assert checked == {name for name, field in returned.items() if field["returned"] == "success"}
    assert all("sample" in field for field in returned.values())
