// Improves the console; every page works without it. Follows what happens and takes new regions of
// the same page; keys move through rows; codes can be copied.
"use strict";
(() => {
  const script = document.currentScript;

  // ---- live regions: the page is fetched again and its regions are exchanged ----
  const REGIONS = "[data-region][id]";
  let busy = false, again = false;
  const keep = (region) => ({
    open: [...region.querySelectorAll("details")].map((it) => it.open),
    scroll: [...region.querySelectorAll(".scroll")].map((it) => it.scrollLeft),
    focus: region.contains(document.activeElement) ? document.activeElement : null,
  });
  const restore = (region, kept) => {
    region.querySelectorAll("details").forEach((it, at) => { if (kept.open[at] !== undefined) it.open = kept.open[at]; });
    region.querySelectorAll(".scroll").forEach((it, at) => { it.scrollLeft = kept.scroll[at] || 0; });
    if (!kept.focus) return;
    const mark = ["href", "data-testid", "name"].find((name) => kept.focus.hasAttribute(name));
    const same = mark && [...region.querySelectorAll("[" + mark + "]")]
      .find((it) => it.getAttribute(mark) === kept.focus.getAttribute(mark));
    if (same) same.focus({ preventScroll: true });
  };
  const typing = (region) => region.querySelector(":is(input:not([type=hidden]), select, textarea):focus");
  const refresh = async () => {
    if (busy) { again = true; return; }
    busy = true;
    try {
      const answer = await fetch(location.href, { credentials: "same-origin", headers: { Accept: "text/html" } });
      if (!answer.ok) return;
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      for (const region of document.querySelectorAll(REGIONS)) {
        const next = fresh.getElementById(region.id);
        if (!next || next.isEqualNode(region) || typing(region)) continue;
        const kept = keep(region), taken = document.adoptNode(next);
        region.replaceWith(taken);
        restore(taken, kept);
      }
    } catch { /* The world may be restarting; the stream comes back by itself. */
    } finally {
      busy = false;
      if (again) { again = false; setTimeout(refresh, 100); }
    }
  };
  if (script.dataset.live && "EventSource" in window) {
    const stream = new EventSource(script.dataset.live);
    stream.addEventListener("change", refresh);
    addEventListener("pagehide", () => stream.close());
  }

  // ---- one-time messages do not come back with a reload ----
  const here = new URL(location.href);
  if (here.searchParams.has("said")) {
    here.searchParams.delete("said");
    history.replaceState(null, "", here);
  }

  // ---- copying ----
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    const from = document.getElementById(button.dataset.copy);
    if (!from) return;
    await navigator.clipboard.writeText(from.textContent.trim());
    const before = button.textContent;
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = before; }, 1500);
  });
  for (const button of document.querySelectorAll("[data-copy]")) button.hidden = false;

  // ---- keys; `?` tells them, and they can be switched off ----
  const OFF = "payrig-keys-off";
  const rows = () => [...document.querySelectorAll("tbody tr a, [data-testid=arrow]")];
  const move = (by) => {
    const all = rows(), at = all.indexOf(document.activeElement);
    const next = all[at < 0 ? (by > 0 ? 0 : all.length - 1) : at + by];
    if (next) next.focus();
  };
  const keys = {
    "/": () => document.querySelector("[data-key=search]")?.focus(),
    j: () => move(1),
    k: () => move(-1),
    r: () => document.querySelector("[data-key=resend]")?.click(),
    c: () => document.querySelector("[data-copy]")?.click(),
    "?": () => document.querySelector("[data-key=help]")?.click(),
  };
  document.addEventListener("keydown", (event) => {
    const target = event.target;
    if (event.ctrlKey || event.metaKey || event.altKey || localStorage.getItem(OFF)) return;
    if (target.closest("input, select, textarea, [contenteditable]")) return;
    const act = keys[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  });
  const box = document.getElementById("keys-on");
  if (box) {
    box.checked = !localStorage.getItem(OFF);
    box.closest("[hidden]")?.removeAttribute("hidden");
    box.addEventListener("change", () => {
      if (box.checked) localStorage.removeItem(OFF); else localStorage.setItem(OFF, "1");
    });
  }
})();
