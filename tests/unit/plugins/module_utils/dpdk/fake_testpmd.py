# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A program that behaves like dpdk-testpmd 22.11 as far as the core can see, and a host on which it is installed.

The program's prompt, echo, answers and refusals are those of the real one. ``Lab.behave`` makes one misbehave.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils import processes
from ansible_collections.virtperf.vhost.plugins.module_utils.dpdk import instance as instance_module
from ansible_collections.virtperf.vhost.plugins.module_utils.dpdk import process as process_module
from ansible_collections.virtperf.vhost.plugins.module_utils.dpdk.definition import Definition, parse
from ansible_collections.virtperf.vhost.plugins.module_utils.dpdk.instance import Instance, names
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host

# What EAL does for any program: memory, ports, telemetry, threads. ``answer`` is the program's own.
EAL = r"""
import json, os, signal, socket, sys, threading, time

def say(text):
    os.write(1, (text + "\n").encode())

def option(name, default=""):
    found = [word.partition("=")[2] for word in sys.argv if word.startswith(f"--{name}=")]
    return found[-1] if found else default

prefix, huge_dir = option("file-prefix"), option("huge-dir")
name = prefix.removeprefix("virtperf-")
with open(BEHAVIOUR) as file:
    behaviour = json.load(file).get(name, {})
if behaviour.get("ignores_terminate"):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
say("EAL: Detected CPU lcores: 2")
say("EAL: Detected NUMA nodes: 1")
if behaviour.get("dies_at_start"):
    say("EAL: Cannot get hugepage information.")
    say("EAL: Error - exiting with code: 1\n  Cause: Cannot init EAL: Permission denied")
    sys.exit(1)
if behaviour.get("crashes_at_start"):
    os.kill(os.getpid(), signal.SIGSEGV)

with open(os.path.join(huge_dir, f"{prefix}map_0"), "wb") as file:
    os.posix_fallocate(file.fileno(), 0, int(option("socket-mem").split(",")[-1]) << 20)
runtime = os.path.join(os.environ["RUNTIME_DIRECTORY"], "dpdk", prefix)
os.makedirs(runtime)
ports, connections = [], []
for word in sys.argv:
    device, *options = word.removeprefix("--vdev=").split(",") if word.startswith("--vdev=") else [""]
    options = dict(pair.split("=", 1) for pair in options)
    try:
        if device.startswith("net_vhost"):
            server = socket.socket(socket.AF_UNIX)
            server.bind(options["iface"])
            server.listen()
            connections.append(server)
            say(f"VHOST_CONFIG: ({options['iface']}) binding succeeded")
        elif device.startswith("net_virtio_user"):
            client = socket.socket(socket.AF_UNIX)
            client.connect(options["path"])
            connections.append(client)
            bits = {"mrg_rxbuf": 15, "version_1": 32, "packed_vq": 34, "in_order": 35}
            word = sum(1 << bit for key, bit in bits.items() if {"version_1": "1", **options}.get(key) == "1")
            say(f"virtio_ethdev_negotiate_features(): features after negotiate = {word:x}")
            for queue in range(2 * int(options["queues"])):
                say(f"virtio_init_queue(): setting up queue: {queue} on NUMA node -1")
                say(f"virtio_init_queue(): vq_size: {options.get('queue_size', 256)}")
        if device:
            ports.append(device)
    except OSError as error:
        say(f"vdev_probe(): failed to initialize {device} device")
        say("EAL: Bus (vdev) probe failed.")

def serve(connection):
    greeting = {"version": "DPDK 22.11.11", "pid": os.getpid(), "max_output_len": 16384}
    connection.send(json.dumps(greeting).encode())
    while command := connection.recv(1024).decode():
        if behaviour.get("dies_when_asked") and "stats" in command:
            say("Segmentation fault in a driver")
            os._exit(1)
        what = command.partition(",")[0]
        value = list(range(len(ports))) if what == "/ethdev/list" else answer(command)
        connection.send(json.dumps({what: value}).encode())

def telemetry():
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(os.path.join(runtime, "dpdk_telemetry.v2"))
    listener.listen()
    while True:
        threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()

def worker(number, cpu):
    with open("/proc/thread-self/comm", "w") as file:
        file.write(f"rte-worker-{number}")
    os.sched_setaffinity(0, {cpu})
    threading.Event().wait()

def start_threads():
    if not behaviour.get("silent"):
        threading.Thread(target=telemetry, daemon=True).start()
    for lcore in option("lcores").split(",")[1:]:
        number, _at, cpu = lcore.partition("@")
        threading.Thread(target=worker, args=(number, int(cpu)), daemon=True).start()
"""
TESTPMD = r"""
if not ports:
    say("testpmd: No probed ethernet devices")

state = {"forward": option("forward-mode"), "since": None, "packets": 0}
# The one thing that the ends have to agree on: how long the frames are that the generator makes.
frame_file = os.path.join(os.environ["RUNTIME_DIRECTORY"], "frame")

def frame():
    try:
        with open(frame_file) as file:
            return int(file.read())
    except (OSError, ValueError):
        return 60

def packets():
    moving = time.monotonic() - state["since"] if state["since"] else 0
    return state["packets"] + int(moving * 1e6)

def answer(command):
    what, _comma, port = command.partition(",")
    if port != "0" or not ports:
        return None
    if what == "/ethdev/info":
        queues = int(option("rxq"))
        return {"nb_rx_queues": queues, "nb_tx_queues": queues, "dev_started": int("never_ready" not in behaviour)}
    if what == "/ethdev/stats":
        count, size = packets(), frame()
        return {"ipackets": count, "opackets": count, "ibytes": count * size, "obytes": count * size,
                "imissed": 0, "oerrors": 0}
    if what == "/ethdev/link_status":
        return {"status": "UP", "speed": 4294967295, "duplex": "full-duplex"}

start_threads()

STATS = '''
  +++++++++++++++ Accumulated forward statistics for all ports+++++++++++++++
  RX-packets: {0}       RX-dropped: 0             RX-total: {0}
  TX-packets: {0}       TX-dropped: 10        TX-total: {0}
  ++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++

  CPU cycles/packet=94.88 (total cycles={1} / total {2} packets={0}) at 2600 MHz Clock'''

def obey(command):
    global hanging
    words = command.split()
    if words[:2] == ["set", "txpkts"]:
        if int(words[2]) > 2176:
            return say(f"length[0]={words[2]} > mbuf_data_size=2176 - give up")
        with open(frame_file, "w") as file:
            file.write(str(int(words[2]) - 4))
    elif words[:2] == ["set", "fwd"]:
        state["forward"] = words[2]
        say(f"Set {words[2]} packet forwarding mode")
    elif words[:2] == ["set", "burst"]:
        say(f"Number of packets per burst set to {words[2]}")
    elif words == ["start"]:
        state["since"] = time.monotonic()
    elif words == ["stop"]:
        state["packets"], state["since"] = packets(), None
        say("Telling cores to stop...\nDone.")
    elif words == ["show", "fwd", "stats", "all"]:
        say(STATS.format(packets(), packets() * 90, state["forward"]))
    elif words[:1] == ["clear"]:
        pass
    elif words == ["quit"]:
        if not behaviour.get("ignores_quit"):
            say("\nBye...")
            os._exit(0)
    elif words[:1] == ["bad"]:
        say("Bad arguments")
    elif words:
        say("Command not found")

time.sleep(behaviour.get("sleeps_s", 0))
os.write(1, b"testpmd> ")
for line in os.fdopen(0):
    command = line.strip()
    say(command)
    if command == behaviour.get("dies_on"):
        say("EAL: Error - a queue could not be set up")
        os._exit(1)
    if command == behaviour.get("hangs_on"):
        time.sleep(1000)
    obey(command)
    os.write(1, b"testpmd> ")
"""
PROGRAM = EAL + TESTPMD


class Lab:
    """A host in a directory, with the program first on PATH and 64 MiB of fake hugepages free."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.directory = directory
        self.host = Host(sys=str(directory / "sys"), run=str(directory / "run"), state=str(directory / "state"))
        self.huge_dir = directory / "huge"
        self.huge_dir.mkdir()
        self.behaviour_path = directory / "behaviour.json"
        self.behave()
        self._programs = directory / "bin"
        self._programs.mkdir()
        self.install("dpdk-testpmd", PROGRAM)
        monkeypatch.setenv("PATH", f"{self._programs}:{os.environ['PATH']}")
        self.hugepages(64)
        self.cpus = sorted(os.sched_getaffinity(0))

    def install(self, name: str, text: str) -> None:
        """A program in Python, first on PATH."""
        program = self._programs / name
        program.write_text(f"#!{sys.executable} -ISE\nBEHAVIOUR = {str(self.behaviour_path)!r}\n{text}")
        program.chmod(0o755)

    @property
    def socket(self) -> str:
        """Where the vswitch serves."""
        return f"{self.host.run}/vswitch.sock"

    def behave(self, **behaviour: dict[str, Any]) -> None:
        """How the processes of these names shall misbehave from their next start on."""
        self.behaviour_path.write_text(json.dumps(behaviour))

    def hugepages(self, free_mib: int, node: int = 0) -> None:
        """So much is free in the pool whose page size is that of the directory which plays hugetlbfs."""
        page_kib = os.statvfs(self.huge_dir).f_bsize // 1024
        pool = Path(self.host.sys, f"devices/system/node/node{node}/hugepages/hugepages-{page_kib}kB")
        pool.mkdir(parents=True, exist_ok=True)
        (pool / "free_hugepages").write_text(f"{free_mib * 1024 // page_kib}\n")

    def vswitch(self, **more: Any) -> Definition:
        """Reflects packets."""
        return parse(self.raw_vswitch(**more))

    def raw_vswitch(self, **more: Any) -> dict[str, Any]:
        """As a module gets it."""
        port = {"device": "net_vhost0", "options": {"iface": self.socket, "queues": "1"}}
        return {"name": "vswitch", "cpus": [self.cpus[0]], "ports": [port], **self._common(), **more}

    def generator(self, **more: Any) -> Definition:
        """Connects to the vswitch and makes packets."""
        return parse(self.raw_generator(**more))

    def raw_generator(self, **more: Any) -> dict[str, Any]:
        """As a module gets it."""
        port = {"device": "net_virtio_user0", "options": {"path": self.socket, "queues": "1"}}
        cpus = [self.cpus[-1]]
        return {"name": "generator", "cpus": cpus, "ports": [port], "forward_mode": "flowgen", **self._common(), **more}

    def _common(self) -> dict[str, Any]:
        return {"huge_dir": str(self.huge_dir), "memory_mib": 16}

    def start(self, *definitions: Definition) -> None:
        """Start them, past the manager."""
        for definition in definitions:
            Instance(self.host, definition.name).start(definition)

    def pid(self, name: str) -> int:
        """Of the process of that name."""
        identity = Instance(self.host, name).identity()
        assert identity is not None
        return identity.pid

    def running(self) -> list[str]:
        """Names of those that run."""
        return [name for name in names(self.host) if Instance(self.host, name).is_running()]

    def kill(self, name: str) -> None:
        """End a process as a crash does, leaving its files."""
        identity = Instance(self.host, name).identity()
        assert identity is not None
        os.kill(identity.pid, signal.SIGKILL)
        assert processes.wait_gone(self.host, identity, 5.0)

    def end(self) -> None:
        """Leave no process behind, whatever the test did."""
        for name in names(self.host):
            identity = Instance(self.host, name).identity()
            if identity is not None and processes.is_running(self.host, identity):
                self.kill(name)


@contextlib.contextmanager
def installed(directory: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    """A lab for one test. Nobody waits for long in it."""
    lab = Lab(directory, monkeypatch)
    wait_gone = processes.wait_gone
    monkeypatch.setattr(
        processes, "wait_gone", lambda host, identity, patience_s: wait_gone(host, identity, min(patience_s, 0.4))
    )
    monkeypatch.setattr(process_module, "_START_PATIENCE_S", 5.0)
    monkeypatch.setattr(instance_module, "_ANSWER_PATIENCE_S", 1.0)
    try:
        yield lab
    finally:
        lab.end()
