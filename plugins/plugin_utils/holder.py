# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who asks for a host, and whether the run that holds it is dead, as seen from the controller."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Mapping
from typing import Any

from ansible_collections.virtperf.vhost.plugins.module_utils import processes
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.lock import Holder


def ended_here(raw: dict[str, Any] | None) -> bool:
    """Whether a lock's holder was a process of this machine, and has ended."""
    if not raw:
        return False
    holder, here = Holder(**raw), Host()
    return holder.boot == processes.boot_id(here) and not processes.is_running(here, holder.identity)


def controller(task_vars: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The running ansible-playbook (this is code of a worker that it forked), and what it calls the host."""
    parent = multiprocessing.parent_process()
    me = processes.identify(Host(), parent.pid if parent and parent.pid else os.getpid())
    host = (task_vars or {}).get("inventory_hostname")
    return {"name": os.uname().nodename, **me.as_dict(), **({"host": host} if host else {})}
