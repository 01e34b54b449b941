# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the variables of the study ``throttle`` to timelines and cells; what is wrong is found here, before a start."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.throttle.phases import Phase, ladder, parse
from ansible_collections.virtperf.vhost.plugins.module_utils.throttle.setup import LAYOUTS
from ansible_collections.virtperf.vhost.plugins.module_utils.vnc import pack
from ansible_collections.virtperf.vhost.plugins.module_utils.vnc.program import ready_file
from ansible_collections.virtperf.vhost.plugins.plugin_utils.done import Done
from ansible_collections.virtperf.vhost.plugins.plugin_utils.values import (
    PlanError,
    number_in,
    seconds_in,
    truth_in,
)

WORKLOADS = ("iperf3", "vnc")
# The module throttle_run has the same limit.
_LONGEST_TIMELINE_S = 3600.0
# A client that keeps sending a little beyond the last phase never ends within it.
_BEYOND_S = 15
# Seconds between two lines of iperf3: short against a phase, long against a sample.
_IPERF3_INTERVAL = "0.5"
# Measured in emulated guests: programs started, clocks asked, records written.
_TIMELINE_OVERHEAD_S = 12.0
_PLAYBOOK_S = 20.0
# Of the guests: where module_utils.host.Host has its runtime files.
_RUN = "/run/virtperf"
_COLOUR = re.compile(r"#[0-9a-fA-F]{6}")
VARIABLES = (
    "throttle_workload",
    "throttle_layouts",
    "throttle_phases",
    "throttle_phase_seconds",
    "throttle_ladder",
    "throttle_ladder_seconds",
    "throttle_trials",
    "throttle_sample_seconds",
    "throttle_socket_seconds",
    "throttle_settle_seconds",
    "throttle_warmup_seconds",
    "throttle_trace",
    "throttle_server",
    "throttle_client",
    "throttle_server_address",
    "throttle_bridge",
    "throttle_cgroup",
    "throttle_image_profile",
    "throttle_port",
    "throttle_streams",
    "throttle_vnc_width",
    "throttle_vnc_height",
    "throttle_vnc_delay_seconds",
    "throttle_vnc_changes",
    "throttle_vnc_port",
    "throttle_vnc_colours",
    "throttle_vnc_screen",
    "throttle_vnc_xauthority",
    "throttle_dry_run",
)


@dataclass(frozen=True)
class _Workload:
    """What both ends run: the end that the stream comes from, and the arguments of throttle_run for each of them."""

    sender: str
    server: Mapping[str, Any]
    client: Mapping[str, Any]


def plan(variables: Mapping[str, Any]) -> dict[str, Any]:
    """The whole study for one hypervisor.

    ``variables`` are all that begin with ``throttle_``. Gives ``timelines`` (for M(virtperf.vhost.throttle_run), which
    lack the threads, interfaces and cgroups that only the running VMs can tell), ``definition`` (cells and settings,
    for the manifest), ``needs`` (of the host), ``lines`` and ``seconds``. Raises PlanError.
    """
    _check_known(variables)
    for end in ("server", "client"):
        if not str(variables[f"throttle_{end}"]).strip():
            raise PlanError(
                f"throttle_{end}: this hypervisor has no guest of the group {end}s."
                f" Allowed: an inventory of the plugin lab with a guest of roles: [{end}]; inventories/sandbox has one"
            )
    workloads = _levels(variables, "throttle_workload", WORKLOADS)
    layouts = _levels(variables, "throttle_layouts", LAYOUTS)
    trials = number_in(variables, "throttle_trials", 1, 1000)
    timing = {
        "sample_seconds": seconds_in(variables, "throttle_sample_seconds", 0.01, 10.0),
        "socket_seconds": seconds_in(variables, "throttle_socket_seconds", 0.1, 60.0),
        "settle_seconds": seconds_in(variables, "throttle_settle_seconds", 0.0, 600.0),
        "warmup_seconds": seconds_in(variables, "throttle_warmup_seconds", 0.0, 600.0),
    }
    trace = truth_in(variables, "throttle_trace")
    timelines: list[dict[str, Any]] = []
    for workload, layout in itertools.product(workloads, layouts):
        phases = _phases(variables, workload)
        ends = _workload(variables, workload, timing["warmup_seconds"] + sum(phase.seconds for phase in phases))
        timelines.append(
            {
                "workload": workload,
                "layout": layout,
                "phases": [phase.as_dict() for phase in phases],
                "trials": trials,
                "sender": ends.sender,
                "trace": trace,
                "server": {"name": str(variables["throttle_server"]), **ends.server},
                "client": {"name": str(variables["throttle_client"]), **ends.client},
                **timing,
            }
        )
    seconds = _seconds(timelines)
    return {
        "timelines": timelines,
        "definition": {
            "cells": [cell for timeline in timelines for cell in cells(timeline)],
            "trials": trials,
            "phases": {timeline["workload"]: timeline["phases"] for timeline in timelines},
            "vnc": {
                "width": number_in(variables, "throttle_vnc_width", 64, 8192),
                "height": number_in(variables, "throttle_vnc_height", 64, 8192),
                "delay_seconds": _delay(variables),
                "colours": _colours(variables),
            },
            "streams": number_in(variables, "throttle_streams", 1, 64),
            "trace": trace,
            **timing,
        },
        "needs": {
            "modules": [{"name": "vhost_net"}],
            "guests": True,
            "libvirt": "libvirt" in layouts,
        },
        "lines": _describe(timelines, seconds),
        "seconds": round(seconds, 1),
    }


def cells(timeline: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The cells of a timeline: its phases."""
    fixed = {"workload": timeline["workload"], "layout": timeline["layout"]}
    return [{**fixed, "phase": phase["name"]} for phase in timeline["phases"]]


def remaining(
    timelines: Sequence[Mapping[str, Any]], done: Sequence[Mapping[str, Any]], host: str
) -> list[dict[str, Any]]:
    """The timelines with the trials that an earlier attempt at the same run has no valid records of.

    A timeline is run as a whole: as often as the phase that has the fewest still needs.
    """
    earlier = Done(done, host, "throttle")
    left = []
    for timeline in timelines:
        fewest = min(earlier.trials(cell) for cell in cells(timeline))
        if fewest < timeline["trials"]:
            left.append({**timeline, "trials": timeline["trials"] - fewest})
    return left


def _phases(variables: Mapping[str, Any], workload: str) -> list[Phase]:
    seconds = seconds_in(variables, "throttle_phase_seconds", 1.0, _LONGEST_TIMELINE_S)
    ladder_seconds = seconds_in(variables, "throttle_ladder_seconds", 1.0, _LONGEST_TIMELINE_S)
    if workload == "vnc":
        # A picture that changes every few seconds needs some of them in each phase, and what is cut at its ends.
        changes = number_in(variables, "throttle_vnc_changes", 1, 1000)
        delay = _delay(variables)
        seconds = max(seconds, (changes + 1) * delay)
        ladder_seconds = max(ladder_seconds, 3 * delay)
    raw, steps = variables["throttle_phases"], variables["throttle_ladder"]
    for name, value in (("throttle_phases", raw), ("throttle_ladder", steps)):
        if not isinstance(value, (list, tuple)):
            raise PlanError(f"{name} cannot be {value!r}. Allowed: a list")
    try:
        phases = parse([*raw, *(phase.as_dict() for phase in ladder(steps, ladder_seconds))], seconds)
    except VirtperfError as error:
        raise PlanError(f"throttle_phases and throttle_ladder: {error}") from error
    total = sum(phase.seconds for phase in phases)
    if total > _LONGEST_TIMELINE_S:
        raise PlanError(
            f"the phases of {workload} last {total:.0f} seconds. Allowed: up to {_LONGEST_TIMELINE_S:.0f} together"
        )
    return phases


def _workload(variables: Mapping[str, Any], workload: str, seconds: float) -> _Workload:
    return _iperf3(variables, seconds) if workload == "iperf3" else _vnc(variables)


def _iperf3(variables: Mapping[str, Any], seconds: float) -> _Workload:
    """The client sends, for a little longer than it is watched; the server counts what arrives."""
    address = _address(variables)
    port = str(number_in(variables, "throttle_port", 1, 65535))
    common = ["--port", port, "--json-stream", "--forceflush", "--interval", _IPERF3_INTERVAL]
    streams = str(number_in(variables, "throttle_streams", 1, 64))
    return _Workload(
        sender="client",
        server={
            "command": ["iperf3", "--server", "--one-off", *common],
            "ready": ["sh", "-c", f"ss -Htln sport = :{port} | grep -q ."],
            "sockets": ["sport", "=", f":{port}"],
        },
        client={
            "command": [
                *("iperf3", "--client", address, "--time", str(int(seconds) + _BEYOND_S), "--parallel", streams),
                *common,
            ],
            "sockets": ["dport", "=", f":{port}"],
        },
    )


def _vnc(variables: Mapping[str, Any]) -> _Workload:
    """The server's picture changes. The programs are those that the roles server and client prepare."""
    address = _address(variables)
    if ":" in address:
        raise PlanError(f"throttle_server_address cannot be {address!r} with vnc. Allowed: an IPv4 address, or a name")
    port = str(number_in(variables, "throttle_vnc_port", 1, 65535))
    common = [
        *("--port", port, "--colours", ",".join(_colours(variables))),
        *("--width", str(number_in(variables, "throttle_vnc_width", 64, 8192))),
        *("--height", str(number_in(variables, "throttle_vnc_height", 64, 8192))),
    ]
    delay = _delay(variables)
    shows = ["--address", address, "--delay", f"{delay:g}"]
    for name in ("screen", "xauthority"):
        if value := str(variables[f"throttle_vnc_{name}"]).strip():
            shows.append(f"--{name}={value}")
    return _Workload(
        sender="server",
        server=_vnc_end("server", [*shows, *common], ["sport", "=", f":{port}"]),
        client=_vnc_end("client", ["--server", address, *common], ["dport", "=", f":{port}"]),
    )


def _vnc_end(end: str, arguments: Sequence[str], sockets: Sequence[str]) -> dict[str, Any]:
    """The server is ready when it listens, the client when it shows the first picture."""
    program = pack.path(_RUN, end)
    return {
        "command": [pack.PYTHON, program, *arguments],
        "ready": ["sh", "-c", f'kill -0 "$(cat {ready_file(program)})"'],
        "sockets": list(sockets),
    }


def _address(variables: Mapping[str, Any]) -> str:
    address = str(variables["throttle_server_address"]).strip()
    if not address or address.startswith("-") or any(character.isspace() for character in address):
        raise PlanError(
            f"throttle_server_address cannot be {variables['throttle_server_address']!r}."
            " Allowed: the server's address in the network whose workers are throttled"
        )
    return address


def _delay(variables: Mapping[str, Any]) -> float:
    """Bursts that follow one another faster cannot be told apart."""
    return seconds_in(variables, "throttle_vnc_delay_seconds", 1.0, 600.0)


def _colours(variables: Mapping[str, Any]) -> list[str]:
    raw = variables["throttle_vnc_colours"]
    colours = [str(colour) for colour in raw] if isinstance(raw, (list, tuple)) else []
    if len(colours) < 2 or not all(_COLOUR.fullmatch(colour) for colour in colours):
        raise PlanError(f"throttle_vnc_colours cannot be {raw!r}. Allowed: a list of two or more, each '#rrggbb'")
    return colours


def _levels(variables: Mapping[str, Any], name: str, choices: Sequence[str]) -> list[str]:
    raw = variables[name]
    values = raw.split(",") if isinstance(raw, str) else raw if isinstance(raw, (list, tuple)) else [raw]
    levels = [str(value).strip() for value in values]
    if not levels or len(set(levels)) != len(levels) or not set(levels) <= set(choices):
        raise PlanError(f"{name} cannot be {raw!r}. Allowed: {', '.join(choices)}, each once")
    return levels


def _check_known(variables: Mapping[str, Any]) -> None:
    unknown = sorted(set(variables) - set(VARIABLES))
    if unknown:
        raise PlanError(f"the study throttle has no {', '.join(unknown)}. Its variables: {', '.join(VARIABLES)}")
    missing = sorted(set(VARIABLES) - set(variables))
    if missing:
        raise PlanError(f"{', '.join(missing)}: not set. The role throttle has defaults for them")


def _seconds(timelines: Sequence[Mapping[str, Any]]) -> float:
    runs = (
        timeline["trials"]
        * (timeline["warmup_seconds"] + sum(phase["seconds"] for phase in timeline["phases"]) + _TIMELINE_OVERHEAD_S)
        for timeline in timelines
    )
    return sum(runs) + _PLAYBOOK_S


def _describe(timelines: Sequence[Mapping[str, Any]], seconds: float) -> list[str]:
    lines = []
    for timeline in timelines:
        phases = ", ".join(
            f"{phase['name']} ({phase['cpu_max']}) {phase['seconds']:g} s" for phase in timeline["phases"]
        )
        lines.append(f"{timeline['workload']}, workers as {timeline['layout']}: {phases}; {timeline['trials']} trials")
    lines.append(f"{sum(len(timeline['phases']) for timeline in timelines)} cells, about {seconds:.0f} s")
    return lines
