# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The start of a run on the controller: its directory is made, or found again and compared with what is asked now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.virtperf.vhost.plugins.plugin_utils.manifest import (
    differences,
    manifest_bytes,
    new_manifest,
    plain,
    read_manifest,
)
from ansible_collections.virtperf.vhost.plugins.plugin_utils.merge import merge_records
from ansible_collections.virtperf.vhost.plugins.plugin_utils.records import cell_fault, cell_key
from ansible_collections.virtperf.vhost.plugins.plugin_utils.run_dir import RunDir, RunDirError


@dataclass(frozen=True, slots=True)
class Opened:
    """``done``: the cells with valid trials, each as host, study, cell, valid_trials and trials (their numbers)."""

    changed: bool
    resumed: bool
    done: Sequence[Mapping[str, Any]]
    notes: Sequence[str]


def open_run(
    run: RunDir, studies: Mapping[str, Any], hosts: Sequence[str], min_free_mib: float, *, dry: bool = False
) -> Opened:
    """Make the run's directory, or take up again what lies there; ``dry`` says what would happen.

    ``studies`` are the resolved definitions by the studies' names. Hosts that an earlier attempt did not have are
    added to the run. Raises RunDirError, before any host needs to be touched, where the directory cannot be used.
    """
    try:
        studies = plain(studies)
    except (TypeError, ValueError) as error:
        raise RunDirError(
            "the definition of the studies holds what JSON cannot",
            found=str(error),
            way_out="use strings, numbers, booleans, lists and dictionaries only",
        ) from error
    fault = _fault(studies, hosts)
    if fault:
        raise RunDirError("the definition of the studies cannot be used", found=fault)
    run.check_space(min_free_mib)
    if run.path.exists():
        return _resume(run, studies, hosts, dry=dry)
    if not dry:
        try:
            run.create()
        except FileExistsError:
            # Another controller was faster by a hair; with the same definition, it is the same run.
            return _resume(run, studies, hosts, dry=dry)
        try:
            run.write(run.manifest, [manifest_bytes(new_manifest(run.run_id, studies, hosts))], before=True)
        except RunDirError:
            run.remove_empty()
            raise
    return Opened(changed=True, resumed=False, done=[], notes=[])


def _fault(studies: Mapping[str, Any], hosts: Sequence[str]) -> str:
    """What is wrong with a definition, or nothing."""
    if not studies or not hosts:
        return f"nothing to measure: studies {list(studies)}, hosts {list(hosts)}"
    for study, definition in studies.items():
        if not isinstance(definition, dict):
            return f"{study} is no dictionary"
        cells = definition.get("cells")
        if not isinstance(cells, list):
            return f"{study}.cells is no list"
        trials = definition.get("trials")
        if not isinstance(trials, int) or isinstance(trials, bool) or trials < 1:
            return f"{study}.trials is {trials!r}, not a whole number from 1 on"
        for cell in (*cells, *(skip.get("cell") for skip in definition.get("skipped") or ())):
            if fault := cell_fault(study, cell):
                return f"{study}: {fault}"
    return ""


def _resume(run: RunDir, studies: Mapping[str, Any], hosts: Sequence[str], *, dry: bool) -> Opened:
    manifest = read_manifest(run)
    differing = list(differences(manifest["studies"], studies))
    if differing:
        raise RunDirError(
            f"the run {run.run_id} in {run.path.parent} measured something else",
            found="; ".join(differing),
            way_out="give another run_id (or none, to get a new one), or the definition of that run, to resume it",
            differences=differing,
        )
    notes: list[str] = []
    _lines, records = merge_records(run, notes)
    new_hosts = [host for host in hosts if host not in manifest["hosts"]]
    if not dry:
        run.check_writable()
        if new_hosts:
            manifest["hosts"] += new_hosts
            run.write(run.manifest, [manifest_bytes(manifest)], before=True)
    cells: dict[tuple[str, str, str], Mapping[str, Any]] = {}
    valid: dict[tuple[str, str, str], list[int]] = {}
    for record in records:
        if record.valid:
            key = (record.host, record.study, cell_key(record.cell))
            cells[key] = record.cell
            valid.setdefault(key, []).append(record.trial)
    done = [
        {
            "host": host,
            "study": study,
            "cell": cells[host, study, key],
            "valid_trials": len(trials),
            "trials": sorted(set(trials)),
        }
        for (host, study, key), trials in valid.items()
    ]
    return Opened(changed=bool(new_hosts), resumed=True, done=done, notes=notes)
