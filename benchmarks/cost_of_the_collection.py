# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Does measuring through the collection cost packets? The same two testpmds, through it and by hand, in turn.

tools/env python benchmarks/cost_of_the_collection.py [pairs]
"""

from __future__ import annotations

import statistics
import sys

import by_hand
import lab

_TRIALS, _SECONDS, _WARMUP_S = 5, 1.0, 0.3
_ORIGINAL_MPPS = 11.96  # 8,040 Mbit/s (L1) of 64-byte packets


def main() -> None:
    """Print each pair, the ratios and the best rate against the original's."""
    pairs = int(sys.argv[1]) if len(sys.argv) > 1 else 9
    print(lab.machine())
    best = 0.0
    for driver in ("virtio_user_split", "virtio_user_packed"):
        ratios = []
        for pair in range(1, pairs + 1):
            packed = driver == "virtio_user_packed"
            # Which of the two comes first changes from pair to pair, so that drift hits both.
            if pair % 2:
                hand = by_hand.rx_pps(packed, _TRIALS, _SECONDS, _WARMUP_S)
                ours = _ours(driver)
            else:
                ours = _ours(driver)
                hand = by_hand.rx_pps(packed, _TRIALS, _SECONDS, _WARMUP_S)
            ratios.append(ours / hand)
            best = max(best, ours)
            print(
                f"{driver} pair {pair}: collection {ours / 1e6:.2f} Mpps, by hand {hand / 1e6:.2f}, {ratios[-1]:.3f}",
                flush=True,
            )
        print(f"{driver}: ratio {lab.spread(ratios, 3)} over {pairs} pairs, median {statistics.median(ratios):.3f}")
    print(
        f"best median at 64 bytes, one queue: {best / 1e6:.2f} Mpps,"
        f" {best / 1e6 / _ORIGINAL_MPPS:.2f} times the original's {_ORIGINAL_MPPS}"
    )


def _ours(driver: str) -> float:
    run = lab.through_the_collection(
        {
            "reflect_drivers": [driver],
            "reflect_queues": [1],
            "reflect_packet_sizes": [64],
            "reflect_trials": _TRIALS,
            "reflect_trial_seconds": _SECONDS,
            "reflect_warmup_seconds": _WARMUP_S,
        }
    )
    return run.rx_pps


if __name__ == "__main__":
    main()
