// The comparison page: mean ranks with cliques, the matrix of pairs, and one model against the others.
(function () {
  "use strict";
  const { load, make, number, difference, beyond, explained, options, table, failed, redraw } = msbench;
  const root = document.getElementById("compare");
  const target = document.getElementById("target");
  const model = document.getElementById("model");
  const group = document.getElementById("group");
  const place = (id) => document.getElementById(id);
  const css = (name) => `var(--${name})`;
  let data;

  // The pair (i, j), seen from i.
  function lookup(pairs, n) {
    const grid = new Array(n * n);
    pairs.a.forEach((a, k) => {
      const b = pairs.b[k];
      const pair = { difference: pairs.difference[k], low: pairs.low[k], high: pairs.high[k], p: pairs.p[k],
        distinguished: pairs.distinguished[k] === 1, n: pairs.n[k] };
      const minus = (v) => (v === null ? null : -v);
      grid[a * n + b] = pair;
      grid[b * n + a] = { ...pair, difference: minus(pair.difference), low: minus(pair.high), high: minus(pair.low) };
    });
    return grid;
  }

  function diagram(ranked) {
    const n = ranked.models.length;
    const half = Math.ceil(n / 2);
    const lane = 9;
    const bars = lanes(ranked);
    const top = 14 + lane * bars.count;
    const width = Math.max(760, Math.min(root.clientWidth, 1100));
    const height = top + 24 + half * 18;
    const side = 190;
    const nodes = ranked.models.map((m, i) => {
      const left = i < half;
      const row = left ? i : n - 1 - i;
      return { label: data.models[m], rank: ranked.mean_rank[i], left, y: top + 24 + row * 18 };
    });
    const elbows = nodes.flatMap((d, k) => {
      const end = d.left ? 1 - 0.02 * n : n + 0.02 * n;
      return [[d.rank, 0], [d.rank, d.y], [end, d.y]].map(([x, y]) => ({ x, y, k }));
    });
    return msbench.chart({
      width, height: height + 40, marginLeft: side, marginRight: side, marginTop: 40, marginBottom: 4,
      ariaLabel: `Mean ranks of ${n} models; bars join those not distinguished`,
      x: { domain: [1, n], axis: null },
      y: { domain: [0, height], axis: null, reverse: true },
      marks: [
        Plot.axisX({ anchor: "top", ticks: Math.min(n, 12), tickFormat: "d", label: "mean rank over tracks (1 is best)", labelAnchor: "center", labelArrow: "none" }),
        Plot.ruleY([0], { stroke: "currentColor" }),
        Plot.line(elbows, { x: "x", y: "y", z: "k", stroke: css("line"), strokeWidth: 1 }),
        Plot.link(bars.list, { x1: "x1", x2: "x2", y1: "y", y2: "y", stroke: css("bar"), strokeWidth: 4, strokeLinecap: "round" }),
        Plot.text(nodes.filter((d) => d.left), { x: 1 - 0.02 * n, y: "y", dx: -6, textAnchor: "end", fill: "currentColor",
          text: (d) => `${clip(d.label)}  ${number(d.rank)}` }),
        Plot.text(nodes.filter((d) => !d.left), { x: n + 0.02 * n, y: "y", dx: 6, textAnchor: "start", fill: "currentColor",
          text: (d) => `${number(d.rank)}  ${clip(d.label)}` }),
      ],
    });
  }

  // Bars that overlap are drawn beneath each other.
  function lanes(ranked) {
    const ends = [];
    const list = ranked.cliques.map(([first, last]) => {
      const [x1, x2] = [ranked.mean_rank[first], ranked.mean_rank[last]];
      let k = ends.findIndex((end) => end < x1 - 0.005 * ranked.models.length);
      if (k < 0) k = ends.push(0) - 1;
      ends[k] = x2;
      return { x1, x2, y: 12 + 9 * k };
    });
    return { list, count: ends.length };
  }

  const clip = (label, length = 22) => (label.length > length ? `${label.slice(0, length - 1)}…` : label);

  function matrix() {
    const n = data.models.length;
    const grid = lookup(data.pairs, n);
    const size = n > 60 ? 9 : n > 24 ? 18 : 28;
    const cells = [];
    for (let i = 0; i < n; i += 1) for (let j = 0; j < n; j += 1) if (grid[i * n + j]) cells.push({ i, j, ...grid[i * n + j] });
    const sizes = cells.map((d) => Math.abs(d.difference ?? 0));
    const limit = quantile(sizes.filter((size) => !beyond(size)), 0.95) || 1;
    const margin = 24 + 6.6 * Math.min(22, d3.max(data.models, (label) => label.length));
    const small = size < 12;
    const chart = msbench.chart({
      width: margin + n * size + 20, height: margin + n * size + 10, marginLeft: margin, marginTop: margin, marginBottom: 4,
      ariaLabel: `Median differences between ${n} models, pair by pair`, padding: small ? 0 : 0.06,
      x: { domain: d3.range(n), axis: "top", tickFormat: (i) => clip(data.models[i]), tickRotate: -90, tickSize: 0, label: null },
      y: { domain: d3.range(n), tickFormat: (i) => clip(data.models[i]), tickSize: 0, label: null },
      color: { type: "diverging", scheme: "PuOr", domain: [-limit, limit], clamp: true },
      marks: [
        Plot.cell(cells.filter((d) => d.distinguished), { x: "j", y: "i", fill: "difference" }),
        Plot.cell(cells.filter((d) => !d.distinguished), { x: "j", y: "i", fill: css("paper"), stroke: small ? undefined : css("rule"), inset: small ? 0 : 0.5 }),
        Plot.dot(small ? [] : cells.filter((d) => !d.distinguished), { x: "j", y: "i", r: 1.6, fill: css("quiet") }),
        Plot.tip(cells, Plot.pointer({ x: "j", y: "i", fill: css("paper"), stroke: css("line"), title: (d) =>
          `${data.models[d.i]}\nagainst ${data.models[d.j]}\n${explained(`${interval(d)}\n${words(d)}`)}` })),
      ],
    });
    chart.addEventListener("click", (event) => {
      const row = at(chart, "y", event);
      if (row === null) return;
      model.value = String(row);
      one();
      place("one-heading").scrollIntoView({ block: "start" });
    });
    return make("div", {}, legend(limit), chart);
  }

  function legend(limit) {
    const ramp = make("span", { className: "ramp" });
    ramp.style.background = `linear-gradient(90deg, ${d3.range(0, 1.01, 0.1).map(d3.interpolatePuOr).join(",")})`;
    const grey = make("span", { className: "swatch" });
    grey.textContent = "·";
    grey.style.outline = `1px solid ${css("rule")}`;
    grey.style.textAlign = "center";
    grey.style.lineHeight = "10px";
    return make("p", { className: "legend" }, make("span", {}, `${number(-limit, 1)} dB (row worse)`), ramp,
      make("span", {}, `+${number(limit, 1)} dB (row better)`), make("span", {}, grey, "not distinguished"));
  }

  const quantile = (values, q) => d3.quantile(values, q);
  const interval = (pair) => `${difference(pair.difference)} dB (${difference(pair.low)} to ${difference(pair.high)})`;
  const words = (pair) => `${pair.distinguished ? "distinguished" : "not distinguished"}, ${equation(pair.p)} (Holm)`;
  const p = (value) => (value === null ? "–" : value < 0.0001 ? "<0.0001" : value.toFixed(4));

  const equation = (value) => (p(value).startsWith("<") ? `p < ${p(value).slice(1)}` : `p = ${p(value)}`);

  // Which band of a scale an event is on.
  function at(chart, axis, event) {
    const scale = chart.scale(axis);
    const box = chart.getBoundingClientRect();
    const offset = axis === "y" ? (event.clientY - box.top) * (chart.height.baseVal.value / box.height)
      : (event.clientX - box.left) * (chart.width.baseVal.value / box.width);
    const k = Math.floor((offset - scale.range[0]) / scale.step);
    return k >= 0 && k < scale.domain.length ? scale.domain[k] : null;
  }

  function one() {
    const n = data.models.length;
    const own = Number(model.value);
    const grid = lookup(data.pairs, n);
    const right = (text) => ({ text, class: "number" });
    const rows = d3.range(n).filter((j) => grid[own * n + j]).map((j) => {
      const pair = grid[own * n + j];
      return [data.models[j], right(difference(pair.difference)), right(`${difference(pair.low)} to ${difference(pair.high)}`),
        right(String(pair.n)), right(p(pair.p)), pair.distinguished ? (pair.difference > 0 ? "better" : "worse") : "not distinguished"];
    });
    place("one").replaceChildren(table(`${data.models[own]} minus each other model: median over common tracks, in dB`,
      ["Against", right("Difference"), right("95% interval"), right("Tracks"), right("p (Holm)"), "Verdict"], rows));
  }

  function ranks() {
    const ranked = data.groups[Number(group.value)];
    place("gate").textContent = !ranked ? "No two systems can be ranked together here."
      : `${ranked.models.length} systems over ${ranked.tracks} tracks.`
        + (ranked.friedman === null ? "" : ` Friedman's test over all of them, the gate: ${equation(ranked.friedman)}.`);
    place("cd").replaceChildren(...(ranked ? [diagram(ranked)] : []));
  }

  function draw() {
    if (!data) return;
    ranks();
    place("matrix").replaceChildren(matrix());
  }

  async function show() {
    data = await load(`pairs-${root.dataset.key}-${target.value}`);
    const distinguished = data.pairs.distinguished.reduce((sum, v) => sum + v, 0);
    const parts = [`${distinguished} of ${data.pairs.distinguished.length} pairs are distinguished.`];
    const reversed = data.reversed.slice(0, 20).map(([a, b]) => `${data.models[a]} and ${data.models[b]}`);
    parts.push(`Means in place of medians, over tracks and over windows where records have them, reverse the order of ${data.reversed.length}`
      + `${reversed.length ? `: ${reversed.join(", ")}` : ""}${data.reversed.length > 20 ? ", …" : "."}`);
    place("verdict").textContent = parts.join(" ");
    const kept = model.selectedOptions[0]?.textContent;
    const before = group.value;
    options(group, data.groups.map((each) => each.label));
    if (data.groups[Number(before)]) group.value = before || "0";
    options(model, data.models);
    model.value = String(Math.max(0, data.models.indexOf(kept)));
    draw();
    one();
  }

  if (!target.options.length) {
    root.replaceChildren(make("p", {}, "Nothing to compare: this needs two models with scores on the same tracks."));
    return;
  }
  const run = () => show().catch(failed(place("cd")));
  target.addEventListener("change", run);
  model.addEventListener("change", one);
  group.addEventListener("change", ranks);
  redraw(draw);
  run();
})();
