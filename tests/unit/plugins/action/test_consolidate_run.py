# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The study consolidate in the background; what it shares with reflect_run is tested there."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from ansible_collections.virtperf.vhost.plugins.action.consolidate_run import ActionModule
from ansible_collections.virtperf.vhost.plugins.plugin_utils.background import FollowedAction


class FakeAction(ActionModule):
    """Ansible's side of the action."""

    def __init__(self, **arguments: Any) -> None:
        self._task = SimpleNamespace(args={"trials": [{}] * 162, **arguments}, check_mode=False, async_val=0)


def test_it_is_followed_like_the_other_studies() -> None:
    assert issubclass(ActionModule, FollowedAction)
    assert FakeAction().module == "consolidate_run"


def test_no_shorter_than_its_trials() -> None:
    assert FakeAction().expected_s() > 162 * 3
    longer = FakeAction(window_seconds="10", warmup_seconds=1, late_seconds=0.5)
    assert longer.expected_s() > 162 * 12
    assert (
        FakeAction(window_seconds=2.0, warmup_seconds=0.5, late_seconds=0.5).expected_s() == FakeAction().expected_s()
    )
