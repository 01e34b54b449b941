# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module guest_image with the real mmdebstrap, on the smallest Debian there is, and with the real qemu-img."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bench
import pytest

MODULE = "ansible_collections.virtperf.vhost.plugins.modules.guest_image"
NEEDED = ("mmdebstrap", "mkfs.ext4", "debugfs", "qemu-img")


@pytest.fixture(autouse=True)
def programs(left_as_found: None) -> None:
    path = f"{os.environ['PATH']}:/usr/sbin:/sbin"
    missing = [name for name in NEEDED if not any(Path(place, name).exists() for place in path.split(":"))]
    assert not missing, f"missing {missing}: apt-get install mmdebstrap e2fsprogs qemu-utils"


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "the 'images'; of mine"


def start(arguments: dict[str, Any], *, check: bool = False) -> subprocess.Popen[str]:
    """Start the module in a process of its own, as Ansible does."""
    given = {"ANSIBLE_MODULE_ARGS": {**arguments, "_ansible_check_mode": check, "_ansible_diff": True}}
    collections = f"PYTHONPATH={bench.CHECKOUT}/.venv/collections"
    process = subprocess.Popen(
        [str(bench.CHECKOUT / "tools/env"), "env", collections, "python", "-m", MODULE],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdin
    process.stdin.write(json.dumps(given))
    process.stdin.close()
    process.stdin = None  # communicate() would close it again
    return process


def finish(process: subprocess.Popen[str]) -> dict[str, Any]:
    """Its result, failed or not."""
    output, errors = process.communicate(timeout=120)
    assert output.strip(), errors
    result: dict[str, Any] = json.loads(output)
    return result


def call(arguments: dict[str, Any], *, check: bool = False) -> dict[str, Any]:
    return finish(start(arguments, check=check))


def tiny(cache: Path, **more: Any) -> dict[str, Any]:
    return {"profile": "essential", "disk_mib": 256, "cache_dir": str(cache), **more}


def builders(cache: Path) -> list[str]:
    """Processes, and mounts in any of their namespaces, that have to do with this cache."""
    found = set()
    mark = str(cache).replace(" ", "\\040")
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            mounts = (process / "mountinfo").read_text()
        except OSError:
            continue
        if str(cache) in command or mark in mounts:
            found.add(f"{process.name} {command}")
    return sorted(found)


def on_disk(image: dict[str, Any], command: str) -> str:
    """What debugfs sees on the disk."""
    done = subprocess.run(["/sbin/debugfs", "-R", command, image["path"]], capture_output=True, text=True, check=True)
    return done.stdout


def test_built_once_and_as_predicted(cache: Path) -> None:
    predicted = call(tiny(cache, packages=["openssh-server"]), check=True)
    assert not cache.exists()
    first = call(tiny(cache, packages=["openssh-server"]))
    assert not first.get("failed"), first
    for key in ("changed", "actions", "diff"):
        assert predicted[key] == first[key], key
    image = first["image"]
    manifest = json.loads(Path(image["directory"], "manifest.json").read_text())
    assert re.match(r"13\.", on_disk(image, "cat /etc/debian_version"))
    assert "openssh-server" in manifest["packages"]
    assert "sshd_config" in on_disk(image, "ls /etc/ssh")
    assert "ssh_host" not in on_disk(image, "ls /etc/ssh"), "one key for all guests"
    assert "99mmdebstrap" not in on_disk(image, "ls /etc/apt/apt.conf.d")
    again = call(tiny(cache, packages=["openssh-server"]))
    assert not again["changed"]
    assert again["image"] == image
    assert not call(tiny(cache, packages=["openssh-server"]), check=True)["changed"]
    assert call(tiny(cache), check=True)["changed"], "other packages, another image"
    assert builders(cache) == []


def test_after_a_killed_build_two_builders_build_once(cache: Path) -> None:
    killed = start(tiny(cache))
    # Past the point where mmdebstrap mounted /proc and the like: what is removed then must not be this machine's.
    bench.wait_for("packages", lambda: list(cache.glob(".building-*/tree/var/lib/dpkg/info/libc6*.list")))
    pid = int(json.loads((cache / "lock").read_text())["pid"])
    os.kill(pid, signal.SIGKILL)
    killed.communicate(timeout=20)
    bench.wait_for("the end of all it had started", lambda: not builders(cache), 10)
    (left,) = cache.glob(".building-*")
    assert not list(cache.glob("debian-*")), "half an image must not look like one"

    predicted = call(tiny(cache), check=True)
    results = [finish(builder) for builder in [start(tiny(cache)), start(tiny(cache))]]
    assert not any(result.get("failed") for result in results), results
    (built,) = [result for result in results if result["changed"]]
    (waited,) = [result for result in results if not result["changed"]]
    assert built["actions"] == predicted["actions"]
    assert built["actions"][0] == f"remove {left}, left by an interrupted build"
    assert waited["waited_s"] > 0
    assert waited["image"] == built["image"]
    assert sorted(os.listdir(cache)) == sorted(["lock", built["image"]["name"]])


def test_a_mirror_that_does_not_answer(cache: Path) -> None:
    failed = call(tiny(cache, mirror="http://127.0.0.1:9/debian"))
    assert failed["failed"]
    assert "127.0.0.1" in failed["log_end"]
    assert "another one" in failed["msg"]
    assert os.listdir(cache) == ["lock"]


@pytest.fixture
def small_filesystem(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "small"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(place)], check=True)
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_no_space(small_filesystem: Path) -> None:
    for check in (True, False):
        failed = call(tiny(small_filesystem / "images"), check=check)
        assert failed["failed"]
        assert 60 <= failed["free_mib"] <= 64
        assert f"{failed['free_mib']} MiB free, {failed['needed_mib']} MiB needed" in failed["msg"]


def test_an_image_of_my_own(tmp_path: Path) -> None:
    mine = tmp_path / "my 'own'; one.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", str(mine), "8M"], check=True)
    before = (mine.read_bytes(), mine.stat().st_mtime_ns)
    taken = call({"path": str(mine)})
    assert not taken.get("failed"), taken
    assert not taken["changed"]
    assert (taken["image"]["path"], taken["image"]["format"]) == (str(mine), "qcow2")
    assert (mine.read_bytes(), mine.stat().st_mtime_ns) == before


def test_an_image_of_my_own_that_is_none(tmp_path: Path) -> None:
    notes, foreign, torn = tmp_path / "notes.txt", tmp_path / "disk.vmdk", tmp_path / "torn.qcow2"
    notes.write_text("not a disk\n" * 1000)
    subprocess.run(["qemu-img", "create", "-q", "-f", "vmdk", str(foreign), "8M"], check=True)
    torn.write_bytes(b"QFI\xfb\0\0\0\3" + b"\xff" * 600)
    for path, told in ((notes, "nothing to boot"), (foreign, "qemu-img convert"), (torn, "qcow2"), (tmp_path, "dir")):
        refused = call({"path": str(path)})
        assert refused["failed"]
        assert told in refused["msg"]
        assert str(path) in refused["msg"]
