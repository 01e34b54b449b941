/* Copyright: (c) 2026, the virtperf.vhost authors
   GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
   SPDX-License-Identifier: GPL-3.0-or-later */
"use strict";

const plots = JSON.parse(document.getElementById("plots").textContent);
const boxes = [...document.querySelectorAll("[data-plot]")];

/** Colour and shape of a row, as the stylesheet has them for the scheme in force. */
function look(series) {
  const probe = document.createElement("i");
  probe.className = `series-${series}`;
  probe.style.color = "var(--color)";
  document.body.append(probe);
  const style = getComputedStyle(probe);
  const found = { color: style.color, shape: style.getPropertyValue("--shape").trim().replaceAll('"', "") };
  probe.remove();
  return found;
}

function page(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

/** The plot as the page wants it: with its colours, its font, and without the rows that were switched off. */
function dressed(plot, hidden) {
  const grid = { gridcolor: page("--line"), linecolor: page("--line"), zerolinecolor: page("--line") };
  const data = plot.data.map((trace) => {
    const { color, shape } = look(trace.meta.series);
    const visible = !hidden.has(trace.meta.series);
    if (trace.meta.part === "median") {
      return { ...trace, visible, line: { color, width: 1.6 }, error_y: { ...trace.error_y, color } };
    }
    return { ...trace, visible, marker: { color, symbol: shape, size: 7, opacity: 0.85 } };
  });
  const layout = {
    ...plot.layout,
    autosize: true,
    paper_bgcolor: "transparent",
    plot_bgcolor: "transparent",
    font: { color: page("--soft"), family: getComputedStyle(document.body).fontFamily, size: 12 },
    hoverlabel: { bgcolor: page("--card"), bordercolor: page("--soft"), font: { color: page("--ink") } },
    xaxis: { ...plot.layout.xaxis, ...grid },
    yaxis: { ...plot.layout.yaxis, ...grid },
  };
  return { data, layout };
}

/** Rows that the reader switched off in a section. */
function hiddenIn(section) {
  const off = document.querySelectorAll(`button[data-section="${section}"][aria-pressed="false"]`);
  return new Set([...off].map((button) => Number(button.dataset.series)));
}

function draw(box) {
  const { data, layout } = dressed(plots[box.dataset.plot], hiddenIn(box.dataset.section));
  return Plotly.react(box, data, layout, { displayModeBar: false, displaylogo: false, responsive: true });
}

/** A link to a record opens it. */
function reveal() {
  const target = document.getElementById(location.hash.slice(1));
  if (target instanceof HTMLDetailsElement) {
    target.open = true;
    target.scrollIntoView();
  }
}

for (const box of boxes) {
  draw(box);
  box.on("plotly_click", (event) => {
    const line = event.points[0]?.customdata?.[2];
    if (line && document.getElementById(`L${line}`)) location.hash = `L${line}`;
  });
}
for (const button of document.querySelectorAll(".rows button")) {
  button.addEventListener("click", () => {
    button.setAttribute("aria-pressed", button.getAttribute("aria-pressed") === "true" ? "false" : "true");
    boxes.filter((box) => box.dataset.section === button.dataset.section).forEach(draw);
  });
}
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => boxes.forEach(draw));
addEventListener("hashchange", reveal);
reveal();
