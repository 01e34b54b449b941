# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From what somebody asks for to the command line of a pktgen."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.pktgen.definition import LINK_SPEEDS_MBPS, parse

# As a plan has it for a guest.
GENERATOR: dict[str, Any] = {
    "name": "generator",
    "cpus": [1],
    "main_cpu": 0,
    "ports": [{"device": "0000:00:11.0"}],
    "huge_dir": "/dev/hugepages",
    "memory_mib": 256,
    "queues": 1,
    "link_speed_mbps": 0,
}
TWO_PORTS = [{"device": "0000:00:11.0"}, {"device": "0000:00:12.0"}]


def command(**changes: Any) -> list[str]:
    return parse({**GENERATOR, **changes}).command("/usr/local/bin/pktgen", "/run/orders.lua")


def refusal(**changes: Any) -> str:
    with pytest.raises(VirtperfError) as caught:
        parse({**GENERATOR, **changes})
    return str(caught.value)


class TestCommand:
    def test_one_port_of_one_queue(self) -> None:
        assert command() == [
            "/usr/local/bin/pktgen",
            "--lcores=0@0,1@1",
            "--main-lcore=0",
            "--file-prefix=virtperf-pktgen-generator",
            "--huge-dir=/dev/hugepages",
            "--single-file-segments",
            "--socket-mem=256",
            "--log-level=pmd.net.virtio.init:debug",
            "--allow=0000:00:11.0",
            "--",
            "-P",
            "-m",
            "[1].0",
            "-f",
            "/run/orders.lua",
        ]

    def test_each_queue_of_each_port_has_a_core(self) -> None:
        words = command(ports=TWO_PORTS, queues=2, cpus=[4, 5, 6, 7])
        assert "--lcores=0@0,1@4,2@5,3@6,4@7" in words
        assert [words[n + 1] for n, word in enumerate(words) if word == "-m"] == ["[1-2].0", "[3-4].1"]

    # pktgen binds a thread that never sleeps to the CPU of this number.
    @pytest.mark.parametrize(
        ("main_cpu", "cpus", "lcores", "mapping"),
        [
            (1, [2, 3], "1@1,2@2,3@3", "[2-3].0"),
            (2, [0, 1], "2@2,3@0,4@1", "[3-4].0"),
            (5, [0, 1], "5@5,1@0,2@1", "[1-2].0"),
            (200, [201, 202], "127@200,1@201,2@202", "[1-2].0"),
        ],
    )
    def test_the_main_lcore_has_the_number_of_its_cpu(
        self, main_cpu: int, cpus: list[int], lcores: str, mapping: str
    ) -> None:
        words = command(main_cpu=main_cpu, cpus=cpus, queues=2)
        assert f"--lcores={lcores}" in words
        assert f"--main-lcore={lcores.partition('@')[0]}" in words
        assert mapping in words

    def test_the_speed_of_every_link_is_lifted(self) -> None:
        words = command(ports=TWO_PORTS, cpus=[1, 2], link_speed_mbps=100000)
        assert [word for word in words if "speed" in word] == [
            "--allow=0000:00:11.0,speed=100000",
            "--allow=0000:00:12.0,speed=100000",
        ]
        virtual = {"device": "net_virtio_user0", "options": {"path": "/run/v.sock"}}
        assert "--vdev=net_virtio_user0,path=/run/v.sock,speed=25000" in command(ports=[virtual], link_speed_mbps=25000)


class TestParse:
    def test_it_survives_a_state_file(self) -> None:
        definition = parse({**GENERATOR, "link_speed_mbps": "40000"})
        assert parse(json.loads(json.dumps(definition.as_dict()))) == definition
        assert definition.link_speed_mbps == 40000

    @pytest.mark.parametrize(
        "ports", [[{"device": "net_vhost0", "options": {"iface": "/s"}}], [{"device": "net_tap0"}]]
    )
    def test_only_virtio_is_measured(self, ports: list[Any]) -> None:
        assert "net_virtio_user<n>" in refusal(ports=ports)

    def test_a_core_cannot_serve_two_queues(self) -> None:
        assert "1 CPUs for 1 ports of 2 queues" in refusal(queues=2)
        assert "3 CPUs for 2 ports of 1 queues" in refusal(ports=TWO_PORTS, cpus=[1, 2, 3])

    def test_the_main_thread_needs_a_cpu_that_does_not_forward(self) -> None:
        assert "main_cpu is not usable" in refusal(main_cpu=1)

    @pytest.mark.parametrize("speed", [1, 1000, 12345, 400000])
    def test_speeds_are_those_that_the_driver_takes(self, speed: int) -> None:
        said = refusal(link_speed_mbps=speed)
        assert f"found: {speed}" in said
        assert str(LINK_SPEEDS_MBPS[-1]) in said

    def test_the_speed_is_asked_for_once(self) -> None:
        port = {"device": "0000:00:11.0", "options": {"speed": "25000"}}
        assert "an option speed" in refusal(ports=[port], link_speed_mbps=100000)
        assert "--allow=0000:00:11.0,speed=25000" in command(ports=[port])

    def test_other_fields(self) -> None:
        assert "pktgen generator: wings is not usable" in refusal(wings=2)
        assert "give at least one port" in refusal(ports=[])
        assert "huge_dir" in refusal(huge_dir="pages")
        assert "from 16 to" in refusal(memory_mib=1)
