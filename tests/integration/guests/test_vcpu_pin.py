# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module vcpu_pin on a real QEMU and a real libvirtd: predicted, idempotent, and undone."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bench
import pytest

CPUS = sorted(os.sched_getaffinity(0))
FIRST, SECOND = str(CPUS[0]), str(CPUS[-1])
ALL = f"{FIRST},{SECOND}"
PROGRAMS = {
    "qemu-system-x86_64": "qemu-system-x86 (of bookworm-backports on Debian 12)",
    "libvirtd": "libvirt-daemon-system",
    "virsh": "libvirt-clients",
}
DOMAIN = """
<domain type='qemu'>
  <name>{name}</name>
  <memory unit='MiB'>64</memory>
  <vcpu>2</vcpu>
  <iothreads>1</iothreads>
  <os><type arch='x86_64' machine='q35'>hvm</type></os>
  <features><acpi/></features>
  <devices><emulator>/usr/bin/qemu-system-x86_64</emulator></devices>
</domain>
"""
# A libvirtd of the test's own: all it writes is in file systems that end with it, but for its socket.
LIBVIRTD = """
set -e
for directory in /run /var/lib/libvirt /var/cache/libvirt /var/log/libvirt /etc/libvirt/nwfilter; do
    mount -t tmpfs -o mode=0755 tmpfs "$directory"
done
echo 'stdio_handler = "file"' >/run/qemu.conf
mount --bind /run/qemu.conf /etc/libvirt/qemu.conf
exec libvirtd -f "$1/libvirtd.conf" -p "$1/pid"
"""


# Of the module's journal and of restore's reach: what other runs left on this machine is none of this test's business.
APART = 'mount -t tmpfs tmpfs /run && mount --bind "$1" /var/lib && shift && exec "$@"'


def task(
    state: Path, module: str, arguments: dict[str, Any], *, check: bool = False, python: str = ""
) -> dict[str, Any]:
    """The result of one module call through ansible, failed or not; ``state`` stands in for /var/lib."""
    with tempfile.TemporaryDirectory() as directory:
        result, playbook = Path(directory, "result.json"), Path(directory, "playbook.yml")
        keep = {
            "name": "Keep the result",
            "ansible.builtin.copy": {"content": "{{ result | to_json }}", "dest": str(result), "mode": "0600"},
            "check_mode": False,
            "diff": False,
        }
        call = {
            "name": "Call",
            f"virtperf.vhost.{module}": arguments,
            "check_mode": check,
            "diff": True,
            "register": "result",
            "vars": {"ansible_python_interpreter": python} if python else {},
        }
        tasks = [{"name": "Call and keep", "block": [call], "always": [keep]}]
        playbook.write_text(json.dumps([{"name": "Test", "hosts": "localhost", "gather_facts": False, "tasks": tasks}]))
        command = ["unshare", "--mount", "--propagation", "private", "sh", "-ec", APART, "apart", str(state)]
        command += [str(bench.CHECKOUT / "tools/env"), "ansible-playbook", str(playbook)]
        done = subprocess.run(command, cwd=bench.CHECKOUT, capture_output=True, text=True, check=False, timeout=120)
        assert result.exists(), done.stdout + done.stderr
        kept: dict[str, Any] = json.loads(result.read_text())
    return kept


def settings(pid: int) -> dict[int, tuple[list[int], int]]:
    """The CPUs and the policy of each thread of a process, from the kernel."""
    tids = sorted(int(tid) for tid in os.listdir(f"/proc/{pid}/task"))
    return {tid: (sorted(os.sched_getaffinity(tid)), os.sched_getscheduler(tid)) for tid in tids}


def same(predicted: dict[str, Any], done: dict[str, Any]) -> None:
    """Check mode said what was then done."""
    for key in ("changed", "actions", "diff", "vms"):
        assert predicted[key] == done[key], key


@pytest.fixture(scope="module", autouse=True)
def programs() -> None:
    missing = [package for program, package in PROGRAMS.items() if not shutil.which(program)]
    assert not missing, f"apt-get install {' '.join(missing)}"
    assert len(CPUS) > 1, "two CPUs are needed"


@pytest.fixture
def state(tmp_path: Path, left_as_found: None) -> Path:
    """Where the journal is."""
    directory = tmp_path / "state"
    directory.mkdir()
    return directory


def _wait_until_it_answers(qmp: Path) -> None:
    """QEMU greets before all of the VM is there, threads included, and executes commands only then."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(qmp))
        with connection.makefile("rw") as stream:
            stream.readline()
            stream.write('{"execute": "qmp_capabilities"}{"execute": "query-cpus-fast"}')
            stream.flush()
            bench.wait_for("QMP's answer", lambda: "thread-id" in stream.readline(), 10)


@pytest.fixture
def guest(tmp_path: Path, state: Path) -> Iterator[tuple[int, str]]:
    """A paused VM of four vCPUs and an I/O thread in a directory with an awkward name: its pid and QMP socket."""
    directory = tmp_path / 'it\'s a; "place"'
    directory.mkdir()
    qmp = directory / "qmp.sock"
    command = ["qemu-system-x86_64", "-S", "-M", "q35", "-accel", "tcg,thread=multi", "-smp", "4", "-m", "64"]
    command += ["-display", "none", "-nodefaults", "-object", "iothread,id=io0"]
    command += ["-chardev", f"socket,id=qmp,path={qmp},server=on,wait=off", "-mon", "chardev=qmp,mode=control"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            bench.wait_for("QMP", qmp.exists, 10)
            _wait_until_it_answers(qmp)
            yield process.pid, str(qmp)
        finally:
            process.kill()


class TestQemu:
    def test_predicted_done_idempotent_and_undone(self, state: Path, guest: tuple[int, str]) -> None:
        pid, qmp = guest
        before = settings(pid)
        arguments = {
            "vms": [
                {
                    "name": "guest",
                    "qmp": qmp,
                    "vcpus": [
                        {"vcpu": 0, "cpus": FIRST},
                        {"vcpu": 1, "cpus": SECOND, "policy": "fifo", "priority": 3},
                        {"vcpu": 2, "policy": "batch"},
                    ],
                    "emulator": {"cpus": FIRST},
                    "iothreads": [{"id": "io0", "cpus": SECOND, "policy": "idle"}],
                }
            ],
            "on_shared_siblings": "allow",
        }
        predicted = task(state, "vcpu_pin", arguments, check=True)
        assert settings(pid) == before, "check mode changes nothing"
        done = task(state, "vcpu_pin", arguments)
        assert not done.get("failed"), done
        same(predicted, done)
        assert done["changed"]
        header = done["diff"]["prepared"].splitlines()[0].split()
        assert header == ["vm", "thread", "role", "before", "after"]

        now = settings(pid)
        got = {(t["role"], t["id"]): now[t["tid"]] for t in done["vms"][0]["threads"]}
        assert got[("vcpu", "0")] == ([int(FIRST)], os.SCHED_OTHER)
        assert got[("vcpu", "1")] == ([int(SECOND)], os.SCHED_FIFO)
        assert got[("vcpu", "2")] == (CPUS, os.SCHED_BATCH)
        assert got[("vcpu", "3")] == (CPUS, os.SCHED_OTHER), "what is not listed is left alone"
        assert got[("iothread", "io0")] == ([int(SECOND)], os.SCHED_IDLE)
        assert got[("emulator", "")] == ([int(FIRST)], os.SCHED_OTHER)

        again = task(state, "vcpu_pin", arguments)
        assert not again["changed"]
        assert (again["actions"], again["diff"]) == ([], {})
        restored = task(state, "restore", {})
        assert not restored.get("failed"), restored
        assert any("back on their CPUs" in action for action in restored["actions"])
        assert settings(pid) == before

    def test_a_second_change_is_undone_to_what_was_first(self, state: Path, guest: tuple[int, str]) -> None:
        pid, qmp = guest
        before = settings(pid)
        for cpu in (FIRST, SECOND):
            assert task(state, "vcpu_pin", {"vms": [{"qmp": qmp, "vcpus": [{"vcpu": 3, "cpus": cpu}]}]})["changed"]
        task(state, "restore", {})
        assert settings(pid) == before

    def test_what_cannot_be_had_is_refused_and_nothing_touched(self, state: Path, guest: tuple[int, str]) -> None:
        pid, qmp = guest
        before = settings(pid)
        good = {"vcpu": 0, "cpus": FIRST}
        beyond = str(os.cpu_count())
        for change, message in (
            ({"vcpus": [good, {"vcpu": 4, "cpus": FIRST}]}, "no vCPU 4 (found: 4 vCPUs, 0-3)"),
            ({"vcpus": [good, {"vcpu": 1, "cpus": beyond}]}, f"CPU {beyond}: this host has no such CPU"),
            ({"vcpus": [good], "iothreads": [{"id": "io1", "cpus": FIRST}]}, "no I/O thread io1 (found: io0)"),
        ):
            refused = task(state, "vcpu_pin", {"vms": [{"qmp": qmp, **change}]})
            assert refused["failed"]
            assert message in refused["msg"]
        shared = [good, {"vcpu": 1, "cpus": FIRST}]
        refused = task(state, "vcpu_pin", {"vms": [{"qmp": qmp, "vcpus": shared}], "on_shared_siblings": "fail"})
        assert "vCPU 0" in refused["msg"]
        assert "vCPU 1" in refused["msg"]
        assert settings(pid) == before

    def test_a_cpuset_that_leaves_a_cpu_out(self, state: Path, guest: tuple[int, str]) -> None:
        pid, qmp = guest
        root = next(
            (line.split()[1] for line in Path("/proc/mounts").read_text().splitlines() if _has_cpuset(line)), None
        )
        assert root, "no cpuset controller (cgroup v1 or v2) is mounted"
        home = next(line for line in Path("/proc/self/cgroup").read_text().splitlines() if _is_cpuset(line))
        group = Path(root, f"virtperf-test-{pid}")
        group.mkdir()
        try:
            if (group / "cpuset.mems").exists():
                (group / "cpuset.mems").write_text(Path(root, "cpuset.mems").read_text() or "0")
            (group / "cpuset.cpus").write_text(FIRST)
            (group / "cgroup.procs").write_text(str(pid))
            refused = task(state, "vcpu_pin", {"vms": [{"qmp": qmp, "vcpus": [{"vcpu": 0, "cpus": SECOND}]}]})
            assert refused["failed"]
            assert "its cpuset leaves it out" in refused["msg"]
            assert refused["cpuset"] == [int(FIRST)]
            within = task(state, "vcpu_pin", {"vms": [{"qmp": qmp, "vcpus": [{"vcpu": 0, "cpus": FIRST}]}]})
            assert not within["changed"]
        finally:
            Path(f"{root}{home.split(':', 2)[2]}".rstrip("/"), "cgroup.procs").write_text(str(pid))
            group.rmdir()

    def test_nobody_at_the_socket(self, state: Path, tmp_path: Path) -> None:
        refused = task(state, "vcpu_pin", {"vms": [{"qmp": str(tmp_path / "none"), "emulator": {"cpus": FIRST}}]})
        assert "does not answer (connect)" in refused["msg"]


def _has_cpuset(line: str) -> bool:
    _device, path, kind, options = line.split()[:4]
    return (kind == "cgroup" and "cpuset" in options.split(",")) or (
        kind == "cgroup2" and Path(path, "cpuset.cpus.effective").exists()
    )


def _is_cpuset(line: str) -> bool:
    return "cpuset" in line.split(":")[1].split(",") or not Path("/sys/fs/cgroup/cpuset").exists()


@pytest.fixture
def domain(tmp_path: Path, state: Path) -> Iterator[tuple[int, str, str]]:
    """A paused domain of two vCPUs: its pid, its name, and the URI of a libvirtd that ends with the test."""
    run = subprocess.run
    directory = Path(tempfile.mkdtemp(prefix="virtperf-libvirt-"))
    config = f'unix_sock_dir = "{directory}"\nauth_unix_rw = "none"\n'
    (directory / "libvirtd.conf").write_text(config)
    name, uri = f"virtperf-test-{os.getpid()}", f"qemu+unix:///system?socket={directory}/libvirt-sock"
    groups = set(Path("/sys/fs/cgroup").glob("*/machine")) | set(Path("/sys/fs/cgroup").glob("machine"))
    secrets_were_there = Path("/etc/libvirt/secrets").exists()
    namespace = ["unshare", "--mount", "--propagation", "private", "sh", "-c", LIBVIRTD, "libvirtd", str(directory)]
    with subprocess.Popen(namespace, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as daemon:
        try:
            bench.wait_for("libvirtd", (directory / "libvirt-sock").exists, 20)
            (tmp_path / "domain.xml").write_text(DOMAIN.format(name=name))
            created = run(
                ["virsh", "-c", uri, "create", "--paused", str(tmp_path / "domain.xml")],
                capture_output=True,
                text=True,
                check=False,
            )
            assert created.returncode == 0, created.stderr
            # Its mount namespace is libvirtd's own, which can be looked into from here.
            pid = Path(f"/proc/{daemon.pid}/root/run/libvirt/qemu/{name}.pid").read_text()
            yield int(pid), name, uri
        finally:
            run(["virsh", "-c", uri, "destroy", name], capture_output=True, check=False)
            daemon.terminate()
    shutil.rmtree(directory)
    for group in {*Path("/sys/fs/cgroup").glob("*/machine"), *Path("/sys/fs/cgroup").glob("machine")} - groups:
        group.rmdir()
    if not secrets_were_there:
        Path("/etc/libvirt/secrets").rmdir()


def pins(uri: str, name: str) -> str:
    """What libvirt has in its tables."""
    commands = ("vcpupin", "emulatorpin", "iothreadinfo")
    return "".join(
        subprocess.run(["virsh", "-c", uri, command, name], capture_output=True, text=True, check=True).stdout
        for command in commands
    )


class TestLibvirt:
    @pytest.mark.parametrize("restorer", ["", "/usr/bin/python3"], ids=["virsh restores", "libvirt restores"])
    def test_predicted_done_idempotent_and_undone(
        self, state: Path, domain: tuple[int, str, str], restorer: str
    ) -> None:
        pid, name, uri = domain
        before, table = settings(pid), pins(uri, name)
        arguments = {
            "vms": [
                {
                    "domain": name,
                    "vcpus": [{"vcpu": 0, "cpus": FIRST}, {"vcpu": 1, "cpus": SECOND, "policy": "batch"}],
                    "emulator": {"cpus": FIRST},
                    "iothreads": [{"cpus": SECOND}],
                }
            ],
            "libvirt_uri": uri,
        }
        predicted = task(state, "vcpu_pin", arguments, check=True, python="/usr/bin/python3")
        assert not predicted.get("failed"), predicted
        assert (settings(pid), pins(uri, name)) == (before, table), "check mode changes nothing"
        done = task(state, "vcpu_pin", arguments, python="/usr/bin/python3")
        assert not done.get("failed"), done
        same(predicted, done)
        now = settings(pid)
        got = {(t["role"], t["id"]): now[t["tid"]] for t in done["vms"][0]["threads"]}
        assert got == {
            ("vcpu", "0"): ([int(FIRST)], os.SCHED_OTHER),
            ("vcpu", "1"): ([int(SECOND)], os.SCHED_BATCH),
            ("iothread", "iothread1"): ([int(SECOND)], os.SCHED_OTHER),
            ("emulator", ""): ([int(FIRST)], os.SCHED_OTHER),
        }
        assert pins(uri, name) != table, "libvirt knows"
        assert not task(state, "vcpu_pin", arguments, python="/usr/bin/python3")["changed"]
        # Pinned to one CPU by its cgroup too; another one can be had all the same.
        moved = {**arguments, "vms": [{"domain": name, "vcpus": [{"vcpu": 0, "cpus": ALL}]}]}
        widened = task(state, "vcpu_pin", moved, python="/usr/bin/python3")
        assert widened["changed"], widened
        restored = task(state, "restore", {}, python=restorer)
        assert not restored.get("failed"), restored
        assert (settings(pid), pins(uri, name)) == (before, table)

    def test_what_libvirt_does_not_have(self, state: Path, domain: tuple[int, str, str]) -> None:
        _pid, name, uri = domain
        for vm, message in (
            ({"domain": "nobody"}, f"no domain 'nobody' (found: {name})"),
            ({"domain": name, "vcpus": [{"vcpu": 2, "cpus": FIRST}]}, "no vCPU 2 (found: 2 vCPUs, 0-1)"),
        ):
            arguments = {"vms": [{"emulator": {"cpus": FIRST}, **vm}], "libvirt_uri": uri}
            refused = task(state, "vcpu_pin", arguments, python="/usr/bin/python3")
            assert refused["failed"]
            assert message in refused["msg"]

    def test_without_libvirts_python_module(self, state: Path) -> None:
        refused = task(state, "vcpu_pin", {"vms": [{"domain": "any", "emulator": {"cpus": FIRST}}]})
        assert refused["failed"]
        assert "python3-libvirt" in refused["msg"]
