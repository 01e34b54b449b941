# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A screen where there is none: Xvfb, on a display number that it finds free itself, closed to other users."""

from __future__ import annotations

import os
import secrets
import select
import struct
import time

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.vnc.program import Child, Place

# An emulated guest compiles the keyboard's map for seconds.
_PATIENCE_S = 40.0
_COOKIE_NAME = b"MIT-MAGIC-COOKIE-1"
_ANY_DISPLAY = 0xFFFF


class VirtualDisplay:
    """``environment`` leads programs to it. ``framebuffer`` is the file that its pixels are in."""

    def __init__(self, place: Place, width: int, height: int) -> None:
        self.framebuffer = os.path.join(place.directory, "Xvfb_screen0")
        authority = os.path.join(place.directory, "authority")
        with open(authority, "xb", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
            file.write(cookie(secrets.token_bytes(16)))
        told, tells = os.pipe()
        try:
            # Without -noreset it begins anew whenever its last program leaves.
            self.child = Child(
                "Xvfb",
                [
                    *("Xvfb", "-displayfd", str(tells), "-screen", "0", f"{width}x{height}x24"),
                    *("-fbdir", place.directory, "-auth", authority, "-nolisten", "tcp", "-nocursor", "-noreset"),
                ],
                "xvfb",
                place.environment,
                pass_fds=[tells],
            )
        except VirtperfError:
            os.close(told)
            raise
        finally:
            os.close(tells)
        try:
            self.environment = {"DISPLAY": f":{_number(told, self.child)}", "XAUTHORITY": authority}
        except BaseException:
            self.child.end()
            raise
        finally:
            os.close(told)


def cookie(secret: bytes) -> bytes:
    """An .Xauthority file with one entry, for any display."""
    strings = (b"", b"", _COOKIE_NAME, secret)  # address, number, name, data
    return struct.pack(">H", _ANY_DISPLAY) + b"".join(struct.pack(">H", len(text)) + text for text in strings)


def _number(told: int, child: Child) -> int:
    """The number of the display, told as soon as it can be used."""
    limit_s = time.monotonic() + _PATIENCE_S
    text = b""
    while not text.endswith(b"\n"):
        child.check()
        if time.monotonic() >= limit_s:
            raise VirtperfError(f"Xvfb tells no display after {_PATIENCE_S:.0f} s", found=child.said().strip())
        if select.select([told], [], [], 0.1)[0]:
            part = os.read(told, 16)
            if not part:
                time.sleep(0.05)  # it has let go; it is about to end
            text += part
    return int(text)
