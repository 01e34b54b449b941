# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The seam between Ansible and the core: who may run it, what comes back, how a failure is told."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.lock import RunLock

# What every module accepts; the documentation fragment ``run`` describes it.
RUN_ARGUMENTS: dict[str, dict[str, Any]] = {"run_id": {"type": "str", "default": ""}}

Work = Callable[[AnsibleModule, Host], dict[str, Any]]


def run_module(module: AnsibleModule, work: Work, *, root: bool = True, respects_lock: bool = True) -> None:
    """Call ``work`` and leave with its result, or with a failure that says what to do about it.

    A host that another living run holds is left alone, except by modules that only look (they need no root) and those
    that deal with the lock themselves.

    Check mode may run without root: it reads only, and what it cannot read is told as such.
    A ``diff`` in the result is passed on when diff mode asks for it; ``warnings`` are given in Ansible's own way.
    """
    name, user = os.uname().nodename, os.geteuid()
    become = f"run with become (-b, or become: true), found uid {user}"
    if root and user != 0 and not module.check_mode:
        module.fail_json(msg=f"needs root on {name}: {become}")
    host = Host()
    try:
        if root and respects_lock:
            RunLock(host).check_not_held_by_another(module.params["run_id"])
        result = work(module, host)
    except VirtperfError as error:
        module.fail_json(msg=str(error), **error.facts)
    except OSError as error:
        what = f"{error.filename}: {error.strerror}" if error.filename else str(error)
        if error.errno in (errno.EACCES, errno.EPERM) and user != 0:
            what = f"not allowed on {name}: {what}; {become}"
        # Not "path": Ansible would add what it finds out about a file of that name.
        module.fail_json(msg=what, file=error.filename, errno=error.errno)
    if not module._diff:
        result.pop("diff", None)
    for warning in result.pop("warnings", ()):
        module.warn(warning)
    module.exit_json(**result)
