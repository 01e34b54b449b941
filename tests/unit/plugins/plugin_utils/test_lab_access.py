# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's files of a lab: made once, exact, and gone with the last guest; the user's own are left alone."""

from __future__ import annotations

import stat
import subprocess
import threading
import time
from pathlib import Path

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.plugin_utils import lab_access
from ansible_collections.virtperf.vhost.plugins.plugin_utils.lab_access import Change, Files

A, B = "ssh-ed25519 AAAA", "ssh-ed25519 BBBB"


@pytest.fixture
def files(tmp_path: Path) -> Files:
    directory = tmp_path / "labs" / "blue"
    return Files(directory, directory / "id_ed25519", directory / "known_hosts")


def present(files: Files, host_keys: dict[str, str], *others: str) -> Change:
    with lab_access.locked(files.directory):
        change = lab_access.plan_present(files, host_keys, [*host_keys, *others])
        lab_access.apply(files, "blue", change)
    return change


def absent(files: Files, *guests: str) -> Change:
    with lab_access.locked(files.directory):
        change = lab_access.plan_absent(files, guests)
        lab_access.apply(files, "blue", change)
    return change


def test_a_key_is_made_once(files: Files) -> None:
    assert lab_access.public_key(files) == ""
    assert present(files, {"web": A}).actions == [f"make {files.key}", f"write {files.known_hosts}"]
    key = files.key.read_text()
    assert present(files, {"web": A}).actions == []
    assert files.key.read_text() == key
    assert stat.S_IMODE(files.key.stat().st_mode) == 0o600
    assert stat.S_IMODE(files.directory.stat().st_mode) == 0o700
    words = ["ssh-keygen", "-y", "-f", str(files.key)]
    public = subprocess.run(words, check=True, capture_output=True, text=True).stdout.split()
    assert lab_access.public_key(files).split()[:2] == public[:2]


def test_known_hosts_has_the_lab_s_guests_and_nobody_else(files: Files) -> None:
    present(files, {"web": A, "gone": B})
    present(files, {"load": B}, "web")
    assert files.known_hosts.read_text() == f"load {B}\nweb {A}\n"
    present(files, {"web": B}, "load")
    assert files.known_hosts.read_text() == f"load {B}\nweb {B}\n"


def test_the_last_guest_takes_all_of_it_along(files: Files) -> None:
    present(files, {"web": A, "load": B})
    assert absent(files, "web").actions == [f"write {files.known_hosts}"]
    assert files.key.exists()
    assert absent(files, "load").actions == [f"remove {files.known_hosts}", f"remove {files.key}"]
    assert not files.directory.parent.exists()
    assert absent(files, "load").actions == []


def test_what_is_the_user_s_own_stays(files: Files, tmp_path: Path) -> None:
    own = Files(files.directory, tmp_path / "mine", tmp_path / "known_hosts")
    own.known_hosts.write_text(f"# a remark\n\nserver {A}\nweb {B}\n")
    present(own, {"web": A})
    assert own.known_hosts.read_text() == f"# a remark\n\nserver {A}\nweb {A}\n"
    assert present(own, {"web": A}).actions == []
    absent(own, "web")
    assert own.known_hosts.read_text() == f"# a remark\n\nserver {A}\n"
    assert own.key.exists()
    own.known_hosts.write_text(f"web {A}\n")
    absent(own, "web")
    assert own.known_hosts.read_text() == "", "an empty file of the user's is still the user's"


def test_a_public_half_that_is_missing_is_found_from_the_private_one(files: Files) -> None:
    present(files, {})
    public = lab_access.public_key(files).split()[:2]
    files.public.unlink()
    assert lab_access.public_key(files).split()[:2] == public


def test_a_key_that_is_none(files: Files) -> None:
    present(files, {})
    files.public.unlink()
    files.key.write_text("nonsense")
    with pytest.raises(VirtperfError, match=r"ssh-keygen cannot do it with .*id_ed25519"):
        lab_access.public_key(files)


def test_without_ssh_keygen(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(VirtperfError, match="apt-get install openssh-client"):
        present(files, {})
    assert not files.key.exists()


def test_who_waits_for_the_last_one_begins_anew(files: Files) -> None:
    found: list[bool] = []

    def wait() -> None:
        with lab_access.locked(files.directory):
            found.append(files.directory.parent.is_dir())

    with lab_access.locked(files.directory):
        thread = threading.Thread(target=wait)
        thread.start()
        time.sleep(0.2)
    thread.join()
    assert found == [True]


def test_hypervisors_at_the_same_time_lose_no_line(files: Files) -> None:
    names = [f"g{number}" for number in range(8)]

    def work(name: str) -> None:
        for _round in range(5):
            absent(files, name)
            with lab_access.locked(files.directory):
                lab_access.apply(files, "blue", lab_access.plan_present(files, {name: A}, names))

    threads = [threading.Thread(target=work, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert files.known_hosts.read_text() == "".join(f"{name} {A}\n" for name in names)
