# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures of the tests with guests: the image, and a guest of it that the tests of a file share."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import bench
import pytest

sys.path.insert(0, str(Path(__file__).parent))

import booted


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The image in this user's cache, through the role; the first run on a machine builds it there."""
    missing = [name for name in ("qemu-system-x86_64", "qemu-img", "ssh") if shutil.which(name) is None]
    assert not missing, f"missing {missing}: run tools/setup test"
    directory = tmp_path_factory.mktemp("role")
    keep = {"content": "{{ image_ready | to_json }}", "dest": str(directory / "image.json"), "mode": "0600"}
    role = {"name": "Have the image", "ansible.builtin.import_role": {"name": "virtperf.vhost.image"}}
    tasks = [role, {"name": "Keep what it says", "ansible.builtin.copy": keep}]
    playbook = directory / "playbook.yml"
    playbook.write_text(json.dumps([{"name": "Test", "hosts": "localhost", "gather_facts": False, "tasks": tasks}]))
    done = bench.finish(bench.start_file(playbook), directory, "", timeout_s=600)
    assert done.status == 0, done.output
    result: dict[str, str] = json.loads((directory / "image.json").read_text())
    return result


@pytest.fixture(scope="module")
def shared_guest(image: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[booted.Shared]:
    """Boots when it is first asked for a guest, and again after a test has ended that one."""
    shared = booted.Shared(image, tmp_path_factory)
    yield shared
    shared.end()


@pytest.fixture
def guest(shared_guest: booted.Shared) -> booted.Guest:
    """A running guest. What a test changes in it, it puts back."""
    return shared_guest.guest()
