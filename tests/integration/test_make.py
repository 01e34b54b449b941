# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What scripts rely on: `make` hands arguments and exit status through, and sets up only what is missing."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.apart

ROOT = Path(__file__).resolve().parents[2]

STUB = """\
import json, os, sys
from pathlib import Path

call = {"arguments": sys.argv[1:], "environment": dict(os.environ)}
Path(__file__).with_name("call.json").write_text(json.dumps(call))
sys.exit(int(os.environ.get("STUB_STATUS", "0")))
"""


@dataclass
class Stub:
    """Stands in for ansible-playbook and remembers how it was called."""

    path: Path

    @property
    def call(self) -> dict[str, Any]:
        """Arguments and environment of the last call."""
        call: dict[str, Any] = json.loads(self.path.with_name("call.json").read_text())
        return call

    def make(
        self, target: str, *, args: str | None = None, stdin: int = subprocess.DEVNULL, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Call `make` from elsewhere, as a script would."""
        command = ["make", "-C", str(ROOT), target, f"ANSIBLE_PLAYBOOK={self.path}"]
        if args is not None:
            command.append(f"ARGS={args}")
        return subprocess.run(
            command,
            cwd=self.path.parent,
            # Not the variables of the make that runs the tests: MAKEFLAGS carries its ARGS.
            env={k: v for k, v in os.environ.items() if not k.startswith("MAKE")} | environment,
            stdin=stdin,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )


@pytest.fixture
def stub(tmp_path: Path) -> Stub:
    """Make the stand-in; its path has a blank, as a path may."""
    path = tmp_path / "a directory" / "ansible-playbook"
    path.parent.mkdir()
    program = path.with_suffix(".py")
    program.write_text(STUB)
    # Not by `#!`: the way to Python may have a blank as well.
    path.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{program}" "$@"\n')
    path.chmod(0o755)
    return Stub(path)


@pytest.mark.parametrize(
    ("args", "arguments"),
    [
        (None, []),
        ("", []),
        ("""-e '{"reflect_queues":[1]}'""", ["-e", '{"reflect_queues":[1]}']),
        ("""-e '{"a": [1, 2], "b": {"c": "d e"}}' -v""", ["-e", '{"a": [1, 2], "b": {"c": "d e"}}', "-v"]),
        ('-e "results_dir=/a b"', ["-e", "results_dir=/a b"]),
        ("-e 'price=$5 $(shell false) #1'", ["-e", "price=$5 $(shell false) #1"]),
        ("--limit 'hypervisors:!hv-b' --tags=a,b", ["--limit", "hypervisors:!hv-b", "--tags=a,b"]),
        (r"""-e '{"pattern": "\\d+"}'""", ["-e", r'{"pattern": "\\d+"}']),
    ],
)
def test_arguments_arrive_as_they_were_typed(stub: Stub, args: str | None, arguments: list[str]) -> None:
    done = stub.make("bench", args=args)
    assert done.returncode == 0, done.stderr
    assert stub.call["arguments"] == ["virtperf.vhost.bench", *arguments]


def test_the_line_of_the_documentation_works_in_a_shell(stub: Stub) -> None:
    line = r"""make bench ARGS="-e '{\"reflect_queues\":[1]}'" """
    done = subprocess.run(
        ["sh", "-c", line],
        cwd=ROOT,
        env={**os.environ, "ANSIBLE_PLAYBOOK": str(stub.path)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert stub.call["arguments"] == ["virtperf.vhost.bench", "-e", '{"reflect_queues":[1]}']


@pytest.mark.parametrize("target", ["bench", "restore", "report"])
def test_each_target_runs_its_playbook(stub: Stub, target: str) -> None:
    assert stub.make(target, args="-v").returncode == 0
    assert stub.call["arguments"] == [f"virtperf.vhost.{target}", "-v"]


def test_a_failed_playbook_fails_make_and_its_status_is_named(stub: Stub) -> None:
    """GNU make itself knows only 0 and 2; the playbook's own status is in its message."""
    done = stub.make("bench", STUB_STATUS="4")
    assert done.returncode == 2
    assert "Error 4" in done.stderr


def test_the_callers_shell_does_not_change_the_run(stub: Stub) -> None:
    stub.make(
        "bench",
        ANSIBLE_CONFIG="/nonexistent/ansible.cfg",
        ANSIBLE_INVENTORY="/nonexistent/inventory",
        ANSIBLE_COLLECTIONS_PATH="/nonexistent",
        ANSIBLE_STDOUT_CALLBACK="json",
        ANSIBLE_FORCE_COLOR="1",
        ANSIBLE_BECOME_PASSWORD_FILE="/somewhere/secret",
        PYTHONPATH="/nonexistent",
        LC_ALL="POSIX",
    )
    environment = stub.call["environment"]
    carried = {name: value for name, value in environment.items() if name.startswith("ANSIBLE_")}
    assert carried == {
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "ANSIBLE_FORCE_COLOR": "1",
        "ANSIBLE_BECOME_PASSWORD_FILE": "/somewhere/secret",
    }
    assert "PYTHONPATH" not in environment
    assert environment["LC_ALL"] == "C.UTF-8"


@pytest.mark.parametrize(
    ("target", "user", "sudo_status", "terminal", "args", "asks"),
    [
        ("bench", 1000, 1, True, "", True),
        ("restore", 1000, 1, True, "", True),
        ("report", 1000, 1, True, "", False),  # changes no host
        ("bench", 1000, 1, False, "", False),  # nobody to ask
        ("bench", 1000, 0, True, "", False),  # sudo needs no password
        ("bench", 0, 1, True, "", False),
        ("bench", 1000, 1, True, "--become-password-file=f", False),  # ansible takes only one of the two
    ],
)
def test_the_password_is_asked_for_only_where_it_is_needed(
    stub: Stub, target: str, user: int, sudo_status: int, terminal: bool, args: str, asks: bool
) -> None:
    for name, body in (("id", f"echo {user}"), ("sudo", f"exit {sudo_status}")):
        program = stub.path.with_name(name)
        program.write_text(f"#!/bin/sh\n{body}\n")
        program.chmod(0o755)
    leader, follower = pty.openpty()
    try:
        done = stub.make(
            target,
            args=args,
            stdin=follower if terminal else subprocess.DEVNULL,
            PATH=f"{stub.path.parent}:{os.environ['PATH']}",
        )
    finally:
        os.close(leader)
        os.close(follower)
    assert done.returncode == 0, done.stderr
    assert ("-K" in stub.call["arguments"]) == asks


@pytest.mark.parametrize("what", ["run", "test"])
def test_setting_up_again_is_silent_and_quick(what: str) -> None:
    subprocess.run([ROOT / "tools" / "setup", what], check=True, timeout=600)
    start = time.monotonic()
    again = subprocess.run([ROOT / "tools" / "setup", what], capture_output=True, text=True, timeout=60, check=False)
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")
    assert time.monotonic() - start < 2


def test_setting_up_needs_to_know_for_what() -> None:
    done = subprocess.run([ROOT / "tools" / "setup"], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "usage: tools/setup run|" in done.stderr
