# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module dpdk_bind on this machine's own bus, in check mode: what the machine lives by is refused.

Nothing is bound here: that takes a function that nobody needs, which a guest has and this machine may not.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bench
import pytest

pytestmark = pytest.mark.apart

NET = Path("/sys/class/net")
DRIVERS = Path("/sys/bus/pci/drivers")


def bindings() -> dict[str, tuple[str, str]]:
    """Driver and override of every function."""
    return {
        path.name: ((path / "driver").resolve().name, (path / "driver_override").read_text())
        for path in Path("/sys/bus/pci/devices").glob("*")
    }


@pytest.fixture(autouse=True)
def bound_as_found() -> Iterator[None]:
    """Every function keeps its driver."""
    before = bindings()
    yield
    assert bindings() == before


def foresee(**device: str) -> dict[str, Any]:
    """The result of the module in check mode."""
    arguments = json.dumps({"devices": [device]})
    done = subprocess.run(
        [
            *(str(bench.CHECKOUT / "tools/env"), "ansible", "localhost", "--connection", "local", "--check"),
            *("--one-line", "-m", "virtperf.vhost.dpdk_bind", "-a", arguments),
        ],
        cwd=bench.CHECKOUT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )
    assert "=> {" in done.stdout, done.stdout
    result: dict[str, Any] = json.loads(done.stdout[done.stdout.index("=> {") + 3 :])
    return result


def address_of(path: Path) -> str:
    """The PCI function that something in sysfs belongs to, "" where that is none."""
    functions = {entry.name for entry in Path("/sys/bus/pci/devices").glob("*")}
    return next((part for part in reversed(path.resolve().parts) if part in functions), "")


def other_driver(address: str) -> str:
    """A driver that the kernel has and the function does not."""
    current = Path("/sys/bus/pci/devices", address, "driver").resolve().name
    return next(path.name for path in sorted(DRIVERS.iterdir()) if path.name != current)


def test_the_way_out_is_refused() -> None:
    routes = [line.split() for line in Path("/proc/net/route").read_text().splitlines()[1:]]
    interface = next((route[0] for route in routes if route[1] == route[7] == "00000000"), "")
    assert interface, "this machine has no default route: run the tests where it has one"
    address = address_of(NET / interface)
    if not address:  # in a container, or over a bridge
        assert "no PCI function has the interface" in foresee(interface=interface, driver="kernel")["msg"]
        return
    result = foresee(interface=interface, driver=other_driver(address))
    assert result["refused"][0]["address"] == address
    assert f"{interface}: it carries the default route of IPv4" in result["refused"][0]["reasons"]
    assert not foresee(address=address, driver="kernel")["changed"]


def test_a_mounted_disk_is_refused() -> None:
    mounted = {line.split()[2] for line in Path("/proc/self/mountinfo").read_text().splitlines()}
    blocks = [path for path in Path("/sys/class/block").iterdir() if (path / "dev").read_text().strip() in mounted]
    for path in blocks:
        if address := address_of(path):
            result = foresee(address=address, driver=other_driver(address))
            assert any(reason.startswith("disk ") for reason in result["refused"][0]["reasons"])


@pytest.mark.parametrize("driver", ["no-such-driver", "../virtio-pci"])
def test_a_driver_that_is_none(driver: str) -> None:
    functions = sorted(path.name for path in Path("/sys/bus/pci/devices").glob("*"))
    result = foresee(address=functions[0] if functions else "0000:00:00.0", driver=driver)
    assert "driver" in result["msg"] or "no PCI function" in result["msg"]
