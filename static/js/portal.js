// What every page does: htmx with CSRF and clear errors, messages, dialogs, menus, keys, selections, unsaved input.
(() => {
  "use strict";
  const words = JSON.parse(document.getElementById("words")?.textContent || "{}");
  const say = (sentence, values = {}) => (words[sentence] || "").replace(/%\((\w+)\)s/g, (_all, name) => values[name] ?? "");
  const $ = (selector, from = document) => from.querySelector(selector);
  const $$ = (selector, from = document) => [...from.querySelectorAll(selector)];
  const cookie = (name) => document.cookie.split("; ").find((part) => part.startsWith(`${name}=`))?.slice(name.length + 1) || "";
  const token = () => $("input[name=csrfmiddlewaretoken]")?.value || cookie("csrftoken") || cookie("__Host-csrftoken");
  const grouped = (count) => new Intl.NumberFormat(document.documentElement.lang).format(count);

  // --- Messages ---------------------------------------------------------------------------------------------------
  const toasts = () => document.getElementById("toasts");
  const fade = (toast) => {
    const isError = toast.matches(".toast-error, .toast-danger, .toast-warning");
    if (isError) return; // stays until it is closed
    let timer = setTimeout(() => toast.remove(), 6000);
    toast.addEventListener("pointerenter", () => clearTimeout(timer));
    toast.addEventListener("focusin", () => clearTimeout(timer));
    toast.addEventListener("pointerleave", () => { timer = setTimeout(() => toast.remove(), 3000); });
  };
  const toast = (text, level = "info", action = null) => { // action: { label, run }, offered beside the text
    const region = toasts();
    if (!region || !text) return;
    if ($$("[data-toast] > span", region).some((each) => each.textContent === text)) return;
    const note = document.createElement("div");
    note.className = `toast-note toast-${level}`;
    note.dataset.toast = "";
    const body = document.createElement("span");
    body.textContent = text;
    const close = document.createElement("button");
    close.type = "button";
    close.dataset.dismiss = "";
    close.setAttribute("aria-label", say("close"));
    close.textContent = "×";
    note.append(body);
    if (action) {
      const act = document.createElement("button");
      act.type = "button";
      act.className = "toast-act";
      act.dataset.dismiss = "";
      act.textContent = action.label;
      act.addEventListener("click", action.run);
      note.append(act);
    }
    note.append(close);
    region.append(note);
    fade(note);
  };

  // --- htmx -------------------------------------------------------------------------------------------------------
  document.addEventListener("htmx:configRequest", (event) => {
    if (event.detail.verb !== "get") event.detail.headers["X-CSRFToken"] = token();
    if (event.detail.elt.matches("[data-lean]")) { // an address without empty filters
      const given = event.detail.formData;
      for (const name of new Set(given.keys())) if (given.getAll(name).every((value) => value === "")) given.delete(name);
    }
  });
  let running = 0;
  const busy = (by) => { running = Math.max(0, running + by); document.getElementById("busy")?.classList.toggle("is-on", running > 0); };
  document.addEventListener("htmx:beforeSend", () => busy(1));
  document.addEventListener("htmx:afterRequest", () => busy(-1));
  document.addEventListener("htmx:responseError", (event) => {
    const status = event.detail.xhr.status;
    if (status === 401) { window.location.reload(); return; }
    const given = event.detail.xhr.getResponseHeader("X-Message");
    const known = { 403: "forbidden", 404: "missing", 409: "conflict", 429: "busy" };
    toast(given ? decodeURIComponent(given) : say(known[status] || "failed"), "error");
  });
  document.addEventListener("htmx:sendError", () => toast(say("offline"), "error"));
  document.addEventListener("htmx:timeout", () => toast(say("timeout"), "error"));
  document.addEventListener("toast", (event) => { // HX-Trigger: {"toast": [{"text": "...", "level": "success"}]}
    for (const each of [event.detail?.value ?? event.detail].flat()) toast(each.text, each.level, each.act ?? null);
  });
  document.addEventListener("htmx:afterSwap", (event) => {
    const into = event.detail.target;
    if (into.id === "list" || into.id === "list-page") {
      const heading = $("[data-move-focus]");
      if (!document.activeElement || document.activeElement === document.body) (heading || document.getElementById("list-search"))?.focus({ preventScroll: true });
    }
  });
  document.addEventListener("htmx:afterSettle", (event) => start(event.detail.elt));

  // --- Dialogs ----------------------------------------------------------------------------------------------------
  const dialog = document.getElementById("dialog");
  let opener = null;
  const openForm = (url) => {
    if (!dialog || !window.htmx) { window.location.assign(url); return; }
    opener = document.activeElement;
    window.htmx.ajax("GET", url, { target: "#dialog-body", swap: "outerHTML" }).then(() => {
      if (!$("#dialog-body form, #dialog-body [data-dialog-content]")) return;
      if (!dialog.open) dialog.showModal();
      start(dialog);
      ($("[autofocus], #dialog-body :is(input:not([type=hidden]), select, textarea)", dialog) || dialog).focus();
    });
  };
  dialog?.addEventListener("close", () => { opener?.focus?.(); opener = null; });
  document.addEventListener("close-dialog", () => dialog?.close()); // HX-Trigger: {"close-dialog": {}}
  const ask = (text) => new Promise((answer) => {
    const box = document.getElementById("confirm");
    if (!box) { answer(window.confirm(text)); return; }
    $("#confirm-text", box).textContent = text;
    box.returnValue = "no";
    box.addEventListener("close", () => answer(box.returnValue === "yes"), { once: true });
    box.showModal();
    $("button[value=no]", box).focus();
  });
  document.addEventListener("htmx:confirm", (event) => {
    if (!event.detail.question) return;
    event.preventDefault();
    ask(event.detail.question).then((yes) => { if (yes) event.detail.issueRequest(true); });
  });

  // --- Clicks -----------------------------------------------------------------------------------------------------
  const nav = (isOpen) => {
    const side = document.getElementById("side");
    side?.classList.toggle("is-open", isOpen);
    const shade = $(".side-shade");
    if (shade) shade.hidden = !isOpen;
    for (const button of $$("[data-toggle-nav][aria-expanded]")) button.setAttribute("aria-expanded", String(isOpen));
    if (isOpen) $("a, button", side)?.focus();
  };
  document.addEventListener("click", (event) => {
    const target = event.target.closest("[data-open], [data-close], [data-dismiss], [data-dialog], [data-toggle-nav], [data-fold-side], [data-move], [data-toggle-panel], [data-bulk-all], [data-bulk-clear], [data-print], [data-copy]");
    for (const menu of $$("details.menu[open]")) if (!menu.contains(event.target)) menu.open = false;
    if (!target) return;
    const data = target.dataset;
    if ("open" in data) { closeMenus(); nav(false); document.dispatchEvent(new CustomEvent(`portal:open-${data.open}`)); const box = document.getElementById(data.open); if (box instanceof HTMLDialogElement && !box.open) box.showModal(); }
    else if ("close" in data) target.closest("dialog")?.close();
    else if ("dismiss" in data) target.closest("[data-toast]")?.remove();
    else if ("dialog" in data) { if (event.ctrlKey || event.metaKey || event.shiftKey) return; event.preventDefault(); openForm(target.href || data.dialog); }
    else if ("toggleNav" in data) nav(!document.getElementById("side")?.classList.contains("is-open"));
    else if ("foldSide" in data) fold();
    else if ("move" in data) moveColumn(target);
    else if ("togglePanel" in data) { panelOpen = document.getElementById("list-panel").hidden; showPanel(); $("[data-toggle-panel]").focus(); }
    else if ("bulkAll" in data) { const form = target.closest("form"); $("[data-select-all-flag]", form).value = "1"; showSelection(form); }
    else if ("bulkClear" in data) { const form = target.closest("form"); for (const box of $$("input[type=checkbox]", form)) box.checked = false; showSelection(form); }
    else if ("print" in data) window.print();
    else if ("copy" in data) navigator.clipboard?.writeText(data.copy).then(() => toast(data.copied || "✓", "success"));
  });
  for (const box of $$("dialog")) box.addEventListener("click", (event) => { if (event.target === box && !dirty(box)) box.close(); });
  const fold = () => {
    const isFolded = !document.documentElement.classList.contains("is-folded");
    window.portalTheme.fold(isFolded);
    for (const button of $$("[data-fold-side]")) button.setAttribute("aria-pressed", String(isFolded));
  };
  const closeMenus = () => { for (const menu of $$("details.menu[open]")) menu.open = false; };
  const moveColumn = (button) => {
    const item = button.closest("li");
    const other = button.dataset.move === "-1" ? item.previousElementSibling : item.nextElementSibling;
    if (!other || !$("[data-move]", other)) return;
    if (button.dataset.move === "-1") other.before(item); else other.after(item);
    button.focus();
  };

  // --- The filter panel -------------------------------------------------------------------------------------------
  let panelOpen = false;
  const showPanel = () => {
    const panel = document.getElementById("list-panel");
    if (!panel) return;
    panel.hidden = !panelOpen;
    const fields = $("#list-panel-fields", panel);
    if (panelOpen && fields && !$(".field", fields)) window.htmx?.trigger(fields, "open");
    for (const button of $$("[data-toggle-panel]")) button.setAttribute("aria-expanded", String(panelOpen));
  };
  const period = (select) => { // the two days are shown only when they are asked for
    const days = $$("input", select.closest(".inputs"));
    const isBetween = select.value === "between" || (select.value === "" && days.some((day) => day.value));
    if (isBetween) select.value = "between";
    for (const day of days) { day.hidden = !isBetween; if (!isBetween) day.value = ""; }
  };
  const pickFind = (field) => { // a long list of ticks gets a box to find in it
    const labels = $$("label", $("fieldset > div", field));
    if (labels.length < 10 || $(".pick-find", field)) return;
    const box = document.createElement("input");
    box.type = "search";
    box.className = "pick-find";
    box.placeholder = say("find");
    box.setAttribute("aria-label", `${say("find")}: ${$("legend", field)?.textContent || ""}`);
    box.addEventListener("input", (event) => {
      event.stopPropagation();
      const wanted = box.value.toLocaleLowerCase();
      for (const label of labels) label.parentElement.hidden = !label.textContent.toLocaleLowerCase().includes(wanted);
    });
    box.addEventListener("change", (event) => event.stopPropagation());
    $("fieldset > div", field).before(box);
  };

  // --- Selection of rows ------------------------------------------------------------------------------------------
  const showSelection = (form) => {
    const boxes = $$("[data-pick-row]", form);
    const picked = boxes.filter((box) => box.checked);
    const flag = $("[data-select-all-flag]", form);
    if (flag.value && picked.length < boxes.length) flag.value = "";
    const bar = $("[data-bulk]", form);
    const page = $("[data-pick-page]", form);
    if (page) { page.checked = boxes.length > 0 && picked.length === boxes.length; page.indeterminate = picked.length > 0 && !page.checked; }
    if (!bar) return;
    bar.hidden = picked.length === 0;
    const all = $("[data-bulk-all]", bar);
    if (all) all.hidden = Boolean(flag.value) || picked.length < boxes.length;
    const total = document.getElementById("list").dataset;
    $("[data-bulk-count]", bar).textContent = flag.value ? say("all_selected", { count: total.countText }) : say("selected", { count: grouped(picked.length) });
  };
  let lastPicked = null;
  document.addEventListener("click", (event) => {
    const box = event.target.closest("[data-pick-row]");
    if (!box) return;
    if (event.shiftKey && lastPicked && lastPicked.form === box.form) {
      const boxes = $$("[data-pick-row]", box.form);
      const [from, to] = [boxes.indexOf(lastPicked), boxes.indexOf(box)].sort((a, b) => a - b);
      for (const each of boxes.slice(from, to + 1)) each.checked = box.checked;
    }
    lastPicked = box;
  });
  document.addEventListener("change", (event) => {
    const box = event.target;
    if (box.matches("[data-pick-page]")) { for (const each of $$("[data-pick-row]", box.form)) each.checked = box.checked; showSelection(box.form); }
    else if (box.matches("[data-pick-row]")) showSelection(box.form);
    else if (box.matches("[name=theme]") && box.closest("[data-theme-choice]")) window.portalTheme.choose(box.value);
    else if (box.matches("[data-submit-on-change]")) box.form.requestSubmit();
  });
  document.addEventListener("change", (event) => { // before htmx sends the form
    if (event.target.matches("select[data-period]")) period(event.target);
  }, true);
  document.addEventListener("toggle", (event) => { // a menu opened by keyboard closes the others
    if (event.target.matches?.("details.menu[open]")) for (const menu of $$("details.menu[open]")) if (menu !== event.target) menu.open = false;
  }, true);
  document.addEventListener("click", (event) => {
    if (event.target.closest(".menu-body a")) closeMenus();
  });

  // --- Forms ------------------------------------------------------------------------------------------------------
  const changed = new WeakSet();
  const dirty = (from) => $$("form[data-guard]", from).some((form) => changed.has(form));
  document.addEventListener("input", (event) => { const form = event.target.closest?.("form[data-guard]"); if (form) changed.add(form); });
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.dataset.confirm && !form.dataset.confirmed) {
      event.preventDefault();
      const button = event.submitter;
      ask(form.dataset.confirm).then((yes) => { if (!yes) return; form.dataset.confirmed = "1"; form.requestSubmit(button); });
      return;
    }
    changed.delete(form);
    if (form.method === "post" && !form.hasAttribute("hx-post") && !("download" in form.dataset)) {
      const button = event.submitter;
      setTimeout(() => button?.classList.add("is-busy"), 0); // not disabled: its value must be sent
      form.dataset.sent = form.dataset.sent ? "2" : "1";
      if (form.dataset.sent === "2") event.preventDefault();
    }
    if ("download" in form.dataset) closeMenus();
  }, true);
  window.addEventListener("pageshow", () => { for (const form of $$("form[data-sent]")) { delete form.dataset.sent; for (const button of $$(".is-busy", form)) button.classList.remove("is-busy"); } });
  window.addEventListener("beforeunload", (event) => { if (dirty(document)) event.preventDefault(); });

  // --- Keys -------------------------------------------------------------------------------------------------------
  let pending = "";
  let pendingTimer = 0;
  const typing = (element) => element.closest("input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable=true]");
  const rows = () => $$(".rows tbody tr");
  const current = () => $(".rows tbody tr.is-current");
  const step = (by) => {
    const all = rows();
    if (!all.length) return;
    const index = Math.min(all.length - 1, Math.max(0, all.indexOf(current()) + by));
    current()?.classList.remove("is-current");
    all[index].classList.add("is-current");
    all[index].scrollIntoView({ block: "nearest" });
    $("th a, td a", all[index])?.focus({ preventScroll: true });
  };
  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
      event.preventDefault();
      document.dispatchEvent(new CustomEvent("portal:open-palette"));
      return;
    }
    if (event.key === "Escape") {
      const menu = $("details.menu[open]");
      if (menu) { menu.open = false; $("summary", menu).focus(); return; }
      if ($(".side.is-open")) { nav(false); return; }
      if (event.target.matches("[data-search]") && event.target.value === "") event.target.blur();
    }
    const menu = event.target.closest?.("details.menu");
    if (menu && (event.key === "ArrowDown" || event.key === "ArrowUp") && !typing(event.target)) {
      event.preventDefault();
      menu.open = true;
      const items = $$("summary, .menu-body :is(a, button, input:not([type=hidden]))", menu).filter((each) => each.offsetParent);
      const next = items[items.indexOf(document.activeElement) + (event.key === "ArrowDown" ? 1 : -1)];
      next?.focus();
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target) || $("dialog[open]")) return;
    const key = event.key;
    const pressed = pending ? `${pending} ${key}` : key;
    clearTimeout(pendingTimer);
    pending = "";
    const link = $$("a[data-keys]").find((each) => each.dataset.keys === pressed);
    if (link) { event.preventDefault(); window.location.assign(link.href); return; }
    if (key === "g") { pending = "g"; pendingTimer = setTimeout(() => { pending = ""; }, 1200); return; }
    const acts = {
      "/": () => (document.getElementById("list-search") || $("[data-search]") || { focus() { document.dispatchEvent(new CustomEvent("portal:open-palette")); } }).focus(),
      "?": () => document.getElementById("help")?.showModal(),
      "[": fold,
      "l": () => { const own = $("a[data-log]"); if (own) own.click(); else if (dialog?.dataset.logUrl) openForm(dialog.dataset.logUrl); },
      "n": () => $("[data-create]")?.click(),
      "j": () => step(1),
      "k": () => step(current() ? -1 : 1),
      "x": () => { const box = current() && $("[data-pick-row]", current()); if (box) box.click(); },
    };
    if (acts[pressed]) { event.preventDefault(); acts[pressed](); }
  });

  // --- Parts that need a start ------------------------------------------------------------------------------------
  const fit = () => { // a table that fits, in the end with shorter texts, keeps its head in view; one that does not scrolls, by keyboard too
    const fitsNow = (frame) => frame.scrollWidth <= frame.clientWidth + 1;
    for (const frame of $$(".table-frame")) {
      frame.classList.add("is-fitting");
      frame.classList.remove("is-tight");
      let fits = fitsNow(frame);
      if (!fits) { frame.classList.add("is-tight"); fits = fitsNow(frame); }
      frame.classList.toggle("is-fitting", fits);
      if (fits) frame.removeAttribute("tabindex"); else frame.tabIndex = 0;
    }
  };
  const start = (from) => {
    for (const box of $$("[data-theme-choice] input", from)) box.checked = box.value === window.portalTheme.choice();
    for (const button of $$("[data-fold-side]", from)) button.setAttribute("aria-pressed", String(document.documentElement.classList.contains("is-folded")));
    for (const note of $$("[data-toast]:not([data-started])", from)) { note.dataset.started = ""; fade(note); }
    for (const form of $$("form[data-selection]", from)) showSelection(form);
    $("[data-focus]", from)?.focus();
    panelOpen = panelOpen || Boolean($("#list-panel:not([hidden])"));
    showPanel();
    for (const select of $$("select[data-period]", from)) period(select);
    for (const field of $$(".panel-grid .field", from)) if ($("fieldset input[type=checkbox]", field)) pickFind(field);
    fit();
  };
  start(document);
  window.addEventListener("resize", fit);
  window.portal = { toast, ask, say, openForm, token };
})();
