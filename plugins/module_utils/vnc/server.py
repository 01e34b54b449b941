# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The server's end: a window that changes its colour, on a screen that x11vnc serves.

Prints ``{"event": "change", "number": 1, "at": ...}`` whenever the window has been painted. Goes on without a client.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import os
import socket
import sys
import time
from collections.abc import Callable, Sequence

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.vnc import picture
from ansible_collections.virtperf.vhost.plugins.module_utils.vnc.display import VirtualDisplay
from ansible_collections.virtperf.vhost.plugins.module_utils.vnc.program import Child, Place, run, tell

CHANGE = "change"
_PATIENCE_S = 40.0
_ENDING_S = 8.0
_TICK_S = 0.05
_DEPTH = 24
# Nothing but the picture is sent, as soon as it has changed, as a whole and once: no pointer, no clipboard, no guesses
# at moved windows, no naps between two looks. Nothing of the user's settings, and no way to take control.
_QUIET = (
    *("-forever", "-viewonly", "-norc", "-noremote", "-nocmds", "-nolookup", "-no6", "-nopw"),
    *("-nocursor", "-nocursorpos", "-nowireframe", "-noscrollcopyrect", "-nosel", "-nobell", "-noxrecord"),
    *("-nonap", "-sb", "0", "-nodpms"),
)
# In ms. A client that takes nothing for 20 s is gone for x11vnc, if nobody says otherwise; ours are throttled for
# longer, and no timeline lasts more than an hour.
_WAIT_FOR_CLIENT = "3600000"


def main() -> None:
    """The program."""
    run("VNC server", lambda stack, place: serve(asked(sys.argv[1:]), stack, place))


def serve(told: argparse.Namespace, stack: contextlib.ExitStack, place: Place) -> None:
    """Show the window, serve its screen, and change its colour for ever."""
    colours = picture.colours(told.colours)
    check_free(told.address, told.port)
    children = []
    if told.screen:
        environment = {"DISPLAY": told.screen, **({"XAUTHORITY": told.xauthority} if told.xauthority else {})}
    else:
        display = VirtualDisplay(place, told.width, told.height)
        stack.callback(display.child.end)
        children.append(display.child)
        environment = display.environment
    os.environ.update(environment)
    paint = _window(told.width, told.height)
    paint(picture.picture(colours, 0))
    child = Child("x11vnc", words(told), "x11vnc", place.environment)
    stack.callback(child.end)
    children.append(child)
    _wait_listening(child, told.port)
    place.ready()
    begin_s, number = time.monotonic(), 0
    while True:
        number += 1
        while (left_s := begin_s + number * told.delay - time.monotonic()) > 0:
            time.sleep(min(left_s, _TICK_S))
            paint(None)
            for one in children:
                one.check()
        paint(picture.picture(colours, number))
        tell(CHANGE, number)


def words(told: argparse.Namespace) -> list[str]:
    """x11vnc's command line. Of a screen that is larger only the window's part is served."""
    listen = ["-listen", told.address] if told.address else []
    size = f"{told.width}x{told.height}+0+0"
    return [
        *("x11vnc", "-rfbport", str(told.port), *listen, "-rfbauth", told.password),
        *(("-clip", size) if told.screen else ()),
        *("-rfbwait", _WAIT_FOR_CLIENT),
        *_QUIET,
    ]


def check_free(address: str, port: int, patience_s: float = _ENDING_S) -> None:
    """VirtperfError where nobody can listen: x11vnc would take another port. A server before us may be about to end."""
    limit_s = time.monotonic() + patience_s
    while True:
        try:
            with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((address, port))
                probe.listen()
            return
        except OSError as error:
            if error.errno != errno.EADDRINUSE or time.monotonic() >= limit_s:
                raise VirtperfError(
                    f"cannot listen on {address or 'any address'}, port {port}",
                    found=str(error),
                    way_out="end what listens there, or choose a port that is free and an address of this machine",
                ) from error
        time.sleep(_TICK_S)


def asked(arguments: Sequence[str]) -> argparse.Namespace:
    """What a command line asks for."""
    home = os.path.dirname(os.path.realpath(sys.argv[0]))
    parser = argparse.ArgumentParser(description="Serve a window that changes its colour over VNC.")
    parser.add_argument("--address", default="", help="IPv4 address to listen on; all without it")
    parser.add_argument("--port", type=int, default=5900)
    parser.add_argument("--width", type=int, default=1280)
    parser.add_argument("--height", type=int, default=800)
    parser.add_argument("--delay", type=float, default=4.0, help="seconds from one colour to the next")
    parser.add_argument("--colours", default="#ff0000,#00ff00,#0000ff", help="#rrggbb, joined by commas")
    parser.add_argument("--screen", default="", help="a display that is there, such as :0; one of its own without it")
    parser.add_argument("--xauthority", default="", help="the file that opens it")
    parser.add_argument("--password", default=os.path.join(home, "password"), help="the file with the VNC password")
    return parser.parse_args(arguments)


def _window(width: int, height: int) -> Callable[[int | None], None]:
    """A window without borders in the screen's upper left corner. What is returned paints it, or with None only lets it
    do what the screen asks of it.
    """
    try:
        import tkinter
    except ImportError as error:
        raise VirtperfError(
            "Python has no tkinter", found=f"{sys.executable}: {error}", way_out="apt-get install python3-tk"
        ) from error
    try:
        window = tkinter.Tk(className="virtperf")
    except tkinter.TclError as error:
        raise VirtperfError(
            "the screen cannot be used", found=str(error), way_out="name one that is there, and the file that opens it"
        ) from error
    depth, size = window.winfo_screendepth(), (window.winfo_screenwidth(), window.winfo_screenheight())
    if depth < _DEPTH or size[0] < width or size[1] < height:
        raise VirtperfError(
            "the screen cannot hold the picture",
            found=f"{size[0]}x{size[1]} pixels of {depth} bits",
            way_out=f"one of {width}x{height} pixels or more, of {_DEPTH} bits",
        )
    window.overrideredirect(True)
    window.geometry(f"{width}x{height}+0+0")
    window.configure(cursor="none", highlightthickness=0, borderwidth=0)

    def paint(pixel: int | None) -> None:
        try:
            if pixel is not None:
                window.configure(background=f"#{pixel:06x}")
            window.update()
            if pixel is not None:
                window.lift()
                window.winfo_pointerx()  # it has to answer, and does so after it has painted
        except tkinter.TclError as error:
            raise VirtperfError("the window is gone", found=str(error)) from error

    return paint


def _wait_listening(child: Child, port: int) -> None:
    """Until x11vnc says that it can be reached."""
    limit_s = time.monotonic() + _PATIENCE_S
    while f"PORT={port}" not in child.said().splitlines():
        child.check()
        if time.monotonic() >= limit_s:
            raise VirtperfError(f"x11vnc does not listen after {_PATIENCE_S:.0f} s", found=child.said()[-300:])
        time.sleep(_TICK_S)
