# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The client's end: TigerVNC's viewer on a screen of its own, whose pixels are looked at a hundred times a second.

Prints ``{"event": "shown", "number": 1, "at": ...}`` as soon as the whole screen shows the picture of that change.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import sys
import time
from collections.abc import Callable, Sequence

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.vnc import picture
from ansible_collections.virtperf.vhost.plugins.module_utils.vnc.display import VirtualDisplay
from ansible_collections.virtperf.vhost.plugins.module_utils.vnc.framebuffer import Framebuffer, spread
from ansible_collections.virtperf.vhost.plugins.module_utils.vnc.program import Child, Place, run, tell

SHOWN = "shown"
_PATIENCE_S = 45.0
_TICK_S = 0.01
_SEARCH_TICK_S = 0.1
# Without a window manager the viewer keeps room for a frame around its window. A screen as large as the picture would
# make it smaller than the picture; full screens are not for all its versions to have without a window manager.
_MARGIN = 48
# Raw pixels of four bytes, whatever the line is like; the picture as large as it is, with nothing drawn over it; and an
# end, not a question, when the connection fails.
_RAW = (
    *("-SecurityTypes=VncAuth", "-PreferredEncoding=Raw", "-AutoSelect=0", "-FullColor=1"),
    *("-FullScreen=0", "-RemoteResize=0", "-MenuKey=", "-ViewOnly=1", "-Shared=0"),
    *("-AcceptClipboard=0", "-SendClipboard=0", "-AlertOnFatalError=0", "-ReconnectOnError=0", "-Log=*:stderr:30"),
)
# What the viewer says, without its banner: "CConn:       Authentication failure: password check failed!"
_SAID = re.compile(r"^\s*(?:CConn|CConnection|TcpSocket|vncviewer|main|Xlib|X11)\w*:\s+(.+)$", re.IGNORECASE)
# Said of every connection.
_USUAL = re.compile(r"[Cc]onnect(?:ed|ing) to |Using (?:RFB|pixel|\w+ encoding)|Choosing |Server (?:offers|supports)")


def main() -> None:
    """The program."""
    run("VNC client", lambda stack, place: watch(asked(sys.argv[1:]), stack, place))


def watch(told: argparse.Namespace, stack: contextlib.ExitStack, place: Place) -> None:
    """Show the server's screen, and tell what is to be seen, for ever."""
    colours = picture.colours(told.colours)
    display = VirtualDisplay(place, told.width + _MARGIN, told.height + _MARGIN)
    stack.callback(display.child.end)
    screen = stack.enter_context(Framebuffer(display.framebuffer))
    viewer = Child("the viewer", words(told), "tigervnc-viewer", {**place.environment, **display.environment})
    stack.callback(viewer.end)

    def check() -> None:
        for child in (viewer, display.child):
            child.check(last_words)

    points = _points(told, screen, colours, viewer, check)
    place.ready()
    seen: int | None = None
    last: int | None = None
    while True:
        # One pixel is enough to see that nothing has changed: the CPU is the guest's, and may be an emulated one.
        colour = screen.colour(points) if screen.pixel(*points[0]) != seen else None
        if colour is not None:
            seen, number = colour, picture.shown(colours, colour, last)
            if number is not None:
                last = number
                tell(SHOWN, number)
        check()
        time.sleep(_TICK_S)


def _points(
    told: argparse.Namespace, screen: Framebuffer, colours: Sequence[int], viewer: Child, check: Callable[[], None]
) -> list[tuple[int, int]]:
    """Where to look: all over the picture, as soon as there is one."""
    limit_s = time.monotonic() + _PATIENCE_S
    while True:
        corner = screen.corner(_MARGIN, lambda pixel: picture.shown(colours, pixel, None) is not None)
        if corner is not None and max(corner) <= _MARGIN:
            points = spread(corner, told.width, told.height)
            if screen.colour(points) is not None:
                return points
        check()
        if time.monotonic() >= limit_s:
            raise VirtperfError(
                f"no picture after {_PATIENCE_S:.0f} s",
                found="; ".join(last_words(viewer.said())[-3:]) or "the viewer said nothing",
                way_out=f"see whether {told.server} can be reached on port {told.port}, and shows these colours",
            )
        time.sleep(_SEARCH_TICK_S)


def words(told: argparse.Namespace) -> list[str]:
    """The viewer's command line."""
    return ["xtigervncviewer", *_RAW, f"-PasswordFile={told.password}", f"{told.server}::{told.port}"]


def last_words(said: str) -> list[str]:
    """What matters of what the viewer said; all of it where it says it in a way that is not known."""
    lines = [line for line in said.splitlines() if line.strip()]
    matches = [match[1].strip() for line in lines if (match := _SAID.match(line))]
    return [text for text in matches if not _USUAL.match(text)] or lines


def asked(arguments: Sequence[str]) -> argparse.Namespace:
    """What a command line asks for."""
    home = os.path.dirname(os.path.realpath(sys.argv[0]))
    parser = argparse.ArgumentParser(description="Watch a window that changes its colour over VNC.")
    parser.add_argument("--server", required=True, help="the server's address")
    parser.add_argument("--port", type=int, default=5900)
    parser.add_argument("--width", type=int, default=1280)
    parser.add_argument("--height", type=int, default=800)
    parser.add_argument("--colours", default="#ff0000,#00ff00,#0000ff", help="those of the server")
    parser.add_argument("--password", default=os.path.join(home, "password"), help="the file with the VNC password")
    return parser.parse_args(arguments)
