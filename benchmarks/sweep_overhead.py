# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What does a sweep cost beside its windows? The collection against a plain playbook with one task a step.

    tools/env python benchmarks/sweep_overhead.py

30 cells (2 drivers, 3 queue counts, 5 packet sizes) x 3 trials of 1 s with 0.3 s of warm-up, everything installed.
Overhead is the wall time of the playbook less windows and warm-ups.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import lab

_SWEEP = {
    "reflect_drivers": ["virtio_user_split", "virtio_user_packed"],
    "reflect_queues": [1, 2, 4],
    "reflect_packet_sizes": [64, 256, 512, 1024, 1518],
    "reflect_trials": 3,
    "reflect_trial_seconds": 1,
    "reflect_warmup_seconds": 0.3,
}
_TRIALS = 90
_MEASURED_S = _TRIALS * (1 + 0.3)


def main() -> None:
    """Print both overheads and their ratio."""
    print(lab.machine())
    run = lab.through_the_collection(_SWEEP)
    valid = sum(record["valid"] for record in run.records)
    ours_s = run.wall_s - _MEASURED_S
    print(f"collection: {run.wall_s:.1f} s for {valid} valid trials, overhead {ours_s:.1f} s")
    plain_s = _plain() - _MEASURED_S
    print(f"plain playbook: overhead {plain_s:.1f} s, {plain_s / ours_s:.1f} times the collection's")


def _plain() -> float:
    playbook = Path(__file__).parent / "plain" / "sweep.yml"
    with tempfile.TemporaryDirectory(prefix="virtperf-plain-") as directory:
        extra = json.dumps({**_SWEEP, "directory": directory})
        start_s = time.monotonic()
        command = [str(lab.ROOT / "tools/env"), "ansible-playbook", str(playbook), "-e", extra]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        wall_s = time.monotonic() - start_s
        records = Path(directory, "records.csv")
        trials = len(records.read_text().splitlines()) if records.exists() else 0
        if done.returncode or trials != _TRIALS:
            sys.exit(f"the plain playbook measured {trials} trials:\n{done.stdout[-4000:]}\n{done.stderr[-2000:]}")
    return wall_s


if __name__ == "__main__":
    main()
