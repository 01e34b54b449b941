# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The knobs of the study ``knobs``: those of the KVM wiki's list on networking performance, with its questions.

Baselines are what QEMU, Linux and the lab have when nobody turns anything. Levels are few, and far from the baseline:
the question is whether a knob matters.
"""

from __future__ import annotations

from collections.abc import Mapping

from ansible_collections.virtperf.vhost.plugins.plugin_utils.knobs.knob import LINUX, QEMU, Gone, Knob, Parts

_HERE = Parts()
_OUT = "tcp_out_64k"
_IN = "tcp_from_host_64k"
# All by which the host takes large packets uncut: virtio 1.0 has no bit for all of it, and allows none of it without
# checksums.
_UNCUT_OFF = {"gso": "off", "host_tso4": "off", "host_tso6": "off", "host_ecn": "off", "host_ufo": "off"}


def _off(**virtio: str) -> dict[str, Parts]:
    """On, which is QEMU's default, and off."""
    return {"on": _HERE, "off": Parts(tap={"virtio": virtio})}


def _ethtool(**settings: Mapping[str, int]) -> Mapping[str, Mapping[str, Mapping[str, int]]]:
    return {"ethtool": settings}


_KNOBS = (
    Knob(
        "vhost",
        "What does it gain to serve the guest's queues in the host's kernel, and not in QEMU?",
        "QEMU's tap (vhost=)",
        {"on": Parts(tap={"vhost": True}), "off": Parts(tap={"vhost": False})},
        (_OUT, _IN, "tcp_rr"),
    ),
    Knob(
        "mrg_rxbuf",
        "Do mergeable receive buffers help, and are the guest's kicks for new ones as rare as they should be?",
        "virtio feature",
        _off(mrg_rxbuf="off"),
        (_IN, "tcp_from_host_64"),
    ),
    Knob(
        "event_idx",
        "How many packets go with one kick and with one interrupt, and does the event index save any of them?",
        "virtio feature",
        _off(event_idx="off"),
        ("udp_out", _IN),
    ),
    Knob(
        "indirect_desc",
        "Does one indirect descriptor for each packet keep the transmit ring from filling up?",
        "virtio feature",
        _off(indirect_desc="off"),
        (_OUT,),
    ),
    Knob(
        "vectors",
        "What does one legacy interrupt for all queues cost against MSI-X vectors: interrupts per N packets, N = ?",
        "QEMU's device (vectors=)",
        {"default": _HERE, "0": Parts(tap={"vectors": 0})},
        (_IN, "tcp_rr"),
    ),
    Knob(
        "tx",
        "Where QEMU serves the queues, is it better to transmit by a bottom half or by a timer?",
        "QEMU's device (tx=)",
        {"bh": _HERE, "timer": Parts(tap={"virtio": {"tx": "timer"}})},
        ("udp_out", "tcp_rr"),
        requires={"vhost": "off"},
    ),
    Knob(
        "txtimer",
        "How long should the transmit timer be, in nanoseconds?",
        "QEMU's device (x-txtimer=)",
        {"150000": _HERE, "1000000": Parts(tap={"virtio": {"x-txtimer": 1000000}})},
        ("udp_out",),
        requires={"vhost": "off", "tx": "timer"},
    ),
    Knob(
        "txburst",
        "How many packets should QEMU transmit at once before anything else gets its turn?",
        "QEMU's device (x-txburst=)",
        {"256": _HERE, "16": Parts(tap={"virtio": {"x-txburst": 16}})},
        ("udp_out",),
        requires={"vhost": "off"},
    ),
    Knob(
        "rx_queue_size",
        "Is the receive ring long enough, or does the host find it full?",
        "the guest's ring (ethtool -G), QEMU's device (rx_queue_size=)",
        {
            "default": _HERE,
            "256": Parts(guest=_ethtool(rings={"rx": 256})),
            "1024": Parts(tap={"rx_queue_size": 1024}),
        },
        (_IN,),
        note="the default is QEMU's: 256, and 1024 from 10.0.13 on, whatever is asked for; records have what there was",
    ),
    Knob(
        "tx_queue_size",
        "How often is the transmit queue full and stopped, and does the ring's length change that?",
        "the guest's ring (ethtool -G), QEMU's device (tx_queue_size=)",
        {
            "default": _HERE,
            "64": Parts(guest=_ethtool(rings={"tx": 64})),
            "1024": Parts(tap={"tx_queue_size": 1024}),
        },
        ("udp_out",),
        gone=(
            Gone(
                QEMU,
                "a tap's ring has QEMU's own length whatever is asked for (256, and 1024 from 10.0.13 on); a guest"
                " makes it shorter itself (ethtool -G, Linux 6.0, with QEMU 7.2)",
                since="2.10",
                levels=("1024",),
            ),
        ),
    ),
    Knob(
        "sndbuf",
        "What does a limit on the bytes that are outstanding on the tap cost?",
        "QEMU's tap (sndbuf=)",
        {"0": _HERE, "1048576": Parts(tap={"sndbuf": 1048576})},
        ("tcp_to_host_64",),
        note="0 is no limit; 1048576 was QEMU's default when the list was written",
    ),
    Knob(
        "txqueuelen",
        "How many packets must the tap hold for the guest, so that none is dropped?",
        "the tap (txqueuelen)",
        {"1000": _HERE, "50": Parts(link={"txqueuelen": 50})},
        (_IN,),
    ),
    Knob(
        "zcopytx",
        "Does it pay to transmit without a copy in the host?",
        "parameter of vhost_net (experimental_zcopytx)",
        {
            "0": Parts(module={"vhost_net": {"experimental_zcopytx": "0"}}),
            "1": Parts(module={"vhost_net": {"experimental_zcopytx": "1"}}),
        },
        (_OUT,),
        requires={"vhost": "on"},
        gone=(
            Gone(
                LINUX,
                "nothing that a guest's traffic takes by itself; sockets have MSG_ZEROCOPY (Linux 4.14)",
                parameter="experimental_zcopytx",
            ),
        ),
        note="Linux has it off by default since 5.3; what stays on the host is copied all the same, only later",
    ),
    Knob(
        "csum",
        "What does it cost to compute checksums that never leave the host?",
        "virtio feature",
        _off(csum="off", **_UNCUT_OFF),
        ("tcp_to_host_64k",),
        note="without checksums there is no cutting of large packets by the host either, so that is off as well",
    ),
    Knob(
        "gso",
        "What does it gain that large packets leave the guest uncut, of any protocol?",
        "virtio features",
        _off(**_UNCUT_OFF),
        (_OUT,),
        note="virtio 1.0 has no feature GSO any more: host_tso4, host_tso6, host_ecn and host_ufo are turned together",
    ),
    Knob(
        "guest_tso4",
        "What does it gain that large packets of TCP over IPv4 reach the guest uncut?",
        "virtio feature",
        _off(guest_tso4="off", guest_ecn="off"),
        (_IN,),
    ),
    Knob(
        "host_tso4",
        "What does it gain that large packets of TCP over IPv4 leave the guest uncut?",
        "virtio feature",
        _off(host_tso4="off"),
        (_OUT,),
    ),
    Knob(
        "macvtap",
        "What do tap and bridge cost against a raw way out of the host?",
        "the host's interface (macvtap in bridge mode)",
        {"off": _HERE, "on": Parts(tap={"macvtap": True}, link={"kind": "macvtap"})},
        (_OUT, "udp_out"),
        note="the list's raw socket never became a backend of QEMU's; macvtap (Linux 2.6.34) is what came instead",
    ),
    Knob(
        "bridge_nf",
        "What does the bridge's netfilter cost where there is no rule for it?",
        "the host's kernel (bridge-nf-call-iptables)",
        {
            "0": Parts(host={"/proc/sys/net/bridge/bridge-nf-call-iptables": "0"}),
            "1": Parts(host={"/proc/sys/net/bridge/bridge-nf-call-iptables": "1"}),
        },
        (_OUT, "udp_out"),
    ),
    Knob(
        "poll_us",
        "Does it pay that the worker polls for a while before it sleeps: fewer kicks, for how much CPU time?",
        "QEMU's tap (poll-us=)",
        {"0": _HERE, "50": Parts(tap={"poll_us": 50}), "200": Parts(tap={"poll_us": 200})},
        ("tcp_rr", "udp_out"),
        requires={"vhost": "on"},
    ),
    Knob(
        "napi_tx",
        "Should the guest have interrupts for what was transmitted, or look at the next packet only?",
        "the guest's driver (napi_tx, ethtool -C tx-frames)",
        {"on": _HERE, "off": Parts(guest=_ethtool(coalesce={"tx-frames": 0}))},
        (_OUT, "udp_out"),
    ),
    Knob(
        "queues",
        "Do two pairs of queues carry more than one?",
        "QEMU's tap and device (queues=, mq=on)",
        {
            "1": _HERE,
            "2": Parts(tap={"queues": 2}, link={"queues": 2}, guest=_ethtool(channels={"combined": 2})),
        },
        (_OUT,),
        note="XPS and RPS are left as they are found",
    ),
    Knob(
        "counters",
        "What does it cost to count on the host?",
        "this study (bpftrace attached, or not)",
        {"on": _HERE, "off": _HERE},
        (_OUT, "udp_out", "tcp_rr"),
        is_listed=False,
    ),
)
KNOBS: Mapping[str, Knob] = {knob.name: knob for knob in _KNOBS}
# Files that are there with a module of the kernel only.
MODULE_OF_FILE: Mapping[str, str] = {"/proc/sys/net/bridge/": "br_netfilter"}
