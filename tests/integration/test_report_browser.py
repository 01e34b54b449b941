# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""report.html in a browser: it draws, is silent, asks the network for nothing, and fits wide and narrow windows.

Screenshots are left in tests/output.
"""

from __future__ import annotations

import json
import os
import runpy
import shutil
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from types import SimpleNamespace

import bench
import browser
import pytest

pytestmark = pytest.mark.apart

make = SimpleNamespace(**runpy.run_path(str(bench.CHECKOUT / "tests/unit/record_factory.py")))

WIDTHS = (1280, 400)
SCHEMES = ("light", "dark")
SCREENSHOTS = bench.CHECKOUT / "tests/output/report"

PLAYBOOK = """
- name: Report what was measured
  hosts: localhost
  gather_facts: false
  tasks:
    - name: Open
      virtperf.vhost.run_open:
        run_id: {run_id}
        results_dir: {results}
        definition: {definition}
        hosts: [localhost]
    - name: Fetch
      ansible.builtin.fetch:
        src: {records}
        dest: {results}/{run_id}/hosts/localhost/reflect.jsonl
        flat: true
    - name: Report
      virtperf.vhost.report:
        run_id: {run_id}
        results_dir: {results}
        facts: {facts}
        failures: ["localhost: reflect: testpmd died once"]
"""

# The contrast of every piece of text against what is behind it, by WCAG 2, where it is below 4.5.
LOW_CONTRAST = """
(() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgba = (color) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = color;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const light = (color) => {
    const [r, g, b] = color.map((v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    for (; element; element = element.parentElement) {
      const color = rgba(getComputedStyle(element).backgroundColor);
      if (color[3] === 255) return color;
    }
    return [255, 255, 255, 255];
  };
  const low = new Set();
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    if (!own || element.closest("svg, script, style, noscript")) continue;
    const [a, b] = [light(rgba(getComputedStyle(element).color)), light(behind(element))];
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (contrast < 4.5) low.add(`${element.tagName}.${element.className}: ${contrast.toFixed(2)}`);
  }
  return [...low];
})()
"""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of a report made the way a run makes it: 24 cells of 3 trials, some with two modes, one failed."""
    base = tmp_path_factory.mktemp("report")
    failed = make.cell("virtio_user_packed", 1, 512)
    records = [record for record in make.sweep(samples=True) if record["cell"] != failed]
    records[1]["metrics"]["rx_pps"] *= 1.2
    records += [make.invalid("testpmd died", of=failed, trial=n) for n in (1, 2)]
    skipped = [{"cell": make.cell(queues=4, packet_size=n), "reason": "needs 8 CPUs, there are 2"} for n in make.SIZES]
    playbook = base / "play.yml"
    playbook.write_text(
        PLAYBOOK.format(
            run_id=make.RUN_ID,
            results=base / "results",
            records=make.write_records(base / "records.jsonl", records),
            definition=json.dumps({"reflect": make.definition(skipped=skipped)}),
            facts=json.dumps({"localhost": make.FACTS}),
        )
    )
    process = bench.start_file(playbook)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 0, output
    return (base / "results" / make.RUN_ID / "report.html").as_uri()


# What a hypervisor keeps of a stream and of a picture in its state directory, and the study that asked for it.
TIMELINES = """
import json, pathlib, runpy, sys
make = runpy.run_path(sys.argv[1])
state, run_id = pathlib.Path(sys.argv[2]), sys.argv[3]
phases, pictures = make["timeline_phases"](), make["timeline_phases"](44.0, (50.0, 0.1), 12.0)
make["measure"](state, run_id=run_id, phases=phases)
make["measure"](state, run_id=run_id, workload="vnc", phases=pictures, began="2026-11-20T11:00:00")
stream = make["definition"]([("iperf3", "qemu-thread")], phases)
picture = make["definition"]([("vnc", "qemu-thread")], pictures)
print(json.dumps({"throttle": {**stream, "cells": stream["cells"] + picture["cells"]}}))
"""
OPEN = """
- name: Open
  hosts: localhost
  gather_facts: false
  tasks:
    - name: Open
      virtperf.vhost.run_open:
        run_id: {run_id}
        results_dir: {results}
        definition: {definition}
        hosts: [localhost]
"""
THROTTLED = "test-throttle"


@pytest.fixture(scope="module")
def throttle_page(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of a report on timelines, fetched with their samples from this machine by the stage that does so."""
    base = tmp_path_factory.mktemp("throttle")
    made = subprocess.run(
        [sys.executable, "-c", TIMELINES, str(bench.CHECKOUT / "tests/unit/throttle_factory.py"), str(base), THROTTLED],
        env={**os.environ, "PYTHONPATH": str(bench.CHECKOUT / ".venv" / "collections")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stderr
    playbook = base / "play.yml"
    playbook.write_text(OPEN.format(run_id=THROTTLED, results=base / "results", definition=made.stdout))
    opened = bench.start_file(playbook)
    output, _ = opened.communicate(timeout=120)
    assert opened.returncode == 0, output
    there = bench.STATE / "runs" / THROTTLED
    try:
        shutil.copytree(base / "runs" / THROTTLED, there)
        done = bench.play("report", {"run_id": THROTTLED}, base / "results")
    finally:
        shutil.rmtree(there, ignore_errors=True)
    assert done.status == 0, done.output
    samples = sorted(path.name for path in (done.results / "samples" / "localhost").iterdir())
    assert [name.rpartition("-")[0] for name in samples] == [
        *["throttle-iperf3-qemu-thread"] * 3,
        *["throttle-vnc-qemu-thread"] * 3,
    ]
    manifest = json.loads((done.results / "manifest.json").read_text())
    assert {f"samples/localhost/{name}" for name in samples} < set(manifest["files"])
    return (done.results / "report.html").as_uri()


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[browser.Browser]:
    """One for all tests: its start takes longer than any of them."""
    with browser.started(tmp_path_factory.mktemp("chromium")) as running:
        yield running


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", WIDTHS)
def test_it_reads_well(chromium: browser.Browser, page: str, width: int, scheme: str) -> None:
    chromium.events.clear()
    chromium.show(page, width, scheme)
    # The rest of the window's width is its scroll bar.
    shown, needed = chromium.run("(root => [root.clientWidth, root.scrollWidth])(document.documentElement)")
    assert width - 20 < shown <= width
    assert needed == shown
    assert chromium.run(LOW_CONTRAST) == []
    # every cell of the table, those skipped among them, and each plot with a line and dots for each row
    assert chromium.run("document.querySelectorAll('.rates tbody td').length") == 30
    assert chromium.run("document.querySelectorAll('.rates tbody td b').length") == 24
    plots = chromium.run(
        "[...document.querySelectorAll('.plot')].map(plot => [plot.querySelectorAll('.trace').length,"
        " plot.querySelectorAll('.trace .point').length, plot.querySelector('svg').getBoundingClientRect().width])"
    )
    assert len(plots) == 4
    for traces, dots, plot_width in plots:
        assert (traces, dots) == (8, 69)
        assert 300 < plot_width < width
    assert chromium.run("document.querySelectorAll('.sketch polyline').length") == 69

    assert chromium.complaints() == []
    assert chromium.requests() == [page]

    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    chromium.screenshot(SCREENSHOTS / f"{width}-{scheme}.png")


def test_wide_tables_scroll_in_their_own_box(chromium: browser.Browser, page: str) -> None:
    chromium.show(page, 400, "light")
    assert chromium.run("(box => box.scrollWidth > box.clientWidth)(document.querySelector('.rates').parentElement)")
    # the verdicts do not: they are read from top to bottom
    assert chromium.run("(box => box.scrollWidth <= box.clientWidth)(document.querySelector('.cells').parentElement)")


def test_a_number_leads_to_its_records(chromium: browser.Browser, page: str) -> None:
    chromium.show(page, 1280, "light")
    row = chromium.run("document.querySelector('.rates tbody td a').getAttribute('href')")
    line = chromium.run(f"document.querySelector('{row} td:last-child a').getAttribute('href')")
    assert line == "#L1"
    assert not chromium.run("document.querySelector('#L1').open")
    chromium.run(f"document.querySelector('{row} td:last-child a').click()")
    chromium.run("new Promise(done => setTimeout(done, 100))")
    assert chromium.run("document.querySelector('#L1').open")
    assert '"trial": 1' in chromium.run("document.querySelector('#L1 pre').textContent")


def test_a_link_to_a_record_opens_it(chromium: browser.Browser, page: str) -> None:
    chromium.show(f"{page}#L5", 1280, "light")
    assert chromium.run("[...document.querySelectorAll('details[open]')].map(one => one.id)") == ["L5"]


def test_a_row_can_be_switched_off_and_on(chromium: browser.Browser, page: str) -> None:
    chromium.show(page, 1280, "light")
    drawn = "document.querySelectorAll('.plot .trace').length"
    before = chromium.run(drawn)
    assert chromium.run("document.querySelector('.rows button').textContent.trim()") == "virtio_user_split, 1 queue"
    chromium.run("document.querySelector('.rows button').click()")
    assert chromium.run("document.querySelector('.rows button').getAttribute('aria-pressed')") == "false"
    assert chromium.run(drawn) == before - 8
    chromium.run("document.querySelector('.rows button').click()")
    assert chromium.run(drawn) == before


def test_plots_follow_a_change_of_the_scheme(chromium: browser.Browser, page: str) -> None:
    chromium.show(page, 1280, "light")
    color = "getComputedStyle(document.querySelector('.plot .trace .point')).fill"
    light = chromium.run(color)
    features = [{"name": "prefers-color-scheme", "value": "dark"}]
    chromium.call("Emulation.setEmulatedMedia", features=features)
    chromium.run("new Promise(done => setTimeout(done, 200))")
    assert chromium.run(color) != light


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", WIDTHS)
def test_timelines_read_well(chromium: browser.Browser, throttle_page: str, width: int, scheme: str) -> None:
    chromium.events.clear()
    chromium.show(throttle_page, width, scheme)
    shown, needed = chromium.run("(root => [root.clientWidth, root.scrollWidth])(document.documentElement)")
    assert width - 20 < shown <= width
    assert needed == shown
    assert chromium.run(LOW_CONTRAST) == []
    # for each workload a timeline of three subplots, six lines and a band a phase, and a ladder
    plots = chromium.run(
        "[...document.querySelectorAll('.plot')].map(plot => [plot.querySelectorAll('.cartesianlayer .plot').length,"
        " plot.querySelectorAll('.trace').length, plot.querySelectorAll('.shapelayer path').length,"
        " plot.querySelectorAll('.annotation').length, plot.querySelector('svg').getBoundingClientRect().width])"
    )
    assert [plot[1:4] for plot in plots] == [[6, 9, 9], [3, 0, 0], [6, 5, 5], [3, 0, 0]]
    assert all(300 < plot[4] < width for plot in plots)
    # names of phases neither cover one another nor are cut off
    for number, phases in ((0, 9), (2, 5)):
        names, top = chromium.run(
            "(plot => [[...plot.querySelectorAll('.annotation-text')].map(text => text.getBoundingClientRect())"
            ".map(box => [box.left, box.right, box.top]), plot.getBoundingClientRect().top])"
            f"(document.querySelectorAll('.plot')[{number}])"
        )
        assert len(names) == phases
        assert all(one[1] <= other[0] for one, other in pairwise(names))
        assert min(name[2] for name in names) >= top

    assert chromium.complaints() == []
    assert chromium.requests() == [throttle_page]

    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    chromium.screenshot(SCREENSHOTS / f"throttle-{width}-{scheme}.png")


def test_all_axes_and_bands_follow_the_scheme(chromium: browser.Browser, throttle_page: str) -> None:
    grid = "[...document.querySelector('.plot').querySelectorAll('.gridlayer path')].map(line => line.style.stroke)"
    band = "document.querySelectorAll('.plot .shapelayer path')[1].style.fill"
    found = []
    for scheme in SCHEMES:
        chromium.show(throttle_page, 1280, scheme)
        found.append((set(chromium.run(grid)), chromium.run(band)))
    light, dark = found
    assert len(light[0]) == len(dark[0]) == 1
    assert light[0] != dark[0]
    assert light[1] != dark[1]


def test_each_trial_can_be_looked_at(chromium: browser.Browser, throttle_page: str) -> None:
    chromium.show(throttle_page, 1280, "light")
    shown = "document.querySelector('.plot').data[0].y.join()"
    pressed = "[...document.querySelector('.choices').querySelectorAll('[aria-pressed=true]')].map(b => b.textContent)"
    seen = set()
    for number in (1, 2, 3):
        chromium.run(f"document.querySelectorAll('.choices button')[{number - 1}].click()")
        assert chromium.run(pressed) == [f"trial {number}"]
        assert f"in trial {number}," in chromium.run("document.querySelector('.plot').getAttribute('aria-label')")
        seen.add(chromium.run(shown))
    assert len(seen) == 3


def test_a_line_is_switched_off_in_every_trial(chromium: browser.Browser, throttle_page: str) -> None:
    chromium.show(throttle_page, 1280, "light")
    drawn = "[...document.querySelectorAll('.plot')].map(plot => plot.querySelectorAll('.trace').length)"
    chromium.run("document.querySelector('.rows button').click()")
    assert chromium.run(drawn) == [5, 3, 6, 3]
    chromium.run("document.querySelectorAll('.choices button')[2].click()")
    assert chromium.run(drawn) == [5, 3, 6, 3]


def test_a_dot_of_the_ladder_leads_to_its_record(chromium: browser.Browser, throttle_page: str) -> None:
    chromium.show(throttle_page, 1280, "light")
    line = chromium.run(
        "(box => { const dot = box.data[1].customdata[0];"
        " box.emit('plotly_click', {points: [{customdata: dot}]}); return dot[2]; })"
        "(document.querySelectorAll('.plot')[1])"
    )
    chromium.run("new Promise(done => setTimeout(done, 100))")
    assert chromium.run(f"document.getElementById('L{line}').open")
