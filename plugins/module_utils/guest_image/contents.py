# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is written into a guest image beside Debian's packages: which units start, how SSH and the network are set up.

A guest is configured at boot by systemd's credentials (SMBIOS type 11): ``network.network.*``,
``ssh.authorized_keys.root``, ``ssh.host_key.ed25519``, ``firstboot.hostname``. So one image serves all guests.
"""

from __future__ import annotations

import contextlib
import inspect
import os
import shutil

from ansible_collections.virtperf.vhost.plugins.module_utils.guest_image import compiled

# The credential with a guest's SSH host key. Without it the guest makes one at its first boot.
HOST_KEY_CREDENTIAL = "ssh.host_key.ed25519"
# The last line of a guest's console when SSH answers and an address is there.
READY = "virtperf: ready"

# What a guest's kernel is started with, beside what its launcher adds. A lab's guest needs none of Debian's security
# modules, which have to be set up at each boot and asked at system calls.
COMMAND_LINE = "root=/dev/vda rw console=ttyS0 quiet net.ifnames=0 lsm=capability"

_UNITS = "etc/systemd/system"

# What is enabled, all of it: the links of Debian's packages go.
ENABLED = {
    "multi-user.target.wants": ("acpid.service", "ssh.service", "systemd-networkd.service", "virtperf-ready.service"),
    "sockets.target.wants": ("systemd-networkd.socket",),
    "sysinit.target.wants": ("systemd-network-generator.service", "virtperf-hostname.service"),
    "ssh.service.requires": ("virtperf-host-key.service",),
}

# What systemd itself pulls in and a guest that lives for minutes does not need.
MASKED = (
    "acpid.path",
    "acpid.socket",
    "apt-daily-upgrade.timer",
    "apt-daily.timer",
    "console-getty.service",
    "dev-mqueue.mount",
    "dpkg-db-backup.timer",
    "e2scrub_all.timer",
    "e2scrub_reap.service",
    "fstrim.timer",
    "getty-static.service",
    "getty.target",
    "kmod-static-nodes.service",
    "ldconfig.service",
    "man-db.timer",
    "proc-sys-fs-binfmt_misc.automount",
    "remote-fs.target",
    "run-lock.mount",
    "sshd-keygen.service",
    "sys-fs-fuse-connections.mount",
    "sys-kernel-config.mount",
    "systemd-ask-password-console.path",
    "systemd-ask-password-wall.path",
    "systemd-binfmt.service",
    "systemd-creds.socket",
    "systemd-firstboot.service",
    "systemd-hibernate-clear.service",
    "systemd-hostnamed.socket",
    "systemd-hwdb-update.service",
    "systemd-initctl.socket",
    "systemd-journal-catalog-update.service",
    "systemd-journal-flush.service",
    "systemd-logind.service",
    "systemd-machine-id-commit.service",
    "systemd-modules-load.service",
    "systemd-networkd-persistent-storage.service",
    "systemd-networkd-wait-online.service",
    "systemd-pcrextend.socket",
    "systemd-pcrlock.socket",
    "systemd-pcrmachine.service",
    "systemd-pcrphase-sysinit.service",
    "systemd-pcrphase.service",
    "systemd-pstore.service",
    "systemd-random-seed.service",
    "systemd-sysext.socket",
    "systemd-tmpfiles-clean.timer",
    "systemd-tmpfiles-setup-dev-early.service",
    "systemd-tpm2-setup-early.service",
    "systemd-tpm2-setup.service",
    "systemd-udev-load-credentials.service",
    "systemd-update-done.service",
    "systemd-update-utmp.service",
    "systemd-user-sessions.service",
)

# Each of them is a process at every boot. The root filesystem comes from the kernel's command line, there is no fstab.
MASKED_GENERATORS = (
    "systemd-debug-generator",
    "systemd-fstab-generator",
    "systemd-getty-generator",
    "systemd-gpt-auto-generator",
    "systemd-hibernate-resume-generator",
    "systemd-rc-local-generator",
    "systemd-run-generator",
    "systemd-ssh-generator",
    "systemd-system-update-generator",
    "systemd-sysv-generator",
    "systemd-tpm2-generator",
)

FILES = {
    "etc/ssh/sshd_config.d/virtperf.conf": """\
HostKey /etc/ssh/ssh_host_ed25519_key
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
UsePAM no
PrintMotd no
X11Forwarding no
MaxStartups 64
MaxSessions 64
# All of a lab comes from one address, and who waits for a guest knocks before it is ready.
PerSourcePenalties no
""",
    # Debian's waits for the network and checks its configuration at each start.
    f"{_UNITS}/ssh.service": """\
[Unit]
Description=OpenBSD Secure Shell server
DefaultDependencies=no
After=systemd-tmpfiles-setup.service systemd-sysusers.service
Conflicts=shutdown.target
Before=shutdown.target

[Service]
Type=notify
ExecStart=/usr/sbin/sshd -D
ExecReload=/bin/kill -HUP $MAINPID
KillMode=process
Restart=on-failure
RuntimeDirectory=sshd
RuntimeDirectoryMode=0755

[Install]
WantedBy=multi-user.target
""",
    f"{_UNITS}/virtperf-host-key.service": """\
[Unit]
Description=Make this guest's SSH host key
DefaultDependencies=no
After=systemd-tmpfiles-setup.service
Before=ssh.service
ConditionPathExists=!/etc/ssh/ssh_host_ed25519_key

[Service]
Type=oneshot
ExecStart=/usr/bin/ssh-keygen -q -t ed25519 -N "" -C "" -f /etc/ssh/ssh_host_ed25519_key
""",
    f"{_UNITS}/virtperf-hostname.service": """\
[Unit]
Description=Take the host name that was given by credential
DefaultDependencies=no
ConditionCredential=firstboot.hostname
Before=sysinit.target

[Service]
Type=oneshot
ImportCredential=firstboot.hostname
ExecStart=/bin/sh -c 'read -r name <"$CREDENTIALS_DIRECTORY/firstboot.hostname"; \\
    echo "$name" >/etc/hostname; echo "$name" >/proc/sys/kernel/hostname'
""",
    # networkd is up before its links are; a first packet that is lost costs QEMU's user network 6 seconds.
    f"{_UNITS}/virtperf-ready.service": f"""\
[Unit]
Description=Say on the console that SSH answers
DefaultDependencies=no
After=ssh.service systemd-networkd.service

[Service]
Type=oneshot
ExecStart=/bin/sh -c 'for n in 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9; do \\
    while read -r link net rest; do [ "$net" = Destination ] || break 2; done </proc/net/route; sleep 0.1; done; \\
    echo "{READY}" >/dev/console'
""",
    # The power button, without a login manager and the message bus that it needs.
    f"{_UNITS}/acpid.service": """\
[Unit]
Description=Act on the power button
DefaultDependencies=no
After=virtperf-ready.service
Conflicts=shutdown.target
Before=shutdown.target

[Service]
ExecStartPre=-/sbin/modprobe button
ExecStart=/usr/sbin/acpid --foreground --netlink
""",
    "etc/acpi/events/power": "event=button/power.*\naction=/usr/bin/systemctl --no-block poweroff\n",
    # Only what a guest has; ttys and the like are there without udev.
    f"{_UNITS}/systemd-udev-trigger.service.d/virtperf.conf": """\
[Service]
ExecStart=
ExecStart=-udevadm trigger --type=devices --action=add --subsystem-match=pci --subsystem-match=virtio \\
    --subsystem-match=block --subsystem-match=net
""",
    f"{_UNITS}/systemd-tmpfiles-setup.service.d/virtperf.conf": f"""\
[Service]
ImportCredential={HOST_KEY_CREDENTIAL}
""",
    "etc/tmpfiles.d/virtperf.conf": f"f^ /etc/ssh/ssh_host_ed25519_key :0600 root :root - {HOST_KEY_CREDENTIAL}\n",
    # Each boot of a fresh overlay gets an id of its own.
    "etc/machine-id": "",
}

# What a hypervisor's image has beside that. Nothing of it starts by itself, for the same image serves its guests: what
# shall be a hypervisor has HYPERVISOR_OPTION on its kernel's command line.
HYPERVISOR_TARGET = "virtperf-hypervisor.target"
HYPERVISOR_OPTION = f"systemd.unit={HYPERVISOR_TARGET}"
# The kernel and the initrd for its guests, beside which it has the image as a second disk.
GUEST_BOOT = "boot/guest"
_PYTHON = "usr/lib/python3/dist-packages"
HYPERVISOR_FILES = {
    f"{_UNITS}/{HYPERVISOR_TARGET}": """\
[Unit]
Description=A hypervisor for guests of its own
Requires=multi-user.target
Wants=virtperf-hypervisor.service dbus.socket libvirtd.socket
After=multi-user.target
AllowIsolate=yes
""",
    # udev is not asked about CPUs, and /dev/vhost-net appears with its module.
    f"{_UNITS}/virtperf-hypervisor.service": f"""\
[Unit]
Description=Load what a hypervisor needs of the kernel
DefaultDependencies=no
Before=virtperf-ready.service

[Service]
Type=oneshot
ExecStart=-/sbin/modprobe -qa kvm_amd kvm_intel
ExecStart=/sbin/modprobe -a bridge tun vhost_net
CacheDirectory={os.path.basename(compiled.PLACE)}
CacheDirectoryMode=0700
""",
    f"{_PYTHON}/virtperf_compiled.py": inspect.getsource(compiled),
    f"{_PYTHON}/virtperf_compiled.pth": "import virtperf_compiled; virtperf_compiled.keep()\n",
}

# What packages leave behind that would be the same in every guest, or says how the image was built.
_REMOVED = ("etc/apt/apt.conf.d/99mmdebstrap", "etc/hostname", "etc/resolv.conf")


def configure(root: str, *, hypervisor: bool = False) -> None:
    """Write all of this into the tree of a guest image."""
    strip(root)
    units = os.path.join(root, _UNITS)
    for name in os.listdir(units):
        if name.endswith((".wants", ".requires")):
            shutil.rmtree(os.path.join(units, name))
        elif os.path.islink(os.path.join(units, name)):
            os.unlink(os.path.join(units, name))  # an alias; it would be in the way of a file of ours
    for path, text in {**FILES, **(HYPERVISOR_FILES if hypervisor else {})}.items():
        _write(os.path.join(root, path), text)
    for directory, names in ENABLED.items():
        for name in names:
            own = f"/{_UNITS}/{name}"
            _link(own if own[1:] in FILES else f"/usr/lib/systemd/system/{name}", os.path.join(units, directory, name))
    for name in MASKED:
        _link("/dev/null", os.path.join(units, name))
    for name in MASKED_GENERATORS:
        _link("/dev/null", os.path.join(root, "etc/systemd/system-generators", name))
    _link("/usr/lib/systemd/system/multi-user.target", os.path.join(units, "default.target"))


def strip(root: str) -> None:
    """Remove what must not be in an image: host keys, and traces of the machine that built it."""
    for path in _REMOVED:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(os.path.join(root, path))
    ssh = os.path.join(root, "etc/ssh")
    for name in os.listdir(ssh) if os.path.isdir(ssh) else ():
        if name.startswith("ssh_host_"):
            os.unlink(os.path.join(ssh, name))


def _write(path: str, text: str) -> None:
    os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(path, 0o644)


def _link(target: str, path: str) -> None:
    os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
    os.symlink(target, path)
