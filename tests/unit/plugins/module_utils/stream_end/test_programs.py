# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an end lacks, where only these programs are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils.stream_end import programs

Install = Callable[..., None]
ALL = ("ss", "x11vnc", "Xvfb", "xtigervncviewer")


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Programs that say something, in a PATH of their own; Python with or without tkinter."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(programs, "_MORE_PATHS", ())

    def write(*names: str, **said: str) -> None:
        for name, words in {**dict.fromkeys(names, ""), **said}.items():
            path = tmp_path / name
            path.write_text(f"#!/bin/sh\necho '{words}'\n")
            path.chmod(0o755)
        monkeypatch.setattr(programs, "PYTHON", str(tmp_path / "python"))

    return write


@pytest.mark.parametrize("end", ["server", "client"])
def test_nothing_where_all_is_there(install: Install, end: str) -> None:
    install(*ALL, iperf3="iperf 3.17.1+ (cJSON 1.7.15)", python="yes")
    assert programs.lacking(end, ["iperf3", "vnc"]) == []


@pytest.mark.parametrize(
    ("end", "packages"),
    [
        ("server", ["iproute2", "x11vnc", "xvfb", "python3-tk", "iperf3"]),
        ("client", ["iproute2", "tigervnc-viewer", "xvfb", "iperf3"]),
    ],
)
def test_everything_where_nothing_is(install: Install, end: str, packages: list[str]) -> None:
    install()
    assert [lack.package for lack in programs.lacking(end, ["iperf3", "vnc"])] == packages


def test_packages_can_be_installed_where_apt_is(install: Install) -> None:
    install("ss")
    assert not programs.has_apt()
    install("apt-get")
    assert programs.has_apt()


def test_only_what_the_workloads_need(install: Install) -> None:
    install("ss", iperf3="iperf 3.18")
    assert programs.lacking("server", ["iperf3"]) == []
    assert programs.lacking("server", []) == []
    assert [lack.package for lack in programs.lacking("client", ["vnc"])] == ["tigervnc-viewer", "xvfb"]


@pytest.mark.parametrize(
    ("said", "lacks"),
    [
        ("iperf 3.16 (cJSON 1.7.15)", ["iperf3: iperf 3.16"]),
        ("iperf 3.9+ (cJSON 1.7.13)", ["iperf3: iperf 3.9+"]),
        ("iperf 3.17", []),
        ("iperf 4.0", []),
        ("iperf 2.1.8", ["iperf3: iperf 2.1.8"]),
    ],
)
def test_an_iperf3_without_json_stream_is_too_old(install: Install, said: str, lacks: list[str]) -> None:
    install("ss", iperf3=said)
    found = programs.lacking("client", ["iperf3"])
    assert [str(lack) for lack in found] == lacks
    if lacks:
        assert "iperf3 has to be 3.17 or newer" in programs.way_out(found)


def test_an_iperf3_that_tells_no_version(install: Install, tmp_path: Path) -> None:
    install("ss", "iperf3")
    (found,) = programs.lacking("client", ["iperf3"])
    assert str(found) == f"iperf3: {tmp_path}/iperf3, which tells no version"


def test_the_way_out_names_each_package_once() -> None:
    lacks = [programs.Lack("a", "one"), programs.Lack("b", "one"), programs.Lack("c", "two")]
    assert programs.way_out(lacks) == "have what Debian's packages one, two bring"
