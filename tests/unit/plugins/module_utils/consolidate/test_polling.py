# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""For how long workers poll, as QEMU was told."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils.consolidate.polling import check, of_words
from ansible_collections.virtperf.vhost.plugins.module_utils.consolidate.setup import setup
from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.tests.unit import consolidate_stations as make

PLAIN = "tap,id=net-0,ifname=plain1,script=no,downscript=no,vhost=on"
POLL = "tap,id=net-1,ifname=poll1,script=no,downscript=no,vhost=on,poll-us=50"


def qemu(tmp_path: Path, *netdevs: str) -> Host:
    words = [word for netdev in netdevs for word in ("-netdev", netdev)]
    (tmp_path / str(os.getpid())).mkdir()
    (tmp_path / str(os.getpid()) / "cmdline").write_text("\0".join(["qemu-system-x86_64", *words, ""]))
    return Host(proc=str(tmp_path))


def test_the_command_line_tells() -> None:
    words = ["qemu", "-netdev", PLAIN, "-device", "x", "-netdev", POLL, "-netdev", "user,id=u"]
    assert of_words(words) == {"plain1": 0, "poll1": 50}
    assert of_words(["-netdev", '{"type":"tap","ifname":"t0","poll-us":20}', "-netdev", "{"]) == {"t0": 20}


def test_guests_as_the_policies_need_them(tmp_path: Path) -> None:
    check(qemu(tmp_path, PLAIN, POLL), setup(make.arguments(guests=[make.guest(1)])).guests, 50)


@pytest.mark.parametrize(
    ("netdevs", "message"),
    [
        ((PLAIN, POLL.replace("50", "20")), r"NIC poll \(poll1\) shall poll for 50 µs \(found: QEMU was told 20 µs"),
        ((f"{PLAIN},poll-us=50", POLL), r"NIC plain \(plain1\) shall poll for 0 µs"),
        ((PLAIN,), "no tap poll1 on its command line"),
    ],
)
def test_others_are_refused(tmp_path: Path, netdevs: tuple[str, ...], message: str) -> None:
    with pytest.raises(VirtperfError, match=message):
        check(qemu(tmp_path, *netdevs), setup(make.arguments(guests=[make.guest(1)])).guests, 50)
