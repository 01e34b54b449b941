# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The limit of cgroups, on directories that only pretend to be cgroups."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.journal import Journal
from ansible_collections.virtperf.vhost.plugins.module_utils.throttle.limiter import CpuMaxFiles, undo_cpu_max


class FakeHost(Host):
    """Its kernel files are replaced as a whole by each write, as the kernel's are."""

    def write_kernel(self, path: str, value: str) -> None:
        if value.startswith("0"):
            raise OSError(22, "Invalid argument", path)
        assert Path(path).exists()
        Path(path).write_text(f"{value}\n")


@pytest.fixture
def host(tmp_path: Path) -> FakeHost:
    return FakeHost(run=str(tmp_path / "run"), state=str(tmp_path / "state"))


@pytest.fixture
def paths(tmp_path: Path) -> dict[str, str]:
    found = {}
    for name, limit in (("guest1", "max 100000"), ("guest2", "5000 100000")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "cpu.max").write_text(f"{limit}\n")
        found[name] = str(tmp_path / name)
    return found


def now(paths: dict[str, str]) -> list[str]:
    return [Path(path, "cpu.max").read_text().strip() for path in paths.values()]


def test_set_everywhere_read_back_and_put_back(host: FakeHost, paths: dict[str, str]) -> None:
    limiter = CpuMaxFiles(host, Journal(host), paths)
    assert limiter.set("1000 1000000") == "1000 1000000"
    assert now(paths) == ["1000 1000000"] * 2
    limiter.restore()
    assert now(paths) == ["max 100000", "5000 100000"]


def test_cgroups_that_differ_are_told(host: FakeHost, paths: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    limiter = CpuMaxFiles(host, Journal(host), paths)
    monkeypatch.setattr(FakeHost, "write_kernel", lambda *_arguments: None)
    assert limiter.set("1000 1000000") == "max 100000, 5000 100000"


def test_the_journal_knows_before_anything_changes_and_puts_back(host: FakeHost, paths: dict[str, str]) -> None:
    limiter = CpuMaxFiles(host, Journal(host), paths)
    (entry,) = Journal(host).entries()
    assert undo_cpu_max(host, entry.undo) == ""
    limiter.set("1000 1000000")
    assert undo_cpu_max(host, entry.undo) == (
        f"set cpu.max of {paths['guest1']} to max 100000, {paths['guest2']} to 5000 100000"
    )
    assert now(paths) == ["max 100000", "5000 100000"]
    assert undo_cpu_max(host, entry.undo) == ""


def test_a_cgroup_that_is_gone_or_another_one_is_left_alone(host: FakeHost, paths: dict[str, str]) -> None:
    limiter = CpuMaxFiles(host, Journal(host), paths)
    limiter.set("1000 1000000")
    (entry,) = Journal(host).entries()
    first, second = (Path(path) for path in paths.values())
    (first / "cpu.max").unlink()
    undo = {**entry.undo, "inodes": {path: number + 1 for path, number in entry.undo["inodes"].items()}}
    assert undo_cpu_max(host, undo) == ""
    assert (second / "cpu.max").read_text() == "1000 1000000\n"
    limiter.restore()
    assert (second / "cpu.max").read_text() == "5000 100000\n"


def test_what_the_kernel_refuses_is_named(host: FakeHost, paths: dict[str, str]) -> None:
    with pytest.raises(VirtperfError, match=r"the kernel does not take cpu\.max '0 1' of .*guest1"):
        CpuMaxFiles(host, Journal(host), paths).set("0 1")


def test_a_cgroup_without_the_controller_is_found_before_a_start(host: FakeHost, tmp_path: Path) -> None:
    with pytest.raises(VirtperfError, match="subtree_control"):
        CpuMaxFiles(host, Journal(host), {"x": str(tmp_path)})
    assert Journal(host).entries() == []


def test_nothing_to_limit_is_within_any_limit(host: FakeHost) -> None:
    limiter = CpuMaxFiles(host, Journal(host), {})
    assert limiter.set("max 100000") == "max 100000"
    limiter.restore()
    assert Journal(host).entries() == []
