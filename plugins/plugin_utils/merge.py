# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One file of records out of those fetched from the hosts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ansible_collections.virtperf.vhost.plugins.plugin_utils.records import Record, RecordError, scan
from ansible_collections.virtperf.vhost.plugins.plugin_utils.run_dir import RunDir


def merge_records(run: RunDir, notes: list[str]) -> tuple[list[str], list[Record]]:
    """All lines that trials.jsonl shall have, and the record in each of them.

    What trials.jsonl has already comes first, so that a line keeps its number for good and a host which cannot be
    reached any more loses nothing. A trial is taken over once; nothing is ever left out because it is invalid.
    What was forgiven while reading is appended to ``notes``. Raises RecordError.
    """
    sources: Sequence[Path] = run.record_files()
    if run.trials.exists():
        sources = [run.trials, *sources]
    lines: list[str] = []
    records: list[Record] = []
    seen = set()
    for path in sources:
        for text, record in scan(path, notes):
            if record.raw["run_id"] != run.run_id:
                raise RecordError(
                    f"{path}, line {record.line} belongs to another run",
                    found=record.raw["run_id"],
                    way_out=f"only records of {run.run_id} may lie below {run.path}: move the file away",
                )
            if record.identity not in seen:
                seen.add(record.identity)
                lines.append(text)
                records.append(Record(record.raw, line=len(lines)))
    return lines, records
