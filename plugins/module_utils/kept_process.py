# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A process that is started under a name and outlives whoever started it: its identity, its log and its death."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Collection, Mapping, Sequence

from ansible_collections.virtperf.vhost.plugins.module_utils import processes
from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host


class KeptProcess:
    """A process by name. Its files live in ``<run>/<place>/<name>/``, ``process.json`` (identity) and the log of them.

    ``title`` is what messages call it.
    """

    def __init__(self, host: Host, place: str, name: str, *, title: str, log: str = "log") -> None:
        self.host = host
        self.name = name
        self.title = title
        self.directory = os.path.join(host.run, place, name)
        self.log_path = os.path.join(self.directory, log)
        self._process_path = os.path.join(self.directory, "process.json")

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

    def threads(self) -> list[processes.Thread]:
        """Its threads."""
        identity = self.identity()
        return processes.threads(self.host, identity.pid) if identity else []

    def log(self) -> str:
        """All that it has printed since its last start."""
        return self.host.read_or(self.log_path)

    def log_end(self) -> str:
        """The end of its log, for messages."""
        return "\n".join(self.log().splitlines()[-12:])

    def died(self) -> VirtperfError:
        """The error that reports its death with the end of its log."""
        return VirtperfError(
            f"{self.title} has died",
            found=f"the end of its log is:\n{self.log_end()}",
            way_out="start it again; if it dies again, its log says why",
            log_end=self.log_end(),
            dead=self.name,
        )

    def died_at_start(self, child: subprocess.Popen[bytes]) -> VirtperfError:
        """The error for one that ended before it was ready."""
        status = child.returncode
        how = f"signal {signal.Signals(-status).name}" if status < 0 else f"status {status}"
        return VirtperfError(
            f"{self.title} ended at its start with {how}",
            found=f"the end of its log is:\n{self.log_end()}",
            way_out="mend what the log names; the command line is in the result",
            log_end=self.log_end(),
            command=child.args,
        )

    def launch(
        self,
        words: Sequence[str],
        *,
        stdin: int = subprocess.DEVNULL,
        environment: Mapping[str, str] | None = None,
        pass_fds: Collection[int] = (),
        umask: int | None = None,
    ) -> subprocess.Popen[bytes]:
        """Start it, detached from us, with a log of its own. The directory has to be there."""

        def become() -> None:
            # In the child, before exec: pid and start time stay the same, and it never runs unnamed.
            if umask is not None:
                os.umask(umask)
            identity = processes.identify(self.host, os.getpid())
            with open(self._process_path, "w", encoding="utf-8") as file:
                json.dump(identity.as_dict(), file)

        log = os.open(self.log_path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
        try:
            return subprocess.Popen(
                words,
                stdin=stdin,
                stdout=log,
                stderr=log,
                cwd="/",
                env={**os.environ, "LC_ALL": "C", **(environment or {})},
                start_new_session=True,
                pass_fds=tuple(pass_fds),
                preexec_fn=become,
            )
        finally:
            os.close(log)
