# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The password file, against what ``vncpasswd -f`` of TigerVNC 1.12 wrote."""

from __future__ import annotations

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.vnc.password import contents


@pytest.mark.parametrize(
    ("password", "expected"),
    [("secret12", "24b5ae4ce15503c6"), ("12345678", "f0e43164f6c2e373"), ("abc", "9c0a172d3482e122")],
)
def test_it_is_what_vncpasswd_writes(password: str, expected: str) -> None:
    assert contents(password).hex() == expected


@pytest.mark.parametrize("password", ["", "123456789", "grün", "a b", "new\nline"])
def test_one_that_programs_would_not_read_as_given_is_refused_and_not_shown(password: str) -> None:
    with pytest.raises(VirtperfError) as caught:
        contents(password)
    assert "VNC cannot use this password" in str(caught.value)
    assert not password or password not in str(caught.value)
