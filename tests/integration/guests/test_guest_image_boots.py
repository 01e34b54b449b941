# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A guest of the image that the role builds: it starts, answers by SSH, and has what a study of DPDK guests needs.

The image is the one in this user's cache; the first run on a machine builds it there.
"""

from __future__ import annotations

import base64
import contextlib
import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import bench
import pytest

NETWORK = "[Match]\nName=eth0\n[Network]\nAddress=10.0.2.15/24\nLinkLocalAddressing=no\n"
READY = b"virtperf: ready"


@dataclass
class Guest:
    """A running guest. ``ready_s`` are the seconds from its start until its console said that SSH answers."""

    process: subprocess.Popen[bytes]
    directory: Path
    port: int
    ready_s: float = 0.0

    def ssh(self, command: str, *options: str) -> subprocess.CompletedProcess[str]:
        """Run a command in it, as a lab would: with its own key and its own known_hosts."""
        strict = ["-o", "StrictHostKeyChecking=yes", "-o", f"UserKnownHostsFile={self.directory}/known_hosts"]
        who = ["-F", "none", "-i", str(self.directory / "key"), "-o", "BatchMode=yes", "-o", "ConnectTimeout=20"]
        return subprocess.run(
            ["ssh", *who, *strict, *options, "-p", str(self.port), "root@127.0.0.1", command],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    def power_button(self) -> None:
        """Press it."""
        with socket.socket(socket.AF_UNIX) as monitor, contextlib.suppress(ConnectionResetError):
            monitor.connect(str(self.directory / "monitor"))
            monitor.recv(4096)
            monitor.sendall(b"system_powerdown\n")
            monitor.recv(4096)


def launch(image: dict[str, str], directory: Path) -> Guest:
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
    command = ["qemu-system-x86_64", "-machine", "q35", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2"]
    command += ["-m", "1024", "-nodefaults", "-display", "none", "-serial", f"file:{directory}/console"]
    command += ["-monitor", f"unix:{directory}/monitor,server=on,wait=off"]
    command += ["-kernel", image["kernel"], "-initrd", image["initrd"], "-append", image["command_line"]]
    command += ["-drive", f"file={overlay},if=none,id=disk,format=qcow2,cache=unsafe"]
    command += ["-device", "virtio-blk-pci,drive=disk", "-device", "virtio-rng-pci"]
    command += ["-netdev", f"user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:{port}-:22"]
    command += ["-device", "virtio-net-pci,netdev=net", *smbios]
    return Guest(subprocess.Popen(command), directory, port)


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The image, through the role."""
    missing = [name for name in ("qemu-system-x86_64", "qemu-img", "ssh") if shutil.which(name) is None]
    assert not missing, f"missing {missing}: apt-get install qemu-system-x86 qemu-utils openssh-client"
    directory = tmp_path_factory.mktemp("role")
    keep = {"content": "{{ image_ready | to_json }}", "dest": str(directory / "image.json"), "mode": "0600"}
    role = {"name": "Have the image", "ansible.builtin.import_role": {"name": "virtperf.vhost.image"}}
    tasks = [role, {"name": "Keep what it says", "ansible.builtin.copy": keep}]
    playbook = directory / "playbook.yml"
    playbook.write_text(json.dumps([{"name": "Test", "hosts": "localhost", "gather_facts": False, "tasks": tasks}]))
    done = bench.finish(bench.start_file(playbook), directory, "", timeout_s=600)
    assert done.status == 0, done.output
    result: dict[str, str] = json.loads((directory / "image.json").read_text())
    return result


@pytest.fixture(scope="module")
def guest(image: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guest]:
    begun = time.monotonic()
    guest = launch(image, tmp_path_factory.mktemp("guest"))
    console = guest.directory / "console"
    try:
        bench.wait_for("the guest", lambda: console.exists() and READY in console.read_bytes(), 90)
        guest.ready_s = time.monotonic() - begun
        yield guest
    finally:
        guest.process.kill()
        guest.process.wait()


def test_it_answers_with_the_host_key_it_was_given(guest: Guest) -> None:
    print(f"ready after {guest.ready_s:.1f} s")
    done = guest.ssh("hostname && python3 -c 'print(6 * 7)' && ls /etc/ssh/ssh_host_*")
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["guest-7", "42", "/etc/ssh/ssh_host_ed25519_key"]
    assert guest.ready_s < 40


def test_it_has_the_drivers_and_dpdk(guest: Guest) -> None:
    modules = guest.ssh("modprobe -a uio_pci_generic igb_uio vfio-pci pktgen && cut -d' ' -f1 /proc/modules")
    assert modules.returncode == 0, modules.stderr
    assert {"uio_pci_generic", "igb_uio", "vfio_pci", "pktgen"} <= set(modules.stdout.split())
    assert "EAL common options" in guest.ssh("dpdk-testpmd --help 2>&1").stdout
    assert guest.ssh("echo 64 >/proc/sys/vm/nr_hugepages; cat /proc/sys/vm/nr_hugepages").stdout == "64\n"


def test_no_password_is_asked_for(guest: Guest) -> None:
    without_key = ("-o", "PubkeyAuthentication=no", "-o", "BatchMode=no", "-o", "NumberOfPasswordPrompts=1")
    refused = guest.ssh("true", *without_key)
    assert refused.returncode == 255
    assert "Permission denied (publickey)" in refused.stderr


def test_no_unit_fails(guest: Guest) -> None:
    # The console says ready before the last unit is started.
    assert guest.ssh("systemctl is-system-running --wait").stdout == "running\n"


def test_the_power_button_ends_it(guest: Guest, image: dict[str, str]) -> None:
    guest.power_button()
    assert guest.process.wait(30) == 0
    written = Path(image["path"]).stat()
    assert not written.st_mode & 0o222
    assert written.st_mtime < Path(guest.directory, "overlay.qcow2").stat().st_ctime
