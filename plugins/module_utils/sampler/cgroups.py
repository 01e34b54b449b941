# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""CPU time that cgroups used and were denied: ``cpu.stat`` of cgroup v2."""

from __future__ import annotations

import os
from collections.abc import Mapping

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.sampler.files import close_all, read_again
from ansible_collections.virtperf.vhost.plugins.module_utils.sampler.source import Column, Reading

# Documentation/admin-guide/cgroup-v2.rst. throttled_usec adds up over CPUs: it can grow faster than time passes.
COUNTERS = ("usage_usec", "nr_periods", "nr_throttled", "throttled_usec")


class Cgroups:
    """Columns ("cgroup", <label>, <counter>); ``paths`` maps labels to directories."""

    def __init__(self, paths: Mapping[str, str]) -> None:
        self.columns: list[Column] = [("cgroup", label, counter) for label in paths for counter in COUNTERS]
        self._open: list[int] = []
        for label, path in paths.items():
            try:
                self._open.append(os.open(f"{path}/cpu.stat", os.O_RDONLY | os.O_CLOEXEC))
            except OSError as error:
                self.close()
                raise VirtperfError(
                    f"cgroup {label} has no cpu.stat",
                    found=str(error),
                    way_out="name a cgroup of the unified hierarchy (cgroup v2)",
                ) from error

    def read(self) -> list[Reading]:
        """Sums since each cgroup was made; None where the cpu controller is not enabled, or the cgroup has gone."""
        return [number for descriptor in self._open for number in parse(read_again(descriptor))]

    def close(self) -> None:
        """Let go of the files."""
        close_all(self._open)


def parse(text: bytes) -> list[Reading]:
    """The values of ``COUNTERS`` in a cpu.stat file."""
    lines = (line.split() for line in text.splitlines())
    found = {words[0].decode(): int(words[1]) for words in lines if len(words) == 2}
    return [found.get(counter) for counter in COUNTERS]
