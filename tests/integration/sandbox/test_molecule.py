# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Molecule scenarios, each in the hypervisor in a VM. They look there themselves for what they leave."""

from __future__ import annotations

import os
import subprocess

import bench
import pytest
from a_sandbox import ACCESS

# One of them is short enough for `make test`: a whole study. It has `host` on this machine.
LONG = [pytest.param(scenario, marks=pytest.mark.long) for scenario in ("host", "guests")]


@pytest.mark.parametrize("scenario", [*LONG, "throttle"])
def test_a_scenario(sandbox: float, scenario: str) -> None:
    before = set(ACCESS.parent.rglob("*"))
    command = [str(bench.CHECKOUT / "tools/env"), "molecule", "test", "--scenario-name", scenario]
    environment = {**os.environ, "VIRTPERF_INVENTORY": "sandbox"}
    done = subprocess.run(
        command, cwd=bench.CHECKOUT, env=environment, capture_output=True, text=True, check=False, timeout=900
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert set(ACCESS.parent.rglob("*")) <= before
