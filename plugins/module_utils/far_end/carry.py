# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The agent's own modules, packed to be carried into a guest: nothing of this collection is installed there.

Their text comes from whatever has imported them here: a directory, or the archive that Ansible runs a module from.
"""

from __future__ import annotations

import ast
import importlib.util
import io
import zipfile
from collections.abc import Iterator

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.far_end import agent

_TOP = "ansible_collections.virtperf.vhost.plugins.module_utils"

# Runs in the guest as `python3 -c`. Standard input has a JSON line with the length of the archive and whatever the
# agent is told, the archive, and then the agent's requests.
BOOTSTRAP = f"""\
import json, os, sys
told = json.loads(sys.stdin.buffer.readline())
place = "%s/virtperf-agent-%d-%s" % (told["directory"], os.getpid(), os.urandom(4).hex())
os.mkdir(place, 0o700)
with open(place + "/modules.zip", "wb") as file:
    file.write(sys.stdin.buffer.read(told["bytes"]))
sys.path.insert(0, file.name)
from {agent.__name__} import run
run(told, place)
"""


def package() -> bytes:
    """A zip of the agent's module and all of ours that it imports, now or later."""
    found = sources(agent.__name__)
    folders = {name.rpartition(".")[0] for name in found}
    folders |= {".".join(name.split(".")[:depth]) for name in folders for depth in range(1, name.count(".") + 1)}
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(folders):
            archive.writestr(f"{name.replace('.', '/')}/__init__.py", "")
        for name, text in sorted(found.items()):
            archive.writestr(f"{name.replace('.', '/')}.py", text)
    return stream.getvalue()


def sources(root: str) -> dict[str, str]:
    """The text of a module and of all of ours that it imports, by name."""
    found: dict[str, str] = {}
    left = [root]
    while left:
        name = left.pop()
        if name not in found:
            found[name] = _source(name)
            left += _imported(found[name])
    return found


def _imported(text: str) -> Iterator[str]:
    """The names of our modules that a module's text imports, in functions too."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and node.module and f"{node.module}.".startswith(f"{_TOP}."):
            # What is imported from a package is a module, what is imported from a module is not.
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from names if _is_package(node.module) else [node.module]


def _is_package(name: str) -> bool:
    spec = importlib.util.find_spec(name)
    return spec is not None and spec.submodule_search_locations is not None


def _source(name: str) -> str:
    spec = importlib.util.find_spec(name)
    get_source = getattr(spec.loader, "get_source", None) if spec is not None else None
    text = get_source(name) if get_source is not None else None
    if not isinstance(text, str):
        raise VirtperfError(
            f"the module {name} cannot be carried into a guest",
            found=f"no text of it, loaded from {spec.origin if spec else 'nowhere'}",
            way_out="run the collection from its sources, not from compiled files alone",
        )
    return text
