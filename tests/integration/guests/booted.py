# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A guest of the image that the role builds, started by hand: what qemu_vm starts is tested elsewhere."""

from __future__ import annotations

import base64
import contextlib
import shlex
import socket
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import bench
import pytest

NETWORK = "[Match]\nName=eth0\n[Network]\nAddress=10.0.2.15/24\nLinkLocalAddressing=no\n"
READY = b"virtperf: ready"

# Its PCI functions: the disk, the way in, and two network functions that nobody needs.
DISK, WAY_IN, SPARE = "0000:00:02.0", "0000:00:03.0", ("0000:00:10.0", "0000:00:11.0")


@dataclass
class Guest:
    """A running guest. ``ready_s`` are the seconds from its start until its console said that SSH answers."""

    process: subprocess.Popen[bytes]
    directory: Path
    port: int
    ready_s: float = 0.0

    def command(self, command: str, *options: str) -> list[str]:
        """The words that run a command in it, as a lab would: with its own key and its own known_hosts."""
        strict = ["-o", "StrictHostKeyChecking=yes", "-o", f"UserKnownHostsFile={self.directory}/known_hosts"]
        who = ["-F", "none", "-i", str(self.directory / "key"), "-o", "BatchMode=yes", "-o", "ConnectTimeout=20"]
        return ["ssh", *who, *strict, *options, "-p", str(self.port), "root@127.0.0.1", command]

    def ssh(self, command: str, *options: str) -> subprocess.CompletedProcess[str]:
        """Run it."""
        words = self.command(command, *options)
        return subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)

    def put(self, path: str, content: bytes) -> None:
        """Write a file in it."""
        words = self.command(f"cat >{shlex.quote(path)}")
        subprocess.run(words, input=content, capture_output=True, check=True, timeout=60)

    def power_button(self) -> None:
        """Press it."""
        with socket.socket(socket.AF_UNIX) as monitor, contextlib.suppress(ConnectionResetError):
            monitor.connect(str(self.directory / "monitor"))
            monitor.recv(4096)
            monitor.sendall(b"system_powerdown\n")
            monitor.recv(4096)


class Shared:
    """The guest that the tests of a session share."""

    def __init__(self, image: dict[str, str], directories: pytest.TempPathFactory) -> None:
        self._image = image
        self._directories = directories
        self._guest: Guest | None = None

    def guest(self) -> Guest:
        """It, running."""
        if self._guest is None or self._guest.process.poll() is not None:
            begun = time.monotonic()
            self._guest = launch(self._image, self._directories.mktemp("guest"))
            _wait_until_ready(self._guest)
            self._guest.ready_s = time.monotonic() - begun
        return self._guest

    def end(self) -> None:
        """End it, if it runs."""
        if self._guest is not None:
            self._guest.process.kill()
            self._guest.process.wait()


def _wait_until_ready(guest: Guest) -> None:
    console = guest.directory / "console"

    def ready() -> bool:
        said = console.read_bytes() if console.exists() else b""
        assert guest.process.poll() is None, f"QEMU ended; the console's end: {said[-2000:].decode(errors='replace')}"
        return READY in said

    try:
        bench.wait_for("the guest", ready, 90)
    except AssertionError:
        guest.process.kill()
        guest.process.wait()
        raise


def launch(image: dict[str, str], directory: Path) -> Guest:
    """Start one over a fresh overlay, with keys of its own and an IOMMU."""
    overlay = directory / "overlay.qcow2"
    base = ["-b", image["path"], "-F", image["format"]]
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", *base, str(overlay)], check=True)
    for name in ("key", "host_key"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(directory / name)], check=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    host_key = (directory / "host_key.pub").read_text()
    (directory / "known_hosts").write_text(f"[127.0.0.1]:{port} {host_key}")
    command = ["qemu-system-x86_64", "-machine", "q35", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2"]
    command += ["-m", "1024", "-nodefaults", "-display", "none", "-serial", f"file:{directory}/console"]
    command += ["-monitor", f"unix:{directory}/monitor,server=on,wait=off", "-device", "intel-iommu"]
    command += ["-kernel", image["kernel"], "-initrd", image["initrd"]]
    command += ["-append", f"{image['command_line']} intel_iommu=on"]
    command += ["-drive", f"file={overlay},if=none,id=disk,format=qcow2,cache=unsafe"]
    command += ["-device", f"virtio-blk-pci,drive=disk,addr={_slot(DISK)}", "-device", "virtio-rng-pci"]
    command += ["-netdev", f"user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:{port}-:22"]
    command += ["-device", f"virtio-net-pci,netdev=net,addr={_slot(WAY_IN)}"]
    for number, address in enumerate(SPARE):
        command += ["-netdev", f"user,id=spare{number},restrict=on"]
        command += ["-device", f"virtio-net-pci,netdev=spare{number},addr={_slot(address)}"]
    return Guest(subprocess.Popen([*command, *_credentials(directory)]), directory, port)


def _slot(address: str) -> str:
    return f"0x{address.split(':')[2].removesuffix('.0')}"


def _credentials(directory: Path) -> Sequence[str]:
    credentials = {
        "network.network.05-lab": NETWORK,
        "ssh.authorized_keys.root": (directory / "key.pub").read_text(),
        "ssh.host_key.ed25519": (directory / "host_key").read_text(),
        "firstboot.hostname": "guest-7",
    }
    smbios = []
    for name, value in credentials.items():
        # In files, for a command line is for everybody to see.
        file = directory / f"credential.{name}"
        file.write_text(f"io.systemd.credential.binary:{name}={base64.b64encode(value.encode()).decode()}")
        smbios += ["-smbios", f"type=11,path={file}"]
    return smbios
