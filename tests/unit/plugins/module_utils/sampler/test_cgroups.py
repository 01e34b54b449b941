# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""cpu.stat of cgroups."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.sampler.cgroups import Cgroups

STAT = """usage_usec 9
user_usec 5
system_usec 4
nr_periods 10
nr_throttled 7
throttled_usec 123456
nr_bursts 0
"""


def test_what_was_used_and_denied(tmp_path: Path) -> None:
    (tmp_path / "cpu.stat").write_text(STAT)
    source = Cgroups({"workers": str(tmp_path)})
    assert [counter for _kind, _label, counter in source.columns] == [
        "usage_usec",
        "nr_periods",
        "nr_throttled",
        "throttled_usec",
    ]
    assert source.read() == [9, 10, 7, 123456]
    source.close()


def test_without_the_controller_only_the_usage_is_known(tmp_path: Path) -> None:
    (tmp_path / "cpu.stat").write_text("usage_usec 9\nuser_usec 5\nsystem_usec 4\n")
    assert Cgroups({"workers": str(tmp_path)}).read() == [9, None, None, None]


def test_one_that_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(VirtperfError, match="cgroup workers has no"):
        Cgroups({"workers": str(tmp_path)})
