# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module stream_end as Ansible calls it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.stream_end import programs
from ansible_collections.virtperf.vhost.plugins.module_utils.stream_end.programs import Lack
from ansible_collections.virtperf.vhost.plugins.modules import stream_end
from ansible_collections.virtperf.vhost.tests.unit.documentation import documented_options
from ansible_collections.virtperf.vhost.tests.unit.plugins.modules.call import Run, caller

VNC = {"end": "server", "workloads": ["iperf3", "vnc"], "vnc_password": "s3cr3tpw"}


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(run=str(tmp_path / "run"), state=str(tmp_path / "state"))


@pytest.fixture
def lacks(monkeypatch: pytest.MonkeyPatch) -> list[Lack]:
    """What the machine lacks."""
    found: list[Lack] = []
    monkeypatch.setattr(programs, "lacking", lambda _end, _workloads: found)
    return found


@pytest.fixture
def run(host: Host, lacks: list[Lack], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    return caller(stream_end.main, host, capsys, monkeypatch)


def test_each_step_is_predicted_and_then_unchanged(run: Run, host: Host) -> None:
    for arguments in (
        VNC,
        {**VNC, "vnc_password": "another1"},
        {**VNC, "end": "client", "vnc_password": "another1"},
        {"end": "server", "state": "absent"},
        {"end": "client", "state": "absent"},
    ):
        before = sorted(Path(host.run).rglob("*"))
        predicted = run(check=True, diff=True, **arguments)
        assert sorted(Path(host.run).rglob("*")) == before
        done = run(diff=True, **arguments)
        assert done["changed"], arguments
        for key in ("changed", "actions", "diff"):
            assert predicted[key] == done[key], (arguments, key)
        again = run(**arguments)
        assert (again["changed"], again["actions"]) == (False, []), arguments
    assert not Path(host.run, "vnc").exists()


def test_what_is_missing_is_a_failure_or_told(run: Run, lacks: list[Lack], host: Host) -> None:
    lacks += [Lack("x11vnc", "x11vnc"), Lack("iperf3", "iperf3", "iperf 3.12")]
    failed = run(**VNC)
    assert "cannot be the server of iperf3, vnc (found: x11vnc: none, iperf3: iperf 3.12)" in failed["msg"]
    assert "3.17 or newer" in failed["msg"]
    assert not Path(host.run).exists()
    told = run(strict=False, **VNC)
    assert told["lacks"] == ["x11vnc: none", "iperf3: iperf 3.12"]
    assert told["packages"] == ["x11vnc", "iperf3"]
    assert told["program"] == f"{host.run}/vnc/server"


def test_iperf3_alone_needs_no_files_and_no_password(run: Run, host: Host) -> None:
    done = run(end="client")
    assert (done["changed"], done["program"]) == (False, "")
    assert not Path(host.run).exists()


@pytest.mark.parametrize("password", [None, "", "longer than eight"])
def test_a_password_that_cannot_be(run: Run, password: str | None) -> None:
    failed = run(**{**VNC, "vnc_password": password})
    assert "password" in failed["msg"]
    assert "longer than" not in json.dumps(failed)


def test_the_password_does_not_come_back(run: Run) -> None:
    for keywords in ({"check": True, "diff": True}, {"diff": True}, {}):
        assert "s3cr3tpw" not in json.dumps(run(**keywords, **VNC))


def test_the_documentation_says_what_the_module_takes() -> None:
    documented = documented_options(stream_end.DOCUMENTATION)
    assert {key: (option["type"], option.get("default")) for key, option in documented.items()} == {
        "state": ("str", "present"),
        "end": ("str", None),
        "workloads": ("list", ["iperf3"]),
        "strict": ("bool", True),
        "vnc_password": ("str", None),
    }
