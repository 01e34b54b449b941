# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whoever reads the status while it is replaced sees a whole one."""

from __future__ import annotations

import json
import os
import stat
import threading
from pathlib import Path

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.progress import Progress


@pytest.fixture
def progress(tmp_path: Path) -> Progress:
    return Progress(Host(run=str(tmp_path / "run")))


def test_the_last_status_is_the_one_there_is(progress: Progress) -> None:
    progress.show(cell=1, doing="launching")
    progress.show(cell=2)
    with open(progress.path, encoding="utf-8") as file:
        assert json.load(file) == {"cell": 2}
    assert os.listdir(progress.host.run) == ["status.json"]
    assert stat.S_IMODE(os.stat(progress.host.run).st_mode) == 0o700


def test_a_reader_never_sees_half_of_it(progress: Progress) -> None:
    progress.show(cell=0, what="x" * 5000)
    done = threading.Event()

    def replace() -> None:
        for cell in range(500):
            progress.show(cell=cell, what="x" * 5000)
        done.set()

    writer = threading.Thread(target=replace)
    writer.start()
    while not done.is_set():
        with open(progress.path, encoding="utf-8") as file:
            assert len(json.load(file)["what"]) == 5000
    writer.join()
