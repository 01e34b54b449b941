# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Calls of modules, each in a process of its own as Ansible makes it, without the seconds that a playbook takes."""

from __future__ import annotations

import io
import json
import subprocess
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ansible
import bench
import booted

MODULES = "ansible_collections.virtperf.vhost.plugins.modules"

# The journal and the runtime directory are the test's own: what other runs have on this machine is not its business.
APART = 'mount -t tmpfs tmpfs /run && mount --bind "$1" /var/lib && shift && exec "$@"'
# Where a guest has the collection.
PLACE = "/root/collection"
SERVER = """
import importlib, json, os, sys
from ansible.module_utils.testing import patch_module_args

for line in sys.stdin:
    name, given = json.loads(line)
    module = importlib.import_module(name)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.dup2(writer, 1)
        os.dup2(writer, 2)
        with patch_module_args(given):
            module.main()
    os.close(writer)
    with open(reader, errors="replace") as answer:
        print(json.dumps(answer.read()), flush=True)
    os.waitpid(child, 0)
"""


def call(
    module: str,
    arguments: dict[str, Any],
    *,
    check: bool = False,
    state: Path | None = None,
    python: str = "python",
    within: Sequence[str] = (),
) -> dict[str, Any]:
    """Its result, failed or not. ``state`` stands in for /var/lib, and /run is empty then; ``within`` goes before."""
    paths = [bench.CHECKOUT / ".venv/collections", *([_ansible()] if python != "python" else [])]
    command = [str(bench.CHECKOUT / "tools/env"), "env", f"PYTHONPATH={':'.join(map(str, paths))}", python, "-m"]
    done = subprocess.run(
        [*within, *(apart(state) if state else []), *command, f"{MODULES}.{module}"],
        input=_given(arguments, check),
        capture_output=True,
        cwd=bench.CHECKOUT,
        timeout=120,
        check=False,
    )
    assert done.stdout.strip(), done.stderr.decode()
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def apart(state: Path) -> list[str]:
    """What to put before a command so that ``state`` stands in for its /var/lib and /run is empty."""
    return ["unshare", "--mount", "--propagation", "private", "sh", "-ec", APART, "apart", str(state)]


class InGuest:
    """Calls modules in a guest: each in a process of its own, forked from one that has imported them already.

    Python takes seconds there to start and import what a module needs.
    """

    def __init__(self, guest: booted.Guest) -> None:
        _hand_over(guest)
        guest.put(f"{PLACE}/server.py", SERVER.encode())
        # Its connection is open to other commands: a new one takes a second there.
        self.shared = ("-o", f"ControlPath={guest.directory}/mux")
        self._process = subprocess.Popen(
            guest.command(f"cd {PLACE} && exec python3 server.py", "-o", "ControlMaster=yes", *self.shared),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __call__(self, module: str, arguments: dict[str, Any], *, check: bool = False) -> dict[str, Any]:
        """The result of a module, failed or not."""
        assert self._process.stdin
        assert self._process.stdout
        given = {**arguments, "_ansible_check_mode": check, "_ansible_diff": True}
        self._process.stdin.write(json.dumps([f"{MODULES}.{module}", given]) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline() or '"the guest has hung up"').strip()
        assert answer.startswith("{"), answer
        result: dict[str, Any] = json.loads(answer)
        return result

    def end(self) -> None:
        """Hang up."""
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait(20)


def _hand_over(guest: booted.Guest) -> None:
    """Give a guest the collection's modules and what of Ansible they import."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz", compresslevel=1) as tar:
        for name in ("modules", "module_utils"):
            _add(tar, bench.CHECKOUT / "plugins" / name, f"ansible_collections/virtperf/vhost/plugins/{name}")
        for name in ("__init__.py", "_vendor", "release.py", "module_utils"):
            _add(tar, _ansible() / "ansible" / name, f"ansible/{name}")
    guest.put(f"{PLACE}.tar.gz", archive.getvalue())
    unpacked = guest.ssh(f"mkdir -p {PLACE} && tar -xzf {PLACE}.tar.gz -C {PLACE}")
    assert unpacked.returncode == 0, unpacked.stderr


def _add(tar: tarfile.TarFile, path: Path, name: str) -> None:
    tar.add(path, name, filter=lambda member: None if member.name.endswith("__pycache__") else member)


def _ansible() -> Path:
    """What has to be on another Python's path for it to have Ansible's own."""
    return Path(ansible.__file__).parents[1]


def _given(arguments: dict[str, Any], check: bool) -> bytes:
    return json.dumps(
        {"ANSIBLE_MODULE_ARGS": {**arguments, "_ansible_check_mode": check, "_ansible_diff": True}}
    ).encode()
