# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The inventory plugin lab as ansible-inventory calls it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import bench
import pytest

pytestmark = pytest.mark.apart

EXAMPLE = bench.CHECKOUT / "inventories" / "lab-example" / "lab.yml"


def run(program: str, path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run one of ansible's programs on an inventory; its output has warnings and errors, too."""
    return subprocess.run(
        [str(bench.CHECKOUT / "tools/env"), program, "-i", str(path), *arguments],
        cwd=bench.CHECKOUT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )


def inventory(path: Path, *arguments: str) -> str:
    """What ansible-inventory prints, warnings too."""
    done = run("ansible-inventory", path, *arguments)
    assert done.returncode == 0, done.stdout
    return done.stdout


def listed(path: Path) -> dict[str, Any]:
    """Its groups and variables. Strings that ansible may not take for templates come wrapped."""

    def unwrap(value: dict[str, Any]) -> Any:
        return value.get("__ansible_unsafe", value)

    result: dict[str, Any] = json.loads(inventory(path, "--list"), object_hook=unwrap)
    return result


def test_the_example() -> None:
    found = listed(EXAMPLE)
    assert found["hypervisors"]["hosts"] == ["hv-a", "hv-b"]
    assert found["servers"]["hosts"] == ["web"]
    assert found["clients"]["hosts"] == ["load", "hv-b-guest1", "hv-b-guest2"]
    assert found["guests_of_hv_a"]["hosts"] == ["web", "load"]
    web = found["_meta"]["hostvars"]["web"]
    assert (web["vm_address"], web["ansible_host"], web["hypervisor"]) == ("192.0.2.2", "192.0.2.2", "hv-a")
    assert "ProxyJump=root@hv-a.example.net" in web["ansible_ssh_common_args"]


def test_its_graph() -> None:
    graph = inventory(EXAMPLE, "--graph").split()
    for name in ("@hypervisors:", "@guests:", "@servers:", "@clients:", "@guests_of_hv_a:", "@guests_of_hv_b:"):
        assert f"|--{name}" in graph


def test_compose_and_groups_come_with_it(tmp_path: Path) -> None:
    path = tmp_path / "small.lab.yml"
    path.write_text(
        "plugin: virtperf.vhost.lab\nnetwork: 192.0.2.0/24\n"
        "hypervisors: {localhost: {ansible_connection: local, guests: 1}}\n"
        "compose: {twice: vm_name * 2}\ngroups: {odd: vm_address is defined}\n"
    )
    found = listed(path)
    assert found["odd"]["hosts"] == ["localhost-guest1"]
    guest = found["_meta"]["hostvars"]["localhost-guest1"]
    assert (guest["twice"], guest["ansible_port"]) == ("localhost-guest1" * 2, 2202)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("hypervisors: {hv: {guests: [{name: a, roles: [router]}]}}", "found 'router'. Allowed: client, server"),
        ("hypervisors: {hv: {}}\nwidth: 3", "width: found a key that is not known here"),
    ],
)
def test_a_mistake_names_file_and_key_and_ends_the_playbook(tmp_path: Path, line: str, message: str) -> None:
    path, playbook = tmp_path / "lab.yml", tmp_path / "playbook.yml"
    path.write_text(f"plugin: virtperf.vhost.lab\nnetwork: 192.0.2.0/24\n{line}\n")
    # Without hosts from the inventory there would still be this machine, which nobody asked for.
    playbook.write_text("- {name: Test, hosts: localhost, gather_facts: false, tasks: [{ansible.builtin.debug: }]}\n")
    done = run("ansible-playbook", path, str(playbook))
    printed = " ".join(done.stdout.split())
    assert done.returncode != 0, printed
    assert "PLAY [" not in printed
    assert f"{path}: " in printed
    assert message in printed


def test_a_file_of_another_name_is_not_taken(tmp_path: Path) -> None:
    path = tmp_path / "other.yml"
    path.write_text("plugin: virtperf.vhost.lab\nnetwork: 192.0.2.0/24\nhypervisors: {hv: {}}\n")
    done = run("ansible-inventory", path, "--graph")
    assert done.returncode != 0
    assert "@hypervisors" not in done.stdout
