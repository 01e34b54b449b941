# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What arms change on the hypervisor, and that it is as before after it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils import restore
from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.journal import Journal
from ansible_collections.virtperf.vhost.plugins.module_utils.knobs.setup import setup
from ansible_collections.virtperf.vhost.plugins.module_utils.knobs.switches import Switches, parameters, unavailable
from ansible_collections.virtperf.vhost.tests.unit.plugins.module_utils.knobs.fake_boot import raw

NF = "/proc/sys/net/bridge/bridge-nf-call-iptables"
ZCOPY = "/sys/module/vhost_net/parameters/experimental_zcopytx"


class Kernel(Host):
    """Takes what it is told, but for ``deaf`` files; a write replaces what was there."""

    deaf = ""

    def write_kernel(self, path: str, value: str) -> None:
        if not path.endswith(self.deaf or "\0"):
            Path(path).write_text(f"{value}\n")


@pytest.fixture
def host(tmp_path: Path) -> Kernel:
    host = Kernel(
        proc=str(tmp_path / "proc"),
        sys=str(tmp_path / "sys"),
        run=str(tmp_path / "run"),
        state=str(tmp_path / "state"),
    )
    for path in (f"{tmp_path}{NF}", f"{tmp_path}{ZCOPY}"):
        os.makedirs(os.path.dirname(path))
        Path(path).write_text("0\n")
    return host


@pytest.fixture
def switches(host: Host) -> Switches:
    return Switches(host, Journal(host, "r1"))


def test_around_a_trial(switches: Switches, host: Host, tmp_path: Path) -> None:
    for _trial in range(3):
        with switches.set({NF: "1"}):
            assert host.read(f"{tmp_path}{NF}") == "1"
        assert host.read(f"{tmp_path}{NF}") == "0"
    (entry,) = Journal(host).entries()
    assert (entry.resource, entry.undo["path"], entry.undo["before"]) == ("kernel_setting", NF, "0")


def test_what_is_so_already_is_not_touched(switches: Switches, host: Host) -> None:
    with switches.set({NF: "0"}):
        pass
    assert Journal(host).entries() == []


def test_put_back_when_the_trial_fails(switches: Switches, host: Host, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), switches.set({NF: "1"}):
        raise RuntimeError
    assert host.read(f"{tmp_path}{NF}") == "0"


def test_restore_puts_back_what_a_killed_one_left(switches: Switches, host: Host, tmp_path: Path) -> None:
    switches.set({NF: "1"}).__enter__()
    outcome = restore.replay(host)
    assert outcome.failures == []
    assert host.read(f"{tmp_path}{NF}") == "0"


def test_a_kernel_that_makes_something_else_of_it(
    switches: Switches, host: Kernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Kernel, "deaf", "bridge-nf-call-iptables")
    with pytest.raises(VirtperfError, match="the kernel made something else of it"), switches.set({NF: "1"}):
        pass


def test_a_read_only_parameter_is_not_available(switches: Switches, tmp_path: Path) -> None:
    os.chmod(f"{tmp_path}{ZCOPY}", 0o444)
    assert "cannot be changed while its module is loaded" in unavailable(switches, {ZCOPY: "1"})
    assert unavailable(switches, {ZCOPY: "0"}) == "", "it is so already"


def test_a_file_that_is_not_there(switches: Switches) -> None:
    reason = unavailable(switches, {"/proc/sys/net/bridge/no-such": "1"})
    assert "not available: this kernel has no setting /proc/sys/net/bridge/no-such" in reason
    with pytest.raises(VirtperfError, match="no setting of the kernel's"):
        switches.is_so("/etc/passwd", "1")


def test_parameters_of_an_arm() -> None:
    arms = raw()["arms"]
    arms[0]["module"] = {"module": "vhost_net", "parameter": "experimental_zcopytx", "value": "1"}
    assert parameters(setup(raw(arms=arms)).arms["baseline"]) == {ZCOPY: "1"}
