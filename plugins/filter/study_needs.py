# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run needs of a host."""

from __future__ import annotations

DOCUMENTATION = r"""
name: study_needs
short_description: What the studies of a run need of a host
version_added: 0.1.0
author: The virtperf.vhost authors (@virtperf)
description:
  - Puts together what each study's plan says that it needs, for the role P(virtperf.vhost.host#role).
positional: _input
options:
  _input:
    description: The plans of the studies, such as that of P(virtperf.vhost.throttle_plan#filter).
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
needs: "{{ [reflect_plan, throttle_plan] | virtperf.vhost.study_needs }}"
"""

RETURN = r"""
_value:
  description:
    - C(hugepages) and C(mounts) are for M(virtperf.vhost.hugepages), C(modules) those of the kernel, C(bridges) for
      M(virtperf.vhost.lab_network), C(packages) those of Debian; C(guests) is whether guests are run, C(libvirt)
      whether by libvirt, C(image) whether an image has to be there beforehand.
  type: dict
"""

from typing import Any

from ansible_collections.virtperf.vhost.plugins.plugin_utils.needs import merge


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, Any]:
        """The filters by name."""
        return {"study_needs": merge}
