// The deal board: cards are moved by mouse, finger or keyboard; the portal confirms each move or the card goes back.
(() => {
  "use strict";
  const $ = (selector, from = document) => from.querySelector(selector);
  const $$ = (selector, from = document) => [...from.querySelectorAll(selector)];
  const board = () => $("[data-board]");
  const columnOf = (node) => node.closest("[data-stage]");
  const cardsOf = (column) => $$("[data-card]", column);
  const fill = (sentence, values) => sentence.replace(/%\((\w+)\)s/g, (_all, name) => values[name] ?? "");
  const announce = (text) => { const region = $("[data-board-says]"); if (region) { region.textContent = ""; requestAnimationFrame(() => { region.textContent = text; }); } };
  const address = (name, card) => board().dataset[name].replace("/0/", `/${card.dataset.card}/`);

  // Where a card stood, so that it can go back there.
  const whereIs = (card) => ({ list: card.parentElement, next: card.nextElementSibling });
  const putBack = (card, origin, isTold = true) => {
    if (origin.next && origin.next.parentElement === origin.list) origin.list.insertBefore(card, origin.next);
    else origin.list.prepend(card);
    card.classList.remove("is-lifted", "is-waiting");
    roam();
    if (isTold) announce(fill(board().dataset.back, { deal: card.dataset.name, stage: columnOf(card).dataset.name }));
  };

  // One stop of the Tab key in each column: the card that was last visited there, else the first.
  const roam = () => {
    for (const column of $$("[data-stage]")) {
      const cards = cardsOf(column);
      const held = cards.filter((card) => card.tabIndex === 0);
      const stop = held.find((card) => card === document.activeElement) || held[0] || cards[0];
      for (const card of cards) card.tabIndex = card === stop ? 0 : -1;
    }
  };
  const visit = (card) => {
    if (!card) return;
    for (const other of cardsOf(columnOf(card))) other.tabIndex = -1;
    card.tabIndex = 0;
    card.focus();
    card.scrollIntoView({ block: "nearest", inline: "nearest" });
  };

  // --- The portal decides -----------------------------------------------------------------------------------------
  let asked = null; // a card that waits for the dialog to say when and why its deal closed
  let back = null; // takes the last move back
  const settle = async (card, origin) => {
    const column = columnOf(card);
    const from = origin.list.closest("[data-stage]");
    if (column === from && origin.next === card.nextElementSibling) { card.classList.remove("is-lifted"); return; }
    roam();
    if (column !== from && column.dataset.kind !== "open" && column.dataset.kind !== from.dataset.kind && from.dataset.kind === "open") {
      asked = { card, origin };
      card.classList.add("is-waiting");
      window.portal.openForm(`${address("moveUrl", card)}?stage=${column.dataset.stage}&board=1`);
      return;
    }
    const neighbour = (node, step) => { let other = node[step]; while (other && !other.matches("[data-card]")) other = other[step]; return other; };
    const form = new FormData();
    form.set("stage", column.dataset.stage);
    form.set("version", card.dataset.version);
    if ("arranged" in board().dataset) {
      const above = neighbour(card, "previousElementSibling");
      const below = neighbour(card, "nextElementSibling");
      if (above) form.set("above", above.dataset.card);
      if (below) form.set("below", below.dataset.card);
    }
    card.classList.add("is-waiting");
    const had = document.activeElement === card;
    try {
      const answer = await fetch(`${address("placeUrl", card)}?${board().dataset.query}`, {
        method: "POST", body: form, headers: { "X-CSRFToken": window.portal.token(), Accept: "application/json" }, credentials: "same-origin",
      });
      const kind = answer.headers.get("Content-Type") || "";
      const said = kind.includes("json") ? await answer.json() : {};
      if (!answer.ok || !said.card) {
        const message = said.message || window.portal.say({ 403: "forbidden", 404: "missing" }[answer.status] || "failed");
        putBack(card, origin, false);
        window.portal.toast(message, "error");
        announce(message);
        if (answer.status === 409) refresh(card.dataset.card);
        return;
      }
      const fresh = document.createRange().createContextualFragment(said.card.trim()).firstElementChild;
      card.replaceWith(fresh);
      window.htmx.process(fresh);
      for (const [stage, head] of Object.entries(said.heads)) {
        const old = $(`[data-stage="${stage}"] .board-head`);
        if (old) old.replaceWith(document.createRange().createContextualFragment(head.trim()).firstElementChild);
      }
      $("#board-open")?.replaceWith(document.createRange().createContextualFragment(said.open.trim()).firstElementChild);
      roam();
      if (had) visit(fresh);
      announce(said.message);
      offerBack(fresh, from.dataset.stage, origin.next?.dataset?.card, column === from ? "" : said.message);
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
      putBack(card, origin, false);
      window.portal.toast(board().dataset.failed, "error");
      announce(board().dataset.failed);
    }
  };
  const offerBack = (card, stage, nextPk, message) => { // by a button in a message, or Ctrl Z
    back = () => {
      back = null;
      const now = $(`[data-card="${card.dataset.card}"]`);
      const list = $(`[data-stage="${stage}"] [data-cards]`);
      if (!now || !list || now.classList.contains("is-waiting")) return;
      const origin = whereIs(now);
      const next = nextPk && $(`[data-card="${nextPk}"]`, list);
      list.insertBefore(now, next || $("[data-more]", list));
      visit(now);
      settle(now, origin);
    };
    if (message) window.portal.toast(message, "success", { label: board().dataset.undo, run: back });
  };
  const refresh = (pk) => {
    const query = board().dataset.query;
    return window.htmx.ajax("GET", `${board().dataset.boardUrl}${query ? `?${query}` : "?view="}`, { target: "#list", swap: "outerHTML" }).then(() => visit($(`[data-card="${pk}"]`)));
  };
  document.addEventListener("deal-moved", () => {
    const pk = asked?.card.dataset.card;
    asked = back = null;
    $("#dialog").close();
    if (pk) refresh(pk);
  });
  $("#dialog")?.addEventListener("close", () => {
    if (!asked) return;
    const { card, origin } = asked;
    asked = null;
    putBack(card, origin);
    card.focus();
  });

  // --- Mouse and finger -------------------------------------------------------------------------------------------
  const start = () => {
    const here = board();
    if (!here || here.dataset.started) return;
    here.dataset.started = "1";
    roam();
    if (!("editable" in here.dataset) || !window.Sortable) return;
    let origin = null;
    for (const list of $$("[data-cards]", here)) {
      window.Sortable.create(list, {
        group: { name: "deals", put: !("closed" in columnOf(list).dataset) },
        draggable: "[data-card]",
        sort: "arranged" in here.dataset,
        animation: matchMedia("(prefers-reduced-motion: reduce)").matches ? 0 : 120,
        delay: 180,
        delayOnTouchOnly: true,
        touchStartThreshold: 5,
        ghostClass: "is-ghost",
        dragClass: "is-dragged",
        scroll: true,
        bubbleScroll: true,
        scrollSensitivity: 60,
        onStart: (event) => { origin = { list: event.from, next: event.item.nextElementSibling }; here.classList.add("is-dragging"); },
        onEnd: (event) => { here.classList.remove("is-dragging"); if (origin) settle(event.item, origin); origin = null; },
      });
    }
  };

  // --- Keyboard ---------------------------------------------------------------------------------------------------
  let lifted = null; // { card, origin }
  const place = (card) => {
    const column = columnOf(card);
    announce(fill(board().dataset.moved, { stage: column.dataset.name, place: cardsOf(column).indexOf(card) + 1, count: cardsOf(column).length }));
  };
  const drop = () => { const { card, origin } = lifted; lifted = null; card.classList.remove("is-lifted"); settle(card, origin); };
  const beside = (column, step, isOpenOnly) => {
    const columns = $$("[data-stage]").filter((each) => !isOpenOnly || !("closed" in each.dataset) || each === column);
    return columns[columns.indexOf(column) + step];
  };
  const carry = (card, key) => {
    const column = columnOf(card);
    if (key === "ArrowLeft" || key === "ArrowRight") {
      const next = beside(column, key === "ArrowLeft" ? -1 : 1, true);
      if (!next) return;
      const list = $("[data-cards]", next);
      if (lifted.origin.list === list && lifted.origin.next?.parentElement === list) list.insertBefore(card, lifted.origin.next);
      else list.prepend(card);
    } else if ("arranged" in board().dataset) {
      const cards = cardsOf(column);
      const other = cards[cards.indexOf(card) + (key === "ArrowUp" ? -1 : 1)];
      if (!other) return;
      if (key === "ArrowUp") other.before(card); else other.after(card);
    } else return;
    visit(card);
    place(card);
  };
  const go = (card, key) => {
    const column = columnOf(card);
    const cards = cardsOf(column);
    const index = cards.indexOf(card);
    if (key === "ArrowUp" || key === "ArrowDown") visit(cards[index + (key === "ArrowUp" ? -1 : 1)]);
    else if (key === "Home" || key === "End") visit(cards[key === "Home" ? 0 : cards.length - 1]);
    else {
      const step = key === "ArrowLeft" ? -1 : 1;
      let next = beside(column, step, false);
      while (next && !cardsOf(next).length) next = beside(next, step, false);
      if (next) visit(cardsOf(next)[Math.min(index, cardsOf(next).length - 1)]);
    }
  };
  document.addEventListener("keydown", (event) => {
    if (back && !lifted && (event.ctrlKey || event.metaKey) && event.key === "z" && !event.target.closest("input, textarea, dialog")) { event.preventDefault(); back(); return; }
    const card = event.target.closest?.("[data-card]");
    if (!card || event.target !== card || event.ctrlKey || event.metaKey || event.altKey) return;
    const key = event.key;
    const isArrow = key.startsWith("Arrow");
    if (lifted && (key === "Escape" || key === "Tab")) { const { origin } = lifted; lifted = null; putBack(card, origin); card.focus(); if (key === "Escape") event.preventDefault(); return; }
    if (key === " " || (key === "Enter" && lifted)) {
      event.preventDefault();
      if (lifted) { drop(); return; }
      if (!("editable" in board().dataset) || card.classList.contains("is-waiting")) return;
      lifted = { card, origin: whereIs(card) };
      card.classList.add("is-lifted");
      announce(fill(board().dataset.lifted, { deal: card.dataset.name, stage: columnOf(card).dataset.name, place: cardsOf(columnOf(card)).indexOf(card) + 1 }));
      return;
    }
    if (key === "Enter") { event.preventDefault(); $("a", card).click(); return; }
    if (!isArrow && key !== "Home" && key !== "End") return;
    event.preventDefault();
    if (lifted && isArrow) carry(card, key); else if (!lifted) go(card, key);
  });
  document.addEventListener("focusin", (event) => {
    const card = event.target.closest?.("[data-card]");
    if (lifted && card !== lifted.card && !$("dialog[open]")) { const held = lifted; lifted = null; putBack(held.card, held.origin); }
    if (card && event.target === card) for (const other of cardsOf(columnOf(card))) other.tabIndex = other === card ? 0 : -1;
  });

  document.addEventListener("htmx:afterSettle", () => { start(); if (board()) roam(); });
  start();
})();
