// A study: differences to the baseline by each factor, its cells, its main effects and their learning curves.
(function () {
  "use strict";
  const { load, make, number, difference, decibels, explained, options, table, failed, redraw, dark } = msbench;
  const root = document.getElementById("study");
  if (!root) return;
  const place = (id) => document.getElementById(id);
  const [part, target, score] = ["part", "target", "score"].map(place);
  const css = (name) => `var(--${name})`;
  const clip = (label, length) => (label.length > length ? `${label.slice(0, length - 1)}…` : label);
  const SYMBOLS = ["circle", "square", "triangle", "diamond", "star", "cross"];
  const SIGNS = ["●", "■", "▲", "◆", "★", "✚"];
  const DASHES = ["", "6 3", "2 3", "8 3 2 3", "1 2", "12 4"];
  const LIGHT = ["#0072b2", "#c14b00", "#007a5a", "#a2467e", "#8a5a00", "#4d4d4d"];
  const DARK = ["#5fb0e8", "#ff8b4d", "#3fc79b", "#e59ac4", "#f0b72f", "#c9cdd2"];
  const MOST_NAMED = 18;
  const color = (k) => (dark() ? DARK : LIGHT)[k % LIGHT.length];
  let index, data, curves;

  const small = (value) => (value === null || value === undefined ? "–" : d3.format(".3~g")(value).replace("-", "−"));
  const shown = (value) => (data.unit === "dB" ? decibels(value) : small(value));
  const changed = (value) => {
    const text = data.unit === "dB" ? difference(value) : small(value);
    return value > 0 ? `+${text}` : text;
  };
  const interval = (d) => (d.low === null ? "–" : `${changed(d.low)} to ${changed(d.high)}`);
  const p = (value) => (value === null ? "–" : value < 0.001 ? "<0.001" : number(value, 3));
  const right = (text) => ({ text, class: "number" });
  const MARKS = { better: "▲ ", worse: "▼ " };
  const verdict = (d) => `${MARKS[d.verdict] || ""}${d.verdict}`;

  function legend(names, hollow) {
    return make("p", { className: "legend" }, ...names.map((name, k) => {
      const sign = make("span", {}, `${hollow[k] ? "○" : SIGNS[k % SIGNS.length]} `);
      sign.style.color = color(k);
      return make("span", {}, sign, make("bdi", {}, clip(name || "all cells", 60)));
    }));
  }

  function figure(panel) {
    const names = [...new Set(panel.points.map((d) => d.series))];
    const hollow = names.map((name) => panel.points.find((d) => d.series === name).reported);
    const width = Math.max(300, Math.min(root.clientWidth, panel.levels.length > 8 ? 1000 : 520));
    const longest = d3.max(panel.levels, (level) => level.length) || 0;
    const turned = !panel.numeric && longest * 7 * panel.levels.length > width - 80;
    const shift = (k) => (panel.numeric ? 0 : Math.min(10, 60 / names.length) * (k - (names.length - 1) / 2));
    const marks = names.flatMap((name, k) => {
      const own = d3.sort(panel.points.filter((d) => d.series === name), (d) => d.x);
      const at = { x: panel.numeric ? "x" : (d) => panel.levels[d.x], y: "y", dx: shift(k) };
      const made = [
        Plot.ruleX(own.filter((d) => d.low !== null), { ...at, y: undefined, y1: "low", y2: "high", stroke: color(k), strokeWidth: 1.6, strokeOpacity: 0.7 }),
        Plot.dot(own, { ...at, r: 4.5, symbol: hollow[k] ? "circle" : SYMBOLS[k % SYMBOLS.length], fill: hollow[k] ? css("paper") : color(k), stroke: color(k), strokeWidth: 1.6 }),
        Plot.tip(own, Plot.pointer({ ...at, fill: css("paper"), stroke: css("line"), title: (d) =>
          `${d.label}${d.reported ? " (reported)" : ""}\n${explained(`${changed(d.y)} ${data.unit}${d.low === null ? "" : ` (${interval(d)})`}`)}` })),
      ];
      if (panel.numeric) made.unshift(Plot.line(own, { ...at, stroke: color(k), strokeWidth: 1.4, strokeDasharray: hollow[k] ? "4 3" : null }));
      return made;
    });
    const chart = msbench.chart({
      width, height: 260 + (turned ? 60 : 0), marginLeft: 52, marginBottom: turned ? 100 : 42, marginTop: 24, inset: 14,
      ariaLabel: `Difference to the baseline by ${panel.factor}; the values are in the table of cells`,
      x: panel.numeric ? { label: null, ticks: panel.levels.length > 8 ? 8 : panel.levels.map(Number), tickFormat: (v) => d3.format("~g")(v).replace("-", "−") }
        : { type: "point", domain: panel.levels, padding: 0.6, label: null, tickRotate: turned ? -40 : 0, tickFormat: (level) => clip(level, 16) },
      y: { label: `↑ difference${data.unit ? ` (${data.unit})` : ""}`, grid: true, nice: true },
      marks: [Plot.ruleY([0], { stroke: css("line"), strokeDasharray: "3 3" }), ...marks],
    });
    const named = names.length > 1 && names.length <= MOST_NAMED ? [legend(names, hollow)] : [];
    const box = make("div", { className: "scroll chart", role: "region", tabIndex: 0 }, chart);
    box.setAttribute("aria-label", `Figure of ${panel.factor}`);
    return make("div", {}, make("h3", {}, make("bdi", { className: "code" }, panel.factor)), ...named, box);
  }

  function cells() {
    const head = ["Cell", ...data.factors, right(score.selectedOptions[0].textContent), right("Difference"), right("95% interval"), right("p (Holm)"),
      "Verdict", right("Seeds"), right("Spread over seeds"), right("Tracks"), right("Shared")];
    const rows = data.cells.map((d) => [d.label, ...d.factors, right(shown(d.median)), right(d.difference === null ? "–" : changed(d.difference)), right(interval(d)),
      right(p(d.p_holm)), verdict(d), right(String(d.seeds)), right(d.seed_spread === null ? "–" : shown(d.seed_spread)), right(String(d.tracks)), right(String(d.common))]);
    const caption = `${target.selectedOptions[0].textContent}: the median over tracks, and the paired difference to ${index.baseline}; ${data.better} is better`;
    return table(caption, head, rows);
  }

  function effects() {
    const head = ["Factor", "Level", "Against", right("Difference"), right("95% interval"), right("p (Holm)"), "Verdict", right("Combinations"), right("Tracks")];
    const rows = data.effects.map((d) => [d.factor, d.level, d.baseline_level, right(d.difference === null ? "–" : changed(d.difference)), right(interval(d)),
      right(p(d.p_holm)), verdict(d), right(String(d.combinations)), right(String(d.common))]);
    return table(`${target.selectedOptions[0].textContent}: each level against the baseline's, averaged over the other factors; ${data.better} is better`, head, rows);
  }

  function told() {
    const counted = (verdict) => data.cells.filter((d) => d.verdict === verdict).length;
    const parts = ["better", "worse", "not distinguished", "not compared"].map((each) => [counted(each), each]).filter(([count]) => count);
    const compared = data.cells.filter((d) => d.difference !== null).length;
    return parts.length ? `Against ${index.baseline}: ${parts.map(([count, each]) => `${count} ${each}`).join(", ")} (${compared} comparisons corrected together).`
      : "No other cell has a score here.";
  }

  function draw() {
    if (!data) return;
    place("verdict").textContent = told();
    place("figures").replaceChildren(...data.panels.filter((panel) => panel.points.length > 1).map(figure));
    place("cells").replaceChildren(cells());
    place("main-effects").hidden = data.effects.length === 0;
    place("effects").replaceChildren(...(data.effects.length ? [effects()] : []));
  }

  function drawCurves() {
    if (!curves) return;
    const labels = [...new Set(curves.map((d) => d.label))];
    const wanted = place("curve").value;
    const points = curves.flatMap((curve, z) => curve.steps.map((step, i) => ({ step, value: curve.values[i], z, label: curve.label, run: curve.run, k: labels.indexOf(curve.label) })));
    const chosen = points.filter((d) => !wanted || d.label === wanted);
    const others = points.filter((d) => wanted && d.label !== wanted);
    const line = { x: "step", y: "value", z: "z" };
    const chart = msbench.chart({
      width: Math.max(340, Math.min(root.clientWidth, 1000)), height: 380, marginLeft: 56, marginTop: 24, marginBottom: 42, inset: 8,
      ariaLabel: `Learning curves of ${labels.length} cells`,
      x: { label: "training step →", labelAnchor: "center", tickFormat: "~s" },
      y: { label: `↑ ${[...new Set(curves.map((d) => d.score))].join(", ")}`, grid: true, nice: true },
      marks: [
        Plot.line(others, { ...line, stroke: css("none"), strokeWidth: 1 }),
        ...labels.map((label, k) => Plot.line(chosen.filter((d) => d.label === label), { ...line, stroke: color(k), strokeWidth: label === index.baseline ? 2.6 : 1.4,
          strokeDasharray: DASHES[Math.floor(k / LIGHT.length) % DASHES.length] })),
        Plot.tip(chosen, Plot.pointer({ x: "step", y: "value", fill: css("paper"), stroke: css("line"), title: (d) => `${d.run}\nstep ${d.step}: ${small(d.value)}` })),
      ],
    });
    const named = labels.length <= MOST_NAMED ? [make("p", { className: "legend" }, ...labels.map((label, k) => {
      const sign = make("span", {}, "━ ");
      sign.style.color = color(k);
      return make("span", {}, sign, make("bdi", {}, clip(label, 48)), label === index.baseline ? " (baseline, thicker)" : "");
    }))] : [];
    place("curves").replaceChildren(...named, chart);
  }

  const here = () => index.parts[Number(part.value)];
  const unique = (values) => [...new Set(values)];

  function choose(select, names) {
    const before = select.selectedOptions[0]?.textContent;
    options(select, names);
    select.value = String(Math.max(0, names.indexOf(before)));
  }

  async function show() {
    const wanted = [target.selectedOptions[0].textContent, score.selectedOptions[0].textContent];
    const number = here().scores.findIndex((d) => d.target === wanted[0] && d.name === wanted[1]);
    if (number < 0) {
      place("verdict").textContent = `${wanted[0]} has no ${wanted[1]} here.`;
      for (const id of ["figures", "cells", "effects"]) place(id).replaceChildren();
      return;
    }
    data = await load(`study-${root.dataset.key}-${part.value}-${number}`);
    draw();
  }

  function changePart() {
    choose(target, unique(here().scores.map((d) => d.target)));
    choose(score, unique(here().scores.map((d) => d.name)));
  }

  const run = () => show().catch(failed(place("cells")));
  part.addEventListener("change", () => { changePart(); run(); });
  target.addEventListener("change", run);
  score.addEventListener("change", run);
  place("curve")?.addEventListener("change", drawCurves);
  redraw(() => { draw(); drawCurves(); });
  load(`study-${root.dataset.key}`).then((found) => {
    index = found;
    options(part, index.parts.map((d) => clip(d.label, 100)));
    changePart();
    run();
    if (!place("curve")) return;
    load(`study-${root.dataset.key}-curves`).then((known) => {
      curves = known;
      place("curve").append(...unique(curves.map((d) => d.label)).map((label) => make("option", { value: label }, clip(label, 60))));
      drawCurves();
    }).catch(failed(place("curves")));
  }).catch(failed(place("cells")));
})();
