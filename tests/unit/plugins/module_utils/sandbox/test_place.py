# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sandbox's place is apart from that of runs, and one at a time works in it."""

from __future__ import annotations

import shutil
import threading
import time
from pathlib import Path

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils import restore
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.sandbox import place


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(run=str(tmp_path / "run"), state=str(tmp_path / "state"))


def test_what_a_restore_of_a_run_does_not_reach(host: Host) -> None:
    own = place.apart(host)
    assert (own.proc, own.sys) == (host.proc, host.sys)
    for path in (host.run, host.state, own.run, own.state):
        Path(path).mkdir()
    restore.replay(host)
    assert not Path(host.run).exists()
    assert place.is_there(own)


def test_one_at_a_time_and_again_after_the_place_was_removed(host: Host) -> None:
    own = place.apart(host)
    seen = []

    def second() -> None:
        with place.alone(own):
            seen.append(Path(own.state).is_dir())

    with place.alone(own):
        other = threading.Thread(target=second)
        other.start()
        time.sleep(0.1)
        assert not seen
        shutil.rmtree(own.state)
    other.join(5)
    assert seen == [True], "it waited, and then locked what is there"
