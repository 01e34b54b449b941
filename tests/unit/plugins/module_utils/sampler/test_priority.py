# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Being before others."""

from __future__ import annotations

import os

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils.sampler.priority import urgent


def test_real_time_inside_and_as_before_after_it() -> None:
    with urgent() as got:
        inside = os.sched_getscheduler(0)
    assert got in ("fifo 1", "normal")  # the second where the tests may not
    assert (inside & ~os.SCHED_RESET_ON_FORK == os.SCHED_FIFO) is (got == "fifo 1")
    assert os.sched_getscheduler(0) == os.SCHED_OTHER


def test_where_it_is_not_allowed_it_goes_on_without(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "sched_setscheduler", refuse)
    with urgent() as got:
        assert got == "normal"
