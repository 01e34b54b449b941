# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a plugin's documentation says about its options, as its argument spec would."""

from __future__ import annotations

from typing import Any

import yaml


def documented_options(documentation: str) -> dict[str, dict[str, Any]]:
    """The options without their descriptions."""
    options = yaml.safe_load(documentation)["options"]
    return {
        name: {key: value for key, value in option.items() if key != "description"} for name, option in options.items()
    }
