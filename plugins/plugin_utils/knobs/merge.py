# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One definition of the study ``knobs`` for all hosts of a run: labs may differ in their knobs, and in what is gone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.virtperf.vhost.plugins.plugin_utils import definition
from ansible_collections.virtperf.vhost.plugins.plugin_utils.values import PlanError

# Of hosts that ask for other knobs, each has its part of these.
_UNITED = ("workloads", "baselines")
# And these hold for one host only.
_OF_A_HOST = ("skipped", "gone")


def merge(definitions: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """As for other studies; a cell that is gone on a host is skipped there for that reason."""
    _check_pairs(definitions)
    plain = {
        host: {key: value for key, value in one.items() if key not in (*_OF_A_HOST, *_UNITED, "apart")}
        for host, one in definitions.items()
    }
    merged = definition.merge(plain, "knobs", ("cells",))
    skipped, gone = (_of_hosts(definitions, key) for key in _OF_A_HOST)
    known = [(skip["cell"], skip.get("host")) for skip in skipped]
    skipped += [skip for skip in merged.get("skipped", ()) if (skip["cell"], skip["host"]) not in known]
    united: dict[str, Any] = {key: {} for key in _UNITED}
    for one in definitions.values():
        for key, values in united.items():
            values.update(one[key])
    apart = list(dict.fromkeys(knob for one in definitions.values() for knob in one["apart"]))
    return {**merged, **united, "apart": apart, "gone": gone, "skipped": skipped}


def _of_hosts(definitions: Mapping[str, Mapping[str, Any]], key: str) -> list[dict[str, Any]]:
    """A list of each of them, with the host's name where there are several."""
    return [
        {"host": host, **item} if len(definitions) > 1 else dict(item)
        for host, one in definitions.items()
        for item in one[key]
    ]


def _check_pairs(definitions: Mapping[str, Mapping[str, Any]]) -> None:
    """What the variable knobs_pairs says is called trials in a definition."""
    pairs = {one["trials"]: host for host, one in definitions.items()}
    if len(pairs) > 1:
        (one, host), (other, another) = list(pairs.items())[:2]
        raise PlanError(
            f"knobs_pairs is {one} on {host} and {other} on {another}. Allowed: the same on all hosts of a run"
        )
