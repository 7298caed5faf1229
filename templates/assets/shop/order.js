// Follows an order that is being decided: the page is shown anew when its state has changed, and
// not before, so that nobody loses their place on it.
"use strict";

const state = document.querySelector("[data-look-again]");

async function look() {
  const answer = await fetch(location.href, { headers: { accept: "text/html" } });
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const now = page.querySelector('[data-testid="order-state"]');
  if (now && now.textContent !== state.textContent) {
    location.reload();
  }
}

if (state) {
  // Without an answer the next look tries again.
  setInterval(() => look().catch(() => {}), Number(state.dataset.lookAgain) * 1000);
}
