# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ip as a program: what it prints, and how its failures are told."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.lab_network import ip as program
from ansible_collections.virtperf.vhost.plugins.module_utils.lab_network.ip import IP


def says(directory: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Have a shell script stand in for it."""
    file = directory / "ip"
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)
    monkeypatch.setenv("PATH", f"{directory}:/usr/bin:/bin")


def test_what_it_prints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    says(tmp_path, monkeypatch, 'echo "$LC_ALL $#: $*"')
    assert IP.run("link", "set", "dev", "a b", "up") == "C 5: link set dev a b up\n"


@pytest.mark.parametrize(
    ("said", "way_out"),
    [
        ("Error: Unknown device type.", "modprobe bridge"),
        ("open: No such file or directory", "modprobe tun"),
        ("RTNETLINK answers: Operation not permitted", "run with become"),
        ("ioctl(TUNSETIFF): Device or resource busy", "somebody else makes or uses"),
        ("Cannot find device", "see dmesg"),
    ],
)
def test_its_failures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, way_out: str) -> None:
    says(tmp_path, monkeypatch, f"echo '{said}' >&2; exit 2")
    with pytest.raises(VirtperfError) as caught:
        IP.run("link", "add", "name", "lab0")
    error = caught.value
    assert (error.what, error.found) == ("ip link add name lab0 failed", said)
    assert error.way_out.startswith(way_out)
    assert error.facts == {"command": "ip link add name lab0", "rc": 2, "stderr": said}


def test_one_that_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    says(tmp_path, monkeypatch, "exec sleep 60")
    monkeypatch.setattr(program, "_PATIENCE_S", 0.05)
    with pytest.raises(VirtperfError, match=r"ip link does not end .*nothing after 0\.05 s"):
        IP.run("link")


def test_a_machine_without_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(program, "_MORE_PATHS", ())
    with pytest.raises(VirtperfError, match="install the package iproute2"):
        IP.run("link")
