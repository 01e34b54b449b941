# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Guests as hosts of an inventory: started, used like any other host, and gone again."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import a_lab
import bench
import pytest
from a_lab import Lab

PING: dict[str, Any] = {"name": "Ping", "ansible.builtin.ping": {}}


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with a_lab.lab(tmp_path_factory.mktemp("lab"), "web", "load") as lab:
        first = lab.up()
        assert first.status == 0, first.output
        yield lab


def test_up_again_changes_nothing(lab: Lab) -> None:
    for arguments in ([], ["--check"]):
        again = lab.up(*arguments)
        assert (again.status, again.changed) == (0, 0), again.output


def test_every_module_runs_on_them(lab: Lab) -> None:
    look = {"name": "Look", "virtperf.vhost.vhost_info": {}, "register": "info"}
    kernel = "info.vhost_info.kernel.cmdline is search('console=ttyS0')"
    see = {"name": "See", "ansible.builtin.assert": {"that": [kernel]}}
    name = {"name": "Ask its name", "ansible.builtin.command": "cat /proc/sys/kernel/hostname", "register": "asked"}
    own = {"name": "Its own", "ansible.builtin.assert": {"that": ["asked.stdout == inventory_hostname"]}}
    used = lab.use([PING, look, see, name, own])
    assert used.status == 0, used.output


def test_keys_are_the_lab_s_own(lab: Lab) -> None:
    lines = [line.split() for line in (lab.files / "known_hosts").read_text().splitlines()]
    assert [line[:2] for line in lines] == [["load", "ssh-ed25519"], ["web", "ssh-ed25519"]]
    assert stat.S_IMODE((lab.files / "id_ed25519").stat().st_mode) == 0o600
    # One host key taken for the other is refused: the way in goes by names.
    swapped = [f"{name} {' '.join(rest)}\n" for name, (_name, *rest) in zip(("web", "load"), lines, strict=True)]
    text = (lab.files / "known_hosts").read_text()
    (lab.files / "known_hosts").write_text("".join(swapped))
    try:
        # Not over a connection that is open.
        refused = lab.use([{**PING, "vars": {"ansible_control_path": "none"}}])
    finally:
        (lab.files / "known_hosts").write_text(text)
    assert refused.status != 0
    assert "Host key verification failed" in refused.output


def test_over_a_jump_host(lab: Lab, tmp_path: Path) -> None:
    """By SSH over one guest, which reaches the other at what QEMU's network calls the host."""
    known = f"-o HostKeyAlias=web -o UserKnownHostsFile={lab.files}/known_hosts -o StrictHostKeyChecking=yes"
    over = {
        "ansible_host": "127.0.0.1",
        "ansible_port": lab.ports["web"],
        "ansible_user": "root",
        "ansible_ssh_private_key_file": str(lab.files / "id_ed25519"),
        "ansible_ssh_common_args": known,
        "address": "10.0.2.15",
        "guests": [{"name": "load", "address": "10.0.2.2", "port": lab.ports["load"]}],
    }
    inventory = tmp_path / "jump.lab.yml"
    lab.describe(inventory, "10.0.2.0/24", {"over": over})
    name = {"name": "Ask", "ansible.builtin.command": "cat /proc/sys/kernel/hostname", "register": "asked"}
    see = {"name": "See", "ansible.builtin.assert": {"that": ["asked.stdout == 'load'"]}}
    way = {"name": "Ask for the way", "ansible.builtin.command": "printenv SSH_CONNECTION", "register": "way"}
    told = {"name": "See it", "ansible.builtin.assert": {"that": ["way.stdout is search('10.0.2.15 22')"]}}
    used = lab.use([PING, name, see, way, told], inventory=inventory)
    assert used.status == 0, used.output


def test_restore_takes_them_away_too(lab: Lab) -> None:
    """The last test of this lab."""
    restored = lab.play("restore")
    assert restored.status == 0, restored.output
    assert not bench.RUN.exists()
    assert not (bench.STATE / "labs").exists()


def test_a_guest_that_never_answers_is_told_with_its_console(tmp_path: Path) -> None:
    with a_lab.lab(tmp_path, "mute") as lab:
        failed = lab.up(guests_append="init=/no/such", guests_ready_timeout_s=20)
        assert failed.status != 0
        said = " ".join(failed.output.split())
        assert "mute: no 'virtperf: ready' on the console in 20 s" in said
        assert "Kernel panic" in said
        assert json.dumps(bench.processes()).count("qemu") == 0, "what was started is stopped again"
