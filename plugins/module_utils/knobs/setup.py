# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What one boot of the study ``knobs`` is run on: the guests, their NICs, what is sent, and in which order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.sampler.threads import Watched
from ansible_collections.virtperf.vhost.plugins.module_utils.traffic import netperf

KINDS = ("iperf3", "netperf", "pktgen")
ROLES = ("worker", "vcpu", "emulator")
# Where traffic comes from and goes to.
DUT, PEER, HOST = "dut", "peer", "host"
# The last number of their addresses, see ``Arm.address``.
_HOST_PARTS = {DUT: 1, PEER: 2, HOST: 254}
_MOST_ARMS = 254
# RFC 2544 sizes include the FCS.
_PACKET_SIZES = (64, 1518)


@dataclass(frozen=True)
class Workload:
    """``source`` and ``target`` are dut, peer or host. ``message_bytes`` is what one call writes (or asks for)."""

    name: str
    kind: str
    source: str
    target: str
    message_bytes: int | None = None
    test: str = ""
    rate_pps: int = 0
    packet_size: int = 64


@dataclass(frozen=True)
class Arm:
    """A complete set of settings, and the NIC of the device under test that has them.

    ``guest`` is set in the guest once, ``host`` are values by their files, set around each trial, ``module`` are
    (module, parameter, value) that the host reads when the device starts.
    """

    name: str
    number: int
    tap: str
    mac: str
    settings: Mapping[str, str]
    guest: Mapping[str, Any]
    host: Mapping[str, str]
    module: Sequence[tuple[str, str, str]]

    def address(self, role: str) -> str:
        """Of dut, peer or host in the arm's own network; 198.18.0.0/15 is for benchmarks (RFC 2544)."""
        return f"198.18.{self.number}.{_HOST_PARTS[role]}"


@dataclass(frozen=True)
class Trial:
    """``number`` is that of its pair, ``position`` its place in the boot."""

    cell: Mapping[str, str]
    number: int
    arm: str
    position: int

    @property
    def workload(self) -> str:
        """Its workload's name."""
        return str(self.cell["workload"])

    def __str__(self) -> str:
        return f"{self.cell['knob']}={self.cell['level']}, {self.workload}"


@dataclass(frozen=True)
class Guest:
    """``through`` are the words of a command that hands its last argument to a shell there. The peer's NIC is found by
    its ``mac``, or else by an ``address`` that it has; ``tap`` is its other end, "" where nobody knows it.
    """

    name: str
    through: tuple[str, ...]
    vm: str
    address: str = ""
    mac: str = ""
    tap: str = ""


@dataclass(frozen=True)
class Setup:
    """``roles``, ``vm_of`` and ``interface_of`` map labels of ``threads``; ``vms`` names to process ids."""

    boot: int
    arms: Mapping[str, Arm]
    trials: Sequence[Trial]
    workloads: Mapping[str, Workload]
    dut: Guest
    peer: Guest | None
    window_s: float
    warmup_s: float
    counters: bool
    second_sources: bool
    threads: Sequence[Watched]
    roles: Mapping[str, str]
    vm_of: Mapping[str, str]
    interface_of: Mapping[str, str]
    vms: Mapping[str, int]
    bridge: str
    seed: int | None

    @property
    def workers(self) -> dict[int, str]:
        """The labels of the vhost workers by their thread ids."""
        return {thread.tid: thread.label for thread in self.threads if self.roles[thread.label] == "worker"}

    @property
    def peer_tap(self) -> str:
        """The host's end of the peer's NIC; "" where nobody knows it."""
        if self.peer is None:
            return ""
        taps = {arm.tap for arm in self.arms.values()}
        others = {name for name in self.interface_of.values() if name and name not in taps}
        return self.peer.tap or (others.pop() if len(others) == 1 else "")

    def needs(self, role: str) -> bool:
        """Whether any trial's traffic comes from there or goes there."""
        used = {self.workloads[trial.workload] for trial in self.trials}
        return any(role in (workload.source, workload.target) for workload in used)


def setup(raw: Mapping[str, Any]) -> Setup:
    """From a module's arguments; VirtperfError for what cannot be."""
    workloads = {name: _workload(str(name), spec) for name, spec in raw["workloads"].items()}
    arms = _arms(raw["arms"])
    trials = [_trial(item, arms, workloads) for item in raw["trials"]]
    dut, peer = _guest(DUT, raw["dut"]), _guest(PEER, raw["peer"]) if raw.get("peer") else None
    vms = {str(vm["name"]): int(vm["pid"]) for vm in raw["vms"]}
    roles: dict[str, str] = {}
    for item in raw["threads"]:
        if item["role"] not in ROLES or item["label"] in roles:
            raise VirtperfError(
                f"thread {item['label']} cannot be watched",
                found=f"role {item['role']}" if item["label"] not in roles else "another one of that label",
                way_out=f"a label of its own and a role of {', '.join(ROLES)}",
            )
        roles[item["label"]] = item["role"]
    taps = {arm.tap for arm in arms.values()}
    made = Setup(
        boot=int(raw["boot"]),
        arms=arms,
        trials=trials,
        workloads=workloads,
        dut=dut,
        peer=peer,
        window_s=float(raw["window_seconds"]),
        warmup_s=float(raw["warmup_seconds"]),
        counters=bool(raw["counters"]),
        second_sources=bool(raw["second_sources"]),
        threads=[Watched(item["label"], item["pid"], item["tid"], item.get("start") or 0) for item in raw["threads"]],
        roles=roles,
        vm_of={item["label"]: _vm_of(item, vms, taps, dut, peer) for item in raw["threads"]},
        interface_of={item["label"]: str(item.get("interface") or "") for item in raw["threads"]},
        vms=vms,
        bridge=str(raw["bridge"]),
        seed=raw.get("seed"),
    )
    _check(made)
    return made


def _workload(name: str, spec: Mapping[str, Any]) -> Workload:
    made = Workload(
        name=name,
        kind=str(spec.get("kind")),
        source=str(spec.get("from")),
        target=str(spec.get("to")),
        message_bytes=None if spec.get("message_bytes") is None else int(spec["message_bytes"]),
        test=str(spec.get("test") or ""),
        rate_pps=int(spec.get("rate_pps") or 0),
        packet_size=int(spec.get("packet_size") or 64),
    )
    for what, value, allowed in (
        ("kind", made.kind, KINDS),
        ("from", made.source, (DUT, PEER, HOST)),
        ("to", made.target, (DUT, PEER, HOST)),
        *([("test", made.test, netperf.TESTS)] if made.kind == "netperf" else []),
        *([("from", made.source, (DUT, PEER))] if made.kind == "pktgen" else []),
    ):
        if value not in allowed:
            raise VirtperfError(f"workload {name}: {what} cannot be {value!r}", way_out=f"one of {', '.join(allowed)}")
    if made.source == made.target or DUT not in (made.source, made.target):
        raise VirtperfError(
            f"workload {name} does not go over the NIC under test",
            found=f"from {made.source} to {made.target}",
            way_out=f"from or to {DUT}, and from or to somebody else",
        )
    low, high = _PACKET_SIZES
    if not low <= made.packet_size <= high:
        raise VirtperfError(f"workload {name}: packet_size cannot be {made.packet_size}", way_out=f"{low} to {high}")
    return made


def _arms(raw: Sequence[Mapping[str, Any]]) -> dict[str, Arm]:
    made: dict[str, Arm] = {}
    for item in raw:
        arm = Arm(
            name=str(item["name"]),
            number=int(item["number"]),
            tap=str(item["tap"]),
            mac=str(item["mac"]).lower(),
            settings={str(knob): str(level) for knob, level in (item.get("settings") or {}).items()},
            guest=item.get("guest") or {},
            host=_values(item.get("host") or {}),
            module=_parameters(item.get("module") or {}),
        )
        if not 1 <= arm.number <= _MOST_ARMS:
            raise VirtperfError(f"arm {arm.name}: number cannot be {arm.number}", way_out=f"from 1 to {_MOST_ARMS}")
        for other in made.values():
            same = {"name", "number", "mac", "tap"} & {
                key for key in ("name", "number", "mac", "tap") if getattr(arm, key) == getattr(other, key)
            }
            if same:
                key = sorted(same)[0]
                raise VirtperfError(
                    f"arms {other.name} and {arm.name} have one {key}",
                    found=str(getattr(arm, key)),
                    way_out="each arm is a NIC of its own",
                )
        made[arm.name] = arm
    return made


def _values(raw: Any) -> dict[str, str]:
    """By their paths; a list of ``path`` and ``value`` says the same."""
    if isinstance(raw, Mapping):
        return {str(path): str(value) for path, value in raw.items()}
    return {str(item["path"]): str(item["value"]) for item in raw}


def _parameters(raw: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """``{module: {parameter: value}}``; or one, as ``{module: …, parameter: …, value: …}``."""
    if "parameter" in raw:
        return [(str(raw["module"]), str(raw["parameter"]), str(raw["value"]))]
    return [(str(module), str(name), str(value)) for module, values in raw.items() for name, value in values.items()]


def _trial(raw: Mapping[str, Any], arms: Mapping[str, Arm], workloads: Mapping[str, Workload]) -> Trial:
    cell = {str(key): str(value) for key, value in raw["cell"].items()}
    missing = sorted({"knob", "level", "workload"} - set(cell))
    if missing:
        raise VirtperfError(f"a trial's cell lacks {', '.join(missing)}", found=str(cell))
    trial = Trial(cell, int(raw["trial"]), str(raw["arm"]), int(raw["position"]))
    for what, name, known in (("arm", trial.arm, arms), ("workload", trial.workload, workloads)):
        if name not in known:
            raise VirtperfError(
                f"trial {trial.position} has an unknown {what}", found=name, way_out=f"one of {', '.join(known)}"
            )
    return trial


def _guest(role: str, raw: Mapping[str, Any]) -> Guest:
    texts = {key: str(raw.get(key) or "") for key in ("address", "mac", "tap")}
    through = tuple(str(word) for word in raw.get("through") or ())
    name = str(raw.get("name") or role)
    if not through:
        raise VirtperfError(
            f"nothing says how {role} {name} is reached", way_out="give ssh's words but for the last in its through"
        )
    return Guest(name, through, str(raw.get("vm") or name), **texts)


def _vm_of(item: Mapping[str, Any], vms: Mapping[str, int], taps: set[str], dut: Guest, peer: Guest | None) -> str:
    """The VM that a thread works for; "" where nothing says it. A kernel thread is a process of its own."""
    by_pid = next((name for name, pid in vms.items() if pid == item["pid"]), "")
    if by_pid:
        return by_pid
    interface = item.get("interface")
    if interface in taps:
        return dut.vm
    guests = {DUT: dut.vm, dut.name: dut.vm}
    if peer is not None:
        guests.update({PEER: peer.vm, peer.name: peer.vm})
    prefix = str(item["label"]).partition("/")[0]
    return prefix if prefix in vms else guests.get(prefix, peer.vm if interface and peer else "")


def _check(made: Setup) -> None:
    for name, value, low, high in (
        ("window_seconds", made.window_s, 0.2, 600.0),
        ("warmup_seconds", made.warmup_s, 0.0, 60.0),
    ):
        if not low <= value <= high:
            raise VirtperfError(f"{name} cannot be {value:g}", way_out=f"from {low:g} to {high:g}")
    if made.needs(PEER) and made.peer is None:
        raise VirtperfError("there is no peer", found="workloads that go to or come from it", way_out="name one")
    if made.peer is not None and not (made.peer.mac or made.peer.address):
        raise VirtperfError(
            f"nothing says which NIC of {made.peer.name} is meant", way_out="give its mac, or an address that it has"
        )
    if made.dut.vm not in made.vms:
        raise VirtperfError(
            f"{made.dut.vm} is none of the VMs", found=", ".join(made.vms) or "none", way_out="give its pid in vms"
        )
