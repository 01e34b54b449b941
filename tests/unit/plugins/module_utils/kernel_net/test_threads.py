# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Finding the kernel's threads of a CPU."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.virtperf.vhost.plugins.module_utils.kernel_net.threads import of_cpus
from ansible_collections.virtperf.vhost.tests.unit.plugins.module_utils.kernel_net.fake_kernel import build, thread


def test_by_cpu(tmp_path: Path) -> None:
    kernel = build(tmp_path)
    found = of_cpus(kernel, "ksoftirqd/", [1, 0])
    assert [(one.tid, one.cpus, one.cpu_seconds) for one in found] == [(21, "1", 21.0), (20, "0", 20.0)]
    assert of_cpus(kernel, "ksoftirqd/", [7]) == []


def test_a_process_that_only_calls_itself_so_is_none(tmp_path: Path) -> None:
    kernel = build(tmp_path)
    thread(kernel, 900, "kpktgend_1", 1, parent=1)
    assert [one.tid for one in of_cpus(kernel, "kpktgend_", [1])] == [201]
