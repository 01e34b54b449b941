# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked of a domain, read and refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.libvirt_domain import definition
from ansible_collections.virtperf.vhost.plugins.module_utils.libvirt_domain.definition import Request, parse
from ansible_collections.virtperf.vhost.tests.unit.plugins.module_utils.libvirt_domain.fake_libvirt import XML

GIVEN: dict[str, Any] = {"name": "guest", "xml": XML, "disks": [{"target": "vda", "base": "/i.img"}]}


def read(**more: Any) -> Request:
    return parse(Host(state="/s"), {**GIVEN, **more})


def test_what_is_kept_is_read_back() -> None:
    request = read(accel="tcg", credential_files={"b": "/b", "a": "/a"}, overlay_dir="/o")
    assert definition.read(json.loads(json.dumps(request.as_dict()))) == request
    assert (read().overlay_dir, request.overlay_dir) == ("/s/libvirt/guest", "/o")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "a/b"}, "cannot be named 'a/b'"),
        ({"xml": ""}, "xml is not usable"),
        ({"accel": "xen"}, "one of auto, kvm, tcg"),
        ({"disks": [{"target": "vdb", "base": "/i"}]}, "0 disks with <target dev='vdb'>"),
        ({"disks": [{"target": "x'y", "base": "/i"}]}, 'target "x\'y"'),
        ({"disks": [{"target": "vda", "base": "/i"}] * 2}, "target 'vda'"),
        ({"disks": [{"target": "vda", "base": "i"}]}, "disks.base is not usable (found: 'i')"),
        ({"disks": [{"target": "vda", "base": "/i", "min_free": "much"}]}, "disks.min_free is not usable"),
        ({"overlay_dir": "o"}, "overlay_dir is not usable"),
        ({"credential_files": {"a b": "/a"}}, "credential_files is not usable (found: 'a b')"),
        ({"credential_files": {"a": "b"}}, "credential_files.a is not usable (found: 'b')"),
    ],
)
def test_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(VirtperfError) as caught:
        read(**change)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("change", "differs"),
    [
        ({}, []),
        ({"xml": XML.replace("\n", "\n ")}, []),
        ({"xml": XML.replace("<vcpu>1", "<vcpu>2"), "accel": "kvm"}, ["xml: vcpu", "accel"]),
        ({"disks": [{"target": "vda", "base": "/other"}]}, ["disks"]),
        ({"credential_files": {"a": "/a"}}, ["credential_files"]),
    ],
)
def test_what_differs(change: dict[str, Any], differs: list[str]) -> None:
    assert read(**change).differing(read()) == differs


def test_a_definition_is_told_from_another() -> None:
    assert read().digest() == read().digest()
    assert read(accel="kvm").digest() != read().digest()
