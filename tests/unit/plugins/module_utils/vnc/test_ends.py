# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the programs of both ends are told, and tell. How they work together is seen in the integration tests."""

from __future__ import annotations

import socket
import struct
import threading
from pathlib import Path

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.vnc import client, server
from ansible_collections.virtperf.vhost.plugins.module_utils.vnc.display import cookie

# TigerVNC 1.12 and 1.15, as they were seen.
WRONG_PASSWORD = """
TigerVNC Viewer 64-bit v1.12.0
Built on: 2023-01-06 16:01
Copyright (C) 1999-2021 TigerVNC Team and many others (see README.rst)
See https://www.tigervnc.org for information on TigerVNC.

Fri Nov 20 10:00:01 2026
 CConn:       Connected to host 127.0.0.1 port 5999
 CConnection: Server supports RFB protocol version 3.8
 CConnection: Using RFB protocol version 3.8
 CConn:       Authentication failure: password check failed!
"""
NOBODY = """
TigerVNC viewer v1.15.0

Fri Nov 20 10:00:01 2026
 CConn:       Unable to connect to socket: Connection refused (111)
"""


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (WRONG_PASSWORD, ["Authentication failure: password check failed!"]),
        (NOBODY, ["Unable to connect to socket: Connection refused (111)"]),
        ("\nsomething else\n\nentirely\n", ["something else", "entirely"]),
        ("", []),
    ],
)
def test_what_matters_of_what_the_viewer_said(said: str, words: list[str]) -> None:
    assert client.last_words(said) == words


def test_the_viewer_gets_the_password_as_a_file_and_raw_pixels() -> None:
    words = client.words(client.asked(["--server", "10.0.0.1", "--port", "5901", "--password", "/run/p"]))
    assert words[-2:] == ["-PasswordFile=/run/p", "10.0.0.1::5901"]
    assert {"-PreferredEncoding=Raw", "-AutoSelect=0", "-FullColor=1"} <= set(words)


def test_x11vnc_gets_the_password_as_a_file_and_listens_where_it_is_needed() -> None:
    words = server.words(server.asked(["--address", "10.0.0.1", "--port", "5901", "--password", "/run/p"]))
    assert words[:7] == ["x11vnc", "-rfbport", "5901", "-listen", "10.0.0.1", "-rfbauth", "/run/p"]
    assert "-clip" not in words
    everywhere = server.words(server.asked([]))
    assert "-listen" not in everywhere


def test_x11vnc_waits_for_a_client_that_is_throttled() -> None:
    words = server.words(server.asked([]))
    assert int(words[words.index("-rfbwait") + 1]) / 1000 >= 3600


def test_of_a_screen_that_is_there_only_the_window_is_served() -> None:
    words = server.words(server.asked(["--screen", ":0", "--width", "800", "--height", "600"]))
    assert words[words.index("-clip") + 1] == "800x600+0+0"


def test_a_port_that_is_taken_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(VirtperfError) as caught:
            server.check_free("127.0.0.1", port, 0.0)
    assert f"cannot listen on 127.0.0.1, port {port}" in str(caught.value)
    assert "Address already in use" in str(caught.value)
    server.check_free("127.0.0.1", port)


def test_a_server_that_is_about_to_end_is_waited_for() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ending = threading.Timer(0.2, taken.close)
        ending.start()
        server.check_free("127.0.0.1", port, 10.0)
        ending.join()


def test_an_address_of_somebody_else_is_named() -> None:
    with pytest.raises(VirtperfError, match=r"cannot listen on 192\.0\.2\.1, port 5900"):
        server.check_free("192.0.2.1", 5900)


def test_the_cookie_that_opens_the_screen(tmp_path: Path) -> None:
    data = cookie(b"0123456789abcdef")
    assert data == (struct.pack(">HHH", 0xFFFF, 0, 0) + b"\x00\x12MIT-MAGIC-COOKIE-1" + b"\x00\x100123456789abcdef")
