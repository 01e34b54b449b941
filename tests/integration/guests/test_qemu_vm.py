# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module qemu_vm with real QEMUs.

No guest is needed: a firmware with nothing to boot runs, pauses, and ignores its power button.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bench
import pytest

HUGE = "/run/virtperf/hugepages"
SOCKET = "/run/virtperf/test,1 'a\".sock"
QUICK = {"powerdown": 0, "quit": 5, "kill": 5}
VM: dict[str, Any] = {"name": "guest", "accel": "tcg", "memory": {"size": "64MiB"}}
SHARED = {"size": "64MiB", "huge_path": HUGE, "share": True}


class Vms:
    """Calls the module, each time first in check mode: what it then says has to be what happens."""

    def __init__(self) -> None:
        self.predicted: dict[str, Any] = {}

    def __call__(self, state: str, *vms: dict[str, Any], **more: Any) -> dict[str, Any]:
        arguments = {"state": state, **({"vms": list(vms)} if vms else {}), "stop_limits": QUICK, **more}
        before = self.files()
        self.predicted = bench.call_module("qemu_vm", arguments, check=True)
        assert self.files() == before, "check mode changes nothing"
        done = bench.call_module("qemu_vm", arguments)
        if not done.get("failed"):
            for key in ("changed", "actions", "restart_needed", "diff"):
                assert self.predicted.get(key) == done.get(key), key
        return done

    def ok(self, state: str, *vms: dict[str, Any], **more: Any) -> dict[str, Any]:
        done = self(state, *vms, **more)
        assert not done.get("failed"), done
        return done

    def settled(self, state: str, *vms: dict[str, Any], **more: Any) -> dict[str, Any]:
        """The first call's result; a second one has changed nothing."""
        first = self.ok(state, *vms, **more)
        again = self.ok(state, *vms, **more)
        assert not again["changed"], again["actions"]
        assert again["vms"] == first["vms"]
        return first

    @staticmethod
    def files() -> list[str]:
        found = [path for root in (bench.RUN, bench.STATE / "qemu") for path in root.rglob("*")]
        return sorted(str(path) for path in found if path.name != "status.json")


@pytest.fixture
def vms(left_as_found: None, tmp_path: Path) -> Iterator[Vms]:  # restored first, then compared
    missing = [name for name in ("qemu-system-x86_64", "qemu-img", "dpdk-testpmd") if not shutil.which(name)]
    assert not missing, f"missing {missing}: run tools/setup test"
    yield Vms()
    restored = bench.call_module("restore", {})
    assert not restored.get("failed"), restored
    assert not (bench.STATE / "qemu").exists()
    assert not qemus()


@pytest.fixture
def hugepages(vms: Vms) -> None:
    pools = [{"size": "2M", "count": 160, "count_means": "free"}]
    given = bench.call_module("hugepages", {"pools": pools, "mounts": [{"path": HUGE, "size": "2M"}]})
    assert not given.get("failed"), given


def vswitch(path: str = "/run/virtperf/v.sock", queues: int = 1) -> None:
    """A testpmd that serves a vhost-user port, and waits for its guest."""
    port = {"device": "net_vhost0", "options": {"iface": path, "queues": queues}}
    instance = {"name": "vswitch", "cpus": [0], "huge_dir": HUGE, "queues": queues, "ports": [port]}
    started = bench.call_module("testpmd", {"instances": [instance]})
    assert not started.get("failed"), started


def state_of(done: dict[str, Any]) -> dict[str, str]:
    return {vm["name"]: vm["state"] for vm in done["vms"]}


def process(pid: int) -> Path:
    return Path(f"/proc/{pid}")


def test_through_all_states(vms: Vms) -> None:
    started = vms.settled("started", VM, {**VM, "name": "other"})
    assert state_of(started) == {"guest": "running", "other": "running"}
    assert started["actions"] == ["start guest with tcg", "start other with tcg", "resume guest", "resume other"]
    guest = started["vms"][0]
    assert stat.S_IMODE(os.stat(guest["qmp"]).st_mode) == 0o600
    assert guest["command"] == process(guest["pid"]).joinpath("cmdline").read_text().split("\0")[:-1]

    paused = vms.settled("paused", VM)
    assert (paused["actions"], state_of(paused)) == (["pause guest"], {"guest": "paused", "other": "running"})
    assert vms.ok("started", VM)["actions"] == ["resume guest"]

    stopped = vms.settled("stopped", VM)
    assert (stopped["actions"], stopped["stopped"]) == (["stop guest"], {"guest": "quit"})
    assert Path(guest["log"]).exists()
    again = vms.settled("paused", VM)
    assert state_of(again)["guest"] == "paused"
    assert again["vms"][0]["command"] == guest["command"]

    assert vms.settled("absent")["vms"] == []
    assert not vms.files()[1:], "only the directory is left"


@pytest.mark.parametrize("state", ["started", "paused"])
def test_a_changed_definition_is_told_refused_or_restarted(vms: Vms, state: str) -> None:
    pid = vms.ok(state, VM)["vms"][0]["pid"]
    changed = {**VM, "vcpus": 2}
    warned = vms.settled(state, changed, on_change="warn")
    assert (warned["changed"], warned["restart_needed"]) == (False, {"guest": ["vcpus"]})
    assert "needs a restart" in json.dumps(warned["warnings"])
    refused = vms(state, changed, on_change="fail")
    assert refused["failed"]
    assert refused["msg"] == vms.predicted["msg"]
    assert refused["restart_needed"] == {"guest": ["vcpus"]}
    assert process(pid).exists()
    restarted = vms.settled(state, changed, on_change="restart")
    assert restarted["actions"][0] == "stop guest (changed: vcpus)"
    assert restarted["actions"][1].startswith("start guest with tcg")
    assert state_of(restarted) == {"guest": "running" if state == "started" else "paused"}
    assert restarted["restart_needed"] == {"guest": ["vcpus"]}
    bench.wait_for("its end", lambda: not process(pid).exists())
    # With no change all three do nothing.
    assert not vms.ok(state, changed, on_change="fail")["changed"]


def test_a_powerdown_that_is_ignored_leads_to_quit_and_one_that_hangs_to_kill(vms: Vms) -> None:
    vms.ok("started", VM, {**VM, "name": "hangs"})
    pid = int(json.loads((bench.RUN / "qemu/hangs/process.json").read_text())["pid"])
    os.kill(pid, signal.SIGSTOP)
    limits = {"powerdown": 0.5, "quit": 0.5, "kill": 5}
    begun_s = time.monotonic()
    stopped = vms.ok("stopped", stop_limits=limits)
    assert stopped["stopped"] == {"guest": "quit", "hangs": "kill"}
    assert time.monotonic() - begun_s < 15


def test_auto_falls_back_to_emulation_where_kvm_only_seems_to_work(vms: Vms) -> None:
    done = vms.ok("paused", {**VM, "accel": "auto"})
    vm = done["vms"][0]
    if vm["accel"] == "kvm":
        assert vm["accel_reason"] == ""
        return
    assert vm["accel"] == "tcg"
    assert vm["accel_reason"] in json.dumps(done["warnings"])
    refused = vms("started", {**VM, "name": "other", "accel": "kvm"})
    assert refused["failed"]
    assert vm["accel_reason"] in refused["msg"]


def test_an_early_death_is_told_with_the_end_of_the_log(vms: Vms) -> None:
    refused = vms("started", {**VM, "arguments": ["-no-such-option"]}, {**VM, "name": "other"})
    assert refused["failed"]
    assert "no-such-option" in refused["log_end"]
    assert "status 1" in refused["msg"]
    assert not qemus()


def test_one_that_is_killed_is_started_anew(vms: Vms) -> None:
    pid = vms.ok("started", VM)["vms"][0]["pid"]
    os.kill(pid, signal.SIGKILL)
    bench.wait_for("its end", lambda: not process(pid).exists())
    assert state_of(vms.ok("started", VM)) == {"guest": "running"}


def qemus() -> list[str]:
    """Command lines of those that the module started."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            found += [command] if "path=/run/virtperf/qemu/" in command else []
    return found


class TestDisks:
    def test_overlays_over_odd_names(self, vms: Vms, tmp_path: Path) -> None:
        odd = tmp_path / "a b,c;d'e\"f"
        odd.mkdir()
        base = odd / "base,1.img"
        base.write_bytes(b"\0" * (4 << 20))
        disks = [{"base": str(base)}, {"base": str(base), "readonly": True}]
        done = vms.settled("started", {**VM, "disks": disks, "overlay_dir": str(odd), "kernel": ""})
        overlay = odd / "virtperf-guest-disk0.qcow2"
        assert done["vms"][0]["overlays"] == [str(overlay)]
        inode = overlay.stat().st_ino
        vms.ok("stopped")
        vms.ok("started", {**VM, "disks": disks, "overlay_dir": str(odd)})
        assert overlay.stat().st_ino == inode, "what the guest wrote is kept"
        assert base.read_bytes() == b"\0" * (4 << 20)
        vms.ok("absent")
        assert sorted(path.name for path in odd.iterdir()) == ["base,1.img"]

    def test_no_space(self, vms: Vms, tmp_path: Path) -> None:
        base, full = tmp_path / "base.img", tmp_path / "full"
        base.write_bytes(b"\0" * (1 << 20))
        full.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(full)], check=True)
        try:
            vm = {**VM, "overlay_dir": str(full)}
            refused = vms("started", {**vm, "disks": [{"base": str(base)}]})
            assert refused["failed"]
            assert "no space for the overlay" in refused["msg"]
            refused = vms("started", {**vm, "disks": [{"base": str(base), "min_free": "4kB"}]})
            assert refused["failed"]
            assert "No space left" in refused["msg"]
            assert list(full.iterdir()) == [], "half an overlay is none"
        finally:
            subprocess.run(["umount", str(full)], check=True)

    def test_no_image(self, vms: Vms) -> None:
        refused = vms("started", {**VM, "disks": [{"base": "/no/such.img"}]})
        assert refused["failed"]
        assert "/no/such.img" in refused["msg"]


@pytest.mark.usefixtures("hugepages")
class TestVhostUser:
    def vm(self, path: str = "/run/virtperf/v.sock", **more: Any) -> dict[str, Any]:
        return {**VM, "memory": SHARED, "vhost_user": [{"socket": path, **more}]}

    def test_connected_with_the_queues_asked_for(self, vms: Vms) -> None:
        vswitch(queues=2)
        vm = self.vm(queues=2, rx_queue_size=1024, tx_queue_size=1024, virtio={"packed": True})
        done = vms.settled("started", vm)
        port = done["vms"][0]["ports"][0]
        assert (port["connected"], port["queues"], port["socket"]) == (True, 2, "/run/virtperf/v.sock")
        device = next(word for word in done["vms"][0]["command"] if word.startswith("virtio-net-pci"))
        assert "mq=on,vectors=6,rx_queue_size=1024,tx_queue_size=1024,packed=on" in device
        more = vms("started", {**VM, **self.vm(queues=4)})
        assert more["failed"]
        assert "4 queues are more than the vswitch has" in more["msg"]

        # The vswitch is killed: the port says so, waits, and comes back with the vswitch.
        pid = bench.testpmd_pid("vswitch")
        os.kill(pid, signal.SIGKILL)
        bench.wait_for("its end", lambda: not process(pid).exists())
        arguments = {"vms": [vm], "ready_timeout": 0.5}
        lost = bench.call_module("qemu_vm", arguments)
        assert lost["failed"]
        assert lost["sockets"] == ["/run/virtperf/v.sock"]
        vswitch(queues=2)
        assert not vms.ok("started", vm)["changed"]

    def test_nobody_serves(self, vms: Vms) -> None:
        missing = vms("started", self.vm("/run/virtperf/none.sock"))
        assert missing["failed"]
        assert missing["sockets"] == ["/run/virtperf/none.sock"]
        # Somebody listens, and never answers.
        with socket.socket(socket.AF_UNIX) as mute:
            mute.bind(SOCKET)
            mute.listen()
            silent = vms("started", self.vm(SOCKET), ready_timeout=1)
        os.unlink(SOCKET)
        assert silent["failed"]
        assert silent["sockets"] == [SOCKET]
        # QEMU serves, and nobody comes.
        served = vms("started", self.vm(SOCKET, role="server"), ready_timeout=0.5)
        assert served["failed"]
        assert SOCKET in served["msg"]
        assert not qemus()

    def test_what_vhost_user_needs(self, vms: Vms) -> None:
        vswitch()
        alone = vms("started", {**self.vm(), "memory": {"size": "64MiB"}})
        assert "memory.share" in alone["msg"]
        large = vms("started", {**self.vm(), "memory": {**SHARED, "size": "64GiB"}})
        assert "of hugepages are needed" in large["msg"]
        wrong = vms("started", self.vm(virtio={"mrg_rxbuff": True}))
        assert "near it are mrg_rxbuf" in wrong["msg"]
