# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plans of the study reflect over made-up hosts, for the tests of everything that makes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.virtperf.vhost.plugins.plugin_utils.reflect.plan import plan
from ansible_collections.virtperf.vhost.plugins.plugin_utils.values import PlanError

ROLE = Path(__file__).parents[5] / "roles" / "reflect"
DEFAULTS: dict[str, Any] = yaml.safe_load((ROLE / "defaults" / "main.yml").read_text())
SIZES = [64, 128, 256, 512, 1024, 1518]


def host(
    cpus: int = 2, *, nodes: int = 1, threads: int = 1, isolated: tuple[int, ...] = (), numa: bool = True
) -> dict[str, Any]:
    """A host's facts. CPUs go in equal shares to its nodes; thread n of a core comes after all threads n - 1."""
    cores = cpus // threads
    return {
        "cpus": {
            "allowed": list(range(cpus)),
            "isolated": list(isolated),
            "node_of": {str(cpu): cpu % cores * nodes // cores for cpu in range(cpus)},
            "siblings_of": {str(cpu): list(range(cpu % cores, cpus, cores)) for cpu in range(cpus)},
        },
        "numa_nodes": [{"node": node} for node in range(nodes)] if numa else [],
    }


def planned(facts: dict[str, Any] | None = None, **variables: Any) -> dict[str, Any]:
    return plan({**DEFAULTS, **variables}, facts or host(64))


def refusal(facts: dict[str, Any] | None = None, **variables: Any) -> str:
    with pytest.raises(PlanError) as caught:
        planned(facts, **variables)
    return str(caught.value)
