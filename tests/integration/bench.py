# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the playbooks as a user would, and looks at what they leave on this machine."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parents[2]
RUN = Path("/run/virtperf")
STATE = Path("/var/lib/virtperf")

# One launch, one cell, short windows: all a test of behaviour needs.
SMALL = {
    "reflect_drivers": ["virtio_user_split"],
    "reflect_queues": [1],
    "reflect_packet_sizes": [64],
    "reflect_trials": 2,
    "reflect_trial_seconds": 0.2,
    "reflect_warmup_seconds": 0.1,
}


@dataclass
class Done:
    """An ended playbook."""

    status: int
    output: str
    results: Path

    @property
    def records(self) -> list[dict[str, Any]]:
        """The records of its run; none when it has no results."""
        path = self.results / "trials.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def start(
    playbook: str,
    variables: Mapping[str, Any],
    results: Path,
    environment: Mapping[str, str] | None = None,
    inventory: Path = CHECKOUT / "inventories/local",
) -> subprocess.Popen[str]:
    """Start a playbook of the collection with its results in a directory of the test's."""
    extra = json.dumps({"results_dir": str(results), **variables})
    return subprocess.Popen(
        [
            *(str(CHECKOUT / "tools/env"), "ansible-playbook", f"virtperf.vhost.{playbook}"),
            *("-i", str(inventory), "-e", extra),
        ],
        cwd=CHECKOUT,
        env={**os.environ, **(environment or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def start_file(playbook: Path) -> subprocess.Popen[str]:
    """Start a playbook of the test's own."""
    return subprocess.Popen(
        [str(CHECKOUT / "tools/env"), "ansible-playbook", str(playbook)],
        cwd=CHECKOUT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def call_module(name: str, arguments: Mapping[str, Any], *, check: bool = False) -> dict[str, Any]:
    """The result of one module call, failed or not: in a process of its own, without the seconds of a playbook."""
    given = {**arguments, "_ansible_check_mode": check, "_ansible_diff": True}
    collections = f"PYTHONPATH={CHECKOUT}/.venv/collections"
    module = f"ansible_collections.virtperf.vhost.plugins.modules.{name}"
    done = subprocess.run(
        [str(CHECKOUT / "tools/env"), "env", collections, "python", "-m", module],
        input=json.dumps({"ANSIBLE_MODULE_ARGS": given}),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.stdout.strip(), done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def finish(process: subprocess.Popen[str], results: Path, run_id: str, timeout_s: float = 120) -> Done:
    """Wait for its end."""
    output, _ = process.communicate(timeout=timeout_s)
    return Done(process.returncode, output, results / run_id)


def play(
    playbook: str, variables: Mapping[str, Any], results: Path, environment: Mapping[str, str] | None = None
) -> Done:
    """Run a playbook to its end. The run is called "test" unless ``variables`` say otherwise."""
    named = {"run_id": "test", **variables}
    return finish(start(playbook, named, results, environment), results, named["run_id"])


def wait_for(what: str, condition: Callable[[], Any], timeout_s: float = 60) -> Any:
    """The condition's first true value; fails the test after so many seconds."""
    limit = time.monotonic() + timeout_s
    while time.monotonic() < limit:
        value = condition()
        if value:
            return value
        time.sleep(0.05)
    raise AssertionError(f"waited {timeout_s} s in vain for {what}")


def measuring() -> bool:
    """Whether a trial is being taken now."""
    try:
        return bool(json.loads((RUN / "status.json").read_text())["doing"] == "measuring")
    except (OSError, ValueError):
        return False


def testpmd_pid(name: str) -> int:
    """The pid of a running testpmd of ours."""
    return int(json.loads((RUN / "testpmd" / name / "process.json").read_text())["pid"])


def processes() -> dict[int, str]:
    """Names and command lines of all processes that a run could have left, by pid."""
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            name = (entry / "comm").read_text().strip()
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        ours = name in ("dpdk-testpmd", "reflect_run", "throttle_run", "virtperf-guard")
        ours = ours or "async_wrapper.py" in command
        ours = ours or (name.startswith("qemu-system") and f"{RUN}/" in command)
        # One without a command line has ended, and its parent has yet to notice.
        if command and ours:
            found[int(entry.name)] = f"{name}: {command}"
    return found


def machine() -> dict[str, Any]:
    """All that a run changes on a host: the same before and after."""
    pools = Path("/sys/kernel/mm/hugepages").glob("*/nr_hugepages")
    mounts = [line for line in Path("/proc/self/mounts").read_text().splitlines() if "hugetlbfs" in line]
    sockets = [line.split()[-1] for line in Path("/proc/net/unix").read_text().splitlines()]
    # A sandbox comes and goes by itself.
    sockets = [path for path in sockets if "virtperf" in path and "virtperf-sandbox" not in path]
    return {
        "hugepages": {str(pool): pool.read_text().strip() for pool in pools},
        "mounts": mounts,
        "runtime directory": RUN.exists(),
        "journal": (STATE / "journal.jsonl").exists(),
        "lock": (STATE / "lock.json").exists(),
        "keys": (STATE / "labs").exists(),
        "sockets": sorted(sockets),
        "processes": sorted(processes().values()),
    }
