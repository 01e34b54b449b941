# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A study is a role with a plan; what runs studies knows no more of it than its name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
STUDIES = sorted(path.parents[1].name for path in ROOT.glob("roles/*/tasks/plan.yml"))


def read(path: str) -> Any:
    return yaml.safe_load((ROOT / path).read_text())


def test_there_are_some() -> None:
    assert {"reflect", "throttle", "knobs"} <= set(STUDIES)


@pytest.mark.parametrize("study", STUDIES)
def test_a_run_knows_its_definition_and_whether_it_is_only_planned(study: str) -> None:
    line = read("roles/run/vars/main.yml")[f"run_{study}_definition"]
    assert f"['__{study}_plan', 'definition']" in line
    assert f"virtperf.vhost.{study}_definition" in line
    assert (ROOT / f"plugins/filter/{study}_definition.py").exists()
    assert read(f"roles/{study}/defaults/main.yml")[f"{study}_dry_run"] is False


@pytest.mark.parametrize("playbook", ["plan", "prepare", "measure", "bench", "report"])
def test_playbooks_ask_no_study_by_name_whether_it_is_only_planned(playbook: str) -> None:
    text = (ROOT / f"playbooks/{playbook}.yml").read_text()
    assert not [study for study in STUDIES if f"{study}_dry_run" in text]
