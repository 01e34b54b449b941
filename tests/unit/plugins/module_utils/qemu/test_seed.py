# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A seed is what cloud-init reads: YAML of its own kind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.qemu import seed
from ansible_collections.virtperf.vhost.plugins.module_utils.qemu.definition import CloudInit

NETWORK = {"version": 2, "ethernets": {"lab": {"match": {"macaddress": "52:54:00:00:00:01"}}}}


@pytest.fixture
def key(tmp_path: Path) -> str:
    (tmp_path / "key").write_text("-----BEGIN\nsecret\n")
    (tmp_path / "key.pub").write_text("ssh-ed25519 AAAA\n")
    return str(tmp_path / "key")


def read(told: CloudInit) -> dict[str, Any]:
    return {name: yaml.safe_load(text) for name, text in seed.files(Host(), told).items()}


def test_all_of_it(key: str) -> None:
    told = CloudInit("web", "root", ("ssh-ed25519 A", "ssh-ed25519 B"), key, NETWORK, "virtperf: ready")
    files = read(told)
    assert seed.files(Host(), told)["user-data"].startswith("#cloud-config\n")
    assert files["network-config"] == NETWORK
    assert files["meta-data"]["local-hostname"] == "web"
    data = files["user-data"]
    assert data["users"] == [
        {"name": "root", "ssh_authorized_keys": ["ssh-ed25519 A", "ssh-ed25519 B"], "lock_passwd": True}
    ]
    assert (data["disable_root"], data["ssh_pwauth"]) == (False, False)
    assert data["ssh_keys"] == {"ed25519_private": "-----BEGIN\nsecret\n", "ed25519_public": "ssh-ed25519 AAAA"}
    assert data["runcmd"] == [["sh", "-c", "echo 'virtperf: ready' >/dev/ttyS0"]]


def test_what_is_not_given_is_not_there() -> None:
    files = read(CloudInit("web"))
    assert sorted(files) == ["meta-data", "user-data"]
    assert {"ssh_keys", "runcmd"}.isdisjoint(files["user-data"])


def test_another_user_may_use_sudo_and_root_is_shut() -> None:
    data = read(CloudInit("web", "lab"))["user-data"]
    assert data["users"][0]["sudo"] == "ALL=(ALL) NOPASSWD:ALL"
    assert data["disable_root"] is True


def test_another_seed_is_another_instance() -> None:
    seeds = [CloudInit("web"), CloudInit("web", authorized_keys=("a",)), CloudInit("web", network_config=NETWORK)]
    ids = [read(told)["meta-data"]["instance-id"] for told in seeds]
    assert len(set(ids)) == 3
    assert read(seeds[0])["meta-data"]["instance-id"] == ids[0]
