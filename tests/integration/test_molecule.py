# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Molecule scenarios, each on this machine."""

from __future__ import annotations

import subprocess

import bench
import pytest


@pytest.mark.usefixtures("left_as_found")
@pytest.mark.parametrize("scenario", ["host"])
def test_a_scenario(scenario: str) -> None:
    command = [str(bench.CHECKOUT / "tools/env"), "molecule", "test", "--scenario-name", scenario]
    done = subprocess.run(command, cwd=bench.CHECKOUT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
