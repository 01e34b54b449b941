# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Modules as a whole: planned, refused, loaded, loaded anew, put back and undone, on a kernel that is a directory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.journal import Journal
from ansible_collections.virtperf.vhost.plugins.module_utils.kernel_module import plan
from ansible_collections.virtperf.vhost.plugins.module_utils.kernel_module.manager import ensure, undo_kernel_module
from ansible_collections.virtperf.vhost.tests.unit.fake_modules import FakeSystem, ModuleHost, module_host

FORK = "fork_from_owner_default"
KTHREADS = {"name": "vhost", "parameters": {FORK: False}}


@pytest.fixture
def host(tmp_path: Path) -> ModuleHost:
    return module_host(tmp_path)


@pytest.fixture
def system(host: ModuleHost, tmp_path: Path) -> FakeSystem:
    return FakeSystem(tmp_path)


def undo_all(host: ModuleHost, system: FakeSystem) -> list[str]:
    journal = Journal(host)
    done = [undo_kernel_module(host, entry.undo, system) for entry in reversed(journal.entries())]
    journal.keep_only([])
    return done


def refused(host: ModuleHost, system: FakeSystem, modules: list[dict[str, Any]]) -> VirtperfError:
    """The refusal, in check mode and outside, with nothing touched."""
    calls = list(system.calls)
    for check_mode in (True, False):
        with pytest.raises(VirtperfError) as caught:
            ensure(host, modules, check_mode=check_mode, system=system)
        assert (system.calls, host.written, Journal(host).entries()) == (calls, [], [])
        assert caught.value.way_out
    return caught.value


def test_loaded_with_what_it_needs_and_unloaded(host: ModuleHost, system: FakeSystem) -> None:
    system.load("tun", {})
    system.calls.clear()
    done = ensure(host, [{"name": "vhost-net"}], run_id="run-7", system=system)
    assert done["actions"] == ["load vhost_net, and with it vhost_iotlb, vhost"]
    assert done["modules"] == [
        {
            "name": "vhost_net",
            "loaded": True,
            "built_in": False,
            "changed": True,
            "parameters": {"experimental_zcopytx": "0", "poll": "5"},
        }
    ]
    assert [entry.run_id for entry in Journal(host).entries()] == ["run-7"]
    assert not ensure(host, [{"name": "vhost_net"}], system=system)["changed"]
    assert undo_all(host, system) == ["unloaded vhost_net, vhost, vhost_iotlb"]
    assert list(system.loaded) == ["tun"]


def test_loaded_anew_with_its_holders_which_keep_theirs(host: ModuleHost, system: FakeSystem) -> None:
    system.load("vhost", {"max_mem_regions": "128"})
    system.load("vhost_net", {"experimental_zcopytx": "1"})
    system.load("vhost_vsock", {})
    system.calls.clear()
    done = ensure(host, [KTHREADS, {"name": "vhost_net"}], system=system)
    assert done["actions"] == [f"reload vhost, vhost_net, vhost_vsock: vhost {FORK} from Y to 0"]
    assert system.calls[:4] == ["unload vhost_vsock", "unload vhost_net", "unload vhost", f"load vhost {FORK}=0"]
    assert system.values("vhost") == {FORK: "N", "max_mem_regions": "128"}
    assert system.values("vhost_net")["experimental_zcopytx"] == "1"
    assert [module["changed"] for module in done["modules"]] == [True, False]
    assert set(system.loaded) == {"vhost_iotlb", "vhost", "tun", "vhost_net", "vhost_vsock"}
    assert not ensure(host, [{"name": "vhost", "parameters": {FORK: "N"}}], system=system)["changed"]
    assert undo_all(host, system) == [f"vhost has {FORK}=Y again"]
    assert system.values("vhost") == {FORK: "Y", "max_mem_regions": "128"}
    assert system.values("vhost_net")["experimental_zcopytx"] == "1"


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_one_that_another_needs_is_loaded_before_it(
    host: ModuleHost, system: FakeSystem, order: tuple[int, ...]
) -> None:
    modules = [KTHREADS, {"name": "vhost_net"}, {"name": "vhost_vsock"}]
    done = ensure(host, [modules[index] for index in order], system=system)
    assert system.values("vhost")[FORK] == "N"
    assert {"vhost_net", "vhost_vsock"} <= set(system.loaded)
    assert {module["name"]: module["parameters"] for module in done["modules"]}["vhost"][FORK] == "N"
    undo_all(host, system)
    assert system.loaded == {}


def test_a_parameter_that_can_be_written_is_written(host: ModuleHost, system: FakeSystem) -> None:
    system.load("vhost_net", {})
    system.use("vhost_net", 4711, "qemu", "vhost-net")
    system.calls.clear()
    done = ensure(host, [{"name": "vhost_net", "parameters": {"poll": "0x9"}}], system=system)
    assert done["actions"] == ["set vhost_net poll from 5 to 0x9"]
    assert system.calls == []
    assert system.values("vhost_net")["poll"] == "0x9"
    assert undo_all(host, system) == ["vhost_net has poll=5 again"]
    assert system.values("vhost_net")["poll"] == "5"


def test_a_built_in_one(host: ModuleHost, system: FakeSystem) -> None:
    system.built_in("kvm", halt_poll_ns=("200000", 0o644), nested=("Y", 0o444))
    done = ensure(host, [{"name": "kvm", "parameters": {"nested": 1}}], system=system)
    assert (done["changed"], done["modules"][0]["built_in"]) == (False, True)
    assert ensure(host, [{"name": "kvm", "parameters": {"halt_poll_ns": 0}}], system=system)["changed"]
    assert undo_all(host, system) == ["kvm has halt_poll_ns=200000 again"]
    host.written.clear()
    error = refused(host, system, [{"name": "kvm", "parameters": {"nested": False}}])
    assert "built into the kernel" in str(error)
    assert "kvm.nested=0 on the kernel's command line" in error.way_out


@pytest.mark.parametrize("before", ["nothing", "loaded", "as asked"])
def test_check_mode_says_what_then_happens(host: ModuleHost, system: FakeSystem, before: str) -> None:
    if before != "nothing":
        system.load("vhost", {FORK: "0"} if before == "as asked" else {})
        system.load("vhost_net", {})
    modules = [{"name": "vhost_net"}, KTHREADS]
    calls = list(system.calls)
    predicted = ensure(host, modules, check_mode=True, system=system)
    assert (system.calls, host.written, Journal(host).entries()) == (calls, [], [])
    done = ensure(host, modules, system=system)
    for key in ("changed", "actions", "diff"):
        assert predicted[key] == done[key], key
    for foreseen, seen in zip(predicted["modules"], done["modules"], strict=True):
        known = set(foreseen["parameters"])
        assert {**seen, "parameters": {k: v for k, v in seen["parameters"].items() if k in known}} == foreseen
    assert done["diff"]["after"]["vhost"] == f"loaded {FORK}=N"
    assert done["changed"] == (before != "as asked")


def test_back_to_what_it_was_needs_no_undo(host: ModuleHost, system: FakeSystem) -> None:
    system.load("vhost", {})
    Journal(host).append("thing", name="somebody's")
    for value in ("0", "1", "0", "1"):
        ensure(host, [{"name": "vhost", "parameters": {FORK: value}}], system=system)
    assert [entry.resource for entry in Journal(host).entries()] == ["thing"]


class TestRefused:
    def test_one_that_does_not_exist(self, host: ModuleHost, system: FakeSystem) -> None:
        assert "there is no module vhots (found: kernel 6.12.1" in str(refused(host, system, [{"name": "vhots"}]))

    def test_an_alias(self, host: ModuleHost, system: FakeSystem) -> None:
        assert "would load vhost_net" in str(refused(host, system, [{"name": "char-major-10-238"}]))

    @pytest.mark.parametrize("loaded", [False, True])
    def test_a_parameter_that_it_lacks(self, host: ModuleHost, system: FakeSystem, loaded: bool) -> None:
        if loaded:
            system.load("vhost", {})
        error = refused(host, system, [{"name": "vhost", "parameters": {"fork": "0"}}, {"name": "tun"}])
        assert f"has no parameter fork (found: parameters {FORK}, max_mem_regions)" in str(error)
        assert error.facts["parameters"] == [FORK, "max_mem_regions"]

    def test_one_that_the_kernel_does_not_show(self, host: ModuleHost, system: FakeSystem) -> None:
        system.load("dummy", {})
        error = refused(host, system, [{"name": "dummy", "parameters": {"numdummies": 2}}])
        assert "does not show the parameter numdummies" in str(error)

    def test_a_holder_in_use_by_a_process(self, host: ModuleHost, system: FakeSystem) -> None:
        system.load("vhost_net", {})
        system.use("vhost_net", 4711, "qemu-system-x86", "vhost-net")
        error = refused(host, system, [KTHREADS])
        assert error.facts["users"] == ["qemu-system-x86 (pid 4711) has " + f"{system.dev}/vhost-net open"]
        assert error.facts["users"][0] in error.found
        assert "the module vhost_net must be unloaded, for vhost takes" in str(error)

    def test_one_in_use_by_nobody_in_sight(
        self, host: ModuleHost, system: FakeSystem, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(plan, "_SETTLE_S", 0.05)
        system.load("vhost", {})
        system.use("vhost", 0, "")
        assert "no process that can be seen" in refused(host, system, [KTHREADS]).found

    def test_one_whose_user_has_just_ended_is_waited_for(
        self, host: ModuleHost, system: FakeSystem, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        system.load("vhost", {})
        system.use("vhost", 0, "")

        def ended(_seconds: float) -> None:
            system.users.clear()
            system.show()

        monkeypatch.setattr(plan.time, "sleep", ended)
        assert ensure(host, [KTHREADS], system=system)["changed"]

    def test_a_kernel_that_cannot_unload(self, host: ModuleHost, system: FakeSystem) -> None:
        system.unloadable = False
        system.load("vhost", {})
        assert "cannot unload modules" in refused(host, system, [KTHREADS]).found

    def test_a_kernel_that_loads_no_more(self, host: ModuleHost, system: FakeSystem) -> None:
        Path(host.proc, "sys/kernel/modules_disabled").write_text("1\n")
        assert "loads no modules any more" in str(refused(host, system, [{"name": "tun"}]))

    @pytest.mark.parametrize(
        "module",
        [
            {"name": "../tun"},
            {"name": "a b"},
            {"name": ""},
            {"name": "tun", "parameters": {"--x": 1}},
            {"name": "tun", "parameters": {"x": "1 y=2"}},
        ],
    )
    def test_bad_words(self, host: ModuleHost, system: FakeSystem, module: dict[str, Any]) -> None:
        assert "is no name or value" in str(refused(host, system, [module]))

    def test_the_same_twice(self, host: ModuleHost, system: FakeSystem) -> None:
        assert "asked for twice" in str(refused(host, system, [{"name": "vhost_net"}, {"name": "vhost-net"}]))


class TestPutBack:
    def test_a_holder_that_does_not_load_again(self, host: ModuleHost, system: FakeSystem) -> None:
        system.load("vhost_net", {})
        load, attempts = system.load, []

        def load_later(name: str, parameters: Any) -> None:
            attempts.append(name)
            system.broken = {"vhost_net"} if attempts == ["vhost", "vhost_net"] else set()
            load(name, parameters)

        system.load = load_later  # type: ignore[method-assign]
        with pytest.raises(VirtperfError, match="everything is as it was before"):
            ensure(host, [KTHREADS], system=system)
        assert system.values("vhost")[FORK] == "Y"
        assert "vhost_net" in system.loaded
        assert Journal(host).entries() == []

    def test_a_parameter_that_the_kernel_ignores(self, host: ModuleHost, system: FakeSystem) -> None:
        system.deaf = {FORK}
        for loaded in (False, True):
            before = set(system.loaded)
            with pytest.raises(VirtperfError) as caught:
                ensure(host, [{"name": "tun"}, KTHREADS], system=system)
            assert f"was to have {FORK}=0" in str(caught.value)
            assert f"{FORK}=Y" in caught.value.found
            assert "everything is as it was before" in str(caught.value)
            assert (set(system.loaded), Journal(host).entries()) == (before, [])
            if not loaded:
                system.load("vhost", {})

    def test_one_that_the_kernel_makes_something_else_of(self, host: ModuleHost, system: FakeSystem) -> None:
        """What it is then is neither what was nor what was asked for, and goes back all the same."""
        system.load("vhost", {})
        load = system.load

        def clamp(name: str, parameters: dict[str, str]) -> None:
            load(name, {key: "509" if value == "9999" else value for key, value in parameters.items()})

        system.load = clamp  # type: ignore[method-assign]
        with pytest.raises(VirtperfError, match="everything is as it was before"):
            ensure(host, [{"name": "vhost", "parameters": {"max_mem_regions": 9999}}], system=system)
        assert system.values("vhost")["max_mem_regions"] == "64"

    def test_one_that_refuses_to_be_written(self, host: ModuleHost, system: FakeSystem) -> None:
        system.load("vhost_net", {})
        host.refuses.add("poll")
        with pytest.raises(VirtperfError, match="does not take poll '-1' of the module vhost_net"):
            ensure(host, [{"name": "vhost_net", "parameters": {"poll": -1}}], system=system)
        assert Journal(host).entries() == []


class TestUndo:
    def test_twice(self, host: ModuleHost, system: FakeSystem) -> None:
        ensure(host, [KTHREADS], system=system)
        (entry,) = Journal(host).entries()
        assert undo_kernel_module(host, entry.undo, system)
        assert undo_kernel_module(host, entry.undo, system) == ""

    def test_in_use_is_a_failure_that_names_who(self, host: ModuleHost, system: FakeSystem) -> None:
        ensure(host, [{"name": "vhost_net"}], system=system)
        system.use("vhost_net", 4711, "qemu", "vhost-net")
        with pytest.raises(VirtperfError, match=r"qemu \(pid 4711\) has .*/vhost-net open"):
            undo_all(host, system)
        assert "vhost_net" in system.loaded

    def test_needed_by_one_that_came_later(self, host: ModuleHost, system: FakeSystem) -> None:
        ensure(host, [{"name": "vhost"}], system=system)
        system.load("vhost_vsock", {})
        with pytest.raises(VirtperfError, match="vhost_vsock needs it"):
            undo_all(host, system)

    def test_holders_that_came_later_are_loaded_again(self, host: ModuleHost, system: FakeSystem) -> None:
        system.load("vhost", {})
        ensure(host, [KTHREADS], system=system)
        system.load("vhost_vsock", {})
        assert undo_all(host, system) == [f"vhost has {FORK}=Y again"]
        assert "vhost_vsock" in system.loaded

    @pytest.mark.parametrize("after", range(1, 6))
    def test_killed_at_any_step_of_a_reload(self, host: ModuleHost, system: FakeSystem, after: int) -> None:
        system.load("vhost_vsock", {})
        system.load("vhost_net", {"poll": "7"})
        steps = 0

        def counted(real: Any) -> Any:
            def call(*arguments: Any) -> None:
                nonlocal steps
                steps += 1
                if steps > after:
                    raise KeyboardInterrupt
                real(*arguments)

            return call

        real = (system.load, system.unload)
        system.load, system.unload = counted(system.load), counted(system.unload)  # type: ignore[method-assign]
        # Killed: nothing is put back by the module itself.
        with pytest.raises(KeyboardInterrupt):
            ensure(host, [KTHREADS], system=system)
        system.load, system.unload = real  # type: ignore[method-assign]
        undo_all(host, system)
        assert set(system.loaded) == {"vhost_iotlb", "vhost", "tun", "vhost_net", "vhost_vsock"}
        assert system.values("vhost")[FORK] == "Y"
        assert system.values("vhost_net")["poll"] == "7"

    def test_after_a_reboot_there_is_nothing_to_do(self, host: ModuleHost, system: FakeSystem) -> None:
        ensure(host, [{"name": "tun"}], system=system)
        Path(host.proc, "sys/kernel/random/boot_id").write_text("next-boot\n")
        assert undo_all(host, system) == [""]
        assert "tun" in system.loaded
