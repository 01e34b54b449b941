# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a guest image is made of: validated, named after its hash, and turned into mmdebstrap's command line."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.guest_image import contents, initrd

SUITE = "trixie"
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
FORMATS = ("raw", "qcow2")

_GUEST = (
    "acpid",
    "busybox-static",
    "ethtool",
    "iproute2",
    "kmod",
    "linux-image-cloud-amd64",
    "openssh-server",
    "pciutils",
    "procps",
    "python3",
    "systemd-sysv",
    "udev",
)
_DPDK = ("dpdk-dev", "numactl")
_WORKLOADS = (
    "apache2-utils",
    "bpftrace",
    "iperf3",
    # memcaslap, which asks memcached for its values.
    "libmemcached-tools",
    "linux-perf",
    "memcached",
    "netperf",
    "nginx-light",
    "python3-tk",
    "tcpdump",
    "tigervnc-viewer",
    "x11vnc",
    "xvfb",
)
# What a hypervisor needs, so that guests can run in the guest.
_HYPERVISOR = (
    "dbus",
    "libvirt-clients",
    "libvirt-daemon-driver-qemu",
    "libvirt-daemon-system",
    "python3-libvirt",
    "qemu-system-x86",
    "qemu-utils",
    "systemd-container",
)
# Needed to build and gone afterwards: igb_uio comes as source, and Debian's kernel is a zstd archive.
_BUILD_ONLY = ("dpdk-kmods-dkms", "linux-headers-cloud-amd64", "zstd")


@dataclass(frozen=True)
class Profile:
    """A kind of image. ``modules`` are kernel modules it must have; MiB are what building it takes at its fullest."""

    packages: tuple[str, ...]
    build_only: tuple[str, ...]
    modules: tuple[str, ...]
    needed_mib: int
    guest: bool = True
    hypervisor: bool = False


_MODULES = ("igb_uio", "uio_pci_generic", "vfio_pci", "virtio_blk", "virtio_net", "pktgen")
PROFILES: dict[str, Profile] = {
    # What the guests of vhost-user studies need.
    "reflect": Profile((*_GUEST, *_DPDK), _BUILD_ONLY, _MODULES, 2600),
    # And the workloads of all studies.
    "full": Profile((*_GUEST, *_DPDK, *_WORKLOADS), _BUILD_ONLY, _MODULES, 4600),
    # And a hypervisor, whose guests are started from the same image.
    "hypervisor": Profile(
        (*_GUEST, *_DPDK, *_WORKLOADS, *_HYPERVISOR),
        _BUILD_ONLY,
        (*_MODULES, "br_netfilter", "bridge", "kvm_amd", "kvm_intel", "macvtap", "tun", "veth", "vhost_net"),
        5200,
        hypervisor=True,
    ),
    # Debian's essential packages, without a kernel: a filesystem to look at, not one to boot.
    "essential": Profile((), (), (), 700, guest=False),
}

_PACKAGE = re.compile(r"[a-z0-9][a-z0-9+.-]+")
_MIRROR = re.compile(r"(https?|file|copy)://[^\s@'\"]+")

# Runs with the path of the tree as its argument, while mmdebstrap still has /proc and the like mounted in it.
FINISH = r"""#!/bin/sh
set -eu
root=$1
release=$(ls "$root/lib/modules")
mkdir -p "$root/lib/modules/$release/extra"
cp "$root/lib/modules/$release/updates/dkms/"igb_uio.ko* "$root/lib/modules/$release/extra/"
payload() { # offset and length of the compressed kernel: Documentation/arch/x86/boot.rst of Linux
    od -A n -t u4 -j "$1" -N 4 "$root/boot/vmlinuz-$release" | tr -d ' '
}
setup=$(od -A n -t u1 -j $((0x1f1)) -N 1 "$root/boot/vmlinuz-$release" | tr -d ' ')
start=$(((setup + 1) * 512 + $(payload $((0x248)))))
# The last four bytes are the length unpacked.
tail -c +$((start + 1)) "$root/boot/vmlinuz-$release" | head -c $(($(payload $((0x24c))) - 4)) |
    chroot "$root" zstd -d -q -c >"$root/boot/vmlinux"
# What is only suggested or recommended by something that stays would stay too: a compiler, for instance.
chroot "$root" apt-get -y -q -o APT::AutoRemove::SuggestsImportant=false -o APT::AutoRemove::RecommendsImportant=false \
    --autoremove purge BUILD_ONLY dkms '^linux-headers-.*' '^linux-kbuild-.*'
chroot "$root" depmod "$release"
"""


@dataclass(frozen=True)
class Recipe:
    """All that decides what is in an image."""

    profile: str
    packages: tuple[str, ...]
    mirror: str
    disk_mib: int
    format: str

    @property
    def kind(self) -> Profile:
        """Its profile."""
        return PROFILES[self.profile]

    @property
    def name(self) -> str:
        """Profile and hash; the name of its directory in the cache."""
        text = json.dumps(self.as_dict(), sort_keys=True)
        return f"debian-13-{self.profile}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"

    @property
    def included(self) -> tuple[str, ...]:
        """The packages that stay, beside what they depend on."""
        return tuple(sorted({*self.kind.packages, *self.packages}))

    def as_dict(self) -> dict[str, Any]:
        """As the manifest keeps it. Another text of ours in the image makes another image, so it has their hash."""
        own = json.dumps([contents.FILES, contents.ENABLED, contents.MASKED, contents.MASKED_GENERATORS])
        texts = [own, initrd.INIT, " ".join(initrd.DRIVERS), FINISH] if self.kind.guest else []
        texts += [json.dumps(contents.HYPERVISOR_FILES), contents.GUEST_BOOT] if self.kind.hypervisor else []
        return {
            **asdict(self),
            "suite": SUITE,
            "packages": list(self.included),
            "build_only": list(self.kind.build_only),
            "contents": hashlib.sha256("\0".join(texts).encode()).hexdigest(),
        }

    def finish_script(self) -> str:
        """What is run in the tree before mmdebstrap ends; empty when there is nothing to do."""
        return FINISH.replace("BUILD_ONLY", " ".join(self.kind.build_only)) if self.kind.build_only else ""

    def command(self, mmdebstrap: str, target: str, apt_options: str, hook: str) -> list[str]:
        """mmdebstrap's command line. ``apt_options`` is a file, for proxies may have passwords."""
        include = ",".join([*self.included, *self.kind.build_only])
        left_out = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/info/*", "/usr/share/locale/*")
        return [
            mmdebstrap,
            "--mode=root",
            "--format=directory",
            f"--variant={'minbase' if self.kind.guest else 'essential'}",
            f"--keyring={KEYRING}",
            f"--aptopt={apt_options}",
            '--aptopt=APT::Install-Recommends "false"',
            "--dpkgopt=force-unsafe-io",
            *(f"--dpkgopt=path-exclude={pattern}" for pattern in left_out),
            *([f"--include={include}"] if include else []),
            *([f"--customize-hook={hook}"] if hook else []),
            SUITE,
            target,
            self.mirror,
        ]


def parse(raw: Mapping[str, Any]) -> Recipe:
    """A validated recipe from module arguments."""
    packages: Sequence[Any] = raw.get("packages") or ()
    recipe = Recipe(
        profile=str(raw["profile"]),
        packages=tuple(sorted({str(package) for package in packages})),
        mirror=str(raw["mirror"]).rstrip("/"),
        disk_mib=int(raw["disk_mib"]),
        format=str(raw["format"]),
    )
    if recipe.profile not in PROFILES:
        raise _wrong("profile", recipe.profile, f"one of {', '.join(PROFILES)}")
    for package in recipe.packages:
        if not _PACKAGE.fullmatch(package):
            raise _wrong("packages", package, "names of Debian packages: small letters, digits, '+', '-' and '.'")
    if not _MIRROR.fullmatch(recipe.mirror):
        raise _wrong(
            "mirror", recipe.mirror, "a URL like http://deb.debian.org/debian; passwords belong into apt's auth.conf"
        )
    if not 256 <= recipe.disk_mib <= 1 << 20:
        raise _wrong("disk_mib", str(recipe.disk_mib), "from 256 to 1048576")
    if recipe.format not in FORMATS:
        raise _wrong("format", recipe.format, f"one of {', '.join(FORMATS)}")
    return recipe


def _wrong(key: str, found: str, way_out: str) -> VirtperfError:
    return VirtperfError(f"guest image: {key} is not usable", found=repr(found), way_out=way_out)
