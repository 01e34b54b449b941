# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Variables as they come are read, or None."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.virtperf.vhost.plugins.plugin_utils.values import boolean, integer


@pytest.mark.parametrize(
    ("raw", "value"), [(True, True), ("Yes", True), (" on ", True), (0, False), ("off", False), ("", None), (2, None)]
)
def test_booleans(raw: Any, value: bool | None) -> None:
    assert boolean(raw) is value


@pytest.mark.parametrize(
    ("raw", "value"), [(3, 3), (" 12 ", 12), (True, None), ("²", None), ("1" * 10, None), (1.5, None), ("-1", None)]
)
def test_integers(raw: Any, value: int | None) -> None:
    assert integer(raw) == value
