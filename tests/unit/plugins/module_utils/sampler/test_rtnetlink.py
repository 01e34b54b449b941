# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Questions and answers in the kernel's own layout."""

from __future__ import annotations

import contextlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.virtperf.vhost.plugins.module_utils.sampler.rtnetlink import Queue, answer, question

ROOT, INGRESS = 0xFFFFFFFF, 0xFFFFFFF1


def attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def message(kind: int, body: bytes, sequence: int = 7) -> bytes:
    return struct.pack("=IHHII", 16 + len(body), kind, 2, sequence, 0) + body + bytes(-len(body) % 4)


def qdisc(index: int, *queue: int, parent: int = ROOT, sequence: int = 7) -> bytes:
    """A RTM_NEWQDISC as kernels send it: name, options, old statistics, new ones (nested, flagged as such or not)."""
    statistics = attribute(1, bytes(12)) + attribute(3, struct.pack("=IIIII", *queue)) + attribute(4, bytes(4))
    body = struct.pack("=BBHiIII", 0, 0, 0, index, 0x8001 << 16, parent, 2)
    body += attribute(1, b"fq_codel\0") + attribute(0x8000 | 7, statistics) + attribute(3, bytes(36))
    return message(36, body, sequence)


DONE = message(3, bytes(4))


def test_the_question_is_a_dump_of_all_qdiscs() -> None:
    length, kind, flags, sequence, _port = struct.unpack_from("=IHHII", question(7))
    assert (length, kind, flags, sequence) == (36, 38, 0x301, 7)
    assert len(question(7)) == 36


def test_root_queues_by_interface() -> None:
    queues: dict[int, Queue] = {}
    assert not answer(qdisc(3, 5, 7570, 11, 1, 2) + qdisc(4, 0, 0, 0, 0, 0), 7, queues)
    assert answer(qdisc(3, 9, 9, 9, 9, 9, parent=INGRESS) + DONE, 7, queues)
    assert queues == {3: Queue(packets=5, backlog_bytes=7570, dropped=11), 4: Queue(0, 0, 0)}


def test_the_rest_of_an_earlier_answer_is_left_out() -> None:
    queues: dict[int, Queue] = {}
    assert not answer(qdisc(3, 1, 1, 1, 0, 0, sequence=6) + message(3, bytes(4), 6), 7, queues)
    assert queues == {}


def test_a_refusal_is_an_error() -> None:
    with pytest.raises(OSError, match="refuses") as caught:
        answer(message(2, struct.pack("=i", -95) + bytes(16)), 7, {})
    assert caught.value.errno == 95


@pytest.mark.parametrize(
    "data",
    [
        struct.pack("=IHHII", 99, 36, 2, 7, 0),
        struct.pack("=IHHII", 4, 36, 2, 7, 0),
        message(36, bytes(8)),
        message(36, struct.pack("=BBHiIII", 0, 0, 0, 3, 0, ROOT, 0) + struct.pack("=HH", 40, 7)),
        message(36, struct.pack("=BBHiIII", 0, 0, 0, 3, 0, ROOT, 0) + struct.pack("=HH", 1, 7)),
    ],
)
def test_what_makes_no_sense_is_told(data: bytes) -> None:
    with pytest.raises(ValueError, match="bytes"):
        answer(data, 7, {})


bodies = st.tuples(st.sampled_from([2, 3, 36]), st.binary(max_size=80)).map(lambda parts: message(*parts))


@given(st.binary(max_size=60) | st.lists(bodies, max_size=3).map(b"".join))
def test_any_bytes_end_in_an_answer_or_an_error(data: bytes) -> None:
    with contextlib.suppress(OSError, ValueError):
        answer(data, 7, {})
