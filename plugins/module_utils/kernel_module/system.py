# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked of kmod's programs: what a module is, loading and unloading just one."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError

_MORE_PATHS = ("/usr/sbin", "/sbin", "/usr/bin", "/bin")
_PATIENCE_S = 60
_PARAMETER = re.compile(r"([A-Za-z0-9_]+):(.*)", re.DOTALL)


class System:
    """The real one; tests give another one."""

    dev = "/dev"
    modules = "/lib/modules"

    def has(self, name: str) -> bool:
        """Whether there is a module of this name, loadable or built in."""
        return self._run("modprobe", "--dry-run", "--quiet", name).returncode == 0

    def is_built_in(self, name: str) -> bool:
        """Whether the running kernel has it built in."""
        try:
            with open(f"{self.modules}/{os.uname().release}/modules.builtin", encoding="utf-8") as file:
                return any(line.rpartition("/")[2].replace("-", "_").startswith(f"{name}.ko") for line in file)
        except OSError:
            return False

    def needed(self, name: str) -> list[str]:
        """The modules that come with it, itself the last."""
        return parse_needed(self._run("modprobe", "--show-depends", name).stdout)

    def parameters(self, name: str) -> dict[str, str]:
        """The parameters that it has and their types ("" where that is not told), by the word of its file."""
        described, types = (self._run("modinfo", "-0", "-F", field, name).stdout for field in ("parm", "parmtype"))
        return {**dict.fromkeys(parse_parameters(described), ""), **parse_parameters(types)}

    def load(self, name: str, parameters: Mapping[str, str]) -> None:
        """Load it, and what it needs; VirtperfError when the kernel does not take it."""
        words = [f"{key}={value}" for key, value in parameters.items()]
        done = self._run("modprobe", name, *words)
        if done.returncode != 0:
            raise VirtperfError(
                f"the module {name} cannot be loaded" + (f" with {' '.join(words)}" if words else ""),
                found=_said(done),
                way_out="see dmesg; a module that is not signed is refused where Secure Boot is on",
                module=name,
            )

    def unload(self, name: str) -> None:
        """Unload just this one; VirtperfError when the kernel keeps it."""
        done = self._run("rmmod", name)
        if done.returncode != 0:
            raise VirtperfError(
                f"the module {name} cannot be unloaded",
                found=_said(done),
                way_out="end what uses it, then run again",
                module=name,
            )

    @staticmethod
    def _run(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A system without kmod has no modules: it knows and loads none."""
        path = shutil.which(program, path=os.pathsep.join([os.environ.get("PATH", ""), *_MORE_PATHS]))
        if path is None:
            return subprocess.CompletedProcess(arguments, 127, "", f"there is no {program} on this machine")
        try:
            return subprocess.run(
                [path, *arguments],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                timeout=_PATIENCE_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return subprocess.CompletedProcess(arguments, 124, "", f"no end after {_PATIENCE_S} s")


SYSTEM = System()


def _said(done: subprocess.CompletedProcess[str]) -> str:
    return (done.stderr or done.stdout).strip() or f"status {done.returncode}"


def parse_needed(text: str) -> list[str]:
    """The modules in what ``modprobe --show-depends`` prints, in the order in which they are loaded."""
    found = []
    for words in map(str.split, text.splitlines()):
        if len(words) >= 2 and words[0] == "insmod":
            found.append(words[1].rpartition("/")[2].partition(".ko")[0].replace("-", "_"))
    return list(dict.fromkeys(found))


def parse_parameters(text: str) -> dict[str, str]:
    """``name:description`` or ``name:type``, as ``modinfo -0 -F parm`` and ``-F parmtype`` print them."""
    matches = map(_PARAMETER.fullmatch, text.split("\0"))
    return {match[1]: match[2] for match in matches if match}
