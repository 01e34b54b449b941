# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of a kernel that is a directory: it lists words, refuses values, and makes others of them."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils import restore
from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.journal import Journal
from ansible_collections.virtperf.vhost.plugins.module_utils.kernel_setting import ensure, undo_kernel_setting

PORTS = "/proc/sys/net/ipv4/ip_local_port_range"
POLL = "/proc/sys/net/core/busy_poll"
PAGES = "/sys/kernel/mm/transparent_hugepage/enabled"
GOVERNORS = "/sys/devices/system/cpu/cpu*/cpufreq/scaling_governor"


@dataclass(frozen=True)
class SettingHost(Host):
    """Marks the word that is selected; ``limits`` are the largest numbers, ``refuses`` the ends of paths."""

    written: list[tuple[str, str]] = field(default_factory=list)
    refuses: set[str] = field(default_factory=set)
    limits: dict[str, int] = field(default_factory=dict)

    def write_kernel(self, path: str, value: str) -> None:
        """Take it as the kernel does."""
        if any(path.endswith(end) for end in self.refuses):
            raise OSError(22, "Invalid argument", path)
        self.written.append((os.path.basename(path), value))
        text = Path(path).read_text()
        if "[" in text:
            words = [word.strip("[]") for word in text.split()]
            value = " ".join(f"[{word}]" if word == value else word for word in words)
        if value.startswith("0x"):
            value = str(int(value, 16))
        for end, limit in self.limits.items():
            if path.endswith(end):
                value = str(min(int(value), limit))
        Path(path).write_text("\t".join(value.split()) + "\n" if "\t" in text else f"{value.strip()}\n")


@pytest.fixture
def host(tmp_path: Path) -> SettingHost:
    host = SettingHost(
        proc=str(tmp_path / "proc"), sys=str(tmp_path / "sys"), run=str(tmp_path / "run"), state=str(tmp_path / "state")
    )
    put(host, "/proc/sys/kernel/random/boot_id", "this-boot")
    put(host, PORTS, "32768\t60999")
    put(host, POLL, "0")
    put(host, PAGES, "always [madvise] never")
    for policy in (0, 1):
        put(host, f"/sys/devices/system/cpu/cpufreq/policy{policy}/scaling_governor", "powersave")
        put(
            host, f"/sys/devices/system/cpu/cpufreq/policy{policy}/scaling_available_governors", "performance powersave"
        )
    for cpu in range(4):
        folder = tmp_path / f"sys/devices/system/cpu/cpu{cpu}"
        folder.mkdir()
        (folder / "cpufreq").symlink_to(f"../cpufreq/policy{cpu // 2}")
    return host


def located(host: Host, path: str) -> Path:
    return Path(host.proc + path[len("/proc") :] if path.startswith("/proc") else host.sys + path[len("/sys") :])


def put(host: Host, path: str, text: str, mode: int = 0o644) -> Path:
    file = located(host, path)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"{text}\n")
    file.chmod(mode)
    return file


def says(host: Host, path: str) -> str:
    return located(host, path).read_text().rstrip("\n")


def undo_all(host: Host) -> list[str]:
    journal = Journal(host)
    done = [undo_kernel_setting(host, entry.undo) for entry in reversed(journal.entries())]
    journal.keep_only([])
    return done


WANTED: list[dict[str, Any]] = [
    {"name": "net.core.busy_poll", "value": "0x32"},
    {"path": PAGES, "value": "never"},
    {"path": GOVERNORS, "value": "performance"},
    {"name": "net/ipv4/ip_local_port_range", "value": "20000 60999"},
]


def test_predicted_done_idempotent_and_undone(host: SettingHost) -> None:
    predicted = ensure(host, WANTED, check_mode=True)
    assert (host.written, Journal(host).entries()) == ([], [])
    done = ensure(host, WANTED, run_id="run-7")
    for key in ("changed", "actions", "settings", "skipped", "diff"):
        assert predicted[key] == done[key], key
    assert done["actions"][:2] == [f"{POLL}: from 0 to 50", f"{PAGES}: from madvise to never"]
    assert done["settings"][1] == {
        "path": PAGES,
        "requested": "never",
        "was": "madvise",
        "effective": "never",
        "changed": True,
    }
    # Two policies, whatever number of CPUs shows them.
    assert [name for name, _value in host.written].count("scaling_governor") == 2
    assert says(host, "/sys/devices/system/cpu/cpu3/cpufreq/scaling_governor") == "performance"
    assert says(host, PORTS) == "20000\t60999"
    assert {entry.run_id for entry in Journal(host).entries()} == {"run-7"}
    assert not ensure(host, WANTED)["changed"]
    assert undo_all(host)[0] == f"{PORTS} is 32768 60999 again"
    assert says(host, PAGES) == "always [madvise] never"
    assert says(host, PORTS) == "32768\t60999"
    assert says(host, "/sys/devices/system/cpu/cpufreq/policy1/scaling_governor") == "powersave"


@pytest.mark.parametrize(("found", "value"), [("Y", True), ("1", True), ("N", 0), ("16", "0x10"), ("[a] b", "a")])
def test_what_means_the_same_is_left_alone(host: SettingHost, found: str, value: Any) -> None:
    put(host, POLL, found)
    assert not ensure(host, [{"path": POLL, "value": value}])["changed"]
    assert host.written == []


def test_what_need_not_be_had_is_told(host: SettingHost) -> None:
    done = ensure(host, [{"name": "kernel.nmi_watchdog", "value": 0, "required": False}, WANTED[0]])
    assert done["skipped"] == ["/proc/sys/kernel/nmi_watchdog"]
    assert [setting["path"] for setting in done["settings"]] == [POLL]


def test_an_interface_with_a_dot(host: SettingHost) -> None:
    put(host, "/proc/sys/net/ipv4/conf/eth0.100/rp_filter", "1")
    done = ensure(host, [{"name": "net.ipv4.conf.eth0/100.rp_filter", "value": 0}])
    assert done["settings"][0]["path"] == "/proc/sys/net/ipv4/conf/eth0.100/rp_filter"


def test_back_to_what_it_was_needs_no_undo(host: SettingHost) -> None:
    Journal(host).append("thing", name="somebody's")
    for value in (1, 2, 0, 3, 2):
        ensure(host, [{"path": POLL, "value": value}])
    assert [(entry.undo.get("before"), entry.undo.get("after")) for entry in Journal(host).entries()] == [
        (None, None),
        ("0", "3"),
        ("3", "2"),
    ]
    ensure(host, [{"path": POLL, "value": 0}])
    assert [entry.resource for entry in Journal(host).entries()] == ["thing"]


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"path": "/etc/passwd", "value": 1}, "is no setting of the kernel's"),
        ({"path": "/sys/../etc/passwd", "value": 1}, "is no setting of the kernel's"),
        ({"path": "/proc/1/comm", "value": 1}, "is no setting of the kernel's"),
        ({"path": "/sys/kernel/mm", "value": 1}, "it is a directory"),
        ({"name": "net.core.busy_pol", "value": 1}, "nothing like it in /proc/sys/net/core"),
        ({"name": "$(reboot)", "value": 1}, "is no name of a sysctl"),
        ({"name": "../../etc/x", "value": 1}, "is no name of a sysctl"),
        ({"path": POLL, "name": "net.core.busy_poll", "value": 1}, "a setting needs one name"),
        ({"path": PAGES, "value": "sometimes"}, "can be always, madvise, never"),
        ({"path": GOVERNORS, "value": "fast"}, "can be performance, powersave"),
        ({"path": "/proc/sys/kernel/fixed", "value": 1}, "the file is read-only"),
        ({"path": POLL, "value": 2}, "is asked to be both 1 and 2"),
    ],
)
def test_refused_with_nothing_touched(host: SettingHost, setting: dict[str, Any], message: str) -> None:
    put(host, "/proc/sys/kernel/fixed", "0", mode=0o444)
    for check_mode in (True, False):
        with pytest.raises(VirtperfError) as caught:
            ensure(host, [{"path": POLL, "value": 1}, setting], check_mode=check_mode)
        assert message in str(caught.value)
        assert caught.value.way_out
    assert (host.written, Journal(host).entries()) == ([], [])


def test_a_link_that_leads_elsewhere(host: SettingHost, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("0\n")
    (tmp_path / "sys/kernel/link").symlink_to(tmp_path / "secret")
    with pytest.raises(VirtperfError, match="is no setting"):
        ensure(host, [{"path": "/sys/kernel/link", "value": 1}])


def test_what_cannot_be_read_back(host: SettingHost, monkeypatch: pytest.MonkeyPatch) -> None:
    def read(_self: Host, path: str) -> str:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(SettingHost, "read", read)
    with pytest.raises(VirtperfError, match=r"busy_poll cannot be read, so that .* \(found: Permission denied\)"):
        ensure(host, [{"path": POLL, "value": 1}])


class TestPutBack:
    """The kernel's own mind: what was set before goes back as well."""

    def failed(self, host: SettingHost, value: Any) -> VirtperfError:
        with pytest.raises(VirtperfError) as caught:
            ensure(host, [{"path": PAGES, "value": "never"}, {"path": POLL, "value": value}])
        assert "everything is as it was before" in str(caught.value)
        assert says(host, PAGES) == "always [madvise] never"
        assert says(host, POLL) == "0"
        assert Journal(host).entries() == []
        return caught.value

    def test_a_refusal(self, host: SettingHost) -> None:
        host.refuses.add("busy_poll")
        error = self.failed(host, "x")
        assert f"the kernel does not take x for {POLL} (found: Invalid argument; it is 0)" in str(error).replace(
            "; everything is as it was before", ""
        )
        assert error.facts["errno"] == 22

    def test_something_else_without_an_error(self, host: SettingHost) -> None:
        host.limits["busy_poll"] = 100
        error = self.failed(host, 1000)
        assert f"{POLL} was to be 1000, and the kernel made something else of it" in str(error)
        assert error.found == "100"


class TestUndo:
    def test_twice_and_by_restore(self, host: SettingHost) -> None:
        ensure(host, WANTED[:2])
        outcome = restore.replay(host)
        assert outcome.failures == []
        assert outcome.actions == [f"{PAGES} is madvise again", f"{POLL} is 0 again"]
        assert restore.replay(host).actions == []

    def test_what_is_gone_is_no_failure(self, host: SettingHost) -> None:
        ensure(host, WANTED[:1])
        located(host, POLL).unlink()
        assert undo_all(host) == [""]

    def test_after_a_reboot_there_is_nothing_to_do(self, host: SettingHost) -> None:
        ensure(host, WANTED[:1])
        put(host, "/proc/sys/kernel/random/boot_id", "next-boot")
        assert undo_all(host) == [""]
        assert says(host, POLL) == "50"

    def test_a_kernel_that_refuses_then_is_a_failure(self, host: SettingHost) -> None:
        ensure(host, WANTED[:1])
        host.refuses.add("busy_poll")
        (failure,) = restore.replay(host).failures
        assert f"the kernel does not take 0 for {POLL}" in failure
        assert len(Journal(host).entries()) == 1
