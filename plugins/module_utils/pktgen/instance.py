# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One running pktgen-dpdk: its files, its orders, its start and its end."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import struct
import termios
import time
from collections.abc import Iterator

from ansible_collections.virtperf.vhost.plugins.module_utils.dpdk.output import log_end
from ansible_collections.virtperf.vhost.plugins.module_utils.dpdk.process import DpdkProcess
from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host, write_atomically
from ansible_collections.virtperf.vhost.plugins.module_utils.pktgen import script
from ansible_collections.virtperf.vhost.plugins.module_utils.pktgen.definition import Definition, file_prefix, parse
from ansible_collections.virtperf.vhost.plugins.module_utils.terminal import plain

_ANSWER_PATIENCE_S = 10.0
_POLL_S = 0.005
_SOURCE = "https://github.com/pktgen/Pktgen-DPDK"
_PACKAGES = "build-essential meson libdpdk-dev libnuma-dev libpcap-dev liblua5.4-dev"
_LINES, _COLUMNS = 50, 160
# What pktgen says instead of running a script in Lua (cli_execute_cmdfile).
_NO_LUA = ("User State for CLI not set for Lua", "Lua is not enabled in configuration")


class Instance(DpdkProcess):
    """A pktgen by name. Its files live in ``<run>/pktgen/<name>/``:

    ``process.json`` (identity), ``definition.json``, ``orders.lua`` (the script that it runs), ``orders`` (a FIFO),
    ``answers`` and ``log``.
    """

    def __init__(self, host: Host, name: str) -> None:
        super().__init__(host, "pktgen", name, file_prefix(name))
        self._script_path = os.path.join(self.directory, "orders.lua")
        self._orders_path = os.path.join(self.directory, "orders")
        self._answers_path = os.path.join(self.directory, "answers")

    def definition(self) -> Definition | None:
        """What it was started from; None when nothing was, or another version of this collection wrote it."""
        try:
            return parse(json.loads(self.host.read(self._definition_path)))
        except (OSError, ValueError, TypeError, AttributeError, VirtperfError):
            return None

    def log_end(self) -> str:
        """The end of its log, without what it does to its screen."""
        return log_end(plain(self.log()))

    def command(self, definition: Definition) -> list[str]:
        """The command line that it is started with."""
        return definition.command("pktgen", self._script_path)

    def start(self, definition: Definition) -> None:
        """Launch and wait until its ports answer and its script obeys."""
        program = executable()
        self.host.private_directory(self.directory)
        self.clear_runtime_files()
        os.mkfifo(self._orders_path, 0o600)
        write_atomically(self._script_path, script.script(self._orders_path, self._answers_path))
        write_atomically(self._definition_path, json.dumps(definition.as_dict()))
        # Opened for both, and inherited: the FIFO then never reports an end of file.
        orders = os.open(self._orders_path, os.O_RDWR)
        try:
            with _terminal() as (master, terminal):
                words = definition.command(program, self._script_path)
                child = self.run(words, terminal, pass_fds=(orders, master))
        finally:
            os.close(orders)
        try:
            self.wait_ready(child, len(definition.ports), self._obeys)
        except VirtperfError as error:
            self.stop()
            lacking = self._without_lua()
            if lacking is not None:
                raise lacking from error
            raise

    def _obeys(self) -> bool:
        return bool(self.host.read_or(self._answers_path))

    def _without_lua(self) -> VirtperfError | None:
        if not any(words in self.log() for words in _NO_LUA):
            return None
        return VirtperfError(
            "the installed pktgen cannot be driven: it was built without Lua",
            found=f"{shutil.which('pktgen')}, and the end of its log is:\n{self.log_end()}",
            way_out="apt-get install liblua5.4-dev, then build it again with meson setup -Denable_lua=true",
            log_end=self.log_end(),
        )

    def ask(self, order: str) -> str:
        """Give it an order in Lua, one line, and return what that returns, as text."""
        number = time.monotonic_ns()  # of its own, whoever else gave orders before us
        try:
            self._say(f"{number} {order}")
        except OSError as error:  # nobody reads the FIFO: its reader was the process itself
            raise self.died() from error
        limit = time.monotonic() + _ANSWER_PATIENCE_S
        while True:
            alive = self.is_running()
            answer = self._answer(number)
            if answer is not None:
                break
            if not alive:
                raise self.died()
            if time.monotonic() > limit:
                raise VirtperfError(
                    f"{self.title} does not answer to: {order}",
                    found=f"the end of its log is:\n{self.log_end()}",
                    way_out=f"it hangs; see {self.log_path}, then stop it",
                )
            time.sleep(_POLL_S)
        word, _blank, text = answer.partition(" ")
        if word != "ok":
            raise VirtperfError(
                f"{self.title} refused: {order}",
                found=text,
                way_out="this version of pktgen does not know the function or its value",
            )
        return text

    def _answer(self, number: int) -> str | None:
        for line in self.host.read_or(self._answers_path).split("\n"):
            answered, _blank, text = line.partition(" ")
            if answered == str(number):
                return text
        return None

    def ask_to_quit(self) -> None:
        """End its script, so that it finds the word to quit."""
        self._say(script.QUIT)

    def _say(self, line: str) -> None:
        descriptor = os.open(self._orders_path, os.O_WRONLY | os.O_NONBLOCK)
        try:
            os.write(descriptor, f"{line}\n".encode())
        finally:
            os.close(descriptor)


@contextlib.contextmanager
def _terminal() -> Iterator[tuple[int, int]]:
    """The two sides of a terminal: pktgen ends at once where its standard input is none (scrn_create).

    It inherits the other side too, so that its terminal lives as long as it does. The word to quit is typed already:
    nobody looks at it before the script has ended.
    """
    master, terminal = os.openpty()
    try:
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", _LINES, _COLUMNS, 0, 0))
        os.write(master, b"quit\n")
        yield master, terminal
    finally:
        os.close(master)
        os.close(terminal)


def executable() -> str:
    """The path of pktgen; VirtperfError when it is missing."""
    path = shutil.which("pktgen")
    if path is None:
        raise VirtperfError(
            "pktgen-dpdk is not installed",
            found=f"nothing called pktgen on PATH={os.environ.get('PATH', '')}",
            way_out=f"no distribution has a package of it: apt-get install {_PACKAGES}, then build {_SOURCE} of the"
            " release that goes with this DPDK (meson setup build -Denable_lua=true, ninja -C build install), in a"
            " guest in its image; or let testpmd make the packets, which needs nothing",
        )
    return path
