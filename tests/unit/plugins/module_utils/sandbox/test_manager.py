# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A sandbox comes and goes: what is said beforehand is what is done, and a second time nothing is."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.guest_access import ssh
from ansible_collections.virtperf.vhost.plugins.module_utils.guest_image import contents
from ansible_collections.virtperf.vhost.plugins.module_utils.qemu import instance as instance_module
from ansible_collections.virtperf.vhost.plugins.module_utils.sandbox import manager, place
from ansible_collections.virtperf.vhost.tests.unit.plugins.module_utils.qemu.fake_qemu import Lab, installed

UNREACHABLE = VirtperfError("guest sandbox does not answer by SSH")


class Sandbox:
    """A host with a QEMU, and the two things that are done there."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.host = lab.host = place.apart(lab.host)
        self.answers = True
        self.asked: dict[str, Any] = {
            "image": {"path": lab.base(), "kernel": lab.base("vmlinux"), "command_line": "root=/dev/vda"},
            "accel": "tcg",
            "vcpus": 2,
            "memory": "64MiB",
            "authorized_keys": [],
            "ready_timeout": 5,
            "run_id": "",
        }

    def wait(self, _access: ssh.Access, _limit_s: float, is_alive: Callable[[], bool], *_console: object) -> float:
        if not (self.answers and is_alive()):
            raise UNREACHABLE
        return 0.0

    def up(self, **more: Any) -> dict[str, Any]:
        """Twice: what check mode says is done."""
        asked = {**self.asked, **more}
        predicted = manager.ensure(self.host, asked, check_mode=True)
        done = manager.ensure(self.host, asked)
        assert (predicted["changed"], predicted["actions"]) == (done["changed"], done["actions"])
        return done

    def down(self) -> list[str]:
        predicted = manager.remove(self.host, check_mode=True)
        done = manager.remove(self.host)
        assert predicted == done
        assert not place.is_there(self.host)
        actions: list[str] = done["actions"]
        return actions


@pytest.fixture
def sandbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    monkeypatch.setattr(instance_module, "_ANSWER_PATIENCE_S", 0.5)
    monkeypatch.setattr(contents, "READY", "SeaBIOS")
    with installed(monkeypatch) as lab:
        made = Sandbox(lab)
        monkeypatch.setattr(ssh, "wait", made.wait)
        yield made


def test_up_and_down_and_each_twice(sandbox: Sandbox) -> None:
    first = sandbox.up()
    assert first["actions"] == ["start the sandbox with tcg"]
    again = sandbox.up()
    assert not again["changed"]
    assert again["sandbox"] == first["sandbox"]
    assert first["sandbox"]["port"] == first["sandbox"]["vm"]["definition"]["user_net"]["forwards"][0]["host_port"]
    assert first["sandbox"]["host_key"].startswith("ssh-ed25519 ")
    assert sandbox.down() == ["remove the sandbox"]
    assert sandbox.down() == []
    assert not sandbox.lab.running()


def test_it_answers_only_to_the_keys_of_its_own(sandbox: Sandbox) -> None:
    keys = sandbox.up(authorized_keys=["ssh-ed25519 AAAA me"])["sandbox"]["vm"]["definition"]["credential_files"]
    assert keys == {contents.HOST_KEY_CREDENTIAL: f"{sandbox.host.state}/labs/sandbox/host_sandbox"}
    identity = Path(sandbox.host.state, "labs/sandbox/id_ed25519.pub").read_text()
    credential = sandbox.lab.host.read_or(f"{sandbox.host.run}/qemu/sandbox/definition.json")
    assert identity.split()[1] in credential
    assert "AAAA me" in credential


@pytest.mark.parametrize("change", [{"vcpus": 3}, {"memory": "128MiB"}, {"authorized_keys": ["ssh-ed25519 AAAA me"]}])
def test_what_is_asked_for_otherwise_starts_anew(sandbox: Sandbox, change: dict[str, Any]) -> None:
    pid = sandbox.up()["sandbox"]["vm"]["pid"]
    field = "credentials" if "authorized_keys" in change else next(iter(change))
    done = sandbox.up(**change)
    assert done["actions"] == [f"remove the sandbox (changed: {field})", "start the sandbox with tcg"]
    assert done["sandbox"]["vm"]["pid"] != pid


def test_one_that_does_not_answer_starts_anew(sandbox: Sandbox) -> None:
    first = sandbox.up()
    sandbox.answers = False
    predicted = manager.ensure(sandbox.host, sandbox.asked, check_mode=True)
    assert predicted["actions"][0] == "remove the sandbox (it does not answer)"
    with pytest.raises(VirtperfError, match="does not answer"):
        manager.ensure(sandbox.host, sandbox.asked)
    assert not place.is_there(sandbox.host), "nor does the new one: nothing of it stays"
    assert not Path(f"/proc/{first['sandbox']['vm']['pid']}/fd").exists()


def test_one_that_was_killed_starts_anew(sandbox: Sandbox) -> None:
    pid = sandbox.up()["sandbox"]["vm"]["pid"]
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    assert sandbox.up()["actions"][0] == "remove the sandbox (it does not run)"


def test_one_that_dies_at_its_start_leaves_nothing(sandbox: Sandbox) -> None:
    sandbox.lab.behave(sandbox={"dies_at_start": 1})
    with pytest.raises(VirtperfError, match="-nonsense"):
        manager.ensure(sandbox.host, sandbox.asked)
    assert not place.is_there(sandbox.host)


@pytest.mark.parametrize("check_mode", [True, False])
def test_nothing_is_touched_for_what_cannot_be(sandbox: Sandbox, check_mode: bool) -> None:
    sandbox.up()
    before = sandbox.lab.pid("sandbox")
    image = {**sandbox.asked["image"], "path": "/nowhere/disk.raw"}
    with pytest.raises(VirtperfError, match=r"/nowhere/disk\.raw cannot be used"):
        manager.ensure(sandbox.host, {**sandbox.asked, "image": image}, check_mode=check_mode)
    assert sandbox.lab.pid("sandbox") == before


def test_more_memory_than_there_is(sandbox: Sandbox) -> None:
    with pytest.raises(VirtperfError, match=r"1048576\.0 GiB of memory.*available"):
        manager.ensure(sandbox.host, {**sandbox.asked, "memory": "1048576GiB"})
    assert not place.is_there(sandbox.host)
