# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""iperf3's two ways of telling."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.virtperf.vhost.plugins.module_utils.throttle.iperf3 import (
    parse_document,
    parse_stream,
    rate_mbps,
)

START = {"version": "iperf 3.18", "tcp_mss_default": 1448}
END = {
    "sum_sent": {"bytes": 3000, "retransmits": 4},
    "sum_received": {"bytes": 2900},
}


def interval(start: float, moved: int, **more: Any) -> dict[str, Any]:
    total = {"start": start, "end": start + 0.5, "bytes": moved, "retransmits": 1, "omitted": False, **more}
    return {"streams": [], "sum": total}


def line(event: str, data: Any) -> str:
    return json.dumps({"event": event, "data": data})


def test_a_document_and_its_lines_say_the_same() -> None:
    intervals = [interval(0, 1000), interval(0.5, 2000)]
    document = parse_document(json.dumps({"start": START, "intervals": intervals, "end": END}))
    lines = [line("start", START), *(line("interval", one) for one in intervals), line("end", END)]
    stream = parse_stream((10 + number, text) for number, text in enumerate(lines))
    for report in (document, stream):
        assert [(one.from_s, one.to_s, one.bytes, one.retransmits) for one in report.intervals] == [
            (0, 0.5, 1000, 1),
            (0.5, 1.0, 2000, 1),
        ]
        assert (report.sent_bytes, report.received_bytes, report.retransmits) == (3000, 2900, 4)
        assert (report.version, report.mss, report.error) == ("iperf 3.18", 1448, "")
    assert [one.at_s for one in document.intervals] == [None, None]
    assert [one.at_s for one in stream.intervals] == [11, 12]


def test_the_warm_up_that_iperf3_omits_is_omitted() -> None:
    assert parse_stream([(1, line("interval", interval(0, 1000, omitted=True)))]).intervals == []


def test_rates_are_of_whole_intervals() -> None:
    lines = [(0.5 * (number + 1), line("interval", interval(0.5 * number, 62_500))) for number in range(8)]
    intervals = parse_stream(lines).intervals
    assert rate_mbps(intervals, 1.0, 3.2) == pytest.approx(1.0)
    assert rate_mbps(intervals, 1.1, 1.4) is None


def test_errors_are_passed_on() -> None:
    refused = "unable to connect to server: Connection refused"
    assert parse_document(json.dumps({"start": {}, "error": refused})).error == refused
    assert parse_stream([(0, line("error", refused))]).error == refused
    assert parse_stream([(0, "iperf3: unrecognized option '--json-stream'")]).error.startswith("iperf3: unrecognized")
    assert parse_document("iperf3: no").error.startswith("iperf3 gave no JSON")


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["event", "data", "sum", "start", "end", "bytes", "intervals"]), inner)
    ),
    max_leaves=20,
)


@given(anything)
def test_any_json_is_taken(value: Any) -> None:
    text = json.dumps(value)
    parse_document(text)
    parse_stream([(0.0, text), (1.0, text[:-1])])
