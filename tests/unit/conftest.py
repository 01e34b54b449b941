# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes the checkout importable as `ansible_collections.virtperf.vhost`, wherever it lies and whatever it is called."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import settings
from hypothesis.configuration import set_hypothesis_home_dir

ROOT = Path(__file__).resolve().parents[2]


def provide_collection(root: Path) -> None:
    """Put the three packages above `plugins` into `sys.modules`; Python finds the rest from there by itself.

    A copy installed on this machine must not be what is tested, so nothing is searched for.
    """
    parent: ModuleType | None = None
    name = ""
    for part, path in (("ansible_collections", []), ("virtperf", []), ("vhost", [str(root)])):
        name = f"{name}.{part}" if name else part
        package = ModuleType(name)
        package.__path__ = path
        sys.modules[name] = package
        if parent is not None:
            setattr(parent, part, package)
        parent = package


provide_collection(ROOT)

# A machine that measures or installs beside the tests is slow at times; that is no failure of an example.
set_hypothesis_home_dir(ROOT / ".cache" / "hypothesis")
settings.register_profile("virtperf", deadline=None)
settings.load_profile("virtperf")


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """A directory with a short name: a unix socket's path holds 107 bytes, and pytest's own carries the test's name."""
    with tempfile.TemporaryDirectory(prefix="v-") as directory:
        yield Path(directory)
