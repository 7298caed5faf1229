// The embedded card fields, inside their frame on the gateway's origin. Card data never leaves this
// frame but to the gateway; the page around it gets events and a token. Only textContent, plain
// attributes and a fixed list of style variables are written.
"use strict";
(() => {
  const form = document.getElementById("fields");
  const { key, origin, nonce } = form.dataset;
  const texts = JSON.parse(form.dataset.texts), networks = JSON.parse(form.dataset.networks);
  const field = (id) => document.getElementById(id);
  const number = field("cc-number"), expiry = field("cc-exp"), code = field("cc-csc");
  const inputs = [number, expiry, code];
  const digitsOf = (text) => text.replace(/\D/g, "");
  // Exact target: if another page has framed this one, the browser drops the message.
  const tell = (type, more) => parent.postMessage({ payrig: 1, nonce, type, ...more }, origin);

  const networkOf = (digits) => {
    for (const [length, low, high, index] of networks.prefixes) {
      const value = Number(digits.slice(0, length));
      if (digits.length >= length && value >= low && value <= high) return networks.list[index];
    }
    return null;
  };
  const luhn = (digits) => {
    let sum = 0;
    for (let at = 0; at < digits.length; at++) {
      let digit = Number(digits[digits.length - 1 - at]);
      if (at % 2 === 1) digit = digit > 4 ? digit * 2 - 9 : digit * 2;
      sum += digit;
    }
    return sum % 10 === 0;
  };
  const network = () => networkOf(digitsOf(number.value));
  const checks = {
    "cc-number": () => {
      const typed = number.value.trim(), digits = digitsOf(typed), known = network();
      if (!typed) return "number_empty";
      if (/[^\d\s-]/.test(typed)) return "number_invalid";
      if (digits.length < 12 || (known && digits.length < Math.min(...known.lengths))) return "number_incomplete";
      return digits.length <= 19 && luhn(digits) ? null : "number_invalid";
    },
    "cc-exp": () => {
      const typed = expiry.value.trim();
      if (!typed) return "expiry_empty";
      const parts = /^(\d{1,2})\s*[/-]\s*(\d{4}|\d{2})$/.exec(typed) || /^(\d{2})(\d{4}|\d{2})$/.exec(typed);
      if (!parts) return "expiry_incomplete";
      return Number(parts[1]) >= 1 && Number(parts[1]) <= 12 ? null : "expiry_invalid";
    },
    "cc-csc": () => {
      const typed = code.value.trim(), known = network();
      if (!typed) return "cvv_empty";
      if (/\D/.test(typed)) return "cvv_invalid";
      return (known ? typed.length === known.code : typed.length >= 3) ? null : "cvv_incomplete";
    },
  };
  const show = (input, problem, words) => {
    const text = words || (problem ? texts.errors[problem].replace("{n}", network()?.code ?? 3) : "");
    field(input.id + "-error").textContent = text;
    if (problem) input.setAttribute("aria-invalid", "true"); else input.removeAttribute("aria-invalid");
    if (problem) tell("error", { field: input.id, code: problem, message: text });
    size();
  };
  const check = (input) => {
    const problem = checks[input.id]();
    show(input, problem);
    return problem;
  };
  const size = () => tell("height", { height: Math.ceil(document.documentElement.getBoundingClientRect().height) });
  const change = () => {
    const known = network();
    field("network").textContent = known ? known.name : "";
    field("cc-csc-hint").textContent = known && known.code === 4 ? texts.cvv_front : texts.cvv_back;
    tell("change", { complete: inputs.every((it) => !checks[it.id]()), network: known ? known.id : null });
  };
  number.addEventListener("input", () => {
    const digits = digitsOf(number.value);
    if (!/[^\d\s-]/.test(number.value) && number.selectionStart === number.value.length) {
      const gaps = network()?.id === "amex" ? [4, 10] : [4, 8, 12, 16];
      number.value = [...digits.slice(0, 19)].map((it, at) => (gaps.includes(at) ? " " : "") + it).join("");
    }
  });
  for (const input of inputs) {
    input.addEventListener("input", () => {
      if (input.hasAttribute("aria-invalid") && !checks[input.id]()) show(input, null);
      change();
    });
    input.addEventListener("blur", () => { if (input.value) check(input); });
    input.addEventListener("focus", () => tell("focus", { field: input.id }));
  }

  // ---- what the page asks for ----
  const THEME = {
    accent: ["--accent", /^#[0-9a-f]{3,8}$/i], text: ["--ink", /^#[0-9a-f]{3,8}$/i],
    background: ["--ground", /^#[0-9a-f]{3,8}$/i], surface: ["--surface", /^#[0-9a-f]{3,8}$/i],
    border: ["--line-strong", /^#[0-9a-f]{3,8}$/i], radius: ["--pico-border-radius", /^\d{1,2}px$/],
    fontSize: ["--pico-font-size", /^(1[2-9]|2[0-4])px$/],
  };
  const dress = (theme) => {
    for (const [name, value] of Object.entries(theme || {})) {
      const known = THEME[name];
      if (known && typeof value === "string" && known[1].test(value)) {
        document.documentElement.style.setProperty(known[0], value);
      }
    }
    size();
  };
  let busy = false;
  const submit = async () => {
    if (busy) return;
    const wrong = inputs.filter((input) => check(input));
    if (wrong.length > 0) { wrong[0].focus(); return; }
    busy = true;
    const body = JSON.stringify({
      number: digitsOf(number.value), expiry: expiry.value, security_code: code.value,
    });
    const headers = { "Content-Type": "application/json", Authorization: "Bearer " + key };
    try {
      const answer = await fetch("/api/tokens", { method: "POST", headers, body, credentials: "omit" });
      const told = await answer.json();
      if (answer.ok) {
        for (const input of inputs) input.value = "";
        tell("token", { token: told.id, card: { brand: told.card.brand, last4: told.card.last4 } });
        return;
      }
      const places = { number: number, expiry: expiry, security_code: code };
      code.value = "";
      for (const problem of told.errors || []) {
        const input = places[problem.param] || number;
        show(input, problem.code, texts.errors[problem.code]?.replace("{n}", network()?.code ?? 3) || problem.detail);
      }
      if (!told.errors) tell("error", { field: null, code: told.code, message: told.detail });
    } catch {
      tell("error", { field: null, code: "unreachable", message: texts.unreachable || "" });
    } finally {
      busy = false;
    }
  };
  addEventListener("message", (event) => {
    const said = event.data;
    if (event.source !== parent || event.origin !== origin) return;
    if (!said || said.payrig !== 1 || said.nonce !== nonce) return;
    if (said.type === "submit") submit();
    else if (said.type === "focus") (inputs.find((it) => checks[it.id]()) || number).focus();
    else if (said.type === "theme") dress(said.theme);
  });
  form.addEventListener("submit", (event) => { event.preventDefault(); submit(); });
  new ResizeObserver(size).observe(document.body);
  tell("ready", {});
})();
