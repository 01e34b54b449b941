# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bridges and taps for guests: planned and checked as a whole, made with a way back, taken back, and undone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.virtperf.vhost.plugins.module_utils import steps as whole
from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.journal import Entry, Journal
from ansible_collections.virtperf.vhost.plugins.module_utils.lab_network import checks, request
from ansible_collections.virtperf.vhost.plugins.module_utils.lab_network.changes import (
    Address,
    Make,
    Remove,
    Set,
    Step,
    inverse,
    touched,
)
from ansible_collections.virtperf.vhost.plugins.module_utils.lab_network.ip import IP, Ip
from ansible_collections.virtperf.vhost.plugins.module_utils.lab_network.links import (
    BRIDGE,
    MACVTAP,
    TAP,
    Link,
    Links,
    observe,
    users,
)
from ansible_collections.virtperf.vhost.plugins.module_utils.lab_network.plan import Planner
from ansible_collections.virtperf.vhost.plugins.module_utils.lab_network.request import BridgeWish
from ansible_collections.virtperf.vhost.plugins.module_utils.pci.system import SYSTEM, System
from ansible_collections.virtperf.vhost.plugins.module_utils.processes import boot_id

RESOURCE = "lab_network"
# Read back after a change; what was left to the kernel is whatever it is.
_READ_BACK = ("kind", "mtu", "up", "master", "ipv6", "multi_queue", "user", "lower", "mode")


def ensure_present(
    host: Host,
    bridges: Sequence[Mapping[str, Any]],
    *,
    run_id: str = "",
    check_mode: bool = False,
    ip: Ip = IP,
    system: System = SYSTEM,
) -> dict[str, Any]:
    """Have all these bridges and taps, or leave everything as it was; the result for a module."""
    wishes = request.parse(bridges)
    before = observe(host, ip)
    planner = Planner(before, checks.kept(host, system, before), lambda link: users(host, link.name))
    steps = planner.plan(wishes)
    checks.check_addresses(host, before, steps)
    after = planner.links
    if steps and not check_mode:
        journal = Journal(host, run_id)
        made = [_whole(host, journal, step, ip) for step in steps]
        made.append(whole.Step(lambda: _verify(steps, planner.links, observe(host, ip)), lambda: ""))
        whole.all_or_nothing(journal, made)
        after = observe(host, ip)
    return {
        **_result(steps, before, planner.links, request.names(wishes)),
        "bridges": [_facts(wish, steps, after) for wish in wishes],
        "warnings": checks.warnings(host, wishes, after),
    }


def ensure_absent(
    host: Host,
    bridges: Sequence[Mapping[str, Any]],
    *,
    check_mode: bool = False,
    ip: Ip = IP,
    system: System = SYSTEM,
) -> dict[str, Any]:
    """Take back what the journal has of these bridges and taps; what was there before is kept."""
    wishes = request.parse(bridges)
    names = request.names(wishes)
    journal = Journal(host)
    before = observe(host, ip)
    entries = [entry for entry in journal.entries() if _is_due(host, entry) and entry.undo["name"] in names]
    steps, after = _way_back(entries, before)
    _check_removal(host, before, steps, checks.kept(host, system, before))
    if not check_mode:
        for step in steps:
            step.apply(host, ip)
        journal.forget(RESOURCE, lambda undo: undo["name"] in names and undo["boot"] == boot_id(host))
    return {**_result(steps, before, after, names), "bridges": [], "warnings": _kept_since(names, entries, after)}


def undo_lab_network(host: Host, undo: Mapping[str, Any], ip: Ip = IP, system: System = SYSTEM) -> str:
    """Take back one step that a journal entry tells of; "" when nothing is left to do, or the machine started anew.

    What was made is removed even when somebody has put it to use since: guests were ended before, in the journal's
    order backwards.
    """
    if undo["boot"] != boot_id(host):
        return ""
    links = observe(host, ip)
    step = inverse(undo, links)
    if step is None:
        return ""
    if isinstance(step, (Set, Address)):
        _check_kept([step], checks.kept(host, system, links))
    step.apply(host, ip)
    return step.describe()


def _whole(host: Host, journal: Journal, step: Step, ip: Ip) -> whole.Step:
    undo = {**step.undo(), "boot": boot_id(host)}

    def apply() -> None:
        journal.append(RESOURCE, **undo)
        step.apply(host, ip)

    def revert() -> str:
        back = inverse(undo, observe(host, ip))
        if back is not None:
            back.apply(host, ip)
        return ""

    return whole.Step(apply, revert)


def _is_due(host: Host, entry: Entry) -> bool:
    return entry.resource == RESOURCE and entry.undo["boot"] == boot_id(host)


def _way_back(entries: Sequence[Entry], links: Links) -> tuple[list[Step], Links]:
    """The steps back, and the interfaces as they are then. What is removed in the end is not set right before."""
    steps: list[Step] = []
    for entry in reversed(entries):
        step = inverse(entry.undo, links)
        if step is None:
            continue
        gone = step.gone(links) if isinstance(step, Remove) else set()
        links = step.on(links)
        if isinstance(step, Remove):
            made_anew = any(isinstance(other, Make) and other.name == step.name for other in steps)
            steps = [other for other in steps if other.name not in gone or isinstance(other, Remove)]
            if made_anew:
                continue
        steps.append(step)
    return steps, links


def _check_removal(host: Host, links: Links, steps: Sequence[Step], kept: Mapping[str, list[str]]) -> None:
    _check_kept(steps, kept)
    checks.check_ports(links, steps)
    for step in steps:
        if isinstance(step, Remove) and step.link.kind in (TAP, MACVTAP) and (by := users(host, step.name)):
            raise VirtperfError(
                f"the {step.link.kind} {step.name} cannot be removed: it is in use",
                found=f"open in {', '.join(by)}",
                way_out="end what uses it first (for a VM: virtperf.vhost.qemu_vm, state: absent)",
                interface=step.name,
                users=by,
            )


def _check_kept(steps: Sequence[Step], kept: Mapping[str, list[str]]) -> None:
    for step in steps:
        if step.name in kept:
            raise VirtperfError(
                f"{step.name} must stay as it is, so not: {step.describe()}",
                found="; ".join(kept[step.name]),
                way_out="come in another way, then try again",
                interface=step.name,
            )


def _kept_since(names: set[str], entries: Sequence[Entry], links: Links) -> list[str]:
    """A word on what is not ours to remove."""
    known = {str(entry.undo["name"]) for entry in entries}
    return [f"{name} is kept: it was not made by this module" for name in sorted(names - known) if name in links]


def _verify(steps: Sequence[Step], wanted: Links, found: Links) -> None:
    """VirtperfError when the kernel, or somebody else, did not leave the interfaces as they were to be."""
    for name in dict.fromkeys(name for step in steps for name in touched(step)):
        shall, link = wanted[name], found.get(name)
        wrong = ["it is gone"] if link is None else _differences(shall, link)
        if wrong:
            raise VirtperfError(
                f"{name} did not become what was asked for",
                found=", ".join(wrong),
                way_out="somebody else sets it up as well, such as NetworkManager or systemd-networkd: have them leave"
                " the lab's interfaces alone",
                interface=name,
            )


def _differences(shall: Link, link: Link) -> list[str]:
    keys = [*_READ_BACK, *(["txqueuelen"] if shall.txqueuelen else [])]
    keys += ["mac"] if shall.kind == MACVTAP and shall.mac else []
    wrong = [
        f"{key} {getattr(link, key)!r} instead of {getattr(shall, key)!r}"
        for key in keys
        if getattr(link, key) != getattr(shall, key)
    ]
    return wrong + [f"no address {address}" for address in shall.addresses if address not in link.addresses]


def _result(steps: Sequence[Step], before: Links, after: Links, names: set[str]) -> dict[str, Any]:
    return {
        "changed": bool(steps),
        "actions": [step.describe() for step in steps],
        "diff": {"before": _state(before, names), "after": _state(after, names)},
    }


def _state(links: Links, names: set[str]) -> dict[str, Any]:
    """One side of the difference."""
    return {name: _shown(links[name]) if name in links else None for name in sorted(names)}


def _shown(link: Link) -> dict[str, Any]:
    shown = {
        "kind": link.kind,
        "up": link.up,
        "mtu": link.mtu,
        "ipv6": link.ipv6,
        "addresses": list(link.addresses),
        "txqueuelen": link.txqueuelen,
        "master": link.master,
    }
    if link.kind == BRIDGE:
        del shown["master"]
    if link.kind == TAP:
        shown = {**shown, "multi_queue": link.multi_queue, "user": link.user}
        del shown["addresses"]
    if link.kind == MACVTAP:
        shown = {**shown, "lower": link.lower, "mac": link.mac}
        del shown["addresses"], shown["master"]
    # Nothing is said of what is left to the kernel, or to us.
    return {key: value for key, value in shown.items() if key not in ("txqueuelen", "mac") or value}


def _facts(wish: BridgeWish, steps: Sequence[Step], links: Links) -> dict[str, Any]:
    """A bridge and its taps. What the kernel or we choose for a new one is None before it is there."""
    changed = {name for step in steps for name in touched(step)}

    def known(name: str, *others: str) -> dict[str, Any]:
        link = links[name]
        return {
            "name": name,
            "mac": link.mac or None,
            "mtu": link.mtu,
            "changed": not changed.isdisjoint({name, *others}),
        }

    taps = []
    for tap in wish.taps:
        link = links[tap.name]
        more = {
            "kind": link.kind,
            "port": tap.port,
            "txqueuelen": link.txqueuelen or None,
            # A macvtap has as many queues as it is opened for.
            "multi_queue": link.multi_queue or link.kind == MACVTAP,
            "user": int(link.user) if link.user.isdigit() else None,
        }
        taps.append({**known(*tap.interfaces), **more})
    return {**known(wish.name), "addresses": list(links[wish.name].addresses), "taps": taps}
