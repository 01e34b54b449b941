# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The installed collection measures: by its name, in an empty directory, with no inventory."""

from __future__ import annotations

import json
from pathlib import Path

import an_installation
import pytest


@pytest.mark.usefixtures("left_as_found")
def test_a_run_in_an_empty_directory_without_an_inventory(tmp_path: Path) -> None:
    installed = an_installation.install(tmp_path)
    small = {
        "run_id": "test",
        "reflect_drivers": "virtio_user_split",
        "reflect_queues": 1,
        "reflect_packet_sizes": 64,
        "reflect_trials": 1,
        "reflect_trial_seconds": 0.2,
    }
    done = installed.run("ansible-playbook", "virtperf.vhost.bench", "-e", json.dumps(small))
    assert done.returncode == 0, done.stdout + done.stderr
    results = installed.cwd / "results" / "test"
    assert len((results / "trials.jsonl").read_text().splitlines()) == 1
    assert (results / "report.html").exists()
