# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a NIC is what its arm asked for: rings, queues, features and the vhost worker, as far as anybody tells."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.knobs.metrics import Taken
from ansible_collections.virtperf.vhost.plugins.module_utils.knobs.setup import DUT, Arm, Setup
from ansible_collections.virtperf.vhost.plugins.module_utils.traffic.look import INTX

# Virtio features that are knobs by the same name.
_FEATURES = ("mrg_rxbuf", "event_idx", "indirect_desc", "csum", "guest_tso4", "host_tso4")
# What has to be on for a feature to be there: virtio 1.0 cuts no packet whose checksum it does not compute, and a knob
# that turns off cutting of all protocols turns off that of each.
_DEPENDS = {"host_tso4": ("gso", "csum"), "guest_tso4": ("guest_csum",)}
# A worker that serves nothing runs no more than this: broadcasts wake it all the same.
_IDLE = 0.02


def observed(setup: Setup, arm: Arm, described: Mapping[str, Any], taken: Taken, host: Host) -> dict[str, Any]:
    """For the record: what traffic.nic tells, brought up to date by the window's last look."""
    nic = taken.looks[DUT][1].interfaces[arm.mac]
    rings = dict(nic.rings) or described.get("rings") or {}
    return {
        **described,
        "rings": rings,
        "queues": nic.channels if nic.channels is not None else described.get("queues"),
        "vhost": served(setup, arm, taken),
        "worker_layout": layout(setup),
        "txqueuelen": _number(host.read_or(f"{host.sys}/class/net/{arm.tap}/tx_queue_len")),
        "host_kernel": host.read_or(f"{host.proc}/sys/kernel/osrelease"),
    }


def check(arm: Arm, seen: Mapping[str, Any]) -> list[str]:
    """What is not as asked, in words. Of what nobody tells nothing is said."""
    return list(_wrong(arm.settings, seen))


def _wrong(settings: Mapping[str, str], seen: Mapping[str, Any]) -> Iterator[str]:
    rings: Mapping[str, int] = seen.get("rings") or {}
    for way in ("rx", "tx"):
        asked = settings.get(f"{way}_queue_size", "")
        if asked.isdecimal() and way in rings and rings[way] != int(asked):
            yield f"its {way} ring has {rings[way]} descriptors where {asked} were asked for"
    queues = seen.get("queues")
    if settings.get("queues", "").isdecimal() and queues is not None and queues != int(settings["queues"]):
        yield f"it uses {queues} pairs of queues where {settings['queues']} were asked for"
    features = seen.get("features")
    if features is not None:
        for name in _FEATURES:
            if name in settings and (name in features) != _is_on(settings, name):
                yield f"the feature {name} is {'on' if name in features else 'off'}, which was not asked for"
    if "vhost" in settings and seen.get("vhost") not in (None, settings["vhost"] == "on"):
        yield f"vhost {'serves' if seen['vhost'] else 'does not serve'} it, which was not asked for"
    frames, interrupts, length = (seen.get(name) for name in ("tx_frames", "interrupts", "txqueuelen"))
    napi = settings.get("napi_tx")
    if napi in ("on", "off") and frames is not None and (frames != 0) != (napi == "on"):
        yield f"napi_tx is {'on' if frames else 'off'} (tx-frames {frames}), which was not asked for"
    vectors = settings.get("vectors")
    if vectors in ("default", "0") and interrupts and (INTX in interrupts) != (vectors == "0"):
        yield f"its interrupts are {', '.join(interrupts)} where vectors={vectors} was asked for"
    # A macvtap's has another default, which is left alone.
    asked = "" if settings.get("macvtap") == "on" else settings.get("txqueuelen", "")
    if asked.isdecimal() and length not in (None, int(asked)):
        yield f"its tap's txqueuelen is {length} where {asked} was asked for"


def _is_on(settings: Mapping[str, str], name: str) -> bool:
    return all(settings.get(one, "on") != "off" for one in (name, *_DEPENDS.get(name, ())))


def served(setup: Setup, arm: Arm, taken: Taken) -> bool | None:
    """Whether a vhost worker serves the NIC: by what is known of the workers, or else by who worked in the window."""
    mine = [label for label in setup.workers.values() if setup.vm_of[label] == setup.dut.vm]
    if any(setup.interface_of[label] == arm.tap for label in mine):
        return True
    if not mine:
        return False if setup.threads else None
    if all(setup.interface_of[label] for label in mine):
        return False
    cores = taken.cores()
    known = [cores[label] for label in mine if label in cores]
    return sum(known) > _IDLE if known else None


def layout(setup: Setup) -> str | None:
    """How the workers run: as kernel threads, or as threads of QEMU's; None without any."""
    layouts = {
        "kthread" if thread.pid == thread.tid else "qemu-thread"
        for thread in setup.threads
        if setup.roles[thread.label] == "worker"
    }
    return "+".join(sorted(layouts)) or None


def _number(text: str) -> int | None:
    return int(text) if text.isdecimal() else None
