# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An image of the user's own: looked at, never written to."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
from typing import Any

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.guest_image.build import search_path

_FORMATS = ("raw", "qcow2")
_PATIENCE_S = 30
_SECTOR = 512


def look(path: str, kernel: str | None = None, initrd: str | None = None) -> dict[str, Any]:
    """What qemu-img tells about it: ``path``, ``format``, ``virtual_mib``, and the kernel it shall start with."""
    if not os.path.isabs(path):
        raise _refused(path, "not an absolute path", "give the whole path of a qcow2 or raw image")
    for file in filter(None, (path, kernel, initrd)):
        _check_readable(file)
    if initrd and not kernel:
        raise _refused(path, "an initrd without a kernel", "give both, or none to boot by the image's own loader")
    info = _info(path)
    image_format = str(info.get("format"))
    if image_format not in _FORMATS:
        raise _refused(path, f"format {image_format}", f"qemu-img convert -O qcow2 {path!r} a-new-file")
    if info.get("encrypted"):
        raise _refused(path, "it is encrypted", "give an image that needs no key")
    if info.get("dirty-flag") or info.get("format-specific", {}).get("data", {}).get("corrupt"):
        raise _refused(path, "it is marked as in use or corrupt", f"qemu-img check {path!r}")
    size = int(info.get("virtual-size", 0))
    if size < _SECTOR or (image_format == "raw" and _is_no_disk(path, bool(kernel))):
        raise _refused(path, f"{size} bytes with nothing to boot from", "give a disk image, or a kernel beside it")
    return {
        "name": os.path.basename(path),
        "path": path,
        "format": image_format,
        "virtual_mib": -(-size >> 20),
        "kernel": kernel,
        "initrd": initrd,
        "command_line": None,
        "packages": {},
        "kernel_release": None,
        "directory": os.path.dirname(path),
    }


def _check_readable(path: str) -> None:
    try:
        status = os.stat(path)
        with open(path, "rb"):
            pass
    except OSError as error:
        raise _refused(path, str(error.strerror), "give a file that this user can read") from error
    if not (stat.S_ISREG(status.st_mode) or stat.S_ISBLK(status.st_mode)):
        raise _refused(path, "neither a file nor a block device", "give a qcow2 or raw image")


def _is_no_disk(path: str, has_kernel: bool) -> bool:
    """qemu-img takes any file for raw. A disk that boots by itself has a boot sector; a bare ext4 needs a kernel."""
    with open(path, "rb") as file:
        head = file.read(2048)
    boots = head[510:512] == b"\x55\xaa"
    filesystem = head[1080:1082] == b"\x53\xef"  # the superblock's magic number, at 1024 + 56
    return not (boots or (has_kernel and (filesystem or len(head) == 2048)))


def _info(path: str) -> dict[str, Any]:
    program = shutil.which("qemu-img", path=search_path())
    if program is None:
        raise VirtperfError(
            f"the image {path} cannot be looked at without qemu-img",
            found="not in PATH",
            way_out="apt-get install qemu-utils",
            missing=["qemu-utils"],
        )
    try:
        # -U: a running guest may have it as its base.
        done = subprocess.run(
            [program, "info", "-U", "--output=json", "--", path],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_PATIENCE_S,
            check=False,
        )
        info = json.loads(done.stdout or b"null")
    except (subprocess.TimeoutExpired, ValueError) as error:
        raise _refused(path, f"qemu-img: {error}", "give a qcow2 or raw image") from error
    if done.returncode != 0 or not isinstance(info, dict):
        raise _refused(path, done.stderr.decode("utf-8", "replace").strip(), "give a qcow2 or raw image")
    return info


def _refused(path: str, found: str, way_out: str) -> VirtperfError:
    return VirtperfError(f"{path} cannot be a guest's image", found=found, way_out=way_out, image_path=path)
