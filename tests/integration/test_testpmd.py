# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module testpmd with real testpmds: check mode says what then happens, and a second run changes nothing."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bench
import pytest

HUGE = "/run/virtperf/hugepages"
SOCKET = "/run/virtperf/test.sock"
VSWITCH: dict[str, Any] = {
    "name": "vswitch",
    "cpus": [0],
    "huge_dir": HUGE,
    "ports": [{"device": "net_vhost0", "options": {"iface": SOCKET, "queues": 1}}],
    "forwarding": True,
}
GENERATOR: dict[str, Any] = {
    "name": "generator",
    "cpus": [1],
    "huge_dir": HUGE,
    "ports": [{"device": "net_virtio_user0", "options": {"path": SOCKET, "queues": 1}}],
    "forward_mode": "flowgen",
}


def through_ansible(module: str, arguments: dict[str, Any], *, check: bool = False) -> dict[str, Any]:
    """The result of one module call as a playbook makes it, failed or not."""
    with tempfile.TemporaryDirectory() as directory:
        result, playbook = Path(directory, "result.json"), Path(directory, "playbook.yml")
        keep = {
            "name": "Keep the result",
            "ansible.builtin.copy": {"content": "{{ result | to_json }}", "dest": str(result), "mode": "0600"},
            "check_mode": False,
            "diff": False,
        }
        call = {
            "name": "Call",
            f"virtperf.vhost.{module}": arguments,
            "check_mode": check,
            "diff": True,
            "register": "result",
        }
        tasks = [{"name": "Call and keep", "block": [call], "always": [keep]}]
        playbook.write_text(json.dumps([{"name": "Test", "hosts": "localhost", "gather_facts": False, "tasks": tasks}]))
        done = bench.finish(bench.start_file(playbook), Path(directory), "")
        assert result.exists(), done.output
        kept: dict[str, Any] = json.loads(result.read_text())
    return kept


def task(module: str, arguments: dict[str, Any], *, check: bool = False) -> dict[str, Any]:
    """The same without Ansible, which takes longer than the module."""
    return bench.call_module(module, arguments, check=check)


@pytest.fixture(autouse=True)
def hugepages(left_as_found: None) -> Iterator[None]:  # restored first, then compared
    """Memory for two, restored at the end, and with it whatever a test started."""
    given = task(
        "hugepages",
        {"pools": [{"size": "2M", "count": 128, "count_means": "free"}], "mounts": [{"path": HUGE, "size": "2M"}]},
    )
    assert not given.get("failed"), given
    yield
    restored = task("restore", {})
    assert not restored.get("failed"), restored


def started(*instances: dict[str, Any], check: bool = False, **more: Any) -> dict[str, Any]:
    """Ask for these to run."""
    return task("testpmd", {"instances": list(instances), **more}, check=check)


def test_starting_is_predicted_and_idempotent() -> None:
    predicted = started(VSWITCH, GENERATOR, check=True)
    assert not (bench.RUN / "testpmd").exists(), "check mode starts nothing"
    first = through_ansible("testpmd", {"instances": [VSWITCH, GENERATOR]})
    assert not first.get("failed"), first
    assert first["changed"]
    assert predicted["changed"]
    assert (predicted["actions"], predicted["diff"]) == (first["actions"], first["diff"])
    assert all(instance["running"] for instance in first["instances"])
    again = started(VSWITCH, GENERATOR)
    assert not again["changed"]
    assert again["instances"] == first["instances"]


def test_a_packet_size_changes_in_the_running_process() -> None:
    before = started(VSWITCH, GENERATOR)
    larger = {**GENERATOR, "packet_size": 512, "forwarding": True}
    predicted = started(VSWITCH, larger, check=True)
    after = started(VSWITCH, larger)
    assert predicted["actions"] == after["actions"] == ["tell generator: set txpkts 512; start"]
    assert [i["pid"] for i in after["instances"]] == [i["pid"] for i in before["instances"]]


def test_another_queue_count_launches_anew_and_takes_the_connected_along() -> None:
    before = {i["name"]: i["pid"] for i in started(VSWITCH, GENERATOR)["instances"]}
    port = {"device": "net_vhost0", "options": {"iface": SOCKET, "queues": 2}}
    after = started({**VSWITCH, "queues": 2, "ports": [port]}, GENERATOR)
    assert not after.get("failed"), after
    assert {i["name"]: i["pid"] != before[i["name"]] for i in after["instances"]} == {
        "vswitch": True,
        "generator": True,
    }
    assert any("what serves" in action for action in after["actions"])


def test_stopping_is_predicted_and_idempotent() -> None:
    started(VSWITCH, GENERATOR)
    predicted = task("testpmd", {"state": "stopped"}, check=True)
    assert (bench.RUN / "testpmd" / "vswitch").exists()
    stopped = task("testpmd", {"state": "stopped"})
    assert predicted["actions"] == stopped["actions"] == ["stop generator", "stop vswitch"]
    assert stopped["instances"] == []
    assert not list(Path(HUGE).iterdir()), "hugepage files keep memory"
    assert not task("testpmd", {"state": "stopped"})["changed"]


def test_cores_that_overlap_are_refused_unless_told_to() -> None:
    refused = started(VSWITCH, {**GENERATOR, "cpus": [0]})
    assert refused["failed"]
    assert "CPU 0" in refused["msg"]
    assert "allow_overlap" in refused["msg"]
    assert not (bench.RUN / "testpmd").exists()
    taken = started(VSWITCH, {**GENERATOR, "cpus": [0]}, allow_overlap=True)
    assert not taken.get("failed"), taken


def test_a_death_at_the_start_is_told_with_the_end_of_the_log_and_undone() -> None:
    refused = started(VSWITCH, {**GENERATOR, "arguments": ["--no-such-option"]})
    assert refused["failed"]
    assert "no-such-option" in refused["log_end"]
    assert not any("dpdk-testpmd" in command for command in bench.processes().values())


def test_more_memory_than_is_free_is_refused_before_anything_stops() -> None:
    started(VSWITCH)
    refused = started({**VSWITCH, "memory_mib": 4096})
    assert refused["failed"]
    assert "4096 MiB" in refused["msg"]
    assert Path(f"/proc/{bench.testpmd_pid('vswitch')}").exists()


def test_a_cpu_that_does_not_exist() -> None:
    refused = started({**VSWITCH, "cpus": [os.cpu_count()]})
    assert refused["failed"]
    assert f"CPU {os.cpu_count()}" in refused["msg"]
