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
from ansible_collections.virtperf.vhost.plugins.module_utils.qemu.definition import Definition, derived_mac, parse

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
        ({"vhost_user": [{"socket": f"/{number}"} for number in range(15)]}, "up to 14"),
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
