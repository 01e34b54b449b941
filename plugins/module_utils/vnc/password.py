# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The file in which VNC programs keep a password: hidden from a passing eye, and no more."""

from __future__ import annotations

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.vnc import des

# VNC's authentication takes no more of them.
LONGEST = 8
# The same in all programs. VNC counts a key's bits from the other end than DES does.
_KEY = bytes(int(f"{byte:08b}"[::-1], 2) for byte in (23, 82, 107, 6, 35, 78, 88, 7))


def contents(password: str) -> bytes:
    """What ``vncpasswd -f`` writes for it. An error has never the password in it."""
    if not 1 <= len(password) <= LONGEST or not all("!" <= character <= "~" for character in password):
        raise VirtperfError(
            "VNC cannot use this password",
            found=f"{len(password)} characters",
            way_out=f"give 1 to {LONGEST} ASCII letters, digits and signs: programs ignore what comes after them",
        )
    return des.encrypt(_KEY, password.encode("ascii").ljust(8, b"\0"))
