# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run's records on the measured host: on disk after each trial, whatever happens to the run."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host, append_line
from ansible_collections.virtperf.vhost.plugins.module_utils.run_id import check_run_id


class RecordFile:
    """``<state>/runs/<run_id>/<study>.jsonl``: one record a line, appended and flushed."""

    def __init__(self, host: Host, run_id: str, study: str) -> None:
        self.host = host
        self.directory = os.path.join(host.state, "runs", check_run_id(run_id))
        self.path = os.path.join(self.directory, f"{study}.jsonl")

    def keep_log(self, name: str, text: str) -> str:
        """Keep the log of a process that died beside the records, under a name that is free; returns the name."""
        self.host.private_directory(self.directory)
        number = 1
        while os.path.exists(os.path.join(self.directory, f"{name}-{number}.log")):
            number += 1
        kept = f"{name}-{number}.log"
        with open(os.path.join(self.directory, kept), "w", encoding="utf-8") as file:
            file.write(text)
        return kept

    def append(self, record: Mapping[str, Any]) -> None:
        """Add a record; VirtperfError when the disk takes no more."""
        try:
            for directory in (self.host.state, os.path.dirname(self.directory), self.directory):
                self.host.private_directory(directory)
            append_line(self.path, record)
        except OSError as error:
            raise VirtperfError(
                f"a record cannot be written to {self.path}",
                found=str(error.strerror),
                way_out="make room there, then run again with the same run_id: what was measured is kept",
            ) from error
