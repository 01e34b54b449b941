# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The end of a run on the controller: records are gathered, judged, and shown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.plugin_utils.manifest import (
    hash_files,
    manifest_bytes,
    plain,
    read_manifest,
    utc_now,
)
from ansible_collections.virtperf.vhost.plugins.plugin_utils.merge import merge_records
from ansible_collections.virtperf.vhost.plugins.plugin_utils.report import render_report
from ansible_collections.virtperf.vhost.plugins.plugin_utils.run_dir import RunDir
from ansible_collections.virtperf.vhost.plugins.plugin_utils.samples import read_series
from ansible_collections.virtperf.vhost.plugins.plugin_utils.studies import results_of
from ansible_collections.virtperf.vhost.plugins.plugin_utils.table import render_table
from ansible_collections.virtperf.vhost.plugins.plugin_utils.trials import CellTrials
from ansible_collections.virtperf.vhost.plugins.plugin_utils.wanted import wanted_cells


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run came to. ``error`` is what kept a file from being written; everything else holds nevertheless."""

    changed: bool
    table: str
    table_before: str
    incomplete: Sequence[CellTrials]
    notes: Sequence[str]
    error: VirtperfError | None

    @property
    def complete(self) -> bool:
        """Whether every cell has the valid trials it was asked for, or a reason why it was skipped."""
        return not self.incomplete


def report_run(
    run: RunDir,
    facts: Mapping[str, Any] | None,
    failures: Sequence[str] | None,
    *,
    reference: bool = False,
    dry: bool = False,
) -> Outcome:
    """Write all that is made from the records of a run; ``dry`` writes nothing and says whether it would.

    ``facts`` (by host) are added to those of the manifest; ``failures`` replace those there. None leaves both alone.
    ``reference`` shows the figures of the measurement that a study follows beside ours.
    Raises RunDirError and RecordError where there is nothing to report from.
    """
    manifest = read_manifest(run)
    notes: list[str] = []
    lines, records = merge_records(run, notes)
    results = results_of(records, wanted_cells(manifest["studies"], manifest["hosts"]))
    incomplete = [cell for result in results for cell in result.incomplete]
    series = read_series(run, records, notes)
    before = plain(manifest)
    manifest["facts"] |= plain(facts or {})
    if failures is not None:
        manifest["failures"] = list(failures)
    manifest["files"] = hash_files(run)
    manifest["status"] = "incomplete" if incomplete else "complete"
    if manifest != before:
        manifest["finished_at"] = utc_now()
    table = render_table(results, manifest, notes, reference=reference)
    table_before = run.table.read_text() if run.table.exists() else ""

    writer = _Writer(run, dry=dry)
    # What is dearest comes first: should the disk fill up, the page is what is missing.
    writer.write(run.trials, (f"{line}\n" for line in lines))
    writer.write(run.table, [table])
    writer.write(run.manifest, [manifest_bytes(manifest).decode()])
    try:
        page = render_report(results, records, manifest, notes, series=series, reference=reference)
        writer.write(run.report, [page])
    except VirtperfError as error:
        writer.error = writer.error or error
    return Outcome(writer.changed, table, table_before, incomplete, notes, writer.error)


class _Writer:
    """Writes what is not there as it should be, and keeps the first error until everything was tried."""

    def __init__(self, run: RunDir, *, dry: bool) -> None:
        self.changed = False
        self.error: VirtperfError | None = None
        self._run = run
        self._dry = dry

    def write(self, path: Path, texts: Iterable[str]) -> None:
        """Write the texts, one after the other, as the file ``path``."""
        # Half a surrogate pair can come out of JSON, but no file can hold it.
        data = "".join(texts).encode(errors="backslashreplace")
        if path.exists() and path.read_bytes() == data:
            return
        self.changed = True
        if self._dry:
            return
        try:
            self._run.write(path, [data])
        except VirtperfError as error:
            self.error = self.error or error
