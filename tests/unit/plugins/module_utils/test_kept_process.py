# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A process that outlives whoever started it."""

from __future__ import annotations

import os
import signal
import stat
from pathlib import Path

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils import processes
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.kept_process import KeptProcess


@pytest.fixture
def kept(tmp_path: Path) -> KeptProcess:
    host = Host(run=str(tmp_path / "run"))
    kept = KeptProcess(host, "sleepers", "one", title="sleeper one", log="one.log")
    host.private_directory(kept.directory)
    return kept


def test_it_is_named_from_its_first_moment_and_found_again(kept: KeptProcess) -> None:
    child = kept.launch(["sleep", "60"])
    again = KeptProcess(kept.host, "sleepers", "one", title="")
    identity = again.identity()
    assert identity is not None
    assert identity.pid == child.pid
    assert again.is_running()
    assert [thread.name for thread in again.threads()] == ["sleep"]
    assert os.getsid(child.pid) == child.pid
    processes.end(kept.host, identity)
    assert not again.is_running()


def test_what_it_prints_is_in_its_log_and_what_it_makes_is_as_private_as_asked(kept: KeptProcess) -> None:
    words = ["sh", "-c", 'echo "$LC_ALL $COLOUR"; echo oops >&2; touch made', "sh"]
    child = kept.launch([*words[:2], f"cd {kept.directory}; {words[2]}"], environment={"COLOUR": "red"}, umask=0o177)
    child.wait()
    assert kept.log() == "C red\noops"
    assert stat.S_IMODE(os.stat(os.path.join(kept.directory, "made")).st_mode) == 0o600
    assert stat.S_IMODE(os.stat(kept.log_path).st_mode) == 0o600


@pytest.mark.parametrize(("words", "how"), [("exit 3", "status 3"), ("kill -SEGV $$", f"signal {signal.SIGSEGV.name}")])
def test_how_it_ended_at_its_start(kept: KeptProcess, words: str, how: str) -> None:
    child = kept.launch(["sh", "-c", f"echo last words; {words}"])
    child.wait()
    error = kept.died_at_start(child)
    assert str(error).startswith(
        f"sleeper one ended at its start with {how} (found: the end of its log is:\nlast words)"
    )
    assert error.facts["command"] == child.args
    assert kept.died().facts == {"log_end": "last words", "dead": "one"}


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "{}"])
def test_a_process_file_that_cannot_be_read_names_nobody(kept: KeptProcess, text: str) -> None:
    Path(kept.directory, "process.json").write_text(text)
    assert kept.identity() is None
    assert not kept.is_running()
    assert kept.threads() == []
