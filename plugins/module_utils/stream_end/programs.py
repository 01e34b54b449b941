# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The programs that an end of a stream needs, and which of them are missing or too old."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

from ansible_collections.virtperf.vhost.plugins.module_utils.vnc.pack import PYTHON

WORKLOADS = ("iperf3", "vnc")
# The first with --json-stream.
IPERF3_MINIMUM = (3, 17)
_PATIENCE_S = 20.0
# A plain user's PATH lacks some of them.
_MORE_PATHS = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")
_TKINTER = f"tkinter for {PYTHON}"
# Which program comes with which Debian package.
_IPERF3 = "iperf3"
_NEEDED = {
    ("server", "vnc"): {"x11vnc": "x11vnc", "Xvfb": "xvfb", _TKINTER: "python3-tk"},
    ("client", "vnc"): {"xtigervncviewer": "tigervnc-viewer", "Xvfb": "xvfb"},
}
_ALWAYS = {"ss": "iproute2"}
_VERSION = re.compile(r"iperf (\d+)\.(\d+)\S*")


@dataclass(frozen=True)
class Lack:
    """Something that is missing or too old. ``found`` is what is there instead."""

    program: str
    package: str
    found: str = "none"

    def __str__(self) -> str:
        return f"{self.program}: {self.found}"


def lacking(end: str, workloads: Sequence[str]) -> list[Lack]:
    """What this machine lacks to be the server or the client of these workloads."""
    needed = dict(_ALWAYS)
    for workload in workloads:
        needed.update(_NEEDED.get((end, workload), {}))
    lacks = [Lack(program, package) for program, package in needed.items() if not _is_there(program)]
    return lacks + (_iperf3() if "iperf3" in workloads else [])


def has_apt() -> bool:
    """Whether Debian's packages can be installed here."""
    return _which("apt-get") is not None


def way_out(lacks: Sequence[Lack]) -> str:
    """What to do about them by hand."""
    packages = ", ".join(dict.fromkeys(lack.package for lack in lacks))
    text = f"have what Debian's packages {packages} bring"
    if any(lack.program == _IPERF3 for lack in lacks):
        minimum = ".".join(map(str, IPERF3_MINIMUM))
        text += f"; iperf3 has to be {minimum} or newer, for --json-stream: Debian 13 has one, or put one first in PATH"
    return text


def _is_there(program: str) -> bool:
    if program == _TKINTER:
        return _output([PYTHON, "-I", "-c", "import tkinter; print('yes')"]) == "yes"
    return _which(program) is not None


def _iperf3() -> list[Lack]:
    path = _which(_IPERF3)
    if path is None:
        return [Lack(_IPERF3, _IPERF3)]
    said = _output([path, "--version"])
    match = _VERSION.search(said)
    if match and (int(match[1]), int(match[2])) >= IPERF3_MINIMUM:
        return []
    return [Lack(_IPERF3, _IPERF3, match[0] if match else f"{path}, which tells no version")]


def _which(program: str) -> str | None:
    return shutil.which(program, path=os.pathsep.join([os.environ.get("PATH", ""), *_MORE_PATHS]))


def _output(words: Sequence[str]) -> str:
    """What a program prints; nothing when it cannot."""
    try:
        done = subprocess.run(
            words, stdin=subprocess.DEVNULL, capture_output=True, timeout=_PATIENCE_S, check=False, text=True
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
