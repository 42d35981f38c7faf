// Rows of a form that one can add, move and take out. Without this script a form has one empty row at its end.
(() => {
  "use strict";
  const $ = (selector, from = document) => from.querySelector(selector);
  const $$ = (selector, from = document) => [...from.querySelectorAll(selector)];
  const changed = (node) => node.dispatchEvent(new Event("input", { bubbles: true }));
  const start = () => { for (const each of $$("[data-rowset-add], [data-rowset-acts]")) each.hidden = false; };
  let number = 0;
  const add = (set) => {
    number += 1;
    const row = $("[data-rowset-blank]", set).content.cloneNode(true).firstElementChild;
    for (const node of [row, ...$$("*", row)]) {
      for (const name of ["name", "id", "for"]) {
        const value = node.getAttribute(name);
        if (value) node.setAttribute(name, value.replace("__i__", String(100000 + number)));
      }
    }
    $("[data-rowset-rows]", set).append(row);
    start();
    $("input, select", row)?.focus();
    changed(set);
  };
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-rowset-add], [data-rowset-move], [data-rowset-remove]");
    if (!button) return;
    const set = button.closest("[data-rowset]");
    const row = button.closest("[data-rowset-row]");
    if ("rowsetAdd" in button.dataset) { add(set); return; }
    if ("rowsetRemove" in button.dataset) {
      const next = row.nextElementSibling || row.previousElementSibling;
      row.remove();
      ($("input, select", next || set) || $("[data-rowset-add]", set)).focus();
    } else {
      const other = button.dataset.rowsetMove === "-1" ? row.previousElementSibling : row.nextElementSibling;
      if (!other) return;
      if (button.dataset.rowsetMove === "-1") other.before(row); else other.after(row);
      button.focus();
    }
    changed(set);
  });
  start();
})();
