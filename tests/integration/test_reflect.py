# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The study reflect on a real kernel with real testpmd: what a user sees when all is well, and when it is not."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import bench
import pytest

pytestmark = pytest.mark.usefixtures("left_as_found")


def test_a_run_gives_records_table_and_report_once(tmp_path: Path) -> None:
    both = {"reflect_drivers": ["virtio_user_split", "virtio_user_packed"], "reflect_packet_sizes": "64,512"}
    variables = {**bench.SMALL, **both}
    done = bench.play("bench", variables, tmp_path)
    assert done.status == 0, done.output
    assert len(done.records) == 8
    for record in done.records:
        assert record["valid"], record["reasons"]
        assert record["metrics"]["rx_pps"] > 100_000
        assert record["observed"]["frame_bytes"] == record["cell"]["packet_size"] - 4
        assert record["observed"]["ring_size"] == 256
        packed = record["cell"]["driver"] == "virtio_user_packed"
        assert ("ring_packed" in record["observed"]["features"]) == packed
        account = record["ledger"]
        lost = sum(account["lost"].values())
        assert account["sent"] == account["received"] + lost
    assert re.search(r"Mpps", (done.results / "table.txt").read_text())
    assert "<html" in (done.results / "report.html").read_text()
    manifest = json.loads((done.results / "manifest.json").read_text())
    assert manifest["run_id"] == "test"
    assert re.search(r"cell \d+ of 4", done.output), "no line of progress"
    # The same run_id again resumes it, and another definition is refused.
    again = bench.play("bench", variables, tmp_path)
    assert again.status == 0, again.output
    assert again.records == done.records, "what was measured is not measured again"
    other = bench.play("bench", {**variables, "reflect_packet_sizes": [128]}, tmp_path)
    assert other.status != 0
    assert "another" in other.output or "differ" in other.output
    assert other.records == done.records


def test_a_controller_that_is_no_hypervisor_and_a_host_with_python_3_9(tmp_path: Path) -> None:
    """The controller learns the name of a run, which nobody has given, from the hosts that measured."""
    finder = Path(__file__).with_name("python39.py")
    found = subprocess.run([sys.executable, finder], capture_output=True, text=True, check=True)
    box = {"ansible_connection": "local", "ansible_python_interpreter": found.stdout.strip()}
    inventory = tmp_path / "hosts.yml"
    inventory.write_text(json.dumps({"hypervisors": {"hosts": {"box": box}}}))
    results = tmp_path / "results"
    process = bench.start("bench", bench.SMALL, results, inventory=inventory)
    done = bench.finish(process, results, "")
    assert done.status == 0, done.output
    (run,) = results.iterdir()
    assert "host box" in (run / "table.txt").read_text()
    manifest = json.loads((run / "manifest.json").read_text())
    assert '"version": "3.9.' in json.dumps(manifest), "another Python was used"


def test_the_vswitch_generates_on_two_queues_and_without_mergeable_buffers(tmp_path: Path) -> None:
    variables = {**bench.SMALL, "reflect_direction": "far_end"}
    variables |= {"reflect_queues": [2], "reflect_mrg_rxbuf": False, "reflect_ring_size": 512}
    done = bench.play("bench", variables, tmp_path)
    assert done.status == 0, done.output
    assert done.records
    for record in done.records:
        assert set(record["cpu"]) == {"vswitch", "reflector"}
        assert record["observed"]["queues"] == 2
        assert record["observed"]["ring_size"] == 512
        assert "mrg_rxbuf" not in record["observed"]["features"]


def test_a_vectorized_path_that_was_not_chosen_is_no_valid_trial(tmp_path: Path) -> None:
    # DPDK takes its standard path without AVX-512, whatever was asked.
    environment = _wrapper(
        tmp_path,
        'for word; do shift; case $word in *simd-bitwidth*) ;; *) set -- "$@" "$word" ;; esac; done\n'
        'exec /usr/bin/dpdk-testpmd "$@"',
    )
    variables = {**bench.SMALL, "reflect_drivers": "virtio_user_packed", "reflect_vectorized": True}
    done = bench.play("bench", variables, tmp_path / "results", environment)
    assert done.status != 0
    assert not any(record["valid"] for record in done.records)
    assert "no vectorized path was chosen" in done.records[0]["reasons"][0]
    assert "no vectorized path was chosen" in (done.results / "table.txt").read_text()


WRONG: list[tuple[dict[str, object], str]] = [
    ({"reflect_packet_size": 64}, "reflect_packet_sizes"),
    ({"reflect_drivers": "virtio_user_spilt"}, "virtio_user_packed"),
    ({"reflect_packet_sizes": [60]}, "64 to 1518"),
    ({"reflect_queues": 0}, "1 to 16"),
    ({"reflect_forwarding_cores": "per_queue", "reflect_queues": [512]}, "1 to 16"),
    ({"reflect_forwarding_cores": "per_queue", "reflect_queues": [16]}, "CPUs are needed"),
    ({"reflect_vswitch_cpus": [4096]}, "names CPU 4096"),
    ({"reflect_trials": "many"}, "1 to 1000"),
    ({"reflect_vectorized": True}, "reflect_vectorized=true does not go with driver virtio_user_split"),
    ({"reflect_drivers": "igb_uio", "reflect_ring_size": 128}, "Allowed: 256, 512, 1024"),
    ({"reflect_generator": "pktgen"}, "reflect_generator=pktgen does not go with driver virtio_user_split"),
    ({"run_id": "../elsewhere"}, "run_id"),
]


def test_what_is_wrong_is_found_before_anything_starts(tmp_path: Path) -> None:
    """All at once: none of them is to touch anything. Beside them a dry run, which shows cells and time."""
    before = bench.machine()

    def play(variables: dict[str, object]) -> bench.Done:
        return bench.play("bench", variables, tmp_path)

    asked = [{"reflect_dry_run": True}, *({**bench.SMALL, **variables} for variables, _said in WRONG)]
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        dry, *refused = pool.map(play, asked)
    assert dry.status == 0, dry.output
    assert "24 cells, 4 launches" in dry.output
    for done, (variables, said) in zip(refused, WRONG, strict=True):
        assert done.status != 0, variables
        assert said in " ".join(done.output.split()), variables
    assert bench.machine() == before
    assert not list(tmp_path.iterdir())


def test_a_hugepage_size_the_kernel_lacks(tmp_path: Path) -> None:
    done = bench.play("bench", {**bench.SMALL, "reflect_hugepage_size": "16M"}, tmp_path)
    assert done.status != 0
    assert "2048" in done.output or "2 MiB" in done.output or "2M" in done.output


def test_more_hugepages_than_there_is_memory(tmp_path: Path) -> None:
    done = bench.play("bench", {**bench.SMALL, "reflect_memory_mib": 262144}, tmp_path)
    assert done.status != 0
    assert re.search(r"granted|free", done.output)


def test_a_testpmd_that_dies_in_a_trial_is_marked_and_the_sweep_goes_on(tmp_path: Path) -> None:
    variables = {
        **bench.SMALL,
        "run_id": "test",
        "reflect_packet_sizes": [64, 128],
        "reflect_trials": 2,
        "reflect_trial_seconds": 2,
    }
    process = bench.start("bench", variables, tmp_path)
    bench.wait_for("a trial", bench.measuring)
    os.kill(bench.testpmd_pid("generator"), signal.SIGKILL)
    done = bench.finish(process, tmp_path, "test")
    assert done.status != 0
    bad = [record for record in done.records if not record["valid"]]
    assert len(bad) == 1
    assert "testpmd generator" in bad[0]["reasons"][0]
    assert len([record for record in done.records if record["valid"]]) == 3
    assert "testpmd generator" in (done.results / "table.txt").read_text()
    # The same run_id takes what is missing, and only that.
    again = bench.play("bench", variables, tmp_path)
    assert again.status == 0, again.output
    assert len([record for record in again.records if record["valid"]]) == 4


def _wrapper(directory: Path, script: str) -> dict[str, str]:
    """An environment in which dpdk-testpmd is a script around the real one."""
    program = directory / "bin" / "dpdk-testpmd"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return {"PATH": f"{program.parent}:{os.environ['PATH']}"}


def test_a_testpmd_that_dies_at_its_start_marks_its_cells_only(tmp_path: Path) -> None:
    environment = _wrapper(
        tmp_path,
        'case "$*" in *packed_vq=1*) echo "EAL: out of luck"; exit 7;; esac\nexec /usr/bin/dpdk-testpmd "$@"',
    )
    results = tmp_path / "results"
    both = {"reflect_drivers": ["virtio_user_split", "virtio_user_packed"]}
    done = bench.play("bench", {**bench.SMALL, **both}, results, environment)
    assert done.status != 0
    split = [record for record in done.records if record["cell"]["driver"] == "virtio_user_split"]
    packed = [record for record in done.records if record["cell"]["driver"] == "virtio_user_packed"]
    assert len(split) == 2
    assert all(record["valid"] for record in split)
    assert packed
    assert "out of luck" in packed[0]["reasons"][0]
    assert "status 7" in packed[0]["reasons"][0]


def test_a_socket_path_that_another_process_serves(tmp_path: Path) -> None:
    bench.RUN.mkdir(mode=0o700)
    taken = socket.socket(socket.AF_UNIX)
    try:
        taken.bind(str(bench.RUN / "vswitch.sock"))
        taken.listen()
        done = bench.play("bench", bench.SMALL, tmp_path)
        assert done.status != 0
        assert f"process {os.getpid()}" in done.records[0]["reasons"][0]
    finally:
        taken.close()
        (bench.RUN / "vswitch.sock").unlink(missing_ok=True)
        if bench.RUN.exists():
            bench.RUN.rmdir()


def test_two_runs_at_once(tmp_path: Path) -> None:
    first = bench.start("bench", {**bench.SMALL, "run_id": "test", "reflect_trial_seconds": 4}, tmp_path)
    bench.wait_for("a trial", bench.measuring)
    second = bench.play("bench", {**bench.SMALL, "run_id": "second"}, tmp_path)
    assert second.status != 0
    assert "run test" in second.output
    done = bench.finish(first, tmp_path, "test")
    assert done.status == 0, done.output
    assert all(record["valid"] for record in done.records)


def test_an_ended_controller_leaves_nothing_and_loses_nothing(tmp_path: Path) -> None:
    """Interrupted, and killed when it resumes."""
    before = bench.machine()
    variables = {**bench.SMALL, "run_id": "test", "reflect_trials": 6, "reflect_trial_seconds": 1.5}
    records = bench.STATE / "runs" / "test" / "reflect.jsonl"

    def there() -> int:
        return len(records.read_text().splitlines()) if records.exists() else 0

    for signal_number in (signal.SIGINT, signal.SIGKILL):
        had = there()
        told = _ended_controllers()
        process = bench.start("bench", variables, tmp_path)
        bench.wait_for("a record", lambda had=had: there() > had)
        os.killpg(process.pid, signal_number)
        assert bench.finish(process, tmp_path, "test").status != 0
        bench.wait_for("the guard", lambda: bench.machine() == before, timeout_s=15)
        assert _ended_controllers() > told
        # The report stage shows what there is, and says that it is not all.
        kept = there()
        report = bench.play("report", {}, tmp_path)
        assert report.status != 0
        assert len(report.records) == kept > had
    again = bench.play("bench", variables, tmp_path)
    assert again.status == 0, again.output
    assert len([record for record in again.records if record["valid"]]) == 6


def _ended_controllers() -> int:
    """Of how many the guard has said that they are gone."""
    log = bench.STATE / "guard.log"
    return log.read_text().count("the controller of run test") if log.exists() else 0


def test_restore_undoes_a_run_whose_guard_was_killed_too(tmp_path: Path) -> None:
    before = bench.machine()
    process = bench.start("bench", {**bench.SMALL, "run_id": "test", "reflect_trial_seconds": 20}, tmp_path)
    bench.wait_for("a trial", bench.measuring)
    for pid, command in bench.processes().items():
        if "testpmd" not in command:
            os.kill(pid, signal.SIGKILL)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert bench.machine() != before
    assert bench.play("restore", {}, tmp_path).status == 0
    assert bench.machine() == before
    again = bench.play("restore", {}, tmp_path)
    assert again.status == 0
    assert "nothing to undo" in again.output


def test_a_new_run_clears_what_a_killed_one_left(tmp_path: Path) -> None:
    process = bench.start("bench", {**bench.SMALL, "run_id": "killed", "reflect_trial_seconds": 20}, tmp_path)
    bench.wait_for("a trial", bench.measuring)
    for pid, command in bench.processes().items():
        if "testpmd" not in command:
            os.kill(pid, signal.SIGKILL)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    done = bench.play("bench", bench.SMALL, tmp_path)
    assert done.status == 0, done.output


def test_testpmd_missing(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    for name in ("sh", "env", "cat", "rm", "mkdir", "chmod", "python3", "stdbuf"):
        target = next(p for d in ("/usr/bin", "/bin") if (p := Path(d, name)).exists())
        (empty / name).symlink_to(target)
    instance = {
        "name": "vswitch",
        "cpus": [0],
        "huge_dir": "/run/virtperf/hugepages",
        "ports": [{"device": "net_vhost0", "options": {"iface": "/run/virtperf/vswitch.sock"}}],
    }
    playbook = tmp_path / "missing.yml"
    tasks = [{"virtperf.vhost.testpmd": {"instances": [instance]}, "environment": {"PATH": str(empty)}}]
    playbook.write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}]))
    process = bench.start_file(playbook)
    done = bench.finish(process, tmp_path, "test")
    assert done.status != 0
    assert "apt-get install dpdk-dev" in " ".join(done.output.split())
