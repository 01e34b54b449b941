# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs ip(8), through which interfaces are looked at and changed."""

from __future__ import annotations

import os
import shutil
import subprocess

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError

_MORE_PATHS = ("/usr/sbin", "/sbin", "/usr/bin", "/bin")
_PATIENCE_S = 30
# What the kernel says, and what helps.
_WAYS_OUT = (
    ("Unknown device type", "modprobe bridge (for a macvtap: veth, macvtap); this kernel may have none"),
    ("Operation not supported", "modprobe bridge (for a macvtap: veth, macvtap); this kernel may have none"),
    ("/dev/net/tun", "modprobe tun; a container needs /dev/net/tun from outside"),
    ("open: No such file", "modprobe tun; a container needs /dev/net/tun from outside"),
    ("Operation not permitted", "run with become, and in a container with CAP_NET_ADMIN"),
    ("Device or resource busy", "somebody else makes or uses an interface of that name: run again when he has ended"),
)


class Ip:
    """The real one; tests give another one."""

    def run(self, *arguments: str) -> str:
        """What ``ip`` with these arguments prints; VirtperfError when it fails."""
        program = shutil.which("ip", path=os.pathsep.join([os.environ.get("PATH", ""), *_MORE_PATHS]))
        if program is None:
            raise VirtperfError("there is no ip(8) on this machine", way_out="install the package iproute2")
        command = f"ip {' '.join(arguments)}"
        try:
            done = subprocess.run(
                [program, *arguments],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                env={**os.environ, "LC_ALL": "C"},
                timeout=_PATIENCE_S,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise VirtperfError(
                f"{command} does not end", found=f"nothing after {_PATIENCE_S} s", way_out="see dmesg"
            ) from error
        if done.returncode != 0:
            said = (done.stderr or done.stdout).strip()
            raise VirtperfError(
                f"{command} failed",
                found=said or f"status {done.returncode}",
                way_out=next((way for part, way in _WAYS_OUT if part in said), "see dmesg"),
                command=command,
                rc=done.returncode,
                stderr=said,
            )
        return done.stdout


IP = Ip()
