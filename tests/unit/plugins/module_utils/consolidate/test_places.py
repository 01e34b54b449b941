# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Guests and hypervisor made ready."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils.consolidate import places
from ansible_collections.virtperf.vhost.plugins.module_utils.consolidate.setup import Setup, setup
from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.traffic.station import Ended
from ansible_collections.virtperf.vhost.tests.unit import consolidate_stations as make

ALL = ("tcp_rr", "memcached", "nginx")
LINKS = [
    {"ifname": "lo", "address": "00:00:00:00:00:00"},
    {"ifname": "eth1", "address": "52:54:00:c5:01:01"},
    {"ifname": "eth2", "address": "52:54:00:c5:02:01"},
]


def made(*workloads: str, policy: str = "baseline") -> Setup:
    return setup(make.arguments(trials=[make.trial(name, policy=policy) for name in workloads]))


def station(links: list[dict[str, str]] = LINKS, has: str = "/usr/bin/netperf /usr/bin/memcached /usr/sbin/nginx"):  # type: ignore[no-untyped-def]
    def answer(words: Sequence[str]) -> str:
        if words[0] == "ip" and words[1] == "-json":
            return json.dumps(links)
        return has.replace(" ", "\n") if "command -v" in " ".join(words) else ""

    return make.FakeStation("g1", answers=answer)


def test_a_guest_gets_an_address_on_each_nic_and_its_servers() -> None:
    there, all_of_it = station(), made(*ALL)
    assert places.prepare_guest(there, all_of_it.guests[0], all_of_it) == {"plain": "eth1", "poll": "eth2"}
    assert ["ip", "address", "replace", "198.19.1.1/24", "dev", "eth1"] in there.commands
    assert ["ip", "address", "replace", "198.19.2.1/24", "dev", "eth2"] in there.commands
    assert [(key, words[0]) for key, words, _at in there.started] == [("memcached", "memcached"), ("nginx", "nginx")]
    assert any("arp_ignore" in words[-1] for words in there.commands)


def test_a_guest_starts_no_server_that_is_not_asked() -> None:
    there, netperf = station(has="/usr/bin/netperf"), made("tcp_rr")
    places.prepare_guest(there, netperf.guests[0], netperf)
    assert there.started == []


@pytest.mark.parametrize(
    ("there", "message"),
    [
        (station(has="/usr/bin/netperf"), "guest g1 has no memcached and no nginx. Way out: .*profile full"),
        (station(links=LINKS[:2]), r"guest g1 has no NIC poll \(52:54:00:c5:02:01\) .*eth1 52:54:00:c5:01:01"),
    ],
)
def test_what_a_guest_lacks(there: make.FakeStation, message: str) -> None:
    all_of_it = made(*ALL)
    with pytest.raises(VirtperfError, match=message):
        places.prepare_guest(there, all_of_it.guests[0], all_of_it)


def test_netserver_listens_where_it_is_measured_and_nowhere_else() -> None:
    here = make.FakeStation()
    places.prepare_here(here, made("tcp_rr", policy="sidecore_poll"))
    ((key, words, _at),) = here.started
    assert key == "netserver poll"
    assert words[0] == "netserver"
    assert words[-2:] == ["-L", "198.19.2.254"]
    nothing = make.FakeStation()
    places.prepare_here(nothing, made("nginx"))
    assert nothing.started == []


def test_the_site_that_a_guest_serves(tmp_path: Path) -> None:
    script = places._SITE.replace(places._DIRECTORY, str(tmp_path))
    subprocess.run(["sh", "-ec", script, "sh", places._NGINX], check=True)
    assert (tmp_path / "nginx.conf").read_text() == places._NGINX
    assert (tmp_path / "www" / "index.html").read_bytes() == b"x" * 1024


def test_programs_that_the_hypervisor_lacks_are_told_with_their_packages() -> None:
    all_of_it = made(*ALL)
    assert places.missing_here(all_of_it, lambda name: None if name == "ab" else f"/usr/bin/{name}") == [
        "apache2-utils"
    ]
    # Debian calls it memcaslap, others do not.
    assert places.missing_here(all_of_it, lambda name: None if name == "memcaslap" else f"/usr/bin/{name}") == []
    assert places.maker(lambda name: "/x" if name == "memaslap" else None) == "memaslap"
    assert places.maker(lambda _name: None) == "memcaslap"


def test_it_is_an_error_before_anything_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "missing_here", lambda _made: ["netperf", "apache2-utils"])
    with pytest.raises(VirtperfError, match=r"missing: netperf, apache2-utils.*apt-get install netperf apache2-utils"):
        places.check_here(made(*ALL))
    monkeypatch.setattr(places, "missing_here", lambda _made: [])
    places.check_here(made(*ALL))


def test_every_server_is_asked_over_every_nic_that_is_used() -> None:
    all_of_it, asked = made(*ALL, policy="sidecore_poll"), []
    stations = {name: make.FakeStation(name) for name in ("g1", "g2")}
    places.wait_ready(all_of_it, stations, lambda address, port: asked.append((address, port)))
    assert asked == [
        ("198.19.2.1", 11211),
        ("198.19.2.1", 80),
        ("198.19.2.2", 11211),
        ("198.19.2.2", 80),
        ("198.19.2.254", 12885),
    ]


def test_a_server_that_has_ended_is_not_waited_for() -> None:
    def refuse(_address: str, _port: int) -> None:
        raise ConnectionRefusedError(111, "Connection refused")

    stations = {name: make.FakeStation(name) for name in ("g1", "g2")}
    stations["g1"].over["nginx"] = Ended(1, "", "bind() to 0.0.0.0:80 failed", 0.0, 1.0)
    with pytest.raises(VirtperfError, match=r"port 80 of guest g1 by its NIC plain .*bind\(\) to 0.0.0.0:80 failed"):
        places.wait_ready(made("nginx"), stations, refuse)


def test_a_server_that_is_never_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "_READY_S", 0.15)

    def refuse(_address: str, _port: int) -> None:
        raise ConnectionRefusedError(111, "Connection refused")

    with pytest.raises(VirtperfError, match=r"netserver here does not answer at 198.19.1.254 .*Connection refused"):
        places.wait_ready(made("tcp_rr"), {}, refuse)
