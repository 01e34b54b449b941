# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One pktgen: it starts, obeys, dies, hangs and ends; and what is said where it cannot be driven."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.pktgen import instance as instance_module
from ansible_collections.virtperf.vhost.plugins.module_utils.pktgen import script
from ansible_collections.virtperf.vhost.plugins.module_utils.pktgen.instance import Instance, executable
from ansible_collections.virtperf.vhost.tests.unit.plugins.module_utils.pktgen.fake_pktgen import (
    GENERATOR,
    Lab,
    installed,
)


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    with installed(tmp_path, monkeypatch) as lab:
        yield lab


@pytest.fixture
def pktgen(lab: Lab) -> Instance:
    return Instance(lab.host, "generator")


class TestStart:
    def test_it_runs_as_defined_and_can_be_found_again_by_name(self, lab: Lab, pktgen: Instance) -> None:
        pktgen.start(lab.pktgen())
        again = Instance(lab.host, "generator")
        assert again.is_running()
        assert again.definition() == lab.pktgen()
        assert again.ask(script.VERSION) == "24.10.3"
        assert [thread.cpus for thread in again.workers()] == [str(lab.cpus[-1])]

    def test_its_orders_are_for_nobody_else(self, lab: Lab, pktgen: Instance) -> None:
        pktgen.start(lab.pktgen())
        assert stat.S_IMODE(os.stat(pktgen.directory).st_mode) == 0o700
        assert "-g" not in pktgen.command(lab.pktgen())
        assert "-G" not in pktgen.command(lab.pktgen())

    def test_a_place_with_any_name(self, lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
        quirky = type(lab.host)(sys=lab.host.sys, run=f'{lab.directory}/a "b\\c', state=lab.host.state)
        pktgen = Instance(quirky, "generator")
        pktgen.start(lab.pktgen())
        try:
            assert pktgen.ask(script.VERSION) == "24.10.3"
        finally:
            assert pktgen.stop() == "quit"

    def test_none_installed(self, lab: Lab, pktgen: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PATH", str(lab.directory))
        with pytest.raises(VirtperfError, match="pktgen-dpdk is not installed") as caught:
            pktgen.start(lab.pktgen())
        for wanted in ("liblua5.4-dev", "github.com/pktgen/Pktgen-DPDK", "enable_lua=true", "testpmd"):
            assert wanted in caught.value.way_out
        assert not os.path.exists(pktgen.directory)

    def test_one_without_lua(self, lab: Lab, pktgen: Instance) -> None:
        lab.behave(**{GENERATOR: {"no_lua": True}})
        with pytest.raises(VirtperfError, match="built without Lua") as caught:
            pktgen.start(lab.pktgen())
        assert executable() in caught.value.found
        assert "enable_lua=true" in caught.value.way_out
        assert not pktgen.is_running()

    @pytest.mark.parametrize(
        ("how", "says"), [("dies_at_start", "Cannot init EAL"), ("broken_script", "global 'pktgen'")]
    )
    def test_one_that_ends_comes_with_its_last_words(self, lab: Lab, pktgen: Instance, how: str, says: str) -> None:
        lab.behave(**{GENERATOR: {how: True}})
        with pytest.raises(VirtperfError, match="pktgen generator ended at its start with status") as caught:
            pktgen.start(lab.pktgen())
        assert says in caught.value.found

    def test_one_whose_port_cannot_connect(self, lab: Lab, pktgen: Instance) -> None:
        lab.kill("vswitch")
        with pytest.raises(VirtperfError, match="has 0 of the 1 ports asked for"):
            pktgen.start(lab.pktgen())
        assert not pktgen.is_running()


class TestOrders:
    def test_a_refusal_comes_with_its_reason(self, lab: Lab, pktgen: Instance) -> None:
        pktgen.start(lab.pktgen())
        with pytest.raises(VirtperfError, match=r"refused: pktgen\.fly\(\)") as caught:
            pktgen.ask("pktgen.fly()")
        assert "nil value" in caught.value.found
        assert pktgen.ask(script.VERSION) == "24.10.3"

    def test_death_in_the_middle_comes_with_its_last_words(self, lab: Lab, pktgen: Instance) -> None:
        lab.behave(**{GENERATOR: {"dies_on": "start"}})
        pktgen.start(lab.pktgen())
        with pytest.raises(VirtperfError, match="pktgen generator has died") as caught:
            pktgen.ask(script.send(64))
        assert caught.value.facts["dead"] == "generator"
        assert caught.value.facts["log_end"].splitlines()[-1] == "PANIC in rte_free():"

    def test_death_before_the_order(self, lab: Lab, pktgen: Instance) -> None:
        pktgen.start(lab.pktgen())
        os.kill(lab.pid_of(pktgen), 9)
        with pytest.raises(VirtperfError, match="has died"):
            pktgen.ask(script.STOP)

    def test_one_that_hangs_is_told_apart_from_one_that_died(
        self, lab: Lab, pktgen: Instance, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(instance_module, "_ANSWER_PATIENCE_S", 0.2)
        lab.behave(**{GENERATOR: {"hangs_on": "stop"}})
        pktgen.start(lab.pktgen())
        with pytest.raises(VirtperfError, match=r"does not answer to: pktgen\.stop"):
            pktgen.ask(script.STOP)
        assert pktgen.is_running()


class TestEnd:
    def test_it_quits_when_told_so_and_leaves_nothing(self, lab: Lab, pktgen: Instance) -> None:
        pktgen.start(lab.pktgen())
        held = pktgen.hugepage_bytes()
        assert pktgen.stop() == "quit"
        assert held == pktgen.hugepage_bytes() == 16 << 20
        pktgen.forget()
        assert not os.path.exists(pktgen.directory)
        assert not [name for name in os.listdir(lab.huge_dir) if "pktgen" in name]
        assert not os.path.exists(os.path.join(lab.host.run, "dpdk", "virtperf-pktgen-generator"))

    def test_one_that_does_not_quit_is_terminated(self, lab: Lab, pktgen: Instance) -> None:
        lab.behave(**{GENERATOR: {"ignores_quit": True}})
        pktgen.start(lab.pktgen())
        assert pktgen.stop() == "terminated"
        assert not pktgen.is_running()

    def test_ending_the_ended_is_nothing(self, pktgen: Instance) -> None:
        assert pktgen.stop() == ""
