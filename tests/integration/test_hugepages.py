# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module hugepages on the kernel of this machine.

The number of pages is the machine's own: tests add a few to what they find, and take away no more than they added.
Mounts, journal and runtime files are in a mount namespace of the tests alone, which goes away with them.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
COLLECTIONS = ROOT / ".venv" / "collections"

PAGE_KB = 2048
POOL = Path(f"/sys/kernel/mm/hugepages/hugepages-{PAGE_KB}kB")
MOUNT = "/run/virtperf/hugepages"
LOCK = Path("/var/lib/virtperf/lock.json")

NAMESPACE = """
mkdir -p /run/virtperf /var/lib/virtperf &&
mount -t tmpfs -o mode=0700 tmpfs /run/virtperf &&
mount -t tmpfs -o mode=0700 tmpfs /var/lib/virtperf &&
echo ready && exec cat
"""

RESTORE = """
import json
from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.hugepages import undo_pool
from ansible_collections.virtperf.vhost.plugins.module_utils.hugetlbfs import undo_mount
from ansible_collections.virtperf.vhost.plugins.module_utils.journal import Journal

journal = Journal(Host())
done, left = [], []
for entry in reversed(journal.entries()):
    try:
        done.append({"hugepages": undo_pool, "hugetlbfs": undo_mount}[entry.resource](Host(), entry.undo))
    except VirtperfError as error:
        done.append(str(error))
        left.insert(0, entry)
journal.keep_only(left)
print(json.dumps(done))
"""

JOURNAL = """
import json
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.journal import Journal

print(json.dumps([[entry.resource, entry.run_id] for entry in Journal(Host()).entries()]))
"""

HOLDER = f"""
import mmap, os, sys
file = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
os.ftruncate(file, {PAGE_KB * 1024})
pages = mmap.mmap(file, {PAGE_KB * 1024})
pages[0] = 1
print("ready", flush=True)
sys.stdin.read()
"""


def pages(name: str = "nr") -> int:
    """One of the kernel's numbers."""
    return int((POOL / f"{name}_hugepages").read_text())


def in_use() -> int:
    """Pages that are somebody's."""
    return pages() - pages("free") + pages("resv")


@dataclass
class Result:
    """What `ansible` printed."""

    status: str
    data: dict[str, Any]
    text: str


@dataclass
class Lab:
    """The tests' own mount namespace, kept by a process in it."""

    keeper: subprocess.Popen[str]
    home: Path

    def enter(self, *command: str | Path) -> list[str]:
        """A command line to run a command in it."""
        return ["nsenter", f"--mount=/proc/{self.keeper.pid}/ns/mnt", f"--wd={self.home}", *map(str, command)]

    def run(self, *command: str | Path, given: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a command in it, with nothing of this user in reach."""
        return subprocess.run(
            self.enter(*command),
            env={
                "PATH": f"{BIN}:{os.environ['PATH']}",
                "HOME": str(self.home),
                "LC_ALL": "C.UTF-8",
                "PYTHONPATH": str(COLLECTIONS),
                **environment,
            },
            input=given,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def python(self, program: str) -> Any:
        """Run a program that prints JSON."""
        done = self.run(sys.executable, "-c", program)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def ansible(self, module: str, *options: str, python: str = sys.executable, **arguments: Any) -> Result:
        """Run a module as root, with a Python that may change the user."""
        done = self.run(
            BIN / "ansible",
            "localhost",
            *options,
            *("-m", f"virtperf.vhost.{module}"),
            *(("-a", json.dumps(arguments)) if arguments else ()),
            *("-e", json.dumps({"ansible_python_interpreter": python})),
            ANSIBLE_COLLECTIONS_PATH=str(COLLECTIONS),
            ANSIBLE_CALLBACK_RESULT_FORMAT="json",
            ANSIBLE_PIPELINING="1",
        )
        match = re.search(r"^localhost \| (\w+)!? => (\{.*\})\s*\Z", done.stdout, re.MULTILINE | re.DOTALL)
        assert match, done.stdout + done.stderr
        assert (done.returncode == 0) == (match[1] in ("SUCCESS", "CHANGED"))
        return Result(match[1], json.loads(match[2]), done.stdout + done.stderr)

    def call(self, module: str, *options: str, **arguments: Any) -> Result:
        """Run a module as it is, which takes a tenth of the time."""
        given = {**arguments, "_ansible_check_mode": "--check" in options, "_ansible_diff": True}
        program = f"ansible_collections.virtperf.vhost.plugins.modules.{module}"
        done = self.run(sys.executable, "-m", program, given=json.dumps({"ANSIBLE_MODULE_ARGS": given}))
        assert done.stdout.strip(), done.stderr
        data: dict[str, Any] = json.loads(done.stdout)
        status = "FAILED" if data.get("failed") else "CHANGED" if data.get("changed") else "SUCCESS"
        return Result(status, data, done.stdout)

    def hugepages(self, *options: str, count: int | None = None, **arguments: Any) -> Result:
        """Run the module, for one pool by default."""
        pool = {"size": "2MiB", "count": count, **arguments.pop("pool", {})}
        arguments.setdefault("pools", [] if count is None else [pool])
        # What Ansible makes of it matters where a difference is shown, or another Python asked for.
        way = self.ansible if "--diff" in options or "python" in arguments else self.call
        return way("hugepages", *options, **arguments)

    def restore(self) -> list[str]:
        """Undo what the journal has, newest first."""
        done: list[str] = self.python(RESTORE)
        return done


@pytest.fixture(scope="module", autouse=True)
def as_found() -> Iterator[None]:
    """Whatever happens, the machine has as many pages afterwards as it had before."""
    assert os.geteuid() == 0, "these tests change this machine's hugepages: run them as root"
    limit = time.monotonic() + 300
    while LOCK.exists():
        assert time.monotonic() < limit, f"a run holds this machine: {LOCK.read_text()}"
        time.sleep(1)
    found = pages()
    yield
    left = pages()
    # Tests add pages only. Fewer than before, or more while a run holds the machine, are somebody else's doing.
    if left > found and not LOCK.exists():
        (POOL / "nr_hugepages").write_text(str(max(found, in_use())))
    assert left == found


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    """A namespace for one test; what the test left undone is undone."""
    # The namespace needs directories to mount on.
    made = [directory for directory in ("/run/virtperf", "/var/lib/virtperf") if not os.path.exists(directory)]
    keeper = subprocess.Popen(
        ["unshare", "--mount", "--propagation=private", "sh", "-c", NAMESPACE],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert keeper.stdin
    assert keeper.stdout
    try:
        assert keeper.stdout.readline() == "ready\n", "unshare and mount need CAP_SYS_ADMIN"
        lab = Lab(keeper, tmp_path)
        yield lab
        lab.restore()
    finally:
        keeper.stdin.close()
        keeper.wait(10)
        keeper.stdout.close()
        for directory in made:
            with contextlib.suppress(OSError):
                os.rmdir(directory)


@pytest.fixture
def nobody(tmp_path: Path) -> str:
    """A Python that is run by a user without rights. The tests' own may lie where only root may go."""
    wrapper = tmp_path / "python-of-nobody"
    python = "/usr/bin/python3" if os.access("/usr/bin/python3", os.X_OK) else sys.executable
    drop = "setpriv --reuid=65534 --regid=65534 --clear-groups"
    wrapper.write_text(f'#!/bin/sh\ncd /\nHOME=/nonexistent exec {drop} {shlex.quote(python)} "$@"\n')
    wrapper.chmod(0o755)
    return str(wrapper)


def test_pages_are_added_once_and_undone(lab: Lab) -> None:
    found = pages()
    asked = {"count": found + 8, "run_id": "run-7"}
    predicted = lab.hugepages("--check", "--diff", **asked)
    assert pages() == found
    assert lab.python(JOURNAL) == []
    done = lab.hugepages("--diff", **asked)
    assert pages() == found + 8
    assert (predicted.status, done.status) == ("CHANGED", "CHANGED")
    assert predicted.data == done.data
    assert done.data["actions"] == [f"hugepages of 2MiB: from {found} to {found + 8}"]
    assert done.data["pools"][0]["effective"] == found + 8
    for result in (predicted, done):
        assert re.search(rf'^-.*"hugepages of 2MiB": {found}$', result.text, re.MULTILINE)
        assert re.search(rf'^\+.*"hugepages of 2MiB": {found + 8}$', result.text, re.MULTILINE)
    assert lab.python(JOURNAL) == [["hugepages", "run-7"]]

    again = lab.hugepages("--diff", **asked)
    assert again.status == "SUCCESS"
    assert again.data["actions"] == []
    assert lab.python(JOURNAL) == [["hugepages", "run-7"]]

    assert lab.restore() == [f"hugepages of 2MiB: from {found + 8} back to {found}"]
    assert pages() == found
    assert lab.restore() == []


def test_free_pages_are_added_to_those_in_use(lab: Lab) -> None:
    found, free = pages(), pages("free") - pages("resv")
    done = lab.hugepages(count=free + 4, pool={"count_means": "free"})
    assert done.data["pools"][0]["effective"] == free + 4
    assert pages() == found + 4
    assert lab.hugepages(count=free + 4, pool={"count_means": "free"}).status == "SUCCESS"
    lab.restore()
    assert pages() == found


def test_pages_of_one_node(lab: Lab) -> None:
    found = int(Path(f"/sys/devices/system/node/node0/hugepages/hugepages-{PAGE_KB}kB/nr_hugepages").read_text())
    done = lab.hugepages(count=found + 2, pool={"node": 0})
    assert done.data["actions"] == [f"hugepages of 2MiB on node 0: from {found} to {found + 2}"]
    assert lab.restore() == [f"hugepages of 2MiB on node 0: from {found + 2} back to {found}"]


def test_a_mount_is_made_once_used_and_undone(lab: Lab) -> None:
    asked: dict[str, Any] = {"count": pages() + 2, "mounts": [{"path": MOUNT, "size": "2M"}]}
    found, found_free = pages(), pages("free")
    predicted = lab.hugepages("--check", **asked)
    done = lab.hugepages(**asked)
    assert predicted.data == done.data
    assert done.data["mounts"] == [{"path": MOUNT, "size": "2MiB", "changed": True}]
    seen = lab.run("findmnt", "--noheadings", "--output=SOURCE,FSTYPE,OPTIONS", MOUNT).stdout
    assert re.match(r"virtperf +hugetlbfs rw,nosuid,nodev,.*mode=700,pagesize=2M", seen)
    assert lab.hugepages(**asked).status == "SUCCESS"

    holder = subprocess.Popen(
        lab.enter(sys.executable, "-c", HOLDER, f"{MOUNT}/rtemap_0"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdin
    assert holder.stdout
    try:
        assert holder.stdout.readline() == "ready\n"
        assert pages("free") == found_free + 1
        mount_busy, pool_busy = lab.restore()
        assert f"{MOUNT} is in use" in mount_busy
        assert f"(pid {holder.pid})" in mount_busy
        if found_free == 0:
            assert "cannot take back 2" in pool_busy
        shrink = lab.hugepages(count=in_use() - 1, pool={"policy": "exact"})
        assert shrink.status == "FAILED"
        assert f"{in_use()} are in use" in shrink.data["msg"]
        assert holder.pid in [entry["pid"] for entry in shrink.data["holders"]]
    finally:
        holder.kill()
        holder.wait(10)
        holder.stdin.close()
        holder.stdout.close()

    # The process is dead; its file keeps the page.
    assert pages("free") < pages() - (found - found_free)
    assert f"unmounted {MOUNT} (left-over files removed: 1)" in lab.restore()[0]
    assert (pages(), pages("free")) == (found, found_free)
    assert lab.run("ls", "-A", "/run/virtperf").stdout == ""


def test_a_pool_is_put_back_when_the_mount_fails(lab: Lab) -> None:
    found = pages()
    done = lab.hugepages(count=found + 2, mounts=[{"path": "/proc/self/huge", "size": "2M"}])
    assert done.status == "FAILED"
    assert pages() == found
    assert lab.python(JOURNAL) == []


def test_too_many_pages(lab: Lab) -> None:
    found = pages()
    start = time.monotonic()
    for options in ([], ["--check"]):
        done = lab.hugepages(*options, count=10_000_000)
        assert done.status == "FAILED"
        assert (done.data["granted"], done.data["was"]) == (found, found)
        assert done.data["free"] == found - done.data["in_use"] + done.data["reserved"]
        assert done.data["most"] < 10_000_000
        assert re.search(r"granted \d+ of 10000000; total \d+, free \d+,", done.data["msg"])
        assert f"Way out: ask for at most {done.data['most']}" in done.data["msg"]
        assert pages() == found
    assert time.monotonic() - start < 30
    assert lab.python(JOURNAL) == []


def test_the_kernel_grants_what_it_can(lab: Lab) -> None:
    """Pages so large are hard to come by: memory that lay about for a while has few pieces of that size."""
    large = Path("/sys/kernel/mm/hugepages/hugepages-1048576kB/nr_hugepages")
    if not large.exists():
        pytest.skip("this machine has no pages of 1GiB")
    found = int(large.read_text())
    info = lab.call("vhost_info").data["vhost_info"]
    spare = max(1, min(8, info["memory"]["available_kb"] // 2**20 - 4))
    done = lab.hugepages(count=found + spare, pool={"size": "1GiB"}, retries=1, retry_pause_ms=10)
    if done.status == "FAILED":
        assert found <= done.data["granted"] < found + spare
        assert "everything is as it was before" in done.data["msg"]
        assert lab.python(JOURNAL) == []
    else:
        assert int(large.read_text()) == found + spare
        lab.restore()
    assert int(large.read_text()) == found


def test_a_size_and_a_node_that_are_not_there(lab: Lab) -> None:
    done = lab.hugepages(count=1, pool={"size": "3MiB"})
    assert done.status == "FAILED"
    assert "2MiB" in done.data["sizes"]
    assert "the kernel has no hugepages of 3MiB (found: 2MiB" in done.data["msg"]
    done = lab.hugepages(count=1, pool={"node": 4095})
    assert "no NUMA node 4095" in done.data["msg"]


def test_without_become(lab: Lab, nobody: str) -> None:
    found = pages()
    asked: dict[str, Any] = {"count": found + 2, "python": nobody}
    done = lab.hugepages(**asked)
    assert done.status == "FAILED"
    node = os.uname().nodename
    assert done.data["msg"] == f"needs root on {node}: run with become (-b, or become: true), found uid 65534"
    assert lab.hugepages("--check", **asked).data["pools"][0]["effective"] == found + 2
    # What is in a directory for root alone cannot be seen.
    done = lab.hugepages("--check", mounts=[{"path": "/var/lib/virtperf", "size": "2M"}], python=nobody)
    assert done.status == "FAILED"
    assert pages() == found


def test_facts_without_become(lab: Lab, nobody: str) -> None:
    done = lab.ansible("vhost_info", python=nobody)
    unreadable = done.data["vhost_info"]["unreadable"]
    assert "/var/lib/virtperf/lock.json" in unreadable
    # Which VMs are ours, too, only root may see.
    assert any(path.endswith("/virtperf/qemu") for path in unreadable)
    assert done.data["vhost_info"]["run_lock"] is None
    assert lab.call("vhost_info").data["vhost_info"]["unreadable"] == []
