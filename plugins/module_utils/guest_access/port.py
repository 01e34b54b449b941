# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The loopback port of the host that leads to a VM's sshd through QEMU's own network."""

from __future__ import annotations

import socket

from ansible_collections.virtperf.vhost.plugins.module_utils.qemu.definition import Definition
from ansible_collections.virtperf.vhost.plugins.module_utils.qemu.instance import Instance


def forwarded(definition: Definition) -> int:
    """The one that a VM has by its definition; 0 for none."""
    forwards = definition.user_net.forwards if definition.user_net else ()
    return forwards[0].host_port if forwards else 0


def choose(instance: Instance) -> int:
    """The one that the VM has if it runs, else one that is free now."""
    running = instance.definition() if instance.is_running() else None
    if running is not None and forwarded(running):
        return forwarded(running)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
