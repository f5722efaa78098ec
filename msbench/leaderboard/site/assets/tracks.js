// The page of tracks: heat map, box plots, and one track with its scores and its sound.
(function () {
  "use strict";
  const { load, make, number, decibels, explained, beyond, options, table, failed, redraw } = msbench;
  const root = document.getElementById("tracks");
  const place = (id) => document.getElementById(id);
  const target = place("target");
  const score = place("score");
  const track = place("track");
  const css = (name) => `var(--${name})`;
  const clip = (label, length) => (label.length > length ? `${label.slice(0, length - 1)}…` : label);
  const player = msbench.player(place("player"));
  const label = () => score.selectedOptions[0].textContent;
  let data;
  let order;

  // Other metrics of a record may be in other units: their values are shown as they are.
  const text = (value) => (data.noise ? decibels(value) : number(value));
  const infinite = (value) => data.noise && beyond(value);
  const column = (j) => data.values.map((line) => line[j]).filter((v) => v !== null);

  function ordered() {
    const middle = (values) => d3.median(values.filter((v) => v !== null)) ?? -Infinity;
    const models = d3.range(data.models.length).filter((j) => column(j).length)
      .sort((a, b) => middle(column(b)) - middle(column(a)));
    const tracks = d3.range(data.tracks.length).sort((a, b) => middle(data.values[b]) - middle(data.values[a]));
    return { models, tracks };
  }

  function map() {
    const { models, tracks } = order;
    const narrow = root.clientWidth < 600;
    const margin = narrow ? 128 : 30 + 6.4 * Math.min(38, d3.max(data.tracks, (label) => label.length));
    const step = Math.max(12, Math.min(44, (root.clientWidth - margin - 20) / models.length));
    const row = 16;
    const top = 20 + 6.6 * Math.min(20, d3.max(models, (m) => data.models[m].length));
    const cells = tracks.flatMap((t) => models.map((m) => ({ t, m, v: data.values[t][m] })));
    const known = cells.filter((d) => d.v !== null);
    const finite = known.filter((d) => !infinite(d.v)); // else noise near 200 dB takes all colors
    const sorted = (finite.length ? finite : known).map((d) => d.v).sort(d3.ascending);
    const [low, high] = [d3.quantileSorted(sorted, 0.05), d3.quantileSorted(sorted, 0.95)];
    const chosen = Number(track.value);
    const chart = msbench.chart({
      width: margin + models.length * step + 20, height: top + tracks.length * row + 8, marginLeft: margin, marginTop: top,
      marginRight: 20, marginBottom: 8, padding: 0.04,
      ariaLabel: `${label()} of ${models.length} models on ${tracks.length} tracks`,
      x: { domain: models, axis: "top", tickFormat: (m) => clip(data.models[m], 20), tickRotate: -90, tickSize: 0, label: null },
      y: { domain: tracks, tickFormat: (t) => clip(data.tracks[t], narrow ? 17 : 38), tickSize: 0, label: null },
      color: { scheme: "viridis", domain: [low, high], clamp: true },
      marks: [
        Plot.cell(known, { x: "m", y: "t", fill: "v" }),
        Plot.cell(cells.filter((d) => d.v === null), { x: "m", y: "t", stroke: css("line"), fill: "none", inset: 1 }),
        Plot.cell([chosen], { y: (t) => t, stroke: "currentColor", strokeWidth: 2, fill: "none" }),
        Plot.tip(cells, Plot.pointer({ x: "m", y: "t", fill: css("paper"), stroke: css("line"), title: (d) =>
          `${data.tracks[d.t]}\n${data.models[d.m]}\n${d.v === null ? "no value" : explained(text(d.v))}` })),
      ],
    });
    chart.addEventListener("click", (event) => {
      const scale = chart.scale("y");
      const box = chart.getBoundingClientRect();
      const k = Math.floor((event.clientY - box.top - scale.range[0]) / scale.step);
      if (k < 0 || k >= scale.domain.length) return;
      choose(scale.domain[k]);
      place("one-track").scrollIntoView({ block: "start" });
    });
    const ramp = make("span", { className: "ramp" });
    ramp.style.background = `linear-gradient(90deg, ${d3.range(0, 1.01, 0.1).map(d3.interpolateViridis).join(",")})`;
    return make("div", {}, make("p", { className: "legend" }, make("span", {}, `${number(low, 1)} dB and below`), ramp,
      make("span", {}, `${number(high, 1)} dB and above`), make("span", {}, "outlined: no value")), chart);
  }

  function boxes() {
    const { models } = order;
    const narrow = root.clientWidth < 600;
    const every = models.flatMap((m) => column(m).map((v) => ({ m, v })));
    const finite = every.filter((d) => !infinite(d.v));
    const points = finite.length ? finite : every;
    const sorted = points.map((d) => d.v).sort(d3.ascending);
    // A few tracks at -60 dB must not squeeze the rest.
    const [q1, q3] = [d3.quantileSorted(sorted, 0.25), d3.quantileSorted(sorted, 0.75)];
    const reach = 4 * Math.max(q3 - q1, 1);
    const domain = [Math.max(sorted[0], q1 - reach), Math.min(sorted[sorted.length - 1], q3 + reach)];
    const outside = every.filter((d) => d.v < domain[0] || d.v > domain[1]).length;
    const words = outside ? `${outside} of ${every.length} values lie beyond the frame.` : "";
    return make("div", {}, make("p", { className: "note" }, words), msbench.chart({
      width: Math.max(340, Math.min(root.clientWidth, 980)), height: 50 + models.length * 20,
      marginLeft: narrow ? 118 : 190, marginTop: 30, marginBottom: 8,
      ariaLabel: `${label()} of each model over tracks, as box plots`,
      x: { label: label(), axis: "top", grid: true, domain, inset: 6 },
      y: { domain: models, tickFormat: (m) => clip(data.models[m], narrow ? 17 : 28), tickSize: 0, label: null },
      marks: [Plot.boxX(points, { x: "v", y: "m", fill: css("bar"), fillOpacity: 0.35, stroke: "currentColor", r: 2, clip: true })],
    }));
  }

  function scores() {
    const t = Number(track.value);
    const right = (text) => ({ text, class: "number" });
    const line = data.values[t];
    const models = d3.range(data.models.length).sort((a, b) => (line[b] ?? -Infinity) - (line[a] ?? -Infinity));
    place("track-scores").replaceChildren(table(
      `${label()} of ${target.selectedOptions[0].textContent} on this track, median over windows`,
      ["Model", "Role", right(label())],
      models.map((m) => [data.models[m], data.roles[m], right(text(line[m]))]),
    ));
    place("track-name").textContent = data.tracks[t];
    player.show(sound(), data.tracks[t], target.selectedOptions[0].textContent);
  }

  const sound = () => window.msbenchSound?.[data.tracks[Number(track.value)]] ?? null;

  function choose(t) {
    track.value = String(t);
    scores();
    place("map").replaceChildren(map());
  }

  function draw() {
    if (!data) return;
    place("map").replaceChildren(map());
    place("boxes").replaceChildren(boxes());
  }

  async function show() {
    const before = track.value || "0";
    data = await load(`tracks-${root.dataset.key}-${target.value}-${score.value}`);
    window.msbenchSound ??= await load(`sound-${root.dataset.key}`);
    order = ordered();
    if (track.options.length !== data.tracks.length) options(track, data.tracks);
    track.value = before;
    draw();
    scores();
  }

  function step(by) {
    const k = order.tracks.indexOf(Number(track.value)) + by;
    if (k >= 0 && k < order.tracks.length) choose(order.tracks[k]);
  }

  const run = () => show().catch(failed(place("map")));
  target.addEventListener("change", run);
  score.addEventListener("change", run);
  track.addEventListener("change", () => choose(Number(track.value)));
  place("previous").addEventListener("click", () => step(-1));
  place("next").addEventListener("click", () => step(1));
  redraw(draw);
  if (target.options.length) run();
})();
