# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parsers over what testpmd 22.11 printed (excerpts are verbatim), and over anything else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.virtperf.vhost.plugins.module_utils.dpdk.output import (
    FEATURES,
    ForwardStats,
    datapaths,
    feature_names,
    forward_stats,
    log_end,
    negotiated_features,
    ring_sizes,
)

# A generator over net_virtio_user with two queues, packed rings of 256, and a control queue.
GENERATOR_LOG = """\
virtio_user_pmd_probe(): Backend type detected: VHOST_USER
virtio_ethdev_negotiate_features(): guest_features before negotiate = 8000005f10ef8028
virtio_ethdev_negotiate_features(): host_features before negotiate = d104781a3
virtio_ethdev_negotiate_features(): features after negotiate = d10478020
virtio_init_device(): link speed = -1, duplex = 1
virtio_init_device(): config->max_virtqueue_pairs=2
virtio_init_queue(): setting up queue: 0 on NUMA node -1
virtio_init_queue(): vq_size: 256
virtio_init_queue(): vring_size: 8196, rounded_vring_size: 12288
virtio_init_queue(): vq->vq_ring_mem: 0x1081a4000
virtio_init_vring():  >>
virtio_init_queue(): setting up queue: 1 on NUMA node -1
virtio_init_queue(): vq_size: 256
virtio_init_queue(): vring_size: 8196, rounded_vring_size: 12288
virtio_init_vring():  >>
virtio_init_queue(): setting up queue: 2 on NUMA node -1
virtio_init_queue(): vq_size: 256
virtio_init_queue(): vring_size: 8196, rounded_vring_size: 12288
virtio_init_vring():  >>
virtio_init_queue(): setting up queue: 3 on NUMA node -1
virtio_init_queue(): vq_size: 256
virtio_init_queue(): vring_size: 8196, rounded_vring_size: 12288
virtio_init_vring():  >>
virtio_init_queue(): setting up queue: 4 on NUMA node -1
virtio_init_queue(): vq_size: 64
virtio_init_queue(): vring_size: 8196, rounded_vring_size: 12288
set_rxtx_funcs(): virtio: using packed ring standard Tx path on port 0
set_rxtx_funcs(): virtio: using packed ring mergeable buffer Rx path on port 0
"""
VSWITCH_LOG = """\
EAL: Selected IOVA mode 'PA'
Configuring Port 0 (socket 0)
VHOST_CONFIG: (/run/virtperf/v.sock) vhost-user server: socket created, fd: 23
VHOST_CONFIG: (/run/virtperf/v.sock) binding succeeded
Port 0: 56:48:4F:53:54:00
Checking link statuses...
Done
testpmd> VHOST_CONFIG: (/run/virtperf/v.sock) new vhost user connection is 27
VHOST_CONFIG: (/run/virtperf/v.sock) read message VHOST_USER_SET_OWNER
VHOST_CONFIG: (/run/virtperf/v.sock) read message VHOST_USER_SET_FEATURES
VHOST_CONFIG: (/run/virtperf/v.sock) negotiated Virtio features: 0xd50008000
VHOST_CONFIG: (/run/virtperf/v.sock) read message VHOST_USER_SET_STATUS
VHOST_CONFIG: (/run/virtperf/v.sock) new device status(0x0000000b):
VHOST_CONFIG: (/run/virtperf/v.sock) \t-RESET: 0
VHOST_CONFIG: (/run/virtperf/v.sock) \t-ACKNOWLEDGE: 1
VHOST_CONFIG: (/run/virtperf/v.sock) \t-DRIVER: 1
VHOST_CONFIG: (/run/virtperf/v.sock) read message VHOST_USER_SET_MEM_TABLE
VHOST_CONFIG: (/run/virtperf/v.sock) guest memory region size: 0x8000000
VHOST_CONFIG: (/run/virtperf/v.sock) \t guest physical addr: 0x100200000
VHOST_CONFIG: (/run/virtperf/v.sock) \t mmap off  : 0x0

Port 0: queue state event
"""
SHOW_STATS = """\
show fwd stats all\r

  ------- Forward Stats for RX Port= 0/Queue= 0 -> TX Port= 0/Queue= 0 -------
  RX-packets: 4720116        TX-packets: 4720416        TX-dropped: 183424
  RX-bursts : 153245 [3% of 0 pkts + 96% of 32 pkts + 0% of 4 pkts + 1% of other]
  TX-bursts : 153245 [3% of 0 pkts + 97% of 32 pkts]

  ------- Forward Stats for RX Port= 0/Queue= 1 -> TX Port= 0/Queue= 1 -------
  RX-packets: 4720076        TX-packets: 4720384        TX-dropped: 183456
  RX-bursts : 153244 [3% of 0 pkts + 96% of 32 pkts + 0% of 12 pkts + 1% of other]
  TX-bursts : 153245 [3% of 0 pkts + 97% of 32 pkts]

  ---------------------- Forward statistics for port 0  ----------------------
  RX-packets: 9440224        RX-dropped: 0             RX-total: 9440224
  TX-packets: 9440800        TX-dropped: 366880        TX-total: 9807680
  ----------------------------------------------------------------------------

  +++++++++++++++ Accumulated forward statistics for all ports+++++++++++++++
  RX-packets: 9440224        RX-dropped: 0             RX-total: 9440224
  TX-packets: 9440800        TX-dropped: 366880        TX-total: 9807680
  ++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++

  CPU cycles/packet=141.74 (total cycles=1338139169 / total flowgen packets=9440800) at 2600 MHz Clock
testpmd> """
# Of a process without --record-core-cycles that moved nothing.
NOTHING_MOVED = """\
  +++++++++++++++ Accumulated forward statistics for all ports+++++++++++++++
  RX-packets: 0              RX-dropped: 0             RX-total: 0
  TX-packets: 0              TX-dropped: 0             TX-total: 0
  ++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++

Done.
"""


class TestFeatures:
    def test_the_vswitch_s_word(self) -> None:
        word = negotiated_features(VSWITCH_LOG)
        assert word == 0xD50008000
        assert feature_names(word) == [
            "mrg_rxbuf", "indirect_desc", "bit_30", "version_1", "ring_packed", "in_order",
        ]  # fmt: skip

    def test_the_driver_s_word(self) -> None:
        assert negotiated_features(GENERATOR_LOG) == 0xD10478020

    def test_the_last_of_several_counts(self) -> None:
        again = VSWITCH_LOG.replace("0xd50008000", "0x150008000")
        assert negotiated_features(VSWITCH_LOG + again) == 0x150008000

    def test_nothing_negotiated_is_none(self) -> None:
        assert negotiated_features("EAL: Selected IOVA mode 'PA'") is None

    @given(st.integers(min_value=0, max_value=(1 << 64) - 1))
    def test_every_bit_of_a_word_has_one_name(self, word: int) -> None:
        names = feature_names(word)
        bits = {name: bit for bit, name in FEATURES.items()}
        assert sum(1 << (bits[name] if name in bits else int(name.removeprefix("bit_"))) for name in names) == word
        assert len(names) == len(set(names)) == word.bit_count()


class TestRings:
    def test_those_of_the_data_queues(self) -> None:
        assert ring_sizes(GENERATOR_LOG, queues=2) == [256]

    def test_one_that_differs_is_seen(self) -> None:
        log = GENERATOR_LOG.replace("queue: 3 on NUMA node -1\nvirtio_init_queue(): vq_size: 256",
                                    "queue: 3 on NUMA node -1\nvirtio_init_queue(): vq_size: 128")  # fmt: skip
        assert ring_sizes(log, queues=2) == [128, 256]

    def test_the_control_queue_has_its_own_size(self) -> None:
        assert ring_sizes(GENERATOR_LOG, queues=3) == [64, 256]

    def test_a_queue_set_up_again_counts_once(self) -> None:
        assert ring_sizes(GENERATOR_LOG.replace("vq_size: 256", "vq_size: 1024") + GENERATOR_LOG, queues=2) == [256]

    def test_a_vswitch_sets_up_none(self) -> None:
        assert ring_sizes(VSWITCH_LOG, queues=2) == []


def test_datapaths_by_direction() -> None:
    assert datapaths(GENERATOR_LOG) == {"Tx": "packed ring standard", "Rx": "packed ring mergeable buffer"}
    assert datapaths(VSWITCH_LOG) == {}


class TestForwardStats:
    def test_sums_over_all_queues(self) -> None:
        assert forward_stats(SHOW_STATS) == ForwardStats(
            rx_packets=9440224, tx_packets=9440800, tx_dropped=366880, busy_cycles=1338139169, mhz=2600
        )

    def test_the_last_of_several_counts(self) -> None:
        stats = forward_stats(NOTHING_MOVED + SHOW_STATS)
        assert stats is not None
        assert stats.rx_packets == 9440224

    def test_without_packets_there_are_no_cycles(self) -> None:
        assert forward_stats(NOTHING_MOVED) == ForwardStats(0, 0, 0, None, None)

    def test_none_where_there_are_none(self) -> None:
        assert forward_stats("show fwd stats all\r\ntestpmd> ") is None

    @given(st.integers(min_value=0, max_value=len(SHOW_STATS)))
    def test_a_cut_off_answer_is_none_or_whole(self, length: int) -> None:
        stats = forward_stats(SHOW_STATS[:length])
        assert stats is None or (stats.rx_packets == 9440224 and str(stats.tx_packets) in "9440800")


class TestLogEnd:
    def test_vhost_s_chatter_is_left_out(self) -> None:
        assert log_end(VSWITCH_LOG, lines=4).splitlines() == [
            "VHOST_CONFIG: (/run/virtperf/v.sock) negotiated Virtio features: 0xd50008000",
            "VHOST_CONFIG: (/run/virtperf/v.sock) new device status(0x0000000b):",
            "VHOST_CONFIG: (/run/virtperf/v.sock) guest memory region size: 0x8000000",
            "Port 0: queue state event",
        ]

    def test_a_short_log_is_whole(self) -> None:
        assert log_end("EAL: one\n\nEAL: two\n") == "EAL: one\nEAL: two"

    def test_an_empty_one_is_empty(self) -> None:
        assert log_end("") == ""

    @given(st.text(), st.integers(min_value=1, max_value=20))
    def test_never_more_lines_than_asked(self, text: str, lines: int) -> None:
        end = log_end(text, lines)
        assert len(end.split("\n")) <= lines
        assert all(line in text for line in end.split("\n"))


WORDS = [
    "VHOST_CONFIG:",
    "negotiated Virtio features: 0x",
    "features after negotiate = ",
    "setting up queue: ",
    " on NUMA node -1\n",
    "vq_size: ",
    "virtio: using ",
    " Rx path on port ",
    "Accumulated forward statistics for all ports",
    "RX-packets: ",
    "TX-dropped: ",
    "total cycles=",
    "9",
    "ff",
    "\n",
    "testpmd> ",
]


@pytest.mark.parametrize("parser", [negotiated_features, datapaths, forward_stats, lambda log: ring_sizes(log, 2)])
@given(text=st.text() | st.lists(st.sampled_from(WORDS) | st.text(max_size=3)).map("".join))
def test_no_log_is_too_wild(parser: object, text: str) -> None:
    assert callable(parser)
    parser(text)


def test_cycles_as_dpdk_24_11_prints_them() -> None:
    stats = forward_stats(
        "  +++++++++++++++ Accumulated forward statistics for all ports+++++++++++++++\n"
        "  RX-packets: 5036096        RX-dropped: 0             RX-total: 5036096\n"
        "  TX-packets: 5031904        TX-dropped: 8320          TX-total: 5040224\n"
        "  ++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++\n"
        "\n"
        "  CPU cycles/packet=316.48 (busy cycles=1593802981 / total io packets=5036096) at 2596 MHz Clock\n"
    )
    assert stats is not None
    assert (stats.busy_cycles, stats.mhz, stats.tx_dropped) == (1593802981, 2596, 8320)
