# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module libvirt_domain as Ansible calls it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from ansible.module_utils.basic import AnsibleModule

from ansible_collections.virtperf.vhost.plugins.module_utils.module import RUN_ARGUMENTS
from ansible_collections.virtperf.vhost.plugins.modules import libvirt_domain
from ansible_collections.virtperf.vhost.tests.unit.documentation import documented_options
from ansible_collections.virtperf.vhost.tests.unit.plugins.module_utils.libvirt_domain.fake_libvirt import (
    XML,
    Libvirtd,
    running,
)
from ansible_collections.virtperf.vhost.tests.unit.plugins.modules.call import Run, caller


@pytest.fixture
def libvirtd(monkeypatch: pytest.MonkeyPatch) -> Iterator[Libvirtd]:
    with running(monkeypatch) as libvirtd:
        yield libvirtd


@pytest.fixture
def run(libvirtd: Libvirtd, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    return caller(libvirt_domain.main, libvirtd.host, capsys, monkeypatch)


def test_each_step_is_predicted_and_then_unchanged(run: Run, libvirtd: Libvirtd) -> None:
    changed = libvirtd.request(xml=XML.replace("<vcpu>1", "<vcpu>2"))
    for arguments in ({"domains": [libvirtd.request()]}, {"domains": [changed]}, {"state": "absent"}):
        arguments = {**arguments, "stop_limits": {"powerdown": 0}}
        before = [domain.UUIDString() for domain in libvirtd.domains]
        predicted = run(check=True, diff=True, **arguments)
        assert [domain.UUIDString() for domain in libvirtd.domains] == before
        done = run(diff=True, **arguments)
        assert done["changed"], arguments
        for key in ("changed", "actions", "diff", "restart_needed"):
            assert predicted[key] == done[key], (arguments, key)
        assert not run(**arguments)["changed"], arguments
    assert (libvirtd.domains, libvirtd.left()) == ([], [])


def test_the_diff_says_that_a_definition_is_another_one(run: Run, libvirtd: Libvirtd) -> None:
    run(domains=[libvirtd.request()])
    changed = [libvirtd.request(xml=XML.replace("<vcpu>1", "<vcpu>2"))]
    diff = run(domains=changed, check=True, diff=True)["diff"]
    pairs = list(zip(diff["before"].splitlines(), diff["after"].splitlines(), strict=True))
    assert [old.partition(":")[0] for old, new in pairs if old != new] == ["guest.definition"]


def test_ready_guests_and_what_is_told_of_them(run: Run, libvirtd: Libvirtd) -> None:
    when = {"console": "Linux version", "timeout": 5}
    done = run(domains=[libvirtd.request(accel="tcg")], ready_when=when)
    (domain,) = done["domains"]
    assert (domain["name"], domain["state"], domain["accel"]) == ("guest", "running", "tcg")
    assert Path(domain["serial_log"]).read_text() == "Linux version 6\n"
    assert Path(domain["overlays"][0]).exists()
    assert set(domain) == set(yaml.safe_load(libvirt_domain.RETURN)["domains"]["sample"][0])
    silent = run(domains=[libvirtd.request("b", accel="tcg")], ready_when={"console": "ready", "timeout": 0.1})
    assert silent["not_ready"] == ["b"]


def test_secrets_do_not_come_back(run: Run, libvirtd: Libvirtd) -> None:
    secret = libvirtd.directory / "key"
    secret.write_text("hunter2")
    done = run(domains=[libvirtd.request(credential_files={"passwd.root": str(secret)})], diff=True)
    text = json.dumps(done)
    assert "hunter2" not in text
    assert "aHVudGVyMg" not in text


def test_warnings_are_ansible_s(run: Run, libvirtd: Libvirtd, monkeypatch: pytest.MonkeyPatch) -> None:
    warned: list[str] = []
    monkeypatch.setattr(AnsibleModule, "warn", lambda _module, text: warned.append(text))
    libvirtd.lab.behave(kvm_says="error: failed to set MSR")
    run(domains=[libvirtd.request(accel="auto")])
    assert "KVM does not work here" in " ".join(warned)


def test_nothing_to_remove_needs_no_libvirt(run: Run, libvirtd: Libvirtd) -> None:
    libvirtd.there = False
    assert not run(state="absent")["changed"]
    assert not run(state="absent", domains=[{"name": "guest"}])["changed"]
    refused = run(domains=[libvirtd.request()])
    assert "libvirt at qemu:///system cannot be reached" in refused["msg"]
    assert "libvirt-daemon-system" in refused["msg"]


def test_only_those_named_are_removed(run: Run, libvirtd: Libvirtd) -> None:
    run(domains=[libvirtd.request("a"), libvirtd.request("b")])
    removed = run(state="absent", domains=[{"name": "a"}], stop_limits={"powerdown": 0})
    assert removed["stopped"] == {"a": "destroy"}
    assert [domain.name() for domain in libvirtd.domains] == ["b"]


def test_a_domain_that_runs_needs_xml(run: Run) -> None:
    assert "domain guest: xml is not usable" in run(domains=[{"name": "guest"}])["msg"]


def test_the_documentation_says_what_the_module_takes() -> None:
    documented = documented_options(libvirt_domain.DOCUMENTATION)
    spec = {key: value for key, value in libvirt_domain.ARGUMENTS.items() if key not in RUN_ARGUMENTS}
    assert {key: option["type"] for key, option in documented.items()} == {key: spec[key]["type"] for key in spec}
    domains = yaml.safe_load(libvirt_domain.DOCUMENTATION)["options"]["domains"]["suboptions"]
    assert set(domains) == set(libvirt_domain.DOMAIN)
    assert set(domains["disks"]["suboptions"]) == set(libvirt_domain.DISK)
