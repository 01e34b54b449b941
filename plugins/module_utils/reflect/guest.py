# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The VM between the vswitch and a far end: started, pinned, entered by SSH, and the end in it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from typing import Any

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.far_end.connection import Connection, RemoteEnd
from ansible_collections.virtperf.vhost.plugins.module_utils.guest_access.keys import Keys
from ansible_collections.virtperf.vhost.plugins.module_utils.guest_access.port import choose, forwarded
from ansible_collections.virtperf.vhost.plugins.module_utils.guest_access.ssh import Access, wait
from ansible_collections.virtperf.vhost.plugins.module_utils.guest_access.told import credentials, user_network
from ansible_collections.virtperf.vhost.plugins.module_utils.guest_image.contents import READY
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.journal import Journal
from ansible_collections.virtperf.vhost.plugins.module_utils.pinning import pinner
from ansible_collections.virtperf.vhost.plugins.module_utils.pinning.checks import Policy
from ansible_collections.virtperf.vhost.plugins.module_utils.pinning.request import VCPU
from ansible_collections.virtperf.vhost.plugins.module_utils.pinning.request import parse as parse_pins
from ansible_collections.virtperf.vhost.plugins.module_utils.processes import threads
from ansible_collections.virtperf.vhost.plugins.module_utils.qemu import manager
from ansible_collections.virtperf.vhost.plugins.module_utils.qemu.console import Sign
from ansible_collections.virtperf.vhost.plugins.module_utils.qemu.definition import Definition, parse
from ansible_collections.virtperf.vhost.plugins.module_utils.qemu.instance import Instance, Limits
from ansible_collections.virtperf.vhost.plugins.module_utils.reflect.launch import GuestPart, Image, Launch

# Its keys are this run's alone, and go with it.
_LAB = "virtperf-reflect"
# Who sends packets back makes none.
_ANY_SIZE = 64
# QEMU waits for the vswitch, which is there already.
_CONNECTED_S = 20.0
# A VM that is killed hangs up first, and is gone when its memory is.
_GONE_S = 5.0
_LOOK_S = 0.01
# Its disk is an overlay that goes with it: nothing is lost when it is not asked to shut down.
_AT_ONCE = Limits(powerdown_s=0)


class GuestSide:
    """At most one VM, for all launches of a sweep. ``ready_s`` is how long its boot may take."""

    def __init__(self, host: Host, run_id: str, image: Image | None, ready_s: float) -> None:
        self.host = host
        self.run_id = run_id
        self.image = image
        self.ready_s = ready_s
        self._journal = Journal(host, run_id)
        self._vm: Definition | None = None
        self._connection: Connection | None = None
        self._end: GuestEnd | None = None
        # vCPU -> process and thread id here.
        self._tids: dict[int, tuple[int, int]] = {}
        self._hugepages = 0
        self._facts: dict[str, Any] = {}

    def bring_up(self, launch: Launch, part: GuestPart) -> GuestEnd:
        """Have the VM run as asked, and a new far end in it."""
        vm = self._definition(part)
        if self._end is not None:
            self._end.stop()
            self._end = None
        instance = Instance(self.host, vm.name)
        connection = self._connection if vm == self._vm and instance.is_running() else None
        if connection is None:
            connection = self._boot(vm)
        if part.hugepages > self._hugepages:
            connection.call("hugepages", count=part.hugepages)
            self._hugepages = part.hugepages
        connection.call("bind", addresses=list(part.addresses), driver=part.driver)
        connection.call("end", kind=launch.far_end.kind, definition=dict(launch.far_end.definition))
        # Not before: what has to be done only once is done on all CPUs.
        if not self._tids:
            self._pin(instance, part.pins)
        tids = [self._tids[cpu] for cpu in launch.far_end.cpus if cpu in self._tids]
        self._end = GuestEnd(connection, launch.far_end.name, instance, tids)
        if not launch.vswitch_reflects:
            self._end.offer(_ANY_SIZE, forwarding=True)
        return self._end

    def facts(self) -> dict[str, Any]:
        """For records: accelerator, QEMU, pins, image and what there is to warn of."""
        return dict(self._facts)

    def logs_of_the_dead(self) -> list[tuple[str, str]]:
        """The end's log, and the VM's with its console when it is the VM that died."""
        logs = []
        if self._end is not None and not self._end.is_running():
            logs.append((f"{self._end.name}-in-guest", self._end.log()))
        if self._vm is not None:
            instance = Instance(self.host, self._vm.name)
            if instance.exists() and not instance.is_running():
                console = self.host.read_or(instance.serial_path)
                logs.append((f"vm-{self._vm.name}", f"{instance.log()}\n-- the guest's console:\n{console}"))
        return [(name, log) for name, log in logs if log.strip()]

    def remove(self) -> None:
        """Hang up and end the VM: it holds CPUs and memory."""
        if self._connection is not None:
            with contextlib.suppress(VirtperfError):
                self._connection.close()
        self._connection, self._end = None, None
        if self._vm is not None:
            plan = manager.plan_absent(self.host, [self._vm.name])
            manager.apply(self.host, self._journal, plan, _AT_ONCE, 0)
            self._vm = None

    def _is_built(self) -> bool:
        """Whether the image is one of ours, which takes credentials and says when it is ready."""
        return bool(self.image and self.image.kernel)

    # -- the boot ------------------------------------------------------------------------------------------------

    def _definition(self, part: GuestPart) -> Definition:
        if self.image is None:
            raise VirtperfError(
                "a guest needs an image", way_out="give reflect_run its image, as the role image returns it"
            )
        name = str(part.vm.get("name", ""))
        keys = Keys(self.host, _LAB, self.run_id)
        keys.ensure([name])
        image = self.image
        return parse(
            {
                **part.vm,
                "disks": [{"base": image.path, "cache": "unsafe"}],
                **(
                    {"kernel": image.kernel, "initrd": image.initrd, "append": image.command_line}
                    if image.kernel
                    else {}
                ),
                **credentials(name, [user_network(name)], [keys.public_key()], keys.host_key_path(name)),
                "user_net": {"forwards": [{"host_port": choose(Instance(self.host, name)), "guest_port": 22}]},
            }
        )

    def _boot(self, vm: Definition) -> Connection:
        self.remove()
        self._vm = vm
        began_s = time.monotonic()
        plan = manager.plan_present(self.host, [vm], paused=False, on_change="restart")
        manager.check(self.host, [vm], plan)
        sign = Sign(READY, self.ready_s) if self._is_built() else None
        manager.apply(self.host, self._journal, plan, _AT_ONCE, _CONNECTED_S, sign)
        instance = Instance(self.host, vm.name)
        keys = Keys(self.host, _LAB)
        access = Access(vm.name, forwarded(vm), keys.identity_path, keys.known_hosts_path)
        if sign is None:
            wait(access, self.ready_s, instance.is_running, instance.console_end)
        answered_s = time.monotonic()
        self._connection = Connection(access)
        self._connection.open()
        self._tids, self._hugepages = {}, 0
        launched = instance.launch_record()
        accel = launched.get("accel", {})
        self._facts = {
            "accel": accel.get("used"),
            "accel_reason": accel.get("reason"),
            "qemu": launched.get("version"),
            "vm_command": " ".join(launched.get("command", [])),
            "pins": [],
            "image": dict(self.image.facts) if self.image else {},
            "boot_s": round(answered_s - began_s, 3),
            "entered_s": round(time.monotonic() - began_s, 3),
            "warnings": plan.warnings,
        }
        return self._connection

    def _pin(self, instance: Instance, pins: Mapping[str, Any]) -> None:
        if not pins:
            return
        request = {"name": instance.name, "qmp": instance.qmp_path, **pins}
        pinned = pinner.ensure(self.host, parse_pins([request]), Policy(), run_id=self.run_id)
        (facts,) = pinned["vms"]
        for thread in facts["threads"]:
            if thread["role"] == VCPU:
                self._tids[int(thread["id"])] = (int(facts["pid"]), int(thread["tid"]))
        self._facts["pins"] = _pins(pinned)
        self._facts["warnings"] = [*self._facts["warnings"], *pinned["warnings"]]


class GuestEnd(RemoteEnd):
    """An end in a guest. Its CPU time is that of the vCPUs' threads here: a guest does not see what it is kept from."""

    def __init__(self, connection: Connection, name: str, vm: Instance, threads_: list[tuple[int, int]]) -> None:
        super().__init__(connection, name)
        self._vm_instance = vm
        self._threads = threads_

    def cpu_seconds(self) -> dict[int, float]:
        """Of the vCPUs that it forwards on, by the thread's id on this host."""
        wanted = {tid for _pid, tid in self._threads}
        found = [
            thread for pid in {pid for pid, _tid in self._threads} for thread in threads(self._vm_instance.host, pid)
        ]
        return {thread.tid: thread.cpu_seconds for thread in found if thread.tid in wanted}

    def is_running(self) -> bool:
        """Whether the VM lives and the end in it."""
        return self._vm_instance.is_running() and super().is_running()

    def died(self) -> VirtperfError:
        """The VM's death, or else the end's own."""
        limit = time.monotonic() + _GONE_S
        while self.connection.is_over and self._vm_instance.is_running() and time.monotonic() < limit:
            time.sleep(_LOOK_S)
        return super().died() if self._vm_instance.is_running() else self._vm_instance.died()


def _pins(pinned: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The CPUs that each vCPU, and the emulator's threads, may run on, as read back."""
    pins: list[dict[str, Any]] = []
    for vm in pinned.get("vms", []):
        for thread in vm["threads"]:
            pin = {"thread": f"{thread['role']} {thread['id']}".strip(), "cpus": thread["cpus"]}
            if pin not in pins:
                pins.append(pin)
    return pins
