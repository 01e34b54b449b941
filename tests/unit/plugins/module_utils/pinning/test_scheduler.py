# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kernel's word on real threads: this process's own."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.virtperf.vhost.plugins.module_utils.pinning.scheduler import (
    POLICIES,
    Scheduler,
    Setting,
    setting_of,
)

SETTINGS = st.builds(
    Setting,
    st.sets(st.integers(0, 100), min_size=1).map(lambda cpus: tuple(sorted(cpus))),
    st.sampled_from([*POLICIES, "6"]),
    st.integers(0, 99),
    st.booleans(),
)


@pytest.fixture
def sleeper() -> Iterator[int]:
    with subprocess.Popen(["sleep", "60"]) as child:
        yield child.pid
        child.kill()


@given(SETTINGS)
def test_it_survives_the_journal(setting: Setting) -> None:
    assert setting_of(setting.as_dict()) == setting


@pytest.mark.parametrize("policy", ["batch", "idle", "other"])
def test_what_is_set_is_read(sleeper: int, policy: str) -> None:
    scheduler = Scheduler()
    cpu = scheduler.get(sleeper).cpus[-1]
    scheduler.set_cpus(sleeper, (cpu,))
    scheduler.set_policy(sleeper, Setting((cpu,), policy, 0, True))
    assert scheduler.get(sleeper) == Setting((cpu,), policy, 0, True)


def test_nobody() -> None:
    with subprocess.Popen(["true"]) as child:
        child.wait()
    with pytest.raises(ProcessLookupError):
        Scheduler().get(child.pid)


def test_in_words() -> None:
    assert str(Setting((0, 1))) == "0-1"
    assert str(Setting((3,), "rr", 7)) == "3 rr:7"
    assert str(Setting((3,), "idle")) == "3 idle"
    assert Scheduler().get(os.getpid()).cpus == tuple(sorted(os.sched_getaffinity(0)))
