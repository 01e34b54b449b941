# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The collection as its users have it: built, installed, and called from where there is no checkout."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent


@dataclass(frozen=True)
class Installed:
    """The collection as a user has it, and a place to use it from."""

    tarball: Path
    home: Path
    cwd: Path

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run one of ansible's programs with nothing of this checkout or this user in reach."""
        return subprocess.run(
            [str(BIN / command[0]), *command[1:]],
            cwd=self.cwd,
            env={"PATH": f"{BIN}:{os.defpath}", "HOME": str(self.home), "LC_ALL": "C.UTF-8"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    def files(self) -> list[PurePosixPath]:
        """What the tarball holds."""
        with tarfile.open(self.tarball) as tar:
            return [PurePosixPath(member.name) for member in tar.getmembers() if member.isfile()]

    def plugins(self, directory: str) -> list[str]:
        """Full names of the plugins of one kind, by their files."""
        return sorted(
            f"virtperf.vhost.{path.stem}"
            for path in self.files()
            if path.parent == PurePosixPath("plugins", directory) and path.suffix == ".py" and path.stem != "__init__"
        )

    def documented(self, kind: str, names: list[str]) -> dict[str, Any]:
        """What ansible-doc has to say about them."""
        done = self.run("ansible-doc", "--json", "-t", kind, *names)
        assert done.returncode == 0, done.stderr
        docs: dict[str, Any] = json.loads(done.stdout)
        return docs


def install(base: Path) -> Installed:
    """Build and install, with an empty home and in an empty directory."""
    for name in ("home", "cwd", "build"):
        (base / name).mkdir()
    user = Installed(tarball=base, home=base / "home", cwd=base / "cwd")
    done = user.run("ansible-galaxy", "collection", "build", str(ROOT), "--output-path", str(base / "build"))
    assert done.returncode == 0, done.stderr
    (tarball,) = (base / "build").glob("virtperf-vhost-*.tar.gz")
    done = user.run("ansible-galaxy", "collection", "install", "--offline", str(tarball))
    assert done.returncode == 0, done.stderr
    return Installed(tarball=tarball, home=user.home, cwd=user.cwd)
