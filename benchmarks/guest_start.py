# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long does a guest of a lab take from its start to SSH, and to the first Ansible module that ran on it?

tools/env python benchmarks/guest_start.py [RUNS]

Each run starts a lab of one guest with the playbook `guests` and removes it again. Seconds count from the start of the
guest's QEMU (field 22 of /proc/<pid>/stat). `SSH` is when its sshd first sends its version, `ready` when the playbook
has ended, `first module` when `ansible -m ping` on it has. `command to first module` counts from the playbook's start.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import lab

_LIMIT_S = 300
_POLL_S = 0.05
_PROCESS = Path("/run/virtperf/qemu/guest/process.json")


def main() -> None:
    """Run them one after the other and print a table."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    print(lab.machine())
    columns = ("SSH", "ready", "first module", "command to first module")
    print("run  " + "  ".join(columns))
    found: list[list[float]] = []
    with tempfile.TemporaryDirectory(prefix="virtperf-guest-start-") as directory:
        for number in range(runs):
            found.append(_run(Path(directory)))
            cells = (f"{value:{len(name)}.1f}" for name, value in zip(columns, found[-1], strict=True))
            print(f"{number + 1:3}  " + "  ".join(cells), flush=True)
    for name, values in zip(columns, zip(*found, strict=True), strict=True):
        print(f"{name}: {lab.spread(list(values), 1)} s")


def _run(directory: Path) -> list[float]:
    """The seconds of one start, in the order of the columns."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    python = {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}"}
    hypervisors = {"localhost": {**python, "guests": [{"name": "guest", "port": port}]}}
    described = {"plugin": "virtperf.vhost.lab", "lab": f"benchmark-{os.getpid()}", "network": "198.51.100.0/28"}
    inventory = directory / "lab.yml"
    inventory.write_text(json.dumps({**described, "hypervisors": hypervisors}))
    answered: list[float] = []
    listener = threading.Thread(target=_listen, args=(port, answered), daemon=True)
    begun_s = _now_s()
    try:
        listener.start()
        _ansible("ansible-playbook", "-i", str(inventory), "virtperf.vhost.guests")
        ready_s = _now_s()
        started_s = _started_s()
        listener.join()
        _ansible("ansible", "-i", str(inventory), "guest", "-m", "ansible.builtin.ping")
        done_s = _now_s()
    finally:
        _ansible("ansible-playbook", "-i", str(inventory), "virtperf.vhost.guests", "-e", "guests_state=down")
    return [answered[0] - started_s, ready_s - started_s, done_s - started_s, done_s - begun_s]


def _now_s() -> float:
    """Seconds since boot, as the start times of processes are counted."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def _started_s() -> float:
    return int(json.loads(_PROCESS.read_text())["start"]) / os.sysconf("SC_CLK_TCK")


def _listen(port: int, answered: list[float]) -> None:
    """Knock until sshd sends its version: QEMU's network takes connections before the guest does."""
    limit = _now_s() + _LIMIT_S
    while _now_s() < limit:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 5) as connection:
            connection.settimeout(0.25)
            if connection.recv(4) == b"SSH-":
                answered.append(_now_s())
                return
        time.sleep(_POLL_S)
    answered.append(float("nan"))


def _ansible(*words: str) -> None:
    done = subprocess.run(
        [str(lab.ROOT / "tools/env"), *words], cwd=lab.ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"{' '.join(words)} ended with {done.returncode}:\n{done.stdout[-4000:]}\n{done.stderr[-2000:]}")


if __name__ == "__main__":
    main()
