# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every integration test has to leave this machine as it found it."""

from __future__ import annotations

import functools
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import bench

ROOT = Path(__file__).parents[2]
ALONE = "this machine"
MARK = "pytestmark = pytest.mark.apart\n"


@functools.cache
def is_apart(path: str) -> bool:
    """Whether the tests of a file, named as seen from the checkout, may run beside others."""
    return MARK in (ROOT / path).read_text()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Those that need this machine for themselves come last."""

    def turn(item: pytest.Item) -> int:
        path = item.path.relative_to(ROOT).as_posix()
        return 0 if not path.startswith("tests/integration/") else 1 if is_apart(path) else 2

    items.sort(key=turn)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Among several processes: all tests that need this machine for themselves go to one, when the others have ended.

    Tests of a file that is marked as apart share their fixtures, so they stay together; unit tests go anywhere.
    """
    from xdist.scheduler import LoadScopeScheduling

    class Scheduling(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            path = nodeid.partition("::")[0]
            if not path.startswith("tests/integration/"):
                return nodeid
            return path if is_apart(path) else ALONE

        def _is_to_wait(self) -> bool:
            return list(self.workqueue) == [ALONE] and len(self.nodes) > 1

        def _assign_work_unit(self, node: Any) -> None:
            if not self._is_to_wait():
                super()._assign_work_unit(node)

        def _reschedule(self, node: Any) -> None:
            if not self._is_to_wait():
                super()._reschedule(node)
                return
            is_last = all(other.shutting_down for other in self.nodes if other is not node)
            if not is_last and not node.shutting_down and self._pending_of(self.assigned_work[node]) <= 2:
                # It runs what it still has before it ends. The last one stays.
                node.shutdown()

        def remove_node(self, node: Any) -> str | None:
            crashed: str | None = super().remove_node(node)
            for other in self.nodes:
                self._reschedule(other)
            return crashed

    config.option.loadscopereorder = False
    return Scheduling(config, log)


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
