# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way into a guest over SSH: by key, to a host whose key is known, and by nothing of the user's own."""

from __future__ import annotations

import shlex
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError

# QEMU's user network takes a connection before the guest does: this also ends a wait for sshd's first word. An
# emulated guest that is busy takes seconds for it.
_CONNECT_S = 30
# What was sent to a guest before it had its address is sent again late: a new attempt is sooner there.
_FIRST_ATTEMPT_S = 3.0
_NEXT_ATTEMPT = 1.5
_POLL_S = 0.05
_PAUSE_S = 0.2


@dataclass(frozen=True)
class Access:
    """How a guest is entered. ``known_hosts`` has a line that begins with the guest's name."""

    guest: str
    port: int
    identity: str
    known_hosts: str
    address: str = "127.0.0.1"
    user: str = "root"

    def command(self, words: Sequence[str]) -> list[str]:
        """ssh's command line that runs ``words`` in the guest, each of them as it is."""
        return [*self.prefix(), shlex.join(words)]

    def prefix(self) -> list[str]:
        """ssh's command line but for its last word, which a shell in the guest reads."""
        options = {
            "BatchMode": "yes",
            "StrictHostKeyChecking": "yes",
            "HostKeyAlias": _value(self.guest),
            "UserKnownHostsFile": _path(self.known_hosts),
            "GlobalKnownHostsFile": "/dev/null",
            "UpdateHostKeys": "no",
            "IdentityFile": _path(self.identity),
            "IdentitiesOnly": "yes",
            "PreferredAuthentications": "publickey",
            "ConnectTimeout": str(_CONNECT_S),
            "ServerAliveInterval": "5",
            "ServerAliveCountMax": "6",
            "LogLevel": "ERROR",
        }
        return [
            "ssh",
            "-F",
            "none",
            "-T",
            *(word for key, value in options.items() for word in ("-o", f"{key}={value}")),
            "-p",
            str(self.port),
            "-l",
            self.user,
            "--",
            self.address,
        ]


def wait(
    access: Access, limit_s: float, is_alive: Callable[[], bool], console: Callable[[], str] = lambda: ""
) -> float:
    """Wait until the guest runs a command; returns the seconds it took.

    VirtperfError when it is not alive any more, or does not answer in time; it has ssh's own last words and those of
    its console, where the caller can read it.
    """
    began_s = time.monotonic()
    limit = began_s + limit_s
    patience_s = _FIRST_ATTEMPT_S
    said = ""
    while True:
        status, said = _try(access, min(limit, time.monotonic() + patience_s), is_alive, said)
        patience_s *= _NEXT_ATTEMPT
        if status == 0:
            return time.monotonic() - began_s
        if not is_alive():
            raise VirtperfError(
                f"guest {access.guest} has ended before it answered by SSH",
                found=_last_words(said or "its VM does not run any more", console()),
                way_out="see its VM's log and the end of its console",
                guest=access.guest,
            )
        if time.monotonic() >= limit:
            raise VirtperfError(
                f"guest {access.guest} does not answer by SSH after {limit_s:g} s",
                found=_last_words(said or f"no word from {access.address} port {access.port}", console()),
                way_out="see its console; a guest that only boots slowly needs a higher limit",
                guest=access.guest,
            )
        time.sleep(min(_PAUSE_S, max(0.0, limit - time.monotonic())))


def _last_words(said: str, console: str) -> str:
    return f"{said}\n-- its console ends with:\n{console}" if console else said


def _try(access: Access, limit: float, is_alive: Callable[[], bool], said: str) -> tuple[int, str]:
    """One attempt's exit status, and the last that any attempt said."""
    words = access.command(["true"])
    with start(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as ssh:
        try:
            while ssh.poll() is None and time.monotonic() < limit and is_alive():
                time.sleep(_POLL_S)
        finally:
            ssh.kill()
        text = ssh.communicate()[1].decode(errors="replace").strip()
        return ssh.returncode, text or said


def start(words: Sequence[str], *, stdin: int, stdout: int, stderr: int) -> subprocess.Popen[bytes]:
    """Start ssh; VirtperfError when this machine has none."""
    try:
        return subprocess.Popen(words, stdin=stdin, stdout=stdout, stderr=stderr)
    except FileNotFoundError as error:
        raise VirtperfError(
            f"{words[0]} is not installed", found=str(error), way_out="apt-get install openssh-client"
        ) from error


def _value(text: str) -> str:
    """As ssh_config(5) wants a value that may hold blanks and quotes."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _path(text: str) -> str:
    """And in a path a per cent sign begins a token, and ``${`` the name of a variable, which nothing can prevent."""
    if "${" in text:
        raise VirtperfError(
            f"ssh cannot take the path {text!r}", found="it reads ${...} as a variable", way_out="choose another path"
        )
    return _value(text.replace("%", "%%"))
