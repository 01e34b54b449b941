# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small status file that a long module keeps, and that the controller reads to show a line while it runs."""

from __future__ import annotations

import json
import os
from typing import Any

from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host


class Progress:
    """``<run>/status.json``: replaced as a whole, so that a reader never sees half of it."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.path = os.path.join(host.run, "status.json")

    def show(self, **status: Any) -> None:
        """Replace the status. Not flushed to disk: it only matters while we run."""
        self.host.private_directory(self.host.run)
        temporary = f"{self.path}.new"
        with open(temporary, "w", encoding="utf-8") as file:
            json.dump(status, file)
        os.replace(temporary, self.path)
