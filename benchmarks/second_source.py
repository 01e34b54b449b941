# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Do guest and hypervisor count the same? Kicks and interrupts of a run of the study knobs, by both.

A guest's kicks are the hypervisor's exits for MMIO (virtio's notify registers), its interrupts what KVM injects
(kvm_inj_virq, of the vectors that messages have). What KVM is told to inject (kvm_msi_set_irq) is more where one comes
while the same one waits to be taken: the guest sees but one.

README's figures are of a run with
{"studies":["knobs"],"knobs_names":["poll_us=50"],"knobs_second_sources":true,"knobs_workloads":["tcp_rr","udp_rr",
"tcp_from_host_64k","tcp_out_64k","udp_out","udp_to_host","tcp_to_host_64k"]}

tools/env python benchmarks/second_source.py results/<run_id>
"""

from __future__ import annotations

import json
import statistics
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# Fewer a second than this are not compared.
FEWEST = 20.0
PLAIN = {"vhost": "on", "event_idx": "on", "vectors": "default", "counters": "on"}


def main() -> None:
    """A line for each counter and workload."""
    ratios: dict[tuple[str, str], list[float]] = defaultdict(list)
    for line in Path(sys.argv[1], "trials.jsonl").read_text().splitlines():
        record = json.loads(line)
        settings = record["asked"].get("settings", {})
        if record["valid"] and all(settings.get(name) == level for name, level in PLAIN.items()):
            for name, here, there in counted(record["counters"]):
                if there > FEWEST:
                    ratios[name, record["cell"]["workload"]].append(here / there)
    if not ratios:
        sys.exit("nothing to compare: no trial of this run has the hypervisor's counts (knobs_second_sources: true)")
    for (name, workload), found in sorted(ratios.items()):
        print(
            f"{name}, guest / hypervisor, {workload}: {statistics.median(found):.3f}"
            f" ({min(found):.2f} to {max(found):.2f}, {len(found)} trials)"
        )


def counted(counters: dict[str, Any]) -> Iterator[tuple[str, float, float]]:
    """Kicks and interrupts a second, as the guest and as the hypervisor have them."""
    guest, host, seconds = counters["guest"], counters["host"], counters["seconds"]
    kicks = guest["ethtool"]["tx_kicks"] + guest["ethtool"]["rx_kicks"]
    yield "kicks", kicks / seconds["guest"], (host.get("mmio") or 0) / seconds["host"]
    interrupts = sum(guest["interrupts"].values()) / seconds["guest"]
    yield "interrupts injected", interrupts, (host.get("injected") or 0) / seconds["host"]
    yield "interrupts raised", interrupts, (host.get("msi") or 0) / seconds["host"]


if __name__ == "__main__":
    main()
