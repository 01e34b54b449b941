# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an agent can be told, with ends of the test's own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.far_end import orders as orders_module
from ansible_collections.virtperf.vhost.plugins.module_utils.far_end.orders import Kept, Orders
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host

PORT = "0000:00:11.0"


class FakeEnd:
    """Notes what is done to it."""

    def __init__(self, name: str, notes: list[str]) -> None:
        self.name = name
        self.notes = notes
        self.running = True

    def offer(self, packet_size: int, *, forwarding: bool) -> None:
        self.notes.append(f"offer {packet_size} {forwarding}")

    def setup(self) -> dict[str, Any]:
        return {"link_up": True}

    def is_running(self) -> bool:
        return self.running

    def stop(self) -> str:
        self.notes.append(f"stop {self.name}")
        if self.name == "stubborn":
            raise VirtperfError("it survives SIGKILL")
        self.running = False
        return "quit"


@pytest.fixture
def notes() -> list[str]:
    return []


@pytest.fixture
def orders(notes: list[str], monkeypatch: pytest.MonkeyPatch) -> Orders:
    def start(host: Host, raw: Mapping[str, Any]) -> Kept:
        name = str(raw["name"])
        notes.append(f"start {name}")
        return Kept(FakeEnd(name, notes), (PORT,), lambda: notes.append(f"forget {name}"))  # type: ignore[arg-type]

    monkeypatch.setattr(orders_module, "_KINDS", {"fake": start})
    return Orders(Host())


def end(orders: Orders, name: str) -> Any:
    return orders.obey("end", {"kind": "fake", "definition": {"name": name}})


def test_only_orders(orders: Orders) -> None:
    assert orders.obey("clock", {}) is None
    for name in ("obey", "close", "__init__"):
        with pytest.raises(VirtperfError, match="knows no order"):
            orders.obey(name, {})


def test_only_kinds(orders: Orders) -> None:
    with pytest.raises(VirtperfError, match="no end of kind 'teleport'") as caught:
        orders.obey("end", {"kind": "teleport", "definition": {}})
    assert caught.value.way_out == "one of fake"


def test_a_method_of_an_end(orders: Orders, notes: list[str]) -> None:
    assert end(orders, "generator") == "generator"
    arguments = {"packet_size": 64, "forwarding": True}
    orders.obey("do", {"name": "generator", "method": "offer", "arguments": arguments})
    assert notes == ["start generator", "offer 64 True"]


def test_only_what_ends_have_in_common(orders: Orders) -> None:
    end(orders, "generator")
    with pytest.raises(VirtperfError, match="does not '__class__'"):
        orders.obey("do", {"name": "generator", "method": "__class__", "arguments": {}})
    with pytest.raises(VirtperfError, match="no end 'reflector' here") as caught:
        orders.obey("do", {"name": "reflector", "method": "log", "arguments": {}})
    assert caught.value.found == "generator"


def test_the_driver_is_read_back(orders: Orders, monkeypatch: pytest.MonkeyPatch) -> None:
    end(orders, "generator")
    monkeypatch.setattr(orders, "_driver", lambda addresses: f"driver of {addresses}")
    setup = orders.obey("do", {"name": "generator", "method": "setup", "arguments": {}})
    assert setup == {"link_up": True, "driver": f"driver of {(PORT,)}"}


def test_another_of_its_name_takes_its_place(orders: Orders, notes: list[str]) -> None:
    end(orders, "generator")
    end(orders, "generator")
    assert notes == ["start generator", "stop generator", "forget generator", "start generator"]


def test_one_that_ended_gives_back_what_it_holds_before_the_next_starts(orders: Orders, notes: list[str]) -> None:
    end(orders, "generator")
    orders.obey("do", {"name": "generator", "method": "stop", "arguments": {}})
    end(orders, "reflector")
    assert notes[-2:] == ["forget generator", "start reflector"]


def test_one_that_runs_is_left_alone(orders: Orders, notes: list[str]) -> None:
    end(orders, "generator")
    end(orders, "reflector")
    assert notes == ["start generator", "start reflector"]


def test_at_the_end_all_are_stopped_whatever_one_of_them_does(orders: Orders, notes: list[str]) -> None:
    end(orders, "stubborn")
    end(orders, "generator")
    with pytest.raises(VirtperfError, match="survives SIGKILL"):
        orders.close()
    assert notes[-2:] == ["stop generator", "forget generator"]


@pytest.mark.parametrize(("asked", "bound"), [("igb_uio", "igb_uio"), ("virtio-net", "kernel")])
def test_binding(orders: Orders, asked: str, bound: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from ansible_collections.virtperf.vhost.plugins.module_utils.pci import bind

    monkeypatch.setattr(bind, "ensure", lambda host, devices: {"devices": devices})
    done = orders.obey("bind", {"addresses": [PORT], "driver": asked})
    assert done == {"devices": [{"address": PORT, "driver": bound}]}


def test_hugepages(orders: Orders, monkeypatch: pytest.MonkeyPatch) -> None:
    from ansible_collections.virtperf.vhost.plugins.module_utils import hugepages

    monkeypatch.setattr(hugepages, "ensure", lambda host, pools: {"pools": pools})
    (pool,) = orders.obey("hugepages", {"count": 64})["pools"]
    assert (pool["size"], pool["count"], pool["policy"]) == ("2M", 64, "at_least")
