# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ends here, and ends that a shell stands in front of, as ssh does."""

from __future__ import annotations

import subprocess
import time

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils.throttle import sockets
from ansible_collections.virtperf.vhost.plugins.module_utils.throttle.clocks import offset
from ansible_collections.virtperf.vhost.plugins.module_utils.throttle.ends import End, ask_time

HERE = End("here")
THERE = End("there", through=("sh", "-c"))


@pytest.mark.parametrize("end", [HERE, THERE])
def test_words_arrive_as_they_are(end: End) -> None:
    said = ['it\'s; a "test"', "$HOME", "", "a  b"]
    expected = "".join(f"{word}|" for word in said).encode()
    command = end.leashed(["printf", "%s|", *said])
    # Its standard input stays open meanwhile: the end of that would end it, maybe before its first word.
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout
        assert child.stdout.read(len(expected)) == expected


@pytest.mark.parametrize("end", [HERE, THERE])
def test_its_clock(end: End) -> None:
    rounds = ask_time(end)
    assert len(rounds) == 8
    found = offset(rounds)
    assert found.is_known
    assert found.offset_s is not None
    assert abs(found.offset_s) <= 0.05


@pytest.mark.parametrize(
    "through", [("/nowhere/ssh",), ("sh", "-c", "exit 255"), ("sh", "-c", "echo nonsense; cat >/dev/null")]
)
def test_an_end_that_does_not_tell(through: tuple[str, ...]) -> None:
    assert ask_time(End("mute", through=through)) == []


def test_an_end_that_is_silent_costs_a_while_and_no_more() -> None:
    began_s = time.monotonic()
    assert ask_time(End("silent", through=("sh", "-c", "exec sleep 60")), patience_s=0.2) == []
    assert time.monotonic() - began_s < 5


def test_its_sockets_again_and_again() -> None:
    process = subprocess.Popen(
        End("there", through=("sh", "-c"), sockets=("sport", "=", ":1")).watch(0.1),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    lines = [(float(number), process.stdout.readline()) for number in range(2)]
    process.stdin.close()
    assert process.wait(5) != 0  # ended by its leash
    process.stdout.close()
    assert [look.sockets for look in sockets.looks(lines)] == [(), ()]
