# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A boot that is none: guests that answer as they are told to, and a hypervisor in a directory."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.knobs.setup import Guest
from ansible_collections.virtperf.vhost.plugins.module_utils.traffic.look import Look, NicLook
from ansible_collections.virtperf.vhost.plugins.module_utils.traffic.programs import Ended

DUT_PID, PEER_PID, WORKER, VCPU, PEER_VCPU = 4711, 4811, 4730, 4720, 4820
BASELINE, VARIANT, PEER_MAC = "52:54:00:6b:01:01", "52:54:00:6b:01:02", "52:54:00:6b:01:00"
NETPERF = "THROUGHPUT=5000\nTHROUGHPUT_UNITS=Trans/s\nP50_LATENCY=150\nP99_LATENCY=400\n"
# A second's growth of what a NIC's driver counts.
RATES = {"tx_packets": 10000.0, "tx_bytes": 12e6, "rx_packets": 5000.0, "rx_bytes": 25e6, "tx_kicks": 1000.0}


def raw(**changes: Any) -> dict[str, Any]:
    """A module's arguments: two arms, one pair, a stream to the other guest."""
    given: dict[str, Any] = {
        "boot": 1,
        "arms": [
            {"name": "baseline", "number": 1, "tap": "vpk1", "mac": BASELINE, "settings": {"event_idx": "on"}},
            {"name": "event_idx=off", "number": 2, "tap": "vpk2", "mac": VARIANT, "settings": {"event_idx": "off"}},
        ],
        "trials": [trial(1, "event_idx=off", "off"), trial(2, "baseline", "on")],
        "workloads": {
            "tcp_out": {"kind": "iperf3", "from": "dut", "to": "peer", "message_bytes": 64},
            "tcp_rr": {"kind": "netperf", "from": "dut", "to": "peer", "test": "TCP_RR"},
            "udp_out": {"kind": "pktgen", "from": "dut", "to": "peer", "rate_pps": 10000, "packet_size": 64},
        },
        "dut": {"name": "guest1", "through": ["ssh", "guest1"], "vm": "vm1"},
        "peer": {"name": "guest2", "through": ["ssh", "guest2"], "vm": "vm2", "mac": PEER_MAC, "tap": "vpk-peer"},
        "window_seconds": 0.2,
        "warmup_seconds": 0.0,
        "counters": False,
        "second_sources": True,
        "threads": [
            {"label": "dut/vcpu0", "role": "vcpu", "pid": DUT_PID, "tid": VCPU},
            {"label": "dut/worker0", "role": "worker", "pid": DUT_PID, "tid": WORKER, "interface": None},
            {"label": "peer/vcpu0", "role": "vcpu", "pid": PEER_PID, "tid": PEER_VCPU},
        ],
        "vms": [{"name": "vm1", "pid": DUT_PID}, {"name": "vm2", "pid": PEER_PID}],
        "bridge": "vpbr0",
        "seed": 7,
    }
    return {**given, **changes}


def trial(position: int, arm: str, level: str, workload: str = "tcp_out", knob: str = "event_idx") -> dict[str, Any]:
    cell = {"knob": knob, "level": level, "workload": workload}
    return {"cell": cell, "trial": 1, "arm": arm, "position": position}


def hypervisor(base: Path) -> Host:
    """With taps and a bridge, and threads that do nothing."""
    for number, name in enumerate(("vpk1", "vpk2", "vpk-peer", "vpbr0"), start=3):
        folder = base / "sys/class/net" / name
        folder.mkdir(parents=True)
        (folder / "address").write_text(f"fe:00:00:00:00:0{number}\n")
        (folder / "tx_queue_len").write_text("1000\n")
    lines = [f"{name}: 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0" for name in ("vpk1", "vpk2", "vpk-peer", "vpbr0")]
    (base / "proc/net").mkdir(parents=True)
    (base / "proc/net/dev").write_text("\n".join(lines) + "\n")
    for pid, tid in ((DUT_PID, VCPU), (DUT_PID, WORKER), (PEER_PID, PEER_VCPU)):
        folder = base / f"proc/{pid}/task/{tid}"
        folder.mkdir(parents=True)
        (folder / "schedstat").write_text("1000000 0 1\n")
    return Host(proc=str(base / "proc"), sys=str(base / "sys"), run=str(base / "run"), state=str(base / "state"))


@dataclass
class FakePlace:
    """A guest. ``features`` are those of NICs by MAC; ``says`` are what programs print at their end, by their first
    word; ``fails`` those that end at once. ``dies`` is after how many looks it answers nothing any more.
    """

    name: str
    features: dict[str, list[str]] = field(default_factory=dict)
    says: dict[str, str] = field(default_factory=lambda: {"netperf": NETPERF})
    fails: dict[str, list[str]] = field(default_factory=dict)
    rates: dict[str, float] = field(default_factory=lambda: dict(RATES))
    rings: dict[str, int] = field(default_factory=lambda: {"rx": 256, "tx": 256})
    dies: int | None = None
    refuses: dict[str, str] = field(default_factory=dict)
    did: list[str] = field(default_factory=list)
    arranged: list[Mapping[str, Any]] = field(default_factory=list)
    sent: list[dict[str, Any]] = field(default_factory=list)
    looks: int = 0
    running: dict[str, list[str]] = field(default_factory=dict)
    over: dict[str, Ended] = field(default_factory=dict)

    def alive(self) -> None:
        if self.dies is not None and self.looks >= self.dies:
            raise VirtperfError(f"guest {self.name} does not answer (station)", found="the connection broke")

    def start(self, key: str, words: Sequence[str], at_s: float | None = None) -> None:
        self.alive()
        self.did.append(" ".join(words))
        said = self.fails.get(words[0], [])
        self.over.pop(key, None)
        if said and "-s" not in words and "--server" not in words:
            self.over[key] = self.ended_with(1, said.pop(0))
        else:
            self.running[key] = list(words)

    def ended_with(self, status: int, text: str) -> Ended:
        now_s = time.monotonic()
        return Ended(status, text, "", now_s, now_s)

    def ended(self, key: str) -> Ended | None:
        self.alive()
        return self.over.get(key)

    def finish(self, key: str, limit_s: float) -> Ended:
        return self.stop(key)

    def stop(self, key: str) -> Ended:
        self.alive()
        words = self.running.pop(key, None)
        if words is not None:
            self.did.append(f"stop {words[0]}")
            self.over[key] = self.ended_with(0, self.says.get(words[0], ""))
        return self.over[key]

    def nudge(self, key: str, signal_number: int) -> None:
        self.did.append(f"signal {int(signal_number)}")

    def look(self, macs_or_names: Sequence[str]) -> Look:
        self.looks += 1
        self.alive()
        at_s = time.monotonic()
        counts = {name: int(rate * at_s) for name, rate in self.rates.items()}
        interrupts = {"config": 1, "input.0": int(500 * at_s), "output.0": int(100 * at_s)}
        nics = {
            key: NicLook(
                name="eth1",
                mac=key,
                driver="virtio_net",
                counters={name: counts.get(name, 0) for name in (*counts, "rx_dropped", "tx_dropped")},
                statistics={"tx_kicks": counts["tx_kicks"], "rx_kicks": int(50 * at_s)},
                interrupts=interrupts,
                rings=self.rings,
                channels=1,
                stops=0,
                qdisc_dropped=0,
            )
            for key in macs_or_names
        }
        return Look(at_s, time.time(), 0.001, nics, {"RetransSegs": 3})

    def command(self, words: Sequence[str], limit_s: float = 10.0) -> str:
        self.alive()
        self.did.append(" ".join(words))
        if words[0] == "cat":  # whatever was started listens: on 5301 and 12885
            return "  0: 00000000:14B5 00000000:0000 0A \n  1: 00000000:3255 00000000:0000 0A \n"
        return "2: eth1    inet 10.0.0.2/24 brd 10.0.0.255 scope global eth1\n" if words[0] == "ip" else ""

    def arrange(self, nic: Mapping[str, Any]) -> str:
        self.alive()
        if nic["mac"] in self.refuses:
            raise VirtperfError(self.refuses[nic["mac"]])
        self.arranged.append(nic)
        return "eth1"

    def describe(self, mac_or_name: str) -> dict[str, Any]:
        mac = mac_or_name if ":" in mac_or_name else PEER_MAC
        return {"name": "eth1", "mac": mac, "driver": "virtio_net", "features": self.features.get(mac)}

    def send(self, **what: Any) -> str:
        self.sent.append(what)
        return "pktgen"

    def hush(self) -> str:
        self.did.append("hush")
        return ""


@dataclass
class FakeGuests:
    """Both of them; ``connect`` as the study wants it."""

    dut: FakePlace = field(default_factory=lambda: FakePlace("guest1", features={BASELINE: ["event_idx"], VARIANT: []}))
    peer: FakePlace = field(default_factory=lambda: FakePlace("guest2"))
    left: list[str] = field(default_factory=list)

    @contextlib.contextmanager
    def connect(self, guest: Guest) -> Iterator[FakePlace]:
        place = self.dut if guest.name == "guest1" else self.peer
        place.alive()
        try:
            yield place
        finally:
            self.left.append(guest.name)


# Does as the program says: counts while the name is right, and prints all maps when it is asked to.
BPFTRACE = """\
#!/usr/bin/env python3
import json, os, time
def said(text):
    print(json.dumps({"type": "printf", "data": text + "\\n"}), flush=True)
print(json.dumps({"type": "attached_probes", "data": {"probes": 12}}), flush=True)
names, windows, counting, shown, maps = open(NAMES), 0, False, 0, MAPS
names.seek(0, os.SEEK_END)  # what was before it was attached it has not seen
said("ready")
while True:
    name = names.readline().strip()
    if not name:
        time.sleep(0.005)
    elif name == "virtperf-end":
        break
    elif name == "virtperf-count":
        counting = True
        if windows == DIES:
            raise SystemExit("oh no")
    elif counting:
        counting, windows = False, windows + 1
    if name == "virtperf-show":
        shown += 1
        for figure, counts in maps.items():
            grown = {key: number * windows for key, number in counts.items()}
            print(json.dumps({"type": "map", "data": {"@" + figure: grown}}) if grown else "", flush=True)
        said(f"shown {shown}")
"""


def fake_bpftrace(base: Path, maps: Mapping[str, Mapping[str, int]], dies: int = -1) -> Path:
    """A program of that name in a directory for PATH. The names that we take go to the file ``names`` beside it."""
    folder = base / "bin"
    folder.mkdir()
    names = folder / "names"
    names.touch()
    text = BPFTRACE.replace("NAMES", repr(str(names))).replace("MAPS", json.dumps(maps)).replace("DIES", str(dies))
    program = folder / "bpftrace"
    program.write_text(text)
    os.chmod(program, 0o755)
    return folder
