# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which names a run can have."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.run_id import check_run_id


@pytest.mark.parametrize("run_id", ["a", "2026", "A.b_c-d", "x" * 64])
def test_usable_run_ids(run_id: str) -> None:
    assert check_run_id(run_id) == run_id


@pytest.mark.parametrize("run_id", ["", ".", "..", "a..b", "-a", "_a", "a/b", "/a", "a b", "ä", "a\n", "x" * 65])
def test_unusable_run_ids(run_id: str) -> None:
    with pytest.raises(VirtperfError, match="64 letters"):
        check_run_id(run_id)


@given(st.text(max_size=70))
def test_a_usable_run_id_stays_below_its_directory(run_id: str) -> None:
    try:
        check_run_id(run_id)
    except VirtperfError:
        return
    assert os.path.normpath(f"/results/{run_id}") == f"/results/{run_id}"
    assert os.path.dirname(f"/results/{run_id}") == "/results"
