# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ssh's command line, and waiting for a guest to answer."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.guest_access import ssh as ssh_module
from ansible_collections.virtperf.vhost.plugins.module_utils.guest_access.ssh import Access, wait

ACCESS = Access("guest-1", 2222, "/keys/id", "/keys/known_hosts")


class Fake(Access):
    """One whose ssh is a shell script."""

    def command(self, words: Sequence[str]) -> list[str]:
        return ["sh", "-c", self.identity, *words]


def fake(script: str) -> Fake:
    return Fake("guest-1", 2222, script, "")


class TestCommand:
    def test_nothing_of_the_users_own_is_asked_and_nobody_else_is_let_in(self) -> None:
        words = ACCESS.command(["true"])
        assert words[:3] == ["ssh", "-F", "none"]
        for option in (
            "BatchMode=yes",
            "StrictHostKeyChecking=yes",
            'HostKeyAlias="guest-1"',
            'UserKnownHostsFile="/keys/known_hosts"',
            "GlobalKnownHostsFile=/dev/null",
            "IdentitiesOnly=yes",
            'IdentityFile="/keys/id"',
        ):
            assert words[words.index(option) - 1] == "-o"
        assert words[words.index("-p") + 1] == "2222"
        assert words[-3:] == ["--", "127.0.0.1", "true"]

    def test_words_reach_the_guest_as_they_are(self) -> None:
        said = ACCESS.command(["printf", "%s|", "a b", "it's; $HOME", ""])[-1]
        assert subprocess.run(["sh", "-c", said], capture_output=True, text=True, check=True).stdout == (
            "a b|it's; $HOME||"
        )

    def test_ssh_finds_files_of_any_name(self, tmp_path: Path) -> None:
        directory = tmp_path / 'it\'s a "50 %"; \\place'
        directory.mkdir()
        words = Access("g", 22, str(directory / "id"), str(directory / "known")).command(["true"])
        seen = subprocess.run([words[0], "-G", *words[1:]], capture_output=True, text=True, check=True).stdout
        assert f"userknownhostsfile {directory}/known\n" in seen

    def test_a_path_that_ssh_would_read_as_a_variable_is_refused(self) -> None:
        with pytest.raises(VirtperfError, match="reads \\$"):
            Access("g", 22, "/keys/${HOME}/id", "/known").command(["true"])


class TestWait:
    def test_until_it_answers(self, tmp_path: Path) -> None:
        mark = tmp_path / "asked"
        took_s = wait(fake(f"test -e {mark} || {{ touch {mark}; exit 255; }}"), 10, lambda: True)
        assert 0 < took_s < 5

    def test_an_attempt_that_was_too_early_is_not_waited_for(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(ssh_module, "_FIRST_ATTEMPT_S", 0.2)
        mark = tmp_path / "asked"
        assert wait(fake(f"test -e {mark} || {{ touch {mark}; exec sleep 60; }}"), 30, lambda: True) < 5

    def test_in_vain_it_has_sshs_last_words(self) -> None:
        with pytest.raises(VirtperfError, match=r"does not answer by SSH after 0.5 s") as caught:
            wait(fake("echo Connection refused >&2; exit 255"), 0.5, lambda: True)
        assert caught.value.found == "Connection refused"

    def test_in_vain_it_has_the_end_of_the_console_as_well(self) -> None:
        with pytest.raises(VirtperfError) as caught:
            wait(fake("echo refused >&2; exit 255"), 0.3, lambda: True, lambda: "Kernel panic")
        assert caught.value.found == "refused\n-- its console ends with:\nKernel panic"

    def test_an_ssh_that_hangs_is_ended_with_the_limit(self) -> None:
        began_s = time.monotonic()
        with pytest.raises(VirtperfError, match="no word from"):
            wait(fake("exec sleep 60"), 0.3, lambda: True)
        assert time.monotonic() - began_s < 5

    def test_a_guest_that_dies_is_told_at_once(self) -> None:
        began_s = time.monotonic()
        with pytest.raises(VirtperfError, match="has ended before it answered"):
            wait(fake("exec sleep 60"), 30, lambda: time.monotonic() < began_s + 0.2)
        assert time.monotonic() - began_s < 5

    def test_no_ssh(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PATH", "/nowhere")
        with pytest.raises(VirtperfError, match="ssh is not installed") as caught:
            wait(ACCESS, 1, lambda: True)
        assert "openssh-client" in caught.value.way_out
