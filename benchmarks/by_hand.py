# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two testpmds as one would type them, with nothing of the collection: the other side of the comparison."""

from __future__ import annotations

import re
import statistics
import subprocess
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

_HUGEPAGES = Path("/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages")
_VSWITCH = """
dpdk-testpmd --lcores=0@0,1@0 --main-lcore=0 --no-pci --file-prefix=virtperf-vswitch --huge-dir={huge}
  --single-file-segments --socket-mem=128 --log-level=pmd.net.virtio.init:debug
  --vdev=net_vhost0,iface={socket},queues=1
  -- --interactive --nb-cores=1 --rxq=1 --txq=1 --total-num-mbufs=8192 --burst=32 --forward-mode=io
  --record-core-cycles --record-burst-stats
"""
_GENERATOR = """
dpdk-testpmd --lcores=0@1,1@1 --main-lcore=0 --no-pci --file-prefix=virtperf-generator --huge-dir={huge}
  --single-file-segments --socket-mem=128 --log-level=pmd.net.virtio.init:debug
  --vdev=net_virtio_user0,path={socket},mac=02:00:00:00:00:01,queues=1,queue_size=256,packed_vq={packed},mrg_rxbuf=1,in_order=1,vectorized=0
  -- --interactive --nb-cores=1 --rxq=1 --txq=1 --total-num-mbufs=8192 --burst=32 --forward-mode=flowgen
  --record-core-cycles --record-burst-stats
"""


def commands(huge: str, socket: str, *, packed: bool) -> tuple[list[str], list[str]]:
    """The two command lines."""
    values = {"huge": huge, "socket": socket, "packed": int(packed)}
    return _VSWITCH.format(**values).split(), _GENERATOR.format(**values).split()


def rx_pps(packed: bool, trials: int, seconds: float, warmup_s: float) -> float:
    """The median of testpmd's own Rx-pps over so many windows at 64 bytes, each after a stop and a start."""
    with ExitStack() as undo:
        directory = undo.enter_context(tempfile.TemporaryDirectory(prefix="virtperf-by-hand-"))
        before = _HUGEPAGES.read_text()
        undo.callback(_HUGEPAGES.write_text, before)
        _HUGEPAGES.write_text(str(int(before) + 128))
        subprocess.run(["mount", "-t", "hugetlbfs", "-o", "pagesize=2M", "none", directory], check=True)
        undo.callback(subprocess.run, ["umount", directory], check=True)
        socket = undo.enter_context(tempfile.TemporaryDirectory(prefix="virtperf-by-hand-")) + "/vswitch.sock"
        output = undo.enter_context(tempfile.TemporaryFile("w+"))
        vswitch_command, generator_command = commands(directory, socket, packed=packed)
        vswitch = undo.enter_context(_typed(vswitch_command, subprocess.DEVNULL))
        while not Path(socket).exists():
            time.sleep(0.05)
        _type(vswitch, "start")
        generator = undo.enter_context(_typed(generator_command, output))
        time.sleep(2)
        _type(generator, "set txpkts 64")
        for _trial in range(trials):
            _type(generator, "stop")
            _type(generator, "start")
            time.sleep(warmup_s)
            _type(generator, "show port stats 0")
            time.sleep(seconds)
            _type(generator, "show port stats 0")
        for end in (generator, vswitch):
            _type(end, "quit")
            end.wait(10)
        for name in Path(directory).iterdir():
            name.unlink()
        output.seek(0)
        shown = [int(number) for number in re.findall(r"Rx-pps:\s+(\d+)", output.read())]
        return statistics.median(shown[1::2])


def _typed(command: list[str], output: object) -> subprocess.Popen[str]:
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=output, stderr=subprocess.STDOUT, text=True)  # type: ignore[call-overload,no-any-return]


def _type(end: subprocess.Popen[str], text: str) -> None:
    assert end.stdin is not None
    end.stdin.write(f"{text}\n")
    end.stdin.flush()
