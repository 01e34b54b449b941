# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The name of a run: it names a directory on the controller and on each host."""

from __future__ import annotations

import re

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError

_RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def check_run_id(run_id: str) -> str:
    """The ``run_id``, if it can name a directory; else VirtperfError."""
    if not _RUN_ID.fullmatch(run_id) or ".." in run_id:
        raise VirtperfError(
            "this run_id cannot be used",
            found=repr(run_id),
            way_out="use up to 64 letters, digits, '.', '_' and '-', a letter or digit first, no two dots in a row",
        )
    return run_id
