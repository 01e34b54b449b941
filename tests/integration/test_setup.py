# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What tools/setup installs where QEMU is too old, with programs that stand in for apt's."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

pytestmark = pytest.mark.apart

ROOT = Path(__file__).resolve().parents[2]
PYTHON = "#!/bin/sh\necho 3.11\n"
QEMU = "#!/bin/sh\necho QEMU emulator version {version}.0\n"
# Its sources; and what it installs is new enough.
APT_GET = """\
#!/bin/sh
echo "apt-get $*" >>{log}
case " $* " in
*" indextargets "*) echo "Packages bookworm main http://mirror/debian"; echo "{sources}" ;;
*" install "*) printf '%s\\n' '#!/bin/sh' 'echo QEMU emulator version {new}.0' >{qemu} ;;
esac
"""
TEE = '#!/bin/sh\necho "to $1: $(cat)" >>{log}\n'
APART = 'mount --bind "$1" "$(realpath /etc/os-release)" && shift && exec "$@"'


@dataclass
class Checkout:
    """A checkout that lacks nothing but QEMU, on a machine of the test's own making."""

    path: Path

    def set_up(
        self, had: int, *, codename: str = "bookworm", sources: str = "", new: int = 10
    ) -> subprocess.CompletedProcess[str]:
        """Set up for the tests."""
        programs, log = self.path / "programs", self.path / "log"
        names = {"log": log, "qemu": programs / "qemu-system-x86_64", "sources": sources, "new": new}
        texts = {"apt-get": APT_GET.format(**names), "tee": TEE.format(**names), "id": "#!/bin/sh\necho 0\n"}
        texts["qemu-system-x86_64"] = QEMU.format(version=had)
        for name in ("qemu-img", "dpdk-testpmd", "chromium", "mmdebstrap", "libvirtd", "virsh"):
            texts[name] = "#!/bin/sh\n"
        for name, text in texts.items():
            (programs / name).write_text(text)
            (programs / name).chmod(0o755)
        release = self.path / "os-release"
        release.write_text(f"VERSION_CODENAME={codename}\n")
        return subprocess.run(
            [
                *("unshare", "--mount", "--propagation", "private", "sh", "-ec", APART, "apart", str(release)),
                *(str(self.path / "tools/setup"), "test"),
            ],
            env={**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def did(self) -> list[str]:
        """What was asked of apt, and what was written."""
        log = self.path / "log"
        return log.read_text().splitlines() if log.exists() else []


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    """Make one, with a virtual environment that looks whole."""
    (tmp_path / "tools").mkdir()
    (tmp_path / "programs").mkdir()
    shutil.copy(ROOT / "tools/setup", tmp_path / "tools/setup")
    venv = tmp_path / ".venv"
    (venv / "bin").mkdir(parents=True)
    (venv / "bin/python").write_text(PYTHON)
    (venv / "bin/python").chmod(0o755)
    (venv / ".made").write_text(f"{tmp_path} 3.11\n")
    for name in ("requirements.txt", "requirements-test.txt"):
        shutil.copy(ROOT / name, tmp_path / name)
        digest = subprocess.run(["sha256sum", f"../{name}"], cwd=venv, capture_output=True, text=True, check=True)
        (venv / f".installed-{name}").write_text(digest.stdout)
    link = venv / "collections/ansible_collections/virtperf"
    link.mkdir(parents=True)
    (link / "vhost").symlink_to(tmp_path)
    return Checkout(tmp_path)


def test_debian_12_gets_qemu_from_its_backports_and_the_mirror_it_uses(checkout: Checkout) -> None:
    done = checkout.set_up(7)
    assert done.returncode == 0, done.stderr
    assert "qemu-system-x86 qemu-utils (QEMU from bookworm-backports) with apt-get" in done.stdout
    did = checkout.did()
    source = "deb http://mirror/debian bookworm-backports main"
    assert f"to /etc/apt/sources.list.d/virtperf-backports.list: {source}" in did
    installs = [line.partition(" install ")[2] for line in did if " install " in line]
    assert installs[0] == "-t bookworm-backports qemu-system-x86 qemu-utils", "nothing else comes from there"
    again = checkout.set_up(10)
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")


def test_backports_that_apt_knows_are_not_added_again(checkout: Checkout) -> None:
    done = checkout.set_up(7, sources="Packages bookworm-backports main http://mirror/debian")
    assert done.returncode == 0, done.stderr
    assert not [line for line in checkout.did() if line.startswith("to ")]


def test_debian_13_gets_its_own(checkout: Checkout) -> None:
    done = checkout.set_up(7, codename="trixie")
    assert done.returncode == 0, done.stderr
    assert not [line for line in checkout.did() if " -t " in line or line.startswith("to ")]


def test_a_qemu_that_stays_too_old_is_named(checkout: Checkout) -> None:
    done = checkout.set_up(7, codename="noble", new=8)
    assert done.returncode == 1
    assert f"QEMU 10 or newer is needed, found {checkout.path}/programs/qemu-system-x86_64 8" in done.stderr
    assert "Debian 12 or 13" in done.stderr
