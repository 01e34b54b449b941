# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From what somebody asks for to a definition, or to a refusal that names the field."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.qemu.definition import (
    SEED_SLOT,
    Definition,
    derived_mac,
    parse,
)

VM: dict[str, Any] = {"name": "guest", "memory": {"size": "512MiB", "share": True}}
FULL: dict[str, Any] = {
    **VM,
    "vcpus": 2,
    "cpu": "EPYC,+svm,-cx16",
    "disks": [{"base": "/a,b c;'.img"}, {"base": "/ro", "readonly": True}],
    "vhost_user": [{"socket": "/v.sock", "queues": 2, "virtio": {"packed": True, "host_mtu": 9000}}],
    "taps": [{"ifname": "tap0", "vhost": False}],
    "user_net": {"forwards": [{"host_port": 2222}]},
    "kernel": "/k",
    "append": "console=ttyS0",
    "credentials": {"firstboot.hostname": "guest"},
    "cloud_init": {"hostname": "web.example", "network_config": {"version": 2, "ethernets": {"a": {"b": [1, None]}}}},
    "arguments": ["-d", "cpu_reset"],
}
FIELDS = sorted(Definition.__dataclass_fields__)

wild = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


def refusal(**changes: Any) -> str:
    with pytest.raises(VirtperfError) as caught:
        parse({**VM, **changes})
    return str(caught.value)


def vhost_user(**changes: Any) -> list[dict[str, Any]]:
    return [{"socket": "/v.sock", **changes}]


def taps(count: int) -> list[dict[str, Any]]:
    return [{"ifname": f"t{number}"} for number in range(count)]


def test_what_is_not_given_has_a_default() -> None:
    definition = parse(VM)
    assert (definition.vcpus, definition.accel, definition.machine, definition.disks) == (1, "auto", "q35", ())
    assert parse({**VM, "vcpus": None, "user_net": None}) == definition


def test_it_survives_a_state_file() -> None:
    definition = parse(FULL)
    assert parse(json.loads(json.dumps(definition.as_dict()))) == definition


def test_sizes_that_are_the_same_are_no_change() -> None:
    assert parse({**VM, "memory": {"size": "1G"}}) == parse({**VM, "memory": {"size": "1024MiB"}})


def test_what_differs_is_named() -> None:
    assert parse(FULL).differing(parse({**FULL, "vcpus": 3, "append": ""})) == ["vcpus", "append"]


def test_virtio_properties_are_qemu_s_words() -> None:
    assert parse(FULL).vhost_user[0].virtio == {"packed": "on", "host_mtu": "9000"}


def test_hugepages_are_taken_at_the_start_unless_asked_otherwise() -> None:
    huge = {"size": "512MiB", "huge_path": "/huge"}
    assert parse({**VM, "memory": huge}).memory.preallocates
    assert not parse({**VM, "memory": {**huge, "prealloc": False}}).memory.preallocates
    assert not parse(VM).memory.preallocates


def test_credentials_do_not_show() -> None:
    shown = parse({**VM, "credentials": {"passwd.hashed-password.root": "hunter2"}}).public()
    assert "hunter2" not in json.dumps(shown)
    assert list(shown["credentials"]) == ["passwd.hashed-password.root"]


def test_ports_have_addresses_of_their_own() -> None:
    ports = parse(FULL).ports()
    assert [(port.key, port.pci, port.queues) for port in ports] == [
        ("user0", "0000:00:10.0", 1),
        ("vu0", "0000:00:11.0", 2),
        ("tap0", "0000:00:12.0", 1),
    ]
    assert len({port.mac for port in ports}) == 3


@pytest.mark.parametrize(
    ("ports", "disks", "first"), [(1, 8, 0x10), (14, 8, 0x10), (15, 7, 0x0F), (19, 3, 0x0B), (21, 1, 0x09)]
)
@pytest.mark.parametrize("machine", ["q35", "pc"])
def test_slots_of_many_ports(machine: str, ports: int, disks: int, first: int) -> None:
    """In the guest's order, behind the disks, clear of the chipset (below 8, and 1f) and of cloud-init's seed (1e)."""
    images = [{"base": f"/{number}"} for number in range(disks)]
    definition = parse({**VM, "machine": machine, "user_net": {}, "taps": taps(ports - 1), "disks": images})
    slots = [port.slot for port in definition.ports()]
    assert slots == list(range(first, first + ports))
    assert max(definition.disk_slot(number) for number in range(disks)) < slots[0]
    assert slots[-1] < SEED_SLOT


def test_vectors_follow_from_queues_unless_they_are_given() -> None:
    given = [{"ifname": "a", "queues": 2}, {"ifname": "b", "vectors": 0}, {"ifname": "c", "queues": 2, "vectors": 3}]
    assert [port.vectors for port in parse({**VM, "taps": given}).ports()] == [6, 0, 3]


def test_a_state_file_of_before_there_were_variants() -> None:
    written = json.loads(json.dumps(parse(FULL).as_dict()))
    for key in ("poll_us", "sndbuf", "vectors", "macvtap"):
        del written["taps"][0][key]
    assert parse(written) == parse(FULL)


@given(st.text(min_size=1, max_size=32), st.text(min_size=1, max_size=8))
def test_derived_macs_are_qemu_s_and_always_the_same(name: str, key: str) -> None:
    mac = derived_mac(name, key)
    assert mac == derived_mac(name, key)
    assert mac.startswith("52:54:00:")
    assert len(mac) == 17


@pytest.mark.parametrize("name", ["", "-first", "a b", "a/b", "a;b", "a,b", "'", "..", "é", "a" * 33, "a\n", 7, None])
def test_a_name_becomes_part_of_file_names(name: Any) -> None:
    with pytest.raises(VirtperfError, match="cannot be named"):
        parse({**VM, "name": name})


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"memory": None}, "guest: memory"),
        ({"memory": {}}, "memory.size"),
        ({"memory": {"size": "much"}}, "memory.size"),
        ({"memory": {"size": "4kB"}}, "whole MiB"),
        ({"memory": {"size": "1GiB", "huge_path": "huge"}}, "memory.huge_path"),
        ({"memory": {"size": "1GiB", "policy": "strict"}}, "one of bind"),
        ({"memory": {"size": "1GiB", "nodes": [0, 0]}}, "memory.nodes"),
        ({"memory": {"size": "1GiB", "hugepath": "/x"}}, "memory.hugepath"),
        ({"memory": {"size": "1GiB"}, "vhost_user": vhost_user()}, "memory.share"),
        ({"vcpus": 0}, "from 1 to 1024"),
        ({"vcpus": True}, "vcpus"),
        ({"accel": "xen"}, "one of auto, kvm, tcg"),
        ({"machine": "q35;rm"}, "machine"),
        ({"cpu": "-evil"}, "cpu"),
        ({"disks": [{}]}, "disks[0].base"),
        ({"disks": [{"base": "relative"}]}, "disks[0].base"),
        ({"disks": [{"base": "/a\nb"}]}, "disks[0].base"),
        ({"disks": [{"base": "/a", "cache": "none!"}]}, "disks[0].cache"),
        ({"disks": [{"base": "/a", "min_free": "some"}]}, "disks[0].min_free"),
        ({"disks": [{"base": "/a"}] * 9}, "up to 8"),
        ({"vhost_user": vhost_user(socket="v.sock")}, "vhost_user[0].socket"),
        ({"vhost_user": vhost_user(socket="/" + "x" * 107)}, "at most 107 bytes"),
        ({"vhost_user": vhost_user(queues=0)}, "vhost_user[0].queues"),
        ({"vhost_user": vhost_user(role="both")}, "one of client, server"),
        ({"vhost_user": vhost_user(rx_queue_size=1000)}, "256, 512 or 1024"),
        ({"vhost_user": vhost_user(mac="01:00:00:00:00:00")}, "vhost_user[0].mac"),
        ({"vhost_user": vhost_user(mac="AA:bb:cc:dd:ee:ff")}, "vhost_user[0].mac"),
        ({"vhost_user": vhost_user(virtio={"mq": True})}, "follows from the port's own fields"),
        ({"vhost_user": vhost_user(virtio={"a,b": 1})}, "virtio.a,b"),
        ({"vhost_user": vhost_user(virtio={"speed": [1]})}, "virtio.speed"),
        ({"vhost_user": vhost_user(mac="52:54:00:00:00:01") * 2}, "52:54:00:00:00:01 twice"),
        ({"vhost_user": [{"socket": f"/{number}"} for number in range(23)]}, "up to 22"),
        ({"taps": taps(15), "disks": [{"base": "/a"}] * 8}, "up to 14 of all kinds beside 8 disks"),
        ({"taps": [{"ifname": "t", "vhost": False, "poll_us": 50}]}, "taps[0].poll_us"),
        ({"taps": [{"ifname": "t", "vhost": False, "poll_us": 0}]}, "vhost: true"),
        ({"taps": [{"ifname": "t", "poll_us": -1}]}, "taps[0].poll_us"),
        ({"taps": [{"ifname": "t", "sndbuf": "1M"}]}, "taps[0].sndbuf"),
        ({"taps": [{"ifname": "t", "vectors": 2049}]}, "from 0 to 2048"),
        ({"taps": [{"ifname": "t", "macvtap": "yes"}]}, "true or false"),
        ({"taps": [{"ifname": "t", "virtio": {"vectors": 0}}]}, "follows from the port's own fields"),
        ({"taps": [{"ifname": "a b"}]}, "taps[0].ifname"),
        ({"taps": [{"ifname": "x" * 16}]}, "taps[0].ifname"),
        ({"user_net": {"forwards": [{"host_port": 65536}]}}, "host_port"),
        ({"user_net": {"forwards": [{}]}}, "host_port"),
        ({"user_net": 7}, "user_net"),
        ({"append": "quiet"}, "go with a kernel"),
        ({"kernel": "vmlinuz"}, "kernel"),
        ({"overlay_dir": "here"}, "overlay_dir"),
        ({"credentials": {"a b": "x"}}, "credentials.a b"),
        ({"credentials": {"a": 7}}, "credentials.a"),
        ({"credential_files": {"a": "relative"}}, "credential_files.a"),
        ({"credentials": {"a": "x"}, "credential_files": {"a": "/x"}}, "in credential_files too"),
        ({"cloud_init": {}}, "cloud_init.hostname"),
        ({"cloud_init": {"hostname": "a b"}}, "cloud_init.hostname"),
        ({"cloud_init": {"hostname": "a", "user": "a b"}}, "cloud_init.user"),
        ({"cloud_init": {"hostname": "a", "host_key_file": "key"}}, "cloud_init.host_key_file"),
        ({"cloud_init": {"hostname": "a", "network_config": [1]}}, "cloud_init.network_config"),
        ({"cloud_init": {"hostname": "a", "network_config": {"a": object()}}}, "cloud_init.network_config"),
        ({"cloud_init": {"hostname": "a", "ready": "it's"}}, "cloud_init.ready"),
        ({"arguments": ["a\0b"]}, "arguments"),
        ({"arguments": "-S"}, "arguments"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_what_cannot_work_is_refused_by_name(changes: dict[str, Any], words: str) -> None:
    text = refusal(**changes)
    assert words in text
    assert "VM guest" in text
    assert "Way out" in text


def test_a_credential_that_is_wrong_is_not_shown() -> None:
    assert "hunter2" not in refusal(credentials={"a": "hunter2\0"})


@given(st.dictionaries(st.sampled_from(FIELDS), wild))
def test_whatever_is_asked_for_is_a_definition_or_a_refusal(raw: dict[str, Any]) -> None:
    try:
        definition = parse({**VM, **raw})
    except VirtperfError:
        return
    assert parse(json.loads(json.dumps(definition.as_dict()))) == definition
