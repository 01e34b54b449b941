# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps what Python compiles of archives. This file is put into the image of a hypervisor, for its own Python.

Ansible sends each module as an archive of sources, with all that it imports, and Python keeps compiled what is in
directories only. Where the CPU is emulated, compiling takes a good part of a task's time.
"""

from __future__ import annotations

import marshal
import os
import zipimport
from types import CodeType

# systemd makes it, see virtperf-hypervisor.service. Where it is not, nothing is kept.
PLACE = "/var/cache/virtperf-compiled"


def keep(place: str = PLACE) -> None:
    """From now on. Code is found by the hash of its source and of Python's version: it cannot be out of date."""
    # Nothing public stands between an archive's source and its code. The image has one Python, Debian 13's; where that
    # has no such function, site says so at its start and goes on without this.
    compile_anew = zipimport._compile_source  # type: ignore[attr-defined]

    def compile_once(path: str, source: bytes) -> CodeType:
        # Not at every start of Python's.
        from contextlib import suppress
        from importlib.util import source_hash

        kept = os.path.join(place, source_hash(source).hex())
        try:
            with open(kept, "rb") as file:
                code: CodeType = marshal.load(file)
            return code
        except (OSError, EOFError, ValueError, TypeError):
            code = compile_anew(path, source)
        with suppress(OSError):
            with open(f"{kept}.{os.getpid()}", "wb") as new:
                marshal.dump(code, new)
            os.rename(new.name, kept)
        return code

    zipimport._compile_source = compile_once  # type: ignore[attr-defined]
