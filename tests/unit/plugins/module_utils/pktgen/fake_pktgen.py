# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A program that behaves like pktgen-dpdk as far as the core can see, and a host on which it is installed.

It ends at once without a terminal, runs its script before it looks at its terminal, paces nothing. It knows of Lua what
the orders need: their functions, with arguments and results as in app/lpktgenlib.c.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils.pktgen import instance as instance_module
from ansible_collections.virtperf.vhost.plugins.module_utils.pktgen.definition import Definition, parse
from ansible_collections.virtperf.vhost.plugins.module_utils.pktgen.instance import Instance
from ansible_collections.virtperf.vhost.tests.unit.plugins.module_utils.dpdk import fake_testpmd
from ansible_collections.virtperf.vhost.tests.unit.plugins.module_utils.dpdk.fake_testpmd import EAL

# How the fake calls itself in behaviours: by its file prefix, as EAL does.
GENERATOR = "pktgen-generator"

PKTGEN = r"""
import re, termios

# scrn_create
try:
    attributes = termios.tcgetattr(0)
except termios.error:
    say("scrn_stdin_setup: setup failed for tty")
    sys.exit(1)
attributes[3] &= ~(termios.ICANON | termios.ECHO | termios.ISIG | termios.IEXTEN)
termios.tcsetattr(0, termios.TCSANOW, attributes)

own = sys.argv[sys.argv.index("--") + 1:]
mapped = [re.fullmatch(r"\[(\d+)(?:-(\d+))?\]\.(\d+)", own[n + 1]) for n, word in enumerate(own) if word == "-m"]
queues = {int(m[3]): int(m[2] or m[1]) - int(m[1]) + 1 for m in mapped}
devices = [word for word in sys.argv if word.startswith(("--vdev=", "--allow="))]
speeds = [int((re.findall(r"speed=(\d+)", word) or [0])[0]) for word in devices]
state = {"size": 64, "since": None, "packets": 0}

def packets():
    moving = time.monotonic() - state["since"] if state["since"] else 0
    return state["packets"] + int(moving * 1e6)

def answer(command):
    what, _comma, port = command.partition(",")
    if what == "/ethdev/info":
        count = queues[int(port)]
        return {"nb_rx_queues": count, "nb_tx_queues": count, "dev_started": int("never_ready" not in behaviour)}
    if what == "/ethdev/stats":
        count, size = packets(), state["size"] - 4
        return {"ipackets": count, "opackets": count, "ibytes": count * size, "obytes": count * size,
                "imissed": 0, "oerrors": 0}
    if what == "/ethdev/link_status":
        status = "DOWN" if int(port) in behaviour.get("down", []) else "UP"
        return {"status": status, "speed": speeds[int(port)] or 4294967295, "duplex": "full-duplex"}

def start():
    state["since"] = state["since"] or time.monotonic()

def stop():
    state["packets"], state["since"] = packets(), None

def link(port):
    up = behaviour.get("says_of_links", f"<UP-{speeds[port] or 10000}-FD>")
    return "<--Down-->" if port in behaviour.get("down", []) else up

def call(text):
    result = None
    while text:
        if found := re.match(r'pktgen\.set\("all", "size", (\d+)\) ?', text):
            state["size"] = int(found[1])
        elif found := re.match(r'pktgen\.(start|stop)\("all"\) ?', text):
            {"start": start, "stop": stop}[found[1]]()
        elif found := re.fullmatch(r"return pktgen\.info\.Pktgen_Version", text):
            result = "24.10.3"
        elif found := re.fullmatch(r'local links, .*for port = 0, (\d+) do .* return table\.concat\(said, " "\)', text):
            result = " ".join(link(port) for port in range(int(found[1]) + 1))
        else:
            raise ValueError(f"attempt to call a nil value in {text}")
        text = text[found.end():]
    return result

def unquoted(word):
    return re.sub(rb"\\(\d{3})", lambda found: bytes([int(found[1])]), word.encode())

def obey(script):
    with open(script) as file:
        orders, answers = re.findall(r'io\.open\("(.*)", "[ra]"\)', file.read())
    with open(unquoted(orders)) as orders, open(unquoted(answers), "a") as answers:
        print(0, "ok", "ready", file=answers, flush=True)
        for line in orders:
            found = re.fullmatch(r"(\d+) (.*)\n", line)
            if not found:
                return
            if behaviour.get("dies_on", "\0") in found[2]:
                say("\033[2J\033[10;1HPANIC in rte_free():")
                os._exit(1)
            if behaviour.get("hangs_on", "\0") in found[2]:
                time.sleep(1000)
            try:
                print(found[1], "ok", call(found[2]), file=answers, flush=True)
            except ValueError as error:
                print(found[1], "error", error, file=answers, flush=True)

start_threads()
if behaviour.get("no_lua"):
    say(">>> User State for CLI not set for Lua, please build with Lua enabled")
elif behaviour.get("broken_script"):
    say("pktgen: orders.lua:3: attempt to index a nil value (global 'pktgen')")
else:
    obey(own[own.index("-f") + 1])
typed = b""
while not typed.endswith(b"quit\n") or behaviour.get("ignores_quit"):
    typed += os.read(0, 1)
say("Bye")
"""


class Lab(fake_testpmd.Lab):
    """A host with both programs."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__(directory, monkeypatch)
        self.install("pktgen", EAL + PKTGEN)

    def pktgen(self, **more: Any) -> Definition:
        """Connects to the vswitch. The fake binds no main lcore, so a CPU that nobody has will do."""
        port = {"device": "net_virtio_user0", "options": {"path": self.socket, "queues": "1"}}
        cpu = self.cpus[-1]
        common = {"huge_dir": str(self.huge_dir), "memory_mib": 16}
        return parse({"name": "generator", "cpus": [cpu], "main_cpu": cpu + 1, "ports": [port], **common, **more})

    def end(self) -> None:
        """Leave no process behind, whatever the test did."""
        instance = Instance(self.host, "generator")
        if instance.is_running():
            os.kill(self.pid_of(instance), 9)
        super().end()

    def pid_of(self, instance: Instance) -> int:
        """Of its process."""
        identity = instance.identity()
        assert identity is not None
        return identity.pid


@contextlib.contextmanager
def installed(directory: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    """A lab for one test, with a vswitch to connect to. Nobody waits for long in it."""
    monkeypatch.setattr(fake_testpmd, "Lab", Lab)
    monkeypatch.setattr(instance_module, "_ANSWER_PATIENCE_S", 1.0)
    with fake_testpmd.installed(directory, monkeypatch) as lab:
        assert isinstance(lab, Lab)
        lab.start(lab.vswitch(forwarding=True))
        yield lab
