# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the documentation of all modules has in common.

``extends_documentation_fragment: [virtperf.vhost.run, virtperf.vhost.run.attributes]``; the module adds ``support``
(and ``details``) to the attributes check_mode, diff_mode and idempotent.
"""

from __future__ import annotations


class ModuleDocFragment:
    """Fragments of documentation, by name."""

    # The option every module takes: module_utils.module.RUN_ARGUMENTS.
    DOCUMENTATION = r"""
options:
  run_id:
    description:
      - The run that this task belongs to, an invocation of the playbooks.
      - It is written into the host's journal beside every change, so that it can be told later which run made it.
      - All modules of the collection take it, so that C(module_defaults) can give it to the action group
        C(virtperf.vhost.vhost) as a whole.
    type: str
    default: ""
requirements:
  - Python 3.9 or newer on the host, its standard library is enough
"""

    ATTRIBUTES = r"""
attributes:
  check_mode:
    description: Can run in C(check_mode) and return the changed status prediction without modifying the host.
  diff_mode:
    description: Returns what has changed (or, in check mode, would change), when in diff mode.
  idempotent:
    description: When run twice in a row outside check mode, with the same arguments, the second run changes nothing.
  platform:
    description: Operating systems that the module can be used on.
    support: full
    platforms: Linux
"""
