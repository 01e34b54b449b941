# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module: what it takes and gives back, and that both are documented."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.modules import guest_image
from ansible_collections.virtperf.vhost.tests.unit.documentation import documented_options
from ansible_collections.virtperf.vhost.tests.unit.plugins.module_utils.guest_image.fake_programs import FakePrograms
from ansible_collections.virtperf.vhost.tests.unit.plugins.modules.call import Run, caller


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    FakePrograms(tmp_path / "bin", monkeypatch)
    host = Host(run=str(tmp_path / "run"), state=str(tmp_path / "state"))
    return caller(guest_image.main, host, capsys, monkeypatch)


def test_an_image_is_built_once(run: Run, tmp_path: Path) -> None:
    arguments = {"profile": "essential", "disk_mib": 256, "cache_dir": str(tmp_path / "images")}
    predicted = run(check=True, diff=True, **arguments)
    done = run(diff=True, **arguments)
    assert (predicted["actions"], predicted["diff"]) == (done["actions"], done["diff"])
    documented = yaml.safe_load(guest_image.RETURN)
    assert set(done["image"]) == set(documented["image"]["contains"]) | {"virtual_mib"}
    assert set(done) - {"changed", "diff", "invocation"} <= set(documented)
    assert not run(**arguments)["changed"]


def test_an_error_says_the_way_out(run: Run, tmp_path: Path) -> None:
    failed = run(path=str(tmp_path / "no such image"))
    assert failed["failed"]
    assert "no such image" in failed["msg"]
    assert "Way out" in failed["msg"]
    assert failed["image_path"] == str(tmp_path / "no such image")


def test_the_documentation_is_the_argument_spec() -> None:
    options = documented_options(guest_image.DOCUMENTATION)
    spec = {name: option for name, option in guest_image.ARGUMENTS.items() if name != "run_id"}
    assert options == spec
