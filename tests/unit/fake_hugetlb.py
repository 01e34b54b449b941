# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A kernel's hugepages in a directory: it grants what there is room for, keeps pages in use, and never says no."""

from __future__ import annotations

import errno
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path

from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.hugetlbfs import System
from ansible_collections.virtperf.vhost.plugins.module_utils.processes import boot_id

KB_2M, KB_1G = 2048, 1024 * 1024


@dataclass
class NodePool:
    """Pages of one size on one node."""

    total: int = 0
    free: int = 0
    surplus: int = 0

    @property
    def kept(self) -> int:
        """What nr_hugepages was asked for."""
        return self.total - self.surplus


@dataclass
class Kernel:
    """Its state; ``show`` writes the files. ``room`` is memory in one piece, ``broken`` is what compaction joins."""

    root: Path
    nodes: int = 1
    room_kb: dict[int, int] = field(default_factory=dict)
    broken_kb: dict[int, int] = field(default_factory=dict)
    reserved: dict[int, int] = field(default_factory=dict)
    pools: dict[tuple[int, int], NodePool] = field(default_factory=dict)
    written: list[tuple[str, str]] = field(default_factory=list)
    refuses: int = 0

    def __post_init__(self) -> None:
        for node in range(self.nodes):
            self.room_kb.setdefault(node, 8 * KB_1G)
            self.broken_kb.setdefault(node, 0)
            for size in (KB_2M, KB_1G):
                self.pools.setdefault((size, node), NodePool())
        self._put("proc/self/mounts", "proc /proc proc rw 0 0\n")
        self._put("proc/sys/kernel/random/boot_id", "this-boot\n")
        self._put("proc/sys/vm/compact_memory", "")
        self._put("proc/sys/vm/drop_caches", "")
        self._put(
            "proc/buddyinfo",
            "Node 0, zone   Normal      9      9      9      9      9      9      9      9      9      4      2\n",
        )
        self._put("sys/devices/system/node/online", f"0-{self.nodes - 1}\n" if self.nodes > 1 else "0\n")
        self.show()

    def _put(self, path: str, text: str) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def pool(self, size: int = KB_2M, node: int = 0) -> NodePool:
        """To look at or to arrange."""
        return self.pools[size, node]

    def has(self, total: int, *, used: int = 0, surplus: int = 0, size: int = KB_2M, node: int = 0) -> None:
        """Arrange a pool."""
        self.pools[size, node] = NodePool(total, total - used, surplus)
        self.show()

    def use(self, count: int, size: int = KB_2M, node: int = 0) -> None:
        """Somebody takes pages (or gives them back)."""
        self.pools[size, node].free -= count
        assert self.pools[size, node].free >= 0
        self.show()

    def promise(self, count: int, size: int = KB_2M) -> None:
        """Somebody maps pages without touching them."""
        self.reserved[size] = count
        self.show()

    def show(self) -> None:
        """Write what the kernel would let read."""
        for size in (KB_2M, KB_1G):
            pools = [self.pools[size, node] for node in range(self.nodes)]
            base = f"sys/kernel/mm/hugepages/hugepages-{size}kB"
            self._put(f"{base}/resv_hugepages", f"{self.reserved.get(size, 0)}\n")
            self._show_pool(base, pools)
            for node, pool in enumerate(pools):
                self._show_pool(f"sys/devices/system/node/node{node}/hugepages/hugepages-{size}kB", [pool])
        total = 0
        for node in range(self.nodes):
            huge = sum(size * self.pools[size, node].total for size in (KB_2M, KB_1G))
            free = self.room_kb[node] + self.broken_kb[node]
            total += free
            self._put(
                f"sys/devices/system/node/node{node}/meminfo",
                f"Node {node} MemTotal: {free + huge} kB\nNode {node} MemFree: {free} kB\n",
            )
        self._put(
            "proc/meminfo",
            f"MemTotal: {32 * KB_1G} kB\nMemFree: {total} kB\nMemAvailable: {total} kB\nHugepagesize: 2048 kB\n",
        )

    def _show_pool(self, base: str, pools: list[NodePool]) -> None:
        self._put(f"{base}/nr_hugepages", f"{sum(pool.total for pool in pools)}\n")
        self._put(f"{base}/free_hugepages", f"{sum(pool.free for pool in pools)}\n")
        self._put(f"{base}/surplus_hugepages", f"{sum(pool.surplus for pool in pools)}\n")

    def write(self, path: str, value: str) -> None:
        """A write(2) to one of the files."""
        name = str(Path(path).relative_to(self.root))
        self.written.append((name, value))
        if self.refuses:
            raise OSError(self.refuses, "refused by the kernel")
        if name.endswith("/compact") or name == "proc/sys/vm/compact_memory":
            for node in range(self.nodes):
                self.room_kb[node] += self.broken_kb[node]
                self.broken_kb[node] = 0
        elif name.endswith("/nr_hugepages"):
            size = int(name.split("hugepages-")[1].split("kB")[0])
            node = int(name.split("/node")[2].split("/")[0]) if "/node/" in name else None
            self._resize(size, node, int(value))
        elif name != "proc/sys/vm/drop_caches":
            raise OSError(errno.ENOENT, "no such file", path)
        self.show()

    def _resize(self, size: int, node: int | None, count: int) -> None:
        """set_max_huge_pages() of mm/hugetlb.c."""
        pools = {n: self.pools[size, n] for n in ([node] if node is not None else range(self.nodes))}
        other_kept = sum(p.kept for (s, n), p in self.pools.items() if s == size and n not in pools)
        every = [p for (s, _), p in self.pools.items() if s == size]
        in_use = sum(p.total - p.free for p in every) + self.reserved.get(size, 0)

        def kept() -> int:
            return sum(pool.kept for pool in pools.values())

        for pool in pools.values():
            taken = max(0, min(pool.surplus, count - kept()))
            pool.surplus -= taken
        turn = cycle(pools.items())
        while kept() < count and any(self.room_kb[n] >= size for n in pools):
            n, pool = next(turn)
            if self.room_kb[n] >= size:
                self.room_kb[n] -= size
                pool.total += 1
                pool.free += 1
        while kept() > count and kept() + other_kept > in_use and any(pool.free for pool in pools.values()):
            n, pool = next(turn)
            if pool.free:
                self.room_kb[n] += size
                pool.total -= 1
                pool.free -= 1
        while kept() > count:
            _, pool = next(turn)
            if pool.surplus < pool.total:
                pool.surplus += 1


def _no_kernel() -> Kernel:
    raise TypeError("a FakeHost needs its kernel: make it with fake_host()")


@dataclass(frozen=True)
class FakeHost(Host):
    """A host whose kernel is the one above."""

    kernel: Kernel = field(default_factory=_no_kernel)

    def write_kernel(self, path: str, value: str) -> None:
        """Let the kernel do it."""
        self.kernel.write(path, value)


def fake_host(root: Path, nodes: int = 1) -> FakeHost:
    """A host in a directory."""
    host = FakeHost(
        proc=str(root / "proc"),
        sys=str(root / "sys"),
        run=str(root / "run"),
        state=str(root / "state"),
        kernel=Kernel(root, nodes),
    )
    assert boot_id(host) == "this-boot"
    return host


class FakeSystem(System):
    """Mounts by writing a line; the directory stays what it is."""

    def __init__(self, host: FakeHost, *, fails: int = 0) -> None:
        self.table = Path(host.proc, "self", "mounts")
        self.fails = fails
        self.calls: list[str] = []

    def mount(self, path: str, size_kb: int) -> None:
        """One line more."""
        self._enter("mount", path)
        self.add(path, f"rw,nosuid,nodev,relatime,mode=700,pagesize={size_kb // 1024}M")

    def add(self, path: str, options: str, device: str = "virtperf", kind: str = "hugetlbfs") -> None:
        """As somebody else might have mounted it."""
        escaped = path.replace("\\", r"\134").replace(" ", r"\040")
        self.table.write_text(self.table.read_text() + f"{device} {escaped} {kind} {options} 0 0\n")

    def unmount(self, path: str) -> None:
        """One line less."""
        self._enter("unmount", path)
        lines = self.table.read_text().splitlines()
        mine = [line for line in lines if line.split()[1].replace(r"\040", " ") == path]
        lines.remove(mine[-1])
        self.table.write_text("\n".join(lines) + "\n")

    def _enter(self, call: str, path: str) -> None:
        self.calls.append(f"{call} {path}")
        if self.fails:
            raise OSError(self.fails, "refused by the kernel", path)
