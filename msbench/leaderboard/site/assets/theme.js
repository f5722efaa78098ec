// Before the page is painted: the theme that the reader chose here, if any.
(function () {
  try {
    const chosen = localStorage.getItem("msbench-theme");
    if (chosen === "dark" || chosen === "light") document.documentElement.dataset.theme = chosen;
  } catch { /* a browser may keep no storage for files */ }
})();
