# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The time series that came from the hosts, as the report reads them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.sampler import series as series_file
from ansible_collections.virtperf.vhost.plugins.module_utils.sampler.series import Series
from ansible_collections.virtperf.vhost.plugins.plugin_utils.records import Record
from ansible_collections.virtperf.vhost.plugins.plugin_utils.run_dir import RunDir
from ansible_collections.virtperf.vhost.plugins.plugin_utils.wording import count, listed

# By host, and by the name that its records have for the series.
AllSeries = Mapping[tuple[str, str], Series]


def read_series(run: RunDir, records: Iterable[Record], notes: list[str]) -> dict[tuple[str, str], Series]:
    """Each series that records name; what is missing or cannot be read is appended to ``notes``."""
    found: dict[tuple[str, str], Series] = {}
    missing: dict[str, list[str]] = {}
    for host, name in dict.fromkeys((record.host, record.series) for record in records if record.series):
        # A record says where its host keeps the file: here only its last part counts, and it leads nowhere else.
        path = run.samples / PurePosixPath(host).name / PurePosixPath(name).name
        if ".." in (PurePosixPath(host).name, path.name) or not path.is_file():
            missing.setdefault(host, []).append(path.name)
            continue
        try:
            found[host, name] = series_file.read(str(path))
        except VirtperfError as error:
            notes.append(f"{error}: its timeline is not drawn")
    for host, names in missing.items():
        files = count(len(names), "file")
        notes.append(f"{files} of samples of {host} did not arrive, their timelines are not drawn: {listed(names)}")
    return found
