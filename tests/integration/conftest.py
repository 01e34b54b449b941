# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every integration test has to leave this machine as it found it."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import bench


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests have this machine for themselves, one after the other, unless they are marked: those come before, and where
    there are several processes they share them, file by file.
    """
    here = [item for item in items if Path(__file__).parent in item.path.parents]
    apart, alone = [], []
    for item in here:
        is_apart = item.get_closest_marker("apart") and "left_as_found" not in getattr(item, "fixturenames", ())
        item.add_marker(pytest.mark.xdist_group(str(item.path.stem) if is_apart else "this machine"))
        (apart if is_apart else alone).append(item)
    items[:] = [*(item for item in items if item not in set(here)), *apart, *alone]


@pytest.fixture
def left_as_found() -> Iterator[None]:
    """Compares the machine before and after; a run's guard has two seconds to see that its controller is gone."""
    before = bench.machine()
    yield
    limit = time.monotonic() + 5
    while (after := bench.machine()) != before and time.monotonic() < limit:
        time.sleep(0.1)
    shutil.rmtree(bench.STATE / "runs" / "test", ignore_errors=True)
    assert after == before
