# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A pktgen is checked before it starts, written down, and undone."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils import processes, restore
from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.journal import Journal
from ansible_collections.virtperf.vhost.plugins.module_utils.pktgen.instance import Instance
from ansible_collections.virtperf.vhost.plugins.module_utils.pktgen.manager import start, undo_pktgen
from ansible_collections.virtperf.vhost.tests.unit.plugins.module_utils.pktgen.fake_pktgen import (
    GENERATOR,
    Lab,
    installed,
)


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    with installed(tmp_path, monkeypatch) as lab:
        monkeypatch.setattr(processes, "allowed_cpus", lambda: {lab.cpus[-1], lab.cpus[-1] + 1})
        yield lab


class TestCheck:
    def test_nothing_is_touched_where_it_is_not_installed(self, lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PATH", "")
        with pytest.raises(VirtperfError, match="not installed"):
            start(lab.host, Journal(lab.host), lab.pktgen())
        assert Journal(lab.host).entries() == []

    def test_a_cpu_that_is_not_ours(self, lab: Lab) -> None:
        strange = lab.cpus[-1] + 2
        with pytest.raises(VirtperfError, match=f"cannot run on CPU {strange}"):
            start(lab.host, Journal(lab.host), lab.pktgen(main_cpu=strange))
        assert Journal(lab.host).entries() == []

    def test_hugepages_that_are_not_there(self, lab: Lab) -> None:
        with pytest.raises(VirtperfError, match=r"80 MiB of hugepages on NUMA node 0 are needed \(pktgen generator\)"):
            start(lab.host, Journal(lab.host), lab.pktgen(memory_mib=80))

    def test_what_one_of_its_name_holds_counts_as_free(self, lab: Lab) -> None:
        start(lab.host, Journal(lab.host), lab.pktgen(memory_mib=64))
        lab.hugepages(16)
        start(lab.host, Journal(lab.host), lab.pktgen(memory_mib=80))


class TestStart:
    def test_it_replaces_one_of_its_name(self, lab: Lab) -> None:
        first = lab.pid_of(start(lab.host, Journal(lab.host), lab.pktgen()))
        instance = start(lab.host, Journal(lab.host), lab.pktgen(link_speed_mbps=25000))
        assert lab.pid_of(instance) != first
        assert not os.path.exists(f"/proc/{first}")
        assert instance.definition() == lab.pktgen(link_speed_mbps=25000)

    def test_it_is_written_down_before_it_starts_and_restore_ends_it(self, lab: Lab) -> None:
        lab.behave(**{GENERATOR: {"dies_at_start": True}})
        with pytest.raises(VirtperfError):
            start(lab.host, Journal(lab.host, "r1"), lab.pktgen())
        (entry,) = Journal(lab.host).entries()
        assert (entry.resource, entry.undo) == ("pktgen", {"name": "generator"})
        assert restore.UNDO[entry.resource] is undo_pktgen
        lab.behave()
        instance = start(lab.host, Journal(lab.host, "r1"), lab.pktgen())
        assert undo_pktgen(lab.host, entry.undo) == "stopped pktgen generator (quit)"
        assert not instance.is_running()
        assert undo_pktgen(lab.host, entry.undo) == ""

    def test_the_files_of_a_dead_one_are_removed(self, lab: Lab) -> None:
        instance = start(lab.host, Journal(lab.host), lab.pktgen())
        os.kill(lab.pid_of(instance), 9)
        instance.stop()
        assert undo_pktgen(lab.host, {"name": "generator"}) == "removed the files of pktgen generator"
        assert not os.path.exists(Instance(lab.host, "generator").directory)
