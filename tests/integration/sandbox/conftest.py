# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One hypervisor in a VM for all tests here. The first run on a machine builds its image."""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import a_sandbox
import bench


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """These come last: the sandbox stays until the end of all, and would take CPU time from what comes after."""
    items.sort(key=lambda item: Path(__file__).parent in item.path.parents)


@pytest.fixture(scope="package")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[float]:
    """It runs; the seconds that starting it took, its image built."""
    for program, package in (("qemu-system-x86_64", "qemu-system-x86"), ("mmdebstrap", "mmdebstrap")):
        assert shutil.which(program), f"no {program}: apt-get install {package}, or tools/setup sandbox"
    assert a_sandbox.left() == [], "a sandbox is there already, and would be removed: make sandbox-down"
    directory = tmp_path_factory.mktemp("sandbox")
    profile = {"image_profile": "hypervisor"}
    role = {"name": "Have the image", "ansible.builtin.import_role": {"name": "virtperf.vhost.image"}, "vars": profile}
    playbook = directory / "image.yml"
    playbook.write_text(json.dumps([{"name": "Image", "hosts": "localhost", "gather_facts": False, "tasks": [role]}]))
    built = bench.finish(bench.start_file(playbook), directory, "", timeout_s=600)
    assert built.status == 0, built.output
    try:
        begun = time.monotonic()
        assert a_sandbox.play("up", directory) > 0
        yield time.monotonic() - begun
    finally:
        a_sandbox.play("down", directory)
    assert a_sandbox.left() == []
    assert a_sandbox.play("down", directory) == 0
