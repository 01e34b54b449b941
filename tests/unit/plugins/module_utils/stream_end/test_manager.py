# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of an end: written, left alone, removed, undone."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils import restore
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.journal import Journal
from ansible_collections.virtperf.vhost.plugins.module_utils.stream_end.manager import StreamEnd


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(run=str(tmp_path / "run"), state=str(tmp_path / "state"))


def files(host: Host) -> dict[str, int]:
    """Names and modes."""
    directory = Path(host.run, "vnc")
    return {path.name: path.stat().st_mode & 0o777 for path in directory.iterdir()} if directory.exists() else {}


def written(host: Host, end: str, secret: str = "secret12") -> StreamEnd:
    made = StreamEnd(host, end, "run-7")
    made.write(made.wanted(secret))
    return made


def test_files_are_ours_alone_and_in_the_journal_once(host: Host) -> None:
    written(host, "server")
    assert files(host) == {"server": 0o600, "password": 0o600}
    assert Path(host.run, "vnc").stat().st_mode & 0o777 == 0o700
    assert Path(host.run, "vnc", "password").read_bytes().hex() == "24b5ae4ce15503c6"
    end = written(host, "server", "another1")  # the next run's
    (entry,) = Journal(host).entries()
    assert (entry.resource, entry.undo, entry.run_id) == ("stream_end", {"end": "server"}, "run-7")
    assert end.differing(end.wanted("another1")) == []
    assert [Path(path).name for path in end.differing(end.wanted("a-third1"))] == ["password"]


def test_the_journal_knows_before_anything_is_written(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_arguments: object, **_undo: object) -> None:
        raise OSError("no space")

    monkeypatch.setattr(Journal, "append", full)
    with pytest.raises(OSError, match="no space"):
        written(host, "server")
    assert not Path(host.run).exists()


def test_an_end_that_goes_leaves_the_other_its_password(host: Host) -> None:
    server, client = written(host, "server"), written(host, "client")
    Path(server.program + ".ready").write_text("1")
    assert server.removable() == [server.program]
    server.remove()
    assert files(host) == {"client": 0o600, "password": 0o600}
    assert client.removable() == [client.program, str(Path(host.run, "vnc", "password"))]
    client.remove()
    assert not Path(host.run, "vnc").exists()
    assert Journal(host).entries() == []
    client.remove()


def test_restore_removes_them_and_what_a_killed_program_left(host: Host) -> None:
    written(host, "server")
    left = Path(host.run, "vnc", ".server-1")
    left.mkdir()
    (left / "Xvfb_screen0").write_text("pixels")
    outcome = restore.replay(host)
    assert outcome.failures == []
    assert f"removed {host.run}/vnc/server, {host.run}/vnc/password" in outcome.actions
    assert not Path(host.run).exists()
    assert restore.replay(host).actions == []
