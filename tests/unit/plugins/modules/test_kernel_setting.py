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

from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.modules import kernel_setting
from ansible_collections.virtperf.vhost.tests.unit.documentation import documented_options
from ansible_collections.virtperf.vhost.tests.unit.plugins.modules.call import Run, caller

PATH = "/proc/sys/net/core/busy_poll"
WANTED: dict[str, Any] = {"name": "net.core.busy_poll", "value": 50}


@pytest.fixture
def host(tmp_path: Path) -> Host:
    for name, text in (("net/core/busy_poll", "0\n"), ("kernel/random/boot_id", "this-boot\n")):
        file = tmp_path / "proc/sys" / name
        file.parent.mkdir(parents=True)
        file.write_text(text)
    os.mkdir(tmp_path / "state", 0o700)
    os.mkdir(tmp_path / "sys")
    return Host(proc=str(tmp_path / "proc"), sys=str(tmp_path / "sys"), state=str(tmp_path / "state"))


@pytest.fixture
def run(host: Host, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    return caller(kernel_setting.main, host, capsys, monkeypatch)


def test_predicted_done_and_left_alone(run: Run, host: Host) -> None:
    # A file takes what is written over its beginning, which will do for a number of as many digits.
    Path(host.proc, "sys/net/core/busy_poll").write_text("10\n")
    predicted = run(settings=[WANTED], check=True, diff=True)
    done = run(settings=[WANTED], diff=True)
    for key in ("changed", "actions", "settings", "skipped", "diff"):
        assert predicted[key] == done[key], key
    assert done["diff"] == {"before": {PATH: "10"}, "after": {PATH: "50"}}
    assert not run(settings=[{"path": PATH, "value": "0x32"}])["changed"]
    assert not run(settings=[])["changed"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "missing required arguments: settings"),
        ({"settings": [{"path": PATH}]}, "missing required arguments: value"),
        ({"settings": [{"value": 1}]}, "one of the following is required: path, name"),
        ({"settings": [{**WANTED, "path": PATH}]}, "mutually exclusive"),
        ({"settings": [{"path": "/etc/passwd", "value": 1}]}, "is no setting of the kernel's"),
    ],
)
def test_bad_arguments(run: Run, arguments: dict[str, Any], message: str) -> None:
    result = run(**arguments)
    assert result["failed"]
    assert message in result["msg"]


def test_documentation_and_specification_agree() -> None:
    documented = documented_options(kernel_setting.DOCUMENTATION)
    suboptions = documented["settings"].pop("suboptions")
    arguments = {name: dict(argument) for name, argument in kernel_setting.ARGUMENTS.items() if name != "run_id"}
    options = arguments["settings"].pop("options")
    assert {name: {k: v for k, v in each.items() if k != "description"} for name, each in suboptions.items()} == options
    for rule in ("required_one_of", "mutually_exclusive"):
        assert arguments["settings"].pop(rule) == [("path", "name")]
    assert documented == arguments


def test_everything_returned_is_documented(run: Run) -> None:
    documented = yaml.safe_load(kernel_setting.RETURN)
    result = run(settings=[WANTED])
    assert set(result) - {"changed", "invocation"} <= set(documented)
    assert set(result["settings"][0]) == set(documented["settings"]["contains"])
    failure_keys = set(documented) | {"msg", "failed", "changed", "invocation", "exception"}
    assert set(run(settings=[{"name": "no.such", "value": 1}])) <= failure_keys
