# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The inventory plugin: which files it takes, and that it documents what it reads."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from ansible_collections.virtperf.vhost.plugins.inventory import lab
from ansible_collections.virtperf.vhost.plugins.plugin_utils import lab_plan


@pytest.mark.parametrize(
    ("name", "taken"),
    [("lab.yml", True), ("lab.yaml", True), ("blue.lab.yml", True), ("mylab.yml", False), ("lab.yml.bak", False)],
)
def test_names_of_files(tmp_path: Path, name: str, taken: bool) -> None:
    path = tmp_path / name
    path.touch()
    assert lab.InventoryModule().verify_file(str(path)) is taken


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    assert not lab.InventoryModule().verify_file(str(tmp_path / "lab.yml"))


def test_documentation_and_plan_agree() -> None:
    options = yaml.safe_load(lab.DOCUMENTATION)["options"]
    assert set(options) == {"plugin", *lab_plan._DEFAULTS}
    for name, option in options.items():
        default = lab_plan._DEFAULTS.get(name)
        assert option.get("default") == default or option.get("required"), name


def test_the_examples_make_labs() -> None:
    first, second = lab.EXAMPLES.split("# A guest on this machine")
    for text in (first, "".join(line.removeprefix("# ") for line in second.splitlines(keepends=True)[1:])):
        made = lab_plan.plan(yaml.safe_load(text))
        assert made.groups["guests"]
    assert made.hosts["localhost-guest1"]["ansible_port"] == 2202
