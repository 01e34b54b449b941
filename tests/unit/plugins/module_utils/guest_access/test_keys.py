# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A lab's keys, made by the real ssh-keygen."""

from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils import restore
from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.guest_access import keys as keys_module
from ansible_collections.virtperf.vhost.plugins.module_utils.guest_access.keys import Keys
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.journal import Journal


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(run=str(tmp_path / "run"), state=str(tmp_path / "state"))


@pytest.fixture
def keys(host: Host) -> Keys:
    return Keys(host, "blue", "run-1")


def test_made_once(keys: Keys) -> None:
    made = keys.ensure(["web", "load.example"])
    assert made == [keys.identity_path, keys.host_key_path("web"), keys.host_key_path("load.example")]
    before = {path: Path(path).read_text() for path in made}
    assert keys.ensure(["web"]) == []
    assert {path: Path(path).read_text() for path in made} == before
    assert keys.guests() == ["load.example", "web"]


def test_they_are_keys_and_private(keys: Keys) -> None:
    made = keys.ensure(["web"])
    for path in made:
        public = subprocess.run(["ssh-keygen", "-y", "-f", path], check=True, capture_output=True, text=True).stdout
        assert public.split()[:2] == Path(f"{path}.pub").read_text().split()[:2]
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    assert stat.S_IMODE(os.stat(keys.directory).st_mode) == 0o700
    assert sorted(os.listdir(keys.directory)) == [
        "host_web",
        "host_web.pub",
        "id_ed25519",
        "id_ed25519.pub",
        "known_hosts",
    ]
    assert keys.public_key().split()[2:] == ["virtperf", "blue", "id_ed25519"]


def test_ssh_finds_a_guest_by_its_name(keys: Keys) -> None:
    keys.ensure(["web", "load"])
    words = ["ssh-keygen", "-F", "load", "-f", keys.known_hosts_path]
    found = subprocess.run(words, check=True, capture_output=True, text=True).stdout.splitlines()
    assert found[1:] == [f"load {keys.host_public_key('load')}"]
    assert len(found[1].split()) == 3, "without the comment"


def test_half_a_pair_is_none(keys: Keys) -> None:
    keys.ensure(["web", "load"])
    os.unlink(keys.host_key_path("web"))
    os.unlink(keys.host_key_path("load") + ".pub")
    assert keys.guests() == []
    assert keys.ensure(["web", "load"]) == [keys.host_key_path("web"), keys.host_key_path("load")]
    subprocess.run(["ssh-keygen", "-y", "-f", keys.host_key_path("load")], check=True, stdout=subprocess.DEVNULL)


def test_halves_of_two_pairs_are_none(keys: Keys, monkeypatch: pytest.MonkeyPatch) -> None:
    keys.ensure(["web"])
    os.unlink(keys.host_key_path("web") + ".pub")
    replace = os.replace

    def killed(source: str, target: str) -> None:
        if target == keys.host_key_path("web"):
            raise KeyboardInterrupt
        replace(source, target)

    monkeypatch.setattr(os, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        keys.ensure(["web"])
    assert keys.guests() == []


def test_those_of_a_guest_go_and_the_others_stay(keys: Keys) -> None:
    keys.ensure(["web", "load"])
    assert keys.remove(["web", "never"]) == [keys.host_key_path("web")]
    assert Path(keys.known_hosts_path).read_text().split()[0] == "load"
    assert keys.ensure(["load"]) == []
    assert [entry.undo["names"] for entry in Journal(keys.host).entries()] == [["id_ed25519", "host_web", "host_load"]]
    keys.remove()
    assert not Journal(keys.host).entries(), "nothing is left for restore"


def test_a_whole_lab_goes_with_its_directory(host: Host, keys: Keys) -> None:
    keys.ensure(["web"])
    Keys(host, "red").ensure([])
    assert len(keys.remove()) == 2
    assert keys.remove() == []
    assert keys_module.labs(host) == ["red"]
    Keys(host, "red").remove()
    assert not Path(host.state, "labs").exists()


def test_restore_removes_what_was_made(host: Host, keys: Keys) -> None:
    keys.ensure(["web"])
    keys.ensure(["load"])
    assert restore.replay(host).actions == [
        "removed the keys host_load of lab blue",
        "removed the keys id_ed25519, host_web of lab blue",
    ]
    assert keys_module.labs(host) == []


def test_they_are_in_the_journal_before_they_are_made(host: Host, keys: Keys, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys_module, "_ssh_keygen", lambda: "/bin/false")
    with pytest.raises(VirtperfError, match=r"makes no key for .*id_ed25519 .*status 1"):
        keys.ensure(["web"])
    entry = Journal(host).entries()[0]
    assert (entry.undo, entry.run_id) == ({"lab": "blue", "names": ["id_ed25519", "host_web"]}, "run-1")
    assert restore.replay(host).failures == []
    assert keys_module.labs(host) == []


def test_without_ssh_keygen(keys: Keys, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(VirtperfError, match="apt-get install openssh-client"):
        keys.ensure(["web"])
    assert not os.path.exists(keys.directory)


@pytest.mark.parametrize("name", ["", "../x", "a b", "-x", "a;b", "*", "a/b", "web.pub", "x\n"])
def test_names_that_would_be_something_else(host: Host, keys: Keys, name: str) -> None:
    with pytest.raises(VirtperfError, match="a lab cannot be named"):
        Keys(host, name)
    with pytest.raises(VirtperfError, match="a guest cannot be named"):
        keys.ensure([name])
    assert not Journal(host).entries()
