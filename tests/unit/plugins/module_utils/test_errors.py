# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An error says what happened, what was found, and the way out."""

from __future__ import annotations

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (VirtperfError("no room"), "no room"),
        (VirtperfError("no room", found="3 MiB"), "no room (found: 3 MiB)"),
        (VirtperfError("no room", way_out="make some"), "no room. Way out: make some"),
        (VirtperfError("no room", found="3 MiB", way_out="make some"), "no room (found: 3 MiB). Way out: make some"),
    ],
)
def test_only_what_is_known_is_said(error: VirtperfError, text: str) -> None:
    assert str(error) == text
    assert error.args == (text,)


def test_facts_are_kept_beside_the_words() -> None:
    error = VirtperfError("no room", free=3, granted=None)
    assert error.facts == {"free": 3, "granted": None}
    assert str(error) == "no room"
