# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What do analysis and report of 10,000 trials of the studies knobs and consolidate take? No root, no guests.

tools/env python benchmarks/analysis.py [TRIALS [RUNS]]

The trials are invented by the factories of the unit tests, in all workloads; those of knobs have as many counters as
real ones. Each run is a process of its own, which does what the report stage does to a fetched run: read, merge,
analyse, and write table.txt and report.html, imports included. Beside it stand as many trials of either study alone.
The status is 1 where the median is beyond 10 s or 500 MiB.
"""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests/unit"))

import conftest  # noqa: E402  the collection, wherever the checkout lies

assert conftest.ROOT == ROOT

from ansible_collections.virtperf.vhost.plugins.plugin_utils.knobs.workloads import WORKLOADS  # noqa: E402
from ansible_collections.virtperf.vhost.plugins.plugin_utils.opening import open_run  # noqa: E402
from ansible_collections.virtperf.vhost.plugins.plugin_utils.reporting import report_run  # noqa: E402
from ansible_collections.virtperf.vhost.plugins.plugin_utils.run_dir import RunDir  # noqa: E402
from ansible_collections.virtperf.vhost.tests.unit import (  # noqa: E402
    consolidate_factory,
    knobs_factory,
    record_factory,
)

SECONDS_AT_MOST, MIB_AT_MOST = 10.0, 500.0
STUDIES = ("knobs", "consolidate")
# Of a virtio-net NIC with two pairs of queues, as ethtool -S has them.
SIDES = ("rx_", "tx_", "rx0_", "rx1_", "tx0_", "tx1_")
NAMES = ("packets", "bytes", "drops", "xdp_packets", "xdp_tx", "xdp_redirects", "xdp_drops", "kicks", "timeouts")


def main() -> None:
    """Print a line for each mix of studies."""
    if sys.argv[1:2] == ["--report"]:
        report(Path(sys.argv[2]))
        return
    trials = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    runs = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    within = True
    with tempfile.TemporaryDirectory() as directory:
        for studies in (STUDIES, *((study,) for study in STUDIES)):
            path = Path(directory) / "-".join(studies) / record_factory.RUN_ID
            written = write(RunDir(path), studies, trials)
            taken = [measure(path) for _run in range(runs)]
            seconds, mib = (statistics.median(side) for side in zip(*taken, strict=True))
            page = (path / "report.html").stat().st_size / 2**20
            print(f"{' and '.join(studies)}: {written} trials, {seconds:.1f} s, {mib:.0f} MiB, page {page:.1f} MiB")
            within = within and seconds <= SECONDS_AT_MOST and mib <= MIB_AT_MOST
    print(f"limits: {SECONDS_AT_MOST:.0f} s, {MIB_AT_MOST:.0f} MiB: {'kept' if within else 'NOT kept'}")
    sys.exit(not within)


def write(run: RunDir, studies: tuple[str, ...], trials: int) -> int:
    """A run as it is after its records were fetched, with about so many of them; how many there are."""
    each = trials // len(studies)
    asked, written = {}, 0
    for study in studies:
        make = knobs_factory if study == "knobs" else consolidate_factory
        cells = make.cells(workloads=tuple(WORKLOADS)) if study == "knobs" else make.cells(guests=range(1, 9))
        number = -(-each // len(cells))
        asked[study] = make.definition(cells, trials=number)
        sweep = make.screening if study == "knobs" else make.curves
        raws = sweep(cells, trials=number, run_id=run.run_id)
        if study == "knobs":
            for raw in raws:
                raw["counters"]["guest"]["ethtool"] = {f"{side}{name}": 1234567 for side in SIDES for name in NAMES}
                raw["counters"]["host"]["exits"] = {f"reason_{reason}": 4321 for reason in range(20)}
        record_factory.write_records(run.hosts / "localhost" / f"{study}.jsonl", raws)
        written += len(raws)
    fetched = run.hosts.rename(run.path.parent / "hosts")
    run.path.rmdir()
    open_run(run, asked, ["localhost"], 1)
    fetched.rename(run.hosts)
    return written


def measure(path: Path) -> tuple[float, float]:
    """Seconds and MiB of a process that reports the run anew."""
    for name in ("trials.jsonl", "table.txt", "report.html"):
        (path / name).unlink(missing_ok=True)
    began = time.monotonic()
    words = [sys.executable, __file__, "--report", str(path)]
    said = subprocess.run(words, check=True, capture_output=True, text=True).stdout
    return time.monotonic() - began, json.loads(said)["mib"]


def report(path: Path) -> None:
    """What the report stage does; prints the peak of this process's memory."""
    outcome = report_run(RunDir(path), {"localhost": record_factory.FACTS}, [])
    assert outcome.complete, outcome.incomplete
    assert outcome.error is None, outcome.error
    print(json.dumps({"mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))


if __name__ == "__main__":
    main()
