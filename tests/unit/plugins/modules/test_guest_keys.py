# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module guest_keys as Ansible calls it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.journal import Journal
from ansible_collections.virtperf.vhost.plugins.modules import guest_keys
from ansible_collections.virtperf.vhost.tests.unit.documentation import documented_options
from ansible_collections.virtperf.vhost.tests.unit.plugins.modules.call import Run, caller


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(run=str(tmp_path / "run"), state=str(tmp_path / "state"))


@pytest.fixture
def run(host: Host, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    return caller(guest_keys.main, host, capsys, monkeypatch)


def test_each_step_is_predicted_and_then_unchanged(run: Run, host: Host) -> None:
    for arguments in (
        {"guests": ["web"]},
        {"guests": ["web", "load"]},
        {"state": "absent", "guests": ["web", "never"]},
        {"state": "absent"},
    ):
        before = sorted(Path(host.state).rglob("*"))
        predicted = run(check=True, diff=True, lab="blue", **arguments)
        assert sorted(Path(host.state).rglob("*")) == before
        done = run(diff=True, lab="blue", **arguments)
        assert done["changed"], arguments
        for key in ("changed", "actions", "diff"):
            assert predicted[key] == done[key], (arguments, key)
        assert not run(lab="blue", **arguments)["changed"], arguments
    assert not Path(host.state, "labs").exists()


def test_only_public_keys_come_back(run: Run, host: Host) -> None:
    done = run(lab="blue", guests=["web"], run_id="run-7")
    assert list(done["host_keys"]) == ["web"]
    assert done["public_key"].startswith("ssh-ed25519 ")
    for path in (done["identity"], done["host_key_files"]["web"]):
        secret = Path(path).read_text().splitlines()[1]
        assert secret not in json.dumps(done)
    assert Path(done["known_hosts"]).read_text() == f"web {done['host_keys']['web']}\n"
    assert Journal(host).entries()[0].run_id == "run-7"


def test_guests_have_to_be_named(run: Run) -> None:
    assert "guests" in run(lab="blue")["msg"]


def test_the_documentation_says_what_the_module_takes() -> None:
    documented = documented_options(guest_keys.DOCUMENTATION)
    assert {key: option["type"] for key, option in documented.items()} == {
        "state": "str",
        "lab": "str",
        "guests": "list",
    }
