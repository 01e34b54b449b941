# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A program that behaves like QEMU 10 as far as the core can see, and a host on which it is installed.

Its answers and refusals are those of the real one. ``Lab.behave`` makes one misbehave.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import stat
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.qemu import accel
from ansible_collections.virtperf.vhost.plugins.module_utils.qemu.definition import Definition, parse
from ansible_collections.virtperf.vhost.plugins.module_utils.qemu.instance import Instance, names

PROGRAM = r"""
import json, os, signal, socket, sys, time

with open(BEHAVIOUR) as file:
    behaviours = json.load(file)
if "--version" in sys.argv:
    print(f"QEMU emulator version {behaviours.get('version', '10.0.2')} (Debian 1:10.0.2+ds-2)")
    sys.exit()
if "virtio-net-pci,help" in sys.argv:
    print("virtio-net-pci options:\n  mrg_rxbuf=<bool>    - on/off (default: on)\n  packed=<bool>    - on/off")
    sys.exit()
if "stdio" in sys.argv:
    if "kvm_says" in behaviours:
        sys.stderr.write(behaviours["kvm_says"])
        sys.stderr.flush()
        os.kill(os.getpid(), signal.SIGABRT)
    print('{"QMP": {}}\n{"return": {}}\n{"return": {"status": "prelaunch", "running": false}}\n{"return": {}}')
    sys.exit()

def values(option):
    return [sys.argv[n + 1] for n, word in enumerate(sys.argv) if word == option]

def keys(text):
    pairs = (pair.partition("=") for pair in text.replace(",,", "\0").split(","))
    return {key: value.replace("\0", ",") for key, _sign, value in pairs}

name = keys(values("-name")[0])["guest"]
behaviour = behaviours.get(name, {})
if "dies_at_start" in behaviour:
    sys.stderr.write("qemu-system-x86_64: -nonsense: invalid option\n")
    sys.exit(1)
if "crashes_at_start" in behaviour:
    os.kill(os.getpid(), signal.SIGSEGV)
chardevs = [keys(value) for value in values("-chardev")]
serial = next(device["path"] for device in chardevs if device["id"] == "serial0")
with open(serial, "w") as file:
    file.write("SeaBIOS (version 1.16)\n")
control = socket.socket(socket.AF_UNIX)
path = next(device["path"] for device in chardevs if device["id"] == "qmp0")
control.bind(path)
control.listen()
peers = {}
for device in chardevs:
    if device["id"].startswith("chr-"):
        end = socket.socket(socket.AF_UNIX)
        if "server" in device:
            end.bind(device["path"])
            end.listen()
            sys.stderr.write(f"info: QEMU waiting for connection on: disconnected:unix:{device['path']},server=on\n")
            sys.stderr.flush()
            time.sleep(60)
        end.connect(device["path"])
        end.setblocking(False)
        peers[device["id"]] = (device["path"], end)

def gone(end):
    try:
        return not end.recv(100, socket.MSG_PEEK)
    except BlockingIOError:
        return False

netdevs = [keys(value) for value in values("-netdev")]
for device in netdevs:
    if "fd" in device or "fds" in device:
        fds = device.get("fds", device.get("fd")).split(":")
        device["queues"] = len(fds)
        for fd in fds:
            os.fstat(int(fd))  # it ends here where it was not handed over
status = "prelaunch"
while True:
    connection, _address = control.accept()
    if "silent" in behaviour:
        time.sleep(60)
    lines = connection.makefile("rwb")
    def say(answer):
        try:
            lines.write(json.dumps(answer).encode() + b"\r\n")
            lines.flush()
        except OSError:
            pass
    say({"QMP": {"version": {"qemu": {"major": 10}}}})
    for line in lines:
        command = json.loads(line)["execute"]
        answer = {}
        if command == "query-status":
            answer = {"status": behaviour.get("status", status), "running": status == "running"}
        elif command == "query-chardev":
            marks = {label: "disconnected:" if gone(end) else "" for label, (path, end) in peers.items()}
            answer = [{"label": label, "frontend-open": True, "filename": f"{marks[label]}unix:{path}"}
                      for label, (path, end) in peers.items()]
        elif command == "human-monitor-command":
            answer = "".join(f" \\ {d['id']}: index={n},type=x\r\n" for d in netdevs
                             for n in range(behaviour.get("queues", int(d.get("queues", 1)))))
        elif command == "cont" and "stuck" not in behaviour:
            status = "running"
        elif command == "stop":
            status = "paused"
        elif command == "system_powerdown" and "obeys" in behaviour:
            os.unlink(path)
            os._exit(0)
        elif command == "quit" and "hangs" not in behaviour:
            os.unlink(path)
            os._exit(0)
        say({"return": answer})
"""
IMG = r"""
import json, os, sys
if sys.argv[1] == "info":
    image = sys.argv[-1]
    with open(image, "rb") as file:
        head = file.read(200).decode(errors="replace")
    if head.startswith("QFI"):
        print(json.dumps({"format": "qcow2", "full-backing-filename": head[3:]}))
    else:
        print(json.dumps({"format": "raw"}))
else:
    with open(sys.argv[-1], "w") as file:
        file.write("QFI" + sys.argv[sys.argv.index("-b") + 1])
    with open(BEHAVIOUR) as file:
        if "no_space" in json.load(file):
            sys.stderr.write("qemu-img: Could not write metadata: No space left on device\n")
            sys.exit(1)
"""


class Lab:
    """A host with the program on its PATH. ``directory`` is short enough for sockets."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.host = Host(sys=str(directory / "sys"), run=str(directory / "run"), state=str(directory / "state"))
        self.behaviour = directory / "behaviour.json"
        self.listeners: list[socket.socket] = []
        node = directory / "sys/devices/system/node"
        node.mkdir(parents=True)
        (node / "online").write_text("0\n")
        self.behave()

    def behave(self, **behaviour: Any) -> None:
        """By VM, and ``version``, ``kvm_says``, ``no_space``."""
        self.behaviour.write_text(json.dumps(behaviour))

    def vm(self, name: str = "guest", **more: Any) -> Definition:
        return parse({"name": name, "accel": "tcg", "memory": {"size": "64MiB", "share": True}, **more})

    def base(self, name: str = "base.img") -> str:
        path = self.directory / name
        path.write_bytes(b"raw")
        os.utime(path, (1, 1))
        return str(path)

    def serve(self, name: str = "v.sock") -> str:
        """A vhost-user socket that is served."""
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(self.directory / name))
        listener.listen()
        self.listeners.append(listener)
        return str(self.directory / name)

    def pid(self, name: str = "guest") -> int:
        identity = Instance(self.host, name).identity()
        assert identity is not None
        return identity.pid

    def running(self) -> list[str]:
        return [name for name in names(self.host) if Instance(self.host, name).is_running()]


@contextlib.contextmanager
def installed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    """Put it on PATH; end what a test left running."""
    directory = Path(tempfile.mkdtemp())
    lab = Lab(directory)
    programs = directory / "bin"
    programs.mkdir()
    for name, source in (("qemu-system-x86_64", PROGRAM), ("qemu-img", IMG)):
        program = programs / name
        program.write_text(f"#!{sys.executable} -ISE\nBEHAVIOUR = {str(lab.behaviour)!r}\n{source}")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    find = accel.find
    monkeypatch.setattr(accel, "find", lambda machine="": find("x86_64"))
    try:
        yield lab
    finally:
        for name in lab.running():
            with contextlib.suppress(ProcessLookupError):
                os.kill(lab.pid(name), signal.SIGKILL)
                os.waitpid(lab.pid(name), 0)
        for listener in lab.listeners:
            listener.close()
        shutil.rmtree(directory)
