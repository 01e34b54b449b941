# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line: derived words, QEMU's way of quoting, and nothing that differs from start to start."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.virtperf.vhost.plugins.module_utils.qemu.command import Launch, command, escaped
from ansible_collections.virtperf.vhost.plugins.module_utils.qemu.definition import parse

VM: dict[str, Any] = {"name": "guest", "memory": {"size": "512MiB", "share": True}}
LAUNCH = Launch("/usr/bin/qemu-system-x86_64", (10, 0, 2), "tcg", "/run/virtperf/qemu/guest", ())


def words(launch: Launch = LAUNCH, **changes: Any) -> list[str]:
    return command(parse({**VM, **changes}), launch)


def options(option: str, launch: Launch = LAUNCH, **changes: Any) -> list[str]:
    line = words(launch, **changes)
    return [line[number + 1] for number, word in enumerate(line) if word == option]


def test_the_same_definition_is_the_same_line() -> None:
    ports = [{"socket": "/v.sock", "virtio": {"b": 1, "a": 2}}]
    turned = [{"virtio": {"a": 2, "b": 1}, "socket": "/v.sock"}]
    assert words(vhost_user=ports) == words(vhost_user=turned)


def test_a_small_one() -> None:
    assert words() == [
        "/usr/bin/qemu-system-x86_64", "-name", "guest=guest,debug-threads=on", "-no-user-config", "-nodefaults",
        "-display", "none", "-machine", "q35,memory-backend=mem0", "-accel", "tcg,thread=multi", "-cpu", "max",
        "-smp", "1,sockets=1,cores=1,threads=1", "-m", "512M",
        "-object", "memory-backend-memfd,id=mem0,size=512M,share=on,prealloc=off",
        "-chardev", "socket,id=qmp0,path=/run/virtperf/qemu/guest/qmp.sock,server=on,wait=off",
        "-mon", "chardev=qmp0,mode=control",
        "-chardev", "file,id=serial0,path=/run/virtperf/qemu/guest/serial.log", "-serial", "chardev:serial0", "-S",
    ]  # fmt: skip


def test_kvm_has_the_host_s_cpu_unless_one_is_named() -> None:
    kvm = Launch(LAUNCH.qemu, LAUNCH.version, "kvm", LAUNCH.directory, ())
    assert (options("-cpu", kvm), options("-accel", kvm)) == (["host"], ["kvm"])
    assert options("-cpu", kvm, cpu="EPYC,-cx16") == ["EPYC,-cx16"]


def test_memory() -> None:
    memory = {"size": "1GiB", "huge_path": "/huge,pages", "share": True, "nodes": [0, 1], "policy": "interleave"}
    assert options("-object", memory=memory) == [
        (
            "memory-backend-file,id=mem0,size=1024M,mem-path=/huge,,pages,share=on,prealloc=on,"
            "host-nodes=0,host-nodes=1,policy=interleave"
        )
    ]
    assert options("-object", memory={"size": "1GiB"})[0].startswith("memory-backend-ram,")


@pytest.mark.parametrize(
    ("changes", "version", "chardev"),
    [
        ({}, (10, 0, 2), "reconnect-ms=1000"),
        ({"reconnect": 3}, (9, 1), "reconnect=3"),
        ({"reconnect": 0}, (10, 0, 2), None),
        ({"role": "server"}, (10, 0, 2), "server=on,wait=off"),
    ],
)
def test_a_vhost_user_port(changes: dict[str, Any], version: tuple[int, ...], chardev: str | None) -> None:
    launch = Launch(LAUNCH.qemu, version, "tcg", LAUNCH.directory, ())
    port = {"socket": "/a,b.sock", "queues": 2, "rx_queue_size": 1024, "mac": "52:54:00:00:00:01", **changes}
    end = f",{chardev}" if chardev else ""
    assert options("-chardev", launch, vhost_user=[port])[-1] == f"socket,id=chr-vu0,path=/a,,b.sock{end}"
    assert options("-netdev", launch, vhost_user=[port]) == ["vhost-user,id=net-vu0,chardev=chr-vu0,queues=2"]
    assert options("-device", launch, vhost_user=[port]) == [
        "virtio-net-pci,id=vu0,netdev=net-vu0,mac=52:54:00:00:00:01,addr=0x10,mq=on,vectors=6,rx_queue_size=1024,romfile="
    ]


def test_one_queue_needs_no_multiqueue() -> None:
    assert "mq=off,vectors=4" in options("-device", vhost_user=[{"socket": "/v.sock"}])[0]


def test_taps_and_the_user_s_network() -> None:
    netdevs = options(
        "-netdev",
        taps=[{"ifname": "t,0", "queues": 2}, {"ifname": "t1", "vhost": False}],
        user_net={"forwards": [{"host_port": 2222}]},
    )
    assert netdevs == [
        "user,id=net-user0,hostfwd=tcp:127.0.0.1:2222-:22",
        "tap,id=net-tap0,ifname=t,,0,script=no,downscript=no,vhost=on,queues=2",
        "tap,id=net-tap1,ifname=t1,script=no,downscript=no,vhost=off",
    ]


@pytest.mark.parametrize(
    ("tap", "end"),
    [
        ({"poll_us": 50, "sndbuf": 1048576}, "vhost=on,poll-us=50,sndbuf=1048576"),
        ({"poll_us": 0, "sndbuf": 0, "queues": 2}, "vhost=on,queues=2,poll-us=0,sndbuf=0"),
        ({"vhost": False, "sndbuf": 4096}, "vhost=off,sndbuf=4096"),
    ],
)
def test_a_tap_with_settings_of_its_own(tap: dict[str, Any], end: str) -> None:
    netdevs = options("-netdev", taps=[{"ifname": "t0", **tap}, {"ifname": "t1"}])
    assert netdevs[0] == f"tap,id=net-tap0,ifname=t0,script=no,downscript=no,{end}"
    assert netdevs[1].endswith("ifname=t1,script=no,downscript=no,vhost=on")


@pytest.mark.parametrize(
    ("given", "word"), [({}, "vectors=4"), ({"vectors": 0}, "vectors=0"), ({"vectors": 3}, "vectors=3")]
)
def test_vectors(given: dict[str, Any], word: str) -> None:
    (device,) = options("-device", taps=[{"ifname": "t0", **given}])
    assert word in device.split(",")


def test_a_macvtap_by_its_descriptors() -> None:
    opened = {"tap0": (100,), "tap2": (101, 102)}
    launch = Launch(LAUNCH.qemu, LAUNCH.version, "tcg", LAUNCH.directory, (), opened)
    taps = [
        {"ifname": "m0", "macvtap": True, "poll_us": 50, "sndbuf": 9},
        {"ifname": "t1"},
        {"ifname": "m2", "macvtap": True, "queues": 2, "vhost": False},
    ]
    assert options("-netdev", launch, taps=taps) == [
        "tap,id=net-tap0,fd=100,vhost=on,poll-us=50,sndbuf=9",
        "tap,id=net-tap1,ifname=t1,script=no,downscript=no,vhost=on",
        "tap,id=net-tap2,fds=101:102,vhost=off",
    ]
    assert "mq=on,vectors=6" in options("-device", launch, taps=taps)[2]


def test_disks() -> None:
    launch = Launch(LAUNCH.qemu, LAUNCH.version, "tcg", LAUNCH.directory, ("/over,lay", ""))
    disks = [{"base": "/base", "cache": "unsafe"}, {"base": "/ro,1", "readonly": True}]
    assert options("-drive", launch, disks=disks) == [
        "if=none,id=drive0,file=/over,,lay,cache=unsafe,format=qcow2",
        "if=none,id=drive1,file=/ro,,1,cache=writeback,readonly=on",
    ]


def test_a_boot_with_credentials_shows_none_of_them() -> None:
    line = words(kernel="/k", initrd="/i,1", append="a b;c", credentials={"b": "hunter2"}, credential_files={"a": "/f"})
    assert line[line.index("-kernel") : line.index("-kernel") + 6] == [
        "-kernel",
        "/k",
        "-initrd",
        "/i,1",
        "-append",
        "a b;c",
    ]
    assert [word for word in line if word.startswith("type=11")] == [
        "type=11,path=/run/virtperf/qemu/guest/credential0",
        "type=11,path=/run/virtperf/qemu/guest/credential1",
    ]
    assert "hunter2" not in " ".join(line)


def test_a_seed_for_cloud_init_is_a_disk() -> None:
    line = words(cloud_init={"hostname": "guest"})
    assert line[line.index("-blockdev") : line.index("-blockdev") + 4] == [
        "-blockdev",
        "driver=vvfat,node-name=seed0,dir=/run/virtperf/qemu/guest/seed,label=cidata,read-only=on",
        "-device",
        "virtio-blk-pci,id=seed0,drive=seed0,addr=0x1e",
    ]


def test_more_arguments_are_the_last() -> None:
    assert words(arguments=["-d", "int"])[-2:] == ["-d", "int"]


@given(st.text())
def test_qemu_reads_back_what_was_escaped(value: str) -> None:
    # As qemu_opts parses it: two commas are one, a single one ends the value.
    read, rest = "", escaped(value) + ",next=1"
    while rest.startswith(",,") or (rest and not rest.startswith(",")):
        read, rest = read + rest[0], rest[2:] if rest.startswith(",,") else rest[1:]
    assert (read, rest) == (value, ",next=1")
