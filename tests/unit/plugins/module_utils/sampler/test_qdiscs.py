# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Queueing disciplines over a socket that only pretends."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.sampler.qdiscs import Qdiscs
from ansible_collections.virtperf.vhost.plugins.module_utils.sampler.rtnetlink import question
from ansible_collections.virtperf.vhost.tests.unit.plugins.module_utils.sampler.test_rtnetlink import message, qdisc

INDEXES = {"tap0": 3, "br0": 4}


class FakeKernel:
    """Answers each question in two datagrams, or fails."""

    def __init__(self) -> None:
        self.asked: list[bytes] = []
        self.answers: list[bytes] = []
        self.fails = False
        self.closed = False

    def send(self, data: bytes) -> None:
        self.asked.append(data)
        number = len(self.asked)
        self.answers = [qdisc(3, 2, 3028, 17, 0, 0, sequence=number), message(3, bytes(4), number)]

    def recv(self, _size: int) -> bytes:
        if self.fails:
            raise TimeoutError
        return self.answers.pop(0)

    def close(self) -> None:
        self.closed = True


def source(kernel: Any) -> Qdiscs:
    return Qdiscs(["tap0", "br0"], lambda: kernel, INDEXES.__getitem__)


def test_each_interface_by_its_index_and_none_without_a_queue() -> None:
    kernel = FakeKernel()
    qdiscs = source(kernel)
    assert qdiscs.columns[:3] == [
        ("qdisc", "tap0", "packets"),
        ("qdisc", "tap0", "backlog_bytes"),
        ("qdisc", "tap0", "dropped"),
    ]
    for _again in range(2):
        assert qdiscs.read() == [2, 3028, 17, None, None, None]
    assert kernel.asked == [question(1), question(2)]
    qdiscs.close()
    assert kernel.closed


def test_a_kernel_that_is_silent_once_does_not_end_it() -> None:
    kernel = FakeKernel()
    qdiscs = source(kernel)
    kernel.fails = True
    assert qdiscs.read() == [None] * 6
    kernel.fails = False
    assert qdiscs.read()[0] == 2


def test_an_interface_that_is_not_there_is_named() -> None:
    with pytest.raises(VirtperfError, match="there is no network interface nosuch0"):
        Qdiscs(["lo", "nosuch0"], FakeKernel)  # type: ignore[arg-type]


def test_the_real_kernel_answers() -> None:
    qdiscs = Qdiscs([name for _index, name in socket.if_nameindex()])
    assert 0 in qdiscs.read()  # no machine is without an interface at rest
    qdiscs.close()
