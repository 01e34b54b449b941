# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module hugepages as Ansible calls it, on a kernel that is a directory."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.testing import patch_module_args

from ansible_collections.virtperf.vhost.plugins.module_utils import hugetlbfs, module
from ansible_collections.virtperf.vhost.plugins.module_utils.journal import Journal
from ansible_collections.virtperf.vhost.plugins.modules import hugepages
from ansible_collections.virtperf.vhost.tests.unit.fake_hugetlb import KB_2M, FakeHost, FakeSystem, fake_host

Run = Callable[..., dict[str, Any]]


@pytest.fixture
def host(tmp_path: Path) -> FakeHost:
    return fake_host(tmp_path)


@pytest.fixture
def run(host: FakeHost, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Call main() and return the result."""
    system = FakeSystem(host)
    monkeypatch.setattr(module, "Host", lambda: host)
    monkeypatch.setattr(hugetlbfs.LIBC, "mount", system.mount)
    monkeypatch.setattr(hugetlbfs.LIBC, "unmount", system.unmount)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(host.__class__, "private_directory", lambda _self, path: os.makedirs(path, exist_ok=True))

    def run(**arguments: Any) -> dict[str, Any]:
        with patch_module_args(arguments), pytest.raises(SystemExit) as caught:
            hugepages.main()
        result: dict[str, Any] = json.loads(capsys.readouterr().out)
        assert bool(caught.value.code) == result.get("failed", False)
        return result

    return run


def test_pools_and_mounts_together(run: Run, host: FakeHost, tmp_path: Path) -> None:
    path = str(tmp_path / "mnt")
    arguments: dict[str, Any] = {
        "pools": [{"size": "2M", "count": 8}],
        "mounts": [{"path": path, "size": "2MiB"}],
        "run_id": "run-7",
    }
    predicted = run(**arguments, _ansible_check_mode=True, _ansible_diff=True)
    assert not host.kernel.written
    assert not os.path.exists(path)
    done = run(**arguments, _ansible_diff=True)
    for key in ("changed", "pools", "mounts", "actions", "diff"):
        assert predicted[key] == done[key], key
    assert done["changed"]
    assert done["diff"] == {
        "before": {"pools": {"hugepages of 2MiB": 0}, "mounts": {path: ""}},
        "after": {"pools": {"hugepages of 2MiB": 8}, "mounts": {path: "2MiB"}},
    }
    assert host.kernel.pool(KB_2M).total == 8
    assert [(entry.resource, entry.run_id) for entry in Journal(host).entries()] == [
        ("hugepages", "run-7"),
        ("hugetlbfs", "run-7"),
    ]
    again = run(**arguments)
    assert not again["changed"]
    assert again["actions"] == []
    assert len(Journal(host).entries()) == 2


def test_nothing_asked_for_is_nothing_done(run: Run, host: FakeHost) -> None:
    result = run()
    assert not result["changed"]
    assert not host.kernel.written


def test_a_shortfall(run: Run, host: FakeHost) -> None:
    host.kernel.room_kb[0] = 5 * KB_2M
    Path(host.proc, "meminfo").write_text("MemTotal: 900000 kB\nMemAvailable: 800000 kB\n")
    result = run(pools=[{"size": "2M", "count": 8}], retries=1, retry_pause_ms=0)
    assert result["failed"]
    assert (result["granted"], result["was"], result["free"], result["left_changed"]) == (5, 0, 5, [])
    assert "granted 5 in 2 attempts; everything is as it was" in result["msg"]
    assert host.kernel.pool(KB_2M).total == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"pools": [{"size": "2M"}]}, "missing required arguments: count"),
        ({"pools": [{"count": 1}]}, "missing required arguments: size"),
        ({"pools": [{"size": "2M", "count": 1, "policy": "more"}]}, "must be one of: at_least, exact"),
        ({"pools": [{"size": "2M", "count": "many"}]}, "cannot be converted to an int"),
        ({"pools": [{"size": "2M", "count": 1, "nodes": 1}]}, "Unsupported parameters"),
        ({"mounts": [{"path": "/x"}]}, "missing required arguments: size"),
        ({"mounts": [{"path": "here", "size": "2M"}]}, "absolute path"),
        ({"pools": [{"size": "2M", "count": 1}], "retries": -1}, "cannot retry"),
        ({"pools": [{"size": "16M", "count": 1}]}, "no hugepages of 16MiB (found: 2MiB, 1GiB)"),
    ],
)
def test_bad_arguments(run: Run, arguments: dict[str, Any], message: str) -> None:
    result = run(**arguments)
    assert result["failed"]
    assert message in result["msg"]


def test_root_is_needed(run: Run, host: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    result = run(pools=[{"size": "2M", "count": 8}])
    assert result["msg"].startswith("needs root on ")
    assert "become" in result["msg"]
    assert run(pools=[{"size": "2M", "count": 8}], _ansible_check_mode=True)["changed"]
    assert not host.kernel.written


def test_documentation_and_specification_agree() -> None:
    documented = yaml.safe_load(hugepages.DOCUMENTATION)["options"]
    fragment_only = {"run_id"}
    assert set(documented) | fragment_only == set(hugepages.ARGUMENTS)
    for name in ("pools", "mounts"):
        assert set(documented[name]["suboptions"]) == set(hugepages.ARGUMENTS[name]["options"])


def test_everything_returned_is_documented(run: Run, tmp_path: Path) -> None:
    documented = yaml.safe_load(hugepages.RETURN)
    result = run(pools=[{"size": "2M", "count": 8}], mounts=[{"path": str(tmp_path / "mnt"), "size": "2M"}])
    assert set(result) - {"changed", "invocation"} <= set(documented)
    assert set(result["pools"][0]) == set(documented["pools"]["contains"])
    assert set(result["mounts"][0]) == set(documented["mounts"]["contains"])
    assert all("returned" in field and ("sample" in field or "contains" in field) for field in documented.values())


def test_every_fact_of_a_failure_is_documented(run: Run, host: FakeHost, tmp_path: Path) -> None:
    documented = set(yaml.safe_load(hugepages.RETURN)) | {"msg", "failed", "changed", "invocation", "exception"}
    host.kernel.has(8, used=4)
    (tmp_path / "full" / "file").mkdir(parents=True)
    for pool, mount in (
        ({"count": 10**7}, {}),
        ({"count": 1, "policy": "exact"}, {}),
        ({"count": 1, "size": "4M"}, {}),
        ({"count": 1, "node": 9}, {}),
        ({"count": -1}, {}),
        ({"count": 1}, {"path": str(tmp_path / "full")}),
        ({"count": 1, "size": "x"}, {}),
    ):
        mounts = [{"size": "2M", **mount}] if mount else []
        result = run(pools=[{"size": "2M", **pool}], mounts=mounts)
        assert result["failed"]
        assert set(result) <= documented
