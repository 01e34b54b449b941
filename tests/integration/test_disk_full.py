# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A disk that is really full: a small file system in a mount namespace of the test's own."""

from __future__ import annotations

import json
import os
import runpy
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import bench
import pytest

pytestmark = pytest.mark.apart

make = SimpleNamespace(**runpy.run_path(str(bench.CHECKOUT / "tests/unit/record_factory.py")))

# Opens a run; then its disk fills up, the report is tried, room is made, and the report is tried again.
PLAYBOOK = """
- name: Run out of space
  hosts: localhost
  gather_facts: false
  tasks:
    - name: Open
      virtperf.vhost.run_open:
        run_id: {run_id}
        results_dir: {disk}
        definition: {definition}
        hosts: [localhost]
        min_free_mib: {min_free_mib}
    - name: Fetch
      ansible.builtin.fetch:
        src: {records}
        dest: {disk}/{run_id}/hosts/localhost/reflect.jsonl
        flat: true
    - name: Fill the disk
      ansible.builtin.shell: head -c 64M /dev/zero >{disk}/ballast
      register: filled
      failed_when: filled.rc == 0
    - name: Report on a full disk
      virtperf.vhost.report: &report
        run_id: {run_id}
        results_dir: {disk}
      register: full
      ignore_errors: true
    - name: See what is there
      ansible.builtin.find:
        paths: {disk}/{run_id}
        hidden: true
      register: left
    - name: Make room
      ansible.builtin.file:
        path: {disk}/ballast
        state: absent
    - name: Report
      virtperf.vhost.report: *report
      register: roomy
    - name: Tell
      ansible.builtin.copy:
        content: "{{{{ {{'full': full, 'left': left.files, 'roomy': roomy}} | to_json }}}}"
        dest: {told}
        mode: "0644"
"""


def play_on_a_disk_of(size: str, tmp_path: Path, min_free_mib: float) -> tuple[int, str, dict[str, Any]]:
    """Exit status and output of the playbook, and what it told."""
    disk, playbook, told = tmp_path / "disk", tmp_path / "play.yml", tmp_path / "told.json"
    disk.mkdir()
    playbook.write_text(
        PLAYBOOK.format(
            run_id=make.RUN_ID,
            disk=disk,
            definition=json.dumps({"reflect": make.definition([make.cell()])}),
            records=make.write_records(tmp_path / "records.jsonl", [make.record(trial=n) for n in (1, 2, 3)]),
            min_free_mib=min_free_mib,
            told=told,
        )
    )
    # The mount is gone with the last process that sees it, however that ends.
    script = (
        f"mount -t tmpfs -o size={size} tmpfs {disk} && {bench.CHECKOUT}/tools/env ansible-playbook {playbook}; s=$?"
    )
    script += f"; echo; echo left: $(ls {disk}); exit $s"
    as_root = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    done = subprocess.run(
        ["unshare", *as_root, "--mount", "sh", "-c", script],
        cwd=bench.CHECKOUT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
    )
    return done.returncode, done.stdout, json.loads(told.read_text()) if told.exists() else {}


def test_a_run_is_not_begun_where_its_results_have_no_room(tmp_path: Path) -> None:
    status, output, _told = play_on_a_disk_of("8m", tmp_path, min_free_mib=64)
    assert status != 0
    assert "too little space for results" in output
    assert "8.0 MiB free, 64 MiB wanted" in output
    assert "nothing was measured and no host was touched" in output
    assert output.rstrip().endswith("left:"), "something was left on the disk"


@pytest.fixture(scope="module")
def filled_up(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What happened on a disk that filled up while the hosts were measured."""
    status, output, told = play_on_a_disk_of("16m", tmp_path_factory.mktemp("full"), min_free_mib=1)
    assert status == 0, output
    return told


def test_a_disk_that_filled_up_later_is_told_with_what_is_safe_and_where(filled_up: dict[str, Any]) -> None:
    full = filled_up["full"]
    assert full["failed"]
    assert "No space left on device" in full["msg"]
    assert "0.0 MiB free there" in full["msg"]
    assert f"safe on the measured hosts, in /var/lib/virtperf/runs/{make.RUN_ID}/" in full["msg"]
    assert f"ansible-playbook virtperf.vhost.report -e run_id={make.RUN_ID} -e results_dir=" in full["msg"]


def test_the_numbers_are_shown_all_the_same(filled_up: dict[str, Any]) -> None:
    assert filled_up["full"]["complete"]
    assert any("15.20" in line for line in filled_up["full"]["table_lines"])


def test_nothing_half_written_is_left(filled_up: dict[str, Any]) -> None:
    # The manifest is that of the start: a new one did not fit.
    assert [Path(file["path"]).name for file in filled_up["left"]] == ["manifest.json"]


def test_with_room_again_everything_is_written(filled_up: dict[str, Any]) -> None:
    assert filled_up["roomy"]["changed"]
    assert filled_up["roomy"]["complete"]
