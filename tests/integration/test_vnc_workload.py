# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The picture that changes, from the roles to the records: a server here, a client behind a pair of interfaces."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bench
import pytest

SECRET = "s3cr3tPw"
PROGRAMS = Path("/run/virtperf/vnc")
# Of the range for benchmarks (RFC 2544).
SERVER, CLIENT = "198.18.77.1", "198.18.77.2"
FRAME = 1280 * 800 * 4
DEFAULTS = bench.CHECKOUT / "roles/throttle/defaults/main.yml"
# What the module throttle_run does for one phase, with the programs that the plan has.
PROGRAM = """
import json, sys, yaml
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.throttle.setup import setup
from ansible_collections.virtperf.vhost.plugins.module_utils.throttle.study import Study
from ansible_collections.virtperf.vhost.plugins.plugin_utils.throttle.plan import plan

class Unlimited:  # there are no workers here whose limit could be set
    def set(self, cpu_max):
        return cpu_max
    def restore(self):
        pass

directory, defaults, given, changes = json.loads(sys.stdin.read())
(timeline,) = plan({**yaml.safe_load(open(defaults)), **given})["timelines"]
ends = {end: {**timeline[end], **changes.get(end, {})} for end in ("server", "client")}
made = setup({**timeline, **ends, "trials": 1, "bridge": [], "threads": [], "cgroups": {}, "trace": False})
host = Host(run=f"{directory}/run", state=f"{directory}/state")
host.private_directory(host.run)
Study(host, "test", "localhost", made, Unlimited()).run()
"""


class Watcher:
    """Looks at the command lines of all processes, as often as it can, for as long as it is entered."""

    def __init__(self) -> None:
        self.names: set[str] = set()
        self.told: set[str] = set()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def _watch(self) -> None:
        while not self._over.wait(0.02):
            for pid, command in commands().items():
                self.names.add(os.path.basename(command.split("\0", 1)[0]))
                if SECRET in command:
                    self.told.add(f"{pid}: {command}")

    def __enter__(self) -> Watcher:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._over.set()
        self._thread.join()


def commands() -> dict[int, str]:
    """The command lines of all processes, by pid."""
    found = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            found[int(entry.name)] = (entry / "cmdline").read_bytes().decode(errors="replace")
        except OSError:
            continue
    return found


def left() -> list[str]:
    """Processes of the workload."""
    ours = ("x11vnc", "Xvfb", "xtigervncviewer", str(PROGRAMS))
    return [command.replace("\0", " ") for command in commands().values() if any(name in command for name in ours)]


@pytest.fixture(scope="module")
def link() -> Iterator[tuple[str, str]]:
    """An interface here, and the namespace that has the other end."""
    near, far, space = f"vp{os.getpid()}a"[:15], f"vp{os.getpid()}b"[:15], f"virtperf-test-{os.getpid()}"
    steps = (
        f"ip netns add {space}",
        f"ip link add {near} type veth peer name {far} netns {space}",
        f"ip address add {SERVER}/30 dev {near}",
        f"ip link set {near} up",
        f"ip -n {space} address add {CLIENT}/30 dev {far}",
        f"ip -n {space} link set {far} up",
    )
    try:
        for step in steps:
            subprocess.run(step.split(), check=True)
        yield near, space
    finally:
        subprocess.run(["ip", "netns", "delete", space], check=False)


def prepare(directory: Path) -> str:
    """Run both roles on this machine; what Ansible said of it, at its most talkative."""
    roles = [
        {"name": "Prepare", "ansible.builtin.import_role": {"name": f"virtperf.vhost.{end}"}}
        for end in ("server", "client")
    ]
    variables = {"server_workloads": ["vnc"], "client_workloads": ["vnc"], "vnc_password": SECRET}
    play = {"name": "Test", "hosts": "localhost", "gather_facts": False, "vars": variables, "tasks": roles}
    playbook = directory / "playbook.yml"
    playbook.write_text(json.dumps([play]))
    done = subprocess.run(
        [str(bench.CHECKOUT / "tools/env"), "ansible-playbook", "-vvv", "--diff", str(playbook)],
        cwd=bench.CHECKOUT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """What Ansible said while it prepared this machine, which is restored after."""
    before = bench.machine()
    directory = tmp_path_factory.mktemp("vnc")
    with Watcher() as watcher:
        output = prepare(directory)
    assert watcher.told == set()
    yield output
    done = bench.play("restore", {}, directory)
    assert done.status == 0, done.output
    assert not PROGRAMS.exists()
    assert bench.machine() == before
    assert left() == []


def measure(directory: Path, link: tuple[str, str], seconds: float, **changes: dict[str, Any]) -> dict[str, Any]:
    """The record of one phase."""
    given = {"throttle_server": "here", "throttle_client": "there", "throttle_server_address": SERVER}
    given |= {"throttle_workload": "vnc", "throttle_vnc_delay_seconds": 1, "throttle_vnc_changes": 1}
    given |= {"throttle_phases": [{"name": "baseline", "seconds": seconds}], "throttle_ladder": []}
    client = {"interfaces": [link[0]], "through": ["ip", "netns", "exec", link[1], "sh", "-c"]}
    changes["client"] = {**client, **changes.get("client", {})}
    subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={**os.environ, "PYTHONPATH": str(bench.CHECKOUT / ".venv" / "collections")},
        input=json.dumps([str(directory), str(DEFAULTS), given, changes]),
        text=True,
        timeout=120,
        check=True,
    )
    (path,) = (directory / "state").rglob("throttle.jsonl")
    record: dict[str, Any] = json.loads(path.read_text())
    return record


def test_the_roles_say_nothing_of_the_password(said: str) -> None:
    assert "changed=2" in said
    assert "installing" not in said
    assert SECRET not in said
    assert (PROGRAMS / "password").read_bytes().hex() not in said
    assert {path.name: path.stat().st_mode & 0o777 for path in PROGRAMS.iterdir()} == {
        "server": 0o600,
        "client": 0o600,
        "password": 0o600,
    }


def test_every_change_is_shown_and_costs_one_frame(said: str, link: tuple[str, str], tmp_path: Path) -> None:
    with Watcher() as watcher:
        record = measure(tmp_path, link, 13)
    assert (record["valid"], record["reasons"]) == (True, [])
    metrics = record["metrics"]
    assert metrics["changes_made"] >= 12
    assert metrics["changes_shown"] + metrics["changes_pending"] == metrics["changes_made"]
    assert (metrics["changes_skipped"], metrics["changes_pending"] <= 1) == (0, True)
    assert metrics["bursts"] >= 10
    # The smallest too: a frame goes over as a whole, and the largest: only once. How many headers of 66 bytes it takes
    # depends on how much TCP had to send at a time; one for each 1448 bytes is the most.
    assert FRAME <= metrics["burst_bytes_low"] <= metrics["burst_bytes_high"] <= 1.05 * FRAME
    assert FRAME <= metrics["burst_payload_bytes"] <= 1.001 * FRAME
    assert 0.005 < metrics["change_delay_s"] <= metrics["longest_change_delay_s"] < 1
    assert FRAME * 8 / 2**20 < metrics["peak_mibps"] < 20 * FRAME * 8 / 2**20
    assert {"x11vnc", "Xvfb", "xtigervncviewer"} <= watcher.names
    assert watcher.told == set()
    assert left() == []
    assert sorted(path.name for path in PROGRAMS.iterdir()) == ["client", "password", "server"]


def test_a_slow_line_skips_frames_and_they_are_counted(said: str, link: tuple[str, str], tmp_path: Path) -> None:
    # A frame takes 2.7 s, a change comes every second.
    shaped = f"tc qdisc add dev {link[0]} root tbf rate 12mbit burst 64kb latency 200ms"
    subprocess.run(shaped.split(), check=True)
    try:
        record = measure(tmp_path, link, 15)
    finally:
        subprocess.run(f"tc qdisc delete dev {link[0]} root".split(), check=True)
    metrics = record["metrics"]
    assert record["valid"], record["reasons"]
    assert metrics["changes_skipped"] >= 3
    assert metrics["changes_shown"] >= 2
    assert metrics["changes_made"] == sum(metrics[f"changes_{what}"] for what in ("shown", "skipped", "pending"))
    assert metrics["change_delay_s"] > 2
    assert left() == []


def test_a_wrong_password_is_told_in_words(said: str, link: tuple[str, str], tmp_path: Path) -> None:
    wrong = tmp_path / "wrong"
    wrong.write_bytes(b"wrong!!!")
    program = ["/usr/bin/python3", str(PROGRAMS / "client"), "--server", SERVER, "--password", str(wrong)]
    record = measure(tmp_path, link, 3, client={"command": program})
    assert not record["valid"]
    assert "client there ended with status 1" in record["reasons"][0]
    assert "password check failed" in record["reasons"][0]
    assert left() == []


def test_a_server_that_is_not_there_is_told_in_words(said: str, link: tuple[str, str], tmp_path: Path) -> None:
    record = measure(tmp_path, link, 3, server={"command": [], "ready": [], "sockets": []})
    assert not record["valid"]
    assert "client there ended with status 1" in record["reasons"][0]
    assert "Connection refused" in record["reasons"][0]
    assert left() == []
