# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A guest of the image that the role builds: it starts, answers by SSH, and has what a study of DPDK guests needs."""

from __future__ import annotations

from pathlib import Path

import booted


def test_it_answers_with_the_host_key_it_was_given(guest: booted.Guest) -> None:
    print(f"ready after {guest.ready_s:.1f} s")
    done = guest.ssh("hostname && python3 -c 'print(6 * 7)' && ls /etc/ssh/ssh_host_*")
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["guest-7", "42", "/etc/ssh/ssh_host_ed25519_key"]
    assert guest.ready_s < 40


def test_it_has_the_drivers_and_dpdk(guest: booted.Guest) -> None:
    modules = guest.ssh("modprobe -a uio_pci_generic igb_uio vfio-pci pktgen && cut -d' ' -f1 /proc/modules")
    assert modules.returncode == 0, modules.stderr
    assert {"uio_pci_generic", "igb_uio", "vfio_pci", "pktgen"} <= set(modules.stdout.split())
    assert "EAL common options" in guest.ssh("dpdk-testpmd --help 2>&1").stdout
    assert guest.ssh("echo 64 >/proc/sys/vm/nr_hugepages; cat /proc/sys/vm/nr_hugepages").stdout == "64\n"


def test_no_password_is_asked_for(guest: booted.Guest) -> None:
    without_key = ("-o", "PubkeyAuthentication=no", "-o", "BatchMode=no", "-o", "NumberOfPasswordPrompts=1")
    refused = guest.ssh("true", *without_key)
    assert refused.returncode == 255
    assert "Permission denied (publickey)" in refused.stderr


def test_no_unit_fails(guest: booted.Guest) -> None:
    # The console says ready before the last unit is started.
    assert guest.ssh("systemctl is-system-running --wait").stdout == "running\n"


def test_the_power_button_ends_it(guest: booted.Guest, image: dict[str, str]) -> None:
    guest.power_button()
    assert guest.process.wait(30) == 0
    written = Path(image["path"]).stat()
    assert not written.st_mode & 0o222
    assert written.st_mtime < Path(guest.directory, "overlay.qcow2").stat().st_ctime
