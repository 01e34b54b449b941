# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was written for a terminal, made fit for a message."""

from __future__ import annotations

import re

# Colours and cursor movements (ECMA-48 control sequences), other escapes, and control characters but for line ends.
_CODES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[^\[]|[\x00-\x08\x0b-\x0c\x0e-\x1f\x7f]")


def plain(text: str) -> str:
    """A text without what only a terminal understands."""
    return _CODES.sub("", text)
