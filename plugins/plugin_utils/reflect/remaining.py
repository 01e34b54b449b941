# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a resumed run of the study ``reflect`` still has to measure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.virtperf.vhost.plugins.plugin_utils.done import Done


def remaining(launches: Sequence[Mapping[str, Any]], done: Sequence[Mapping[str, Any]], host: str) -> list[Any]:
    """The launches without the trials that an earlier attempt at the same run has valid records of."""
    earlier = Done(done, host, "reflect")
    left = []
    for launch in launches:
        cells = [{**cell, "trials": cell["trials"] - earlier.trials(cell["cell"])} for cell in launch["cells"]]
        cells = [cell for cell in cells if cell["trials"] > 0]
        if cells:
            left.append({**launch, "cells": cells})
    return left
