# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hypervisor in a VM, as a user starts, uses and removes it. The first run on a machine builds its image."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bench
import pytest

PLACES = [Path("/run/virtperf-sandbox"), Path("/var/lib/virtperf-sandbox")]
ACCESS = Path.home() / ".local/state/virtperf/sandbox"
RECAP = re.compile(r"^localhost .*ok=\d+ +changed=(\d+) +unreachable=0 +failed=0 ", re.MULTILINE)


def left() -> list[str]:
    """What there is of a sandbox."""
    processes = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            command = (entry / "cmdline").read_bytes()
        except OSError:
            continue
        processes += [f"process {entry.name}"] if b"/run/virtperf-sandbox/" in command else []
    return [*(str(path) for path in (*PLACES, ACCESS) if path.exists()), *processes]


def play(state: str, directory: Path) -> int:
    """Run the playbook; how many tasks have changed something."""
    done = bench.play("sandbox", {"sandbox_state": state, "sandbox_memory": "2GiB"}, directory)
    assert done.status == 0, done.output
    recap = RECAP.search(done.output)
    assert recap, done.output
    return int(recap[1])


def look(directory: Path) -> dict[str, Any]:
    """What vhost_info says in the sandbox."""
    keep = {"content": "{{ host.vhost_info | to_json }}", "dest": str(directory / "info.json"), "mode": "0600"}
    tasks = [
        {"name": "Look", "virtperf.vhost.vhost_info": {"probe_kvm": True}, "register": "host"},
        {"name": "Keep it", "ansible.builtin.copy": keep, "delegate_to": "localhost"},
    ]
    playbook = directory / "look.yml"
    playbook.write_text(json.dumps([{"name": "Look", "hosts": "sandbox", "gather_facts": False, "tasks": tasks}]))
    words = ["tools/env", "ansible-playbook", "-i", "inventories/sandbox", str(playbook)]
    done = subprocess.run(words, cwd=bench.CHECKOUT, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    info: dict[str, Any] = json.loads((directory / "info.json").read_text())
    return info


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[float]:
    """It runs; the seconds that starting it took, its image built."""
    for program, package in (("qemu-system-x86_64", "qemu-system-x86"), ("mmdebstrap", "mmdebstrap")):
        assert shutil.which(program), f"no {program}: apt-get install {package}, or tools/setup sandbox"
    assert left() == [], "a sandbox is there already, and would be removed: make sandbox-down"
    directory = tmp_path_factory.mktemp("sandbox")
    profile = {"image_profile": "hypervisor"}
    role = {"name": "Have the image", "ansible.builtin.import_role": {"name": "virtperf.vhost.image"}, "vars": profile}
    playbook = directory / "image.yml"
    playbook.write_text(json.dumps([{"name": "Image", "hosts": "localhost", "gather_facts": False, "tasks": [role]}]))
    built = bench.finish(bench.start_file(playbook), directory, "", timeout_s=600)
    assert built.status == 0, built.output
    try:
        begun = time.monotonic()
        assert play("up", directory) > 0
        yield time.monotonic() - begun
    finally:
        play("down", directory)
    assert left() == []
    assert play("down", directory) == 0


def test_it_is_up_in_a_minute_and_again_is_nothing(sandbox: float, tmp_path: Path) -> None:
    print(f"up after {sandbox:.1f} s")
    assert sandbox < 60
    assert play("up", tmp_path) == 0


def test_it_is_reached_at_the_loopback_only(sandbox: float) -> None:
    port = int((ACCESS / "port").read_text())
    lines = [
        line.split() for name in ("tcp", "tcp6") for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]
    ]
    listening = {line[1] for line in lines if line[3] == "0A" and line[1].endswith(f":{port:04X}")}
    assert listening == {f"0100007F:{port:04X}"}
    for path in (ACCESS, *PLACES):
        assert os.stat(path).st_mode & 0o077 == 0, path


def test_it_is_a_hypervisor(sandbox: float, tmp_path: Path) -> None:
    info = look(tmp_path)
    assert info["kvm"]["usable"] is True, info["kvm"]
    assert info["vhost"]["net"] == "loaded", info["vhost"]
    assert info["cgroup"]["version"] == "unified", info["cgroup"]
    assert {"cpu", "cpuset"} <= set(info["cgroup"]["available"]), info["cgroup"]


def test_a_restore_of_runs_leaves_it_alone(sandbox: float, tmp_path: Path) -> None:
    done = bench.play("restore", {}, tmp_path)
    assert done.status == 0, done.output
    assert play("up", tmp_path) == 0
