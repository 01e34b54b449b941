# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What does the measuring module itself take while a trial runs? Its memory and CPU, seen from outside.

tools/env python benchmarks/module_footprint.py
"""

from __future__ import annotations

import json
import os
import threading
import time
from pathlib import Path

import lab

_JOURNAL = Path("/var/lib/virtperf/journal.jsonl")
_STATUS = Path("/run/virtperf/status.json")
_TICKS = os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Run a sweep of one long cell, watch the module's process meanwhile."""
    print(lab.machine())
    seen: list[tuple[float, float, float]] = []
    stop = threading.Event()
    watcher = threading.Thread(target=_watch, args=(seen, stop))
    watcher.start()
    try:
        lab.through_the_collection(
            {
                "reflect_drivers": ["virtio_user_split"],
                "reflect_queues": [1],
                "reflect_packet_sizes": [64],
                "reflect_trials": 20,
            }
        )
    finally:
        stop.set()
        watcher.join()
    (first_s, first_cpu_s, _), (last_s, last_cpu_s, _) = seen[0], seen[-1]
    peak_mib = max(memory for _at, _cpu, memory in seen)
    share = (last_cpu_s - first_cpu_s) / (last_s - first_s)
    print(
        f"peak memory {peak_mib:.1f} MiB; {share:.2%} of a core over {last_s - first_s:.1f} s of trials,"
        " with 10 samples/s"
    )


def _watch(seen: list[tuple[float, float, float]], stop: threading.Event) -> None:
    while not stop.wait(0.5):
        try:
            if json.loads(_STATUS.read_text())["doing"] != "measuring":
                continue
            entries = [json.loads(line) for line in _JOURNAL.read_text().splitlines()]
            pid = next(entry["undo"]["pid"] for entry in entries if entry["undo"].get("name") == "reflect_run")
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
        except (OSError, ValueError, StopIteration):
            continue
        seen.append(
            (time.monotonic(), (int(fields[11]) + int(fields[12])) / _TICKS, int(status["VmHWM"].split()[0]) / 1024)
        )


if __name__ == "__main__":
    main()
