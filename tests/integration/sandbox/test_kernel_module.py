# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Modules of a real kernel, loaded and loaded anew with parameters, and the role host, in the hypervisor in a VM."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from a_sandbox import run

pytestmark = pytest.mark.long

FORK = "fork_from_owner_default"
# As they come by themselves.
BEGIN = """
set -e
modprobe -r vhost_vsock vhost_net vhost
modprobe vhost max_mem_regions=128
modprobe vhost_net
modprobe vhost_vsock
"""
QEMU = """
set -e
ip tuntap add mode tap name km0
qemu-system-x86_64 -name guest=kmx -machine q35 -accel tcg -m 64 -nodefaults -display none -S -daemonize \
  -netdev tap,id=a,ifname=km0,script=no,downscript=no,vhost=on -device virtio-net-pci,netdev=a -pidfile /run/kmx.pid
"""
# QEMU removes the file when it ends.
END = "pid=$(cat /run/kmx.pid) && kill $pid && timeout 10 tail -s 0.1 --pid=$pid -f /dev/null"
QEMU_ENDS = f"{END}; ip link del km0; modprobe -r vhost_vsock vhost_net vhost; modprobe vhost_net; modprobe vhost_vsock"
GRUB = """
printf '#!/bin/sh\\ntouch /run/grub-ran\\n' >/usr/local/bin/update-grub
chmod 755 /usr/local/bin/update-grub
"""
ROLE_ENDS = "rm -f /usr/local/bin/update-grub /etc/default/grub.d/virtperf.cfg"
SNAPSHOT = """
import glob, json
found = {line.split()[0]: sorted(line.split()[3].split(",")) for line in open("/proc/modules")}
for path in glob.glob("/sys/module/vhost*/parameters/*"):
    found[path] = open(path).read()
for name in ("soft_watchdog", "nmi_watchdog"):
    found[name] = open("/proc/sys/kernel/" + name).read()
print(json.dumps(found, sort_keys=True))
"""


def shell(name: str, script: str) -> dict[str, Any]:
    return {"name": name, "ansible.builtin.shell": {"cmd": script, "executable": "/bin/bash"}, "register": name}


def snapshot(name: str) -> dict[str, Any]:
    return {"name": name, "ansible.builtin.command": {"argv": ["python3", "-c", SNAPSHOT]}, "register": name}


def call(name: str, modules: list[dict[str, Any]], *, check: bool = False, fails: bool = False) -> dict[str, Any]:
    given = {"virtperf.vhost.kernel_module": {"modules": modules}, "check_mode": check, "diff": True}
    return {"name": name, **given, "ignore_errors": fails, "register": name}


def plain(name: str, module: str, **arguments: Any) -> dict[str, Any]:
    return {"name": name, f"virtperf.vhost.{module}": arguments, "register": name}


def failing(name: str, task: dict[str, Any]) -> list[dict[str, Any]]:
    """A task that has to fail; its message by that name."""
    keep = {"name": "Keep", "ansible.builtin.set_fact": {"told": "{{ ansible_failed_result.msg }}"}}
    begin = {"name": "Begin", "ansible.builtin.set_fact": {"told": "it did not fail"}}
    tell = {"name": name, "ansible.builtin.debug": {"msg": "{{ told }}"}, "register": name}
    return [begin, {"name": "Try", "block": [task], "rescue": [keep]}, tell]


def vhost(fork: bool) -> list[dict[str, Any]]:
    return [{"name": "vhost_net"}, {"name": "vhost", "parameters": {FORK: fork}}]


def test_workers_of_either_kind_are_had_by_loading_vhost_anew(tmp_path: Path, sandbox: float) -> None:
    tasks = [
        shell("begin", BEGIN),
        snapshot("before"),
        call("predicted", vhost(False), check=True),
        call("done", vhost(False)),
        call("again", vhost(False)),
        snapshot("between"),
        shell("qemu", QEMU),
        plain("info", "vhost_info"),
        call("refused", vhost(True), fails=True),
        shell("end", END),
        plain("restored", "restore"),
        snapshot("after"),
        plain("once_more", "restore"),
    ]
    got = run(tmp_path, tasks, [shell("ends", QEMU_ENDS)])
    for key in ("changed", "actions", "modules", "diff"):
        assert got["predicted"][key] == got["done"][key], key
    assert got["done"]["actions"][0].endswith(f": vhost {FORK} from Y to 0")
    assert got["done"]["modules"][1]["parameters"][FORK] == "N"
    assert got["done"]["modules"][1]["parameters"]["max_mem_regions"] == "128"
    assert not got["again"]["changed"]
    assert [w["layout"] for vm in got["info"]["vhost_info"]["vms"] for w in vm["workers"]] == ["kthread"]
    assert got["refused"]["failed"]
    assert "the module vhost_net must be unloaded" in got["refused"]["msg"]
    assert got["refused"]["users"][0].startswith("qemu-system-x86")
    assert got["refused"]["users"][0].endswith("has /dev/vhost-net open")
    assert got["restored"]["actions"][0] == f"vhost has {FORK}=Y again"
    assert got["between"]["stdout"] != got["before"]["stdout"] == got["after"]["stdout"]
    assert got["once_more"]["actions"] == []


def test_loaded_with_what_they_need_and_unloaded(tmp_path: Path, sandbox: float) -> None:
    modules = [{"name": "vhost-vsock"}, *vhost(False)]
    tasks = [
        shell("begin", "modprobe -r vhost_vsock vhost_net vhost"),
        snapshot("before"),
        call("predicted", modules, check=True),
        call("done", modules),
        call("again", modules),
        call("missing", [{"name": "vhots"}], fails=True),
        call("lacking", [{"name": "vhost", "parameters": {"fork": 1}}], fails=True),
        plain("restored", "restore"),
        snapshot("after"),
    ]
    got = run(tmp_path, tasks, [shell("ends", QEMU_ENDS)])
    for key in ("changed", "actions", "diff"):
        assert got["predicted"][key] == got["done"][key], key
    assert got["done"]["actions"][0].startswith(f"load vhost {FORK}=0")
    assert got["done"]["modules"][2]["parameters"][FORK] == "N"
    assert not got["again"]["changed"]
    assert "there is no module vhots (found: kernel " in got["missing"]["msg"]
    assert got["lacking"]["parameters"] == [FORK, "max_iotlb_entries", "max_mem_regions"]
    assert got["before"]["stdout"] == got["after"]["stdout"]


def test_the_role_gives_all_of_it_and_restore_takes_it(tmp_path: Path, sandbox: float) -> None:
    variables = {
        "host_packages": ["dpdk-dev", "iproute2"],
        "host_libvirt": True,
        "host_irqbalance": "stopped",
        "host_watchdog": False,
        "host_kernel_modules": vhost(False),
        "host_kernel_settings": [{"path": "/sys/kernel/mm/transparent_hugepage/enabled", "value": "never"}],
    }
    role: dict[str, Any] = {"ansible.builtin.include_role": {"name": "virtperf.vhost.host"}}
    boot = {**variables, "host_kernel_command_line": ["isolcpus=1", "quiet"]}
    tasks = [
        snapshot("before"),
        shell("stop", "systemctl stop libvirtd.socket libvirtd.service; systemctl is-active libvirtd.socket || true"),
        {**plain("host", "vhost_info"), "register": "run_host"},
        {"name": "Prepare", **role, "vars": variables},
        snapshot("between"),
        shell("started", "systemctl is-active libvirtd.socket; cat /sys/kernel/mm/transparent_hugepage/enabled"),
        {"name": "Prepare again", **role, "vars": variables},
        shell("journal", "wc -l </var/lib/virtperf/journal.jsonl"),
        *failing("no_grub", {"name": "Prepare for a boot", **role, "vars": boot}),
        shell("grub", GRUB),
        *failing("nobody", {"name": "Prepare for a boot", **role, "vars": boot}),
        shell("written", "rm /run/grub-ran; tail -n 1 /etc/default/grub.d/virtperf.cfg"),
        plain("restored", "restore"),
        shell("stopped", "systemctl is-active libvirtd.socket || true"),
        snapshot("after"),
    ]
    got = run(tmp_path, tasks, [shell("ends", f"systemctl start libvirtd.socket; {ROLE_ENDS}; {QEMU_ENDS}")])
    assert got["stop"]["stdout_lines"][-1] == "inactive"
    assert got["started"]["stdout_lines"] == ["active", "always madvise [never]"]
    assert "lacks isolcpus=1" in got["no_grub"]["msg"]
    assert "(found: no update-grub)" in got["no_grub"]["msg"]
    assert "sandbox has to be rebooted to have isolcpus=1" in got["nobody"]["msg"]
    assert "(found: nobody said yes). Way out: reboot it, then run again" in got["nobody"]["msg"]
    assert got["written"]["stdout"] == 'GRUB_CMDLINE_LINUX_DEFAULT="$GRUB_CMDLINE_LINUX_DEFAULT isolcpus=1 quiet"'
    assert f"vhost has {FORK}=Y again" in got["restored"]["actions"]
    assert got["stopped"]["stdout"] in ("inactive", "failed")
    assert got["between"]["stdout"] != got["before"]["stdout"] == got["after"]["stdout"]
