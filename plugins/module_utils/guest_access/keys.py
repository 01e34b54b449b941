# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The SSH keys of a lab on its hypervisor: one to get into its guests, and one for each guest to be known by."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host, sync_directory, write_atomically
from ansible_collections.virtperf.vhost.plugins.module_utils.journal import Journal

_PATIENCE_S = 60.0
# They become names of files, and a guest's name stands in known_hosts, where "*", "!" and "," mean something.
_LAB = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
_GUEST = re.compile(r"(?!.*\.pub$)[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,198}[A-Za-z0-9])?")
_IDENTITY = "id_ed25519"
_HOST_KEY = "host_"
_DRAFT = ".new-"


class Keys:
    """The keys of one lab, in ``<state>/labs/<lab>/`` (mode 0700):

    ``id_ed25519`` (the hypervisor's own, for the guests), ``host_<guest>`` (each guest's host key), both with their
    ``.pub``, and ``known_hosts``, one line a guest that begins with its name: ssh's HostKeyAlias.
    """

    def __init__(self, host: Host, lab: str, run_id: str = "") -> None:
        if not _LAB.fullmatch(lab):
            raise VirtperfError(f"a lab cannot be named {lab!r}", way_out="use up to 63 letters, digits and '-'")
        self.host = host
        self.lab = lab
        self.run_id = run_id
        self.directory = os.path.join(host.state, "labs", lab)
        self.identity_path = os.path.join(self.directory, _IDENTITY)
        self.known_hosts_path = os.path.join(self.directory, "known_hosts")

    def host_key_path(self, guest: str) -> str:
        """The private host key of a guest."""
        if not _GUEST.fullmatch(guest):
            raise VirtperfError(
                f"a guest cannot be named {guest!r}",
                way_out="use up to 200 letters, digits, '-', '_' and '.', and no '.pub' at the end",
            )
        return os.path.join(self.directory, f"{_HOST_KEY}{guest}")

    def public_key(self) -> str:
        """The line that a guest's authorized_keys needs for the hypervisor to get in."""
        return self.host.read(f"{self.identity_path}.pub")

    def host_public_key(self, guest: str) -> str:
        """A guest's host key as known_hosts has it: its type and the key."""
        return " ".join(self.host.read(f"{self.host_key_path(guest)}.pub").split()[:2])

    def guests(self) -> list[str]:
        """The guests that have a host key."""
        return [name[len(_HOST_KEY) :] for name in self._pairs() if name != _IDENTITY]

    def missing(self, guests: Sequence[str]) -> list[str]:
        """The files of the key pairs that ``ensure`` would make, without ``.pub``."""
        wanted = [self.identity_path, *(self.host_key_path(guest) for guest in guests)]
        there = self._pairs()
        return [path for path in dict.fromkeys(wanted) if os.path.basename(path) not in there]

    def ensure(self, guests: Sequence[str]) -> list[str]:
        """Make the keys that are missing, and return their files. Those of other guests stay."""
        missing = self.missing(guests)
        if missing:
            program = _ssh_keygen()
            names = [os.path.basename(path) for path in missing]
            Journal(self.host, self.run_id).append("guest_keys", lab=self.lab, names=names)
            self.host.private_directory(self.directory)
            for name in names:
                self._make(program, name)
        self._write_known_hosts()
        return missing

    def removable(self, guests: Sequence[str] | None = None) -> list[str]:
        """The files of the key pairs that ``remove`` would remove, without ``.pub``; all of the lab with None."""
        there = self._pairs()
        chosen = there if guests is None else [os.path.basename(self.host_key_path(guest)) for guest in guests]
        return [os.path.join(self.directory, name) for name in there if name in chosen]

    def remove(self, guests: Sequence[str] | None = None) -> list[str]:
        """Remove the keys of these guests, or with None the whole lab's; returns the files that were there."""
        removed = self.removable(guests)
        self.discard([os.path.basename(path) for path in removed])
        Journal(self.host).forget("guest_keys", self._is_undone)
        return removed

    def discard(self, names: Sequence[str]) -> None:
        """Remove key pairs by the names of their files, and all that is left when they were the last ones."""
        for name in names:
            for path in (f"{self.directory}/{name}", f"{self.directory}/{name}.pub"):
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(path)
        if self._pairs():
            self._write_known_hosts()
        else:
            shutil.rmtree(self.directory, ignore_errors=True)
            with contextlib.suppress(OSError):  # other labs are there, or none ever was
                os.rmdir(os.path.dirname(self.directory))

    def _is_undone(self, undo: Mapping[str, Any]) -> bool:
        return undo.get("lab") == self.lab and not set(undo.get("names", ())) & set(self._pairs())

    def _pairs(self) -> list[str]:
        """The key pairs that are there whole."""
        try:
            names = set(os.listdir(self.directory))
        except FileNotFoundError:
            return []
        keys = {name for name in names if name == _IDENTITY or name.startswith(_HOST_KEY)}
        return sorted(name for name in keys if f"{name}.pub" in names)

    def _make(self, program: str, name: str) -> None:
        """A pair is there whole or not at all: the private half, which comes last, makes it one."""
        path = os.path.join(self.directory, name)
        with tempfile.TemporaryDirectory(dir=self.directory, prefix=_DRAFT) as directory:
            draft = os.path.join(directory, "key")
            words = [program, "-q", "-t", "ed25519", "-N", "", "-C", f"virtperf {self.lab} {name}", "-f", draft]
            try:
                done = subprocess.run(
                    words, stdin=subprocess.DEVNULL, capture_output=True, timeout=_PATIENCE_S, check=False
                )
            except subprocess.TimeoutExpired as error:
                raise VirtperfError(
                    f"ssh-keygen makes no key for {path}",
                    found=f"no end after {_PATIENCE_S:.0f} s",
                    way_out="see whether the file system answers",
                ) from error
            if done.returncode != 0:
                raise VirtperfError(
                    f"ssh-keygen makes no key for {path}",
                    found=(done.stderr + done.stdout).decode(errors="replace").strip() or f"status {done.returncode}",
                    way_out="mend what it names: space or permissions",
                    command=words,
                )
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
            os.replace(f"{draft}.pub", f"{path}.pub")
            os.replace(draft, path)
        sync_directory(self.directory)

    def _write_known_hosts(self) -> None:
        text = "".join(f"{guest} {self.host_public_key(guest)}\n" for guest in self.guests())
        if self.host.read_or(self.known_hosts_path, "none") != text.strip():
            write_atomically(self.known_hosts_path, text)


def labs(host: Host) -> list[str]:
    """The labs that have keys here."""
    try:
        return sorted(os.listdir(os.path.join(host.state, "labs")))
    except FileNotFoundError:
        return []


def undo_guest_keys(host: Host, undo: Mapping[str, Any]) -> str:
    """Remove the keys that a journal entry names."""
    keys = Keys(host, str(undo["lab"]))
    names = [str(name) for name in undo["names"]]
    there = [name for name in names if os.path.exists(os.path.join(keys.directory, name))]
    keys.discard(names)
    return f"removed the keys {', '.join(there)} of lab {keys.lab}" if there else ""


def _ssh_keygen() -> str:
    program = shutil.which("ssh-keygen")
    if program is None:
        raise VirtperfError(
            "ssh-keygen is not installed",
            found=f"nothing of that name on PATH={os.environ.get('PATH', '')}",
            way_out="apt-get install openssh-client",
        )
    return program
