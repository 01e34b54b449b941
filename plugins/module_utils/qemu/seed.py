# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What cloud-init in a guest is told: the files of a NoCloud seed.

They are written as JSON, which is YAML to cloud-init. QEMU shows their directory to the guest as a disk (vvfat), so
that the host needs no tool that makes filesystems.
"""

from __future__ import annotations

import hashlib
import json
import os
from typing import Any

from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host, write_atomically
from ansible_collections.virtperf.vhost.plugins.module_utils.qemu.definition import CloudInit

DIRECTORY = "seed"
# cloud-init finds its seed by this label of the filesystem.
LABEL = "cidata"


def write(host: Host, told: CloudInit, directory: str) -> None:
    """Write the seed: ``user-data`` has the guest's private host key in it, so it is ours alone (0700, 0600)."""
    host.private_directory(directory)
    for name, text in files(host, told).items():
        write_atomically(os.path.join(directory, name), text)


def files(host: Host, told: CloudInit) -> dict[str, str]:
    """The seed's files by name; OSError when the host key cannot be read."""
    user_data = f"#cloud-config\n{_json(_user_data(host, told))}"
    network = {"network-config": _json(dict(told.network_config))} if told.network_config else {}
    # A guest whose seed is another one takes itself for a new one, and reads all of it again.
    instance = hashlib.sha256("\0".join([user_data, *network.values()]).encode()).hexdigest()[:16]
    meta_data = {"instance-id": f"virtperf-{instance}", "local-hostname": told.hostname}
    return {"user-data": user_data, "meta-data": _json(meta_data), **network}


def _user_data(host: Host, told: CloudInit) -> dict[str, Any]:
    user: dict[str, Any] = {"name": told.user, "ssh_authorized_keys": list(told.authorized_keys), "lock_passwd": True}
    if told.user != "root":
        user.update({"sudo": "ALL=(ALL) NOPASSWD:ALL", "shell": "/bin/bash"})
    data: dict[str, Any] = {
        "users": [user],
        "disable_root": told.user != "root",
        "ssh_pwauth": False,
        # A guest's disk is as large as its image, and what else cloud-init does unasked takes seconds under emulation.
        "growpart": {"mode": "off"},
        "resize_rootfs": False,
        "locale": False,
        "no_ssh_fingerprints": True,
        "ssh": {"emit_keys_to_console": False},
    }
    if told.host_key_file:
        # cloud-init then makes none of its own, and removes those that came with the image.
        with open(told.host_key_file, encoding="utf-8") as file:
            private = file.read()
        data["ssh_keys"] = {"ed25519_private": private, "ed25519_public": host.read(f"{told.host_key_file}.pub")}
    if told.ready:
        # The last of cloud-init's modules runs this. The port is named, for the image may have its console elsewhere.
        data["runcmd"] = [["sh", "-c", f"echo '{told.ready}' >/dev/ttyS0"]]
    return data


def _json(value: Any) -> str:
    return json.dumps(value, indent=1, sort_keys=True) + "\n"
