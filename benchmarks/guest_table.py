# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long does the original's table take in a real guest, and what of it is spent beside measuring?

    tools/env python benchmarks/guest_table.py [runs]

2 uio drivers, 1 and 2 queues, 5 packet sizes, 3 trials of 1 s, with the image built before. Of each run: seconds in
all, of windows, of warm-ups, of boots (from a VM's start until the agent in it answers), and the rest.
"""

from __future__ import annotations

import sys

import lab

_TABLE = {
    "reflect_drivers": ["uio_pci_generic", "igb_uio"],
    "reflect_queues": [1, 2],
    "reflect_packet_sizes": [64, 128, 256, 512, 1024],
    "reflect_trials": 3,
    "reflect_trial_seconds": 1,
    "reflect_warmup_seconds": 0.2,
}
_PARTS = ("all", "windows", "warm-ups", "boots", "rest")


def main(runs: int) -> None:
    """Print a line a run, and medians with their spread."""
    print(lab.machine())
    found: list[dict[str, float]] = [_run() for _number in range(runs)]
    for part in _PARTS:
        print(f"{part}: {lab.spread([run[part] for run in found], 1)} s")
    print(f"rest / all: {lab.spread([run['rest'] / run['all'] for run in found])}")
    beside = [(run["rest"] + run["warm-ups"]) / run["all"] for run in found]
    print(f"rest and warm-ups / all: {lab.spread(beside)}")


def _run() -> dict[str, float]:
    run = lab.through_the_collection(_TABLE)
    # One boot serves many trials: it is told by the command line of its VM.
    boots = {record["observed"]["vm_command"]: record["observed"]["entered_s"] for record in run.records}
    seconds = {
        "all": run.wall_s,
        "windows": sum(record["duration_s"] for record in run.records),
        "warm-ups": len(run.records) * float(str(_TABLE["reflect_warmup_seconds"])),
        "boots": sum(boots.values()),
    }
    seconds["rest"] = 2 * seconds["all"] - sum(seconds.values())
    valid = sum(record["valid"] for record in run.records)
    told = ", ".join(f"{part} {value:.1f} s" for part, value in seconds.items())
    print(f"{valid} of {len(run.records)} trials valid: {told}", flush=True)
    return seconds


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1)
