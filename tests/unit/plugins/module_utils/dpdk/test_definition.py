# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From what somebody asks for to a command line, and from one state of a running testpmd to another."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.virtperf.vhost.plugins.module_utils.dpdk.definition import (
    FORWARD_MODES,
    Definition,
    Port,
    parse,
)
from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError

VSWITCH: dict[str, Any] = {
    "name": "vswitch",
    "cpus": [2, 3],
    "huge_dir": "/run/virtperf/hugepages",
    "ports": [{"device": "net_vhost0", "options": {"iface": "/run/virtperf/vswitch.sock", "queues": 2}}],
}
FIELDS = sorted(Definition.__dataclass_fields__)

wild = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


def refusal(**changes: Any) -> str:
    with pytest.raises(VirtperfError) as caught:
        parse({**VSWITCH, **changes})
    return str(caught.value)


class TestParse:
    def test_what_is_not_given_has_a_default(self) -> None:
        definition = parse(VSWITCH)
        assert (definition.main_cpu, definition.queues, definition.burst) == (2, 1, 32)
        assert (definition.forward_mode, definition.packet_size, definition.forwarding) == ("io", 64, False)
        assert parse({**VSWITCH, "main_cpu": None, "burst": None}) == definition

    def test_it_survives_a_state_file(self) -> None:
        definition = parse({**VSWITCH, "arguments": ["--enable-hw-vlan"], "forwarding": True})
        assert parse(json.loads(json.dumps(definition.as_dict()))) == definition

    @pytest.mark.parametrize("name", ["", "-first", "a b", "a/b", "..", "é", "a" * 33, "a\n"])
    def test_a_name_becomes_part_of_file_names(self, name: str) -> None:
        with pytest.raises(VirtperfError, match="cannot be named"):
            parse({**VSWITCH, "name": name})

    @pytest.mark.parametrize(
        ("changes", "words"),
        [
            ({"cpus": []}, "vswitch: cpus"),
            ({"cpus": [1, 1]}, "vswitch: cpus"),
            ({"cpus": [-1]}, "vswitch: cpus"),
            ({"cpus": ["x"]}, "vswitch: cpus"),
            # Not CPU 1 and CPU 2.
            ({"cpus": "12"}, "vswitch: cpus"),
            ({"cpus": 3}, "vswitch: cpus"),
            ({"main_cpu": "first"}, "vswitch: main_cpu"),
            ({"ports": []}, "vswitch: ports"),
            ({"ports": "net_vhost0"}, "vswitch: ports"),
            ({"ports": ["net_vhost0"]}, "vswitch: ports"),
            ({"ports": [{"device": "eth0"}]}, "'eth0'"),
            ({"ports": [{"device": "net_vhost0", "options": {"iface": "relative.sock"}}]}, "socket path"),
            ({"ports": [{"device": "net_vhost0", "options": {"iface": "/" + "x" * 107}}]}, "at most 107 bytes"),
            ({"ports": [{"device": "net_vhost0", "options": ["iface"]}]}, "ports[net_vhost0]"),
            ({"queues": 0}, "from 1 to 256"),
            ({"queues": "many"}, "queues"),
            ({"queues": True}, "queues"),
            ({"queues": 1.5}, "queues"),
            ({"memory_mib": 1}, "from 16 to"),
            ({"mbufs": 1}, "from 512 to"),
            ({"burst": 513}, "from 1 to 512"),
            ({"packet_size": 63}, "from 64 to"),
            ({"numa_node": 64}, "from 0 to"),
            ({"numa_node": -1}, "numa_node"),
            ({"descriptors": 100}, "a power of two"),
            ({"descriptors": 16}, "a power of two"),
            ({"forward_mode": "teleport"}, "one of io, mac"),
            ({"forwarding": "maybe"}, "forwarding"),
            ({"huge_dir": "hugepages"}, "huge_dir"),
            ({"huge_dir": None}, "huge_dir"),
            ({"arguments": "--flag"}, "arguments"),
            ({"eal_arguments": "--flag"}, "eal_arguments"),
            ({"eal_arguments": ["a\0b"]}, "eal_arguments"),
            ({"wings": 2, "beak": 1}, "beak, wings"),
        ],
    )
    def test_what_cannot_be_is_refused_by_name(self, changes: dict[str, Any], words: str) -> None:
        assert words in refusal(**changes)

    @given(st.dictionaries(st.sampled_from(FIELDS), wild), st.sampled_from(["keep", "drop"]))
    def test_wild_input_gives_a_definition_or_its_refusal(self, changes: dict[str, Any], others: str) -> None:
        raw = {**(VSWITCH if others == "keep" else {}), **changes}
        try:
            definition = parse(raw)
        except VirtperfError:
            return
        assert parse(json.loads(json.dumps(definition.as_dict()))) == definition
        assert all(isinstance(word, str) and "\0" not in word for word in definition.command("testpmd"))

    @given(st.dictionaries(st.text(max_size=8), wild, max_size=4))
    def test_wild_ports_too(self, options: dict[str, Any]) -> None:
        try:
            definition = parse({**VSWITCH, "ports": [{"device": "net_vhost0", "options": options}]})
        except VirtperfError:
            return
        device, *pairs = definition.ports[0].devargs.split(",")
        assert device == "net_vhost0"
        # EAL takes it apart into just what was given.
        assert dict(pair.split("=") for pair in pairs) == definition.ports[0].options
        assert not any(character.isspace() or character == "\0" for character in definition.ports[0].devargs)


class TestDevargs:
    @pytest.mark.parametrize("value", ["a,b", "a=b", "a b", "a\tb", "a\nb", "a\0b"])
    def test_values_that_eal_would_take_apart_are_refused(self, value: str) -> None:
        words = refusal(ports=[{"device": "net_vhost0", "options": {"iface": f"/run/{value}"}}])
        assert "ports[net_vhost0].iface" in words

    @pytest.mark.parametrize("value", ["a;b", "a'b", 'a"b', "$(reboot)", "a|b", "a\\b", "ä"])
    def test_what_only_a_shell_would_mind_is_passed_on(self, value: str) -> None:
        definition = parse({**VSWITCH, "ports": [{"device": "net_vhost0", "options": {"iface": f"/run/{value}"}}]})
        assert f"--vdev=net_vhost0,iface=/run/{value}" in definition.command("testpmd")

    def test_truth_is_a_number(self) -> None:
        definition = parse({**VSWITCH, "ports": [{"device": "net_vhost0", "options": {"tso": True, "client": False}}]})
        assert definition.ports[0].devargs == "net_vhost0,tso=1,client=0"


class TestSockets:
    def test_a_vhost_port_serves_unless_it_is_a_client(self) -> None:
        assert Port("net_vhost0", {"iface": "/a"}).serves == "/a"
        assert Port("net_vhost0", {"iface": "/a", "client": "1"}).serves is None
        assert Port("net_vhost0", {"iface": "/a"}).connects is None

    def test_a_virtio_user_port_connects_unless_it_is_a_server(self) -> None:
        assert Port("net_virtio_user0", {"path": "/a"}).connects == "/a"
        assert Port("net_virtio_user0", {"path": "/a", "server": "1"}).connects is None
        assert Port("net_virtio_user0", {"path": "/a"}).serves is None

    def test_other_devices_have_none(self) -> None:
        assert (Port("0000:03:00.0").serves, Port("0000:03:00.0").connects) == (None, None)


class TestCommand:
    def test_each_forwarding_core_is_bound_to_its_cpu(self) -> None:
        command = parse({**VSWITCH, "main_cpu": 0}).command("/usr/bin/dpdk-testpmd")
        assert command[0] == "/usr/bin/dpdk-testpmd"
        assert "--lcores=0@0,1@2,2@3" in command
        assert "--nb-cores=2" in command

    def test_virtual_devices_need_no_pci(self) -> None:
        command = parse(VSWITCH).command("testpmd")
        assert "--no-pci" in command
        assert "--vdev=net_vhost0,iface=/run/virtperf/vswitch.sock,queues=2" in command

    def test_pci_devices_are_the_only_ones_allowed(self) -> None:
        command = parse({**VSWITCH, "ports": [{"device": "0000:03:00.0"}]}).command("testpmd")
        assert "--allow=0000:03:00.0" in command
        assert "--no-pci" not in command

    def test_memory_comes_from_one_node(self) -> None:
        assert "--socket-mem=128" in parse(VSWITCH).command("testpmd")
        assert "--socket-mem=0,0,256" in parse({**VSWITCH, "numa_node": 2, "memory_mib": 256}).command("testpmd")

    def test_arguments_go_to_whom_they_are_for(self) -> None:
        command = parse({**VSWITCH, "eal_arguments": ["--eal"], "arguments": ["--own"]}).command("testpmd")
        assert command.index("--eal") < command.index("--") < command.index("--own")

    def test_descriptors_are_the_driver_s_unless_given(self) -> None:
        assert not any(word.startswith("--rxd") for word in parse(VSWITCH).command("testpmd"))
        assert {"--rxd=256", "--txd=256"} <= set(parse({**VSWITCH, "descriptors": 256}).command("testpmd"))

    def test_its_files_carry_its_name(self) -> None:
        assert "--file-prefix=virtperf-vswitch" in parse(VSWITCH).command("testpmd")


class Model:
    """What testpmd holds, and what it does about each command; it changes nothing while it forwards."""

    def __init__(self, launched: Definition) -> None:
        self.mode, self.burst, self.length = launched.forward_mode, launched.burst, 64
        self.forwarding = False

    def obey(self, command: str) -> None:
        match command.split():
            case ["start"]:
                assert not self.forwarding
                self.forwarding = True
            case ["stop"]:
                assert self.forwarding
                self.forwarding = False
            case ["set", what, value]:
                assert not self.forwarding
                if what == "fwd":
                    self.mode = value
                elif what == "burst":
                    self.burst = int(value)
                else:
                    assert what == "txpkts"
                    self.length = int(value)

    def frame(self) -> int | None:
        """Bytes of a frame it makes: flowgen leaves room for the FCS, txonly does not."""
        return {"flowgen": self.length - 4, "txonly": self.length}.get(self.mode)


live = st.fixed_dictionaries(
    {
        "forward_mode": st.sampled_from(FORWARD_MODES[:6]),
        "burst": st.sampled_from([16, 32]),
        "packet_size": st.sampled_from([64, 128]),
        "forwarding": st.booleans(),
    }
)


class TestLiveChanges:
    def test_a_new_size_stops_and_starts_a_running_generator(self) -> None:
        old = parse({**VSWITCH, "forward_mode": "flowgen", "forwarding": True})
        assert replace(old, packet_size=128).commands_from(old) == ["stop", "set txpkts 128", "start"]

    def test_txonly_counts_other_bytes(self) -> None:
        assert parse({**VSWITCH, "forward_mode": "txonly"}).commands_from(None) == ["set txpkts 60"]

    def test_the_same_again_is_nothing(self) -> None:
        old = parse({**VSWITCH, "forward_mode": "flowgen", "forwarding": True})
        assert old.commands_from(old) == []

    def test_a_size_means_nothing_to_who_makes_no_packets(self) -> None:
        old = parse({**VSWITCH, "forwarding": True})
        assert replace(old, packet_size=1518).commands_from(old) == []

    @given(st.lists(live, min_size=1, max_size=4))
    def test_any_way_leads_to_what_is_wanted(self, steps: list[dict[str, Any]]) -> None:
        old: Definition | None = None
        model = Model(parse({**VSWITCH, **steps[0]}))
        for step in steps:
            wanted = parse({**VSWITCH, **step})
            for command in wanted.commands_from(old):
                model.obey(command)
            assert (model.mode, model.burst, model.forwarding) == (wanted.forward_mode, wanted.burst, wanted.forwarding)
            assert model.frame() in (None, wanted.packet_size - 4)
            old = wanted

    @given(live, live)
    def test_live_fields_never_ask_for_a_new_process(self, one: dict[str, Any], other: dict[str, Any]) -> None:
        assert parse({**VSWITCH, **one}).launch_part() == parse({**VSWITCH, **other}).launch_part()

    @pytest.mark.parametrize("changes", [{"queues": 2}, {"cpus": [2]}, {"mbufs": 4096}, {"arguments": ["--x"]}])
    def test_the_others_do(self, changes: dict[str, Any]) -> None:
        assert parse({**VSWITCH, **changes}).launch_part() != parse(VSWITCH).launch_part()
