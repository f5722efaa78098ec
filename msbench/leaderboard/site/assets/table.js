// The table page: sort by any column, filter by name, tier, data and role, and look at one score of all targets or at
// all scores of one target. The two choices stay in the address: #score=SIR&target=vocals.
(function () {
  "use strict";
  const table = document.getElementById("board");
  const body = table.tBodies[0];
  const rows = [...body.rows];
  const head = table.tHead.rows[0];
  const status = document.getElementById("shown");
  const search = document.getElementById("search");
  const view = document.getElementById("view");
  const score = document.getElementById("score"); // not there where records hold one score alone
  const choices = Object.entries({ score, target: view }).filter(([, select]) => select);
  const boxes = [...document.querySelectorAll("#filters input[type=checkbox]")];

  rows.forEach((row, i) => { row.dataset.place = String(i); });

  function value(row, column) {
    const raw = row.cells[column].dataset.v;
    if (raw === undefined) return row.cells[column].textContent.trim().toLowerCase();
    return raw === "" ? null : Number(raw);
  }

  function order(column, direction) {
    const sign = direction === "ascending" ? 1 : -1;
    const keyed = rows.map((row) => [value(row, column), Number(row.dataset.place), row]);
    keyed.sort(([a, i], [b, j]) => {
      if (a === null || b === null) return (a === null) - (b === null) || i - j; // what is missing stays below
      return (a < b ? -sign : a > b ? sign : 0) || i - j;
    });
    body.append(...keyed.map(([, , row]) => row));
  }

  head.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    const header = button.closest("th");
    const first = header.dataset.first || "ascending";
    const other = first === "ascending" ? "descending" : "ascending";
    const direction = header.getAttribute("aria-sort") === first ? other : first;
    sort(header, direction);
    status.textContent = `${count()} Sorted by ${button.textContent.trim()}, ${direction}.`;
  });

  function sort(header, direction) {
    for (const each of head.cells) each.removeAttribute("aria-sort");
    header.setAttribute("aria-sort", direction);
    order(header.cellIndex, direction);
  }

  function count() {
    const visible = rows.filter((row) => !row.hidden).length;
    return `${visible} of ${rows.length} rows.`;
  }

  function filter() {
    const words = search.value.trim().toLowerCase();
    const allowed = {};
    for (const box of boxes) {
      allowed[box.name] ??= new Set();
      if (box.checked) allowed[box.name].add(box.value);
    }
    for (const row of rows) {
      const kept = Object.entries(allowed).every(([name, values]) => values.has(row.dataset[name]));
      row.hidden = !kept || !row.dataset.model.includes(words);
    }
    status.textContent = count();
  }

  // Cells of single targets wait in templates, first to last, each with its place in the whole row.
  function complete() {
    for (const row of [head, ...rows]) {
      const waiting = row.querySelector("template");
      if (!waiting) return;
      waiting.remove();
      for (const cell of [...waiting.content.children]) row.insertBefore(cell, row.cells[cell.dataset.place] ?? null);
    }
  }

  function show() {
    complete();
    const wanted = view.value === "all" && score ? score.value : view.value;
    table.dataset.view = wanted;
    for (const cell of table.querySelectorAll("[data-view]")) {
      cell.hidden = !cell.dataset.view.split(" ").includes(wanted);
    }
    if (score) {
      score.disabled = view.value !== "all"; // one target shows all its scores
      table.caption.firstElementChild.textContent = (score.disabled ? score.options[0] : score.selectedOptions[0]).dataset.caption;
    }
    follow();
  }

  // Rows sorted by a target's score are sorted by its other score when that takes its place.
  function follow() {
    const sorted = head.querySelector("th.score[aria-sort]");
    if (!sorted?.hidden) return;
    const target = (header) => header.dataset.view.split(" ").find((each) => /^t\d+$/.test(each));
    const next = [...head.cells].find((each) => !each.hidden && each.matches(".score") && target(each) === target(sorted));
    if (next) sort(next, sorted.getAttribute("aria-sort"));
  }

  function choose() {
    show();
    const chosen = choices.filter(([, select]) => select.selectedIndex > 0);
    const kept = new URLSearchParams(chosen.map(([key, select]) => [key, select.selectedOptions[0].textContent]));
    history.replaceState(null, "", chosen.length ? `#${kept}` : location.pathname + location.search);
    const ranks = score?.options[0].textContent;
    const shown = score && !score.disabled ? score.selectedOptions[0].textContent : ranks;
    status.textContent = shown === ranks ? count() : `${count()} Scores: ${shown}. Ranked by ${ranks}.`;
  }

  // What the address asks for; an anchor such as #main asks for nothing.
  function recall() {
    const asked = new URLSearchParams(location.hash.slice(1));
    if (!choices.some(([key]) => asked.has(key))) return;
    for (const [key, select] of choices) {
      const found = [...select.options].findIndex((option) => option.textContent === asked.get(key));
      select.selectedIndex = Math.max(0, found);
    }
    show();
  }

  search.addEventListener("input", filter);
  boxes.forEach((box) => box.addEventListener("change", filter));
  choices.forEach(([, select]) => select.addEventListener("change", choose));
  addEventListener("hashchange", recall);
  document.getElementById("reset").addEventListener("click", () => {
    search.value = "";
    boxes.forEach((box) => { box.checked = true; });
    filter();
  });
  document.getElementById("filters").hidden = false;
  filter();
  if (choices.some(([, select]) => select.selectedIndex > 0)) show(); // a browser may keep what was chosen
  recall();
})();
