# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One running DPDK process of ours: what EAL gives it, whatever the program is."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from ansible_collections.virtperf.vhost.plugins.module_utils import processes
from ansible_collections.virtperf.vhost.plugins.module_utils.dpdk.output import log_end
from ansible_collections.virtperf.vhost.plugins.module_utils.dpdk.telemetry import Telemetry
from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.kept_process import KeptProcess

_START_PATIENCE_S = 30.0
_QUIT_PATIENCE_S = 5.0
_POLL_S = 0.005


class Started(Protocol):
    """What a definition tells of the process that was started from it."""

    @property
    def huge_dir(self) -> str:
        """Where its hugepage files are."""


class DpdkProcess(KeptProcess):
    """A DPDK program by name. EAL's own files are in ``<run>/dpdk/<file prefix>/`` and in the hugetlbfs mount."""

    def __init__(self, host: Host, program: str, name: str, file_prefix: str) -> None:
        super().__init__(host, program, name, title=f"{program} {name}")
        self._prefix = file_prefix
        self._eal_directory = os.path.join(host.run, "dpdk", file_prefix)
        self._definition_path = os.path.join(self.directory, "definition.json")

    def definition(self) -> Started | None:
        """What it was started from; None when it is not known."""
        raise NotImplementedError

    def ask_to_quit(self) -> None:
        """Tell it to end; OSError when it cannot be told."""
        raise NotImplementedError

    # -- what is there -------------------------------------------------------------------------------------------

    def telemetry(self) -> Telemetry:
        """A connection to its telemetry socket."""
        return Telemetry(os.path.join(self._eal_directory, "dpdk_telemetry.v2"))

    def workers(self) -> list[processes.Thread]:
        """Its forwarding threads, by lcore: rte-worker-<n>, or dpdk-worker<n> from DPDK 23.11 on."""
        return [thread for thread in self.threads() if "-worker" in thread.name]

    def log_end(self) -> str:
        """The end of its log, without vhost's chatter."""
        return log_end(self.log())

    # -- changes -------------------------------------------------------------------------------------------------

    def run(self, words: Sequence[str], stdin: int, pass_fds: Sequence[int] = ()) -> subprocess.Popen[bytes]:
        """Launch it, with EAL's files in our own directory."""
        # Line-buffered, or what it says stays in its own memory: it writes to a file, not to a terminal.
        command = ["stdbuf", "-oL", *words]
        return self.launch(command, stdin=stdin, environment={"RUNTIME_DIRECTORY": self.host.run}, pass_fds=pass_fds)

    def wait_ready(self, child: subprocess.Popen[bytes], ports: int, is_up: Callable[[], bool]) -> None:
        """Wait until the program itself is up and all its ports are started."""
        limit = time.monotonic() + _START_PATIENCE_S
        while True:
            if child.poll() is not None:
                raise self.died_at_start(child)
            started = self._started_ports() if is_up() else None
            if started is not None and started.count(True) >= ports:
                return
            if started is not None and len(started) < ports:
                raise self._not_ready(
                    f"has {len(started)} of the {ports} ports asked for",
                    "mend what the log names: a device's arguments, or the other end of its socket",
                )
            if time.monotonic() > limit:
                raise self._not_ready(
                    f"is not ready after {_START_PATIENCE_S:.0f} s",
                    "its port waits for the other end, or telemetry is switched off",
                )
            time.sleep(_POLL_S)

    def _not_ready(self, what: str, way_out: str) -> VirtperfError:
        return VirtperfError(
            f"{self.title} {what}",
            found=f"the end of its log is:\n{self.log_end()}",
            way_out=way_out,
            log_end=self.log_end(),
        )

    def _started_ports(self) -> list[bool] | None:
        """Whether each of its ports is started; None as long as it does not answer. A device that fails has no port."""
        try:
            with self.telemetry() as telemetry:
                infos = [telemetry.ask(f"/ethdev/info,{port}") for port in telemetry.ask("/ethdev/list")]
        except VirtperfError:
            return None
        return [bool(info.get("dev_started", 1)) for info in infos]

    def stop(self) -> str:
        """Quit, terminate, kill, each with a limit; returns which one worked, "" when it did not run."""
        identity = self.identity()
        how = ""
        if identity is not None and processes.is_running(self.host, identity):
            with contextlib.suppress(OSError):
                self.ask_to_quit()
                how = "quit" if processes.wait_gone(self.host, identity, _QUIT_PATIENCE_S) else ""
            how = how or processes.end(self.host, identity)
        return how

    def forget(self) -> None:
        """Remove the files of a process that has ended, its hugepage files too: they keep pages allocated."""
        self.clear_runtime_files()
        shutil.rmtree(self.directory, ignore_errors=True)

    def clear_runtime_files(self) -> None:
        """Remove what an ended process of this name left behind, all but its log."""
        for path in self._hugepage_files():
            with contextlib.suppress(OSError):
                os.unlink(path)
        shutil.rmtree(self._eal_directory, ignore_errors=True)
        with contextlib.suppress(FileNotFoundError):
            for name in os.listdir(self.directory):
                if os.path.join(self.directory, name) != self.log_path:
                    os.unlink(os.path.join(self.directory, name))

    def hugepage_bytes(self) -> int:
        """What its hugepage files hold, also after its end."""
        return sum(os.stat(path).st_blocks * 512 for path in self._hugepage_files())

    def _hugepage_files(self) -> list[str]:
        definition = self.definition()
        if definition is None:
            return []
        try:
            found = os.listdir(definition.huge_dir)
        except OSError:
            return []
        return [os.path.join(definition.huge_dir, name) for name in found if name.startswith(f"{self._prefix}map_")]
