# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the benchmarks share: a run through the collection, its records, and a machine left as found."""

from __future__ import annotations

import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent


class Run:
    """One ``ansible-playbook virtperf.vhost.bench``: its records, wall time and output."""

    def __init__(self, results: Path, output: str, wall_s: float) -> None:
        self.output = output
        self.wall_s = wall_s
        lines = (results / "trials.jsonl").read_text(encoding="utf-8").splitlines()
        self.records: list[dict[str, Any]] = [json.loads(line) for line in lines]

    @property
    def rx_pps(self) -> float:
        """The median over all valid trials, in packets/s."""
        return statistics.median(r["metrics"]["rx_pps"] for r in self.records if r["valid"])


def through_the_collection(variables: dict[str, Any]) -> Run:
    """Run the bench playbook with these variables; ends this program when it fails."""
    with tempfile.TemporaryDirectory(prefix="virtperf-benchmark-") as directory:
        run_id = f"benchmark-{os.getpid()}-{time.monotonic_ns()}"
        extra = json.dumps({**variables, "run_id": run_id, "results_dir": directory})
        command = [str(ROOT / "tools/env"), "ansible-playbook", "virtperf.vhost.bench", "-e", extra]
        start_s = time.monotonic()
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        wall_s = time.monotonic() - start_s
        if done.returncode:
            sys.exit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout[-4000:]}\n{done.stderr[-2000:]}")
        run = Run(Path(directory, run_id), done.stdout, wall_s)
    shutil.rmtree(f"/var/lib/virtperf/runs/{run_id}", ignore_errors=True)
    return run


def machine() -> str:
    """One line that says where this was measured."""
    cpu = next(
        line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line
    )
    dpdk = subprocess.run(
        ["dpkg-query", "-W", "-f", "${Version}", "dpdk-dev"], capture_output=True, text=True, check=False
    )
    return f"{cpu}, {os.cpu_count()} CPUs, Linux {platform.release()}, DPDK {dpdk.stdout or '?'}"


def spread(values: list[float], digits: int = 2) -> str:
    """Median with minimum and maximum."""
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"
