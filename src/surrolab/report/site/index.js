"use strict";
(() => {
  const { runs, curves } = JSON.parse(document.getElementById("index").textContent);
  const byId = (id) => document.getElementById(id);
  const table = byId("table");
  const rows = table ? [...table.tBodies[0].rows] : [];
  const texts = rows.map((row) => row.textContent.toLowerCase());
  const form = document.querySelector("form.filters");
  const selects = [...document.querySelectorAll("select[data-filter]")];
  const metric = byId("metric");
  const fold = byId("fold");
  const MOST = 28; // lines that can be told apart: seven colours, four dashes
  const DASHES = ["solid", "dash", "dot", "dashdot"];

  // Plotly takes texts for a kind of HTML.
  const said = (text, longest = 48) => {
    const words = String(text).split(/\s+/).join(" ").trim();
    const half = (longest - 1) >> 1;
    const short = words.length > longest ? `${words.slice(0, half)}…${words.slice(-half)}` : words;
    return short.replace(/[&<>"'$]/g, (sign) => `&#${sign.charCodeAt(0)};`);
  };
  const number = (value) => {
    if (value === null || value === undefined) return "–";
    return String(Number(value.toPrecision(4))).replace("-", "\u2212");
  };
  const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const grouped = (items, key) => {
    const found = new Map();
    for (const item of items) {
      const name = key(item);
      if (!found.has(name)) found.set(name, []);
      found.get(name).push(item);
    }
    return found;
  };
  const several = (items, key) => new Set(items.map((item) => item[key])).size > 1;

  // Higher is better. Runs without an accuracy, as those that learn no classes, have an error.
  const score = (run) => run.val ?? (run.val_mse === null ? null : -run.val_mse);
  const scoredBy = (run) => (run.val === null ? "val_mse" : "val");
  // What counts, in the table and in the curves: completed runs, where there are any.
  const counted = (own) => {
    const completed = own.filter((run) => run.status === "completed");
    return completed.length ? completed : own;
  };
  // Of runs with a score: those of the setting with the best mean, and that mean.
  const bestGroup = (own) => [...grouped(counted(own), (run) => run.group).values()]
    .map((group) => ({ own: group, score: mean(group.map(score)) }))
    .reduce((a, b) => (b.score > a.score ? b : a));

  // What was chosen outlives a page that is loaded again.
  const PLACE = `surrolab:${location.pathname}`;
  let state = {};
  try { state = JSON.parse(sessionStorage.getItem(PLACE)) ?? {}; } catch { /* not kept here */ }
  const keep = () => {
    const head = table?.querySelector("[aria-sort]");
    state = {
      find: byId("find").value,
      filters: Object.fromEntries(selects.map((select) => [select.dataset.filter, select.value])),
      sort: head ? [head.textContent, head.getAttribute("aria-sort")] : null,
      metric: curves[metric.value], fold: fold.checked,
      ticked: ticked ? [...ticked] : null,
    };
    try { sessionStorage.setItem(PLACE, JSON.stringify(state)); } catch { /* nor there */ }
  };

  let ticked = state.ticked ? new Set(state.ticked) : null; // keys; null before the first choice
  const shown = () => rows.filter((row) => !row.hidden).map((row) => runs[row.dataset.run]);
  const chosen = () => {
    if (ticked) return runs.filter((run) => ticked.has(run.key));
    const groups = new Set();
    for (const [, alike] of grouped(shown().filter((run) => score(run) !== null), scoredBy)) {
      const best = [...grouped(alike, (run) => run.surrogate).values()].map(bestGroup);
      best.sort((one, other) => other.score - one.score);
      best.slice(0, 6).forEach(({ own: [run] }) => groups.add(run.group));
    }
    return shown().filter((run) => groups.has(run.group));
  };

  let waiting = 0;
  const filter = () => {
    const words = byId("find").value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    rows.forEach((row, place) => {
      const run = runs[row.dataset.run];
      row.hidden = !words.every((word) => texts[place].includes(word))
        || selects.some((select) => select.value && run[select.dataset.filter] !== select.value);
      count += row.hidden ? 0 : 1;
    });
    byId("count").textContent = count === rows.length ? `${count} runs` : `${count} of ${rows.length} runs`;
    if (byId("nothing")) byId("nothing").hidden = count > 0;
    keep();
    // Plots follow when the reader stops typing.
    clearTimeout(waiting);
    waiting = setTimeout(() => {
      if (!ticked) drawCurves();
      compare();
    }, 150);
  };

  // Curves, a file for each metric.
  const known = {};
  const asked = new Set();
  const load = (place) => {
    if (asked.has(place)) return;
    asked.add(place);
    const script = document.createElement("script");
    script.src = `curves/${place}.js`;
    document.head.append(script);
  };
  surrolab.curves = async (place, text) => {
    try { known[place] = await surrolab.inflated(text); } catch { known[place] = {}; } // a browser from before 2023
    drawCurves();
  };
  const points = (curve) => (Array.isArray(curve)
    ? curve.map((y, i) => [i + 1, y]) : curve.x.map((x, i) => [x, curve.y[i]]));

  const labels = (lines) => {
    const all = lines.map(([run]) => run);
    const parts = ["surrogate", "settings", "data", "model"].filter(
      (key) => key === "surrogate" || several(all, key));
    const made = lines.map(([run]) => parts.map((key) => run[key]).filter(Boolean).join(", ") || run.name);
    const counts = new Map();
    made.forEach((name) => counts.set(name, (counts.get(name) ?? 0) + 1));
    return made.map((name, i) => {
      if (counts.get(name) === 1) return name;
      const [run] = lines[i];
      return `${name}, ${run.name}${lines[i].length === 1 && run.seed !== null ? `, seed ${run.seed}` : ""}`;
    });
  };
  // At each epoch the mean of the curves that reach it, how many these are, and their ends.
  const folded = (lines) => {
    const at = new Map();
    for (const curve of lines) for (const [x, y] of points(curve)) at.set(x, [...(at.get(x) ?? []), y]);
    const all = [...at].sort(([a], [b]) => a - b);
    return {
      x: all.map(([x]) => x), y: all.map(([, values]) => mean(values)), counts: all.map(([, values]) => values.length),
      low: all.map(([, values]) => Math.min(...values)), high: all.map(([, values]) => Math.max(...values)),
    };
  };
  const line = (all, lines, name, place) => {
    const colour = place % 7;
    const own = counted(all);
    const { x, y, low, high, counts } = folded(own.map((run) => lines[run.key]));
    const many = own.length > 1;
    const uneven = counts.some((count) => count < own.length) ? "up to " : "";
    const left = all.length > own.length ? ` completed of ${all.length}` : "";
    const what = all.length > 1 ? `${name}, mean of ${uneven}${own.length}${left}` : name;
    const data = [{
      type: "scatter", mode: x.length > 60 ? "lines" : "lines+markers", name: said(what, 60), x, y,
      line: { color: `@c${colour}`, width: 2, dash: DASHES[Math.floor(place / 7)] },
      marker: { color: `@c${colour}`, size: 5 }, customdata: own.length === 1 ? x.map(() => `runs/${own[0].page}`) : [],
      text: counts.map((count) => (many ? `, mean of ${count}` : "")),
      hovertemplate: `${said(what, 60)}<br>epoch %{x}: %{y:.4~g}%{text}<extra></extra>`,
    }];
    if (many) {
      data.unshift({
        type: "scatter", mode: "lines", x: [...x, ...[...x].reverse()], y: [...high, ...[...low].reverse()],
        fill: "toself", fillcolor: `@t${colour}`, line: { width: 0 }, hoverinfo: "skip", showlegend: false,
      });
    }
    return [data, y.length ? `${name} ends at ${number(y.at(-1))}` : ""];
  };
  const drawCurves = () => {
    if (!metric.options.length) return;
    const place = Number(metric.value);
    const lines = known[place];
    const all = new Set(chosen());
    const own = lines === undefined ? [] : [...all].filter((run) => lines[run.key]);
    const drawn = new Set(own);
    for (const row of rows) {
      row.classList.toggle("picked", drawn.has(runs[row.dataset.run]));
      row.cells[0].firstElementChild.checked = all.has(runs[row.dataset.run]);
    }
    if (lines === undefined) return load(place);
    const groups = [...grouped(own, (run) => (fold.checked ? run.group : run.key)).values()];
    const names = labels(groups);
    const data = [];
    const ends = [];
    groups.slice(0, MOST).forEach((group, i) => {
      const [traces, end] = line(group, lines, names[i], i);
      data.push(...traces);
      ends.push(end);
    });
    const rest = groups.slice(MOST);
    if (rest.length) {
      const x = [];
      const y = [];
      for (const group of rest) {
        const curve = folded(counted(group).map((run) => lines[run.key]));
        x.push(...curve.x, null);
        y.push(...curve.y, null);
      }
      data.unshift({
        type: "scatter", mode: "lines", x, y, name: `${rest.length} others`, line: { color: "@mist", width: 1 }, hoverinfo: "skip",
      });
    }
    const plot = document.querySelector("[data-figure=curves-0]");
    const text = groups.length ? ends.slice(0, 8).join("; ") : "none is chosen";
    plot.setAttribute("aria-label", `${curves[place]} by epoch: ${text}.`);
    const some = own.length < all.size ? `, ${own.length} of them have this metric` : "";
    byId("chosen").textContent = ticked ? `${all.size} runs are ticked${some}.`
      : "The best setting of each surrogate with all its seeds, until others are ticked in the table.";
    const longest = Math.max(1, ...data.map((trace) => Math.max(0, ...trace.x)));
    surrolab.show(plot, {
      data, choices: [],
      layout: {
        height: 460, showlegend: true,
        xaxis: { title: { text: "epoch" }, ...(longest <= 12 ? { dtick: 1 } : { nticks: 12 }) },
        yaxis: { title: { text: said(curves[place]) } },
      },
    });
  };

  // Surrogates side by side.
  const MEASURES = [
    ["val", "val/accuracy"], ["test", "test/accuracy"], ["val_mse", "val/mse"], ["test_mse", "test/mse"], ["rate", "mean rate"], ["acs", "effective ACs"],
    ["alignment", "alignment"], ["time", "time of an epoch, s"],
  ];
  const cell = (tag, text, key, link) => {
    const made = document.createElement(tag);
    if (link) {
      const anchor = document.createElement("a");
      anchor.href = link;
      anchor.textContent = text;
      made.append(anchor);
    } else made.textContent = text;
    if (tag === "th") made.scope = "col";
    if (typeof key === "number" && !link) made.className = "n";
    if (key !== null && key !== undefined) made.dataset.key = key;
    return made;
  };
  const range = (values) => {
    if (!values.length) return "–";
    const [low, high] = [Math.min(...values), Math.max(...values)];
    return low === high ? number(low) : `${number(mean(values))} (${number(low)} to ${number(high)})`;
  };
  const bestOf = (own) => {
    const kinds = grouped(own.filter((run) => score(run) !== null), scoredBy);
    const alike = kinds.get("val") ?? kinds.get("val_mse");
    if (!alike) return cell("td", "–");
    const { own: group } = bestGroup(alike);
    const value = mean(group.map((run) => run[scoredBy(run)]));
    const words = [group[0].settings, group.length > 1 ? `${group.length} runs` : ""].filter(Boolean).join(", ");
    return cell("td", `${number(value)}${words ? ` (${words})` : ""}`, value, `runs/${group[0].page}`);
  };
  const compare = () => {
    const done = shown().filter((run) => run.status === "completed" && run.surrogate);
    const sets = several(done, "data");
    const kinds = [...grouped(done, (run) => (sets ? `${run.data}, ${run.surrogate}` : run.surrogate))];
    const values = (own, key) => own.map((run) => run[key]).filter((value) => value !== null);
    const order = (own) => {
      const known = own.map(score).filter((value) => value !== null);
      return known.length ? mean(known) : -Infinity;
    };
    kinds.sort(([, one], [, other]) => Math.sign(order(other) - order(one)) || 0);
    const there = MEASURES.filter(([key]) => values(done, key).length);
    byId("mixed").textContent = several(done, "model") ? "models are mixed;" : "";
    const comparison = byId("comparison");
    comparison.replaceChildren();
    const head = comparison.createTHead().insertRow();
    for (const title of [sets ? "data, surrogate" : "surrogate", "runs", "best setting"]) head.append(cell("th", title));
    for (const [, title] of there) head.append(cell("th", title, 0));
    const body = comparison.createTBody();
    for (const [name, own] of kinds) {
      const row = body.insertRow();
      row.append(cell("td", name, name), cell("td", own.length, own.length), bestOf(own));
      for (const [key] of there) {
        const found = values(own, key);
        row.append(cell("td", range(found), found.length ? mean(found) : undefined));
      }
    }
    surrolab.sortable(comparison);
    strips(kinds, there, values);
  };
  const strips = (kinds, there, values) => {
    const room = byId("strips");
    surrolab.dropped([...room.querySelectorAll(".plot")]);
    room.replaceChildren();
    for (const [key, title] of there) {
      const own = kinds.filter(([, group]) => values(group, key).length);
      const figure = document.createElement("figure");
      const caption = document.createElement("figcaption");
      caption.textContent = title;
      const plot = document.createElement("div");
      plot.className = "plot";
      plot.dataset.figure = `strip-${key}`;
      plot.setAttribute("role", "img");
      const means = own.map(([name, group]) => [name, mean(values(group, key))]);
      plot.setAttribute("aria-label", `${title} by surrogate; means: ${means.map(([n, v]) => `${n} ${number(v)}`).join(", ")}.`);
      figure.append(caption, plot);
      room.append(figure);
      const all = own.flatMap(([, group]) => values(group, key));
      const axis = { nticks: 6, ...(Math.max(...all) >= 1000 && { tickformat: "~s" }) };
      if (Math.min(...all) === Math.max(...all)) axis.range = [all[0] - Math.abs(all[0]) / 2 - 0.01, all[0] + Math.abs(all[0]) / 2 + 0.01];
      const dots = { x: [], y: [], text: [], customdata: [] };
      own.forEach(([, group], place) => group.forEach((run, i) => {
        if (run[key] === null) return;
        dots.x.push(run[key]);
        dots.y.push(place + 0.5 * ((i * 0.6180339887 % 1) - 0.5)); // apart from each other, always the same way
        const settings = run.settings ? `<br>${said(run.settings)}` : "";
        dots.text.push(`<b>${said(run.name)}</b>${settings}${run.seed === null ? "" : `<br>seed ${run.seed}`}<br>${number(run[key])}`);
        dots.customdata.push(`runs/${run.page}`);
      }));
      surrolab.show(plot, {
        data: [
          {
            type: "scatter", mode: "markers", ...dots, hovertemplate: "%{text}<extra></extra>",
            marker: { color: "@c0", size: 6, opacity: dots.x.length > 200 ? 0.4 : 0.7 },
          },
          {
            type: "scatter", mode: "markers", x: means.map(([, value]) => value), y: own.map((_, place) => place), hoverinfo: "skip",
            marker: { color: "@ink", symbol: "line-ns-open", size: 18, line: { width: 3, color: "@ink" } },
          },
        ],
        choices: [],
        layout: {
          height: 70 + 30 * own.length, showlegend: false, xaxis: axis,
          yaxis: {
            tickvals: own.map((_, place) => place), ticktext: own.map(([name]) => said(name, 30)),
            range: [own.length - 0.5, -0.5], showgrid: false,
          },
        },
      });
    }
  };
  // A point leads to its run.
  document.addEventListener("drawn", ({ target: plot }) => {
    if (plot.dataset.follows) return;
    plot.dataset.follows = "yes";
    plot.on("plotly_click", ({ points: [point] }) => {
      if (typeof point.customdata === "string") location.href = point.customdata;
    });
  });

  if (table) {
    form.hidden = false;
    byId("find").value = state.find ?? "";
    for (const select of selects) {
      const value = state.filters?.[select.dataset.filter] ?? "";
      select.value = [...select.options].some((option) => option.value === value) ? value : "";
    }
    if (state.sort) {
      const head = [...table.tHead.rows[0].cells].find((one) => one.textContent === state.sort[0]);
      for (let i = 0; head && head.getAttribute("aria-sort") !== state.sort[1] && i < 2; i++) head.querySelector("button").click();
    }
    if (state.fold === false) fold.checked = false;
    metric.value = String(Math.max(0, curves.indexOf(state.metric)));
    form.addEventListener("input", filter);
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("reset", () => setTimeout(filter));
    table.addEventListener("sorted", keep);
    table.addEventListener("change", ({ target }) => {
      const { key } = runs[target.closest("tr").dataset.run];
      ticked ??= new Set(chosen().map((run) => run.key));
      if (target.checked) ticked.add(key); else ticked.delete(key);
      keep();
      drawCurves();
    });
    const pick = (keys) => { ticked = new Set(keys); keep(); drawCurves(); };
    byId("tick").addEventListener("click", () => pick(shown().map((run) => run.key)));
    byId("untick").addEventListener("click", () => pick([]));
    metric.addEventListener("change", () => { keep(); drawCurves(); });
    fold.addEventListener("change", () => { keep(); drawCurves(); });
    filter();
  }
  document.documentElement.dataset.ready = String(Math.round(performance.now()));
})();
