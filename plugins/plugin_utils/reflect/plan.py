# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the variables of the study ``reflect`` to launches and cells; what is wrong is found here, before a start."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

from ansible_collections.virtperf.vhost.plugins.plugin_utils.reflect import needs
from ansible_collections.virtperf.vhost.plugins.plugin_utils.reflect.asked import asked_of
from ansible_collections.virtperf.vhost.plugins.plugin_utils.reflect.ends import HUGE_DIR
from ansible_collections.virtperf.vhost.plugins.plugin_utils.reflect.factors import FACTORS
from ansible_collections.virtperf.vhost.plugins.plugin_utils.reflect.launches import in_order, launch_for
from ansible_collections.virtperf.vhost.plugins.plugin_utils.reflect.rules import (
    check_apart,
    check_buffers,
    check_guest,
    check_levels,
)
from ansible_collections.virtperf.vhost.plugins.plugin_utils.reflect.settings import check_names, read_settings


def plan(variables: Mapping[str, Any], host: Mapping[str, Any]) -> dict[str, Any]:
    """The whole study for one host.

    ``variables`` are all that begin with ``reflect_``; ``host`` is what M(virtperf.vhost.vhost_info) returns. Gives
    ``launches`` (for M(virtperf.vhost.reflect_run)), ``definition`` (cells and settings, for the manifest), ``needs``
    (of the host: ``hugepages`` and ``mounts`` for M(virtperf.vhost.hugepages), ``packages`` of Debian, and ``guests``,
    whether there are any), and ``seconds``, an estimate of the whole. Raises PlanError.
    """
    check_names(variables)
    by_name = {factor.name: factor.levels(name, variables[name]) for name, factor in FACTORS.items()}
    settings = read_settings(variables)
    check_apart(by_name)
    varied = [factor.name for factor in FACTORS.values() if factor.always or len(by_name[factor.name]) > 1]
    launches: list[dict[str, Any]] = []
    cells: list[dict[str, Any]] = []
    for combination in itertools.product(*by_name.values()):
        levels = dict(zip(by_name, combination, strict=True))
        asked = asked_of(levels)
        check_levels(levels, asked)
        launch = launch_for(levels, asked, settings, host)
        check_buffers(asked, settings)
        if launch["guest"]:
            check_guest(asked, settings, host)
        cell = {name: levels[name] for name in varied}
        cells.append(cell)
        if not launches or any(launches[-1][part] != launch[part] for part in launch):
            launches.append({**launch, "cells": []})
        launches[-1]["cells"].append(
            {"cell": cell, "asked": _whole(asked, launch, settings), "trials": settings["trials"]}
        )
    ordered = in_order(launches)
    guests = any(launch["guest"] for launch in ordered)
    return {
        "launches": ordered,
        "definition": {"cells": cells, "factors": by_name, **settings},
        "needs": {
            "hugepages": needs.hugepages(ordered, settings, host),
            "mounts": [{"path": HUGE_DIR, "size": settings["hugepage_size"]}],
            "packages": list(needs.PACKAGES),
            "guests": guests,
            "image": guests,
        },
        "seconds": needs.seconds(ordered, settings),
    }


def _whole(asked: Mapping[str, Any], launch: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """The setup for the record. The CPUs of a far end in a guest are vCPUs; its pins say where those run."""
    whole = {
        **asked,
        "mbufs": settings["mbufs"],
        "vswitch_cpus": launch["vswitch"]["cpus"],
        "far_end_cpus": launch["far_end"]["cpus"],
    }
    if launch["guest"]:
        whole["pins"] = launch["guest"]["pins"]
        # With auto, there is no accelerator that was asked for.
        if settings["guest_accel"] != "auto":
            whole["accel"] = settings["guest_accel"]
    return whole
