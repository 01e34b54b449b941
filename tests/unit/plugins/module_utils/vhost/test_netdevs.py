# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""QEMU's network options, in both ways of writing them."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.virtperf.vhost.plugins.module_utils.qemu.command import escaped
from ansible_collections.virtperf.vhost.plugins.module_utils.vhost.netdevs import (
    TapBackend,
    options,
    tap_backends,
    value_of,
)

KEYS = st.text(alphabet="abcdefghijklmnopqrstuvwxyz-", min_size=1).filter(lambda key: key != "type")


@given(st.dictionaries(KEYS, st.text()))
def test_options_come_back_as_they_were_written(given: dict[str, str]) -> None:
    text = ",".join(["tap", *(f"{key}={escaped(value)}" for key, value in given.items())])
    assert options(text) == {"type": "tap", **given}


@given(st.lists(st.text()))
def test_any_command_line_is_read(words: list[str]) -> None:
    tap_backends(words)
    tap_backends([word for text in words for word in ("-netdev", text)])


@pytest.mark.parametrize(
    ("words", "backend"),
    [
        ("-netdev tap,id=n,ifname=tap0,script=no,vhost=on,queues=4", TapBackend("n", "tap0", (), True, 4)),
        ("-netdev tap,id=n,ifname=tap0,vhost=off", TapBackend("n", "tap0")),
        ("-netdev tap,id=n,ifname=tap0", TapBackend("n", "tap0")),
        ("--netdev tap,id=n,ifname=tap0,vhost=on,vhost=off", TapBackend("n", "tap0")),
        ("-nic tap,ifname=tap0,model=virtio,vhost=on", TapBackend("", "tap0", (), True)),
        ("-netdev tap,fd=31,id=n,vhostforce=on", TapBackend("n", "", (31,), True)),
        ("-netdev tap,fds=31:32,id=n,vhost=on,vhostfds=33:34", TapBackend("n", "", (31, 32), True, 2)),
        ("-netdev tap,fd=31,id=n,vhostfd=33", TapBackend("n", "", (31,), True)),
        (
            "-netdev " + json.dumps({"type": "tap", "fds": "34:36", "vhost": True, "id": "n"}, separators=(",", ":")),
            TapBackend("n", "", (34, 36), True, 2),
        ),
        ('-netdev {"type":"tap","fd":"31","id":"n"}', TapBackend("n", "", (31,))),
        ("-netdev user,id=n", None),
        ("-netdev vhost-user,id=n,chardev=c", None),
        ('-netdev {"type":', None),
        ("netdev tap,id=n", None),
    ],
)
def test_backends(words: str, backend: TapBackend | None) -> None:
    assert tap_backends(["qemu", *words.split(" ", 1)]) == ([backend] if backend else [])


def test_the_last_of_an_option_counts() -> None:
    assert value_of(["q", "-name", "a", "--name", "b"], "name") == "b"
    assert value_of(["q", "-name"], "name") == ""
