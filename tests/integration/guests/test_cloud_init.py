# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An image of the user's own, plain Debian with cloud-init, as a guest of a lab.

The role image builds it once, as a filesystem that nothing of ours is written into, and keeps it in this user's cache.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import a_lab
import bench

PACKAGES = [
    *("busybox-static", "cloud-init", "dbus", "iproute2", "linux-image-cloud-amd64"),
    *("netplan.io", "openssh-server", "python3", "systemd-sysv", "udev"),
]
IMAGE = {"image_profile": "essential", "image_packages": PACKAGES, "image_disk_mib": 3072}
# What takes seconds under emulation and has nothing to do with cloud-init.
MASKED = (
    *("getty@tty1", "ldconfig", "serial-getty@ttyS0", "systemd-binfmt", "systemd-journal-catalog-update"),
    *("systemd-journal-flush", "systemd-logind", "systemd-modules-load", "systemd-networkd-wait-online"),
    *("systemd-pstore", "systemd-update-done"),
)
MODULES = "ahci,autofs4,button,evdev,i2c_i801,iTCO_wdt,lpc_ich,pcspkr,psmouse,qemu_fw_cfg"
# Builds an initrd from a tree, as for images of ours: argv are the tree, the kernel's release and the file.
INITRD = (
    "import sys; from ansible_collections.virtperf.vhost.plugins.module_utils.guest_image import initrd;"
    "open(sys.argv[3], 'wb').write(initrd.build(sys.argv[1], sys.argv[2]))"
)


def own_image(directory: Path) -> dict[str, Any]:
    """Role variables of the image, with the kernel out of it and an initrd for that kernel."""
    assert shutil.which("debugfs"), "apt-get install e2fsprogs"
    keep = {"content": "{{ image_ready | to_json }}", "dest": str(directory / "image.json"), "mode": "0600"}
    role = {"name": "Have it", "ansible.builtin.import_role": {"name": "virtperf.vhost.image"}, "vars": IMAGE}
    tasks = [role, {"name": "Keep what it says", "ansible.builtin.copy": keep}]
    playbook = directory / "image.yml"
    playbook.write_text(json.dumps([{"name": "Image", "hosts": "localhost", "gather_facts": False, "tasks": tasks}]))
    done = bench.finish(bench.start_file(playbook), directory, "", timeout_s=600)
    assert done.status == 0, done.output
    disk = json.loads((directory / "image.json").read_text())["path"]

    def debugfs(request: str) -> str:
        words = ["debugfs", "-R", request, disk]
        return subprocess.run(words, check=True, capture_output=True, text=True, cwd=directory).stdout

    release = re.search(r"/vmlinuz-([^/]+)/", debugfs("ls -p /boot"))
    assert release, "the image has no kernel"
    tree = directory / "tree"
    (tree / "usr/bin").mkdir(parents=True)
    (tree / "lib").mkdir()
    debugfs("rdump /usr/lib/modules tree/lib")
    debugfs("dump /usr/bin/busybox tree/usr/bin/busybox")
    debugfs(f"dump /boot/vmlinuz-{release[1]} vmlinuz")
    subprocess.run(
        [sys.executable, "-c", INITRD, str(tree), release[1], str(directory / "initrd")],
        env={"PYTHONPATH": str(bench.CHECKOUT / ".venv/collections")},
        check=True,
    )
    masked = " ".join(f"systemd.mask={unit}.service" for unit in MASKED)
    return {
        "image_path": disk,
        "image_kernel": str(directory / "vmlinuz"),
        "image_initrd": str(directory / "initrd"),
        "guests_append": f"root=/dev/vda rw console=ttyS0 net.ifnames=0 quiet module_blacklist={MODULES} {masked}",
    }


def test_it_is_a_guest_like_any_other(tmp_path: Path) -> None:
    image = own_image(tmp_path)
    # Flags of the CPU that nobody has drivers loaded for.
    small = {"guests_init": "cloud-init", "guests_cpu": "qemu64", "guests_ready_timeout_s": 240}
    with a_lab.lab(tmp_path, "own") as lab:
        up = lab.up(**image, **small)
        assert up.status == 0, up.output
        ask = (
            "cat /proc/sys/kernel/hostname; ls /etc/ssh/ssh_host_*_key; cut -d: -f2 /etc/shadow | sort -u;"
            "sshd -T | grep -i -E '^(passwordauthentication|kbdinteractive)'; cloud-init status"
        )
        asked = {"name": "Ask", "ansible.builtin.shell": ask, "register": "asked", "changed_when": False}
        show = {"name": "Show", "ansible.builtin.debug": {"msg": "said={{ asked.stdout_lines | join('|') }}|"}}
        used = lab.use([asked, show])
        assert used.status == 0, used.output
        said = re.sub(r"\s+", " ", used.output).partition("said=")[2]
        assert said.startswith("own|/etc/ssh/ssh_host_ed25519_key|"), said
        assert "$" not in said.partition("passwordauthentication")[0], "somebody has a password"
        assert "passwordauthentication no|" in said
        assert "status: done|" in said
        again = lab.up(**image, **small)
        assert (again.status, again.changed) == (0, 0), again.output
