# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What /proc/modules, /sys/module and kmod's programs tell."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.virtperf.vhost.plugins.module_utils.kernel_module import state
from ansible_collections.virtperf.vhost.plugins.module_utils.kernel_module.state import Line, Parameter
from ansible_collections.virtperf.vhost.plugins.module_utils.kernel_module.system import (
    System,
    parse_needed,
    parse_parameters,
)
from ansible_collections.virtperf.vhost.tests.unit.fake_modules import FakeSystem, module_host

NAMES = st.from_regex(r"[a-z0-9_]{1,12}", fullmatch=True)

PROC_MODULES = """\
vhost_vsock 24576 0 - Live 0xffffffffc0a5e000
vhost_net 32768 3 - Live 0xffffffffc0a4b000
tun 69632 1 vhost_net, Live 0xffffffffc0a33000 (OE)
vhost 65536 2 vhost_vsock,vhost_net, Live 0xffffffffc0a1d000
ext4 1 1 [permanent], Loading 0x0
"""


def test_proc_modules() -> None:
    assert state.parse_lines(PROC_MODULES) == {
        "vhost_vsock": Line("vhost_vsock", 0, (), False, "Live"),
        "vhost_net": Line("vhost_net", 3, (), False, "Live"),
        "tun": Line("tun", 1, ("vhost_net",), False, "Live"),
        "vhost": Line("vhost", 2, ("vhost_vsock", "vhost_net"), False, "Live"),
        "ext4": Line("ext4", 1, (), True, "Loading"),
    }
    assert [line.users for line in state.parse_lines(PROC_MODULES).values()] == [0, 3, 0, 0, 1]


def test_a_kernel_that_cannot_unload() -> None:
    assert state.parse_lines("vhost 65536 - - Live 0x0\n") == {"vhost": Line("vhost", None, (), False, "Live")}


@given(
    st.dictionaries(NAMES, st.tuples(st.integers(0, 99), st.lists(NAMES, max_size=3, unique=True)), max_size=6),
)
def test_any_modules(modules: dict[str, tuple[int, list[str]]]) -> None:
    text = "".join(
        f"{name} 4096 {count + len(holders)} {''.join(f'{h},' for h in holders) or '-'} Live 0x0\n"
        for name, (count, holders) in modules.items()
    )
    found = state.parse_lines(text)
    assert {name: (line.users, list(line.holders)) for name, line in found.items()} == modules


@given(st.text())
def test_any_text(text: str) -> None:
    for name, line in state.parse_lines(text).items():
        assert name in text
        assert line.users >= 0
    assert all(name in text for name in parse_needed(text.replace("-", "")))
    assert all(name in text for name in parse_parameters(text))


def test_modprobe_and_modinfo() -> None:
    shown = """\
insmod /lib/modules/6.12.1/kernel/drivers/vhost/vhost_iotlb.ko.xz 
builtin tun
install /bin/true
insmod /lib/modules/6.12.1/kernel/drivers/net/vhost-net.ko experimental_zcopytx=0
"""  # noqa: W291
    assert parse_needed(shown) == ["vhost_iotlb", "vhost_net"]
    assert parse_needed("") == []
    assert parse_parameters("a:of two\nlines: yes\0b:\0no\0") == {"a": "of two\nlines: yes", "b": ""}


def test_a_loaded_one_and_its_parameters(tmp_path: Path) -> None:
    host, system = module_host(tmp_path), FakeSystem(tmp_path)
    system.load("vhost_net", {"poll": "7"})
    module = state.read(host, system, "vhost_net")
    assert (module.loaded, module.built_in) == (True, False)
    assert module.parameters == {
        "experimental_zcopytx": Parameter("0", writable=False),
        "poll": Parameter("7", writable=True),
    }
    assert not state.read(host, system, "vhost_vsock").loaded


@pytest.mark.parametrize("how", ["sysfs", "modules.builtin"])
def test_a_built_in_one(tmp_path: Path, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    host, system = module_host(tmp_path), FakeSystem(tmp_path)
    if how == "sysfs":
        system.built_in("kvm", halt_poll_ns=("200000", 0o644))
    else:
        release = tmp_path / "lib/modules/6.12.1"
        release.mkdir(parents=True)
        (release / "modules.builtin").write_text("kernel/arch/x86/kvm/kvm.ko\nkernel/x/kvm-amd.ko.zst\n")
        monkeypatch.setattr("os.uname", lambda: type("Uname", (), {"release": "6.12.1"}))
        assert state.read(host, system, "kvm_amd").built_in
        assert not state.read(host, system, "kv").loaded
    module = state.read(host, system, "kvm")
    assert (module.loaded, module.built_in, module.line) == (True, True, None)


def test_holders_come_first() -> None:
    known = state.parse_lines(PROC_MODULES)
    assert state.holders_first(known, ["vhost"]) == ["vhost_vsock", "vhost_net", "vhost"]
    assert state.holders_first(known, ["tun", "vhost"]) == ["vhost_net", "tun", "vhost_vsock", "vhost"]
    assert state.holders_first(known, ["gone"]) == []


def test_a_machine_without_kmod(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda *_arguments, **_keywords: None)
    assert not System().has("vhost")
    assert System().needed("vhost") == []
    assert System().parameters("vhost") == {}
