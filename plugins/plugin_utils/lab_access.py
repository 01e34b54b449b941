# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the controller needs to get into a lab's guests: a key of its own, and their host keys.

Files in the lab's own directory are ours, and go when the last guest has gone. Those that the user has named elsewhere
are the user's: a key is only made if there is none and never removed, of other lines in known_hosts none is touched.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.host import write_atomically

_PATIENCE_S = 60


@dataclass(frozen=True)
class Files:
    """Where they are. ``directory`` is the lab's own, the others may be elsewhere."""

    directory: Path
    key: Path
    known_hosts: Path

    @property
    def public(self) -> Path:
        """The public half of the key."""
        return self.key.with_name(f"{self.key.name}.pub")

    def owns(self, path: Path) -> bool:
        """Whether a file is the lab's."""
        return path.parent == self.directory


@dataclass
class Change:
    """What is to be done, and what is there afterwards. ``text`` is all of known_hosts, None for no file."""

    text_before: str | None
    text: str | None
    makes_key: bool = False
    removes_key: bool = False
    actions: list[str] = field(default_factory=list)


def plan_present(files: Files, host_keys: Mapping[str, str], guests: Sequence[str]) -> Change:
    """``host_keys`` are to be known by their guests' names. Lines of the lab's other ``guests`` stay as they are."""
    before = _read(files.known_hosts)
    lines = (before or "").splitlines()
    added = [f"{guest} {key}" for guest, key in host_keys.items()]
    if files.owns(files.known_hosts):
        wanted = sorted([*added, *(line for line in lines if _name(line) in guests and _name(line) not in host_keys)])
    else:
        wanted = [line for line in lines if _name(line) not in host_keys or line in added]
        wanted += [line for line in added if line not in wanted]
    change = Change(before, "".join(f"{line}\n" for line in wanted), makes_key=not files.key.exists())
    if change.makes_key:
        change.actions.append(f"make {files.key}")
    if change.text != before:
        change.actions.append(f"write {files.known_hosts}")
    return change


def plan_absent(files: Files, guests: Sequence[str]) -> Change:
    """``guests`` are to be known no more; with the last one of the lab its own files go."""
    before = _read(files.known_hosts)
    if before is None:
        change = Change(None, None)
    else:
        left = [line for line in before.splitlines() if _name(line) not in guests]
        change = Change(before, "".join(f"{line}\n" for line in left))
        if files.owns(files.known_hosts) and not left:
            change.text = None
    nobody = change.text is None if files.owns(files.known_hosts) else True
    change.removes_key = nobody and files.owns(files.key) and (files.key.exists() or files.public.exists())
    if change.text != before:
        change.actions.append(f"{'write' if change.text is not None else 'remove'} {files.known_hosts}")
    if change.removes_key:
        change.actions.append(f"remove {files.key}")
    return change


def apply(files: Files, lab: str, change: Change) -> None:
    """Carry a plan out."""
    if change.makes_key:
        _make_key(files, lab)
    if change.text is None:
        files.known_hosts.unlink(missing_ok=True)
    elif change.text != change.text_before:
        _own_directory(files.known_hosts.parent)
        write_atomically(str(files.known_hosts), change.text)
    if change.removes_key:
        files.key.unlink(missing_ok=True)
        files.public.unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # others' files are there, or it never was
        files.directory.rmdir()


def public_key(files: Files) -> str:
    """The line for authorized_keys; "" when there is no key yet."""
    text = _read(files.public)
    if text is None and files.key.exists():
        text = _ssh_keygen(["-y", "-P", "", "-f", str(files.key)])
    return (text or "").strip()


@contextlib.contextmanager
def locked(directory: Path) -> Iterator[None]:
    """One at a time for all labs: hypervisors of one lab are worked on in parallel, each by a process of its own."""
    parent = directory.parent
    while True:
        try:
            _own_directory(parent)
            gate = os.open(parent, os.O_RDONLY | os.O_DIRECTORY)
        except (FileNotFoundError, FileExistsError):
            continue  # the last one has just removed it; mkdir takes what went while it looked for one in its way
        try:
            fcntl.flock(gate, fcntl.LOCK_EX)
            if os.fstat(gate).st_nlink == 0:
                continue  # whoever had it before us was the last one
            try:
                yield
            finally:
                with contextlib.suppress(OSError):  # labs are left
                    parent.rmdir()
            return
        finally:
            os.close(gate)


def _name(line: str) -> str:
    return line.split(" ", 1)[0]


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8", errors="surrogateescape")
    except FileNotFoundError:
        return None


def _own_directory(path: Path) -> None:
    """Directories that are missing are made for this user alone; those that are there stay as they are."""
    if not path.is_dir():
        _own_directory(path.parent)
        path.mkdir(mode=0o700, exist_ok=True)


def _make_key(files: Files, lab: str) -> None:
    """The private half comes last: with it, all is there."""
    _own_directory(files.key.parent)
    with tempfile.TemporaryDirectory(dir=files.key.parent, prefix=".new-") as directory:
        draft = os.path.join(directory, "key")
        _ssh_keygen(["-q", "-t", "ed25519", "-N", "", "-C", f"virtperf {lab} controller", "-f", draft])
        os.replace(f"{draft}.pub", files.public)
        os.replace(draft, files.key)


def _ssh_keygen(words: Sequence[str]) -> str:
    program = shutil.which("ssh-keygen")
    if program is None:
        raise VirtperfError(
            "ssh-keygen is not installed on the controller",
            found=f"nothing of that name on PATH={os.environ.get('PATH', '')}",
            way_out="apt-get install openssh-client",
        )
    try:
        done = subprocess.run(
            [program, *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_PATIENCE_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise VirtperfError(
            f"ssh-keygen does not come to an end with {words[-1]}",
            found=f"none after {_PATIENCE_S} s",
            way_out="see whether the file system answers",
        ) from error
    if done.returncode != 0:
        raise VirtperfError(
            f"ssh-keygen cannot do it with {words[-1]}",
            found=(done.stderr or done.stdout).strip() or f"status {done.returncode}",
            way_out="mend what it names; a key with a passphrase needs its public half beside it, in .pub",
        )
    return done.stdout
