# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module dpdk_bind as Ansible calls it, on a bus that is a directory."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.testing import patch_module_args

from ansible_collections.virtperf.vhost.plugins.module_utils import module
from ansible_collections.virtperf.vhost.plugins.module_utils.journal import Journal
from ansible_collections.virtperf.vhost.plugins.module_utils.pci import bind
from ansible_collections.virtperf.vhost.plugins.modules import dpdk_bind
from ansible_collections.virtperf.vhost.tests.unit.fake_pci import NIC, OTHER_NIC, FakeSystem, PciHost, pci_host

Run = Callable[..., dict[str, Any]]
UIO = {"address": NIC, "driver": "uio_pci_generic"}


@pytest.fixture
def host(tmp_path: Path) -> PciHost:
    return pci_host(tmp_path)


@pytest.fixture
def run(host: PciHost, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Call main() and return the result."""
    system = FakeSystem(host.bus)
    monkeypatch.setattr(module, "Host", lambda: host)
    monkeypatch.setitem(bind.ensure.__kwdefaults__, "system", system)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(PciHost, "private_directory", lambda _self, path: os.makedirs(path, exist_ok=True))

    def run(**arguments: Any) -> dict[str, Any]:
        with patch_module_args(arguments), pytest.raises(SystemExit) as caught:
            dpdk_bind.main()
        result: dict[str, Any] = json.loads(capsys.readouterr().out)
        assert bool(caught.value.code) == result.get("failed", False)
        return result

    return run


def test_foreseen_done_and_left_alone(run: Run, host: PciHost) -> None:
    predicted = run(devices=[UIO], run_id="run-7", _ansible_check_mode=True, _ansible_diff=True)
    assert host.bus.written == []
    done = run(devices=[UIO], run_id="run-7", _ansible_diff=True)
    for key in ("changed", "actions", "diff"):
        assert predicted[key] == done[key], key
    assert done["diff"] == {
        "before": {NIC: "virtio-pci"},
        "after": {NIC: "uio_pci_generic (driver_override uio_pci_generic)"},
    }
    assert [entry.run_id for entry in Journal(host).entries()] == ["run-7"]
    assert not run(devices=[UIO])["changed"]


def test_a_refusal(run: Run, host: PciHost) -> None:
    host.bus.default_route("eth0")
    result = run(devices=[{"address": OTHER_NIC, "driver": "igb_uio"}, UIO], force=True)
    assert result["refused"] == [
        {"address": NIC, "driver": "uio_pci_generic", "reasons": ["eth0: it carries the default route of IPv4"]}
    ]
    assert "nothing was touched" in result["msg"]
    assert host.bus.written == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "missing required arguments: devices"),
        ({"devices": [{"address": NIC}]}, "missing required arguments: driver"),
        ({"devices": [{"driver": "igb_uio"}]}, "one of the following is required: address, mac, interface"),
        ({"devices": [{**UIO, "mac": "02:00:00:00:00:04"}]}, "mutually exclusive"),
        ({"devices": [{**UIO, "name": "x"}]}, "Unsupported parameters"),
        ({"devices": [{**UIO, "address": "x; y"}]}, "'x; y' is no PCI address"),
    ],
)
def test_bad_arguments(run: Run, arguments: dict[str, Any], message: str) -> None:
    result = run(**arguments)
    assert result["failed"]
    assert message in result["msg"]


def test_no_devices_are_no_change(run: Run) -> None:
    assert not run(devices=[])["changed"]


def test_documentation_and_specification_agree() -> None:
    documented = yaml.safe_load(dpdk_bind.DOCUMENTATION)["options"]
    assert set(documented) | {"run_id"} == set(dpdk_bind.ARGUMENTS)
    assert set(documented["devices"]["suboptions"]) == set(dpdk_bind.DEVICE)


def test_everything_returned_is_documented(run: Run, host: PciHost) -> None:
    documented = yaml.safe_load(dpdk_bind.RETURN)
    result = run(devices=[UIO])
    assert set(result) - {"changed", "invocation"} <= set(documented)
    assert set(result["devices"][0]) == set(documented["devices"]["contains"])
    failure_keys = set(documented) | {"msg", "failed", "changed", "invocation", "exception"}
    host.bus.rejects.add("igb_uio")
    for device in ({"address": NIC, "driver": "vfio-pci"}, {"address": NIC, "driver": "igb_uio"}):
        assert set(run(devices=[device])) <= failure_keys
