// Activities logged without a net: kept in this browser for the person who is logged in, sent when the portal answers again.
(() => {
  "use strict";
  const box = document.getElementById("offline-log");
  if (!box) return;
  const form = box.querySelector("form");
  const store = `salesops.log.${box.dataset.person}`;
  const words = JSON.parse(document.getElementById("words")?.textContent || "{}");
  const say = (sentence, values = {}) => (words[sentence] || "").replace(/%\((\w+)\)s/g, (_all, name) => values[name] ?? "");
  const toast = (text, level, act = null) => document.dispatchEvent(new CustomEvent("toast", { detail: [{ text, level, act }] }));
  // The browser's clock may be wrong: moments are told by the portal's.
  const ahead = Number(box.dataset.now) - Date.now();
  const now = () => new Date(Date.now() + ahead);
  const token = () => form.querySelector("input[name=csrfmiddlewaretoken]").value;

  // --- What is kept -----------------------------------------------------------------------------------------------
  const kept = () => { try { return JSON.parse(localStorage.getItem(store) || "[]"); } catch { return []; } };
  const keep = (items) => {
    try { if (items.length) localStorage.setItem(store, JSON.stringify(items)); else localStorage.removeItem(store); return true; } catch { return false; }
  };
  const forget = (key) => keep(kept().filter((item) => item.fields.form_key !== key));
  const newKey = () => {
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
  };
  const add = (fields, label) => {
    const item = { label, fields: { ...fields, form_key: fields.form_key || newKey() } };
    item.fields.kept_at = now().toISOString();
    const done = keep([...kept().filter((each) => each.fields.form_key !== item.fields.form_key), item]);
    toast(say(done ? "kept_offline" : "offline"), done ? "success" : "error");
    return done;
  };

  // What was refused is said on every page until the person lets it go, so that no word is lost.
  const refuse = (item) => toast(
    say("refused_offline", { what: [item.label, item.fields.subject, item.fields.note].filter(Boolean).join(" · "), why: item.refused }), "error",
    { label: say("let_go"), run: () => forget(item.fields.form_key) },
  );
  const why = (page) => [...new DOMParser().parseFromString(page, "text/html").querySelectorAll("[role=alert] li")].map((each) => each.textContent.trim()).join(" ");
  window.addEventListener("load", () => kept().filter((item) => item.refused).forEach(refuse));

  // --- Sending it -------------------------------------------------------------------------------------------------
  let isSending = false;
  const send = async () => {
    if (isSending || !navigator.onLine) return;
    isSending = true;
    let sent = 0;
    try {
      for (const item of kept().filter((each) => !each.refused)) {
        const body = new URLSearchParams(item.fields);
        body.set("csrfmiddlewaretoken", token());
        const answer = await fetch(box.dataset.url, {
          method: "POST", body, credentials: "same-origin", redirect: "manual",
          headers: { "X-CSRFToken": token(), "HX-Request": "true", "HX-Target": "dialog-body" },
        });
        if (answer.ok && answer.headers.has("HX-Trigger")) { forget(item.fields.form_key); sent += 1; continue; }
        if (answer.status >= 500) continue; // this one is not well received now; the others may be
        if ([403, 404, 422].includes(answer.status)) { // what it was about is gone, or not theirs any more
          const refused = { ...item, refused: why(await answer.text()) || say("gone_offline") };
          keep(kept().map((each) => (each.fields.form_key === item.fields.form_key ? refused : each)));
          refuse(refused);
          continue;
        }
        break; // not logged in, or the portal is not well: later
      }
    } catch { /* still no net */ } finally { isSending = false; }
    if (sent) {
      toast(say(sent === 1 ? "sent_offline_one" : "sent_offline", { count: sent }), "success");
      document.body.dispatchEvent(new CustomEvent("activity-logged", { bubbles: true }));
    }
  };
  window.addEventListener("online", send);
  send();

  // --- Logging without a net --------------------------------------------------------------------------------------
  const open = (link) => {
    const about = new URL(link.href, window.location.href).searchParams.get("about") || "";
    if (!about) { toast(say("offline_where"), "error"); return; }
    form.reset();
    form.elements.about.value = about;
    box.querySelector("[data-about]").textContent = document.querySelector("main h1")?.textContent || "";
    box.showModal();
  };
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-log]");
    if (!link || navigator.onLine) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    open(link);
  }, true);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const fields = Object.fromEntries([...new FormData(form)].filter(([name, value]) => value && name !== "csrfmiddlewaretoken"));
    if (add(fields, box.querySelector("[data-about]").textContent)) box.close();
  });
  // The net went while the usual dialog was open: what was typed there is kept the same way.
  document.addEventListener("htmx:sendError", (event) => {
    const source = event.detail.elt;
    if (!(source instanceof HTMLFormElement) || !source.querySelector(".log")) return;
    const fields = Object.fromEntries([...new FormData(source)].filter(([name, value]) => value && !["csrfmiddlewaretoken", "find"].includes(name)));
    if (!fields.about && fields.kind !== "task") return;
    if (add(fields, source.querySelector(".log-row strong")?.textContent || "")) document.dispatchEvent(new CustomEvent("close-dialog"));
  });
})();
