# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Domains on a real libvirtd: the module by itself, and guests of a lab that the role starts with it."""

from __future__ import annotations

import os
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import a_libvirt
import pytest
from a_lab import LOCAL, Lab
from a_libvirt import Libvirtd
from calls import call

# The Python that has Debian's python3-libvirt.
DEBIANS = "/usr/bin/python3"
TAP = f"vp-{os.getpid()}"
SECRET = "not for everybody to see"
XML = f"""
<domain type='qemu'>
  <memory unit='MiB'>64</memory>
  <vcpu>1</vcpu>
  <os><type arch='x86_64' machine='q35'>hvm</type></os>
  <features><acpi/></features>
  <devices>
    <disk type='file' device='disk'>
      <driver name='qemu' type='qcow2' cache='unsafe'/>
      <target dev='vda' bus='virtio'/>
    </disk>
    <interface type='ethernet'>
      <mac address='52:54:00:00:00:01'/>
      <target dev='{TAP}' managed='no'/>
      <model type='virtio'/>
      <driver name='qemu'/>
    </interface>
    <memballoon model='none'/>
  </devices>
</domain>
"""
QEMU = "http://libvirt.org/schemas/domain/qemu/1.0"
NONSENSE = f"<qemu:commandline xmlns:qemu='{QEMU}'><qemu:arg value='-nonsense'/></qemu:commandline>"


@pytest.fixture(scope="module")
def libvirtd() -> Iterator[Libvirtd]:
    with a_libvirt.libvirtd() as libvirtd:
        yield libvirtd


@pytest.fixture(autouse=True)
def tap() -> Iterator[None]:
    """A tap that is there before the domain, as one of a bridge."""
    subprocess.run(["ip", "tuntap", "add", TAP, "mode", "tap"], check=True)
    try:
        yield
    finally:
        subprocess.run(["ip", "link", "delete", TAP], check=True)


def gone(libvirtd: Libvirtd) -> None:
    """Nothing is left of any domain: for libvirt, as a process, as a file."""
    assert libvirtd.virsh("list", "--all") == ""
    assert not (libvirtd.state / "virtperf/libvirt").exists()
    assert not libvirtd.path("/run/virtperf").exists()
    assert not list(libvirtd.path("/var/log/libvirt/qemu").iterdir())
    assert not list(libvirtd.path("/run/libvirt/qemu").glob("*.xml"))
    assert not [line for line in Path("/proc/net/unix").read_text().splitlines() if "/domain-" in line]


class TestModule:
    @pytest.fixture
    def wanted(self, tmp_path: Path) -> dict[str, Any]:
        base, secret = tmp_path / "base.img", tmp_path / "secret"
        base.write_bytes(bytes(1 << 20))
        secret.write_text(SECRET)
        # Of root alone, as images in root's cache are.
        tmp_path.chmod(0o700)
        disks = [{"target": "vda", "base": str(base)}]
        return {"name": "small", "xml": XML, "disks": disks, "credential_files": {"passwd.root": str(secret)}}

    @staticmethod
    def ask(libvirtd: Libvirtd, *domains: dict[str, Any], check: bool = False, **more: Any) -> dict[str, Any]:
        given = {"domains": list(domains), **more} if domains else more
        return call("libvirt_domain", given, check=check, python=DEBIANS, within=libvirtd.within)

    def test_predicted_started_idempotent_and_restored(self, libvirtd: Libvirtd, wanted: dict[str, Any]) -> None:
        predicted = self.ask(libvirtd, wanted, check=True)
        assert libvirtd.virsh("list", "--all") == "", predicted
        done = self.ask(libvirtd, wanted)
        assert not done.get("failed"), done
        for key in ("changed", "actions", "diff"):
            assert predicted[key] == done[key], key
        (domain,) = done["domains"]
        assert domain["state"] == "running"
        assert domain["taps"] == [{"ifname": TAP, "mac": "52:54:00:00:00:01", "queues": 1}]
        assert libvirtd.virsh("domuuid", "small").strip() == domain["uuid"]
        assert "Persistent:     no" in libvirtd.virsh("dominfo", "small")

        # QEMU runs as root, nothing has changed hands, and nobody else can see the secret.
        command = Path(f"/proc/{domain['pid']}/cmdline").read_text()
        assert os.stat(f"/proc/{domain['pid']}").st_uid == 0
        assert "type=11,path=/run/virtperf/libvirt/small/credential0" in command
        overlay, credential = libvirtd.path(domain["overlays"][0]), libvirtd.path("/run/virtperf/libvirt/small")
        assert [stat.S_IMODE(path.stat().st_mode) for path in (overlay, credential)] == [0o600, 0o700]
        assert (overlay.stat().st_uid, os.stat(wanted["disks"][0]["base"]).st_uid) == (0, 0)
        assert "bm90IGZvciBldmVyeWJvZHk" not in command + libvirtd.path(domain["log"]).read_text()

        # As any VM of the host it is found with its tap.
        info = call("vhost_info", {}, python=DEBIANS, within=libvirtd.within)["vhost_info"]
        (vm,) = [vm for vm in info["vms"] if vm["pid"] == domain["pid"]]
        assert (vm["name"], vm["uuid"], vm["manager"]) == ("small", domain["uuid"], "libvirt")
        assert [(tap["interface"], tap["queues"]) for tap in vm["taps"]] == [(TAP, 1)]

        for check in (True, False):
            again = self.ask(libvirtd, wanted, check=check)
            assert (again["changed"], again["actions"], again["domains"]) == (False, [], done["domains"])
        # By a Python without libvirt's module.
        restored = call("restore", {}, within=libvirtd.within)
        assert not restored.get("failed"), restored
        assert "stopped domain small" in restored["actions"]
        assert not Path(f"/proc/{domain['pid']}").exists()
        gone(libvirtd)

    def test_a_change_needs_a_restart(self, libvirtd: Libvirtd, wanted: dict[str, Any]) -> None:
        first = self.ask(libvirtd, wanted)["domains"][0]
        changed = {**wanted, "xml": XML.replace("<vcpu>1", "<vcpu>2")}
        refused = self.ask(libvirtd, changed, on_change="fail")
        assert (refused["failed"], refused["restart_needed"]) == (True, {"small": ["xml: vcpu"]})
        left = self.ask(libvirtd, changed, on_change="warn")
        assert (left["changed"], left["domains"][0]["pid"]) == (False, first["pid"])
        done = self.ask(libvirtd, changed, stop_limits={"powerdown": 0})
        assert done["actions"] == ["stop small (changed: xml: vcpu)", "start small"]
        assert libvirtd.virsh("vcpucount", "--live", "--current", "small").strip() == "2"
        removed = self.ask(libvirtd, state="absent", stop_limits={"powerdown": 0})
        assert (removed["stopped"], removed["domains"]) == ({"small": "destroy"}, [])
        gone(libvirtd)
        assert not self.ask(libvirtd, state="absent")["changed"]

    def test_one_that_stands_still_goes_on(self, libvirtd: Libvirtd, wanted: dict[str, Any]) -> None:
        self.ask(libvirtd, wanted)
        libvirtd.virsh("suspend", "small")
        assert self.ask(libvirtd, wanted)["actions"] == ["resume small"]
        assert libvirtd.virsh("domstate", "small").strip() == "running"
        assert self.ask(libvirtd, state="absent", stop_limits={"powerdown": 0})["changed"]

    def test_somebody_else_s(self, libvirtd: Libvirtd, wanted: dict[str, Any], tmp_path: Path) -> None:
        theirs = tmp_path / "theirs.xml"
        text = XML[: XML.index("<disk ")] + XML[XML.index("<memballoon") :]
        theirs.write_text(text.replace("<memory", "<name>small</name><memory"))
        libvirtd.virsh("define", str(theirs))
        try:
            refused = self.ask(libvirtd, wanted)
            assert refused["failed"]
            assert "libvirt has a domain small already, and it is not ours" in refused["msg"]
            assert not self.ask(libvirtd, {"name": "small"}, state="absent")["changed"]
            assert libvirtd.virsh("list", "--all", "--name").strip() == "small"
        finally:
            libvirtd.virsh("undefine", "small")
        gone(libvirtd)

    def test_what_libvirt_or_qemu_refuses_is_told(self, libvirtd: Libvirtd, wanted: dict[str, Any]) -> None:
        for old, new, message in (
            ("<memballoon model='none'/>", "<ballon model='none'/>", "failed to validate against schema"),
            ("<driver name='qemu'/>", "<driver name='qemu' queues='2'/>", "tap"),
            ("</devices>", f"</devices>{NONSENSE}", "-nonsense: invalid option"),
        ):
            refused = self.ask(libvirtd, {**wanted, "xml": XML.replace(old, new)})
            assert refused["failed"], new
            assert "libvirt does not start domain small" in refused["msg"]
            assert message in refused["msg"]
        assert "-nonsense" in refused["log_end"]
        refused = self.ask(libvirtd, {**wanted, "xml": XML.replace(TAP, "vp-none")})
        assert "domain small: there is no interface vp-none" in refused["msg"]
        assert not call("restore", {}, within=libvirtd.within).get("failed")
        gone(libvirtd)

    def test_without_libvirt(self, wanted: dict[str, Any], tmp_path: Path) -> None:
        state = tmp_path / "state"
        state.mkdir()
        for python, message in (("python", "python3-libvirt"), (DEBIANS, "libvirt-daemon-system")):
            refused = call("libvirt_domain", {"domains": [wanted]}, state=state, python=python)
            assert refused["failed"]
            assert message in refused["msg"]


def test_guests_of_a_lab(libvirtd: Libvirtd, image: dict[str, str], tmp_path: Path) -> None:
    """Started by the role, reached by SSH, changed, and restored."""
    lab = Lab(tmp_path, ["web"])
    lab.within = libvirtd.within
    described = {"name": "web", "port": lab.ports["web"], "variables": {"vm_taps": [{"ifname": TAP, "vhost": False}]}}
    lab.describe(lab.inventory, "198.51.100.0/28", {"localhost": {**LOCAL, "guests": [described]}})
    own = {"guest_manager": "libvirt"}
    try:
        first = lab.up(**own)
        assert first.status == 0, first.output
        assert libvirtd.virsh("list", "--name").strip() == "web"
        # Its name and both its addresses; and the tap has the place on the bus that qemu_vm gives it.
        files = ["sys/kernel/hostname", "net/fib_trie", "../sys/bus/pci/devices/0000:00:11.0/vendor"]
        look = {"cmd": "cat " + " ".join(f"/proc/{file}" for file in files)}
        asked = {"name": "Ask", "ansible.builtin.command": look, "register": "asked"}
        addresses = [f"'{address}' in asked.stdout" for address in ("10.0.2.15", "198.51.100.2")]
        that = ["asked.stdout.startswith('web')", "asked.stdout.endswith('0x1af4')", *addresses]
        see = {"name": "See", "ansible.builtin.assert": {"that": that}}
        used = lab.use([{"name": "Ping", "ansible.builtin.ping": {}}, asked, see])
        assert used.status == 0, used.output
        for arguments in ([], ["--check"]):
            again = lab.up(*arguments, **own)
            assert (again.status, again.changed) == (0, 0), again.output
        changed = lab.up("--check", "--diff", guests_append="quiet", **own)
        assert (changed.status, changed.changed) == (0, 1), changed.output
        restored = lab.play("restore")
        assert restored.status == 0, restored.output
        gone(libvirtd)
    finally:
        down = lab.play("guests", guests_state="down", **own)
    assert down.status == 0, down.output
    gone(libvirtd)
