# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Modules run by a real Python 3.9, the oldest that a measured host may have."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.apart

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent

Ansible = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def python39() -> str:
    """Find or fetch it; without one these tests fail, for nobody would miss them."""
    finder = Path(__file__).with_name("python39.py")
    done = subprocess.run([sys.executable, finder], capture_output=True, text=True, timeout=900, check=False)
    if done.returncode:
        pytest.fail(done.stderr)
    return done.stdout.strip()


@pytest.fixture
def ansible(python39: str, tmp_path: Path) -> Ansible:
    """Run a module on this machine with that Python, in check mode, and return its result."""

    def ansible(module: str, **arguments: Any) -> dict[str, Any]:
        done = subprocess.run(
            [
                *(BIN / "ansible", "localhost", "--check", "-m", f"virtperf.vhost.{module}"),
                *(("-a", json.dumps(arguments)) if arguments else ()),
                *("-e", json.dumps({"ansible_python_interpreter": python39})),
            ],
            cwd=tmp_path,
            env={
                "PATH": f"{BIN}:{os.environ['PATH']}",
                "HOME": str(tmp_path),
                "LC_ALL": "C.UTF-8",
                "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".venv" / "collections"),
                "ANSIBLE_CALLBACK_RESULT_FORMAT": "json",
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        match = re.search(r"^localhost \| (?:SUCCESS|CHANGED) => (\{.*\})\s*\Z", done.stdout, re.MULTILINE | re.DOTALL)
        assert match, done.stdout + done.stderr
        result: dict[str, Any] = json.loads(match[1])
        return result

    return ansible


def test_vhost_info(ansible: Ansible) -> None:
    info = ansible("vhost_info")["vhost_info"]
    assert info["python"]["version"].startswith("3.9.")
    assert info["cpus"]["allowed"]
    assert info["hugepages"]["sizes"]


def test_hugepages(ansible: Ansible, tmp_path: Path) -> None:
    mount = tmp_path / "huge"
    result = ansible(
        "hugepages",
        pools=[{"size": "2MiB", "count": 1, "count_means": "free"}],
        mounts=[{"path": str(mount), "size": "2MiB"}],
    )
    assert result["changed"]
    assert result["mounts"] == [{"path": str(mount), "size": "2MiB", "changed": True}]
    assert result["pools"][0]["effective"] >= 1
    assert not mount.exists()
