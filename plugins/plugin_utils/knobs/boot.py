# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A boot of the study ``knobs`` as the role knobs takes it: the guests' NICs, what they hang on, and the trials."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.virtperf.vhost.plugins.plugin_utils.knobs.asked import Comparison
from ansible_collections.virtperf.vhost.plugins.plugin_utils.knobs.catalogue import KNOBS, MODULE_OF_FILE
from ansible_collections.virtperf.vhost.plugins.plugin_utils.knobs.pack import Packed
from ansible_collections.virtperf.vhost.plugins.plugin_utils.knobs.settings import name_of, parts_of

# Of the networks that are kept for benchmarks (RFC 2544), one for each arm: 198.18.<arm>.0/24.
_NETWORK = "198.18"
_ON_HYPERVISOR = 254
_PEER_TAP = "vpk-peer"
_VHOST_NET = "vhost_net"


def boot(number: int, packed: Packed, comparisons: Sequence[Comparison], dut: str, peer: str) -> dict[str, Any]:
    """The boot. ``comparisons`` are those of all boots, ``dut`` and ``peer`` the guests by their names."""
    turned = list(dict.fromkeys(name for one in comparisons for name in one.names))
    here = list(dict.fromkeys(name for knob, _level in packed.pairs for name in knob.split(",")))
    files = [name for name in here if any(parts.host for parts in KNOBS[name].levels.values())]
    # What a module is loaded with has to be said in each boot, for the one before may have changed it.
    modules = [name for name in turned if any(parts.module for parts in KNOBS[name].levels.values())]
    arms, taps, links = [], [], []
    for place, (name, settings) in enumerate(packed.arms.items(), start=1):
        parts = parts_of(settings, [*files, *modules])
        tap, mac = f"vpk{place}", _mac(number, place)
        arms.append(
            {
                "name": name,
                "number": place,
                "tap": tap,
                "mac": mac,
                "settings": dict(settings),
                "guest": dict(parts.guest),
                "host": [{"path": path, "value": value} for path, value in parts.host.items()],
                "module": _parameter(parts.module),
            }
        )
        taps.append({"ifname": tap, "mac": mac, **parts.tap})
        links.append({"name": tap, **({"mac": mac} if parts.link.get("kind") == "macvtap" else {}), **parts.link})
    mac = _mac(number, 0)
    return {
        "number": number,
        "guests": {"dut": dut, "peer": peer},
        "arms": arms,
        "taps": {dut: taps, peer: [{"ifname": _PEER_TAP, "mac": mac, "vhost": True}]},
        "links": [*links, {"name": _PEER_TAP}],
        "addresses": [f"{_NETWORK}.{arm['number']}.{_ON_HYPERVISOR}/24" for arm in arms],
        "modules": _modules(arms),
        "settings": _files(files),
        "trials": _trials(packed, comparisons),
    }


def _mac(boot_number: int, place: int) -> str:
    """Known beforehand, and another one in the next boot: nobody has it in its tables yet."""
    return f"52:54:00:6b:{boot_number:02x}:{place:02x}"


def _parameter(modules: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """The one parameter of a module that an arm depends on, {} if there is none."""
    for module, parameters in modules.items():
        for parameter, value in parameters.items():
            return {"module": module, "parameter": parameter, "value": value}
    return {}


def _modules(arms: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """For M(virtperf.vhost.kernel_module). All arms of a boot agree on the parameters."""
    wanted: dict[str, dict[str, str]] = {_VHOST_NET: {}}
    for arm in arms:
        if arm["module"]:
            wanted.setdefault(arm["module"]["module"], {})[arm["module"]["parameter"]] = arm["module"]["value"]
        for setting in arm["host"]:
            for start, module in MODULE_OF_FILE.items():
                if setting["path"].startswith(start):
                    wanted.setdefault(module, {})
    return [{"name": name, **({"parameters": values} if values else {})} for name, values in wanted.items()]


def _files(knobs: Sequence[str]) -> list[dict[str, str]]:
    """For M(virtperf.vhost.kernel_setting): files that trials turn, at their baseline."""
    return [
        {"path": path, "value": value}
        for name in knobs
        for path, value in KNOBS[name].levels[KNOBS[name].baseline].host.items()
    ]


def _trials(packed: Packed, comparisons: Sequence[Comparison]) -> list[dict[str, Any]]:
    """Pair by pair, each with all that is compared: not yet in the order in which they are taken."""
    numbers = [number for pairs in packed.pairs.values() for number in pairs]
    return [
        {"cell": cell, "trial": pair, "arm": name_of(comparison.levels[cell["level"]])}
        for pair in sorted(set(numbers))
        for comparison in comparisons
        for cell in comparison.cells()
        if pair in packed.pairs.get((comparison.knob, cell["level"]), ())
    ]
