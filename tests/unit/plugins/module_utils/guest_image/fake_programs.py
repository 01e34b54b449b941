# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs that building calls, as scripts in a directory of the test's: no root, no network, no time."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils.guest_image import build

_PAST_OPTIONS = 'while [ "$1" != -- ]; do shift; done; shift; exec "$@"'
STATUS = (
    "Package: bash\nStatus: install ok installed\nVersion: 5.2-1\nDescription: a shell\n Status: no\n\n"
    "Package: gone\nStatus: deinstall ok config-files\nVersion: 1\n\n"
)
_MMDEBSTRAP = f"""
for word; do
    target=$last last=$word
    case $word in --aptopt=/*) cp "${{word#*=}}" "$0.options" ;; esac
done
echo "$@" >>"$0.calls"
[ ! -e "$0.fail" ] || {{ echo "I: trying"; echo "E: no such mirror" >&2; exit 100; }}
mkdir -p "$target/var/lib/dpkg" "$target/etc/ssh"
printf '{STATUS}' >"$target/var/lib/dpkg/status"
"""
_APT_CONFIG = """cat <<'END'
APT::Architecture "amd64";
Acquire::http::Proxy "http://me:secret@proxy:3128";
Acquire::Check-Date "false";
Acquire::IndexTargets::deb::DEP-11 "";
Acquire::Languages:: "none";
END
"""


class FakePrograms:
    """The scripts, and what they were called with."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.directory = directory
        directory.mkdir()
        for name, script in {
            "setpriv": _PAST_OPTIONS,
            "unshare": "exit 1",
            "mmdebstrap": _MMDEBSTRAP,
            "apt-config": _APT_CONFIG,
            "mkfs.ext4": "exit 0",
        }.items():
            self.write(name, script)
        keyring = directory / "keyring.gpg"
        keyring.touch()
        monkeypatch.setattr(build, "KEYRING", str(keyring))
        monkeypatch.setattr(build, "_MORE_PATHS", "")
        monkeypatch.setenv("PATH", f"{directory}{os.pathsep}/usr/bin{os.pathsep}/bin")

    def write(self, name: str, script: str) -> None:
        """Have a program do this."""
        (self.directory / name).write_text(f"#!/bin/sh\n{script}\n")
        (self.directory / name).chmod(0o755)

    def fail(self, name: str = "mmdebstrap") -> None:
        """Have a program fail from now on."""
        (self.directory / f"{name}.fail").touch()

    @property
    def builds(self) -> list[str]:
        """How mmdebstrap was called."""
        calls = self.directory / "mmdebstrap.calls"
        return calls.read_text().splitlines() if calls.exists() else []
