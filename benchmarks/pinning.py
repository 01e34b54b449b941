# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where do four busy vCPUs run: under numactl's range of CPUs, and pinned one by one with vcpu_pin?

tools/env python benchmarks/pinning.py [--unbalanced] [SECONDS]

The guest is a boot sector whose four vCPUs spin. Each vCPU thread's CPU (field 39 of /proc/<pid>/task/<tid>/stat) is
sampled 50 times a second.

--unbalanced shows a range of isolated CPUs as well, without a boot with isolcpus. On such CPUs the kernel has no
scheduling domains: its balancer does not run there, and neither fork nor wakeup look for an idle CPU
(select_task_rq_fair and select_idle_sibling in kernel/sched/fair.c go by the domains), so a thread stays where its
maker was. Turning off cpuset.sched_load_balance of cgroup v1's root takes the domains from all CPUs of this machine,
for as long as that part lasts.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import lab

VCPUS = 4
_INTERVAL_S = 0.02
_BALANCE = Path("/sys/fs/cgroup/cpuset/cpuset.sched_load_balance")
# Real mode to protected mode for a flat data segment, INIT and startup to all other CPUs through the local APIC, and
# then, on each of them, a jump to itself: the others begin at 0x8000.
_BOOT = bytes.fromhex(
    "fa 31c0 8ed8"  # cli; ax = 0; ds = ax
    "c7060080ebfe"  # word [0x8000] = "jmp $"
    "0f0116 547c"  # lgdt [0x7c54]
    "0f20c0 6683c801 0f22c0"  # cr0 |= 1
    "bb0800 8edb"  # ds = segment 8
    "6667c705 0003e0fe 00450c00"  # ICR = INIT, all but self
    "66b900001000 67e2fd"  # ecx = 0x100000; loop
    "6667c705 0003e0fe 08460c00"  # ICR = startup at page 8, all but self
    "ebfe"
)
_GDT = bytes.fromhex("0000000000000000 ffff000000 92cf00") + (15).to_bytes(2, "little")
_GDT_AT = 0x44


def main() -> None:
    """Run the ways after each other and print a table of each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("seconds", nargs="?", type=float, default=10.0)
    parser.add_argument("--unbalanced", action="store_true")
    asked = parser.parse_args()
    cpus = sorted(os.sched_getaffinity(0))
    if len(cpus) < 2:
        sys.exit("two CPUs are needed")
    span = cpus[: max(2, min(len(cpus), VCPUS))]
    print(lab.machine())
    with tempfile.TemporaryDirectory(prefix="virtperf-pinning-") as directory:
        if asked.unbalanced:
            with _unbalanced():
                _show("numactl's range, not balanced, as on isolated CPUs", directory, span, asked.seconds, pin=False)
                _show("vcpu_pin, one CPU each, not balanced either", directory, span, asked.seconds, pin=True)
        _show("numactl's range", directory, span, asked.seconds, pin=False)
        _show("vcpu_pin, one CPU each", directory, span, asked.seconds, pin=True)


@contextlib.contextmanager
def _unbalanced() -> Iterator[None]:
    if not _BALANCE.exists():
        sys.exit(f"--unbalanced needs cgroup v1's cpuset controller ({_BALANCE})")
    before = _BALANCE.read_text()
    _BALANCE.write_text("0")
    try:
        yield
    finally:
        _BALANCE.write_text(before)


def _show(title: str, directory: str, span: Sequence[int], seconds: float, *, pin: bool) -> None:
    with _guest(directory, span) as (pid, qmp, tids):
        if pin:
            vcpus = [{"vcpu": n, "cpus": str(span[n % len(span)])} for n in range(VCPUS)]
            _pin([{"name": "guest", "qmp": qmp, "vcpus": vcpus}])
        time.sleep(1)
        seen, moves, shares = _watch(pid, tids, seconds)
    print(f"\n{title}\nvCPU  " + "  ".join(f"{f'CPU {cpu}':>6}" for cpu in span) + "   moves  share of a CPU")
    for number in range(VCPUS):
        of = sum(seen[number].values())
        part = "  ".join(f"{seen[number][cpu] / of:6.0%}" for cpu in span)
        print(f"{number:4}  {part}  {moves[number]:6}  {shares[number]:14.1%}")
    print(f"all   {'  '.join(f'{sum(s[cpu] for s in seen) / sum(map(Counter.total, seen)):6.0%}' for cpu in span)}")


@contextlib.contextmanager
def _guest(directory: str, span: Sequence[int]) -> Iterator[tuple[int, str, list[int]]]:
    """A VM whose vCPUs spin, started under a range of CPUs: its pid, QMP socket and vCPU threads."""
    image, qmp = Path(directory, "boot.img"), Path(directory, "qmp.sock")
    image.write_bytes(
        (_BOOT.ljust(_GDT_AT, b"\0") + _GDT + (0x7C00 + _GDT_AT).to_bytes(4, "little")).ljust(510, b"\0") + b"\x55\xaa"
    )
    qmp.unlink(missing_ok=True)
    command = [
        "numactl",
        f"--physcpubind={','.join(map(str, span))}",
        "qemu-system-x86_64",
        "-M",
        "pc",
        "-smp",
        str(VCPUS),
    ]
    command += ["-accel", "tcg,thread=multi", "-m", "64", "-display", "none", "-nodefaults", "-serial", "none"]
    command += ["-drive", f"file={image},format=raw,if=floppy", "-boot", "a", "-qmp", f"unix:{qmp},server=on,wait=off"]
    with subprocess.Popen(command) as process:
        try:
            limit = time.monotonic() + 30
            while not qmp.exists() or not _all_spin(tids := _vcpu_threads(qmp), process.pid):
                if process.poll() is not None or time.monotonic() > limit:
                    sys.exit("the guest's vCPUs do not all spin")
                time.sleep(0.2)
            yield process.pid, str(qmp), tids
        finally:
            process.kill()


def _vcpu_threads(qmp: Path) -> list[int]:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(qmp))
        with connection.makefile("rw") as stream:
            stream.readline()
            for command in ("qmp_capabilities", "query-cpus-fast"):
                stream.write(json.dumps({"execute": command}))
                stream.flush()
                answer = {}
                while "return" not in answer:
                    answer = json.loads(stream.readline())
    return [cpu["thread-id"] for cpu in answer["return"]]


def _fields(pid: int, tid: int) -> list[str]:
    return Path(f"/proc/{pid}/task/{tid}/stat").read_text().rpartition(")")[2].split()


def _all_spin(tids: Sequence[int], pid: int) -> bool:
    """Whether all are runnable: a halted vCPU's thread sleeps."""
    time.sleep(0.3)
    return all(_fields(pid, tid)[0] == "R" for tid in tids)


def _watch(pid: int, tids: Sequence[int], seconds: float) -> tuple[list[Counter[int]], list[int], list[float]]:
    """For each thread: samples by CPU, how often a sample differs from the one before, CPU seconds per second."""
    seen: list[Counter[int]] = [Counter() for _ in tids]
    moves, last = [0] * len(tids), [-1] * len(tids)
    start_s = time.monotonic()
    before = [_cpu_ns(pid, tid) for tid in tids]
    while time.monotonic() - start_s < seconds:
        for number, tid in enumerate(tids):
            cpu = int(_fields(pid, tid)[36])
            moves[number] += last[number] not in (cpu, -1)
            last[number] = cpu
            seen[number][cpu] += 1
        time.sleep(_INTERVAL_S)
    passed_ns = (time.monotonic() - start_s) * 1e9
    return seen, moves, [(_cpu_ns(pid, tid) - was) / passed_ns for tid, was in zip(tids, before, strict=True)]


def _cpu_ns(pid: int, tid: int) -> int:
    return int(Path(f"/proc/{pid}/task/{tid}/schedstat").read_text().split()[0])


def _pin(vms: list[dict[str, object]]) -> None:
    # In a mount namespace of its own, for its journal: the VM is ours and ends with us, there is nothing to restore.
    script = 'for place in /run /var/lib; do mount -t tmpfs tmpfs "$place"; done && exec "$@"'
    command = ["unshare", "--mount", "--propagation", "private", "sh", "-ec", script, "pin"]
    arguments = json.dumps({"vms": vms, "on_shared_siblings": "allow"})
    command += [str(lab.ROOT / "tools/env"), "ansible", "localhost", "-m", "virtperf.vhost.vcpu_pin", "-a", arguments]
    done = subprocess.run(command, cwd=lab.ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"vcpu_pin failed:\n{done.stdout}\n{done.stderr}")


if __name__ == "__main__":
    main()
