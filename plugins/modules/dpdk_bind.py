#!/usr/bin/python
# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible module: drivers of PCI functions."""

from __future__ import annotations

DOCUMENTATION = r"""
module: dpdk_bind
short_description: Bind PCI functions to a driver for DPDK, or back to the kernel's
version_added: 0.1.0
author:
  - The virtperf developers (@virtperf)
description:
  - Gives PCI functions to C(uio_pci_generic), C(igb_uio) or C(vfio-pci), by which DPDK uses them, or back to the driver
    that makes interfaces or disks of them.
  - It goes through C(driver_override), C(unbind) and C(drivers_probe), and reads back which driver the function has
    then. When one of the functions cannot be had, all are put back.
  - Everything is checked before anything is touched. A function is refused when its driver carries the SSH connection
    or a default route, when one of its interfaces is part of a bridge, bond, team or VLAN, when a disk of it is in use
    (a mounted file system, swap, device mapper, RAID), when a program uses its device file, when virtual functions
    depend on it, and when it is a bridge to other functions.
  - C(vfio-pci) is refused without an IOMMU group, and unless all functions of the group are free or go to it as well.
  - The driver before is noted in the host's journal before the change is made, so that it can be undone later, by
    another process too. What is not undone is the loading of a module.
  - An interface that comes back gets the name it had, as far as that is free. Its addresses do not come back.
extends_documentation_fragment:
  - virtperf.vhost.run
  - virtperf.vhost.run.attributes
attributes:
  check_mode:
    support: full
    details:
      - Whether the kernel takes a module that has to be loaded first, and whether a driver then accepts the function,
        is known only when it is tried.
      - Not known before the change are the names RV(devices[].interfaces) and RV(devices[].device_file), which are
        V(null) in check mode where the driver would change.
      - Check mode works without root, but then disks and device files that others use may go unnoticed.
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  devices:
    description:
      - The functions to bind. Others are left alone.
      - Each is named by just one of O(devices[].address), O(devices[].mac) and O(devices[].interface).
    type: list
    elements: dict
    required: true
    suboptions:
      address:
        description: Its PCI address, such as V(0000:00:05.0) or V(00:05.0).
        type: str
      mac:
        description:
          - The MAC address of its interface.
          - While the kernel has no interface of it, this and O(devices[].interface) are looked up in the journal.
        type: str
      interface:
        description: The name of its interface.
        type: str
      driver:
        description:
          - The driver. It is loaded when it is a module that is not loaded yet.
          - V(kernel) is the one that the kernel would choose by itself.
        type: str
        required: true
  force:
    description:
      - Whether to bind also a function whose interface has an IP address. The address is lost then, and does not come
        back with the driver.
      - It does not help against any other refusal.
    type: bool
    default: false
notes:
  - In a virtual machine C(vfio-pci) needs a virtual IOMMU, with QEMU C(-machine q35 -device intel-iommu), because
    kernels such as Debian's are built without VFIO_NOIOMMU. The two uio drivers do not.
seealso:
  - module: virtperf.vhost.testpmd
    description: Uses functions that were bound.
"""

EXAMPLES = r"""
- name: Give the second interface of a guest to DPDK
  virtperf.vhost.dpdk_bind:
    devices:
      - mac: 02:00:00:00:00:05
        driver: uio_pci_generic
  become: true
  register: bound

- name: Two ports at once
  virtperf.vhost.dpdk_bind:
    devices:
      - {address: "0000:03:00.0", driver: vfio-pci}
      - {address: "0000:03:00.1", driver: vfio-pci}
  become: true

- name: Back to the kernel
  virtperf.vhost.dpdk_bind:
    devices:
      - {address: "{{ bound.devices[0].address }}", driver: kernel}
  become: true
"""

RETURN = r"""
devices:
  description: One entry for each of O(devices), in that order.
  returned: success
  type: list
  elements: dict
  contains:
    address:
      description: Its PCI address.
      returned: success
      type: str
      sample: "0000:00:05.0"
    requested:
      description: The driver as asked for.
      returned: success
      type: str
      sample: uio_pci_generic
    was:
      description: The driver it had before, V(null) for none.
      returned: success
      type: str
      sample: virtio-pci
    driver:
      description: The driver it has now, read back; in check mode the one it would have.
      returned: success
      type: str
      sample: uio_pci_generic
    changed:
      description: Whether it was changed.
      returned: success
      type: bool
      sample: true
    interfaces_before:
      description: The network interfaces it had before.
      returned: success
      type: list
      elements: str
      sample: [eth1]
    macs:
      description: Their MAC addresses.
      returned: success
      type: list
      elements: str
      sample: ["02:00:00:00:00:05"]
    interfaces:
      description: The network interfaces it has now.
      returned: success
      type: list
      elements: str
      sample: []
    device_file:
      description: The file by which programs use it, V(null) where the kernel itself uses it.
      returned: success
      type: str
      sample: /dev/uio0
    iommu_group:
      description: The number of its IOMMU group, V(null) where there is none.
      returned: success
      type: int
      sample: 7
actions:
  description: What was changed, in plain words and in the order it was done; in check mode what would be.
  returned: success
  type: list
  elements: str
  sample:
    - load module uio_pci_generic (it stays loaded)
    - "0000:00:05.0: from virtio-pci to uio_pci_generic, which takes eth1 away"
refused:
  description: The functions that were refused, and why. Nothing was touched then, the others neither.
  returned: when one was refused
  type: list
  elements: dict
  sample:
    - address: "0000:00:03.0"
      driver: uio_pci_generic
      reasons: ["eth0: it carries the default route of IPv4"]
address:
  description: The PCI address of the function that the failure is about.
  returned: when it is about one that was found
  type: str
  sample: "0000:00:05.0"
file:
  description: The file that could not be used.
  returned: when a file could not be used
  type: str
  sample: /sys/bus/pci/drivers_probe
errno:
  description: The number of the operating system's error.
  returned: when a file could not be used
  type: int
  sample: 19
left_changed:
  description: What could not be put back after a failure; the journal still has it.
  returned: when something had been changed before the failure
  type: list
  elements: str
  sample: []
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.module import RUN_ARGUMENTS, run_module
from ansible_collections.virtperf.vhost.plugins.module_utils.pci.bind import NAMES, ensure

DEVICE: dict[str, dict[str, Any]] = {
    "address": {"type": "str"},
    "mac": {"type": "str"},
    "interface": {"type": "str"},
    "driver": {"type": "str", "required": True},
}
ARGUMENTS: dict[str, dict[str, Any]] = {
    "devices": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": DEVICE,
        "required_one_of": [NAMES],
        "mutually_exclusive": [NAMES],
    },
    "force": {"type": "bool", "default": False},
    **RUN_ARGUMENTS,
}


def work(module: AnsibleModule, host: Host) -> dict[str, Any]:
    """Hand the parameters to the core."""
    given = module.params
    return ensure(host, given["devices"], force=given["force"], run_id=given["run_id"], check_mode=module.check_mode)


def main() -> None:
    """Entry point."""
    run_module(AnsibleModule(ARGUMENTS, supports_check_mode=True), work)


if __name__ == "__main__":
    main()
