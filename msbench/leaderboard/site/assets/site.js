// What every page shares: the theme's button, data on demand and small pieces of DOM.
(function () {
  "use strict";
  const received = new Map();
  const waiting = new Map();

  const dark = () => {
    const chosen = document.documentElement.dataset.theme;
    return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  };

  function label(button) {
    button.textContent = dark() ? "Light" : "Dark";
    button.setAttribute("aria-label", dark() ? "Change to light colors" : "Change to dark colors");
  }

  addEventListener("DOMContentLoaded", () => {
    const button = document.getElementById("theme");
    label(button);
    button.hidden = false;
    button.addEventListener("click", () => {
      const next = dark() ? "light" : "dark";
      document.documentElement.dataset.theme = next;
      try { localStorage.setItem("msbench-theme", next); } catch { /* the choice lasts for this page */ }
      label(button);
      dispatchEvent(new Event("themechange"));
    });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
      label(button);
      dispatchEvent(new Event("themechange"));
    });
  });

  // A page from the file system cannot fetch, but it can load a script that calls receive.
  function load(key) {
    if (received.has(key)) return Promise.resolve(received.get(key));
    if (!waiting.has(key)) {
      waiting.set(key, new Promise((resolve, reject) => {
        const script = document.createElement("script");
        script.src = `data/${key}.js`;
        script.onload = () => (received.has(key) ? resolve(received.get(key)) : reject(new Error(`${key} is empty`)));
        script.onerror = () => reject(new Error(`data/${key}.js is missing`));
        document.head.append(script);
      }));
    }
    return waiting.get(key);
  }

  function make(tag, properties = {}, ...children) {
    const element = document.createElement(tag);
    for (const [key, value] of Object.entries(properties)) {
      if (value === undefined || value === null || value === false) continue;
      if (key in element && key !== "list") element[key] = value;
      else element.setAttribute(key, value);
    }
    element.append(...children);
    return element;
  }

  function number(value, digits = 2) {
    return value === null || value === undefined ? "–" : value.toFixed(digits).replace("-", "−");
  }

  // As on the board's tables (leaderboard/display.py): what stands above is rounding noise, for which no digits are shown.
  const NOISE_DB = 100;
  const INFINITE = "∞";
  const WHY_INFINITE = `${INFINITE}: ${NOISE_DB} dB and above, where a score is rounding noise`;
  const beyond = (value) => value !== null && value !== undefined && value >= NOISE_DB;

  function decibels(value) {
    return beyond(value) ? INFINITE : number(value);
  }

  // Of two scores, of which either may be infinite.
  function difference(value) {
    return beyond(-value) ? `−${INFINITE}` : decibels(value);
  }

  // Text of numbers for a tooltip, with the reason for an infinity in it.
  function explained(text) {
    return text.includes(INFINITE) ? `${text}\n${WHY_INFINITE}` : text;
  }

  function options(select, names) {
    select.replaceChildren(...names.map((name, i) => make("option", { value: String(i) }, name)));
  }

  // A table in the page's style; a cell is text, or {text, number} or {node}.
  function table(caption, header, rows) {
    const cell = (value, tag) => {
      if (value instanceof Node) return make(tag, {}, value);
      if (value !== null && typeof value === "object") {
        const title = value.text.includes(INFINITE) ? WHY_INFINITE : null;
        return make(tag, { className: value.class || "", title }, value.text);
      }
      return make(tag, {}, value);
    };
    const head = make("tr", {}, ...header.map((h) => {
      const th = cell(h, "th");
      th.scope = "col";
      return th;
    }));
    const body = rows.map((row) => make("tr", {}, ...row.map((value, i) => {
      const made = cell(value, i ? "td" : "th");
      if (!i) made.scope = "row";
      return made;
    })));
    return make("table", {}, make("caption", {}, make("span", {}, caption)), make("thead", {}, head), make("tbody", {}, ...body));
  }

  // A chart is one picture to a screen reader: what Plot labels inside is no role that may have a name.
  function chart(options) {
    const drawn = Plot.plot(options);
    drawn.setAttribute("role", "img");
    for (const group of drawn.querySelectorAll("g[aria-label]")) {
      group.dataset.mark = group.getAttribute("aria-label");
      group.removeAttribute("aria-label");
    }
    return drawn;
  }

  const failed = (where) => (error) => {
    where.replaceChildren(make("p", { className: "warning" }, `This part cannot be shown: ${error.message}.`));
  };

  // Draw again when the size or the colors change.
  function redraw(draw) {
    let width = innerWidth;
    let timer;
    addEventListener("themechange", draw);
    addEventListener("resize", () => {
      if (innerWidth === width) return;
      width = innerWidth;
      clearTimeout(timer);
      timer = setTimeout(draw, 150);
    });
  }

  window.msbench = {
    receive: (key, content) => received.set(key, content), load, make, number, decibels, difference, beyond, explained, options,
    table, chart, failed, redraw, dark,
  };
})();
