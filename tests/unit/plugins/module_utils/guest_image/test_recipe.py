# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an image is made of, and what of that makes it another one."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.guest_image import contents, recipe

GIVEN: dict[str, Any] = {
    "profile": "reflect",
    "packages": [],
    "mirror": "http://deb.debian.org/debian",
    "disk_mib": 4096,
    "format": "raw",
}


def named(**changes: Any) -> str:
    return recipe.parse({**GIVEN, **changes}).name


def test_the_same_recipe_has_the_same_name_however_it_is_written() -> None:
    assert named() == named(mirror="http://deb.debian.org/debian/")
    assert named(packages=["strace", "gdb"]) == named(packages=["gdb", "strace", "gdb"])
    assert named().startswith("debian-13-reflect-")


@pytest.mark.parametrize(
    "change",
    [
        {"profile": "full"},
        {"packages": ["strace"]},
        {"mirror": "http://mirror.example/debian"},
        {"disk_mib": 8192},
        {"format": "qcow2"},
    ],
)
def test_what_changes_the_image_changes_its_name(change: dict[str, Any]) -> None:
    assert named(**change) != named()


def test_what_we_write_into_it_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    before, essential = named(), named(profile="essential")
    monkeypatch.setattr(contents, "FILES", {**contents.FILES, "etc/motd": "hello\n"})
    assert named() != before
    assert named(profile="essential") == essential, "which has none of it"


def test_what_only_a_hypervisor_has_counts_for_it_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    full, hypervisor = named(profile="full"), named(profile="hypervisor")
    monkeypatch.setattr(contents, "HYPERVISOR_FILES", {})
    assert named(profile="hypervisor") != hypervisor
    assert named(profile="full") == full
    kinds = recipe.PROFILES
    assert set(kinds["full"].packages) < set(kinds["hypervisor"].packages), "its guests are started from it"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"profile": "tiny"}, "profile"),
        ({"packages": ["iperf3; reboot"]}, "iperf3; reboot"),
        ({"packages": ["--simulate"]}, "--simulate"),
        ({"mirror": "http://me:secret@mirror/debian"}, "auth.conf"),
        ({"mirror": "ftp://mirror/debian"}, "mirror"),
        ({"mirror": "http://mirror/a b"}, "mirror"),
        ({"disk_mib": 1}, "disk_mib"),
        ({"format": "vmdk"}, "format"),
    ],
)
def test_what_is_refused(change: dict[str, Any], told: str) -> None:
    with pytest.raises(VirtperfError) as caught:
        recipe.parse({**GIVEN, **change})
    assert told in str(caught.value)
    assert "Way out" in str(caught.value)


@given(st.lists(st.text(max_size=12), min_size=1, max_size=4))
def test_no_package_name_is_an_option_or_two_names(packages: list[str]) -> None:
    try:
        parsed = recipe.parse({**GIVEN, "packages": packages})
    except VirtperfError:
        return
    assert all(not package.startswith("-") and not set(package) & set(", ;'\"") for package in parsed.packages)


def test_the_command_line_has_no_secrets_and_no_shell() -> None:
    command = recipe.parse({**GIVEN, "packages": ["strace"]}).command("mmdebstrap", "/t r/ee", "/apt.conf", "/hook")
    assert command[-3:] == ["trixie", "/t r/ee", "http://deb.debian.org/debian"]
    assert "--aptopt=/apt.conf" in command
    (include,) = [word for word in command if word.startswith("--include=")]
    assert {"strace", "dpdk-dev", "dpdk-kmods-dkms"} <= set(include.partition("=")[2].split(","))


def test_an_essential_image_runs_nothing_of_ours_in_its_tree() -> None:
    essential = recipe.parse({**GIVEN, "profile": "essential"})
    assert essential.finish_script() == ""
    command = essential.command("mmdebstrap", "/tree", "/apt.conf", "")
    assert not any(word.startswith(("--include", "--customize-hook")) for word in command)


def test_what_only_building_needs_is_purged() -> None:
    script = recipe.parse(GIVEN).finish_script()
    assert "purge dpdk-kmods-dkms linux-headers-cloud-amd64 zstd dkms" in script
