// Embedded card fields for a shop's page:
//   const fields = Payrig.fields({ key: "pk_…", mount: "#card", theme: { accent: "#0b7067" } });
//   fields.on("token", ({ token }) => …); fields.submit();
// Events: ready, change, error, token. The page never sees a card number.
"use strict";
window.Payrig = (() => {
  const gateway = new URL(document.currentScript.src).origin;
  const EVENTS = ["ready", "change", "error", "token", "focus"];
  const random = () => [...crypto.getRandomValues(new Uint8Array(16))].map((it) => it.toString(16).padStart(2, "0")).join("");

  const fields = ({ key, mount, theme, locale, title = "Card details" }) => {
    const place = typeof mount === "string" ? document.querySelector(mount) : mount;
    if (!place) throw new Error("Payrig.fields: there is no element " + mount);
    const nonce = random(), listeners = new Map(EVENTS.map((name) => [name, []]));
    const address = new URL("/fields", gateway);
    for (const [name, value] of Object.entries({ key, origin: location.origin, nonce, lang: locale })) {
      if (value) address.searchParams.set(name, value);
    }
    const frame = document.createElement("iframe");
    frame.title = title;
    frame.src = address.href;
    frame.setAttribute("referrerpolicy", "no-referrer");
    frame.width = "100%";
    frame.height = "260";
    frame.style.border = "0";
    const tell = (type, more) => frame.contentWindow.postMessage({ payrig: 1, nonce, type, ...more }, gateway);
    const hear = (event) => {
      // Origin, window, shape and nonce: anything else on this page may send messages, too.
      const said = event.data;
      if (event.origin !== gateway || event.source !== frame.contentWindow) return;
      if (!said || said.payrig !== 1 || said.nonce !== nonce) return;
      if (said.type === "height" && Number.isFinite(said.height)) {
        frame.height = String(Math.min(Math.max(said.height, 120), 1200));
        return;
      }
      if (said.type === "ready") tell("theme", { theme });
      for (const listener of listeners.get(said.type) || []) listener(said);
    };
    addEventListener("message", hear);
    place.replaceChildren(frame);
    return {
      on(name, listener) {
        if (!listeners.has(name)) throw new Error("Payrig.fields: there is no event " + name);
        listeners.get(name).push(listener);
        return this;
      },
      submit() { tell("submit"); },
      focus() { frame.focus(); tell("focus"); },
      destroy() { removeEventListener("message", hear); frame.remove(); },
    };
  };
  return { fields };
})();
