// The table page: sort by any column, filter by name, tier, data and role, and look at one target at a time.
(function () {
  "use strict";
  const table = document.getElementById("board");
  const body = table.tBodies[0];
  const rows = [...body.rows];
  const head = table.tHead.rows[0];
  const status = document.getElementById("shown");
  const search = document.getElementById("search");
  const view = document.getElementById("view");
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
    for (const each of head.cells) each.removeAttribute("aria-sort");
    header.setAttribute("aria-sort", direction);
    order(header.cellIndex, direction);
    status.textContent = `${count()} Sorted by ${button.textContent.trim()}, ${direction}.`;
  });

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
    const wanted = view.value;
    table.dataset.view = wanted;
    for (const cell of table.querySelectorAll("[data-view]")) {
      cell.hidden = !cell.dataset.view.split(" ").includes(wanted);
    }
  }

  search.addEventListener("input", filter);
  boxes.forEach((box) => box.addEventListener("change", filter));
  view.addEventListener("change", show);
  document.getElementById("reset").addEventListener("click", () => {
    search.value = "";
    boxes.forEach((box) => { box.checked = true; });
    filter();
  });
  document.getElementById("filters").hidden = false;
  filter();
  if (view.value !== "all") show(); // a browser may keep what was chosen
})();
