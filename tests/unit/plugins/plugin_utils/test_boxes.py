# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Places for plots."""

from __future__ import annotations

from ansible_collections.virtperf.vhost.plugins.plugin_utils.boxes import Box, Choice
from ansible_collections.virtperf.vhost.plugins.plugin_utils.figures import Figure


def test_every_plot_has_a_name_of_its_box() -> None:
    choices = [Choice(key, Figure(key, "a title", "what it shows", {})) for key in ("one", "two")]
    box = Box("result-1", "a title", choices, choices[0], {})
    assert [name for name, _figure in box.plots] == ["result-1-one", "result-1-two"]
    assert not box.rem
