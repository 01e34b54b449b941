# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ss shows of TCP sockets; the text is that of iproute2 6.1 on Linux 6.18."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.virtperf.vhost.plugins.module_utils.throttle.sockets import Look, looks, parse, stretch

HEAD = "State Recv-Q Send-Q  Local Address:Port  Peer Address:PortProcess"
FIRST = "ESTAB 0      2796032     127.0.0.1:57730    127.0.0.1:5298"
DETAILS = (
    "\t skmem:(r0,rb131072,t0,tb4194304,f1600,w2845120,o0,bl0,d0) bbr wscale:10,10 rto:208 rtt:4.313/5.449 mss:47616"
    " cwnd:17 bytes_sent:610304 bytes_retrans:129536 bytes_acked:480769 segs_out:20 busy:1152ms"
    " rwnd_limited:1152ms(100.0%) retrans:0/3 dsack_dups:3 notsent:2796032 minrtt:0.023"
)


@pytest.mark.parametrize(
    "text", [f"{HEAD}\n{FIRST}\n{DETAILS}\n", f"{FIRST} {DETAILS.strip()}", f"tcp {FIRST}\n{DETAILS}"]
)
def test_one_line_or_two(text: str) -> None:
    (found,) = parse(text)
    assert (found.local, found.peer) == ("127.0.0.1:57730", "127.0.0.1:5298")
    assert (found.receive_queue, found.send_queue) == (0, 2796032)
    assert (found.queued_bytes, found.buffer_bytes) == (2845120, 4194304)
    assert (found.bytes_sent, found.retransmits) == (610304, 3)
    assert (found.busy_ms, found.rwnd_limited_ms, found.sndbuf_limited_ms) == (1152, 1152, 0)


def test_a_socket_that_says_little() -> None:
    (found,) = parse("ESTAB 0 0 [::1]:22 [::1]:4\n\t cubic rto:204")
    assert (found.local, found.queued_bytes, found.retransmits, found.is_full) == ("[::1]:22", None, 0, False)


@pytest.mark.parametrize(("queued", "full"), [(2_700_000, False), (2_800_000, True), (4_194_304, True)])
def test_a_writer_waits_from_two_thirds_on(queued: int, full: bool) -> None:
    (found,) = parse(f"ESTAB 0 1 a:1 b:2 skmem:(r0,rb131072,t0,tb4194304,f0,w{queued},o0,bl0,d0)")
    assert found.is_full is full


def socket(sent: int, *, retransmits: int = 0, rwnd_ms: int = 0, queued: int = 0, name: str = "a:1") -> str:
    return (
        f"ESTAB 0 0 {name} b:2 skmem:(r0,rb1,t0,tb1000,f0,w{queued},o0,bl0,d0) bytes_sent:{sent}"
        f" rwnd_limited:{rwnd_ms}ms(1%) retrans:0/{retransmits}"
    )


def seen(*texts: str) -> list[Look]:
    """A look a second."""
    return looks([(float(at), line) for at, text in enumerate(texts) for line in [*text.split("\n"), "@"]])


def test_looks_end_with_a_mark() -> None:
    found = seen(socket(1), "", socket(2) + "\n" + socket(3))
    assert [(look.at_s, len(look.sockets)) for look in found] == [(0, 1), (1, 0), (2, 2)]


def test_a_stretch_of_the_connection_that_carries_the_stream() -> None:
    control = socket(10, rwnd_ms=0, name="a:9", retransmits=1)
    found = stretch(
        seen(
            socket(9) + "\n" + control,
            socket(1000, retransmits=2, rwnd_ms=100, queued=900) + "\n" + control,
            socket(2000, retransmits=4, rwnd_ms=200, queued=100) + "\n" + control,
            socket(3000, retransmits=7, rwnd_ms=1100, queued=800) + "\n" + control,
            socket(9000, retransmits=99),
        ),
        1.0,
        3.0,
    )
    assert found is not None
    assert (found.looks, found.retransmits, found.buffer_bytes) == (3, 5, 1000)
    assert found.rwnd_limited_share == pytest.approx(0.5)
    assert found.full_share == pytest.approx(2 / 3)
    assert found.sndbuf_limited_share == 0.0


@pytest.mark.parametrize("texts", [(), (socket(1),), (socket(1), ""), (socket(1, name="x:1"), socket(2, name="y:1"))])
def test_too_little_is_nothing(texts: tuple[str, ...]) -> None:
    assert stretch(seen(*texts), 0.0, 9.0) is None


@given(st.text(alphabet="ESTAB 01a:\n\tskmem(),rbtw", max_size=120))
def test_any_text_is_taken(text: str) -> None:
    parse(text)
