// Light, dark or as the machine says, and the folded menu: set before the first paint, kept in this browser.
(() => {
  "use strict";
  const root = document.documentElement;
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const read = (key) => { try { return localStorage.getItem(key); } catch { return null; } };
  const keep = (key, value) => { try { localStorage.setItem(key, value); } catch { /* private window: not kept */ } };
  const choice = () => { const kept = read("theme"); return kept === "light" || kept === "dark" ? kept : "auto"; };
  const show = () => {
    const mode = choice() === "auto" ? (dark.matches ? "dark" : "light") : choice();
    if (root.dataset.bsTheme === mode) return;
    root.dataset.bsTheme = mode;
    document.dispatchEvent(new CustomEvent("portal:theme", { detail: { mode } }));
  };
  show();
  if (read("folded") === "1") root.classList.add("is-folded");
  dark.addEventListener("change", show);
  window.addEventListener("storage", show);
  window.portalTheme = {
    choice,
    choose(value) { keep("theme", value); show(); },
    fold(isFolded) { keep("folded", isFolded ? "1" : "0"); root.classList.toggle("is-folded", isFolded); },
  };
})();
