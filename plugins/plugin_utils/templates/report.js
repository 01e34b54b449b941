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

/** A trace in its colour: a line, a line with error bars, or dots. */
function dressedTrace(trace, hidden) {
  const { color, shape } = look(trace.meta.series);
  const visible = !hidden.has(trace.meta.series);
  if (trace.meta.part === "trials") {
    return { ...trace, visible, marker: { color, symbol: shape, size: 7, opacity: 0.85 } };
  }
  const bars = trace.error_y ? { error_y: { ...trace.error_y, color } } : {};
  return { ...trace, visible, ...bars, line: { ...trace.line, color, width: trace.meta.part === "line" ? 1.2 : 1.6 } };
}

/** Phases as bands, their names above: side by side where there is room, else upright. */
function bands(layout, width) {
  const shapes = layout.shapes ?? [];
  const notes = layout.annotations ?? [];
  if (!shapes.length) return {};
  const [from, to] = layout.xaxis.range;
  const narrowest = Math.min(...shapes.map((shape) => shape.x1 - shape.x0));
  const upright = (width * narrowest) / (to - from) < 90;
  return {
    shapes: shapes.map((shape) => ({
      ...shape,
      fillcolor: shape.name === "limited" ? page("--band") : "transparent",
      line: { color: page("--line"), width: 1 },
    })),
    annotations: notes.map((note) => ({
      ...note,
      ...(upright ? { textangle: -90, text: note.text.replace("<br>", " at ") } : {}),
      font: { size: 11, color: page("--soft") },
    })),
    margin: { ...layout.margin, t: upright ? 150 : layout.margin.t },
  };
}

/** The plot as the page wants it: with its colours, its font, and without the rows that were switched off. */
function dressed(plot, hidden, width) {
  const grid = { gridcolor: page("--line"), linecolor: page("--line"), zerolinecolor: page("--line") };
  const data = plot.data.map((trace) => dressedTrace(trace, hidden));
  const axes = Object.keys(plot.layout).filter((key) => /^[xy]axis\d*$/.test(key));
  const layout = {
    ...plot.layout,
    ...bands(plot.layout, width),
    autosize: true,
    paper_bgcolor: "transparent",
    plot_bgcolor: "transparent",
    font: { color: page("--soft"), family: getComputedStyle(document.body).fontFamily, size: 12 },
    hoverlabel: { bgcolor: page("--card"), bordercolor: page("--soft"), font: { color: page("--ink") } },
    ...Object.fromEntries(axes.map((axis) => [axis, { ...plot.layout[axis], ...grid }])),
  };
  return { data, layout };
}

/** Rows that the reader switched off in a section. */
function hiddenIn(section) {
  const off = document.querySelectorAll(`button[data-section="${section}"][aria-pressed="false"]`);
  return new Set([...off].map((button) => Number(button.dataset.series)));
}

function draw(box) {
  const { data, layout } = dressed(plots[box.dataset.plot], hiddenIn(box.dataset.section), box.clientWidth);
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
for (const button of document.querySelectorAll(".choices button")) {
  button.addEventListener("click", () => {
    const box = document.getElementById(button.dataset.box);
    box.dataset.plot = button.dataset.shows;
    box.setAttribute("aria-label", button.dataset.alt);
    for (const other of button.parentElement.querySelectorAll("button")) {
      other.setAttribute("aria-pressed", other === button ? "true" : "false");
    }
    draw(box);
  });
}
// Names of phases turn with the window.
addEventListener("resize", () => boxes.filter((box) => plots[box.dataset.plot].layout.shapes).forEach(draw));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => boxes.forEach(draw));
addEventListener("hashchange", reveal);
reveal();
