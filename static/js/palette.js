// The command palette: pages, actions and records under one input, by keyboard.
(() => {
  "use strict";
  const box = document.getElementById("palette");
  if (!box) return;
  const input = document.getElementById("palette-input");
  const list = document.getElementById("palette-list");
  const status = document.getElementById("palette-status");
  let chosen = -1;
  let asked = null;
  let timer = 0;

  const options = () => [...list.querySelectorAll("[role=option]")];
  const choose = (index) => {
    const all = options();
    if (!all.length) { chosen = -1; input.removeAttribute("aria-activedescendant"); return; }
    chosen = (index + all.length) % all.length;
    all.forEach((option, each) => option.setAttribute("aria-selected", String(each === chosen)));
    input.setAttribute("aria-activedescendant", all[chosen].id);
    all[chosen].scrollIntoView({ block: "nearest" });
  };
  const load = async () => {
    if (!box.dataset.url) return;
    asked?.abort();
    asked = new AbortController();
    try {
      const answer = await fetch(`${box.dataset.url}?q=${encodeURIComponent(input.value.trim())}`, { signal: asked.signal, headers: { "X-Requested-With": "fetch" }, redirect: "manual" });
      if (!answer.ok) { status.textContent = window.portal.say(answer.type === "opaqueredirect" ? "forbidden" : "failed"); return; }
      list.innerHTML = await answer.text(); // our own escaped HTML; scripts in it would not run
      const count = options().length;
      status.textContent = count ? "" : window.portal.say("nothing");
      choose(0);
    } catch (error) {
      if (error.name !== "AbortError") status.textContent = window.portal.say("offline");
    }
  };
  const open = () => {
    if (!box.open) box.showModal();
    input.value = "";
    input.focus();
    load();
  };
  document.addEventListener("portal:open-palette", open);
  input.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(load, 120); });
  const go = (option) => {
    if (!option) return;
    box.close();
    if ("dialog" in option.dataset) window.portal.openForm(option.href);
    else window.location.assign(option.href);
  };
  input.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown") { event.preventDefault(); choose(chosen + 1); }
    else if (event.key === "ArrowUp") { event.preventDefault(); choose(chosen - 1); }
    else if (event.key === "Enter") { event.preventDefault(); go(options()[chosen]); }
  });
  list.addEventListener("click", (event) => {
    const option = event.target.closest("[role=option]");
    if (!option || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    go(option);
  });
})();
