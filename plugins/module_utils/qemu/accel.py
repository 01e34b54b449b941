# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which QEMU there is and which accelerator works with it: found out by trying, not by looking at /dev/kvm."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.software import find_qemu

_PATIENCE_S = 10.0
_NUMBERS = re.compile(r"\d+")
_PROPERTY = re.compile(r"^ +([A-Za-z0-9_-]+)=<", re.MULTILINE)
# The last series that is known to crash with vhost-user under TCG.
_VHOST_USER_TCG_BROKEN_BELOW = (8,)
BACKPORT = "apt-get install qemu-system-x86/bookworm-backports (QEMU 10 for Debian 12), or use Debian 13"


@dataclass(frozen=True)
class Qemu:
    """The program and its version, such as (10, 0, 2)."""

    path: str
    version: tuple[int, ...]

    @property
    def version_text(self) -> str:
        """For messages."""
        return ".".join(map(str, self.version)) or "unknown"


@dataclass(frozen=True)
class Accelerator:
    """The accelerator that a VM gets; ``reason`` says why it is not a better one, or is empty."""

    asked: str
    used: str
    reason: str = ""

    @property
    def warning(self) -> str:
        """What whoever asked for "auto" has to know, or ""."""
        if not self.reason:
            return ""
        return (
            f"KVM does not work here ({self.reason}): VMs are emulated (TCG), which is slower by an order of magnitude"
        )


def find(machine: str = "") -> Qemu:
    """The QEMU for guests of this machine's kind; VirtperfError when it is missing."""
    found = find_qemu(machine or os.uname().machine)
    if found["path"] is None:
        raise VirtperfError(
            "QEMU is not installed",
            found=f"no qemu-system program on PATH={os.environ.get('PATH', '')}",
            way_out=f"{BACKPORT}, or run the prepare stage",
        )
    return Qemu(found["path"], tuple(int(number) for number in _NUMBERS.findall(found["version"] or "")[:3]))


def check_vhost_user(qemu: Qemu, accel: str, name: str) -> None:
    """Refuse a QEMU that would crash: vhost-user under TCG segfaults with 7.2."""
    if accel == "tcg" and qemu.version and qemu.version < _VHOST_USER_TCG_BROKEN_BELOW:
        raise VirtperfError(
            f"VM {name}: this QEMU is too old for vhost-user without KVM",
            found=f"QEMU {qemu.version_text}, which crashes; 10 is known to work",
            way_out=BACKPORT,
        )


def resolve(qemu: Qemu, asked: str, name: str) -> Accelerator:
    """Turn "auto" into what works. "kvm" that does not work is refused, with what KVM said."""
    if asked == "tcg":
        return Accelerator(asked, "tcg")
    reason = probe_kvm(qemu)
    if not reason:
        return Accelerator(asked, "kvm")
    if asked == "kvm":
        raise VirtperfError(
            f"VM {name}: KVM does not work here",
            found=reason,
            way_out="switch virtualisation on (firmware, or nested on the outer host), or take accel: auto",
        )
    return Accelerator(asked, "tcg", reason)


def probe_kvm(qemu: Qemu, device: str = "/dev/kvm", cpuinfo: str = "/proc/cpuinfo") -> str:
    """Why KVM does not work, or "" when it does: a paused VM is made with it, asked, and ended.

    /dev/kvm can exist, open and create VMs and still abort at the first vCPU. One that needs no help of the CPU's (PVM)
    does run a VM, and emulates the guest's kernel instruction by instruction until it meets one that it does not know.
    """
    if not os.path.exists(device):
        return f"there is no {device}"
    if _has_no_extension(cpuinfo):
        return "the CPU has neither vmx nor svm, so that KVM can only emulate"
    words = [qemu.path, "-accel", "kvm", "-cpu", "host", "-m", "16M", "-S", "-no-user-config", "-nodefaults"]
    commands = ("qmp_capabilities", "query-status", "quit")
    script = "".join(json.dumps({"execute": name}) + "\n" for name in commands)
    try:
        done = subprocess.run(
            [*words, "-display", "none", "-qmp", "stdio"],
            input=script.encode(),
            capture_output=True,
            cwd="/",
            timeout=_PATIENCE_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"a paused VM with it did not answer in {_PATIENCE_S:.0f} s"
    if done.returncode == 0 and b'"prelaunch"' in done.stdout:
        return ""
    lines = [line.strip() for line in done.stderr.decode(errors="replace").splitlines() if line.strip()]
    return lines[0].partition("qemu-system-")[2].partition(": ")[2] or lines[0] if lines else _how(done.returncode)


def _has_no_extension(cpuinfo: str) -> bool:
    """Whether an x86 CPU lacks what hardware virtualisation needs. Other CPUs do not list it, and are tried."""
    try:
        with open(cpuinfo, encoding="utf-8", errors="replace") as file:
            flags = next((line.split() for line in file if line.startswith("flags")), [])
    except OSError:
        return False
    return bool(flags) and not {"vmx", "svm"} & set(flags)


def _how(status: int) -> str:
    return (
        f"QEMU ended with signal {signal.Signals(-status).name}" if status < 0 else f"QEMU ended with status {status}"
    )


def net_properties(qemu: Qemu) -> Sequence[str]:
    """The properties that virtio-net-pci of this QEMU has; none when it does not tell."""
    try:
        done = subprocess.run(
            [qemu.path, "-device", "virtio-net-pci,help"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=_PATIENCE_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ()
    return _PROPERTY.findall(done.stdout.decode(errors="replace"))
