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
from calls import apart, call

pytestmark = pytest.mark.apart

CPUS = sorted(os.sched_getaffinity(0))
FIRST, SECOND = str(CPUS[0]), str(CPUS[-1])
ALL = f"{FIRST},{SECOND}"
# The Python that has Debian's python3-libvirt.
DEBIANS = "/usr/bin/python3"
CGROUPS = Path("/sys/fs/cgroup")
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
LIBVIRTD = r"""
set -e
# It looks at each mounted hugetlbfs, also where the mount below hides it.
umount --all --types hugetlbfs
for directory in /run /var/lib/libvirt /var/cache/libvirt /var/log/libvirt /etc/libvirt/nwfilter; do
    mount -t tmpfs -o mode=0755 tmpfs "$directory"
done
# Another user than root may not open /dev/kvm; then libvirt asks QEMU anew, at each step, whether it has KVM.
printf '%s = "%s"\n' stdio_handler file user root group root >/run/qemu.conf
mount --bind /run/qemu.conf /etc/libvirt/qemu.conf
exec libvirtd -f "$1/libvirtd.conf" -p "$1/pid"
"""


def through_ansible(state: Path, module: str, arguments: dict[str, Any], python: str) -> dict[str, Any]:
    """The result of one task, run with the Python that an inventory names."""
    with tempfile.TemporaryDirectory() as directory:
        result, playbook = Path(directory, "result.json"), Path(directory, "playbook.yml")
        keep = {"content": "{{ result | to_json }}", "dest": str(result), "mode": "0600"}
        tasks: list[dict[str, Any]] = [
            {"name": "Call", f"virtperf.vhost.{module}": arguments, "register": "result"},
            {"name": "Keep the result", "ansible.builtin.copy": keep},
        ]
        play = {"name": "Test", "hosts": "localhost", "gather_facts": False, "tasks": tasks}
        playbook.write_text(json.dumps([{**play, "vars": {"ansible_python_interpreter": python}}]))
        command = [*apart(state), str(bench.CHECKOUT / "tools/env"), "ansible-playbook", str(playbook)]
        done = subprocess.run(command, cwd=bench.CHECKOUT, capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr
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
def needed() -> None:
    missing = [name for name in ("qemu-system-x86_64", "libvirtd", "virsh") if not shutil.which(name)]
    assert not missing, f"missing {missing}: run tools/setup test"
    assert len(CPUS) > 1, "two CPUs are needed"


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """Where the journal is. Nothing of these tests is in /run/virtperf or /var/lib/virtperf."""
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
def vm(tmp_path: Path) -> Iterator[tuple[int, str]]:
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
    def test_predicted_done_idempotent_and_undone(self, state: Path, vm: tuple[int, str]) -> None:
        pid, qmp = vm
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
        predicted = call("vcpu_pin", arguments, check=True, state=state)
        assert settings(pid) == before, "check mode changes nothing"
        done = call("vcpu_pin", arguments, state=state)
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

        again = call("vcpu_pin", arguments, state=state)
        assert not again["changed"]
        assert (again["actions"], again["diff"]) == ([], {})
        restored = call("restore", {}, state=state)
        assert not restored.get("failed"), restored
        assert any("back on their CPUs" in action for action in restored["actions"])
        assert settings(pid) == before

    def test_a_second_change_is_undone_to_what_was_first(self, state: Path, vm: tuple[int, str]) -> None:
        pid, qmp = vm
        before = settings(pid)
        for cpu in (FIRST, SECOND):
            assert call("vcpu_pin", {"vms": [{"qmp": qmp, "vcpus": [{"vcpu": 3, "cpus": cpu}]}]}, state=state)[
                "changed"
            ]
        call("restore", {}, state=state)
        assert settings(pid) == before

    def test_what_cannot_be_had_is_refused_and_nothing_touched(self, state: Path, vm: tuple[int, str]) -> None:
        pid, qmp = vm
        before = settings(pid)
        good = {"vcpu": 0, "cpus": FIRST}
        beyond = str(os.cpu_count())
        for change, message in (
            ({"vcpus": [good, {"vcpu": 4, "cpus": FIRST}]}, "no vCPU 4 (found: 4 vCPUs, 0-3)"),
            ({"vcpus": [good, {"vcpu": 1, "cpus": beyond}]}, f"CPU {beyond}: this host has no such CPU"),
            ({"vcpus": [good], "iothreads": [{"id": "io1", "cpus": FIRST}]}, "no I/O thread io1 (found: io0)"),
        ):
            refused = call("vcpu_pin", {"vms": [{"qmp": qmp, **change}]}, state=state)
            assert refused["failed"]
            assert message in refused["msg"]
        shared = [good, {"vcpu": 1, "cpus": FIRST}]
        refused = call("vcpu_pin", {"vms": [{"qmp": qmp, "vcpus": shared}], "on_shared_siblings": "fail"}, state=state)
        assert "vCPU 0" in refused["msg"]
        assert "vCPU 1" in refused["msg"]
        assert settings(pid) == before

    def test_a_cpuset_that_leaves_a_cpu_out(self, state: Path, vm: tuple[int, str]) -> None:
        pid, qmp = vm
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
            refused = call("vcpu_pin", {"vms": [{"qmp": qmp, "vcpus": [{"vcpu": 0, "cpus": SECOND}]}]}, state=state)
            assert refused["failed"]
            assert "its cpuset leaves it out" in refused["msg"]
            assert refused["cpuset"] == [int(FIRST)]
            within = call("vcpu_pin", {"vms": [{"qmp": qmp, "vcpus": [{"vcpu": 0, "cpus": FIRST}]}]}, state=state)
            assert not within["changed"]
        finally:
            Path(f"{root}{home.split(':', 2)[2]}".rstrip("/"), "cgroup.procs").write_text(str(pid))
            group.rmdir()

    def test_nobody_at_the_socket(self, state: Path, tmp_path: Path) -> None:
        refused = call("vcpu_pin", {"vms": [{"qmp": str(tmp_path / "none"), "emulator": {"cpus": FIRST}}]}, state=state)
        assert "does not answer (connect)" in refused["msg"]


def _has_cpuset(line: str) -> bool:
    _device, path, kind, options = line.split()[:4]
    return (kind == "cgroup" and "cpuset" in options.split(",")) or (
        kind == "cgroup2" and Path(path, "cpuset.cpus.effective").exists()
    )


def _is_cpuset(line: str) -> bool:
    return "cpuset" in line.split(":")[1].split(",") or not Path("/sys/fs/cgroup/cpuset").exists()


def left_by_libvirt() -> set[Path]:
    """What a libvirtd makes outside of the file systems that end with it."""
    return {*CGROUPS.glob("machine"), *CGROUPS.glob("*/machine"), *Path("/etc/libvirt").glob("secrets")}


@pytest.fixture(scope="module")
def libvirtd() -> Iterator[tuple[int, str]]:
    """A libvirtd that ends with these tests: its pid and URI."""
    there = left_by_libvirt()
    directory = Path(tempfile.mkdtemp(prefix="virtperf-libvirt-"))
    (directory / "libvirtd.conf").write_text(f'unix_sock_dir = "{directory}"\nauth_unix_rw = "none"\n')
    namespace = ["unshare", "--mount", "--propagation", "private", "sh", "-c", LIBVIRTD, "libvirtd", str(directory)]
    try:
        with subprocess.Popen(namespace, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as daemon:
            try:
                sock = directory / "libvirt-sock"
                bench.wait_for("libvirtd", lambda: sock.exists() or daemon.poll() is not None, 30)
                assert daemon.poll() is None, daemon.communicate()[0]
                yield daemon.pid, f"qemu+unix:///system?socket={sock}"
            finally:
                daemon.terminate()
    finally:
        shutil.rmtree(directory)
        for path in left_by_libvirt() - there:
            path.rmdir()


@pytest.fixture
def domain(tmp_path: Path, libvirtd: tuple[int, str]) -> Iterator[tuple[int, str, str]]:
    """A paused domain of two vCPUs: its pid, its name, and the URI of its libvirtd."""
    daemon, uri = libvirtd
    name = f"virtperf-test-{os.getpid()}"
    (tmp_path / "domain.xml").write_text(DOMAIN.format(name=name))
    create = ["virsh", "-c", uri, "create", "--paused", str(tmp_path / "domain.xml")]
    created = subprocess.run(create, capture_output=True, text=True, check=False)
    assert created.returncode == 0, created.stderr
    try:
        # Its mount namespace is libvirtd's own, which can be looked into from here.
        pid = Path(f"/proc/{daemon}/root/run/libvirt/qemu/{name}.pid").read_text()
        yield int(pid), name, uri
    finally:
        subprocess.run(["virsh", "-c", uri, "destroy", name], capture_output=True, check=True)


def pins(uri: str, name: str) -> str:
    """What libvirt has in its tables."""
    commands = ("vcpupin", "emulatorpin", "iothreadinfo")
    return "".join(
        subprocess.run(["virsh", "-c", uri, command, name], capture_output=True, text=True, check=True).stdout
        for command in commands
    )


class TestLibvirt:
    @pytest.mark.parametrize("restorer", ["python", DEBIANS], ids=["virsh restores", "libvirt restores"])
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
        predicted = call("vcpu_pin", arguments, check=True, state=state, python=DEBIANS)
        assert not predicted.get("failed"), predicted
        assert (settings(pid), pins(uri, name)) == (before, table), "check mode changes nothing"
        done = call("vcpu_pin", arguments, state=state, python=DEBIANS)
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
        assert not call("vcpu_pin", arguments, state=state, python=DEBIANS)["changed"]
        # Pinned to one CPU by its cgroup too; another one can be had all the same.
        moved = {**arguments, "vms": [{"domain": name, "vcpus": [{"vcpu": 0, "cpus": ALL}]}]}
        widened = through_ansible(state, "vcpu_pin", moved, DEBIANS)
        assert widened["changed"], widened
        restored = call("restore", {}, state=state, python=restorer)
        assert not restored.get("failed"), restored
        assert (settings(pid), pins(uri, name)) == (before, table)

    def test_what_libvirt_does_not_have(self, state: Path, domain: tuple[int, str, str]) -> None:
        _pid, name, uri = domain
        for vm, message in (
            ({"domain": "nobody"}, f"no domain 'nobody' (found: {name})"),
            ({"domain": name, "vcpus": [{"vcpu": 2, "cpus": FIRST}]}, "no vCPU 2 (found: 2 vCPUs, 0-1)"),
        ):
            arguments = {"vms": [{"emulator": {"cpus": FIRST}, **vm}], "libvirt_uri": uri}
            refused = call("vcpu_pin", arguments, state=state, python=DEBIANS)
            assert refused["failed"]
            assert message in refused["msg"]

    def test_without_libvirts_python_module(self, state: Path) -> None:
        refused = call("vcpu_pin", {"vms": [{"domain": "any", "emulator": {"cpus": FIRST}}]}, state=state)
        assert refused["failed"]
        assert "python3-libvirt" in refused["msg"]
