# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A launch as a playbook hands it over."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.reflect.launch import Image, parse_image, parse_launch

VSWITCH = {
    "name": "vswitch",
    "cpus": [1],
    "ports": [{"device": "net_vhost0", "options": {"iface": "/run/v.sock"}}],
    "huge_dir": "/huge",
    "forward_mode": "io",
}
FAR_END = {"name": "generator", "cpus": [1, 2], "ports": [{"device": "0000:00:11.0"}], "huge_dir": "/huge"}
GUEST = {
    "vm": {"name": "reflect"},
    "driver": "igb_uio",
    "hugepages": {"count": 64},
    "pins": {"emulator": {"cpus": "0"}},
}


def launch(**more: Any) -> dict[str, Any]:
    cells = [{"cell": {"queues": 1}, "asked": {"queues": 1}, "trials": 3}]
    return {"vswitch": VSWITCH, "far_end": FAR_END, "cells": cells, **more}


def test_two_ends_on_this_host() -> None:
    found = parse_launch(launch())
    assert (found.far_end.kind, found.far_end.name, found.far_end.cpus) == ("testpmd", "generator", (1, 2))
    assert found.far_end.testpmd().ports[0].is_pci
    assert found.guest is None
    assert found.cpus == {"vswitch": [1], "generator": [1, 2]}
    assert [cell.trials for cell in found.cells] == [3]


def test_a_far_end_in_a_guest() -> None:
    guest = parse_launch(launch(guest=GUEST)).guest
    assert guest is not None
    assert (guest.driver, guest.addresses, guest.hugepages) == ("igb_uio", ("0000:00:11.0",), 64)


@pytest.mark.parametrize(("mode", "reflects", "cores"), [("io", True, 1), ("flowgen", False, 2)])
def test_who_reflects_with_how_many_cores(mode: str, reflects: bool, cores: int) -> None:
    found = parse_launch(launch(vswitch={**VSWITCH, "forward_mode": mode}))
    assert (found.vswitch_reflects, found.reflector_cores) == (reflects, cores)


@pytest.mark.parametrize(
    ("far_end", "said"),
    [
        ({"kind": "magic"}, "one of testpmd, kernel, pktgen"),
        ({"kind": "kernel"}, "without a guest"),
        ({"name": "a b"}, "cannot be named"),
    ],
)
def test_what_cannot_be_is_refused(far_end: dict[str, Any], said: str) -> None:
    with pytest.raises(VirtperfError, match=said):
        parse_launch(launch(far_end={**FAR_END, **far_end}))


def test_an_image_of_one_s_own_has_no_kernel() -> None:
    assert parse_image({"path": "/i.qcow2", "kernel": None, "name": "i"}) == Image("/i.qcow2", facts={"name": "i"})


@pytest.mark.parametrize("nothing", [None, {}, {"path": ""}])
def test_no_image(nothing: Any) -> None:
    assert parse_image(nothing) is None
