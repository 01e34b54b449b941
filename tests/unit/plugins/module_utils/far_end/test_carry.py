# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is carried into a guest."""

from __future__ import annotations

import ast
import io
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.far_end import agent, carry

TOP = "ansible_collections.virtperf.vhost.plugins.module_utils"


def imports(text: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom):
            yield str(node.module)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def test_all_that_any_end_needs_and_nothing_for_this_side() -> None:
    found = carry.sources(agent.__name__)
    names = {name.removeprefix(f"{TOP}.") for name in found}
    ends = {"reflect.testpmd_end", "reflect.kernel_end", "reflect.pktgen_end"}
    assert {"far_end.agent", "errors", "processes", "dpdk.manager", "pci.bind", "hugepages", *ends} <= names
    assert not names & {"far_end.connection", "far_end.carry", "guest_access.ssh", "qemu.manager", "restore"}


def test_a_guest_needs_no_more_than_python() -> None:
    for name, text in carry.sources(agent.__name__).items():
        foreign = {module.split(".")[0] for module in imports(text)} - set(sys.stdlib_module_names)
        assert foreign <= {"ansible_collections"}, name


def test_an_archive_that_python_imports_from() -> None:
    with zipfile.ZipFile(io.BytesIO(carry.package())) as archive:
        names = archive.namelist()
    assert "ansible_collections/__init__.py" in names
    assert f"{TOP.replace('.', '/')}/far_end/__init__.py" in names
    assert len(names) == len(set(names))


def test_it_carries_out_of_an_archive_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As Ansible runs a module."""
    text = f"from {TOP} import errors\n"
    with zipfile.ZipFile(tmp_path / "payload.zip", "w") as archive:
        archive.writestr("carried_once.py", text)
    monkeypatch.syspath_prepend(str(tmp_path / "payload.zip"))
    assert set(carry.sources("carried_once")) == {"carried_once", f"{TOP}.errors"}
    assert carry.sources("carried_once")["carried_once"] == text


def test_a_module_without_its_text() -> None:
    with pytest.raises(VirtperfError, match="no_such_module cannot be carried"):
        carry.sources("no_such_module")
