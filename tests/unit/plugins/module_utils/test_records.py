# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Records are on the host's disk after each trial, or the run is told why not."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils import records as records_module
from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host, read_lines
from ansible_collections.virtperf.vhost.plugins.module_utils.records import RecordFile


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(state=str(tmp_path / "state"))


def test_records_of_a_study_lie_with_their_run(host: Host) -> None:
    file = RecordFile(host, "run-1", "reflect")
    assert file.path == f"{host.state}/runs/run-1/reflect.jsonl"
    file.append({"trial": 1})
    RecordFile(host, "run-1", "reflect").append({"trial": 2})
    assert read_lines(file.path) == [{"trial": 1}, {"trial": 2}]


def test_they_are_for_us_alone(host: Host) -> None:
    file = RecordFile(host, "run-1", "reflect")
    file.append({})
    for path in (host.state, f"{host.state}/runs", file.directory):
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o700
    assert stat.S_IMODE(os.stat(file.path).st_mode) == 0o600


def test_a_full_disk_names_the_file_and_the_way_out(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: str, record: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", path)

    monkeypatch.setattr(records_module, "append_line", full)
    with pytest.raises(VirtperfError, match=r"reflect.jsonl \(found: No space left on device\).*same run_id"):
        RecordFile(host, "run-1", "reflect").append({})


def test_logs_of_the_dead_lie_beside_and_never_replace_one_another(host: Host) -> None:
    file = RecordFile(host, "run-1", "reflect")
    assert file.keep_log("testpmd-vswitch", "first") == "testpmd-vswitch-1.log"
    assert file.keep_log("testpmd-vswitch", "second") == "testpmd-vswitch-2.log"
    assert Path(file.directory, "testpmd-vswitch-1.log").read_text() == "first"
    assert stat.S_IMODE(os.stat(file.directory).st_mode) == 0o700
