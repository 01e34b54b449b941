# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A hypervisor in a VM: starting and removing it as a user does, and running plays on it."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import bench

PLACES = [Path("/run/virtperf-sandbox"), Path("/var/lib/virtperf-sandbox")]
ACCESS = Path.home() / ".local/state/virtperf/sandbox"
_RECAP = re.compile(r"^localhost .*ok=\d+ +changed=(\d+) +unreachable=0 +failed=0 ", re.MULTILINE)


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
    done = bench.play("sandbox", {"sandbox_state": state}, directory)
    assert done.status == 0, done.output
    recap = _RECAP.search(done.output)
    assert recap, done.output
    return int(recap[1])


def run(directory: Path, tasks: list[dict[str, Any]], last: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    """Run tasks in the sandbox, and the last ones in any case; the registered results by name."""
    names = [task["register"] for task in tasks if "register" in task]
    text = "{{ {" + ", ".join(f"'{name}': {name} | default(none)" for name in names) + "} | to_json }}"
    keep = {"content": text, "dest": str(directory / "results.json"), "mode": "0600"}
    always = [*(last or []), {"name": "Keep", "ansible.builtin.copy": keep, "delegate_to": "localhost"}]
    play_ = {"name": "Test", "hosts": "sandbox", "gather_facts": False}
    playbook = directory / "playbook.yml"
    playbook.write_text(json.dumps([{**play_, "tasks": [{"name": "All", "block": tasks, "always": always}]}]))
    words = ["tools/env", "ansible-playbook", "-i", "inventories/sandbox", str(playbook)]
    done = subprocess.run(words, cwd=bench.CHECKOUT, capture_output=True, text=True, check=False, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr
    results: dict[str, Any] = json.loads((directory / "results.json").read_text())
    return results
