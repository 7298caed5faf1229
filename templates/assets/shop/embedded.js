// The checkout with embedded fields: the card goes to the gateway, the token comes back to the form.
"use strict";
(() => {
  const form = document.getElementById("card-token-form");
  if (!form || !window.Payrig) return;
  const button = form.querySelector("button"), said = document.getElementById("card-said");
  const calm = () => { form.removeAttribute("aria-busy"); button.removeAttribute("aria-disabled"); };
  const fields = Payrig.fields({
    key: form.dataset.key, mount: "#card-fields", theme: { accent: form.dataset.accent },
  });
  fields.on("ready", () => { form.dataset.ready = "yes"; });
  // The frame names each mistake at its field; here stands how many there are.
  const mistakes = new Set();
  fields.on("error", ({ field, message }) => {
    calm();
    if (field) mistakes.add(field);
    said.textContent = mistakes.size > 1 ? mistakes.size + " card fields have mistakes." : message;
  });
  fields.on("change", () => { mistakes.clear(); said.textContent = ""; });
  fields.on("token", ({ token }) => {
    form.elements.card_token.value = token;
    form.submit();
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (form.hasAttribute("aria-busy")) return;
    form.setAttribute("aria-busy", "true");
    button.setAttribute("aria-disabled", "true");
    fields.submit();
  });
  form.hidden = false;
})();
