# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The programs of both ends, as files that Python runs: each with all of ours that it imports, and nothing else.

Nothing of this collection is installed where they run.
"""

from __future__ import annotations

import io
import os
import zipfile

from ansible_collections.virtperf.vhost.plugins.module_utils.far_end.carry import sources
from ansible_collections.virtperf.vhost.plugins.module_utils.vnc import client, server

# Where they are kept, below the directory of our runtime files.
DIRECTORY = "vnc"
PASSWORD = "password"
# The distribution's own, whose tkinter its package manager can bring. Named in full: what comes first in PATH of an SSH
# connection need not be it.
PYTHON = "/usr/bin/python3"
_MODULES = {"server": server.__name__, "client": client.__name__}
# The same text gives the same file, whenever it is packed.
_LONG_AGO = (1980, 1, 1, 0, 0, 0)


def path(run: str, name: str) -> str:
    """Where one is kept: a program by its end, or the password."""
    return os.path.join(run, DIRECTORY, name)


def program(end: str) -> bytes:
    """A zip that Python runs."""
    found = sources(_MODULES[end])
    names = {f"{name.replace('.', '/')}.py": text for name, text in found.items()}
    folders = {name.rpartition("/")[0] for name in names}
    folders |= {"/".join(name.split("/")[:depth]) for name in folders for depth in range(1, name.count("/") + 1)}
    names.update({f"{folder}/__init__.py": "" for folder in folders})
    names["__main__.py"] = f"from {_MODULES[end]} import main\n\nmain()\n"
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, text in sorted(names.items()):
            archive.writestr(zipfile.ZipInfo(name, _LONG_AGO), text, zipfile.ZIP_DEFLATED)
    return stream.getvalue()
