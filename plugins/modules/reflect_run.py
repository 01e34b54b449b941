#!/usr/bin/python
# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure how many packets per second a vhost-user port reflects."""

from __future__ import annotations

DOCUMENTATION = r"""
module: reflect_run
short_description: Measure how many packets per second a vhost-user port reflects
version_added: 0.1.0
author: The virtperf.vhost authors (@virtperf)
description:
  - Takes all trials of all cells of the study C(reflect) on one host, in one call.
  - For each launch it starts the two ends that are not yet running as asked. The vswitch is a C(dpdk-testpmd) on this
    host; the far end is another one, or lives in a guest. Packet sizes change in the running generator.
  - Each trial is a window on the monotonic clock. Counters of both ends are read through DPDK's telemetry at its two
    edges; what was negotiated is read back, and a trial whose setup is not what was asked is recorded as invalid.
  - Each record is on disk before the next trial starts, in C(/var/lib/virtperf/runs/<run_id>/reflect.jsonl).
  - A process that dies is launched again. The trial in which it died is recorded as invalid and not taken again, so
    that the run counts as incomplete; after a second death in one cell the sweep goes on with the next.
  - An action plugin of the same name shows a line of progress at least every 5 seconds.
  - The ends and the guest are left running; their start is in the host's journal. Use M(virtperf.vhost.restore).
options:
  launches:
    description: What to measure, as the filter P(virtperf.vhost.reflect_plan#filter) returns it.
    type: list
    elements: dict
    required: true
    suboptions:
      vswitch:
        description: The process that owns the vhost-user port, as M(virtperf.vhost.testpmd) takes it.
        type: dict
        required: true
      far_end:
        description:
          - The end that connects to it.
          - Its C(kind) is V(testpmd), the default, defined as M(virtperf.vhost.testpmd) takes it; V(kernel), the
            kernel's driver with its packet generator; or V(pktgen), pktgen-dpdk.
        type: dict
        required: true
      guest:
        description:
          - The VM that the far end runs in. Without it, the far end runs on this host.
          - It is started over O(image) for the first launch that asks for it, pinned, and entered by SSH from this
            host. Launches in a row with the same VM share one boot.
        type: dict
        suboptions:
          vm:
            description:
              - The VM as M(virtperf.vhost.qemu_vm) takes it, without disks, kernel, credentials and user network.
            type: dict
            required: true
          driver:
            description: What the far end's PCI functions are bound to in the guest.
            type: str
            required: true
          hugepages:
            description: The C(count) of hugepages of 2 MiB in the guest.
            type: dict
          pins:
            description: Where the VM's threads run, as an entry of O(virtperf.vhost.vcpu_pin#module:vms) says it.
            type: dict
      cells:
        description: The cells that these two processes can serve without a new launch.
        type: list
        elements: dict
        required: true
        suboptions:
          cell:
            description: The levels of the factors.
            type: dict
            required: true
          asked:
            description: The whole setup, for the record and to compare with what is negotiated.
            type: dict
            required: true
          trials:
            description: How many trials to take.
            type: int
            required: true
  trial_seconds:
    description: Length of a window, in seconds.
    type: float
    default: 1.0
  warmup_seconds:
    description: Traffic before each window that is not counted, in seconds.
    type: float
    default: 0.2
  sample_seconds:
    description: Pace of the samples inside a window, in seconds. V(0) takes none.
    type: float
    default: 0.1
  host:
    description: The host's name in the inventory, for the records.
    type: str
    default: localhost
  image:
    description: What guests are started from, as RV(virtperf.vhost.guest_image#module:image) has it.
    type: dict
  guest_ready_seconds:
    description: How long a guest may take to boot, in seconds.
    type: float
    default: 90
  allow_overlap:
    description: Let both processes forward on the same CPU.
    type: bool
    default: false
extends_documentation_fragment:
  - virtperf.vhost.run
  - virtperf.vhost.run.attributes
attributes:
  check_mode:
    support: full
    details: Checks what would be launched first and measures nothing.
  diff_mode:
    support: none
  idempotent:
    support: none
    details: Each call measures.
"""

EXAMPLES = r"""
- name: Measure
  virtperf.vhost.reflect_run:
    run_id: "{{ run.run_id }}"
    launches: "{{ plan.launches }}"
    trial_seconds: 1
"""

RETURN = r"""
records:
  description: The file on the host that holds the records.
  returned: success
  type: str
  sample: /var/lib/virtperf/runs/20261120T100000Z-1a2b/reflect.jsonl
trials:
  description: Records written.
  returned: success
  type: int
  sample: 72
invalid:
  description: Those of them that are not valid.
  returned: success
  type: int
  sample: 0
reasons:
  description: Why, each reason once.
  returned: success
  type: list
  elements: str
  sample: []
launches:
  description: How often processes were started.
  returned: success, not in check mode
  type: int
  sample: 4
relaunches:
  description: How often processes had to be started again because one had died.
  returned: success, not in check mode
  type: int
  sample: 0
peak_memory_mib:
  description: The most memory this module had resident, in MiB.
  returned: success, not in check mode
  type: float
  sample: 27.5
cpu_seconds:
  description: CPU time this module used, in seconds.
  returned: success, not in check mode
  type: float
  sample: 0.61
wall_seconds:
  description: How long it ran, in seconds.
  returned: success, not in check mode
  type: float
  sample: 105.2
"""

import os
import resource
import time
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.virtperf.vhost.plugins.module_utils import processes
from ansible_collections.virtperf.vhost.plugins.module_utils.dpdk import manager
from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.journal import Journal
from ansible_collections.virtperf.vhost.plugins.module_utils.module import RUN_ARGUMENTS, run_module
from ansible_collections.virtperf.vhost.plugins.module_utils.records import RecordFile
from ansible_collections.virtperf.vhost.plugins.module_utils.reflect.guest import GuestSide
from ansible_collections.virtperf.vhost.plugins.module_utils.reflect.launch import parse_image, parse_launch
from ansible_collections.virtperf.vhost.plugins.module_utils.reflect.launcher import Launcher
from ansible_collections.virtperf.vhost.plugins.module_utils.reflect.sweep import STUDY, Sweep, Timing

# A trial and its warm-up must end well before the host's lock counts as abandoned.
_LONGEST_TRIAL_S = 600.0
# Faster, taking samples would outlast the window.
_SHORTEST_SAMPLE_S = 0.01


def work(module: AnsibleModule, host: Host) -> dict[str, Any]:
    """Check the first launch, then sweep."""
    started_s = time.monotonic()
    params = module.params
    timing = Timing(params["trial_seconds"], params["warmup_seconds"], params["sample_seconds"])
    _check_timing(timing)
    launches = [parse_launch(raw) for raw in params["launches"]]
    image = parse_image(params["image"])
    if image is None and any(launch.guest for launch in launches):
        raise VirtperfError(
            "launches have guests, and there is no image for them", way_out="give image, see role image"
        )
    records = RecordFile(host, params["run_id"], STUDY).path
    if module.check_mode:
        for launch in launches[:1]:
            here = [launch.vswitch, *([] if launch.guest else [launch.far_end.testpmd()])]
            manager.check(host, here, manager.plan_started(host, here), allow_overlap=params["allow_overlap"])
        return {"changed": bool(launches), "records": records, "trials": 0, "invalid": 0, "reasons": []}
    # This process too has to end when the run is given up.
    processes.name_myself("reflect_run")
    myself = processes.identify(host, os.getpid())
    Journal(host, params["run_id"]).append("process", name="reflect_run", **myself.as_dict())
    guest = GuestSide(host, params["run_id"], image, params["guest_ready_seconds"])
    launcher = Launcher(host, params["run_id"], guest, allow_overlap=params["allow_overlap"])
    summary = Sweep(host, params["run_id"], params["host"], timing, launcher).run(launches)
    used = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "changed": bool(launches),
        "records": records,
        "trials": summary.trials,
        "invalid": summary.invalid,
        "reasons": summary.reasons,
        "launches": summary.launches,
        "relaunches": summary.relaunches,
        "peak_memory_mib": round(used.ru_maxrss / 1024, 1),
        "cpu_seconds": round(used.ru_utime + used.ru_stime, 3),
        "wall_seconds": round(time.monotonic() - started_s, 3),
    }


def _check_timing(timing: Timing) -> None:
    for name, value, low, high in (
        ("trial_seconds", timing.trial_s, 0.05, _LONGEST_TRIAL_S),
        ("warmup_seconds", timing.warmup_s, 0.0, _LONGEST_TRIAL_S),
        ("sample_seconds", timing.sample_s, 0.0, _LONGEST_TRIAL_S),
    ):
        if not low <= value <= high:
            raise VirtperfError(f"{name} is not usable", found=f"{value}", way_out=f"from {low} to {high} seconds")
    if timing.trial_s + timing.warmup_s > _LONGEST_TRIAL_S:
        raise VirtperfError(
            "trial_seconds and warmup_seconds make too long a trial",
            found=f"{timing.trial_s} and {timing.warmup_s}",
            way_out=f"up to {_LONGEST_TRIAL_S} seconds together",
        )
    if 0 < timing.sample_s < _SHORTEST_SAMPLE_S:
        raise VirtperfError(
            "sample_seconds is not usable",
            found=f"{timing.sample_s}",
            way_out=f"0 for no samples, or {_SHORTEST_SAMPLE_S} seconds and more",
        )


def main() -> None:
    """The module's entry point."""
    module = AnsibleModule(
        argument_spec={
            "launches": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {
                    "vswitch": {"type": "dict", "required": True},
                    "far_end": {"type": "dict", "required": True},
                    "guest": {
                        "type": "dict",
                        "options": {
                            "vm": {"type": "dict", "required": True},
                            "driver": {"type": "str", "required": True},
                            "hugepages": {"type": "dict"},
                            "pins": {"type": "dict"},
                        },
                    },
                    "cells": {
                        "type": "list",
                        "elements": "dict",
                        "required": True,
                        "options": {
                            "cell": {"type": "dict", "required": True},
                            "asked": {"type": "dict", "required": True},
                            "trials": {"type": "int", "required": True},
                        },
                    },
                },
            },
            "trial_seconds": {"type": "float", "default": 1.0},
            "warmup_seconds": {"type": "float", "default": 0.2},
            "sample_seconds": {"type": "float", "default": 0.1},
            "host": {"type": "str", "default": "localhost"},
            "image": {"type": "dict"},
            "guest_ready_seconds": {"type": "float", "default": 90.0},
            "allow_overlap": {"type": "bool", "default": False},
            **RUN_ARGUMENTS,
        },
        supports_check_mode=True,
    )
    run_module(module, work)


if __name__ == "__main__":
    main()
