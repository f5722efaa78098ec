// Quality against cost: median SDR with its interval over RTF, parameters or memory.
(function () {
  "use strict";
  const { load, make, number, decibels, explained, table, failed, redraw } = msbench;
  const root = document.getElementById("cost");
  const target = document.getElementById("target");
  const axis = document.getElementById("axis");
  const css = (name) => `var(--${name})`;
  const clip = (label, length = 24) => (label.length > length ? `${label.slice(0, length - 1)}…` : label);
  const AXES = {
    rtf: { label: "real-time factor: seconds of separation a second of audio (lower is faster)", show: (v) => number(v, 4), tick: d3.format("~g"), scale: 1 },
    parameters: { label: "parameters", show: (v) => d3.format(".3~s")(v), tick: d3.format(".2~s"), scale: 1 },
    memory: { label: "peak memory of separation (MiB)", show: (v) => `${number(v, 0)} MiB`, tick: d3.format(",~g"), scale: 2 ** -20 },
  };
  const interval = (d) => `${decibels(d.low)} to ${decibels(d.high)}`;
  let data;

  function points() {
    const kind = AXES[axis.value];
    return data.models.map((model, i) => {
      const [median, low, high] = data.targets[Number(target.value)][i];
      const cost = data[axis.value][i];
      return { model, role: data.roles[i], card: data.cards[i], median, low, high, cost: cost > 0 ? cost * kind.scale : null };
    });
  }

  // Models that none cheaper surpasses; ceilings see the references and are no choice.
  function front(known) {
    let best = -Infinity;
    return d3.sort(known.filter((d) => d.role === "system"), (d) => d.cost).filter((d) => {
      const better = d.median > best;
      if (better) best = d.median;
      return better;
    });
  }

  function draw() {
    if (!data) return;
    const kind = AXES[axis.value];
    const known = points().filter((d) => d.cost !== null && d.median !== null);
    const place = document.getElementById("scatter");
    if (!known.length) {
      place.replaceChildren(make("p", {}, "No model of this ranking says what it costs in this respect."));
    } else {
      const symbols = { ceiling: "triangle", system: "circle", floor: "square" };
      const best = front(known);
      place.replaceChildren(legend(), msbench.chart({
        width: Math.max(340, Math.min(root.clientWidth, 1000)), height: 460, marginLeft: 48, marginRight: 130, marginTop: 26, marginBottom: 44,
        ariaLabel: `Median SDR of ${known.length} models against ${kind.label}`, inset: 14,
        x: { type: "log", label: `${kind.label} →`, labelAnchor: "center", grid: true, ticks: 5, tickFormat: kind.tick },
        y: { label: "↑ median SDR (dB)", grid: true },
        symbol: { domain: Object.keys(symbols), range: Object.values(symbols) },
        marks: [
          Plot.line(best, { x: "cost", y: "median", stroke: css("line"), curve: "step-after" }),
          Plot.ruleX(known.filter((d) => d.low !== null), { x: "cost", y1: "low", y2: "high", stroke: (d) => css(d.role), strokeWidth: 1.5, strokeOpacity: 0.6 }),
          Plot.dot(known, { x: "cost", y: "median", symbol: "role", fill: (d) => css(d.role), r: 4.5 }),
          Plot.text(known.length > 40 ? best : known, { x: "cost", y: "median", text: (d) => clip(d.model), dx: 8, dy: -8, textAnchor: "start", fill: "currentColor", stroke: css("paper"), strokeWidth: 3 }),
          Plot.tip(known, Plot.pointer({ x: "cost", y: "median", fill: css("paper"), stroke: css("line"), title: (d) =>
            `${d.model} (${d.role})\n${explained(`${decibels(d.median)} dB (${interval(d)})\n${kind.show(d.cost)}`)}` })),
        ],
      }));
    }
    const right = (text) => ({ text, class: "number" });
    const rows = d3.sort(known, (d) => d.cost).map((d) => [make("a", { href: d.card }, d.model), d.role,
      right(kind.show(d.cost)), right(decibels(d.median)), right(interval(d))]);
    document.getElementById("cost-table").replaceChildren(table("The same as a table, the cheapest first",
      ["Model", "Role", right(axis.selectedOptions[0].textContent), right("Median SDR (dB)"), right("95 % interval")], rows));
  }

  function legend() {
    const one = (role, mark) => {
      const sign = make("span", {}, `${mark} `);
      sign.style.color = css(role);
      return make("span", {}, sign, role);
    };
    return make("p", { className: "legend" }, one("ceiling", "▲"), one("system", "●"), one("floor", "■"));
  }

  target.addEventListener("change", draw);
  axis.addEventListener("change", draw);
  redraw(draw);
  load(`cost-${root.dataset.key}`).then((found) => { data = found; draw(); }).catch(failed(document.getElementById("scatter")));
})();
