// The board on which leads are given to people: select, then drag, press a key or a button; the portal answers with the board as it is.
(() => {
  "use strict";
  const $ = (selector, from = document) => from.querySelector(selector);
  const $$ = (selector, from = document) => [...from.querySelectorAll(selector)];
  const board = () => $("[data-giving]");
  const leads = () => $$("[data-lead]");
  const picks = () => $$("[data-lead]:has([data-pick]:checked)");
  const boxOf = (lead) => $("[data-pick]", lead);
  const fill = (sentence, values) => sentence.replace(/%\((\w+)\)s/g, (_all, name) => values[name] ?? "");
  const grouped = (count) => new Intl.NumberFormat(document.documentElement.lang).format(count);
  const announce = (text) => { const region = $("[data-giving-says]"); if (region) { region.textContent = ""; requestAnimationFrame(() => { region.textContent = text; }); } };
  let suggested = new Map(); // what the rules said of leads: { person, name, why } by key
  let reason = ""; // kept while the board is drawn anew

  // --- What is selected -------------------------------------------------------------------------------------------
  const show = () => {
    const here = board();
    if (!here) return;
    const picked = picks();
    const count = picked.length;
    here.classList.toggle("has-selection", count > 0);
    const all = $("[data-pick-all]", here);
    const shown = leads().length;
    all.checked = shown > 0 && count === shown;
    all.indeterminate = count > 0 && !all.checked;
    const text = $("[data-selected-count]", here);
    text.dataset.all ??= text.textContent;
    text.textContent = count ? fill(here.dataset.selected, { count: grouped(count) }) : text.dataset.all;
    for (const button of $$("[data-assign], [data-suggest]", here)) button.setAttribute("aria-disabled", String(!count));
    const fitting = picked.filter((lead) => suggested.get(lead.dataset.lead)?.person).length;
    const as = $("[data-as-suggested-button]", here);
    as.hidden = !fitting;
    $("span", as).textContent = fill(here.dataset.asSuggested, { count: grouped(fitting) });
    const first = leads().find((lead) => lead.tabIndex === 0) || leads()[0];
    for (const lead of leads()) lead.tabIndex = lead === first ? 0 : -1;
  };
  let last = null; // where a range begins
  const pick = (lead, isOn, isTold = true) => {
    boxOf(lead).checked = isOn;
    last = lead;
    show();
    if (isTold) announce(fill(isOn ? board().dataset.picked : board().dataset.dropped, { lead: lead.dataset.name, count: grouped(picks().length) }));
  };
  const pickTo = (lead, isOn) => { // all from the last one to this one
    const all = leads();
    const from = all.indexOf(last);
    const to = all.indexOf(lead);
    if (from < 0) { pick(lead, isOn); return; }
    for (const each of all.slice(Math.min(from, to), Math.max(from, to) + 1)) boxOf(each).checked = isOn;
    pick(lead, isOn);
  };
  const pickAll = (isOn) => {
    for (const lead of leads()) boxOf(lead).checked = isOn;
    show();
    announce(fill(board().dataset.selected, { count: grouped(picks().length) }));
  };
  const visit = (lead) => {
    if (!lead) return;
    for (const other of leads()) other.tabIndex = other === lead ? 0 : -1;
    lead.focus();
    lead.scrollIntoView({ block: "nearest" });
  };

  // --- The portal decides -----------------------------------------------------------------------------------------
  const send = async (url, form) => { // what the portal says; null when it refused, which has been told
    const here = board();
    here.classList.add("is-waiting");
    form.set("shown", String(leads().length));
    try {
      const answer = await fetch(`${url}?${here.dataset.query}`, {
        method: "POST", body: form, headers: { "X-CSRFToken": window.portal.token(), Accept: "application/json" }, credentials: "same-origin",
      });
      const kind = answer.headers.get("Content-Type") || "";
      const said = kind.includes("json") ? await answer.json() : {};
      if (answer.ok && said.message) return said;
      const message = said.message || window.portal.say({ 403: "forbidden", 404: "missing" }[answer.status] || "failed");
      window.portal.toast(message, "error");
      announce(message);
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
      window.portal.toast(here.dataset.failed, "error");
      announce(here.dataset.failed);
    } finally {
      here.classList.remove("is-waiting");
    }
    return null;
  };
  const draw = (said, place) => { // the board anew, at the place where it was
    const tops = [".giving-leads", ".giving-people"].map((each) => $(each)?.scrollTop || 0);
    const fresh = document.createRange().createContextualFragment(said.body.trim()).firstElementChild;
    $("#list").replaceWith(fresh);
    window.htmx.process(fresh);
    suggested = new Map();
    last = null;
    start();
    [".giving-leads", ".giving-people"].forEach((each, index) => { const side = $(each); if (side) side.scrollTop = tops[index]; });
    const now = leads();
    if (place >= 0 && now.length) visit(now[Math.min(place, now.length - 1)]);
    announce(said.message);
  };
  const placeOf = () => leads().findIndex((lead) => lead.contains(document.activeElement));
  const takeBack = async (act) => {
    const place = placeOf();
    const form = new FormData();
    form.set("act", act);
    const said = await send(board().dataset.undoUrl, form);
    if (!said) return;
    draw(said, place);
    window.portal.toast(said.message, said.is_good ? "success" : "warning");
    const back = leads().find((lead) => lead.dataset.lead === said.back[0]);
    if (back) visit(back);
  };
  const finish = async (form, place) => {
    form.set("reason", $("#giving-reason").value.trim());
    const said = await send(board().dataset.assignUrl, form);
    if (!said) return;
    reason = "";
    draw(said, place);
    const undo = said.act ? { label: board().dataset.undo, run: () => takeBack(said.act) } : null;
    window.portal.toast(said.message, said.is_good ? "success" : "warning", undo);
  };
  const isAsked = () => { // whether any lead is selected; says what to do where none is
    if (picks().length) return true;
    window.portal.toast(board().dataset.first, "info");
    announce(board().dataset.first);
    return false;
  };
  const give = (receiver) => {
    if (!isAsked()) return;
    const picked = picks();
    const form = new FormData();
    for (const lead of picked) form.append("lead", lead.dataset.lead);
    form.set(receiver.dataset.receiver === "pod" ? "pod" : "owner", receiver.dataset.pk);
    finish(form, leads().indexOf(picked[0]));
  };
  const ask = async () => {
    if (!isAsked()) return;
    const form = new FormData();
    for (const lead of picks()) form.append("lead", lead.dataset.lead);
    const said = await send(board().dataset.suggestUrl, form);
    if (!said) return;
    for (const each of said.suggestions) {
      suggested.set(each.lead, each);
      const lead = leads().find((one) => one.dataset.lead === each.lead);
      const line = lead && $("[data-said]", lead);
      if (!line) continue;
      line.hidden = false;
      line.classList.toggle("is-none", !each.person);
      line.replaceChildren();
      const name = document.createElement("strong");
      name.textContent = each.person ? each.name : board().dataset.noPerson;
      line.append(name, ` · ${each.why}`);
    }
    show();
    announce(said.message);
    const as = $("[data-as-suggested-button]");
    if (!as.hidden && $("[data-suggest]").contains(document.activeElement)) as.focus();
  };
  const giveAsSuggested = () => {
    const picked = picks().filter((lead) => suggested.get(lead.dataset.lead)?.person);
    if (!picked.length) return;
    const form = new FormData();
    form.set("suggested", JSON.stringify(picked.map((lead) => [Number(lead.dataset.lead), Number(suggested.get(lead.dataset.lead).person)])));
    finish(form, leads().indexOf(picked[0]));
  };

  // --- To whom: a list in which one types; at the foot of a phone ---------------------------------------------------
  const picker = document.getElementById("giving-picker");
  const find = document.getElementById("giving-find");
  const list = document.getElementById("giving-options");
  let receivers = [];
  let chosen = -1;
  const options = () => $$("[role=option]", list);
  const choose = (index) => {
    const all = options();
    if (!all.length) { chosen = -1; find.removeAttribute("aria-activedescendant"); return; }
    chosen = (index + all.length) % all.length;
    all.forEach((option, each) => option.setAttribute("aria-selected", String(each === chosen)));
    find.setAttribute("aria-activedescendant", all[chosen].id);
    all[chosen].scrollIntoView({ block: "nearest" });
  };
  const offer = () => {
    const wanted = find.value.trim().toLocaleLowerCase();
    list.replaceChildren();
    receivers.forEach((each, index) => {
      if (wanted && !`${each.dataset.name} ${each.dataset.note}`.toLocaleLowerCase().includes(wanted)) return;
      const option = document.createElement("div");
      option.className = "palette-option";
      option.id = `giving-option-${index}`;
      option.setAttribute("role", "option");
      option.dataset.index = String(index);
      const label = document.createElement("span");
      label.className = "palette-label";
      label.textContent = each.dataset.name;
      const note = document.createElement("span");
      note.className = "palette-note";
      note.textContent = each.dataset.note;
      option.append(label, note);
      list.append(option);
    });
    $("#giving-none").textContent = options().length ? "" : board().dataset.none;
    choose(0);
  };
  let opener = null;
  const openPicker = () => {
    if (!isAsked()) return;
    opener = document.activeElement;
    receivers = $$("[data-receiver]", board());
    $("[data-picker-title]").textContent = fill(board().dataset.to, { count: grouped(picks().length) });
    find.value = "";
    offer();
    picker.showModal();
    find.focus();
  };
  const take = (option) => {
    if (!option) return;
    const receiver = receivers[Number(option.dataset.index)];
    picker.close();
    give(receiver);
  };
  picker?.addEventListener("close", () => { if (opener?.isConnected) opener.focus(); });
  find?.addEventListener("input", offer);
  find?.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown") { event.preventDefault(); choose(chosen + 1); }
    else if (event.key === "ArrowUp") { event.preventDefault(); choose(chosen - 1); }
    else if (event.key === "Enter") { event.preventDefault(); take(options()[chosen]); }
  });
  list?.addEventListener("click", (event) => take(event.target.closest("[role=option]")));

  // --- Mouse ------------------------------------------------------------------------------------------------------
  let drag = null; // { lead, x, y, ghost, over }
  const receiverAt = (x, y) => document.elementFromPoint(x, y)?.closest("[data-receiver]");
  const drop = (isDone) => {
    const { ghost, over } = drag;
    drag = null;
    ghost?.remove();
    over?.classList.remove("is-over");
    board().classList.remove("is-dragging");
    if (isDone && over) give(over);
  };
  document.addEventListener("pointerdown", (event) => {
    const lead = event.target.closest?.("[data-lead]");
    if (!lead || event.button !== 0 || event.pointerType !== "mouse" || event.target.closest("input, button")) return;
    drag = { lead, x: event.clientX, y: event.clientY, ghost: null, over: null };
  });
  document.addEventListener("pointermove", (event) => {
    if (!drag) return;
    if (!drag.ghost) {
      if (Math.hypot(event.clientX - drag.x, event.clientY - drag.y) < 6) return;
      if (!boxOf(drag.lead).checked) { // what is dragged alone is selected alone
        for (const each of picks()) boxOf(each).checked = false;
        pick(drag.lead, true, false);
      }
      drag.ghost = document.createElement("div");
      drag.ghost.className = "giving-ghost";
      drag.ghost.textContent = picks().length > 1 ? fill(board().dataset.selected, { count: grouped(picks().length) }) : drag.lead.dataset.name;
      document.body.append(drag.ghost);
      board().classList.add("is-dragging");
      getSelection()?.removeAllRanges();
    }
    drag.ghost.style.transform = `translate(${event.clientX + 12}px, ${event.clientY + 12}px)`;
    const over = receiverAt(event.clientX, event.clientY);
    if (over !== drag.over) { drag.over?.classList.remove("is-over"); over?.classList.add("is-over"); drag.over = over; }
    const side = $(".giving-people"); // a long list of people runs on at its edges
    const frame = side.getBoundingClientRect();
    if (event.clientX > frame.left) {
      if (event.clientY > frame.bottom - 40) side.scrollTop += 12;
      else if (event.clientY < frame.top + 40) side.scrollTop -= 12;
    }
  });
  document.addEventListener("pointerup", () => {
    if (!drag) return;
    if (drag.ghost) { // the click that follows, where one follows, is none
      const swallow = (event) => { event.preventDefault(); event.stopPropagation(); };
      document.addEventListener("click", swallow, true);
      setTimeout(() => document.removeEventListener("click", swallow, true), 0);
    }
    drop(true);
  });
  document.addEventListener("pointercancel", () => { if (drag) drop(false); });

  // --- Clicks and keys --------------------------------------------------------------------------------------------
  document.addEventListener("click", (event) => {
    const here = board();
    if (!here?.contains(event.target)) return;
    const act = event.target.closest("[data-take-back]");
    if (act) { takeBack(act.dataset.takeBack); return; }
    const button = event.target.closest("[data-give]");
    if (button) { give(button.closest("[data-receiver]")); return; }
    if (event.target.closest("[data-assign]")) { openPicker(); return; }
    if (event.target.closest("[data-suggest]")) { ask(); return; }
    if (event.target.closest("[data-as-suggested-button]")) { giveAsSuggested(); return; }
    const lead = event.target.closest("[data-lead]");
    if (!lead || event.target.closest("a")) return;
    const box = event.target.closest("[data-pick]");
    const isOn = box ? box.checked : !boxOf(lead).checked;
    if (event.shiftKey) pickTo(lead, isOn); else pick(lead, isOn);
    if (!box) visit(lead);
  });
  document.addEventListener("change", (event) => {
    if (event.target.matches("[data-pick-all]")) pickAll(event.target.checked);
  });
  document.addEventListener("input", (event) => { if (event.target.id === "giving-reason") reason = event.target.value; });
  document.addEventListener("keydown", (event) => {
    const here = board();
    if (!here || event.defaultPrevented) return;
    if (drag?.ghost && event.key === "Escape") { drop(false); return; }
    if ($("dialog[open]") || event.target.closest("input:not([type=checkbox]), select, textarea")) return;
    const isCommand = event.ctrlKey || event.metaKey;
    const key = event.key;
    if (isCommand && key === "z") {
      const act = $("[data-take-back]");
      if (act) { event.preventDefault(); takeBack(act.dataset.takeBack); }
      return;
    }
    const lead = event.target.closest("[data-lead]");
    if (isCommand && key === "a" && lead) { event.preventDefault(); pickAll(true); return; }
    if (isCommand || event.altKey) return;
    if (key === "a") { event.preventDefault(); openPicker(); return; }
    if (key === "s") { event.preventDefault(); ask(); return; }
    if (key === "Escape" && picks().length) { pickAll(false); return; }
    if (!lead || event.target !== lead) return;
    const all = leads();
    const index = all.indexOf(lead);
    const goes = { ArrowDown: index + 1, ArrowUp: index - 1, Home: 0, End: all.length - 1 }[key];
    if (key === " ") { event.preventDefault(); if (event.shiftKey) pickTo(lead, true); else pick(lead, !boxOf(lead).checked); }
    else if (key === "Enter") { event.preventDefault(); $("a", lead).click(); }
    else if (goes !== undefined) {
      event.preventDefault();
      const next = all[goes];
      if (next && event.shiftKey) { if (!last) pick(lead, true, false); pickTo(next, true); }
      visit(next);
    }
  });

  const start = () => {
    if (!board()) return;
    $("#giving-reason").value = reason;
    show();
  };
  document.addEventListener("htmx:afterSettle", start);
  start();
})();
