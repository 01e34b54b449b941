# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A lab on this machine, described as a user describes one, and playbooks that run on it."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import bench

# The virtual environment's Python, as for the inventory of this machine.
LOCAL = {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}"}


class Played:
    """An ended playbook."""

    def __init__(self, status: int, output: str) -> None:
        self.status = status
        self.output = output

    @property
    def changed(self) -> int:
        """How many tasks changed something, on all hosts."""
        return sum(map(int, re.findall(r" changed=(\d+) ", self.output)))


class Lab:
    """A lab of this machine and guests on it. Its name is this process's own."""

    def __init__(self, directory: Path, guests: Sequence[str]) -> None:
        self.name = f"test-{os.getpid()}"
        self.directory = directory
        self.ports = dict(zip(guests, _free_ports(len(guests)), strict=True))
        # What goes before each command, such as nsenter.
        self.within: Sequence[str] = ()
        self.files = Path(f"~/.local/state/virtperf/labs/{self.name}").expanduser()
        self.inventory = directory / "lab.yml"
        described = [{"name": name, "port": port} for name, port in self.ports.items()]
        self.describe(self.inventory, "198.51.100.0/28", {"localhost": {**LOCAL, "guests": described}})

    def describe(self, path: Path, network: str, hypervisors: dict[str, Any]) -> None:
        """Write a description of a lab of this name."""
        lab = {"plugin": "virtperf.vhost.lab", "lab": self.name, "network": network, "hypervisors": hypervisors}
        path.write_text(json.dumps(lab))

    def play(self, playbook: str | Path, *arguments: str, inventory: Path | None = None, **variables: Any) -> Played:
        """Run a playbook on it, the collection's by its name or one of a file."""
        done = subprocess.run(
            [
                *self.within,
                *(str(bench.CHECKOUT / "tools/env"), "ansible-playbook", "-i", str(inventory or self.inventory)),
                *(str(playbook) if isinstance(playbook, Path) else f"virtperf.vhost.{playbook}", *arguments),
                *("-e", json.dumps(variables)),
            ],
            cwd=bench.CHECKOUT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
            check=False,
        )
        return Played(done.returncode, done.stdout)

    def up(self, *arguments: str, **variables: Any) -> Played:
        """Have its guests running; small ones."""
        return self.play("guests", *arguments, guests_vcpus=1, guests_memory={"size": "768MiB"}, **variables)

    def use(self, tasks: Sequence[dict[str, Any]], inventory: Path | None = None, hosts: str = "guests") -> Played:
        """Run tasks on its guests, as on any host."""
        path = self.directory / "use.yml"
        path.write_text(json.dumps([{"name": "Use", "hosts": hosts, "gather_facts": False, "tasks": list(tasks)}]))
        return self.play(path, inventory=inventory)


@contextmanager
def lab(directory: Path, *guests: str) -> Iterator[Lab]:
    """A lab that is removed in the end, and has left nothing then."""
    needed = {"qemu-system-x86_64": "qemu-system-x86", "qemu-img": "qemu-utils", "ssh": "openssh-client"}
    missing = [package for program, package in needed.items() if shutil.which(program) is None]
    assert not missing, f"apt-get install {' '.join(missing)}"
    before = bench.machine()
    made = Lab(directory, guests)
    try:
        yield made
    finally:
        down = made.play("guests", guests_state="down")
    assert down.status == 0, down.output
    limit_s = time.monotonic() + 5
    while (after := bench.machine()) != before and time.monotonic() < limit_s:
        time.sleep(0.1)
    assert after == before, {key: (before[key], after[key]) for key in before if after[key] != before[key]}
    assert not made.files.exists()
    again = made.play("guests", guests_state="down")
    assert (again.status, again.changed) == (0, 0), again.output


def _free_ports(count: int) -> list[int]:
    with socket.socket() as first, socket.socket() as second:
        sockets = [first, second][:count]
        for free in sockets:
            free.bind(("127.0.0.1", 0))
        return [free.getsockname()[1] for free in sockets]
