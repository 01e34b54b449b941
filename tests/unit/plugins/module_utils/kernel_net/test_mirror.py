# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sending back by tc, with a tc of the test's own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.kernel_net.mirror import Mirror
from ansible_collections.virtperf.vhost.tests.unit.plugins.module_utils.kernel_net.fake_kernel import build


class Tc:
    """A script that notes its arguments; one that has ``refuses`` among them fails."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.said = directory / "said"
        self.refuses = directory / "refuses"
        self.refuses.write_text("nothing of the kind")
        program = directory / "bin" / "tc"
        program.parent.mkdir()
        program.write_text(
            f'#!/bin/sh\necho "$*" >>{self.said}\n'
            f'case "$*" in *"$(cat {self.refuses})"*)\n'
            '    echo "Error: Failed to load TC action module." >&2; exit 2;;\n'
            "esac\necho Sent 60 bytes 1 pkt\n"
        )
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")

    def told(self) -> list[str]:
        return self.said.read_text().splitlines() if self.said.exists() else []


@pytest.fixture
def tc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tc:
    return Tc(tmp_path, monkeypatch)


def mirror(tmp_path: Path) -> Mirror:
    return Mirror(build(tmp_path / "kernel"), ["eth1", "eth2"], [1])


def test_every_packet_goes_back_where_it_came_from(tc: Tc, tmp_path: Path) -> None:
    reflecting = mirror(tmp_path)
    reflecting.prepare()
    reflecting.start()
    action = "matchall action mirred egress redirect dev"
    assert tc.told() == [
        "qdisc add dev eth1 clsact",
        f"filter add dev eth1 ingress protocol all {action} eth1",
        "qdisc add dev eth2 clsact",
        f"filter add dev eth2 ingress protocol all {action} eth2",
    ]
    assert "1 pkt" in reflecting.log()
    assert reflecting.command().startswith("tc filter add dev eth1")
    assert reflecting.is_healthy()
    assert [thread.name for thread in reflecting.threads()] == ["ksoftirqd/1"]


def test_nothing_is_left_of_it(tc: Tc, tmp_path: Path) -> None:
    reflecting = mirror(tmp_path)
    reflecting.start()
    reflecting.stop()
    reflecting.stop()
    reflecting.remove()
    assert tc.told()[4:] == ["qdisc del dev eth2 clsact", "qdisc del dev eth1 clsact"]


def test_a_kernel_that_cannot_says_what_it_lacks_and_is_left_as_it_was(tc: Tc, tmp_path: Path) -> None:
    tc.refuses.write_text("mirred")
    reflecting = mirror(tmp_path)
    with pytest.raises(VirtperfError, match="cannot send packets back") as caught:
        reflecting.start()
    assert "act_mirred" in caught.value.way_out
    assert "Failed to load TC action module" in caught.value.found
    reflecting.stop()
    assert tc.told()[-1] == "qdisc del dev eth1 clsact"


def test_no_tc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(VirtperfError, match="tc is not installed") as caught:
        mirror(tmp_path).start()
    assert "iproute2" in caught.value.way_out
