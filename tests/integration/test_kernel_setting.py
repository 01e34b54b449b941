# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules kernel_setting and kernel_module on the kernel of this machine, and their undo.

Ports are those of a network namespace of the test alone; journal and runtime files are in a mount namespace of its own.
Whether the kernel's messages have times is for all, and harms nobody. Loading modules takes a kernel with modules: see
sandbox/test_kernel_module.py.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import bench
import pytest

pytestmark = pytest.mark.apart

PORTS = "/proc/sys/net/ipv4/ip_local_port_range"
TIME = Path("/sys/module/printk/parameters/time")
APART = """
mkdir -p /var/lib/virtperf
mount -t tmpfs -o mode=0755 tmpfs /run
mount -t tmpfs -o mode=0700 tmpfs /var/lib/virtperf
exec "$@"
"""


def task(name: str, module: str, *, check: bool = False, **arguments: Any) -> dict[str, Any]:
    return {
        "name": name,
        f"virtperf.vhost.{module}": arguments,
        "check_mode": check,
        "diff": True,
        "ignore_errors": True,
        "register": name,
    }


def look(name: str) -> dict[str, Any]:
    return {"name": name, "ansible.builtin.command": {"argv": ["cat", PORTS, str(TIME)]}, "register": name}


def run(directory: Path, tasks: list[dict[str, Any]]) -> dict[str, Any]:
    """The results of the tasks, by name."""
    text = "{{ {" + ", ".join(f"'{name['register']}': {name['register']}" for name in tasks) + "} | to_json }}"
    keep = {"name": "Keep", "ansible.builtin.copy": {"content": text, "dest": str(directory / "results.json")}}
    restore = {"name": "Restore", "virtperf.vhost.restore": {}}
    block = {"name": "All", "block": [*tasks, keep], "always": [restore]}
    play = {"name": "Test", "hosts": "localhost", "gather_facts": False, "tasks": [block]}
    playbook = directory / "playbook.yml"
    playbook.write_text(json.dumps([play]))
    done = subprocess.run(
        [
            *("unshare", "--net", "--mount", "--propagation", "private", "sh", "-ec", APART, "apart"),
            *(str(bench.CHECKOUT / "tools/env"), "ansible-playbook", str(playbook)),
        ],
        cwd=bench.CHECKOUT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    results: dict[str, Any] = json.loads((directory / "results.json").read_text())
    return results


def test_predicted_done_idempotent_and_undone(tmp_path: Path) -> None:
    settings = [
        {"name": "net.ipv4.ip_local_port_range", "value": "20000 50000"},
        {"name": "net.ipv4.no_such_thing", "value": 1, "required": False},
    ]
    got = run(
        tmp_path,
        [
            look("before"),
            task("predicted", "kernel_setting", check=True, settings=settings),
            look("untouched"),
            task("done", "kernel_setting", settings=settings),
            look("changed"),
            task("again", "kernel_setting", settings=settings),
            task("restored", "restore"),
            look("after"),
        ],
    )
    for key in ("changed", "actions", "settings", "skipped", "diff"):
        assert got["predicted"][key] == got["done"][key], key
    assert got["done"]["actions"] == [f"{PORTS}: from 32768 60999 to 20000 50000"]
    assert got["done"]["skipped"] == ["/proc/sys/net/ipv4/no_such_thing"]
    assert got["changed"]["stdout_lines"][0] == "20000\t50000"
    assert not got["again"]["changed"]
    assert got["restored"]["actions"][0] == f"{PORTS} is 32768 60999 again"
    assert got["before"]["stdout"] == got["untouched"]["stdout"] == got["after"]["stdout"]


def test_a_kernel_that_refuses_leaves_all_as_it_was(tmp_path: Path) -> None:
    settings = [
        {"name": "net.ipv4.ip_local_port_range", "value": "20000 50000"},
        {"name": "net.ipv4.ip_default_ttl", "value": 4096},
    ]
    got = run(tmp_path, [look("before"), task("failed", "kernel_setting", settings=settings), look("after")])
    assert got["failed"]["failed"]
    assert "the kernel does not take 4096 for /proc/sys/net/ipv4/ip_default_ttl" in got["failed"]["msg"]
    assert "everything is as it was before" in got["failed"]["msg"]
    assert got["before"]["stdout"] == got["after"]["stdout"]


def test_a_parameter_of_a_module_that_is_built_in(tmp_path: Path) -> None:
    was = TIME.read_text().strip()
    wanted = [{"name": "printk", "parameters": {"time": was == "N"}}]
    got = run(
        tmp_path,
        [
            task("predicted", "kernel_module", check=True, modules=wanted),
            task("done", "kernel_module", modules=wanted),
            look("changed"),
            task("again", "kernel_module", modules=wanted),
            task("refused", "kernel_module", modules=[{"name": "printk", "parameters": {"no_such": 1}}]),
            task("missing", "kernel_module", modules=[{"name": "no_such_module"}]),
            task("restored", "restore"),
        ],
    )
    for key in ("changed", "actions", "modules", "diff"):
        assert got["predicted"][key] == got["done"][key], key
    assert got["done"]["modules"][0]["built_in"]
    assert got["changed"]["stdout_lines"][1] == ("Y" if was == "N" else "N")
    assert not got["again"]["changed"]
    assert "the module printk has no parameter no_such (found: parameters " in got["refused"]["msg"]
    assert "there is no module no_such_module" in got["missing"]["msg"]
    assert got["restored"]["actions"][0] == f"printk has time={was} again"
    assert TIME.read_text().strip() == was
