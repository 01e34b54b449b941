# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One running testpmd: its files, its conversation, its start and its end."""

from __future__ import annotations

import json
import os
import shutil
import socket
import stat
import time
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from ansible_collections.virtperf.vhost.plugins.module_utils.dpdk.definition import Definition, parse
from ansible_collections.virtperf.vhost.plugins.module_utils.dpdk.output import log_end
from ansible_collections.virtperf.vhost.plugins.module_utils.dpdk.process import DpdkProcess
from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host, write_atomically

_PROMPT = b"testpmd> "
_ANSWER_PATIENCE_S = 10.0
_POLL_S = 0.005


class Instance(DpdkProcess):
    """A testpmd by name. Its files live in ``<run>/testpmd/<name>/``:

    ``process.json`` (identity), ``definition.json`` (as it runs now), ``commands`` (a FIFO, its standard input) and
    ``log``.
    """

    def __init__(self, host: Host, name: str) -> None:
        super().__init__(host, "testpmd", name, f"virtperf-{name}")
        self._commands_path = os.path.join(self.directory, "commands")

    def definition(self) -> Definition | None:
        """What it is now; None when nothing was started under this name."""
        try:
            return parse(json.loads(self.host.read(self._definition_path)))
        except (OSError, ValueError, TypeError, AttributeError, VirtperfError):
            return None  # also when another version of this collection wrote it

    # -- changes -------------------------------------------------------------------------------------------------

    def start(self, definition: Definition) -> None:
        """Launch, wait until its ports answer, then apply what its own commands apply."""
        self.host.private_directory(self.directory)
        self.clear_runtime_files()
        _remove_stale(port.serves for port in definition.ports if is_inside(self.host.run, port.serves))
        os.mkfifo(self._commands_path, 0o600)
        # Opened for reading too, and inherited: the FIFO then never reports an end of file to testpmd.
        commands = os.open(self._commands_path, os.O_RDWR)
        try:
            child = self.run(definition.command(executable()), commands)
        finally:
            os.close(commands)
        write_atomically(self._definition_path, json.dumps({**definition.as_dict(), "forwarding": False}))
        try:
            self.wait_ready(child, len(definition.ports), lambda: _PROMPT.decode().strip() in self.log())
            self._apply(None, definition)
        except VirtperfError:
            self.stop()
            raise

    def reconfigure(self, definition: Definition) -> list[str]:
        """Change the running process by its own commands; returns the commands."""
        return self._apply(self.definition(), definition)

    def restart(self, definition: Definition) -> list[str]:
        """The same, and its traffic starts anew even if nothing else changes; returns the commands."""
        old, stopped = self.definition(), replace(definition, forwarding=False)
        return self._tell([*stopped.commands_from(old), *definition.commands_from(stopped)], definition)

    def _apply(self, old: Definition | None, new: Definition) -> list[str]:
        return self._tell(new.commands_from(old), new)

    def _tell(self, commands: list[str], new: Definition) -> list[str]:
        answers = self.converse(*commands)
        refused = [text for text in ("Bad arguments", "Command not found", "Invalid", "give up") if text in answers]
        if refused:
            raise VirtperfError(
                f"testpmd {self.name} refused one of: {'; '.join(commands)}",
                found=log_end(answers),
                way_out="this version of DPDK does not know the command or its value",
            )
        write_atomically(self._definition_path, json.dumps(new.as_dict()))
        return commands

    def converse(self, *commands: str) -> str:
        """Send commands and return what was printed until each had its next prompt."""
        if not commands:
            return ""
        start = os.path.getsize(self.log_path)
        try:
            self._say(*commands)
        except OSError as error:  # nobody reads the FIFO: its reader was the process itself
            raise self.died() from error
        limit = time.monotonic() + _ANSWER_PATIENCE_S
        while True:
            with open(self.log_path, "rb") as log:
                log.seek(start)
                text = log.read()
            if text.count(_PROMPT) >= len(commands):
                return text.decode(errors="replace")
            if not self.is_running():
                raise self.died()
            if time.monotonic() > limit:
                raise VirtperfError(
                    f"testpmd {self.name} does not answer to: {'; '.join(commands)}",
                    found=log_end(text.decode(errors="replace")),
                    way_out=f"it hangs; see {self.log_path}, then stop it",
                )
            time.sleep(_POLL_S)

    def _say(self, *commands: str) -> None:
        descriptor = os.open(self._commands_path, os.O_WRONLY | os.O_NONBLOCK)
        try:
            os.write(descriptor, "".join(f"{command}\n" for command in commands).encode())
        finally:
            os.close(descriptor)

    def ask_to_quit(self) -> None:
        """By its own commands."""
        self._say("stop", "quit")

    def clear_runtime_files(self) -> None:
        """Remove what an ended process of this name left behind, the sockets that it served too."""
        old = self.definition()
        super().clear_runtime_files()
        _remove_stale(port.serves for port in (old.ports if old else ()))

    def facts(self) -> dict[str, Any]:
        """For the module's result."""
        definition, identity = self.definition(), self.identity()
        return {
            "name": self.name,
            "running": self.is_running(),
            "pid": identity.pid if identity else None,
            "log": self.log_path,
            "command": definition.command("dpdk-testpmd") if definition else [],
            "definition": definition.as_dict() if definition else {},
        }


def is_inside(directory: str, path: str | None) -> bool:
    """Whether a file lies in a directory or below it, seen without symbolic links."""
    if path is None:
        return False
    top = os.path.realpath(directory)
    return os.path.commonpath([top, os.path.realpath(os.path.dirname(path))]) == top


def is_stale(path: str) -> bool:
    """Whether there is a unix socket that nobody serves any more."""
    try:
        if not stat.S_ISSOCK(os.lstat(path).st_mode):
            return False
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.settimeout(1.0)
            probe.connect(path)
    except ConnectionRefusedError:
        return True
    except OSError:
        return False
    return False


def _remove_stale(paths: Iterable[str | None]) -> None:
    for path in paths:
        if path is not None and is_stale(path):
            os.unlink(path)


def executable() -> str:
    """The path of dpdk-testpmd; VirtperfError when it is missing."""
    path = shutil.which("dpdk-testpmd")
    if path is None:
        raise VirtperfError(
            "dpdk-testpmd is not installed",
            found=f"nothing of that name on PATH={os.environ.get('PATH', '')}",
            way_out="apt-get install dpdk-dev (Debian's package dpdk does not carry it), or run the prepare stage",
        )
    return path


def names(host: Host) -> list[str]:
    """The names under which a testpmd was started here."""
    try:
        return sorted(os.listdir(os.path.join(host.run, "testpmd")))
    except FileNotFoundError:
        return []
