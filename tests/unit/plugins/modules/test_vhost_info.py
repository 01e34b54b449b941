# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module vhost_info as Ansible calls it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.testing import patch_module_args

from ansible_collections.virtperf.vhost.plugins.module_utils import module
from ansible_collections.virtperf.vhost.plugins.module_utils.vhost import abilities
from ansible_collections.virtperf.vhost.plugins.modules import vhost_info
from ansible_collections.virtperf.vhost.tests.unit.fake_hugetlb import FakeHost, fake_host

Run = Callable[..., dict[str, Any]]


@pytest.fixture
def host(tmp_path: Path) -> FakeHost:
    return fake_host(tmp_path)


@pytest.fixture
def run(host: FakeHost, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Call main() as some user and return the result."""
    monkeypatch.setattr(module, "Host", lambda: host)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)

    def run(**arguments: Any) -> dict[str, Any]:
        with patch_module_args(arguments), pytest.raises(SystemExit) as caught:
            vhost_info.main()
        assert caught.value.code == 0
        result: dict[str, Any] = json.loads(capsys.readouterr().out)
        return result

    return run


def test_it_changes_nothing_and_needs_no_root(run: Run, host: FakeHost) -> None:
    for check_mode in (False, True):
        result = run(_ansible_check_mode=check_mode)
        assert not result["changed"]
        assert result["vhost_info"]["hugepages"]["sizes"] == ["2MiB", "1GiB"]
    assert not host.kernel.written
    assert not Path(host.state).exists()


def test_the_run_that_asks_is_recognised(run: Run, host: FakeHost) -> None:
    Path(host.state).mkdir()
    Path(host.state, "lock.json").write_text('{"run_id": "run-7"}')
    assert run(run_id="run-7")["vhost_info"]["run_lock"]["ours"]
    assert not run()["vhost_info"]["run_lock"]["ours"]


def test_kvm_is_probed_when_asked_for(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(abilities, "kvm", lambda *, probe: {"usable": probe})
    assert [run(probe_kvm=probe)["vhost_info"]["kvm"]["usable"] for probe in (False, True)] == [False, True]


def test_everything_returned_is_documented(run: Run, host: FakeHost) -> None:
    vm = Path(host.proc, "100")
    (vm / "task/100").mkdir(parents=True)
    (vm / "cmdline").write_text("qemu-system-x86_64\0")
    (vm / "stat").write_text(f"100 (qemu) S{' 0' * 40}\n")

    def compare(found: Mapping[str, Any], documented: Mapping[str, Any]) -> None:
        assert set(found) == set(documented)
        for name, field in documented.items():
            assert field["description"]
            assert field["returned"]
            if "contains" in field:
                inner = found[name]
                compare(inner[0] if isinstance(inner, list) else inner, field["contains"])
            else:
                assert "sample" in field, name
                if field["type"] == "dict" and found[name] and not name.endswith("_of"):
                    assert set(found[name]) <= set(field["sample"]), name

    compare(run()["vhost_info"], yaml.safe_load(vhost_info.RETURN)["vhost_info"]["contains"])
