# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The study knobs in the background; what it shares with reflect_run is tested there."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from ansible_collections.virtperf.vhost.plugins.action.knobs_run import ActionModule
from ansible_collections.virtperf.vhost.plugins.plugin_utils.background import FollowedAction


def expected_s(**arguments: Any) -> float:
    action = ActionModule.__new__(ActionModule)
    action._task = SimpleNamespace(args={"arms": [{}] * 12, "trials": [{}] * 100, **arguments})
    return action.expected_s()


def test_it_is_followed_like_the_other_studies() -> None:
    assert issubclass(ActionModule, FollowedAction)
    assert ActionModule.module == "knobs_run"


def test_it_takes_no_less_than_its_trials() -> None:
    assert expected_s(window_seconds="3", warmup_seconds=1) > 100 * 4
    assert expected_s(trials=[]) < expected_s(trials=[{}])


def test_what_is_not_given_is_what_the_module_takes_for_it() -> None:
    assert expected_s() == expected_s(window_seconds=2.0, warmup_seconds=0.5)
