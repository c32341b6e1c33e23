"use strict";
(() => {
  const LIGHT = {
    ink: "#1c2530", paper: "#ffffff", faint: "#7a8794", line: "#e6eaee", mist: "#cfd6dd", axis: "#8a95a1",
    veil: "rgba(255,255,255,0.82)", bad: "#b3121d",
    c0: "#0072b2", c1: "#d55e00", c2: "#009e73", c3: "#cc79a7", c4: "#b98900", c5: "#56b4e9", c6: "#882255",
    s0: "#c8ccd2", s1: "#9fb8d0", s2: "#5f9ac9", s3: "#1f6fb0", s4: "#08306b",
    order: [[0, "#b9c6d4"], [1, "#08306b"]], spikes: [[0, "rgba(0,0,0,0)"], [1, "#1c2530"]],
  };
  const DARK = {
    ink: "#e6eaef", paper: "#14181d", faint: "#8d99a6", line: "#2a323b", mist: "#3d4752", axis: "#6d7883",
    veil: "rgba(20,24,29,0.82)", bad: "#ff8f8f",
    c0: "#5ab4f0", c1: "#f08a4b", c2: "#2fc79a", c3: "#e6a3cb", c4: "#e9b949", c5: "#b5e0ff", c6: "#c9b3ff",
    s0: "#3d4651", s1: "#4b6a86", s2: "#4f93c8", s3: "#85c1f0", s4: "#e6f3ff",
    order: [[0, "#3f5468"], [1, "#e6f3ff"]], spikes: [[0, "rgba(0,0,0,0)"], [1, "#e6eaef"]],
  };
  // Bands around lines: an eighth of their colours.
  for (const roles of [LIGHT, DARK]) for (let i = 0; i < 7; i++) roles[`t${i}`] = `${roles[`c${i}`]}30`;
  // Cividis (doi:10.1371/journal.pone.0199239), in both: it fills areas.
  LIGHT.sequence = DARK.sequence = [
    [0, "#00204d"], [0.25, "#414d6b"], [0.5, "#7c7b78"], [0.75, "#bcaf6f"], [1, "#ffea46"],
  ];
  const COLOURED = new Set(["color", "colorscale", "bgcolor", "fillcolor"]);
  const dark = matchMedia("(prefers-color-scheme: dark)");
  let printing = false;

  const isMap = (value) => value !== null && typeof value === "object" && !Array.isArray(value);
  const painted = (value, roles, key) => {
    if (typeof value === "string") {
      return COLOURED.has(key) && value.startsWith("@") ? roles[value.slice(1)] : value;
    }
    if (Array.isArray(value) && value.some(isMap)) return value.map((item) => painted(item, roles, key));
    if (!isMap(value)) return value;
    return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, painted(v, roles, k)]));
  };
  const merged = (one, other) => {
    const both = { ...one };
    for (const [key, value] of Object.entries(other)) {
      both[key] = isMap(value) && isMap(both[key]) ? merged(both[key], value) : value;
    }
    return both;
  };
  const AXIS = {
    color: "@ink", gridcolor: "@line", linecolor: "@axis", tickcolor: "@axis", showline: true,
    zeroline: false, ticks: "outside", ticklen: 4, automargin: true, exponentformat: "power",
    title: { standoff: 8, font: { size: 13 } },
  };
  // Of bytes, the numbers between two ends; 0 is none.
  const numbers = ({ data, low, span, log }) => Array.from(decoded(data), (level) => {
    if (level === 0) return null;
    const value = low + (span * (level - 1)) / 254;
    return log ? 10 ** value : value;
  });
  const framed = (layout) => Object.fromEntries(
    Object.entries(layout).map(([k, v]) => [k, /^[xy]axis\d+$/.test(k) ? merged(AXIS, v) : v]));
  for (const key of Object.keys(AXIS)) if (key.endsWith("color")) COLOURED.add(key);
  const BASE = {
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", autosize: true,
    font: { family: 'system-ui, "Segoe UI", "DejaVu Sans", sans-serif', size: 12, color: "@ink" },
    margin: { l: 50, r: 20, t: 14, b: 42 }, hovermode: "closest",
    hoverlabel: { bgcolor: "@paper", bordercolor: "@axis", align: "left", font: { color: "@ink", size: 12 } },
    legend: { orientation: "h", x: 0, y: 1.01, yanchor: "bottom", font: { size: 12 } },
    xaxis: AXIS, yaxis: AXIS,
  };
  COLOURED.add("bordercolor");
  const CONFIG = { responsive: true, displayModeBar: false };
  if (matchMedia("(pointer: coarse)").matches) BASE.dragmode = false; // a finger scrolls the page

  const holder = document.getElementById("figures");
  const packed = "packed" in holder.dataset;
  let { figures, notes } = packed ? { figures: {}, notes: {} } : JSON.parse(holder.textContent);
  const plots = [...document.querySelectorAll("[data-figure]")];
  const chosen = {};

  const decoded = (text) => Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0));
  const inflated = (text) => new Response(
    new Blob([decoded(text)]).stream().pipeThrough(new DecompressionStream("deflate"))).json();
  // Zeros and ones, row by row, each row filled up to whole bytes.
  const unpacked = ({ data, columns }) => {
    const bytes = decoded(data);
    const width = Math.ceil(columns / 8);
    return Array.from({ length: bytes.length / width }, (_, row) => Array.from(
      { length: columns }, (_, i) => (bytes[row * width + (i >> 3)] >> (7 - (i & 7))) & 1));
  };

  // Rows of the legend beyond the first, which would take their height from the plot.
  const legendRows = (data, width) => {
    const names = data.filter((trace) => trace.visible && trace.name && trace.showlegend !== false);
    const longest = Math.max(1, ...names.map((trace) => trace.name.length));
    const columns = Math.max(1, Math.floor((width - 70) / (45 + 6.5 * longest)));
    return Math.max(0, Math.ceil(names.length / columns) - 1);
  };
  const draw = (plot) => {
    const name = plot.dataset.figure;
    const figure = figures[name];
    if (figure === undefined) return; // not known yet
    const choice = chosen[name.replace(/-\d+$/, "")] ?? 0;
    const roles = dark.matches && !printing ? DARK : LIGHT;
    const traces = figure.common ? figure.data.map((trace) => merged(figure.common, trace)) : figure.data;
    const data = traces.map((trace) => ({
      ...trace,
      visible: trace.meta === undefined || trace.meta === choice,
      ...(trace.bits && { z: unpacked(trace.bits) }),
      ...(trace.levels && { y: numbers(trace.levels) }),
      ...(trace.hoverinfo === "text" && { hovertext: trace.customdata.map((trial) => notes[trial] ?? "") }),
    }));
    const layout = merged(merged(BASE, framed(figure.layout)), figure.choices[choice] ?? {});
    if (printing) layout.width = plot.closest(".side") ? 330 : 680; // on A4 and letter, as in the style
    layout.height += legendRows(data, layout.width ?? plot.clientWidth) * 19;
    plot.style.height = `${layout.height}px`;
    Plotly.react(plot, painted(data, roles), painted(layout, roles), CONFIG);
    plot.dataset.drawn = "yes";
    plot.dispatchEvent(new Event("drawn", { bubbles: true }));
  };
  // Plots wait for their turn: what the reader sees comes first, and never two at once.
  const seen = (plot) => {
    const { top, bottom } = plot.getBoundingClientRect();
    return bottom > 0 && top < innerHeight;
  };
  const rest = new Set();
  let busy = false;
  const next = () => {
    const waiting = [...rest].filter((plot) => plots.includes(plot) && figures[plot.dataset.figure]);
    const plot = waiting.find(seen) ?? waiting[0];
    busy = plot !== undefined;
    if (!busy) return;
    rest.delete(plot);
    draw(plot);
    if (!document.documentElement.dataset.plotted && ![...rest].some(seen)) {
      document.documentElement.dataset.plotted = String(Math.round(performance.now()));
    }
    setTimeout(next);
  };
  const wait = (some) => {
    some.forEach((plot) => rest.add(plot));
    if (!busy && window.Plotly) {
      busy = true;
      setTimeout(next);
    }
  };
  // Long lists, a line each; of a pair the first is marked.
  const fill = (texts) => {
    for (const select of document.querySelectorAll("select[data-section]")) {
      for (const name of texts[select.dataset.section] ?? []) select.add(new Option(name, select.length));
    }
    for (const list of document.querySelectorAll("[data-list]")) {
      for (const line of texts[list.dataset.list] ?? []) {
        const [marked, text] = Array.isArray(line) ? line : ["", line];
        if (marked) {
          const mark = document.createElement("mark");
          mark.textContent = marked;
          list.append(mark);
        }
        list.append(`${text}\n`);
      }
    }
  };
  const begin = async () => {
    if (packed) {
      try {
        let lists;
        ({ figures, notes, lists } = await inflated(holder.textContent));
        fill(lists);
      } catch { // a browser from before 2023
        for (const plot of plots) plot.textContent = `This plot takes a newer browser. ${plot.ariaLabel ?? ""}`;
        for (const list of document.querySelectorAll("[data-list]")) list.textContent = "This list takes a newer browser.";
      }
    }
    wait(plots);
  };
  if (window.Plotly) begin();
  else addEventListener("DOMContentLoaded", begin); // by then it has come from its own file
  dark.addEventListener("change", () => plots.forEach(draw));
  addEventListener("beforeprint", () => {
    printing = true;
    for (const details of document.querySelectorAll("details")) details.open = true;
    plots.forEach(draw);
  });
  addEventListener("afterprint", () => { printing = false; plots.forEach(draw); });

  for (const select of document.querySelectorAll("select[data-section]")) {
    select.value = "0"; // a browser that goes back keeps what was chosen
    select.addEventListener("change", () => {
      chosen[select.dataset.section] = Number(select.value);
      plots.filter((plot) => plot.dataset.figure.replace(/-\d+$/, "") === select.dataset.section).forEach(draw);
    });
  }

  for (const button of document.querySelectorAll("button.copy")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      const command = document.getElementById(button.dataset.copy);
      try {
        await navigator.clipboard.writeText(command.textContent);
        button.textContent = "Copied";
      } catch {
        getSelection().selectAllChildren(command);
        button.textContent = "Selected: now copy";
      }
      setTimeout(() => { button.textContent = "Copy"; }, 2000);
    });
  }

  const compare = (a, b) => {
    const [x, y] = [Number(a), Number(b)];
    return Number.isNaN(x) || Number.isNaN(y) ? a.localeCompare(b) : x - y;
  };
  const sortable = (table) => {
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => {
      if ("plain" in head.dataset) return;
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = head.textContent;
      head.replaceChildren(button);
      button.addEventListener("click", () => {
        const down = head.getAttribute("aria-sort") === "ascending";
        heads.forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        const keyed = [...table.tBodies[0].rows].map((row) => [row.cells[column].dataset.key, row]);
        const known = keyed.filter(([key]) => key !== undefined);
        const unknown = keyed.filter(([key]) => key === undefined); // last either way
        known.sort(([a], [b]) => (down ? compare(b, a) : compare(a, b)));
        table.tBodies[0].append(...[...known, ...unknown].map(([, row]) => row));
        table.dispatchEvent(new Event("sorted"));
      });
    });
  };
  document.querySelectorAll("table.sortable").forEach((table) => { if (table.tHead) sortable(table); });

  const show = (plot, figure) => {
    figures[plot.dataset.figure] = figure;
    if (!plots.includes(plot)) plots.push(plot);
    wait([plot]);
  };
  const dropped = (gone) => gone.forEach((plot) => {
    plots.splice(plots.indexOf(plot), 1);
    rest.delete(plot);
  });
  window.surrolab = { show, dropped, sortable, inflated };
})();
