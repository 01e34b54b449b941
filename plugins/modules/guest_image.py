#!/usr/bin/python
# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Have an image that guests are started from."""

from __future__ import annotations

DOCUMENTATION = r"""
module: guest_image
short_description: Have an image that guests are started from
version_added: 0.1.0
author: The virtperf.vhost authors (@virtperf)
description:
  - Builds a Debian 13 image for guests with C(mmdebstrap), once. The hash of all that decides its content is part of
    its name; an image of that name that is whole is taken as it is.
  - The image has a kernel and an initrd for direct boot, an SSH server without password logins, Python, DPDK, and
    the kernel modules C(uio_pci_generic) and C(igb_uio). It holds no SSH host keys.
  - A guest of it is configured by systemd's credentials, for instance in SMBIOS strings of type 11. They are
    C(network.network.*), C(ssh.authorized_keys.root), C(ssh.host_key.ed25519) and C(firstboot.hostname). Without
    C(ssh.host_key.ed25519) it makes a host key at its first boot.
  - "When SSH answers, a guest prints C(virtperf: ready) on its console."
  - An image appears whole or not at all. What an interrupted build left is removed by the next one. One builder at a
    time works in a cache; others wait for it.
  - An image of your own is looked at instead when O(path) is given, and never written to.
  - Images are a cache of the user's. They are not in the journal, restoring a host leaves them.
options:
  path:
    description: An image of your own, qcow2 or raw, instead of one that is built. The options of building are not used.
    type: path
  kernel:
    description: The kernel to start O(path) with. Without it, it boots by its own loader.
    type: path
  initrd:
    description: The initrd that goes with O(kernel).
    type: path
  profile:
    description:
      - V(reflect) has what DPDK guests need.
      - V(full) has the workloads of all studies as well.
      - V(hypervisor) has what V(full) has, QEMU and libvirt. It starts as a hypervisor when
        C(systemd.unit=virtperf-hypervisor.target) is on its kernel's command line, else as a guest. Kernel and initrd
        for guests are in its C(/boot/guest).
      - V(essential) has Debian's essential packages and O(packages), no kernel, and does not boot.
    type: str
    choices: [reflect, full, hypervisor, essential]
    default: reflect
  packages:
    description: More Debian packages for the image.
    type: list
    elements: str
    default: []
  mirror:
    description: Where packages come from. This host's configuration of apt is used for fetching (proxies and the like).
    type: str
    default: http://deb.debian.org/debian
  disk_mib:
    description: Size of the guest's disk, in MiB. It is a sparse file.
    type: int
    default: 4096
  format:
    description: Format of the disk.
    type: str
    choices: [raw, qcow2]
    default: raw
  cache_dir:
    description: Where built images are kept.
    type: path
    default: ~/.cache/virtperf/images
  wait_s:
    description: How many seconds to wait for another builder in O(cache_dir).
    type: int
    default: 900
extends_documentation_fragment:
  - virtperf.vhost.run
  - virtperf.vhost.run.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
requirements:
  - mmdebstrap, e2fsprogs and debian-archive-keyring to build, qemu-utils for qcow2 and for O(path)
"""

EXAMPLES = r"""
- name: Have an image for DPDK guests
  virtperf.vhost.guest_image:
  become: true
  register: built

- name: Have one with a tool of mine
  virtperf.vhost.guest_image:
    packages: [strace]
    cache_dir: /srv/images
  become: true

- name: Take an image of my own
  virtperf.vhost.guest_image:
    path: /srv/images/fedora.qcow2
  become: true
"""

RETURN = r"""
image:
  description: The image, as it is or, in check mode, would be.
  returned: success
  type: dict
  contains:
    name:
      description: Its name; of one that was built, with the hash of its recipe.
      returned: success
      type: str
      sample: debian-13-reflect-1f0c64b7a9d2
    directory:
      description: Its directory. Of one that was built it also has V(manifest.json) and V(build.log).
      returned: success
      type: str
      sample: /root/.cache/virtperf/images/debian-13-reflect-1f0c64b7a9d2
    path:
      description: Its disk, the read-only base for overlays.
      returned: success
      type: str
      sample: /root/.cache/virtperf/images/debian-13-reflect-1f0c64b7a9d2/disk.raw
    format:
      description: Format of the disk.
      returned: success
      type: str
      sample: raw
    virtual_mib:
      description: Size of the disk as a guest sees it, in MiB.
      returned: success
      type: int
      sample: 4096
    kernel:
      description: The kernel to start it with, V(null) when it boots by its own loader or not at all.
      returned: success
      type: str
      sample: /root/.cache/virtperf/images/debian-13-reflect-1f0c64b7a9d2/vmlinux
    initrd:
      description: The initrd that goes with it. It takes C(root=/dev/vda), which is also its default.
      returned: success
      type: str
      sample: /root/.cache/virtperf/images/debian-13-reflect-1f0c64b7a9d2/initrd
    command_line:
      description: What to start the kernel with, V(null) for an image of your own or one that does not boot.
      returned: success
      type: str
      sample: root=/dev/vda rw console=ttyS0 quiet net.ifnames=0 lsm=capability
    kernel_release:
      description: The kernel's release, V(null) when it is not known.
      returned: success
      type: str
      sample: 6.12.107+deb13-cloud-amd64
    packages:
      description: Versions of the packages in it; empty for an image of your own, or before it is built.
      returned: success
      type: dict
      sample: {dpdk-dev: 24.11.4-0+deb13u1}
actions:
  description: What was done, in plain words; in check mode what would be.
  returned: success
  type: list
  elements: str
  sample: ["build /root/.cache/virtperf/images/debian-13-reflect-1f0c64b7a9d2"]
waited_s:
  description: How many seconds another builder was waited for.
  returned: success
  type: float
  sample: 0.0
log_end:
  description: The end of the log of a build that failed.
  returned: when a program failed
  type: str
  sample: "E: unable to download packages"
rc:
  description: The exit status of the program that failed.
  returned: when a program failed
  type: int
  sample: 1
missing:
  description: The Debian packages to install first.
  returned: when a program is missing
  type: list
  elements: str
  sample: [mmdebstrap]
free_mib:
  description: Space that is free, in MiB.
  returned: when there is not enough space
  type: int
  sample: 412
needed_mib:
  description: Space that building takes, in MiB.
  returned: when there is not enough space
  type: int
  sample: 2600
holder:
  description: The other builder, V(null) when it did not name itself.
  returned: when another builder was waited for in vain
  type: dict
  sample: {pid: 4711, image: debian-13-full-77aa0c12b3d4, since: "2026-11-20T10:00:00Z"}
image_path:
  description: The image of your own that cannot be used.
  returned: when O(path) cannot be a guest's image
  type: str
  sample: /srv/images/notes.txt
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.virtperf.vhost.plugins.module_utils.guest_image.manager import ensure
from ansible_collections.virtperf.vhost.plugins.module_utils.guest_image.recipe import FORMATS, PROFILES
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.module import RUN_ARGUMENTS, run_module

ARGUMENTS: dict[str, dict[str, Any]] = {
    "path": {"type": "path"},
    "kernel": {"type": "path"},
    "initrd": {"type": "path"},
    "profile": {"type": "str", "choices": list(PROFILES), "default": "reflect"},
    "packages": {"type": "list", "elements": "str", "default": []},
    "mirror": {"type": "str", "default": "http://deb.debian.org/debian"},
    "disk_mib": {"type": "int", "default": 4096},
    "format": {"type": "str", "choices": list(FORMATS), "default": "raw"},
    "cache_dir": {"type": "path", "default": "~/.cache/virtperf/images"},
    "wait_s": {"type": "int", "default": 900},
    **RUN_ARGUMENTS,
}


def work(module: AnsibleModule, host: Host) -> dict[str, Any]:
    """Hand the parameters to the core."""
    return ensure(host, module.params, check_mode=module.check_mode)


def main() -> None:
    """Entry point."""
    run_module(AnsibleModule(ARGUMENTS, supports_check_mode=True), work)


if __name__ == "__main__":
    main()
