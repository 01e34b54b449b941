# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs in a guest: takes a request a line, does it, and answers with a line. Both are JSON.

A request is ``{"order": name, "arguments": {…}}``. Its answer has ``at_s``, CLOCK_MONOTONIC of the guest when it was
made, and either ``result`` or ``error`` (``what``, ``found``, ``way_out`` and ``facts`` of a VirtperfError).
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, is_dataclass
from typing import Any, BinaryIO

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.far_end.orders import Orders
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host

# sshd gives root's commands a PATH without them on some systems.
_SBIN = ("/usr/local/sbin", "/usr/sbin", "/sbin")


def run(told: Mapping[str, Any], place: str) -> None:
    """Serve standard input until its end, then take away what was set up, and the directory that it came in."""
    # Whoever prints, a child too, must not disturb the answers.
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    os.environ["PATH"] = os.pathsep.join([os.environ.get("PATH", os.defpath), *_SBIN])
    try:
        serve(Orders(Host(**told["roots"])), sys.stdin.buffer, answers)
    finally:
        for name in os.listdir(place):
            os.unlink(os.path.join(place, name))
        os.rmdir(place)


def serve(orders: Orders, requests: Iterable[bytes], answers: BinaryIO) -> None:
    """Greet, answer each request, and end all ends when there are no more."""
    greeting = {"python": platform.python_version(), "kernel": platform.release(), "pid": os.getpid()}
    try:
        # Nobody listens any more when the connection broke; what was set up has to go all the same.
        with contextlib.suppress(BrokenPipeError):
            _say(answers, {"agent": greeting, "at_s": time.monotonic()})
            for line in requests:
                _say(answers, answer(orders, line))
    finally:
        orders.close()


def answer(orders: Orders, line: bytes) -> dict[str, Any]:
    """The answer to one request. What is not foreseen passes: it ends the agent, and its traceback tells of it."""
    request = json.loads(line)
    try:
        result = orders.obey(request["order"], request["arguments"])
    except VirtperfError as error:
        return {"error": as_dict(error), "at_s": time.monotonic()}
    except OSError as error:
        what = f"{error.filename}: {error.strerror}" if error.filename else str(error)
        return {"error": as_dict(VirtperfError(what, errno=error.errno)), "at_s": time.monotonic()}
    return {"result": as_dict(result), "at_s": time.monotonic()}


def as_dict(value: Any) -> Any:
    """Errors and dataclasses as JSON takes them."""
    if isinstance(value, VirtperfError):
        return {"what": value.what, "found": value.found, "way_out": value.way_out, "facts": value.facts}
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    return value


def _say(answers: BinaryIO, said: Mapping[str, Any]) -> None:
    left = memoryview(json.dumps(said, default=str).encode() + b"\n")
    while left:
        left = left[answers.write(left) :]
