# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files on the host: private, whole or torn, and read back after a crash at any byte."""

from __future__ import annotations

import errno
import os
import stat
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.virtperf.vhost.plugins.module_utils import host as host_module
from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.host import (
    Host,
    append_line,
    read_lines,
    write_atomically,
)

records = st.dictionaries(st.text(max_size=5), st.text(max_size=20) | st.integers() | st.none(), max_size=4)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


class TestReading:
    def test_text_comes_without_the_blanks_around_it(self, tmp_path: Path) -> None:
        (tmp_path / "nr").write_text(" 42\n")
        assert Host().read(str(tmp_path / "nr")) == "42"

    def test_what_is_missing_has_a_default_only_if_asked(self, tmp_path: Path) -> None:
        assert Host().read_or(str(tmp_path / "nr"), "0") == "0"
        with pytest.raises(FileNotFoundError):
            Host().read(str(tmp_path / "nr"))

    def test_bytes_that_are_no_text_do_not_stop_it(self, tmp_path: Path) -> None:
        (tmp_path / "log").write_bytes(b"EAL: \xff\n")
        assert Host().read(str(tmp_path / "log")) == "EAL: �"


class TestKernelFiles:
    def test_one_write_carries_the_whole_value(self, tmp_path: Path) -> None:
        (tmp_path / "nr").write_text("0\n")
        Host().write_kernel(str(tmp_path / "nr"), "42")
        assert (tmp_path / "nr").read_text().startswith("42")

    def test_a_file_that_the_kernel_does_not_have_is_not_made(self, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError):
            Host().write_kernel(str(tmp_path / "nr"), "42")
        assert not (tmp_path / "nr").exists()


class TestPrivateDirectory:
    def test_it_and_its_missing_parents_are_ours_alone(self, tmp_path: Path) -> None:
        path = tmp_path / "run" / "testpmd" / "vswitch"
        old = os.umask(0)
        try:
            assert Host().private_directory(str(path)) == str(path)
        finally:
            os.umask(old)
        assert [mode(directory) for directory in (path, path.parent, path.parent.parent)] == [0o700] * 3

    def test_a_parent_that_was_there_is_left_as_it_was(self, tmp_path: Path) -> None:
        (tmp_path / "lib").mkdir(mode=0o755)
        Host().private_directory(str(tmp_path / "lib" / "virtperf"))
        assert mode(tmp_path / "lib") == 0o755

    def test_one_that_others_may_read_is_closed(self, tmp_path: Path) -> None:
        (tmp_path / "run").mkdir(mode=0o755)
        Host().private_directory(str(tmp_path / "run"))
        assert mode(tmp_path / "run") == 0o700

    @pytest.mark.parametrize("what", ["link", "dangling link", "file"])
    def test_what_is_no_directory_of_ours_is_refused(self, tmp_path: Path, what: str) -> None:
        path = tmp_path / "run"
        (tmp_path / "elsewhere").mkdir(mode=0o755)
        if what == "file":
            path.touch()
        else:
            path.symlink_to(tmp_path / ("elsewhere" if what == "link" else "nowhere"))
        with pytest.raises(VirtperfError, match="is not a directory of user"):
            Host().private_directory(str(path))
        assert mode(tmp_path / "elsewhere") == 0o755

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory away")
    def test_somebody_else_s_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "run").mkdir()
        os.chown(tmp_path / "run", 12345, 12345)
        with pytest.raises(VirtperfError, match="owner 12345"):
            Host().private_directory(str(tmp_path / "run"))


class TestReplacing:
    def test_a_file_is_replaced_and_for_us_alone(self, tmp_path: Path) -> None:
        path = tmp_path / "state"
        write_atomically(str(path), "old")
        write_atomically(str(path), "new")
        assert path.read_text() == "new"
        assert mode(path) == 0o600
        assert os.listdir(tmp_path) == ["state"]

    def test_a_failure_leaves_the_old_file_and_nothing_beside_it(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = tmp_path / "state"
        write_atomically(str(path), "old")

        def full(_descriptor: int) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(host_module.os, "fsync", full)
        with pytest.raises(OSError, match="No space left"):
            write_atomically(str(path), "new")
        assert path.read_text() == "old"
        assert os.listdir(tmp_path) == ["state"]


class TestLines:
    @given(st.lists(records, max_size=5))
    def test_what_was_appended_is_read_back(self, written: list[Any]) -> None:
        with tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, "journal.jsonl")
            for record in written:
                append_line(path, record)
            assert read_lines(path) == written

    @given(st.lists(records, min_size=1, max_size=4), records, st.data())
    def test_a_crash_at_any_byte_loses_the_torn_line_only(self, written: list[Any], later: Any, data: Any) -> None:
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory, "journal.jsonl")
            for record in written[:-1]:
                append_line(str(path), record)
            whole = path.stat().st_size if path.exists() else 0
            append_line(str(path), written[-1])
            length = data.draw(st.integers(min_value=whole, max_value=path.stat().st_size))
            os.truncate(path, length)
            kept = read_lines(str(path))
            # Without its line end only, the last one is still whole.
            assert kept in (written[:-1], written)
            append_line(str(path), later)
            assert read_lines(str(path)) == [*kept, later]

    @given(st.binary(max_size=60), records)
    def test_no_rubbish_swallows_a_later_line(self, rubbish: bytes, later: Any) -> None:
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory, "journal.jsonl")
            path.write_bytes(rubbish)
            append_line(str(path), later)
            assert read_lines(str(path))[-1] == later

    def test_no_file_holds_no_lines(self, tmp_path: Path) -> None:
        assert read_lines(str(tmp_path / "none")) == []

    def test_a_line_is_for_us_alone(self, tmp_path: Path) -> None:
        append_line(str(tmp_path / "journal"), {})
        assert mode(tmp_path / "journal") == 0o600

    def test_a_disk_that_takes_half_a_line_is_an_error(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = str(tmp_path / "journal")
        append_line(path, {"number": 1})
        write = os.write
        with monkeypatch.context() as patch:
            patch.setattr(host_module.os, "write", lambda descriptor, line: write(descriptor, line[: len(line) // 2]))
            with pytest.raises(OSError, match="wrote") as caught:
                append_line(path, {"number": 2})
        assert (caught.value.errno, caught.value.filename) == (errno.ENOSPC, path)
        append_line(path, {"number": 3})
        assert read_lines(path) == [{"number": 1}, {"number": 3}]
