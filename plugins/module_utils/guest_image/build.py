# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Building: mmdebstrap makes a tree, the tree becomes a disk, a kernel and an initrd."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from typing import Any

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.guest_image import contents, initrd
from ansible_collections.virtperf.vhost.plugins.module_utils.guest_image.recipe import KEYRING, Recipe
from ansible_collections.virtperf.vhost.plugins.module_utils.host import write_atomically

# Programs by the Debian package that has them.
_PROGRAMS = {
    "mmdebstrap": "mmdebstrap",
    "apt-config": "apt",
    "mkfs.ext4": "e2fsprogs",
    "setpriv": "util-linux",
    "unshare": "util-linux",
}
# A login by SSH may lack them in its PATH.
_MORE_PATHS = "/usr/local/sbin:/usr/sbin:/sbin"
_LOG_LINES = 15


def search_path() -> str:
    """PATH, and where root's programs are."""
    return os.pathsep.join(filter(None, (os.environ.get("PATH", os.defpath), _MORE_PATHS)))


def check_tools(recipe: Recipe) -> None:
    """Fail unless all that building takes is there."""
    wanted = {**_PROGRAMS, **({"qemu-img": "qemu-utils"} if recipe.format == "qcow2" else {})}
    missing = {name: package for name, package in wanted.items() if shutil.which(name, path=search_path()) is None}
    packages = set(missing.values())
    if not os.path.exists(KEYRING):
        missing[KEYRING] = "debian-archive-keyring"
        packages.add("debian-archive-keyring")
    if missing:
        raise VirtperfError(
            f"a guest image cannot be built without {', '.join(missing)}",
            found="not in PATH",
            way_out=f"apt-get install {' '.join(sorted(packages))}, or give a path: an image of your own",
            missing=sorted(packages),
        )
    machine = os.uname().machine
    if recipe.kind.guest and machine != "x86_64":
        raise VirtperfError(
            f"the profile {recipe.profile} can be built on x86_64 only",
            found=machine,
            way_out="give a path: an image of your own",
        )


def build(recipe: Recipe, directory: str) -> dict[str, Any]:
    """Make all files of an image in an empty directory; the manifest, which is one of them."""
    begun = time.monotonic()
    seconds: dict[str, float] = {}
    tree = os.path.join(directory, "tree")
    log = os.path.join(directory, "build.log")
    _bootstrap(recipe, directory, tree, log)
    seconds["packages"] = time.monotonic() - begun
    packages = installed(tree)
    release = None
    if recipe.kind.guest:
        release = _take_kernel(recipe, directory, tree)
        contents.configure(tree, hypervisor=recipe.kind.hypervisor)
    else:
        contents.strip(tree)
    tree_mib = _size_mib(tree)
    begun_disk = time.monotonic()
    disk = _make_disk(recipe, directory, tree, tree_mib, log)
    shutil.rmtree(tree)
    seconds["disk"] = time.monotonic() - begun_disk
    seconds["all"] = time.monotonic() - begun
    files = [name for name in (disk, "vmlinux", "vmlinuz", "initrd") if os.path.exists(os.path.join(directory, name))]
    for name in files:
        os.chmod(os.path.join(directory, name), 0o444)  # overlays are written, never their base
    manifest = {
        "name": recipe.name,
        "recipe": recipe.as_dict(),
        "disk": disk,
        "kernel_release": release,
        "packages": packages,
        "files": {name: os.path.getsize(os.path.join(directory, name)) for name in files},
        "tree_mib": tree_mib,
        "seconds": {name: round(value, 1) for name, value in seconds.items()},
    }
    write_atomically(os.path.join(directory, "manifest.json"), json.dumps(manifest, indent=1, sort_keys=True), 0o644)
    os.chmod(directory, 0o755)
    return manifest


def _bootstrap(recipe: Recipe, directory: str, tree: str, log: str) -> None:
    options = os.path.join(directory, "apt.conf")
    hook = os.path.join(directory, "finish") if recipe.finish_script() else ""
    temporary = os.path.join(directory, "tmp")
    os.mkdir(temporary, 0o700)
    _write(options, "".join(f"{line}\n" for line in apt_options()), 0o600)
    if hook:
        _write(hook, recipe.finish_script(), 0o700)
    # mmdebstrap mounts /proc and more in the tree. In namespaces of its own that ends with it, whatever ends it; and it
    # ends with us.
    shell = ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--propagation", "private", "--pid", "--fork"]
    command = [*shell, "--kill-child", "--mount-proc", "--", *recipe.command("mmdebstrap", tree, options, hook)]
    _run(command, log, "mmdebstrap could not make the tree", TMPDIR=temporary)
    os.unlink(options)
    shutil.rmtree(temporary)
    if hook:
        os.unlink(hook)


def apt_options() -> list[str]:
    """How this host's apt fetches packages: proxies, certificates, checks of dates. The image does not keep them."""
    done = subprocess.run(
        ["apt-config", "dump", "--no-empty"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env=_environment(),
        check=False,
    )
    if done.returncode != 0:
        raise VirtperfError(
            "apt-config cannot tell this host's configuration of apt",
            found=done.stderr.decode("utf-8", "replace").strip(),
            way_out="mend /etc/apt",
        )
    lines = done.stdout.decode("utf-8", "replace").splitlines()
    kept = re.compile(r"Acquire::(?!IndexTargets|Changelogs|CompressionTypes|cdrom|GzipIndexes|Languages)")
    return [line for line in lines if kept.match(line)]


def _run(command: list[str], log: str, what: str, **environment: str) -> None:
    """Run a program, its output into the log; the log's end goes into the error."""
    with open(log, "ab") as file:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            env={**_environment(), **environment},
            check=False,
        )
    if done.returncode != 0:
        with open(log, encoding="utf-8", errors="replace") as text:
            end = text.read().splitlines()[-_LOG_LINES:]
        reasons = [line for line in end if line.startswith(("E:", "mkfs.ext4:", "qemu-img:"))] or end[-1:]
        raise VirtperfError(
            what,
            found=f"exit status {done.returncode}; {'; '.join(reasons)}",
            way_out="see log_end; when a mirror cannot be reached, choose another one or mend apt's proxy",
            log_end="\n".join(end),
            rc=done.returncode,
        )


def _environment() -> dict[str, str]:
    """Ours, for it has proxies and certificates."""
    quiet = {"LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"}
    # We make the initrd; Debian's would take a while.
    return {**os.environ, "PATH": search_path(), **quiet, "INITRD": "No"}


def _write(path: str, text: str, mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)


def installed(tree: str) -> dict[str, str]:
    """The packages in a tree, with their versions."""
    with open(os.path.join(tree, "var/lib/dpkg/status"), encoding="utf-8", errors="replace") as file:
        return dict(_records(file.read()))


def _records(status: str) -> Iterator[tuple[str, str]]:
    for stanza in status.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in stanza.splitlines() if ": " in line and line[0] != " ")
        if fields.get("Status", "").endswith(" installed"):
            yield fields["Package"], fields["Version"]


def _take_kernel(recipe: Recipe, directory: str, tree: str) -> str:
    """Move the kernel out of the tree and make its initrd; its release."""
    (release,) = os.listdir(os.path.join(tree, "lib/modules"))
    missing = missing_modules(tree, release, recipe.kind.modules)
    if missing:
        raise VirtperfError(
            f"kernel {release} of the image lacks modules",
            found=f"no {', '.join(missing)}",
            way_out="see whether the mirror has dpdk-kmods-dkms for this kernel",
        )
    boot = os.path.join(tree, "boot")
    with open(os.path.join(directory, "initrd"), "wb") as file:
        file.write(initrd.build(tree, release))
    # Unpacked it starts a second earlier under emulation.
    shutil.move(os.path.join(boot, "vmlinux"), os.path.join(directory, "vmlinux"))
    shutil.move(os.path.join(boot, f"vmlinuz-{release}"), os.path.join(directory, "vmlinuz"))
    for name in os.listdir(boot):
        if name.startswith(("initrd.img", "System.map")):
            os.unlink(os.path.join(boot, name))
    if recipe.kind.hypervisor:
        guest_boot = os.path.join(tree, contents.GUEST_BOOT)
        os.mkdir(guest_boot, 0o755)
        for name in ("vmlinux", "initrd"):
            shutil.copy(os.path.join(directory, name), guest_boot)
    return release


def missing_modules(tree: str, release: str, wanted: tuple[str, ...]) -> list[str]:
    """Those of these kernel modules that are neither files nor built in."""
    base = os.path.join(tree, "lib/modules", release)
    have = set()
    for name in ("modules.dep", "modules.builtin"):
        with open(os.path.join(base, name), encoding="utf-8") as file:
            paths = [line.split(":")[0].strip() for line in file]
        have |= {os.path.basename(path).split(".ko")[0].replace("-", "_") for path in paths}
    return [name for name in wanted if name not in have]


def _size_mib(tree: str) -> int:
    """What the files of a tree take, in whole blocks."""
    blocks = 0
    for place, _directories, files in os.walk(tree):
        blocks += sum(os.lstat(os.path.join(place, name)).st_blocks for name in [".", *files])
    return -(-blocks * 512 >> 20)


def _make_disk(recipe: Recipe, directory: str, tree: str, tree_mib: int, log: str) -> str:
    if tree_mib * 1.1 + 64 > recipe.disk_mib:
        raise VirtperfError(
            "the disk is too small for what is on it",
            found=f"{tree_mib} MiB of files, a disk of {recipe.disk_mib} MiB",
            way_out=f"a disk_mib of {int(tree_mib * 1.3) + 256} or more",
        )
    raw = os.path.join(directory, "disk.raw")
    with open(raw, "wb") as file:
        file.truncate(recipe.disk_mib << 20)
    # No journal: overlays are thrown away. All of the tables at once: else a kernel thread writes them during a trial.
    options = ["-q", "-F", "-m", "0", "-L", "virtperf", "-O", "^has_journal", "-E", "lazy_itable_init=0,nodiscard"]
    _run(["mkfs.ext4", *options, "-d", tree, raw], log, "mkfs.ext4 could not make the disk")
    if recipe.format == "raw":
        return "disk.raw"
    converted = os.path.join(directory, "disk.qcow2")
    command = ["qemu-img", "convert", "-f", "raw", "-O", "qcow2", raw, converted]
    _run(command, log, "qemu-img could not convert the disk")
    os.unlink(raw)
    return "disk.qcow2"
