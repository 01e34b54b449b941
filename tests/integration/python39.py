#!/usr/bin/env python3
# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Finds or fetches a Python 3.9, the oldest that a measured host may have, and prints its path.

    python tests/integration/python39.py            one of this machine, else Debian 11's
    python tests/integration/python39.py --fetch    Debian 11's

Debian 11's is fetched by apt with a state of its own: nothing is installed, nothing of the system changes. It is
unpacked into .cache/ once.
"""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / ".cache" / "python39"

# What ansible's modules import at least.
PROBE = "import sys, ctypes, hashlib, json, ssl, zipfile; sys.exit(sys.version_info[:2] != (3, 9))"

MIRRORS = ("http://deb.debian.org/debian", "http://archive.debian.org/debian")
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
# Libraries of later releases serve as well, where they have kept their names.
PACKAGES = ("python3.9-minimal", "libpython3.9-minimal", "libpython3.9-stdlib", "libssl1.1", "libffi7", "libmpdec3")

WRAPPER = """\
#!/bin/sh
# Debian 11's Python 3.9 with the libraries that this machine need not have. It finds its modules by its own place.
export LD_LIBRARY_PATH={libraries}
exec {python} "$@"
"""


class NotFoundHereError(Exception):
    """Why there is none to be had."""


def works(python: Path | str) -> bool:
    """Whether it is a whole Python 3.9. A shim of pyenv's that leads nowhere is none."""
    try:
        done = subprocess.run([python, "-c", PROBE], capture_output=True, timeout=60, check=False)
    except OSError:
        return False
    return done.returncode == 0


def find() -> str | None:
    """One that this machine has."""
    on_path = shutil.which("python3.9")
    candidates = [on_path] if on_path else []
    candidates += map(str, sorted(Path.home().glob(".pyenv/versions/3.9*/bin/python3.9")))
    return next(filter(works, candidates), None)


def fetch() -> str:
    """Debian 11's, from the cache if it is there."""
    wrapper = CACHE / "python3.9"
    if works(wrapper):
        return str(wrapper)
    for program in ("apt-get", "dpkg-deb"):
        if not shutil.which(program):
            raise NotFoundHereError(f"this machine has no {program} to fetch Debian 11's with")
    reasons = []
    for mirror in MIRRORS:
        shutil.rmtree(CACHE, ignore_errors=True)
        CACHE.mkdir(parents=True)
        try:
            unpack(mirror)
        except subprocess.CalledProcessError as error:
            words = " ".join(error.stderr.split())[-300:]
            reasons.append(f"{mirror}: {error.cmd[0]} says: {words}")
            continue
        libraries = next((CACHE / "root/usr/lib").glob("*-linux-gnu*"))
        places = {"libraries": libraries, "python": CACHE / "root/usr/bin/python3.9"}
        wrapper.write_text(WRAPPER.format(**{name: shlex.quote(str(place)) for name, place in places.items()}))
        wrapper.chmod(0o755)
        if works(wrapper):
            return str(wrapper)
        reasons.append(f"{mirror}: its python3.9 does not start here")
    raise NotFoundHereError("; ".join(reasons))


def unpack(mirror: str) -> None:
    """Download the packages, checked against Debian's keys, and unpack them below the cache."""
    with tempfile.TemporaryDirectory(dir=CACHE) as directory:
        apt = Path(directory)
        for name in ("state/lists/partial", "cache/archives/partial", "debs"):
            (apt / name).mkdir(parents=True)
        (apt / "status").touch()
        (apt / "sources.list").write_text(f"deb [signed-by={KEYRING}] {mirror} bullseye main\n")
        options = {
            "Dir::State": apt / "state",
            "Dir::State::status": apt / "status",
            "Dir::Cache": apt / "cache",
            "Dir::Etc::sourcelist": apt / "sources.list",
            "Dir::Etc::sourceparts": "/dev/null",
            "APT::Sandbox::User": "root",
            "APT::Update::Error-Mode": "any",
            "Acquire::Retries": "2",
        }
        command = ["apt-get", "-qq", *(f"-o{name}={value}" for name, value in options.items())]
        run(*command, "update", cwd=apt)
        run(*command, "download", *PACKAGES, cwd=apt / "debs")
        for package in sorted((apt / "debs").glob("*.deb")):
            run("dpkg-deb", "-x", str(package), str(CACHE / "root"), cwd=apt)


def run(*command: str, cwd: Path) -> None:
    """Run a program; CalledProcessError has what it said."""
    subprocess.run(command, cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=600, check=True)


def main() -> None:
    """Print the path, or say why there is none."""
    try:
        print((None if "--fetch" in sys.argv[1:] else find()) or fetch())
    except NotFoundHereError as error:
        sys.exit(f"no Python 3.9 to be had ({error}). Way out: install one and put python3.9 in PATH")


if __name__ == "__main__":
    main()
