# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One testpmd: it starts, obeys, dies, hangs and ends."""

from __future__ import annotations

import contextlib
import os
import socket
import stat
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils.dpdk import instance as instance_module
from ansible_collections.virtperf.vhost.plugins.module_utils.dpdk import process as process_module
from ansible_collections.virtperf.vhost.plugins.module_utils.dpdk.definition import Port
from ansible_collections.virtperf.vhost.plugins.module_utils.dpdk.instance import Instance, executable, names
from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.tests.unit.plugins.module_utils.dpdk.fake_testpmd import Lab, installed


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    with installed(tmp_path, monkeypatch) as lab:
        yield lab


@pytest.fixture
def vswitch(lab: Lab) -> Instance:
    return Instance(lab.host, "vswitch")


class TestStart:
    def test_it_runs_as_defined_and_can_be_found_again_by_name(self, lab: Lab, vswitch: Instance) -> None:
        wanted = lab.vswitch(forwarding=True)
        vswitch.start(wanted)
        again = Instance(lab.host, "vswitch")
        assert again.is_running()
        assert again.definition() == wanted
        assert names(lab.host) == ["vswitch"]

    def test_its_files_are_for_nobody_else(self, lab: Lab, vswitch: Instance) -> None:
        vswitch.start(lab.vswitch())
        for path in (lab.host.run, os.path.join(lab.host.run, "testpmd"), vswitch.directory):
            assert stat.S_IMODE(os.stat(path).st_mode) == 0o700, path

    def test_its_forwarding_threads_are_on_the_cpus_asked_for(self, lab: Lab, vswitch: Instance) -> None:
        vswitch.start(lab.vswitch())
        assert [(thread.name, thread.cpus) for thread in vswitch.workers()] == [("rte-worker-1", str(lab.cpus[0]))]
        assert len(vswitch.threads()) > 1

    def test_the_size_of_packets_is_told_before_it_makes_the_first(self, lab: Lab) -> None:
        lab.start(lab.vswitch(), lab.generator(packet_size=128, forwarding=True))
        log = Instance(lab.host, "generator").log()
        assert log.index("testpmd> set txpkts 128") < log.index("testpmd> start")

    def test_it_does_not_depend_on_the_controller_staying(self, lab: Lab, vswitch: Instance) -> None:
        vswitch.start(lab.vswitch())
        assert os.getsid(lab.pid("vswitch")) == lab.pid("vswitch")

    def test_what_an_earlier_one_left_behind_is_no_obstacle(self, lab: Lab, vswitch: Instance) -> None:
        vswitch.start(lab.vswitch())
        lab.kill("vswitch")
        assert os.path.lexists(lab.socket)
        vswitch.start(lab.vswitch())
        assert vswitch.is_running()

    def test_a_missing_program_is_named_with_its_package(
        self, lab: Lab, vswitch: Instance, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PATH", str(lab.directory))
        with pytest.raises(VirtperfError, match=r"dpdk-testpmd is not installed.*dpdk-dev"):
            executable()


class TestFailedStart:
    def test_death_is_reported_with_the_end_of_the_log(self, lab: Lab, vswitch: Instance) -> None:
        lab.behave(vswitch={"dies_at_start": True})
        with pytest.raises(VirtperfError, match="ended at its start with status 1") as caught:
            vswitch.start(lab.vswitch())
        assert "Cannot init EAL: Permission denied" in str(caught.value)
        assert caught.value.facts["log_end"].splitlines()[-1] == "Cause: Cannot init EAL: Permission denied"
        assert str(executable()) in caught.value.facts["command"]

    def test_a_crash_is_told_by_its_signal(self, lab: Lab, vswitch: Instance) -> None:
        lab.behave(vswitch={"crashes_at_start": True})
        with pytest.raises(VirtperfError, match="with signal SIGSEGV"):
            vswitch.start(lab.vswitch())

    def test_silence_is_not_waited_for_for_ever_and_ended(
        self, lab: Lab, vswitch: Instance, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(process_module, "_START_PATIENCE_S", 0.3)
        lab.behave(vswitch={"silent": True})
        with pytest.raises(VirtperfError, match="is not ready after 0 s"):
            vswitch.start(lab.vswitch())
        assert lab.running() == []

    def test_a_port_that_does_not_start_is_not_ready(
        self, lab: Lab, vswitch: Instance, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(process_module, "_START_PATIENCE_S", 0.3)
        lab.behave(vswitch={"never_ready": True})
        with pytest.raises(VirtperfError, match="is not ready"):
            vswitch.start(lab.vswitch())

    def test_a_device_that_cannot_be_had_is_told_at_once(self, lab: Lab) -> None:
        # testpmd goes on without it, prompt and telemetry included.
        generator = Instance(lab.host, "generator")
        with pytest.raises(VirtperfError, match="has 0 of the 1 ports asked for") as caught:
            generator.start(lab.generator())
        assert "failed to initialize net_virtio_user0 device" in caught.value.facts["log_end"]
        assert lab.running() == []

    def test_one_of_two_devices_is_not_enough(self, lab: Lab) -> None:
        lab.start(lab.vswitch())
        two = (*lab.generator().ports, Port("net_virtio_user1", {"path": f"{lab.host.run}/nobody.sock"}))
        with pytest.raises(VirtperfError, match="has 1 of the 2 ports asked for"):
            lab.start(replace(lab.generator(), ports=two))

    def test_a_command_refused_at_start_ends_it(self, lab: Lab) -> None:
        lab.start(lab.vswitch())
        with pytest.raises(VirtperfError, match=r"refused one of: set txpkts 5000"):
            lab.start(lab.generator(packet_size=5000))
        assert lab.running() == ["vswitch"]


class TestConversation:
    def test_each_answer_is_waited_for(self, lab: Lab, vswitch: Instance) -> None:
        vswitch.start(lab.vswitch(forwarding=True))
        said = vswitch.converse("clear fwd stats all", "show fwd stats all")
        assert said.count("testpmd> ") == 2
        assert "total io packets=" in said

    def test_nothing_to_say_is_no_conversation(self, lab: Lab, vswitch: Instance) -> None:
        assert vswitch.converse() == ""

    def test_a_change_is_applied_in_the_running_process_and_remembered(self, lab: Lab) -> None:
        lab.start(lab.vswitch(), lab.generator(forwarding=True))
        generator, pid = Instance(lab.host, "generator"), lab.pid("generator")
        commands = generator.reconfigure(lab.generator(forwarding=True, packet_size=256))
        assert commands == ["stop", "set txpkts 256", "start"]
        assert lab.pid("generator") == pid
        definition = generator.definition()
        assert definition is not None
        assert definition.packet_size == 256

    def test_a_refused_change_is_an_error_and_not_remembered(self, lab: Lab) -> None:
        lab.start(lab.vswitch(), lab.generator(forwarding=True))
        generator = Instance(lab.host, "generator")
        with pytest.raises(VirtperfError, match="refused") as caught:
            generator.reconfigure(lab.generator(forwarding=True, packet_size=9000))
        assert "mbuf_data_size=2176" in caught.value.found
        definition = generator.definition()
        assert definition is not None
        assert definition.packet_size == 64

    def test_death_in_the_middle_of_a_command_comes_with_its_last_words(self, lab: Lab, vswitch: Instance) -> None:
        lab.behave(vswitch={"dies_on": "show fwd stats all"})
        vswitch.start(lab.vswitch())
        with pytest.raises(VirtperfError, match="vswitch has died") as caught:
            vswitch.converse("show fwd stats all")
        assert caught.value.facts["dead"] == "vswitch"
        assert caught.value.facts["log_end"].endswith("EAL: Error - a queue could not be set up")

    def test_death_before_the_command_is_seen_too(self, lab: Lab, vswitch: Instance) -> None:
        vswitch.start(lab.vswitch())
        lab.kill("vswitch")
        with pytest.raises(VirtperfError, match="vswitch has died"):
            vswitch.converse("start")

    def test_death_between_finding_the_reader_and_writing_to_it(
        self, lab: Lab, vswitch: Instance, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        vswitch.start(lab.vswitch())
        open_file = os.open

        def open_then_die(path: str, flags: int) -> int:
            descriptor = open_file(path, flags)
            lab.kill("vswitch")
            with contextlib.suppress(OSError):
                while True:  # its threads end one by one
                    os.close(open_file(path, flags))
            return descriptor

        monkeypatch.setattr(instance_module.os, "open", open_then_die)
        with pytest.raises(VirtperfError, match="vswitch has died"):
            vswitch.converse("start")

    def test_one_that_hangs_is_told_apart_from_one_that_died(
        self, lab: Lab, vswitch: Instance, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(instance_module, "_ANSWER_PATIENCE_S", 0.2)
        lab.behave(vswitch={"hangs_on": "start"})
        vswitch.start(lab.vswitch())
        with pytest.raises(VirtperfError, match="does not answer to: start"):
            vswitch.converse("start")
        assert vswitch.is_running()


class TestEnd:
    def test_it_quits_when_told_so(self, lab: Lab, vswitch: Instance) -> None:
        vswitch.start(lab.vswitch(forwarding=True))
        assert vswitch.stop() == "quit"
        assert not vswitch.is_running()
        assert "Bye..." in vswitch.log()

    def test_one_that_ignores_quit_is_terminated(self, lab: Lab, vswitch: Instance) -> None:
        lab.behave(vswitch={"ignores_quit": True})
        vswitch.start(lab.vswitch())
        assert vswitch.stop() == "terminated"
        assert not vswitch.is_running()

    def test_one_that_ignores_everything_is_killed(self, lab: Lab, vswitch: Instance) -> None:
        lab.behave(vswitch={"ignores_quit": True, "ignores_terminate": True})
        vswitch.start(lab.vswitch())
        assert vswitch.stop() == "killed"
        assert not vswitch.is_running()

    def test_ending_the_ended_is_nothing(self, lab: Lab, vswitch: Instance) -> None:
        assert vswitch.stop() == ""
        vswitch.start(lab.vswitch())
        vswitch.stop()
        assert vswitch.stop() == ""

    def test_a_process_that_only_has_the_same_pid_is_left_alone(self, lab: Lab, vswitch: Instance) -> None:
        vswitch.start(lab.vswitch())
        pid = lab.pid("vswitch")
        process_file = Path(vswitch.directory, "process.json")
        ours = process_file.read_text()
        process_file.write_text(ours.replace('"start": ', '"start": 1'))
        assert not vswitch.is_running()
        assert vswitch.stop() == ""
        os.kill(pid, 0)
        process_file.write_text(ours)

    def test_nothing_is_left_when_it_is_forgotten(self, lab: Lab, vswitch: Instance) -> None:
        vswitch.start(lab.vswitch())
        (lab.huge_dir / "virtperf-generatormap_0").touch()
        vswitch.stop()
        vswitch.forget()
        assert names(lab.host) == []
        assert not os.path.lexists(lab.socket)
        assert not os.path.exists(os.path.join(lab.host.run, "dpdk", "virtperf-vswitch"))
        assert os.listdir(lab.huge_dir) == ["virtperf-generatormap_0"]

    def test_a_socket_that_somebody_else_serves_by_now_is_left_alone(self, lab: Lab, vswitch: Instance) -> None:
        vswitch.start(lab.vswitch())
        lab.kill("vswitch")
        os.unlink(lab.socket)
        with socket.socket(socket.AF_UNIX) as foreign:
            foreign.bind(lab.socket)
            foreign.listen()
            vswitch.forget()
            assert os.path.lexists(lab.socket)

    def test_a_file_in_the_socket_s_place_is_left_alone(self, lab: Lab, vswitch: Instance) -> None:
        vswitch.start(lab.vswitch())
        lab.kill("vswitch")
        os.unlink(lab.socket)
        Path(lab.socket).write_text("somebody's notes")
        vswitch.forget()
        assert Path(lab.socket).read_text() == "somebody's notes"


class TestLostFiles:
    @pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"name": "vswitch"}', '{"name": "vswitch", "wings": 2}'])
    def test_a_definition_that_cannot_be_read_is_none(self, lab: Lab, vswitch: Instance, text: str) -> None:
        vswitch.start(lab.vswitch())
        Path(vswitch.directory, "definition.json").write_text(text)
        assert vswitch.definition() is None
        assert vswitch.facts()["running"]
        assert vswitch.stop() == "quit"
        vswitch.forget()
        assert names(lab.host) == []

    @pytest.mark.parametrize("text", ["", "{", "[]", "null", "{}"])
    def test_a_process_file_that_cannot_be_read_names_nobody(self, lab: Lab, vswitch: Instance, text: str) -> None:
        lab.host.private_directory(vswitch.directory)
        Path(vswitch.directory, "process.json").write_text(text)
        assert vswitch.identity() is None
        assert not vswitch.is_running()
        assert vswitch.threads() == []

    def test_facts_of_one_that_never_was(self, lab: Lab, vswitch: Instance) -> None:
        facts = vswitch.facts()
        assert (facts["running"], facts["pid"], facts["command"], facts["definition"]) == (False, None, [], {})

    def test_facts_of_a_running_one(self, lab: Lab, vswitch: Instance) -> None:
        wanted = lab.vswitch(burst=64)
        vswitch.start(wanted)
        facts = vswitch.facts()
        assert facts["running"]
        assert facts["pid"] == lab.pid("vswitch")
        assert facts["command"] == wanted.command("dpdk-testpmd")
        assert facts["definition"] == wanted.as_dict()

    def test_no_runtime_directory_holds_no_names(self, lab: Lab) -> None:
        assert names(lab.host) == []


def test_readiness_is_noticed_soon(lab: Lab, vswitch: Instance) -> None:
    lab.behave(vswitch={"sleeps_s": 0.3})
    before_s = time.monotonic()
    vswitch.start(lab.vswitch())
    assert 0.3 <= time.monotonic() - before_s < 2.0
