# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A traced timeline on a real vhost worker: more packets to a guest than a throttled worker takes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from a_sandbox import run

pytestmark = pytest.mark.long

LIMIT = "1000 1000000"
ADDRESS = "192.0.2.9"
HISTOGRAMS = {"wakeup_delay_us", "held_us", "wakeup_packets", "wakeup_bytes"}
HISTOGRAMS |= {f"{way}_run_{what}" for way in ("tx", "rx") for what in ("packets", "bytes")}
FIGURES = {*HISTOGRAMS, "signals", "drops"}
# A guest without an init: what it has to do is typed at its console, after newlines that a terminal may swallow.
BEGINS = f"""
set -e
ip tuntap add mode tap name tr0
ip address add 192.0.2.1/24 dev tr0
ip link set tr0 up
qemu-img create -q -f qcow2 -F raw -b /dev/vdb /run/trx.qcow2
{{
  printf '%200s' | tr ' ' '\\n'
  echo 'mount -t proc proc /proc; modprobe virtio_net; ip link set lo up; ip link set eth0 up'
  echo 'ip address add {ADDRESS}/24 dev eth0; iperf3 --server'
  echo $BASHPID >/run/trx.typist
  exec sleep 600
}} 2>/dev/null | qemu-system-x86_64 -name guest=trx -machine q35 -accel kvm -cpu host -m 256 \\
  -nodefaults -display none -kernel /boot/guest/vmlinux -initrd /boot/guest/initrd \\
  -append 'root=/dev/vda rw console=ttyS0 quiet net.ifnames=0 lsm=capability init=/bin/bash' -serial stdio \\
  -drive file=/run/trx.qcow2,format=qcow2,if=virtio,cache=unsafe -pidfile /run/trx.pid \\
  -netdev tap,id=a,ifname=tr0,script=no,downscript=no,vhost=on -device virtio-net-pci,netdev=a \\
  >/run/trx.console 2>&1 &
for second in $(seq 90); do
  if grep -q 'Server listening' /run/trx.console; then cat /run/trx.pid; exit 0; fi
  sleep 0.5
done
tail -n 30 /run/trx.console
exit 1
"""
ENDS = (
    "pid=$(cat /run/trx.pid); kill $pid $(cat /run/trx.typist); timeout 10 tail -s 0.1 --pid=$pid -f /dev/null;"
    " ip link del tr0; rm -rf /run/trx.* /var/lib/virtperf/runs/trace"
)
RECORDS = "import json,sys; print(json.dumps([json.loads(line) for line in open(sys.argv[1])]))"


def shell(name: str, script: str) -> dict[str, Any]:
    return {"name": name, "ansible.builtin.shell": {"cmd": script, "executable": "/bin/bash"}, "register": name}


def measure(**changes: Any) -> dict[str, Any]:
    worker = {
        "label": "trx/worker",
        "role": "worker",
        "pid": "{{ begins.stdout | int }}",
        "tid": "{{ grouped.workers[0].tid }}",
    }
    given = {
        "run_id": "trace",
        "workload": "other",
        "layout": "qemu-thread",
        "trials": 1,
        "phases": [
            {"name": "baseline", "seconds": 4},
            {"name": "throttled", "cpu_max": LIMIT, "seconds": 6},
            {"name": "recovered", "seconds": 4},
        ],
        "sender": "client",
        "server": {"name": "trx", "interfaces": ["tr0"]},
        "client": {
            "name": "hypervisor",
            "command": [
                *("iperf3", "--client", ADDRESS, "--time", "120"),
                *("--udp", "--bitrate", "40M", "--length", "1000"),
            ],
            "sockets": ["dport", "=", ":5201"],
        },
        "threads": [worker],
        "cgroups": {"trx": "/sys/fs/cgroup{{ grouped.groups[0].path }}"},
        "settle_seconds": 1,
        "trace": True,
        **changes,
    }
    return {"name": "measured", "virtperf.vhost.throttle_run": given, "register": "measured"}


def test_what_the_kernel_shows_of_a_worker_phase_by_phase(tmp_path: Path, sandbox: float) -> None:
    cgroup = {"cgroup": "vhost-toplevel/the-vhost-killer", "vms": [{"name": "trx"}], "cpu_max": "max"}
    tasks = [
        shell("begins", BEGINS),
        {"name": "grouped", "virtperf.vhost.vhost_cgroup": cgroup, "register": "grouped"},
        measure(),
        {
            "name": "records",
            "ansible.builtin.command": {"argv": ["python3", "-c", RECORDS, "{{ measured.records }}"]},
            "register": "records",
        },
        shell("raw", "cat /var/lib/virtperf/runs/trace/samples/*.trace.jsonl; pgrep -a bpftrace || true"),
    ]
    last = [
        shell("ends", ENDS),
        {"name": "restored", "virtperf.vhost.restore": {}},
    ]
    got = run(tmp_path, tasks, last)
    assert (got["measured"]["trials"], got["measured"]["invalid"], got["measured"]["reasons"]) == (3, 0, [])
    assert "bpftrace" not in got["raw"]["stdout"].splitlines()[-1]
    phases = {record["cell"]["phase"]: record for record in json.loads(got["records"]["stdout"])}
    assert all(record["observed"]["trace"] for record in phases.values())
    traces = {name: record["trace"] for name, record in phases.items()}
    for trace in traces.values():
        assert trace["absent"] == {}
        assert set(trace["units"]) == FIGURES
        assert trace["retransmits"]["RetransSegs"] >= 0

    def longest(phase: str, name: str) -> int:
        return max((to for _from, to, _count in traces[phase]["histograms"][name]["trx/worker"]), default=0)

    def moved(phase: str, name: str) -> int:
        return sum(count for _from, _to, count in traces[phase]["histograms"][name]["trx/worker"])

    # It gets a millisecond a second: whatever it waits for, it waits for most of a second.
    assert max(longest("throttled", "wakeup_delay_us"), longest("throttled", "held_us")) > 500_000
    assert longest("recovered", "held_us") < 500_000
    for name in ("rx_run_packets", "rx_run_bytes", "wakeup_packets", "wakeup_bytes"):
        assert moved("baseline", name) > 100
        assert moved("throttled", name) < moved("baseline", name) / 10
    # A packet of 1000 bytes, its headers (42) and virtio-net's (12).
    first, *_more = traces["baseline"]["histograms"]["rx_run_bytes"]["trx/worker"]
    assert first[0] <= 1054
    assert traces["baseline"]["counts"]["signals"]["trx/worker"] > 100
    full = [drop for drop in traces["throttled"]["drops"] if drop["reason"] == "FULL_RING"]
    assert [(drop["interface"], drop["where"]) for drop in full] == [("tr0", "tun_net_xmit")]
    assert full[0]["packets"] > 1000
    assert phases["throttled"]["verdict"]["limit"] == "worker-throttled"
    assert "traced: " in phases["throttled"]["verdict"]["evidence"]
