# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which QEMU and which accelerator: by trying."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.qemu import accel
from ansible_collections.virtperf.vhost.tests.unit.plugins.module_utils.qemu.fake_qemu import Lab, installed

# Of a real machine whose /dev/kvm opens and makes VMs.
ABORT = """\
qemu-system-x86_64: error: failed to set MSR 0x10a to 0xc000069
qemu-system-x86_64: target/i386/kvm/kvm.c:3849: kvm_buf_set_msrs: Assertion `ret == cpu->kvm_msr_buf->nmsrs' failed.
"""


@pytest.fixture
def lab(monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    with installed(monkeypatch) as lab:
        yield lab


def probe(lab: Lab) -> str:
    return accel.probe_kvm(accel.find(), device=str(lab.behaviour), cpuinfo="/no/such/cpuinfo")


def test_a_version_is_numbers(lab: Lab) -> None:
    assert accel.find().version == (10, 0, 2)
    lab.behave(version="7.2.18")
    assert accel.find().version_text == "7.2.18"


def test_qemu_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accel, "find_qemu", lambda machine: {"path": None, "version": None})
    with pytest.raises(VirtperfError, match=r"not installed.*qemu-system-x86/bookworm-backports"):
        accel.find()


class TestKvm:
    def test_works(self, lab: Lab) -> None:
        assert probe(lab) == ""

    def test_seems_to_work_and_aborts(self, lab: Lab) -> None:
        lab.behave(kvm_says=ABORT)
        assert probe(lab) == "error: failed to set MSR 0x10a to 0xc000069"

    def test_aborts_without_a_word(self, lab: Lab) -> None:
        lab.behave(kvm_says="")
        assert probe(lab) == "QEMU ended with signal SIGABRT"

    @pytest.mark.parametrize(
        ("flags", "says"),
        [
            ("fpu vme de hypervisor", "the CPU has neither vmx nor svm, so that KVM can only emulate"),
            ("fpu vmx hypervisor", ""),
            ("fpu svm", ""),
        ],
    )
    def test_without_the_cpus_help_it_only_emulates(self, lab: Lab, tmp_path: Path, flags: str, says: str) -> None:
        cpuinfo = tmp_path / "cpuinfo"
        cpuinfo.write_text(f"processor\t: 0\nvmx_not\t: svm\nflags\t\t: {flags}\n\n")
        assert accel.probe_kvm(accel.find(), str(lab.behaviour), str(cpuinfo)) == says

    def test_other_cpus_list_no_flags_and_are_tried(self, lab: Lab, tmp_path: Path) -> None:
        cpuinfo = tmp_path / "cpuinfo"
        cpuinfo.write_text("processor\t: 0\nFeatures\t: fp asimd\n")
        assert accel.probe_kvm(accel.find(), str(lab.behaviour), str(cpuinfo)) == ""

    def test_is_not_there(self, lab: Lab) -> None:
        assert accel.probe_kvm(accel.find(), "/no/such/kvm") == "there is no /no/such/kvm"


class TestResolve:
    def test_auto_is_kvm_where_it_works(self, lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(accel, "probe_kvm", lambda qemu: "")
        assert accel.resolve(accel.find(), "auto", "guest") == accel.Accelerator("auto", "kvm")

    def test_auto_falls_back_and_says_why(self, lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(accel, "probe_kvm", lambda qemu: "it aborts")
        how = accel.resolve(accel.find(), "auto", "guest")
        assert how.used == "tcg"
        assert "it aborts" in how.warning

    def test_kvm_is_not_replaced(self, lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(accel, "probe_kvm", lambda qemu: "it aborts")
        with pytest.raises(VirtperfError, match=r"VM guest: KVM does not work here.*it aborts.*accel: auto"):
            accel.resolve(accel.find(), "kvm", "guest")

    def test_emulation_that_was_asked_for_is_no_warning(self, lab: Lab) -> None:
        assert accel.resolve(accel.find(), "tcg", "guest").warning == ""


def test_a_qemu_that_would_crash() -> None:
    with pytest.raises(VirtperfError, match=r"7\.2\.18.*qemu-system-x86/bookworm-backports"):
        accel.check_vhost_user(accel.Qemu("/q", (7, 2, 18)), "tcg", "guest")


@pytest.mark.parametrize(("version", "used"), [((7, 2, 18), "kvm"), ((10, 0, 2), "tcg"), ((), "tcg")])
def test_a_qemu_that_would_not(version: tuple[int, ...], used: str) -> None:
    accel.check_vhost_user(accel.Qemu("/q", version), used, "guest")


def test_properties_of_virtio_net(lab: Lab) -> None:
    assert accel.net_properties(accel.find()) == ["mrg_rxbuf", "packed"]
