# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One running testpmd: its files, its conversation, its start and its end."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import time
from collections.abc import Iterable
from typing import Any

from ansible_collections.virtperf.vhost.plugins.module_utils import processes
from ansible_collections.virtperf.vhost.plugins.module_utils.dpdk.definition import Definition, parse
from ansible_collections.virtperf.vhost.plugins.module_utils.dpdk.output import log_end
from ansible_collections.virtperf.vhost.plugins.module_utils.dpdk.telemetry import Telemetry
from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host, write_atomically

_PROMPT = b"testpmd> "
_START_PATIENCE_S = 30.0
_ANSWER_PATIENCE_S = 10.0
_POLL_S = 0.005


class Instance:
    """A testpmd by name. Its files live in ``<run>/testpmd/<name>/``:

    ``process.json`` (identity), ``definition.json`` (as it runs now), ``commands`` (a FIFO, its standard input) and
    ``log``. EAL's own files are in ``<run>/dpdk/<file prefix>/``.
    """

    def __init__(self, host: Host, name: str) -> None:
        self.host = host
        self.name = name
        self.directory = os.path.join(host.run, "testpmd", name)
        self.log_path = os.path.join(self.directory, "log")
        self._commands_path = os.path.join(self.directory, "commands")
        self._process_path = os.path.join(self.directory, "process.json")
        self._definition_path = os.path.join(self.directory, "definition.json")

    # -- what is there -------------------------------------------------------------------------------------------

    def identity(self) -> processes.Identity | None:
        """The process that was started under this name, running or not."""
        try:
            return processes.Identity(**json.loads(self.host.read(self._process_path)))
        except (OSError, ValueError, TypeError):
            return None

    def is_running(self) -> bool:
        """Whether just that process runs."""
        identity = self.identity()
        return identity is not None and processes.is_running(self.host, identity)

    def definition(self) -> Definition | None:
        """What it is now; None when nothing was started under this name."""
        try:
            return parse(json.loads(self.host.read(self._definition_path)))
        except (OSError, ValueError, TypeError, AttributeError, VirtperfError):
            return None  # also when another version of this collection wrote it

    def log(self) -> str:
        """All that it has printed so far."""
        return self.host.read_or(self.log_path)

    def telemetry(self) -> Telemetry:
        """A connection to its telemetry socket."""
        prefix = f"virtperf-{self.name}"
        return Telemetry(os.path.join(self.host.run, "dpdk", prefix, "dpdk_telemetry.v2"))

    def threads(self) -> list[processes.Thread]:
        """Its threads; the forwarding ones are called rte-worker-<n> (dpdk-worker<n> from DPDK 23.11 on)."""
        identity = self.identity()
        return processes.threads(self.host, identity.pid) if identity else []

    def workers(self) -> list[processes.Thread]:
        """Its forwarding threads, by lcore."""
        return [thread for thread in self.threads() if "-worker" in thread.name]

    def died(self) -> VirtperfError:
        """The error that reports its death with the end of its log."""
        return VirtperfError(
            f"testpmd {self.name} has died",
            found=f"the end of its log is:\n{log_end(self.log())}",
            way_out="start it again; if it dies again, its log says why",
            log_end=log_end(self.log()),
            dead=self.name,
        )

    # -- changes -------------------------------------------------------------------------------------------------

    def start(self, definition: Definition) -> None:
        """Launch, wait until its ports answer, then apply what its own commands apply."""
        self.host.private_directory(self.directory)
        self.clear_runtime_files()
        _remove_stale(port.serves for port in definition.ports if is_inside(self.host.run, port.serves))
        os.mkfifo(self._commands_path, 0o600)
        # Opened for reading too, and inherited: the FIFO then never reports an end of file to testpmd.
        commands = os.open(self._commands_path, os.O_RDWR)
        log = os.open(self.log_path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            child = subprocess.Popen(
                # Line-buffered, or its answers stay in its own memory: it writes to a file, not to a terminal.
                ["stdbuf", "-oL", *definition.command(executable())],
                stdin=commands,
                stdout=log,
                stderr=log,
                cwd="/",
                env={**os.environ, "RUNTIME_DIRECTORY": self.host.run, "LC_ALL": "C"},
                start_new_session=True,
                preexec_fn=self._write_process_file,
            )
        finally:
            os.close(commands)
            os.close(log)
        write_atomically(self._definition_path, json.dumps({**definition.as_dict(), "forwarding": False}))
        try:
            self._wait_ready(child, len(definition.ports))
            self._apply(None, definition)
        except VirtperfError:
            self.stop()
            raise

    def _write_process_file(self) -> None:
        # In the child, before exec: pid and start time stay the same, and no moment is left in which it runs unnamed.
        identity = processes.identify(self.host, os.getpid())
        with open(self._process_path, "w", encoding="utf-8") as file:
            json.dump(identity.as_dict(), file)

    def _wait_ready(self, child: subprocess.Popen[bytes], ports: int) -> None:
        limit = time.monotonic() + _START_PATIENCE_S
        while True:
            status = child.poll()
            if status is not None:
                how = f"signal {signal.Signals(-status).name}" if status < 0 else f"status {status}"
                raise VirtperfError(
                    f"testpmd {self.name} ended at its start with {how}",
                    found=f"the end of its log is:\n{log_end(self.log())}",
                    way_out="mend what the log names; the command line is in the result",
                    log_end=log_end(self.log()),
                    command=child.args,
                )
            started = self._started_ports() if _PROMPT.decode().strip() in self.log() else None
            if started is not None and started.count(True) >= ports:
                return
            if started is not None and len(started) < ports:
                raise VirtperfError(
                    f"testpmd {self.name} has {len(started)} of the {ports} ports asked for",
                    found=f"the end of its log is:\n{log_end(self.log())}",
                    way_out="mend what the log names: a device's arguments, or the other end of its socket",
                    log_end=log_end(self.log()),
                )
            if time.monotonic() > limit:
                raise VirtperfError(
                    f"testpmd {self.name} is not ready after {_START_PATIENCE_S:.0f} s",
                    found=f"the end of its log is:\n{log_end(self.log())}",
                    way_out="its port waits for the other end, or telemetry is switched off",
                    log_end=log_end(self.log()),
                )
            time.sleep(_POLL_S)

    def _started_ports(self) -> list[bool] | None:
        """Whether each of its ports is started; None as long as it does not answer. A device that fails has no port."""
        try:
            with self.telemetry() as telemetry:
                infos = [telemetry.ask(f"/ethdev/info,{port}") for port in telemetry.ask("/ethdev/list")]
        except VirtperfError:
            return None
        return [bool(info.get("dev_started", 1)) for info in infos]

    def reconfigure(self, definition: Definition) -> list[str]:
        """Change the running process by its own commands; returns the commands."""
        return self._apply(self.definition(), definition)

    def _apply(self, old: Definition | None, new: Definition) -> list[str]:
        commands = new.commands_from(old)
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

    def stop(self) -> str:
        """Quit, terminate, kill, each with a limit; returns which one worked, "" when it did not run."""
        identity = self.identity()
        how = ""
        if identity is not None and processes.is_running(self.host, identity):
            with contextlib.suppress(OSError):
                self._say("stop", "quit")
                how = "quit" if processes.wait_gone(self.host, identity, 5.0) else ""
            how = how or processes.end(self.host, identity)
        return how

    def forget(self) -> None:
        """Remove the files of a process that has ended, its hugepage files too: they keep pages allocated."""
        self.clear_runtime_files()
        shutil.rmtree(self.directory, ignore_errors=True)

    def clear_runtime_files(self) -> None:
        """Remove what an ended process of this name left behind."""
        old = self.definition()
        prefix = f"virtperf-{self.name}"
        if old is not None:
            for path in self._hugepage_files(old):
                with contextlib.suppress(OSError):
                    os.unlink(path)
            _remove_stale(port.serves for port in old.ports)
        shutil.rmtree(os.path.join(self.host.run, "dpdk", prefix), ignore_errors=True)
        for path in (self._commands_path, self._process_path, self._definition_path):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)

    def hugepage_bytes(self) -> int:
        """What its hugepage files hold, also after its end."""
        definition = self.definition()
        files = self._hugepage_files(definition) if definition else []
        return sum(os.stat(path).st_blocks * 512 for path in files)

    def _hugepage_files(self, definition: Definition) -> list[str]:
        try:
            found = os.listdir(definition.huge_dir)
        except OSError:
            return []
        prefix = f"{definition.file_prefix}map_"
        return [os.path.join(definition.huge_dir, name) for name in found if name.startswith(prefix)]

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
