# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""netperf's words and what it says, recorded from netperf 2.7."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.traffic.netperf import Interim, parse, words

RR = """\
Interim result: 12345.67 Trans/s over 0.100 seconds ending at 1764422400.100
Interim result: 10000.00 Trans/s over 0.100 seconds ending at 1764422400.200
Interim result: 20000.00 Trans/s over 0.300 seconds ending at 1764422400.500
THROUGHPUT=15001.23
THROUGHPUT_UNITS=Trans/s
ELAPSED_TIME=3.00
P50_LATENCY=62
P99_LATENCY=120
MEAN_LATENCY=65.43
"""
STREAM = """\
Interim result:  943.12 10^6bits/s over 0.100 seconds ending at 9.5
THROUGHPUT=940.5
THROUGHPUT_UNITS=10^6bits/s
"""


class TestWords:
    def test_requests(self) -> None:
        found = " ".join(words("TCP_RR", "10.0.0.2", 2.2, local="10.0.0.1", interim_s=0.1))
        assert found == (
            "netperf -4 -H 10.0.0.2 -p 12885 -t TCP_RR -l 3 -P 0 -L 10.0.0.1 -j -D 0.1 --"
            " -k THROUGHPUT,THROUGHPUT_UNITS,ELAPSED_TIME,P50_LATENCY,P99_LATENCY,MEAN_LATENCY"
        )

    @pytest.mark.parametrize(
        ("test", "option"), [("TCP_STREAM", "-m 64"), ("TCP_MAERTS", "-M 64"), ("UDP_RR", "-r 64,64")]
    )
    def test_message_sizes(self, test: str, option: str) -> None:
        assert f"-- {option} -k " in " ".join(words(test, "10.0.0.2", 1, message_bytes=64))

    def test_an_unknown_test(self) -> None:
        with pytest.raises(VirtperfError, match=r"netperf's test cannot be 'TCP_FOO'\. Way out: one of TCP_STREAM"):
            words("TCP_FOO", "10.0.0.2", 1)


class TestParse:
    def test_requests(self) -> None:
        found = parse(RR)
        assert (found.rate, found.unit, found.p50_us, found.p99_us, found.mean_us) == (
            15001.23,
            "Trans",
            62,
            120,
            65.43,
        )
        assert found.interim[0] == Interim(12345.67, "Trans", 0.1, 1764422400.1)

    def test_a_stream(self) -> None:
        found = parse(STREAM)
        assert (found.rate, found.unit, found.p50_us) == (940.5, "10^6bits", None)
        assert found.interim == (Interim(943.12, "10^6bits", 0.1, 9.5),)

    def test_the_rate_between_two_instants_is_of_whole_stretches(self) -> None:
        found = parse(RR)
        assert found.rate_between(1764422400.05, 1764422400.6) == pytest.approx((1000 + 6000) / 0.4)
        assert found.rate_between(1764422400.15, 1764422400.3) is None

    def test_interim_results_of_older_ones_have_no_instants(self) -> None:
        found = parse("Interim result: 5.00 Trans/s over 1.00 seconds\n")
        assert (found.rate, found.unit, found.rate_between(0, 1e12)) == (None, "Trans", None)

    def test_latencies_that_were_not_kept(self) -> None:
        assert parse("THROUGHPUT=1\nP50_LATENCY=-1\nP99_LATENCY=\n").p50_us is None

    @pytest.mark.parametrize(
        ("text", "errors", "found"),
        [
            ("", "", "it printed nothing"),
            ("establish control: are you sure there is a netserver listening on x at port 1?\n", "", "are you sure"),
            ("", "netperf: invalid option -- 'Z'", "invalid option"),
            ("THROUGHPUT=nan\n", "oh", "oh"),
        ],
    )
    def test_an_error_or_nothing(self, text: str, errors: str, found: str) -> None:
        with pytest.raises(VirtperfError, match="netperf gave no result") as caught:
            parse(text, errors)
        assert found in caught.value.found

    @given(st.text())
    def test_any_text_is_a_result_or_an_error_of_ours(self, text: str) -> None:
        try:
            found = parse(text)
        except VirtperfError:
            return
        assert found.rate is None or found.rate >= 0
