# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the variables of the study ``reflect`` to launches and cells; what is wrong is found here, before a start."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.memory import parse_size
from ansible_collections.virtperf.vhost.plugins.plugin_utils.cpu_choice import node_of, preferred

# Factors from the one that costs most to change to the one that costs least; each with the levels it can have. The
# first of them need a new launch, the burst and the packet size only a word to the running processes.
DRIVERS = ("virtio_user_split", "virtio_user_packed")
DIRECTIONS = ("vswitch", "far_end")
FORWARDING_CORES = ("one", "per_queue")
_RUNTIME = "/run/virtperf"
HUGE_DIR = f"{_RUNTIME}/hugepages"
_SOCKET = f"{_RUNTIME}/vswitch.sock"
# Measured on two cores: a pair of testpmd takes about 1.5 s to start, a change of packet size 0.05 s.
_LAUNCH_S = 1.5
_TRIAL_OVERHEAD_S = 0.05
_PLAYBOOK_S = 12.0
# The module reflect_run has the same limits, and says why.
_LONGEST_TRIAL_S = 600.0
_SHORTEST_SAMPLE_S = 0.01


class PlanError(ValueError):
    """A variable that cannot be used: names it, what was found, and what is allowed."""


@dataclass(frozen=True)
class Factor:
    """Something the study varies: the name in a record's cell, and how a level is read and checked."""

    name: str
    kind: type
    choices: tuple[Any, ...] = ()
    low: int = 0
    high: int = 0
    power_of_two: bool = False
    # These are part of every cell; the others only when they have more than one level.
    always: bool = False

    def levels(self, variable: str, raw: Any) -> list[Any]:
        """The levels in a variable: a list, one value, or (from a command line) values between commas."""
        values = raw.split(",") if isinstance(raw, str) else raw if isinstance(raw, (list, tuple)) else [raw]
        if not values:
            raise PlanError(f"{variable} is empty. Allowed: {self.allowed()}")
        levels = [self._level(variable, value) for value in values]
        twice = sorted({str(level) for level in levels if levels.count(level) > 1})
        if twice:
            raise PlanError(f"{variable} names {', '.join(twice)} more than once")
        return levels

    def _level(self, variable: str, raw: Any) -> Any:
        if self.kind is str:
            value: Any = str(raw).strip()
            good = value in self.choices
        elif self.kind is bool:
            value = _boolean(raw)
            good = value is not None
        else:
            value = _integer(raw)
            good = value is not None and self._fits(value)
        if not good:
            raise PlanError(f"{variable} cannot be {raw!r}. Allowed: {self.allowed()}")
        return value

    def _fits(self, value: int) -> bool:
        return self.low <= value <= self.high and not (self.power_of_two and value & (value - 1))

    def allowed(self) -> str:
        """What a level can be, in plain words."""
        if self.choices:
            return ", ".join(map(str, self.choices))
        if self.kind is bool:
            return "true, false"
        return f"{'powers of two' if self.power_of_two else 'whole numbers'} from {self.low} to {self.high}"


# Variable -> factor, in the order in which cells are nested: the last varies fastest.
FACTORS = {
    "reflect_direction": Factor("direction", str, choices=DIRECTIONS),
    "reflect_forwarding_cores": Factor("forwarding_cores", str, choices=FORWARDING_CORES),
    "reflect_ring_size": Factor("ring_size", int, low=32, high=32768, power_of_two=True),
    "reflect_mrg_rxbuf": Factor("mrg_rxbuf", bool),
    "reflect_in_order": Factor("in_order", bool),
    "reflect_vectorized": Factor("vectorized", bool),
    "reflect_drivers": Factor("driver", str, choices=DRIVERS, always=True),
    "reflect_queues": Factor("queues", int, low=1, high=16, always=True),
    "reflect_burst": Factor("burst", int, low=1, high=512),
    "reflect_packet_sizes": Factor("packet_size", int, low=64, high=1518, always=True),
}
# The rest of the study's variables, which are not factors.
SETTINGS = (
    "reflect_trials",
    "reflect_trial_seconds",
    "reflect_warmup_seconds",
    "reflect_sample_seconds",
    "reflect_vswitch_cpus",
    "reflect_far_end_cpus",
    "reflect_mbufs",
    "reflect_memory_mib",
    "reflect_hugepage_size",
    "reflect_allow_overlap",
    "reflect_dry_run",
)


def plan(variables: Mapping[str, Any], host: Mapping[str, Any]) -> dict[str, Any]:
    """The whole study for one host.

    ``variables`` are all that begin with ``reflect_``; ``host`` is what M(virtperf.vhost.vhost_info) returns. Gives
    ``launches`` (for M(virtperf.vhost.reflect_run)), ``definition`` (cells and settings, for the manifest),
    ``hugepages`` and ``mounts`` (for M(virtperf.vhost.hugepages)), and ``seconds``, an estimate of the whole. Raises
    PlanError.
    """
    _check_known(variables)
    levels = {name: factor.levels(name, variables[name]) for name, factor in FACTORS.items()}
    settings = _settings(variables)
    varied = [f.name for name, f in FACTORS.items() if f.always or len(levels[name]) > 1]
    launches: list[dict[str, Any]] = []
    cells: list[dict[str, Any]] = []
    for combination in itertools.product(*levels.values()):
        asked = dict(zip((factor.name for factor in FACTORS.values()), combination, strict=True))
        ends = _ends(asked, settings, host)
        _check_together(asked, settings)
        cell = {name: asked[name] for name in varied}
        cells.append(cell)
        if not launches or (launches[-1]["vswitch"], launches[-1]["far_end"]) != ends:
            launches.append({"vswitch": ends[0], "far_end": ends[1], "cells": []})
        whole = {
            **asked,
            "packed": asked["driver"] == "virtio_user_packed",
            "mbufs": settings["mbufs"],
            "vswitch_cpus": ends[0]["cpus"],
            "far_end_cpus": ends[1]["cpus"],
        }
        launches[-1]["cells"].append({"cell": cell, "asked": whole, "trials": settings["trials"]})
    return {
        "launches": launches,
        "definition": {
            "cells": cells,
            "factors": {factor.name: levels[name] for name, factor in FACTORS.items()},
            **settings,
        },
        "hugepages": _hugepages(launches, settings, host),
        "mounts": [{"path": HUGE_DIR, "size": settings["hugepage_size"]}],
        "seconds": round(_seconds(launches, settings), 1),
    }


def remaining(launches: Sequence[Mapping[str, Any]], done: Sequence[Mapping[str, Any]], host: str) -> list[Any]:
    """The launches without the trials that an earlier attempt at the same run has valid records of."""
    valid = {
        _key(entry["cell"]): entry["valid_trials"]
        for entry in done
        if (entry["host"], entry["study"]) == (host, "reflect")
    }
    left = []
    for launch in launches:
        cells = [{**cell, "trials": cell["trials"] - valid.get(_key(cell["cell"]), 0)} for cell in launch["cells"]]
        cells = [cell for cell in cells if cell["trials"] > 0]
        if cells:
            left.append({**launch, "cells": cells})
    return left


def describe(study: Mapping[str, Any]) -> list[str]:
    """The plan for a person: each launch with its cells, and the time it will take."""
    lines = []
    for number, launch in enumerate(study["launches"], start=1):
        first = launch["cells"][0]
        fixed = ", ".join(f"{key} {value}" for key, value in first["cell"].items() if key != "packet_size")
        sizes = ", ".join(str(cell["cell"]["packet_size"]) for cell in launch["cells"])
        lines.append(
            f"launch {number}: {fixed}; vswitch on CPU {_join(launch['vswitch']['cpus'])}, {launch['far_end']['name']}"
            f" on CPU {_join(launch['far_end']['cpus'])}; packet sizes {sizes}; {first['trials']} trials each"
        )
    cells = sum(len(launch["cells"]) for launch in study["launches"])
    lines.append(
        f"{cells} cells, {len(study['launches'])} launches, {sum(p['count'] for p in study['hugepages'])} hugepages,"
        f" about {study['seconds']:.0f} s"
    )
    return lines


def _check_known(variables: Mapping[str, Any]) -> None:
    known = {*FACTORS, *SETTINGS}
    unknown = sorted(set(variables) - known)
    if unknown:
        raise PlanError(f"the study reflect has no {', '.join(unknown)}. Its variables: {', '.join(sorted(known))}")
    missing = sorted(known - set(variables))
    if missing:
        raise PlanError(f"{', '.join(missing)}: not set. The role reflect has defaults for them")


def _settings(variables: Mapping[str, Any]) -> dict[str, Any]:
    trials = _integer(variables["reflect_trials"])
    if trials is None or not 1 <= trials <= 1000:
        raise PlanError(f"reflect_trials cannot be {variables['reflect_trials']!r}. Allowed: 1 to 1000")
    mbufs = _integer(variables["reflect_mbufs"])
    if mbufs is None or not 1024 <= mbufs <= 1 << 21:
        raise PlanError(f"reflect_mbufs cannot be {variables['reflect_mbufs']!r}. Allowed: 1024 to {1 << 21}")
    memory_mib = _integer(variables["reflect_memory_mib"])
    if memory_mib is None or not 64 <= memory_mib <= 1 << 18:
        raise PlanError(f"reflect_memory_mib cannot be {variables['reflect_memory_mib']!r}. Allowed: 64 to {1 << 18}")
    overlap = _boolean(variables["reflect_allow_overlap"])
    if overlap is None:
        raise PlanError(f"reflect_allow_overlap cannot be {variables['reflect_allow_overlap']!r}. Allowed: true, false")
    trial_s = _seconds_in(variables, "reflect_trial_seconds", 0.05, _LONGEST_TRIAL_S)
    warmup_s = _seconds_in(variables, "reflect_warmup_seconds", 0.0, _LONGEST_TRIAL_S)
    sample_s = _seconds_in(variables, "reflect_sample_seconds", 0.0, _LONGEST_TRIAL_S)
    if trial_s + warmup_s > _LONGEST_TRIAL_S:
        raise PlanError(
            f"reflect_trial_seconds={trial_s} and reflect_warmup_seconds={warmup_s} make too long a trial."
            f" Allowed: up to {_LONGEST_TRIAL_S} seconds together"
        )
    if 0 < sample_s < _SHORTEST_SAMPLE_S:
        raise PlanError(
            f"reflect_sample_seconds cannot be {sample_s}. Allowed: 0 for no samples, or seconds from"
            f" {_SHORTEST_SAMPLE_S} to {_LONGEST_TRIAL_S}"
        )
    return {
        "trials": trials,
        "trial_seconds": trial_s,
        "warmup_seconds": warmup_s,
        "sample_seconds": sample_s,
        "mbufs": mbufs,
        "memory_mib": memory_mib,
        "hugepage_size": str(variables["reflect_hugepage_size"]),
        "vswitch_cpus": _cpus(variables, "reflect_vswitch_cpus"),
        "far_end_cpus": _cpus(variables, "reflect_far_end_cpus"),
        "allow_overlap": overlap,
    }


def _check_together(asked: Mapping[str, Any], settings: Mapping[str, Any]) -> None:
    # Both rings of each queue can be full while each lcore's cache (250) and each burst hold some more.
    needed = 2 * asked["queues"] * asked["ring_size"] + 512 * (asked["queues"] + 1)
    if settings["mbufs"] < needed:
        raise PlanError(
            f"reflect_mbufs={settings['mbufs']} is too few for {asked['queues']} queues with rings of"
            f" {asked['ring_size']}. Allowed: {needed} and more"
        )
    if asked["burst"] > asked["ring_size"]:
        raise PlanError(
            f"reflect_burst={asked['burst']} does not fit a ring of {asked['ring_size']}."
            f" Allowed: up to the ring's size"
        )
    room_mib = settings["mbufs"] * 2432 // (1 << 20) + 32
    if settings["memory_mib"] < room_mib:
        raise PlanError(
            f"reflect_memory_mib={settings['memory_mib']} is too little for {settings['mbufs']} packet buffers."
            f" Allowed: {room_mib} and more"
        )


def _ends(
    asked: Mapping[str, Any], settings: Mapping[str, Any], host: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    cores = asked["queues"] if asked["forwarding_cores"] == "per_queue" else 1
    vswitch_cpus, far_end_cpus = choose_cpus(
        cores, settings["vswitch_cpus"], settings["far_end_cpus"], host["cpus"], overlap=settings["allow_overlap"]
    )
    vswitch_reflects = asked["direction"] == "vswitch"
    node = node_of(vswitch_cpus[0], host["cpus"])
    common = {
        "memory_mib": settings["memory_mib"],
        "mbufs": settings["mbufs"],
        "huge_dir": HUGE_DIR,
        "numa_node": node,
        "queues": asked["queues"],
        "burst": asked["burst"],
    }
    # AVX-512 is what virtio's packed vectorized path needs, and EAL's default stops short of it.
    eal = ["--force-max-simd-bitwidth=512"] if asked["vectorized"] else []
    vswitch = {
        **common,
        "name": "vswitch",
        "cpus": vswitch_cpus,
        "ports": [{"device": "net_vhost0", "options": {"iface": _SOCKET, "queues": str(asked["queues"])}}],
        "forward_mode": "io" if vswitch_reflects else "flowgen",
    }
    far_end = {
        **common,
        "name": "generator" if vswitch_reflects else "reflector",
        "cpus": far_end_cpus,
        "ports": [
            {
                "device": "net_virtio_user0",
                "options": {
                    "path": _SOCKET,
                    "mac": "02:00:00:00:00:01",
                    "queues": str(asked["queues"]),
                    "queue_size": str(asked["ring_size"]),
                    "packed_vq": str(int(asked["driver"] == "virtio_user_packed")),
                    "mrg_rxbuf": str(int(asked["mrg_rxbuf"])),
                    "in_order": str(int(asked["in_order"])),
                    "vectorized": str(int(asked["vectorized"])),
                },
            }
        ],
        "eal_arguments": eal,
        "forward_mode": "flowgen" if vswitch_reflects else "io",
    }
    return vswitch, far_end


def choose_cpus(
    cores: int,
    vswitch: Sequence[int],
    far_end: Sequence[int],
    cpus: Mapping[str, Any],
    *,
    overlap: bool = False,
) -> tuple[list[int], list[int]]:
    """CPUs for the two ends: those asked for, checked, or else chosen.

    Chosen are isolated CPUs where there are enough, CPUs of one NUMA node where it has enough, one thread of each core
    where that is enough, and CPU 0 last, which serves the rest of the system.
    """
    allowed = list(cpus["allowed"])
    for variable, wanted in (("reflect_vswitch_cpus", vswitch), ("reflect_far_end_cpus", far_end)):
        strange = sorted(set(wanted) - set(allowed))
        if strange:
            raise PlanError(f"{variable} names CPU {_join(strange)}. Allowed on this host: {_join(allowed)}")
        if wanted and len(wanted) < cores:
            raise PlanError(
                f"{variable} has {len(wanted)} CPUs, {cores} forwarding cores are asked for."
                f" Allowed: {cores} or more CPUs, fewer queues, or reflect_forwarding_cores=one"
            )
    both = set(vswitch[:cores]) & set(far_end[:cores])
    if both and not overlap:
        raise PlanError(
            f"reflect_vswitch_cpus and reflect_far_end_cpus share CPU {_join(sorted(both))}: two polling loops would"
            " take turns. Allowed: CPUs of their own, or reflect_allow_overlap=true"
        )
    taken = {*vswitch[:cores], *far_end[:cores]}
    missing = cores * (2 - bool(vswitch) - bool(far_end))
    free = preferred(cpus, missing, taken)
    if len(free) < missing:
        raise PlanError(
            f"{2 * cores} CPUs are needed ({cores} forwarding cores at each end), this host lets us use {len(allowed)}:"
            f" {_join(allowed)}. Allowed: fewer reflect_queues, reflect_forwarding_cores=one, or"
            " reflect_allow_overlap=true with both reflect_vswitch_cpus and reflect_far_end_cpus"
        )
    chosen_vswitch = list(vswitch[:cores]) or sorted(free[:cores])
    free = [cpu for cpu in free if cpu not in chosen_vswitch]
    return chosen_vswitch, list(far_end[:cores]) or sorted(free[:cores])


def _hugepages(
    launches: Sequence[Mapping[str, Any]], settings: Mapping[str, Any], host: Mapping[str, Any]
) -> list[dict[str, Any]]:
    nodes = sorted({launch["vswitch"]["numa_node"] for launch in launches})
    page_kib = page_size_kib(settings["hugepage_size"])
    count = 2 * -(-settings["memory_mib"] * 1024 // page_kib)
    # Free pages: others on the host may use some of the pool.
    pool = {"size": settings["hugepage_size"], "count": count, "count_means": "free"}
    if not host.get("numa_nodes"):  # a kernel without NUMA has one pool a size, of no node
        return [pool]
    return [{**pool, "node": node} for node in nodes]


def page_size_kib(text: str) -> int:
    """The KiB in a page size such as 2M, 2MiB, 1G or 2048kB."""
    try:
        return parse_size(text)
    except VirtperfError as error:
        raise PlanError(
            f"reflect_hugepage_size cannot be {text!r}. Allowed: a size the host has, such as 2M or 1G"
        ) from error


def _seconds(launches: Sequence[Mapping[str, Any]], settings: Mapping[str, Any]) -> float:
    trials = sum(cell["trials"] for launch in launches for cell in launch["cells"])
    a_trial = settings["trial_seconds"] + settings["warmup_seconds"] + _TRIAL_OVERHEAD_S
    return len(launches) * _LAUNCH_S + trials * a_trial + _PLAYBOOK_S


def _seconds_in(variables: Mapping[str, Any], name: str, low: float, high: float) -> float:
    try:
        value = float(variables[name])
    except (TypeError, ValueError, OverflowError):
        value = -1.0
    if not low <= value <= high:
        raise PlanError(f"{name} cannot be {variables[name]!r}. Allowed: seconds from {low} to {high}")
    return value


def _cpus(variables: Mapping[str, Any], name: str) -> list[int]:
    raw = variables[name]
    values = [piece for piece in raw.split(",") if piece.strip()] if isinstance(raw, str) else raw
    cpus = [_integer(value) for value in values] if isinstance(values, (list, tuple)) else [_integer(values)]
    if any(cpu is None or cpu < 0 for cpu in cpus) or len(set(cpus)) != len(cpus):
        raise PlanError(f"{name} cannot be {raw!r}. Allowed: CPU numbers, each once; empty to have them chosen")
    return [cpu for cpu in cpus if cpu is not None]


def _integer(raw: Any) -> int | None:
    if isinstance(raw, bool):
        return None
    if isinstance(raw, int):
        return raw
    text = str(raw).strip()
    # Nothing here counts to a billion, and int() refuses thousands of digits.
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def _boolean(raw: Any) -> bool | None:
    if isinstance(raw, bool):
        return raw
    return {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}.get(str(raw).lower().strip())


def _key(cell: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
    return tuple(sorted(cell.items()))


def _join(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers))
