# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs on the hypervisor in a VM, started as a user starts them, and what is seen of them there."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import bench
from a_sandbox import ACCESS

INVENTORY = bench.CHECKOUT / "inventories/sandbox"
# What the controller knows of the guests.
LAB = ACCESS.parent / "labs/sandbox"
_LIMIT_S = 400


def start(playbook: str, variables: Mapping[str, Any], results: Path) -> subprocess.Popen[str]:
    """Start a playbook of the collection on it."""
    return bench.start(playbook, variables, results, inventory=INVENTORY)


def play(playbook: str, variables: Mapping[str, Any], results: Path) -> bench.Done:
    """Run one to its end."""
    process = start(playbook, variables, results)
    try:
        return bench.finish(process, results, variables.get("run_id", ""), _LIMIT_S)
    finally:
        kill(process)


def kill(process: subprocess.Popen[str]) -> None:
    """End a playbook as no playbook wants to be ended, if it still runs."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def ask(script: str, limit_s: float = 60) -> subprocess.CompletedProcess[str]:
    """Have a shell there run this."""
    options = {
        "BatchMode": "yes",
        "ConnectTimeout": "30",
        "GlobalKnownHostsFile": "/dev/null",
        "HostKeyAlias": "sandbox",
        "IdentitiesOnly": "yes",
        "StrictHostKeyChecking": "yes",
        "UserKnownHostsFile": str(ACCESS / "known_hosts"),
    }
    words = ["ssh", "-F", "none", "-i", str(ACCESS / "id_ed25519"), "-p", (ACCESS / "port").read_text().strip()]
    words += [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
    return subprocess.run(
        [*words, "root@127.0.0.1", script],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=limit_s,
    )


def told(script: str) -> str:
    """What it prints."""
    done = ask(script)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def check_nothing_is_left() -> None:
    """The hypervisor has nothing of a run but its records."""
    words = [str(bench.CHECKOUT / "tools/env"), "ansible-playbook", "-i", str(INVENTORY), "molecule/left.yml"]
    done = subprocess.run(words, cwd=bench.CHECKOUT, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


@contextlib.contextmanager
def forgotten(run_id: str, directory: Path) -> Iterator[None]:
    """The records of a run go with the test; where that has failed, so does all else that the run has left there."""
    try:
        yield
    except BaseException:
        play("restore", {}, directory)
        raise
    finally:
        ask(f"rm -rf /var/lib/virtperf/runs/{run_id}")
