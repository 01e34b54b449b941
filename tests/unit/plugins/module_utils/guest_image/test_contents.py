# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is written into the tree of an image."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils.guest_image import contents


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    units = tmp_path / "etc/systemd/system"
    (units / "multi-user.target.wants").mkdir(parents=True)
    (units / "multi-user.target.wants/nginx.service").symlink_to("/usr/lib/systemd/system/nginx.service")
    (units / "sshd.service").symlink_to("/usr/lib/systemd/system/ssh.service")
    (tmp_path / "etc/ssh").mkdir()
    for name in ("ssh_host_rsa_key", "ssh_host_rsa_key.pub", "sshd_config"):
        (tmp_path / "etc/ssh" / name).write_text("x")
    (tmp_path / "etc/apt/apt.conf.d").mkdir(parents=True)
    (tmp_path / "etc/apt/apt.conf.d/99mmdebstrap").write_text('Acquire::http::Proxy "http://me:secret@proxy";')
    (tmp_path / "etc/hostname").write_text("builder\n")
    return tmp_path


def test_no_host_keys_and_no_trace_of_the_builder(tree: Path) -> None:
    contents.configure(str(tree))
    assert sorted(os.listdir(tree / "etc/ssh")) == ["sshd_config", "sshd_config.d"]
    assert not (tree / "etc/apt/apt.conf.d/99mmdebstrap").exists()
    assert not (tree / "etc/hostname").exists()
    assert (tree / "etc/machine-id").read_text() == ""


def test_only_what_is_meant_to_is_enabled(tree: Path) -> None:
    contents.configure(str(tree))
    units = tree / "etc/systemd/system"
    enabled = {
        (path.parent.name, path.name)
        for path in units.glob("*/*")
        if path.parent.name.endswith((".wants", ".requires"))
    }
    assert enabled == {(place, name) for place, names in contents.ENABLED.items() for name in names}
    assert os.readlink(units / "multi-user.target.wants/ssh.service") == "/etc/systemd/system/ssh.service"
    assert os.readlink(units / "apt-daily.timer") == "/dev/null"
    assert not set(contents.MASKED) & {name for names in contents.ENABLED.values() for name in names}


def test_no_passwords(tree: Path) -> None:
    contents.configure(str(tree))
    sshd = (tree / "etc/ssh/sshd_config.d/virtperf.conf").read_text().splitlines()
    assert {"PasswordAuthentication no", "KbdInteractiveAuthentication no", "UsePAM no"} <= set(sshd)
    assert "PermitRootLogin prohibit-password" in sshd


def test_a_hypervisor_is_a_guest_until_its_kernel_is_told_otherwise(tree: Path) -> None:
    contents.configure(str(tree), hypervisor=True)
    units = tree / "etc/systemd/system"
    assert os.readlink(units / "default.target") == "/usr/lib/systemd/system/multi-user.target"
    option, _sign, target = contents.HYPERVISOR_OPTION.partition("=")
    assert option == "systemd.unit"
    wanted = (units / target).read_text()
    assert "Requires=multi-user.target\n" in wanted
    service = next(word for word in wanted.split() if word.endswith("virtperf-hypervisor.service"))
    assert "vhost_net" in (units / service.partition("=")[2]).read_text()
    enabled = {path.name for path in units.glob("*.wants/*")}
    assert not any("hypervisor" in name or "libvirt" in name for name in enabled)
