// Light, dark or system theme; a plain script in the head, so that nothing is painted in the wrong theme.
"use strict";
(() => {
  const themes = ["system", "light", "dark"];
  const root = document.documentElement;
  // Storage may be blocked; the choice then lasts as long as the page.
  let chosen = "system";
  try {
    chosen = localStorage.getItem("asif-theme") ?? chosen;
  } catch {
    /* refused */
  }
  const apply = () => {
    if (!themes.includes(chosen)) chosen = "system";
    root.dataset.theme = chosen;
    const name = document.getElementById("theme-name");
    if (name) name.textContent = chosen;
    dispatchEvent(new Event("asif-theme"));
  };
  apply();
  addEventListener("DOMContentLoaded", () => {
    apply();
    document.getElementById("theme").addEventListener("click", () => {
      chosen = themes[(themes.indexOf(chosen) + 1) % themes.length];
      try {
        localStorage.setItem("asif-theme", chosen);
      } catch {
        /* refused */
      }
      apply();
    });
  });
  for (const query of ["(prefers-color-scheme: dark)", "(forced-colors: active)"])
    matchMedia(query).addEventListener("change", apply);
})();
