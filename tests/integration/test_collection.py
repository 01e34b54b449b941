# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tarball is the product: it is built, installed, and used by somebody who has no checkout."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

pytestmark = pytest.mark.apart

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent

# Documented kinds of plugin: directory under plugins/, and what ansible-doc calls it. A file is one plugin.
KINDS = {"modules": "module", "inventory": "inventory", "lookup": "lookup", "callback": "callback"}
# A file holds several; their names are found out by asking.
KINDS_OF_MANY = {"filter": "filter", "test": "test"}


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


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """Build and install, with an empty home and in an empty directory."""
    base = tmp_path_factory.mktemp("installed")
    for name in ("home", "cwd", "build"):
        (base / name).mkdir()
    user = Installed(tarball=base, home=base / "home", cwd=base / "cwd")
    done = user.run("ansible-galaxy", "collection", "build", str(ROOT), "--output-path", str(base / "build"))
    assert done.returncode == 0, done.stderr
    (tarball,) = (base / "build").glob("virtperf-vhost-*.tar.gz")
    done = user.run("ansible-galaxy", "collection", "install", "--offline", str(tarball))
    assert done.returncode == 0, done.stderr
    return Installed(tarball=tarball, home=user.home, cwd=user.cwd)


def test_the_tarball_holds_what_users_need_and_nothing_else(installed: Installed) -> None:
    top = {path.parts[0] for path in installed.files()}
    assert {"MANIFEST.json", "README.md", "LICENSE", "CHANGELOG.md", "meta", "plugins", "playbooks", "roles"} <= top
    for_developers = {"Makefile", "ansible.cfg", "benchmarks", "molecule", "results", "tests", "tools"}
    strangers = {name for name in top if name.startswith(".") or name in for_developers}
    assert not strangers, f"{strangers} should be in build_ignore of galaxy.yml"
    assert not [path for path in installed.files() if "__pycache__" in path.parts]


@pytest.mark.parametrize("directory", sorted(KINDS))
def test_ansible_doc_shows_every_plugin(installed: Installed, directory: str) -> None:
    names = installed.plugins(directory)
    if names:
        docs = installed.documented(KINDS[directory], names)
        assert sorted(docs) == names
        assert all(doc["doc"]["short_description"] for doc in docs.values())
    elif directory == "modules":
        pytest.fail("the tarball holds no module")


@pytest.mark.parametrize("directory", sorted(KINDS_OF_MANY))
def test_ansible_doc_shows_every_filter_and_test(installed: Installed, directory: str) -> None:
    files = installed.plugins(directory)
    if files:
        kind = KINDS_OF_MANY[directory]
        listed = installed.run("ansible-doc", "--json", "--list", "-t", kind, "virtperf.vhost")
        assert listed.returncode == 0, listed.stderr
        names = sorted(json.loads(listed.stdout))
        assert len(names) >= len(files)
        docs = installed.documented(kind, names)
        assert sorted(docs) == names
        assert all(doc["doc"]["short_description"] for doc in docs.values())


@pytest.mark.parametrize("question", ["--syntax-check", "--list-tasks"])
@pytest.mark.parametrize("playbook", ["bench", "report", "restore"])
def test_playbooks_are_found_by_name_in_an_empty_directory(installed: Installed, playbook: str, question: str) -> None:
    done = installed.run("ansible-playbook", f"virtperf.vhost.{playbook}", question)
    assert done.returncode == 0, done.stderr
    assert f"playbook: {installed.home}/.ansible/collections/" in done.stdout


@pytest.mark.usefixtures("left_as_found")
def test_a_run_in_an_empty_directory_without_an_inventory(installed: Installed) -> None:
    small = {
        "run_id": "test",
        "reflect_drivers": "virtio_user_split",
        "reflect_queues": 1,
        "reflect_packet_sizes": 64,
        "reflect_trials": 1,
        "reflect_trial_seconds": 0.2,
    }
    done = installed.run("ansible-playbook", "virtperf.vhost.bench", "-e", json.dumps(small))
    assert done.returncode == 0, done.stdout + done.stderr
    results = installed.cwd / "results" / "test"
    assert len((results / "trials.jsonl").read_text().splitlines()) == 1
    assert (results / "report.html").exists()
