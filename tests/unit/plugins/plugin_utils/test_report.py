# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page: everything on it, nothing from elsewhere, and nothing that a host could slip into it."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils.sampler import series as series_file
from ansible_collections.virtperf.vhost.plugins.plugin_utils import report
from ansible_collections.virtperf.vhost.plugins.plugin_utils.analysis import analyse
from ansible_collections.virtperf.vhost.plugins.plugin_utils.grid import Grid, lay_out
from ansible_collections.virtperf.vhost.plugins.plugin_utils.records import Record
from ansible_collections.virtperf.vhost.plugins.plugin_utils.studies import results_of
from ansible_collections.virtperf.vhost.plugins.plugin_utils.wanted import wanted_cells
from ansible_collections.virtperf.vhost.tests.unit import consolidate_factory, knobs_factory, throttle_factory
from ansible_collections.virtperf.vhost.tests.unit import record_factory as make


class Page(HTMLParser):
    """Elements by name, and the text of the page without scripts and styles."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self._silent = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep the element."""
        self.elements.append((tag, dict(attrs)))
        self._silent = tag in ("script", "style")

    def handle_endtag(self, tag: str) -> None:
        """Text counts again after a script."""
        self._silent = False

    def handle_data(self, data: str) -> None:
        """Keep the text."""
        if not self._silent:
            self.words += " " + data

    @property
    def text(self) -> str:
        """The text, with single blanks."""
        return " ".join(self.words.split())

    def values(self, attribute: str) -> list[str]:
        """All values of an attribute."""
        return [value for _tag, attributes in self.elements if (value := attributes.get(attribute)) is not None]


@pytest.fixture(autouse=True)
def small_plotly(monkeypatch: pytest.MonkeyPatch) -> None:
    """plotly.js is 5 MB of somebody else's."""
    monkeypatch.setattr(report.figures, "plotly_script", lambda: "/* plotly.js */")


def grids_of(raws: list[dict[str, Any]], studies: dict[str, Any] | None = None) -> tuple[list[Grid], list[Record]]:
    """What the page is made from."""
    records = [Record(raw, line) for line, raw in enumerate(raws, start=1)]
    hosts = sorted({raw["host"] for raw in raws}) or ["localhost"]
    return lay_out(analyse(records, wanted_cells(studies or {}, hosts))), records


def page(
    raws: list[dict[str, Any]],
    studies: dict[str, Any] | None = None,
    *,
    reference: bool = False,
    directory: Path | None = None,
    **manifest: Any,
) -> str:
    """The page of a run; samples are those in a host's ``directory``."""
    records = [Record(raw, line) for line, raw in enumerate(raws, start=1)]
    hosts = sorted({raw["host"] for raw in raws}) or ["localhost"]
    results = results_of(records, wanted_cells(studies or {}, hosts))
    names = {raw["series"] for raw in raws if "series" in raw} if directory else ()
    series = {("localhost", name): series_file.read(str(directory / name)) for name in names} if directory else {}
    whole = {
        "run_id": make.RUN_ID,
        "tool": {"name": "virtperf.vhost", "version": "0.1.0"},
        "status": "complete",
        "created_at": "2026-11-20T10:00:00Z",
        "studies": studies or {},
        "facts": {"localhost": make.FACTS},
        "failures": [],
    }
    return report.render_report(
        results, records, whole | manifest, notes=["line 9 is left out"], series=series, reference=reference
    )


def test_everything_is_on_it() -> None:
    raws = [*make.sweep(samples=True), make.invalid("wrong ring", of=make.cell(queues=4))]
    studies = {"reflect": make.definition([*make.cells(), make.cell(queues=4)], burst=32)}
    text = Page(page(raws, studies, status="incomplete", failures=["localhost: measure: died"])).text
    for words in (
        "localhost carried up to 1",
        "incomplete",
        "What is missing localhost: measure: died line 9 is left out",
        "virtio_user_packed, 4 queues, 64 bytes : 0 of 3 valid; trial 1: wrong ring",
        "2 modes",
        "What limited the rate",
        "Within the windows",
        "the vswitch's core was busy 97 % of the window",
        "97 % busy 99 % CPU",
        "Invalid trials",
        "dpdk-testpmd --lcores=0@0,1@0 --vdev=net_vhost0",
        "AMD EPYC 7B13",
        "burst 32",
        "line 73",
        '"rx_pps"',
    ):
        assert words in text


def test_every_link_leads_somewhere_and_nowhere_else() -> None:
    raws = [*make.sweep(), make.invalid(of=make.cell(queues=4))]
    skipped = [{"cell": make.cell(queues=8), "reason": "few CPUs"}]
    studies = {"reflect": make.definition([*make.cells(), make.cell(queues=4)], skipped=skipped)}
    found = Page(page(raws, studies))
    ids = found.values("id")
    assert len(ids) == len(set(ids))
    links = found.values("href")
    assert all(link == "data:," or link.removeprefix("#") in ids for link in links)
    # each cell of the table leads to its row below, each row to the records of its trials
    assert {f"#cell-{n}" for n in range(1, 26)} <= set(links)
    assert {f"#L{n}" for n in range(1, 74)} <= set(links)
    assert not found.values("src")


def test_the_browser_is_told_to_ask_the_network_for_nothing() -> None:
    (policy,) = (value for value in Page(page(make.sweep())).values("content") if "default-src" in value)
    assert policy.startswith("default-src 'none'")
    assert "http" not in policy


@pytest.mark.parametrize(
    "place", ["driver", "reason", "evidence", "asked", "observed", "host", "failures", "facts", "definition"]
)
def test_what_hosts_and_users_say_stays_text(place: str) -> None:
    evil = "</script><script>alert(1)</script><img src=x onerror=alert(1)>\"'&\ud800"
    record: dict[str, Any] = make.record()
    studies: dict[str, Any] = {}
    manifest: dict[str, Any] = {}
    if place == "driver":
        record = make.record(of=make.cell(evil))
    elif place == "reason":
        record = make.invalid(evil)
    elif place == "evidence":
        record["verdict"] = {"limit": evil, "evidence": evil}
    elif place in ("asked", "observed"):
        record[place] = {evil: {evil: evil}}
    elif place == "host":
        record["host"] = evil
        manifest["facts"] = {}
    elif place == "failures":
        manifest["failures"] = [evil]
    elif place == "facts":
        manifest["facts"] = {"localhost": {evil: evil, "dpdk": evil}}
    else:
        studies = {"reflect": make.definition([make.cell()], note=evil)}
    text = page([record], studies, **manifest)
    assert "alert(1)" in Page(text).text
    assert "<script>alert" not in text
    assert "<img" not in text


def test_plots_are_json_in_a_script_that_cannot_be_left() -> None:
    text = page([make.record(of=make.cell("</script>"))])
    (inside,) = re.findall(r'<script type="application/json" id="plots">(.*?)</script>', text, re.DOTALL)
    plots = json.loads(inside)
    assert set(plots) == {f"result-1-{key}" for key in ("mpps", "l1", "load-vswitch", "load-generator")}


def test_many_records_are_named_by_their_lines_only() -> None:
    text = page(make.sweep(make.cells(queues=range(1, 11)), samples=True))
    found = Page(text)
    assert "1 to 3" in found.text
    assert "<details" not in text
    assert "Within the windows" not in found.text
    assert "Shown are the 8 fastest rows; 12 are in the tables only." in found.text


def test_nothing_measured() -> None:
    text = Page(page([], {"reflect": make.definition([make.cell()])}, status="incomplete")).text
    assert "No cell has a valid trial." in text
    assert "3 of 3 trials not measured" in text
    assert "Against packet size" not in text


def test_a_section_for_each_host() -> None:
    found = Page(page([make.record(20e6, host="a"), make.record(host="b")], facts={}))
    assert "a, the fastest, carried up to 20.00 million 64-byte packets a second." in found.text
    assert {"result-1", "result-2"} <= set(found.values("id"))


def test_limits_in_one_sentence() -> None:
    raws = [
        make.record(of=make.cell(packet_size=size), limit=limit)
        for size, limit in ((64, "vswitch-cpu"), (128, "vswitch-cpu"), (256, "generator-cpu"), (512, "undetermined"))
    ]
    disputed = [
        make.record(of=make.cell(packet_size=1518), trial=1),
        make.record(of=make.cell(packet_size=1518), trial=2),
    ]
    disputed[1]["verdict"]["limit"] = "undetermined"
    grids, _records = grids_of([*raws, make.invalid(of=make.cell(packet_size=1024)), *disputed])
    assert report.limits_sentence(grids) == (
        "Of 6 cells, 2 limited by vswitch-cpu, 1 by generator-cpu; 2 undetermined; 1 without a valid trial."
    )
    assert report.limits_sentence([]) == ""


@pytest.mark.parametrize(
    ("lines", "words"), [([], ""), ([1], "1"), ([1, 2, 3], "1 to 3"), ([1, 3, 4, 9], "1, 3 to 4, 9")]
)
def test_lines_of_many_records(lines: list[int], words: str) -> None:
    assert report.line_ranges([Record({}, line) for line in lines]) == words


def test_a_record_is_shown_whole_with_its_samples_in_one_line() -> None:
    raw = make.record(samples=[[0.1, 1.5], [0.2, 2.5]])
    text = report.pretty(Record(raw, 1))
    assert json.loads(text) == raw
    assert '"samples": [[0.1, 1.5], [0.2, 2.5]]' in text
    assert json.loads(report.pretty(Record(make.record(), 1))) == make.record()


def test_how_guests_were_run_with_warnings_and_pins() -> None:
    raw = make.record(of=make.cell("igb_uio"))
    raw["asked"] |= {"pins": {"vcpus": [{"vcpu": 0, "cpus": "1"}], "emulator": {"cpus": "1"}}}
    raw["observed"] |= {
        "accel": "tcg",
        "warnings": ["<b>no KVM here</b>"],
        "pins": [{"thread": "emulator", "cpus": "1"}, {"thread": "vcpu 0", "cpus": "1"}],
        "vm_command": "qemu-system-x86_64 -name reflect",
    }
    text = Page(page([raw])).text
    for words in (
        "Guests were run by tcg (emulation).",
        "warning <b>no KVM here</b>",
        "vCPU 0: 1, emulator: 1 vCPU 0: 1, emulator: 1",
        "qemu-system-x86_64 -name reflect",
    ):
        assert words in text
    assert "Guests were run" not in Page(page([make.record()])).text


def test_the_reference_only_on_request() -> None:
    raws = [make.record(5.98e6, of=make.cell("igb_uio"))]
    text = Page(page(raws, reference=True)).text
    for words in ("Beside the measurement that this study follows", "theirs, L1 Mbit/s 8,040", "ours / theirs 0.50"):
        assert words in text
    assert "accelerator kvm none: no guest" in text
    assert "Beside the measurement" not in Page(page(raws)).text


PHASES = throttle_factory.timeline_phases(6.0, (50.0, 0.1), 6.0)
THROTTLE = {"throttle": throttle_factory.definition([("iperf3", "qemu-thread")], PHASES)}


def test_the_other_study(tmp_path: Path) -> None:
    directory = throttle_factory.measure(tmp_path, phases=PHASES, ends_in="0.1%")
    text = page(throttle_factory.records(directory), THROTTLE, directory=directory, status="incomplete")
    found = Page(text)
    for words in (
        "On localhost the iperf3 stream fell from 8",
        "when its vhost workers got 1000 1000000, and was back 1.30 s after the limit was lifted.",
        "iperf3, qemu-thread, 0.1% : 2 of 3 valid; trial 3: client ended with status 1",
        "iperf3, workers as qemu-thread 90 % of the baseline was back 1.30 s",
        "the workers in server were throttled in 100% of the periods",
        "worker-throttled 3 of 5 phases",
        "trial 1 trial 2 trial 3, not valid iperf3, workers as qemu-thread: over time received sent",
        "throughput against quota undetermined worker-throttled",
        "Invalid trials",
        "line 15 iperf3, qemu-thread, 0.1%, trial 3: invalid",
        "Mbit/s",
    ):
        assert words in found.text
    assert "Mpps" not in found.text
    assert "Cells and verdicts" not in found.text
    (inside,) = re.findall(r'<script type="application/json" id="plots">(.*?)</script>', text, re.DOTALL)
    plots = json.loads(inside)
    assert len(plots) == 4
    # each box, and each button that fills it, has its plot
    assert set(found.values("data-plot")) | set(found.values("data-shows")) == set(plots)
    assert set(found.values("data-box")) <= set(found.values("id"))
    ids = found.values("id")
    assert len(ids) == len(set(ids))
    assert all(link == "data:," or link.removeprefix("#") in ids for link in found.values("href"))
    assert {f"#L{n}" for n in range(1, 16)} <= set(found.values("href"))


def test_both_studies_on_one_page(tmp_path: Path) -> None:
    raws = [make.record(), *throttle_factory.records(throttle_factory.measure(tmp_path, phases=PHASES))]
    found = Page(page(raws, {"reflect": make.definition([make.cell()], trials=1), **THROTTLE}))
    assert "million 64-byte packets a second. On localhost the iperf3 stream fell" in found.text
    assert "reflect on localhost throttle on localhost Cells and verdicts" in found.text
    assert "Of 6 cells, 3 limited by worker-throttled, 1 by vswitch-cpu; 2 undetermined." in found.text
    assert {"result-1", "result-2", "cells"} <= set(found.values("id"))


def test_frames_of_a_picture(tmp_path: Path) -> None:
    phases = throttle_factory.timeline_phases(44.0, (), 12.0)
    text = Page(page(throttle_factory.records(throttle_factory.measure(tmp_path, workload="vnc", phases=phases)))).text
    assert "baseline 4,101,000 4,101,000 to 4,101,000 313 30 30 0 0 0.25 s 0.25 s" in text
    assert "bytes a change: on the client's tap" in text


def test_nothing_measured_of_the_other_study() -> None:
    text = Page(page([], THROTTLE, status="incomplete")).text
    assert "No cell has a valid trial." in text
    assert "! 0 of 3" in text
    assert "3 of 3 trials not measured" in text


@pytest.mark.parametrize("place", ["phase", "workload", "layout", "reason", "verdict", "cpu_max", "interfaces"])
def test_what_hosts_say_of_the_other_study_stays_text(place: str, tmp_path: Path) -> None:
    evil = "</script><script>alert(1)</script><img src=x onerror=alert(1)>\"'&"
    directory = throttle_factory.measure(tmp_path, phases=PHASES)
    raws = throttle_factory.records(directory)
    for raw in raws:
        if place in raw["cell"]:
            raw["cell"][place] = evil
        elif place == "reason":
            raw |= {"valid": False, "reasons": [evil]}
        elif place == "verdict":
            raw["verdict"] = {"limit": evil, "evidence": evil}
        elif place == "cpu_max":
            raw["asked"]["cpu_max"] = evil
        else:
            raw["observed"]["interfaces"] = {evil: [evil]}
    text = page(raws, directory=directory)
    assert "alert(1)" in Page(text).text
    assert "<script>alert" not in text
    assert "<img" not in text


KNOBS = {"knobs": knobs_factory.definition(knobs_factory.cells(["vhost", "vectors", "txqueuelen"]))}
CONSOLIDATE = {
    "consolidate": consolidate_factory.definition(consolidate_factory.cells(workloads=("tcp_rr", "tcp_maerts")))
}


def plots_of(text: str) -> dict[str, Any]:
    """What the page draws."""
    (inside,) = re.findall(r'<script type="application/json" id="plots">(.*?)</script>', text, re.DOTALL)
    plots: dict[str, Any] = json.loads(inside)
    return plots


def test_a_screening() -> None:
    asked = KNOBS["knobs"]["cells"]
    raws = knobs_factory.screening(asked, absent={"exits": "bpftrace is missing"})
    for raw in raws:
        raw["metrics"]["exits_per_packet"] = None
    raws.append(knobs_factory.invalid(of=knobs_factory.cell("queues", "2", "tcp_out_64k")))
    gone = [{"knob": "zcopytx", "level": "1", "since": "Linux 7.0", "replaced_by": "MSG_ZEROCOPY"}]
    skipped = [{"cell": knobs_factory.cell("zcopytx", "1", "tcp_out_64k"), "reason": "gone since Linux 7.0"}]
    text = page(raws, {"knobs": KNOBS["knobs"] | {"gone": gone, "skipped": skipped}})
    found = Page(text)
    for words in (
        "changes of a knob",
        "The largest: vhost on -> off",
        "Guests were emulated: the effects count, not the absolute numbers.",
        "matters: 5 pairs",
        "does not matter: the 95 % interval (Student's t) lies within 3 % of no change.",
        "n/c exits: bpftrace is missing",
        "an interrupt per N packets, N =",
        "zcopytx=1 Linux 7.0 MSG_ZEROCOPY",
        "skipped zcopytx=1, tcp_out_64k: gone since Linux 7.0",
        "Effects by workload matters cannot tell yet does not matter",
        "Invalid trials",
        "tx ring of 256 instead of 64",
        "baseline trials with each other",
    ):
        assert words in found.text
    assert "Mpps" not in found.text
    plots = plots_of(text)
    assert set(found.values("data-plot")) | set(found.values("data-shows")) == set(plots)
    assert set(found.values("data-box")) <= set(found.values("id"))
    ids = found.values("id")
    assert len(ids) == len(set(ids))
    assert all(link == "data:," or link.removeprefix("#") in ids for link in found.values("href"))
    assert {f"#cell-{number}" for number in range(1, len(asked) + 1)} <= set(found.values("href"))


def test_curves_over_the_number_of_guests() -> None:
    asked = CONSOLIDATE["consolidate"]["cells"]
    raws = [*consolidate_factory.curves(asked), consolidate_factory.invalid(of=asked[0], trial=6)]
    skipped = [{"cell": consolidate_factory.cell("sidecore", 9), "reason": "fewer CPUs than the partition asks for"}]
    text = page(raws, {"consolidate": CONSOLIDATE["consolidate"] | {"skipped": skipped}})
    found = Page(text)
    for words in (
        "Against workers that float, other policies carried more in 12 and less in 0 of 12 comparisons.",
        "This emulates ELVIS (shared vhost) with what mainline Linux has.",
        "Missing of ELVIS: one thread that serves many guests",
        "Guests were emulated: the effects count, not the absolute numbers.",
        "skipped tcp_rr, sidecore, 9 guests: fewer CPUs than the partition asks for",
        "io-cpu 18 of 18 cells",
        "guest2 started 1.31 s late",
        "latency, p99 (worst guest)",
    ):
        assert words in found.text
    plots = plots_of(text)
    assert len(plots) == 4 + 2
    assert set(found.values("data-plot")) == set(plots)
    ids = found.values("id")
    assert len(ids) == len(set(ids))
    assert all(link == "data:," or link.removeprefix("#") in ids for link in found.values("href"))


def test_all_studies_on_one_page(tmp_path: Path) -> None:
    raws = [
        make.record(),
        *throttle_factory.records(throttle_factory.measure(tmp_path, phases=PHASES)),
        *knobs_factory.screening(KNOBS["knobs"]["cells"]),
        *consolidate_factory.curves(CONSOLIDATE["consolidate"]["cells"]),
    ]
    found = Page(page(raws, {"reflect": make.definition([make.cell()], trials=1), **THROTTLE, **KNOBS, **CONSOLIDATE}))
    places = [
        found.text.index(words)
        for words in ("64-byte packets a second.", "stream fell", "changes of a knob", "other policies carried")
    ]
    assert places == sorted(places)
    assert {f"result-{number}" for number in range(1, 5)} <= set(found.values("id"))


def test_many_records_of_a_screening_are_named_by_their_lines_only() -> None:
    text = page(knobs_factory.screening(trials=6), {"knobs": knobs_factory.definition(trials=6)})
    assert "<details" not in text
    plots = plots_of(text)
    assert all(len(plot["data"]) <= 6 for plot in plots.values())


@pytest.mark.parametrize("studies", [KNOBS, CONSOLIDATE])
def test_nothing_measured_of_a_comparison(studies: dict[str, Any]) -> None:
    text = Page(page([], studies, status="incomplete")).text
    assert "No cell has a valid trial." in text
    assert "5 of 5 trials not measured" in text


EVIL = "</script><script>alert(1)</script><img src=x onerror=alert(1)>\"'&"


@pytest.mark.parametrize("place", ["knob", "level", "workload", "reason", "verdict", "absent", "gone", "accel", "arm"])
def test_what_hosts_say_of_a_screening_stays_text(place: str) -> None:
    raws = knobs_factory.screening(KNOBS["knobs"]["cells"])
    for raw in raws:
        if place in raw["cell"]:
            raw["cell"][place] += EVIL
        elif place == "reason":
            raw |= {"valid": False, "reasons": [EVIL]}
        elif place == "verdict":
            raw["verdict"] = {"limit": EVIL, "evidence": EVIL}
        elif place == "absent":
            raw["metrics"]["exits_per_packet"] = None
            raw["counters"]["absent"] = {"exits": EVIL}
        elif place == "accel":
            raw["observed"]["accel"] = EVIL
        else:
            raw["asked"]["arm"] = EVIL
    gone = [{"knob": EVIL, "since": EVIL, "replaced_by": EVIL}] if place == "gone" else []
    text = page(raws, {"knobs": knobs_factory.definition([raws[0]["cell"]], gone=gone)})
    assert "alert(1)" in Page(text).text
    assert "<script>alert" not in text
    assert "<img" not in text


@pytest.mark.parametrize("place", ["policy", "workload", "reason", "verdict", "guest"])
def test_what_hosts_say_of_many_guests_stays_text(place: str) -> None:
    raws = consolidate_factory.curves(CONSOLIDATE["consolidate"]["cells"])
    for raw in raws:
        if place in raw["cell"]:
            raw["cell"][place] += EVIL
        elif place == "reason":
            raw |= {"valid": False, "reasons": [EVIL]}
        elif place == "verdict":
            raw["verdict"] = {"limit": EVIL, "evidence": EVIL}
        else:
            raw["guests"][0]["name"] = EVIL
    text = page(raws[:40])
    assert "alert(1)" in Page(text).text
    assert "<script>alert" not in text
    assert "<img" not in text
