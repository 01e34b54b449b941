# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A kernel's cgroups of version 2 and its processes in a directory, with the rules of kernel/cgroup/cgroup.c.

What is written to is checked as the kernel would, and all files are written anew after each change.
"""

from __future__ import annotations

import errno
import os
import posixpath
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils.cgroup.tree import Tree
from ansible_collections.virtperf.vhost.plugins.module_utils.cpulist import parse, render
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.pinning.guest import PF_KTHREAD
from ansible_collections.virtperf.vhost.plugins.module_utils.pinning.scheduler import Scheduler, Setting

BOOT = "335ac640-7b22-4531-ab7a-ac5a8db06545"
STAT = "S 1 1 1 0 -1 {flags} 0 0 0 0 0 0 0 0 20 0 1 0 {start} 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 17 3 0"
DEFAULTS = {
    "cpu": {"cpu.max": "max 100000", "cpu.weight": "100"},
    "cpuset": {"cpuset.cpus": "", "cpuset.mems": ""},
}
CPUS, MEMS = "0-3", "0"


@dataclass
class Group:
    """A cgroup."""

    threaded: bool = False
    enabled: set[str] = field(default_factory=set)
    values: dict[str, str] = field(default_factory=dict)


@dataclass
class Kernel:
    """``tasks`` are (process, cgroup) by thread; ``stuck`` ones cannot be moved, ``deaf`` ones stay without a word."""

    root: Path
    available: set[str] = field(default_factory=lambda: {"cpu", "cpuset", "memory", "pids"})
    groups: dict[str, Group] = field(default_factory=lambda: {"/": Group(enabled={"memory", "pids"})})
    tasks: dict[int, tuple[int, str]] = field(default_factory=dict)
    stuck: set[int] = field(default_factory=set)
    deaf: set[int] = field(default_factory=set)
    written: list[tuple[str, str]] = field(default_factory=list)
    fails: tuple[str, int] | None = None
    shown: dict[str, str] = field(default_factory=dict)

    @property
    def mount(self) -> Path:
        """Where it is mounted; the name has a blank, which /proc/self/mounts writes as ``\\040``."""
        return self.root / "cg v2"

    def put(self, path: str, text: str) -> None:
        """A file of /proc or /sys."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text + "\n")

    def boot(self) -> None:
        """Write what every kernel has."""
        self.put("proc/sys/kernel/random/boot_id", BOOT)
        self.put("proc/self/mounts", f"cgroup2 {str(self.mount).replace(' ', chr(92) + '040')} cgroup2 rw 0 0")
        self.put("proc/cgroups", "#subsys_name\thierarchy\tnum_cgroups\tenabled\ncpu\t0\t9\t1\ncpuset\t0\t9\t1")
        self.show()

    # -- processes ------------------------------------------------------------------------------------------------

    def thread(self, pid: int, tid: int, comm: str, group: str, flags: int = 0, start: int = 0) -> None:
        """One more."""
        base = f"proc/{pid}/task/{tid}"
        self.put(f"{base}/comm", comm)
        self.put(f"{base}/stat", f"{tid} ({comm}) {STAT.format(flags=flags, start=start or tid)}")
        self.put(f"{base}/status", f"Name:\t{comm}\nTgid:\t{pid}\nCpus_allowed_list:\t{CPUS}")
        if pid == tid:
            self.put(f"proc/{pid}/comm", comm)
            self.put(f"proc/{pid}/stat", f"{tid} ({comm}) {STAT.format(flags=flags, start=start or tid)}")
        self.tasks[tid] = (pid, group)
        self.show()

    def qemu(self, pid: int, name: str, group: str, netdevs: list[str], *words: str) -> None:
        """A QEMU with a vCPU thread, pid + 1; ``netdevs`` are arguments of -netdev. What it has open is added later."""
        arguments = [word for netdev in netdevs for word in ("-netdev", netdev)]
        self.put(
            f"proc/{pid}/cmdline",
            "\0".join(["/usr/bin/qemu-system-x86_64", "-name", f"guest={name}", *arguments, *words]) + "\0",
        )
        os.symlink("/usr/bin/qemu-system-x86_64", self.root / f"proc/{pid}/exe")
        (self.root / f"proc/{pid}/fd").mkdir()
        self.thread(pid, pid, "qemu-system-x86", group)
        self.thread(pid, pid + 1, "CPU 0/KVM", group)

    def opens(self, pid: int, fd: int, target: str, interface: str = "") -> None:
        """A descriptor of a process; of a tap with its interface."""
        os.symlink(target, self.root / f"proc/{pid}/fd/{fd}")
        self.put(f"proc/{pid}/fdinfo/{fd}", f"pos:\t0\niff:\t{interface}" if interface else "pos:\t0")

    def tap(self, pid: int, fd: int, interface: str, vhost: bool = True) -> None:
        """A tap, with its vhost device at the next descriptor."""
        self.opens(pid, fd, "/dev/net/tun", interface)
        if vhost:
            self.opens(pid, fd + 1, "/dev/vhost-net")

    def worker(self, pid: int, tid: int, *, kthread: bool = False, group: str = "") -> None:
        """A vhost worker of a QEMU, in its owner's cgroup."""
        group = group or self.tasks[pid][1]
        self.thread(tid if kthread else pid, tid, f"vhost-{pid}", group, PF_KTHREAD if kthread else 0)

    def end(self, pid: int) -> None:
        """A process ends."""
        for tid in [tid for tid, (of, _group) in self.tasks.items() if of == pid]:
            del self.tasks[tid]
            shutil.rmtree(self.root / f"proc/{tid}", ignore_errors=True)
        self.show()

    # -- the rules ------------------------------------------------------------------------------------------------

    def add(self, *paths: str, enabled: str = "") -> None:
        """Arrange cgroups, each with these controllers enabled for what is below."""
        for path in paths:
            self.groups[path] = Group(enabled=set(enabled.split()))
        self.show()

    def kind(self, path: str) -> str:
        if path == "/":
            return "root"
        if self.groups[path].threaded:
            return "threaded"
        if any(self.groups[child].threaded for child in self.children(path)):
            return "domain threaded"
        above = self.kind(posixpath.dirname(path))
        return "domain" if above in ("root", "domain") else "domain invalid"

    def children(self, path: str) -> list[str]:
        return [one for one in self.groups if one != path and posixpath.dirname(one) == path]

    def domain(self, path: str) -> str:
        return self.domain(posixpath.dirname(path)) if self.kind(path) == "threaded" else path

    def inside(self, path: str) -> list[int]:
        return [tid for tid, (_pid, group) in self.tasks.items() if group == path]

    def populated(self, path: str) -> bool:
        return any(f"{group}/".startswith(f"{path.rstrip('/')}/") for _pid, group in self.tasks.values())

    def can_be_thread_root(self, path: str) -> bool:
        if path == "/":
            return True
        if self.kind(path) == "threaded":
            return False
        domains = [one for one in self.children(path) if not self.groups[one].threaded and self.populated(one)]
        return not domains and not self.groups[path].enabled - {"cpu", "cpuset", "pids"}

    def controllers(self, path: str) -> set[str]:
        found = self.available if path == "/" else self.groups[posixpath.dirname(path)].enabled
        return found & {"cpu", "cpuset", "pids"} if path != "/" and self.kind(path) == "threaded" else found

    def make(self, path: str) -> None:
        if path in self.groups:
            raise FileExistsError(errno.EEXIST, "File exists", path)
        assert posixpath.dirname(path) in self.groups
        self.groups[path] = Group()
        self.show()

    def remove(self, path: str) -> None:
        if path not in self.groups:
            raise FileNotFoundError(errno.ENOENT, "No such file or directory", path)
        if self.children(path) or self.inside(path):
            raise OSError(errno.EBUSY, "Device or resource busy", path)
        del self.groups[path]
        self.show()

    def write(self, file: str, text: str) -> None:
        """A write(2) to one of the files."""
        directory, name = posixpath.split(file)
        path = directory[len(str(self.mount)) :] or "/"
        self.written.append((f"{path.rstrip('/')}/{name}", text.strip()))
        if self.fails and self.written[-1][0].endswith(self.fails[0]):
            raise OSError(self.fails[1], os.strerror(self.fails[1]))
        if name == "cgroup.type":
            self._turn(path)
        elif name == "cgroup.subtree_control":
            self._enable(path, text.split())
        elif name in ("cgroup.procs", "cgroup.threads"):
            self._move(path, int(text), whole=name == "cgroup.procs")
        else:
            self._set(path, name, text.strip())
        self.show()

    def _turn(self, path: str) -> None:
        parent = posixpath.dirname(path)
        domain = parent if self.kind(parent) != "threaded" else self.domain(parent)
        refused = self.populated(path) or self.groups[path].enabled - {"cpu", "cpuset", "pids"}
        if refused or self.kind(domain) == "domain invalid" or not self.can_be_thread_root(domain):
            raise OSError(errno.EOPNOTSUPP, "Operation not supported")
        self.groups[path].threaded = True

    def _enable(self, path: str, words: list[str]) -> None:
        enabled = set(self.groups[path].enabled)
        for word in words:
            name = word[1:]
            if word[0] == "-":
                if any(name in self.groups[child].enabled for child in self.children(path)):
                    raise OSError(errno.EBUSY, "Device or resource busy")
                enabled.discard(name)
            else:
                if name not in self.controllers(path):
                    raise OSError(errno.ENOENT, "No such file or directory")
                free = self.can_be_thread_root(path) or self.kind(path) == "threaded"
                if not free and self.inside(path):
                    raise OSError(errno.EBUSY, "Device or resource busy")
                enabled.add(name)
        self.groups[path].enabled = enabled

    def _move(self, path: str, tid: int, *, whole: bool) -> None:
        if tid not in self.tasks:
            raise ProcessLookupError(errno.ESRCH, "No such process")
        if tid in self.stuck:
            raise OSError(errno.EINVAL, "Invalid argument")
        pid, now = self.tasks[tid]
        if self.kind(self.domain(path)) == "domain invalid" or (not whole and self.domain(now) != self.domain(path)):
            raise OSError(errno.EOPNOTSUPP, "Operation not supported")
        free = self.can_be_thread_root(path) or self.kind(path) == "threaded"
        if not free and self.groups[path].enabled:
            raise OSError(errno.EBUSY, "Device or resource busy")
        moved = [one for one, (of, _group) in self.tasks.items() if (of == pid if whole else one == tid)]
        for one in moved:
            if one not in self.deaf:
                self.tasks[one] = (pid, path)

    def _set(self, path: str, name: str, text: str) -> None:
        controller = name.partition(".")[0]
        if path == "/" or controller not in self.controllers(path):
            raise FileNotFoundError(errno.ENOENT, "No such file or directory", name)
        now = self.groups[path].values.get(name, DEFAULTS[controller][name])
        if name == "cpu.max" and len(text.split()) == 1:
            text = f"{text} {now.split()[1]}"
        self.groups[path].values[name] = render(parse(text)) if controller == "cpuset" else text

    # -- the files -------------------------------------------------------------------------------------------------

    def show(self) -> None:
        """Write what the kernel would let read, as far as it changed."""
        files = {
            f"{self.mount}{path.rstrip('/')}/{name}": text for path in self.groups for name, text in self._files(path)
        }
        for tid, (pid, group) in self.tasks.items():
            files.update({f"{self.root}/proc/{base}/cgroup": f"0::{group}" for base in (tid, f"{pid}/task/{tid}")})
        for file in self.shown.keys() - files.keys():
            Path(file).unlink(missing_ok=True)
        for directory in sorted({posixpath.dirname(f) for f in self.shown} - {posixpath.dirname(f) for f in files})[
            ::-1
        ]:
            if directory.startswith(str(self.mount)):
                Path(directory).rmdir()
        for file, text in files.items():
            if self.shown.get(file) != text:
                Path(file).parent.mkdir(parents=True, exist_ok=True)
                Path(file).write_text(text + "\n")
        self.shown = files

    def _files(self, path: str) -> Iterator[tuple[str, str]]:
        group = self.groups[path]
        yield "cgroup.controllers", " ".join(sorted(self.controllers(path)))
        yield "cgroup.subtree_control", " ".join(sorted(group.enabled))
        yield "cgroup.threads", "\n".join(map(str, self.inside(path)))
        if self.kind(path) != "threaded":  # the kernel refuses to read it in a threaded one
            below = {pid for pid, where in self.tasks.values() if where in self.groups and self.domain(where) == path}
            yield "cgroup.procs", "\n".join(map(str, sorted(below)))
        if path != "/":
            yield "cgroup.type", self.kind(path)
            yield "cgroup.events", f"populated {int(self.populated(path))}\nfrozen 0"
            for controller in self.controllers(path) & set(DEFAULTS):
                for name, default in DEFAULTS[controller].items():
                    yield name, group.values.get(name, default)
        if path == "/" or "cpuset" in self.controllers(path):
            yield "cpuset.cpus.effective", self._effective(path, "cpuset.cpus", CPUS)
            yield "cpuset.mems.effective", self._effective(path, "cpuset.mems", MEMS)

    def _effective(self, path: str, name: str, everything: str) -> str:
        if path == "/":
            return everything
        above = set(parse(self._effective(posixpath.dirname(path), name, everything)))
        return render(above & set(parse(self.groups[path].values.get(name, ""))) or above)

    def state(self) -> tuple[object, object]:
        """All that a change can change, to compare before and after: the cgroups, and who is where."""
        members = ("cgroup.threads", "cgroup.procs", "cgroup.events")
        files = {path: {n: text for n, text in self._files(path) if n not in members} for path in self.groups}
        return files, dict(self.tasks)


def _no_kernel() -> Kernel:
    raise TypeError("a FakeHost needs its kernel: make it with fake_host()")


@dataclass(frozen=True)
class FakeHost(Host):
    """A host whose kernel is the one above."""

    kernel: Kernel = field(default_factory=_no_kernel)

    def write_kernel(self, path: str, value: str) -> None:
        """Let the kernel do it."""
        self.kernel.write(path, value)


class FakeScheduler(Scheduler):
    """Threads run on all CPUs but for those that are pinned."""

    def __init__(self) -> None:
        self.pinned: dict[int, tuple[int, ...]] = {}

    def get(self, tid: int) -> Setting:
        return Setting(self.pinned.get(tid, parse(CPUS)))

    def set_cpus(self, tid: int, cpus: tuple[int, ...]) -> None:
        self.pinned[tid] = cpus


def fake_host(root: Path, monkeypatch: pytest.MonkeyPatch) -> FakeHost:
    """A host in a directory, with version 2 mounted and nobody in it."""
    kernel = Kernel(root)
    host = FakeHost(str(root / "proc"), str(root / "sys"), str(root / "run"), str(root / "state"), kernel)
    monkeypatch.setattr(Tree, "make", lambda _self, group: kernel.make(group))
    monkeypatch.setattr(Tree, "remove", lambda _self, group: kernel.remove(group))
    kernel.boot()
    return host
