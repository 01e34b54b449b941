# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked for, before anything is looked at."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.vhost_cgroup.request import VmWish, group, parse


@given(st.text(alphabet=st.sampled_from("ab./\n ;\"'cpu0")))
def test_a_path_never_leaves_the_tree(text: str) -> None:
    try:
        path = group(text)
    except VirtperfError:
        return
    assert path.startswith("/")
    assert not {"", ".", ".."} & set(path[1:].split("/"))
    assert group(path) == path


@pytest.mark.parametrize("text", ["", "/", "a//b", "a/../b", "cpu.max", "a/cgroup.procs", "emulator", "vcpu12", "a\nb"])
def test_no_path_of_ours(text: str) -> None:
    with pytest.raises(VirtperfError, match="no path"):
        group(text)


def test_names_may_be_awkward() -> None:
    assert group('it\'s a; "place"/cpu') == '/it\'s a; "place"/cpu'


@pytest.mark.parametrize(
    ("given", "controllers"),
    [
        ({}, ("cpu",)),
        ({"cpus": "1"}, ("cpuset",)),
        ({"controllers": ["cpuset"], "weight": 5}, ("cpuset", "cpu")),
        ({"controllers": ["cpuset"]}, ("cpuset",)),
    ],
)
def test_only_the_controllers_wanted(given: dict[str, Any], controllers: tuple[str, ...]) -> None:
    assert parse({"cgroup": "a", "vms": [], **given}).controllers == controllers


def test_vms() -> None:
    request = parse({"cgroup": "a", "vms": [{"name": "x", "interface": "t"}, {"name": None, "pid": 7}]})
    assert request.vms == (VmWish("x", None, "t"), VmWish("", 7, ""))
    for vms, message in (([{"interface": "t"}], "neither name nor pid"), ([{"pid": 7}] * 2, "VM 7 is listed twice")):
        with pytest.raises(VirtperfError, match=message):
            parse({"cgroup": "a", "vms": vms})
