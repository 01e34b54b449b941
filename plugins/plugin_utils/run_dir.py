# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The results directory of a run: what lies where, and what to say when it cannot be written.

The layout:

    results/<run_id>/
      manifest.json               what was asked, of which hosts, with which versions
      trials.jsonl                every record; line numbers never change
      table.txt  report.html      made from the two above
      hosts/<host>/<study>.jsonl  as fetched
      samples/<host>/*.jsonl      time series, as fetched
"""

from __future__ import annotations

import errno
import secrets
import shlex
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.plugin_utils.atomic import free_mib, write_atomic

HOST_RUNS = "/var/lib/virtperf/runs"

_NO_SPACE = (errno.ENOSPC, errno.EDQUOT)
_NOTHING_DONE = "nothing was measured and no host was touched"
_NOT_ALLOWED = (errno.EACCES, errno.EPERM, errno.EROFS)


class RunDirError(VirtperfError):
    """A results directory that cannot be used as it is."""


def new_run_id() -> str:
    """A run_id that sorts by time: 20261120T100000Z-1a2b."""
    return f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{secrets.token_hex(2)}"


@dataclass(frozen=True)
class RunDir:
    """The directory of one run, by its absolute path."""

    path: Path

    @property
    def run_id(self) -> str:
        """The run that it belongs to."""
        return self.path.name

    @property
    def manifest(self) -> Path:
        """manifest.json."""
        return self.path / "manifest.json"

    @property
    def trials(self) -> Path:
        """trials.jsonl."""
        return self.path / "trials.jsonl"

    @property
    def table(self) -> Path:
        """table.txt."""
        return self.path / "table.txt"

    @property
    def report(self) -> Path:
        """report.html."""
        return self.path / "report.html"

    @property
    def hosts(self) -> Path:
        """Where records come to from the hosts."""
        return self.path / "hosts"

    @property
    def samples(self) -> Path:
        """Where time series come to from the hosts."""
        return self.path / "samples"

    def record_files(self) -> list[Path]:
        """The files of records that were fetched, in the order of their names."""
        return sorted(self.hosts.glob("*/*.jsonl"))

    def fetched_files(self) -> list[Path]:
        """Everything that came from hosts."""
        return sorted(path for top in (self.hosts, self.samples) for path in top.rglob("*") if path.is_file())

    def create(self) -> None:
        """Make the directory and those in it; FileExistsError where somebody else just did, else RunDirError."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.mkdir()
            self.hosts.mkdir()
            self.samples.mkdir()
        except FileExistsError:
            if not self.path.parent.is_dir():
                raise self._not_written(self.path, NotADirectoryError(errno.ENOTDIR, "Not a directory"), "") from None
            raise
        except OSError as error:
            raise self._not_written(self.path, error, _NOTHING_DONE) from error

    def remove_empty(self) -> None:
        """Undo ``create``, as long as nothing was put into the directory; OSError where something was."""
        for path in (self.samples, self.hosts, self.path):
            if path.is_dir():
                path.rmdir()

    def check_space(self, needed_mib: float) -> None:
        """RunDirError where less than ``needed_mib`` are free."""
        free = free_mib(self.path)
        if free < needed_mib:
            raise RunDirError(
                f"too little space for results in {self.path.parent}",
                found=f"{free:.1f} MiB free, {needed_mib:g} MiB wanted",
                way_out=f"free some, or choose another place with -e results_dir=...; {_NOTHING_DONE}",
                free_mib=free,
            )

    def check_writable(self) -> None:
        """Write and remove a file; RunDirError where that fails."""
        probe = self.path / ".probe"
        try:
            write_atomic(probe, [bytes(4096)])
            probe.unlink()
        except OSError as error:
            raise self._not_written(self.path, error, _NOTHING_DONE) from error

    def write(self, path: Path, parts: Iterable[bytes], *, before: bool = False) -> None:
        """Write one of the run's files whole; RunDirError says what is safe and how to come back to it.

        ``before`` anything is measured, it says that instead.
        """
        try:
            write_atomic(path, parts)
        except OSError as error:
            raise self._not_written(path, error, _NOTHING_DONE if before else self.what_is_safe()) from error

    def what_is_safe(self) -> str:
        """Where the records still are while the controller cannot write them, and how to fetch them again."""
        return (
            f"the records are safe on the measured hosts, in {HOST_RUNS}/{self.run_id}/. To fetch them again and write"
            f" everything that is missing here: ansible-playbook virtperf.vhost.report -e run_id={self.run_id}"
            f" -e results_dir={shlex.quote(str(self.path.parent))}, with the inventory of the run"
        )

    def _not_written(self, path: Path, error: OSError, safe: str) -> RunDirError:
        try:
            free = free_mib(path)
        except OSError:
            free = None
        if error.errno in _NO_SPACE:
            do = "free some space"
        elif error.errno in _NOT_ALLOWED:
            do = "make the directory writable for this user, or choose another with -e results_dir=..."
        else:
            do = "see to that, or choose another directory with -e results_dir=..."
        return RunDirError(
            f"cannot write {path}: {error.strerror}",
            found="free space unknown" if free is None else f"{free:.1f} MiB free there",
            way_out=f"{do}; {safe}" if safe else do,
            free_mib=free,
        )
