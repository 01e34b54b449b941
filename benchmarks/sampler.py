# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Is the sampler on time, what does it take, and does it count what iperf3 counts?

First it samples eight taps at 100 ms for a minute, then an interface that iperf3 sends over into a network namespace.

tools/env python benchmarks/sampler.py [SECONDS]

Needs iperf3 beside what the others need.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import lab

sys.path.insert(0, str(lab.ROOT / ".venv/collections"))

from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.sampler import series
from ansible_collections.virtperf.vhost.plugins.module_utils.sampler.loop import Sampler
from ansible_collections.virtperf.vhost.plugins.module_utils.sampler.priority import urgent
from ansible_collections.virtperf.vhost.plugins.module_utils.sampler.sources import open_sources

TAPS = [f"vpbench{number}" for number in range(8)]
SPACE, NEAR, FAR = "vpbench", "vpbench-near", "vpbench-far"
STREAM_S = 10
# Ethernet, IPv4, TCP with timestamps.
HEADERS = 14 + 20 + 32


def main() -> None:
    """Both parts, one after the other."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 60.0
    print(lab.machine())
    with tempfile.TemporaryDirectory() as directory:
        with taps():
            pace = sample(TAPS, Path(directory, "taps.jsonl"), seconds)
            print(
                f"{pace['samples']} samples of 8 taps in {seconds:.0f} s, {pace['missed']} missed, the latest"
                f" {pace['worst_late_ms']:.2f} ms late; {pace['cpu_share']:.2%} of a core"
            )
        with stream() as address:
            path = Path(directory, "stream.jsonl")
            command = ["iperf3", "--client", address, "--time", str(STREAM_S), "--json"]
            with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as client:
                sample([NEAR], path, STREAM_S + 2)
                told = json.loads(client.stdout.read() if client.stdout else "")
            theirs = told["end"]["sum_sent"]["bytes"]
            counted = series.read(str(path))
            bytes_, packets = (grown(counted.column("net", NEAR, name)) for name in ("tx_bytes", "tx_packets"))
            ours = bytes_ - HEADERS * packets
            print(f"{ours:.0f} bytes without headers against {theirs} of iperf3's: {ours / theirs:.5f}")


def sample(interfaces: list[str], path: Path, seconds: float) -> dict[str, float]:
    """Sample them at 100 ms; how that went."""
    sources = open_sources(Host(), interfaces, [], {})
    with urgent(), Sampler(sources.all, str(path), 0.1) as sampler:
        sampler.run_until(sampler.start_s + seconds)
        return dict(sampler.pace().as_dict())


def grown(column: list[float]) -> float:
    """From its first to its last number."""
    return column[-1] - column[0]


@contextmanager
def taps() -> Iterator[None]:
    """Eight of them, up."""
    try:
        for tap in TAPS:
            run(f"ip tuntap add {tap} mode tap")
            run(f"ip link set {tap} up")
        yield
    finally:
        for tap in TAPS:
            subprocess.run(["ip", "link", "delete", tap], check=False, stderr=subprocess.DEVNULL)


@contextmanager
def stream() -> Iterator[str]:
    """A namespace with iperf3's server at the other end of a pair of interfaces; its address."""
    run(f"ip netns add {SPACE}")
    try:
        run(f"ip link add {NEAR} type veth peer name {FAR} netns {SPACE}")
        run(f"ip addr add 198.18.0.1/30 dev {NEAR}")
        run(f"ip link set {NEAR} up")
        run(f"ip -n {SPACE} addr add 198.18.0.2/30 dev {FAR}")
        run(f"ip -n {SPACE} link set {FAR} up")
        with subprocess.Popen(
            ["ip", "netns", "exec", SPACE, "iperf3", "--server", "--one-off"], stdout=subprocess.DEVNULL
        ) as server:
            while f"{5201:04X}" not in run(f"ip netns exec {SPACE} cat /proc/net/tcp6 /proc/net/tcp"):
                continue
            yield "198.18.0.2"
            server.terminate()
    finally:
        run(f"ip netns delete {SPACE}")


def run(command: str) -> str:
    """One command; what it printed."""
    return subprocess.run(command.split(), check=True, capture_output=True, text=True).stdout


if __name__ == "__main__":
    main()
