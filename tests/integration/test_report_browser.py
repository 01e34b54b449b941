# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""report.html in a browser: it draws, is silent, asks the network for nothing, and fits wide and narrow windows.

Screenshots are left in tests/output.
"""

from __future__ import annotations

import json
import runpy
from collections.abc import Iterator
from types import SimpleNamespace

import bench
import browser
import pytest

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
