# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sampler on eight real taps: on time, cheap, and right."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import bench
import pytest

TAPS = [f"vptest{number}" for number in range(8)]
# What eight guests have: a worker, two vCPUs and QEMU's own thread each.
PROGRAM = """
import json, os, sys
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.sampler.loop import Sampler
from ansible_collections.virtperf.vhost.plugins.module_utils.sampler.priority import urgent
from ansible_collections.virtperf.vhost.plugins.module_utils.sampler.series import read
from ansible_collections.virtperf.vhost.plugins.module_utils.sampler.sources import open_sources
from ansible_collections.virtperf.vhost.plugins.module_utils.sampler.threads import Watched

path, *taps = sys.argv[1:]
threads = [Watched(str(number), os.getpid(), os.getpid()) for number in range(32)]
sources = open_sources(Host(), taps, threads, {})
with urgent() as priority, Sampler(sources.all, path, 0.1) as sampler:
    sampler.run_until(sampler.start_s + 5)
    pace = sampler.pace()
series = read(path)
last = {tap: [series.column("net", tap, name)[-1] for name in ("rx_bytes", "tx_bytes", "tx_dropped")] for tap in taps}
print(json.dumps({"priority": priority, **pace.as_dict(), "last": last, "bytes": os.path.getsize(path)}))
"""


@pytest.fixture
def taps(left_as_found: None) -> Iterator[list[str]]:
    """Eight of them, up, with nobody at their other ends."""
    made = []
    try:
        for tap in TAPS:
            subprocess.run(["ip", "tuntap", "add", tap, "mode", "tap"], check=True)
            made.append(tap)
            subprocess.run(["ip", "link", "set", tap, "up"], check=True)
        yield TAPS
    finally:
        for tap in made:
            subprocess.run(["ip", "link", "delete", tap], check=True)


def test_eight_taps_at_a_tenth_of_a_second(taps: list[str], tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path / "samples.jsonl"), *taps],
        env={**os.environ, "PYTHONPATH": str(bench.CHECKOUT / ".venv" / "collections")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    print(found)
    assert found["priority"] == "fifo 1", "not allowed to run in real time: run as root, in a cgroup that may"
    assert (found["samples"], found["missed"]) == (51, 0)
    assert found["worst_late_ms"] < 20
    assert found["cpu_share"] < 0.02
    for tap in taps:
        statistics = Path("/sys/class/net", tap, "statistics")
        now = [int((statistics / name).read_text()) for name in ("rx_bytes", "tx_bytes", "tx_dropped")]
        assert found["last"][tap] == now
