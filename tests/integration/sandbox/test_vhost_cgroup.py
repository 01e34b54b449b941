# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module vhost_cgroup on real vhost workers of each layout, in the hypervisor in a VM.

VMs are paused: their workers are there from the first moment on, and no guest has to boot. The cgroup tree, file by
file, the cgroup of every thread and its affinity are compared before and after.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from a_sandbox import run

CGROUP = "vhost-toplevel/the-vhost-killer"
LIMIT = "1000 1000000"
# Workers of devices that are opened from now on.
MODE = """
set -e
modprobe -r vhost_vsock vhost_net vhost
modprobe vhost fork_from_owner_default={mode}
modprobe vhost_net
modprobe vhost_vsock
"""
# Two interfaces, one of them of two queues, and a vhost-vsock whose worker is called as the others are. The worker of
# the first is pinned.
QEMU = """
ip tuntap add mode tap name cg0
ip tuntap add mode tap multi_queue name cg1
qemu-system-x86_64 -name guest=cgx -machine q35 -accel tcg -m 64 -nodefaults -display none -S -daemonize \
  -netdev tap,id=a,ifname=cg0,script=no,downscript=no,vhost=on -device virtio-net-pci,netdev=a \
  -netdev tap,id=b,ifname=cg1,script=no,downscript=no,vhost=on,queues=2 -device virtio-net-pci,netdev=b,mq=on \
  -device vhost-vsock-pci,guest-cid=9 -pidfile /run/cgx.pid
taskset -pc 1 $(ps -eLo lwp,comm | awk '$2 ~ /^vhost-/ {print $1}' | head -n 1)
"""
QEMU_ENDS = (
    "pid=$(cat /run/cgx.pid); kill $pid; timeout 10 tail -s 0.1 --pid=$pid -f /dev/null;"
    " ip link del cg0; ip link del cg1"
)
LIBVIRT = """
cat >/run/cgl.xml <<X
<domain type='kvm'><name>cgl</name><memory unit='MiB'>64</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='q35'>hvm</type></os><devices><emulator>/usr/bin/qemu-system-x86_64</emulator>
<interface type='ethernet'><target dev='cg2'/><model type='virtio'/><driver name='vhost'/></interface>
<interface type='ethernet'><target dev='cg3'/><model type='virtio'/><driver name='vhost' queues='2'/></interface>
</devices></domain>
X
virsh create --paused /run/cgl.xml
"""
LIBVIRT_ENDS = "virsh destroy cgl"
# Every file of the tree by name, those that a change of ours could touch with their text, and where every thread of a
# VM is and may run. In one line, sorted.
SNAPSHOT = """
import glob, json, os
CONFIGURED = "type subtree_control controllers max weight cpus mems effective idle partition".split()
found = {}
for directory, _directories, files in os.walk("/sys/fs/cgroup"):
    for name in files:
        path = os.path.join(directory, name)
        wanted = name.split(".")[-1] in CONFIGURED and name.split(".")[0] in ("cgroup", "cpu", "cpuset")
        try:
            found[path] = open(path).read() if wanted else ""
        except OSError as error:
            found[path] = error.errno
for path in glob.glob("/proc/[0-9]*/task/[0-9]*"):
    try:
        comm = open(path + "/comm").read().strip()
        if comm.startswith(("vhost-", "qemu", "CPU ", "call_rcu", "IO ")):
            found[path] = [comm, open(path + "/cgroup").read(), sorted(os.sched_getaffinity(int(path.split("/")[-1])))]
    except OSError:
        pass
print(json.dumps(found, sort_keys=True))
"""


def shell(name: str, script: str) -> dict[str, Any]:
    return {"name": name, "ansible.builtin.shell": {"cmd": script, "executable": "/bin/bash"}, "register": name}


def snapshot(name: str) -> dict[str, Any]:
    return {"name": name, "ansible.builtin.command": {"argv": ["python3", "-c", SNAPSHOT]}, "register": name}


def call(name: str, *, check: bool = False, **arguments: Any) -> dict[str, Any]:
    given = {"cgroup": CGROUP, "vms": [{"name": "cgx"}, {"name": "cgl"}], "cpu_max": LIMIT, **arguments}
    return {
        "name": name,
        "virtperf.vhost.vhost_cgroup": given,
        "check_mode": check,
        "diff": True,
        "register": name,
    }


def place(path: str) -> str:
    """Of a group in a scope of libvirt's only that: the scope's name has a number."""
    return "libvirt" if path.endswith("/libvirt/the-vhost-killer") else path


@pytest.mark.parametrize(
    ("mode", "layouts", "kinds"),
    [
        ("Y", {"qemu-thread", "libvirt"}, {f"/{CGROUP}": "threaded", "libvirt": "threaded"}),
        ("N", {"kthread"}, {f"/{CGROUP}": "domain"}),
    ],
    ids=["threads of QEMU", "kernel threads"],
)
def test_predicted_done_idempotent_and_undone_in_both_ways(
    tmp_path: Path, sandbox: float, mode: str, layouts: set[str], kinds: dict[str, str]
) -> None:
    """One VM by QEMU alone and one of libvirt's, in one call: each worker goes where one of its kind can go."""
    tasks = [
        # In one: a task takes more than a second there.
        shell("begins", MODE.format(mode=mode) + QEMU + LIBVIRT),
        snapshot("before"),
        call("predicted", check=True),
        call("done"),
        call("again"),
        call("foreseen", state="absent", check=True),
        call("absent", state="absent"),
        snapshot("between"),
        call("once_more", cpus="0"),
        {"name": "restored", "virtperf.vhost.restore": {}, "register": "restored"},
        snapshot("after"),
    ]
    got = run(tmp_path, tasks, [shell("ends", f"{QEMU_ENDS}; {LIBVIRT_ENDS}")])
    for predicted, done in (("predicted", "done"), ("foreseen", "absent")):
        for key in ("changed", "actions", "groups", "workers", "diff"):
            assert got[predicted][key] == got[done][key], (done, key)
    assert not got["again"]["changed"]
    groups = {group["path"]: group for group in got["done"]["groups"]}
    assert {place(path): group["type"] for path, group in groups.items()} == kinds
    assert {group["cpu_max"] for group in groups.values()} == {LIMIT}
    workers = got["again"]["workers"]
    assert [worker["interface"] for worker in workers] == ["cg0", "cg1", "cg1", "cg2", "cg3", "cg3"]
    assert {worker["layout"] for worker in workers} == layouts
    for worker in workers:
        assert worker["cgroup"] in groups
        assert place(worker["cgroup"]) == ("libvirt" if worker["layout"] == "libvirt" else f"/{CGROUP}")
    assert {group["cpus_effective"] for group in got["once_more"]["groups"]} == {"0"}
    before = json.loads(got["before"]["stdout"])
    for name in ("between", "after"):
        now = json.loads(got[name]["stdout"])
        assert {path for path in {*before, *now} if before.get(path) != now.get(path)} == set()


def test_what_cannot_be_had(tmp_path: Path, sandbox: float) -> None:
    """Said by the module on a real kernel's files, with nothing touched."""
    refusals = {
        "cpu": ({"cpus": "64"}, "cannot have CPU 64: the cgroup above does not have it"),
        "domain": (
            {"cgroup": "init.scope"},
            "cannot turn threaded, as threads of QEMU need it (found: it has process 1",
        ),
        "slice": ({"cgroup": "system.slice/x"}, "below /system.slice have processes"),
        "interface": ({"vms": [{"name": "cgx", "interface": "eth0"}]}, "its taps are cg0, cg1"),
    }
    only = {"vms": [{"name": "cgx"}]}
    calls = [{**call(name, **{**only, **given}), "ignore_errors": True} for name, (given, _message) in refusals.items()]
    begins = shell("begins", MODE.format(mode="Y") + QEMU)
    tasks = [begins, snapshot("before"), *calls, snapshot("after")]
    got = run(tmp_path, tasks, [shell("ends", QEMU_ENDS)])
    for name, (_given, message) in refusals.items():
        assert got[name]["failed"], name
        assert message in got[name]["msg"]
    assert got["before"]["stdout"] == got["after"]["stdout"]
