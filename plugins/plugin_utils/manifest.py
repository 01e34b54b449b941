# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""manifest.json: what a run was asked to do, of which hosts, with which versions, and how it ended."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from ansible_collections.virtperf.vhost.plugins.plugin_utils.run_dir import RunDir, RunDirError
from ansible_collections.virtperf.vhost.plugins.plugin_utils.wording import listed

SCHEMA = 1
COLLECTION = "virtperf.vhost"

_ROOT = Path(__file__).resolve().parents[2]
# A difference is shown up to this many characters a side.
_SHOWN = 60
_NOTHING = object()


@cache
def tool_version() -> str:
    """Version of this collection: of the installed one by its MANIFEST.json, of a checkout by its galaxy.yml."""
    installed = _ROOT / "MANIFEST.json"
    if installed.exists():
        return json.loads(installed.read_text())["collection_info"]["version"]
    return str(yaml.safe_load((_ROOT / "galaxy.yml").read_text())["version"])


def utc_now() -> str:
    """Now, as records write it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def new_manifest(run_id: str, studies: Mapping[str, Any], hosts: Sequence[str]) -> dict[str, Any]:
    """The manifest of a run that is about to start. ``studies``: resolved definitions by the studies' names."""
    return {
        "schema": SCHEMA,
        "tool": {"name": COLLECTION, "version": tool_version()},
        "run_id": run_id,
        "status": "open",
        "created_at": utc_now(),
        "finished_at": None,
        "hosts": list(hosts),
        "studies": dict(studies),
        "facts": {},
        "failures": [],
        "files": {},
    }


def read_manifest(run: RunDir) -> dict[str, Any]:
    """The manifest of a run; RunDirError where the directory has none, or one that cannot be read."""
    if not run.path.is_dir():
        runs = sorted(path.parent.name for path in run.path.parent.glob("*/manifest.json"))
        raise RunDirError(
            f"there is no run {run.run_id} in {run.path.parent}",
            found=f"the runs {listed(reversed(runs))}" if runs else "no run at all",
            way_out="give one of those as run_id, or the directory the run is in as results_dir",
        )
    try:
        manifest = json.loads(run.manifest.read_bytes())
    except FileNotFoundError:
        raise RunDirError(
            f"{run.path} is not a results directory of {COLLECTION}: it has no manifest.json",
            way_out="give another run_id or results_dir; what lies there is left alone",
        ) from None
    except (ValueError, OSError) as error:
        raise RunDirError(
            f"cannot read {run.manifest}",
            found=str(error),
            way_out="restore the file, or give another run_id; what lies there is left alone",
        ) from error
    if not isinstance(manifest, dict) or manifest.get("schema") != SCHEMA:
        found = manifest.get("schema") if isinstance(manifest, dict) else type(manifest).__name__
        raise RunDirError(
            f"{run.manifest} is not of schema {SCHEMA}, the only one that {COLLECTION} {tool_version()} reads",
            found=str(found),
            way_out="use the version that wrote it, or give another run_id",
        )
    return manifest


def manifest_bytes(manifest: Mapping[str, Any]) -> bytes:
    """The manifest as it stands in its file."""
    return f"{json.dumps(manifest, indent=2, allow_nan=False)}\n".encode()


def hash_files(run: RunDir) -> dict[str, str]:
    """SHA-256 of each file that came from a host, by its path within the run's directory."""
    return {
        path.relative_to(run.path).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in run.fetched_files()
    }


def plain(value: Any) -> Any:
    """The value as JSON gives it back: what a definition must be compared as. TypeError where JSON has no such type."""
    return json.loads(json.dumps(value, allow_nan=False))


def differences(old: Any, new: Any, name: str = "") -> Iterator[str]:
    """In what two definitions differ, one dotted name each: ``reflect.trials: 3 -> 5``."""
    if old == new:
        return
    if isinstance(old, dict) and isinstance(new, dict):
        for key in dict.fromkeys((*old, *new)):
            inner = f"{name}.{key}" if name else str(key)
            yield from differences(old.get(key, _NOTHING), new.get(key, _NOTHING), inner)
    elif isinstance(old, list) and isinstance(new, list) and any(isinstance(item, dict) for item in (*old, *new)):
        gone = [item for item in old if item not in new]
        come = [item for item in new if item not in old]
        if gone or come:
            words = [f"{len(gone)} gone ({_shown(gone[0])}, ...)"] if gone else []
            words += [f"{len(come)} new ({_shown(come[0])}, ...)"] if come else []
            yield f"{name}: {', '.join(words)}"
        else:
            yield f"{name}: in another order"
    else:
        yield f"{name}: {_shown(old)} -> {_shown(new)}"


def _shown(value: Any) -> str:
    if value is _NOTHING:
        return "(nothing)"
    text = json.dumps(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."
