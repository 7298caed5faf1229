// Improves the card form; everything works without it. Only textContent and plain attributes are
// written, so the page can demand Trusted Types.
"use strict";
(() => {
  const form = document.getElementById("card-form");
  if (!form) return;
  const texts = JSON.parse(form.dataset.texts);
  const networks = JSON.parse(form.dataset.networks);
  const field = (id) => document.getElementById(id);
  const number = field("cc-number"), expiry = field("cc-exp"), code = field("cc-csc");
  const name = field("cc-name"), postalCode = field("postal-code");
  const pay = field("pay"), busy = field("busy"), problems = field("problems");
  const digitsOf = (text) => text.replace(/\D/g, "");
  form.noValidate = true;

  // ---- the network, from the longest matching prefix ----
  const networkOf = (digits) => {
    for (const [length, low, high, index] of networks.prefixes) {
      const value = Number(digits.slice(0, length));
      if (digits.length >= length && value >= low && value <= high) return networks.list[index];
    }
    return null;
  };
  const showNetwork = () => {
    const network = networkOf(digitsOf(number.value));
    const shown = document.querySelector("#network");
    shown.querySelector("img").src = network ? network.icon : networks.unknown;
    shown.querySelector("span").textContent = network ? network.name : "";
    field("cc-csc-hint").textContent = network && network.code === 4 ? texts.cvv_front : texts.cvv_back;
    code.maxLength = network ? network.code : 4;
    return network;
  };

  // ---- grouping while typing; the caret stays behind the same digit ----
  const group = (digits, network) => {
    const gaps = network && network.id === "amex" ? [4, 10] : [4, 8, 12, 16];
    let shown = "";
    for (let at = 0; at < digits.length; at++) shown += (gaps.includes(at) ? " " : "") + digits[at];
    return shown;
  };
  const rewrite = (input, text, digitsBefore) => {
    if (input.value === text) return;
    input.value = text;
    let caret = 0, seen = 0;
    while (caret < text.length && seen < digitsBefore) if (/\d/.test(text[caret++])) seen++;
    if (digitsBefore === digitsOf(text).length) caret = text.length;
    if (document.activeElement === input) input.setSelectionRange(caret, caret);
  };
  const formatNumber = () => {
    const before = digitsOf(number.value.slice(0, number.selectionStart)).length;
    const network = showNetwork();
    const digits = digitsOf(number.value).slice(0, network ? Math.max(...network.lengths) : 19);
    rewrite(number, group(digits, network), before);
  };
  number.addEventListener("input", (event) => {
    // Something else than digits, spaces and dashes stays as it is, to be seen and corrected.
    if (/[^\d\s-]/.test(number.value)) return void showNetwork();
    formatNumber();
  });
  number.addEventListener("keydown", (event) => {
    // Backspace behind a gap takes the digit before it.
    const at = number.selectionStart;
    if (event.key === "Backspace" && at === number.selectionEnd && number.value[at - 1] === " ") {
      number.setSelectionRange(at - 1, at - 1);
    }
  });
  expiry.addEventListener("input", (event) => {
    const typed = expiry.value;
    if (!/^[\d\s/]*$/.test(typed)) return;
    const removing = (event.inputType || "").startsWith("delete");
    const atEnd = expiry.selectionStart === typed.length;
    let [month, year] = typed.includes("/")
      ? typed.split("/", 2).map(digitsOf)
      : [digitsOf(typed).slice(0, 2), digitsOf(typed).slice(2)];
    if (removing && !typed.includes("/")) return;
    if (month.length === 1 && (Number(month) > 1 || typed.includes("/"))) month = "0" + month;
    if (!atEnd || (removing && !year)) return;
    expiry.value = month.length === 2 ? month + " / " + year.slice(0, 4) : month + year;
  });

  // ---- validation: on leaving a field and on submit, never while typing ----
  const luhn = (digits) => {
    let sum = 0;
    for (let at = 0; at < digits.length; at++) {
      let digit = Number(digits[digits.length - 1 - at]);
      if (at % 2 === 1) digit = digit > 4 ? digit * 2 - 9 : digit * 2;
      sum += digit;
    }
    return sum % 10 === 0;
  };
  const checks = new Map([
    [number, () => {
      const typed = number.value.trim(), digits = digitsOf(typed);
      if (!typed) return "number_empty";
      if (/[^\d\s\u00a0\u2010-\u2015-]/.test(typed)) return "number_invalid";
      const network = networkOf(digits);
      if (digits.length < 12 || (network && digits.length < Math.min(...network.lengths))) return "number_incomplete";
      if (network && !network.lengths.includes(digits.length)) {
        return digits.length < Math.max(...network.lengths) ? "number_incomplete" : "number_invalid";
      }
      return digits.length <= 19 && luhn(digits) ? null : "number_invalid";
    }],
    [expiry, () => {
      const typed = expiry.value.trim();
      if (!typed) return "expiry_empty";
      const parts = /^(\d{1,2})\s*[/-]\s*(\d{4}|\d{2})$/.exec(typed) || /^(\d{2})(\d{4}|\d{2})$/.exec(typed);
      if (!parts) return /^[\d\s/-]{1,6}$/.test(typed) ? "expiry_incomplete" : "expiry_invalid";
      const month = Number(parts[1]);
      return month >= 1 && month <= 12 ? null : "expiry_invalid";
    }],
    [code, () => {
      const typed = code.value.trim();
      if (!typed) return "cvv_empty";
      if (/\D/.test(typed)) return "cvv_invalid";
      const network = networkOf(digitsOf(number.value));
      const right = network ? typed.length === network.code : typed.length === 3 || typed.length === 4;
      return right ? null : "cvv_incomplete";
    }],
    [name, () => (digitsOf(name.value).length >= 6 ? "name_looks_like_number" : null)],
    [postalCode, () => (/^[\p{L}\d\s-]{0,16}$/u.test(postalCode.value) ? null : "postal_code_invalid")],
  ]);
  const textOf = (problem) => {
    const network = networkOf(digitsOf(number.value));
    return problem ? texts.errors[problem].replace("{n}", network ? network.code : 3) : "";
  };
  const check = (input) => {
    const problem = checks.get(input)();
    field(input.id + "-error").textContent = textOf(problem);
    if (problem) input.setAttribute("aria-invalid", "true");
    else input.removeAttribute("aria-invalid");
    return problem;
  };
  for (const input of checks.keys()) {
    input.addEventListener("blur", () => { if (input.value) check(input); });
    input.addEventListener("input", () => {
      if (input.hasAttribute("aria-invalid") && !checks.get(input)()) check(input);
    });
  }

  // ---- submit once ----
  const calm = () => {
    form.removeAttribute("aria-busy");
    pay.removeAttribute("aria-disabled");
    busy.textContent = "";
  };
  form.addEventListener("submit", (event) => {
    if (form.hasAttribute("aria-busy")) return event.preventDefault();
    const wrong = [...checks.keys()].filter((input) => check(input));
    if (wrong.length > 0) {
      event.preventDefault();
      const list = problems.querySelector("ul");
      list.replaceChildren(...wrong.map((input) => {
        const item = document.createElement("li"), link = document.createElement("a");
        link.href = "#" + input.id;
        link.textContent = field(input.id + "-error").textContent;
        item.append(link);
        return item;
      }));
      problems.hidden = false;
      problems.focus();
      return;
    }
    problems.hidden = true;
    form.setAttribute("aria-busy", "true");
    pay.setAttribute("aria-disabled", "true");
    busy.textContent = texts.contacting;
  });
  problems.addEventListener("click", (event) => {
    const link = event.target.closest("a");
    if (!link) return;
    event.preventDefault();
    field(link.hash.slice(1)).focus();
  });
  // A page that comes back from the browser's memory shows an old form: ask the server instead.
  addEventListener("pageshow", (event) => { if (event.persisted) { calm(); location.reload(); } });

  // ---- test cards ----
  for (const chip of document.querySelectorAll("a.chip")) {
    chip.addEventListener("click", (event) => {
      event.preventDefault();
      number.value = chip.dataset.number;
      expiry.value = chip.dataset.expiry;
      code.value = chip.dataset.code;
      formatNumber();
      for (const input of [number, expiry, code]) check(input);
      problems.hidden = true;
      pay.focus();
    });
  }

  // ---- the end of the page's life ----
  const session = field("session"), line = field("session-text");
  let ends = Date.now() + Number(session.dataset.seconds) * 1000, warned = false;
  const tick = () => {
    const left = Math.ceil((ends - Date.now()) / 1000);
    if (left <= 0) return void (form.hasAttribute("aria-busy") || location.reload());
    const minutes = Math.max(1, Math.ceil(left / 60));
    if (left > 120) {
      warned = false;
      line.textContent = (minutes === 1 ? texts.valid_for_one : texts.valid_for).replace("{minutes}", minutes);
    } else if (!warned) {
      warned = true;
      line.textContent = texts.warning;
    }
    session.classList.toggle("ending", left <= 120);
    setTimeout(tick, left > 120 ? 15000 : 1000);
  };
  if (Number(session.dataset.seconds) > 0) tick();
  field("extend-form").addEventListener("submit", async (event) => {
    event.preventDefault();
    const extend = event.target;
    const body = new URLSearchParams(new FormData(extend));
    const answer = await fetch(extend.action, {
      method: "POST", body, headers: { Accept: "application/json" }, credentials: "same-origin",
    }).catch(() => null);
    if (!answer || !answer.ok) return location.reload();
    ends = Date.now() + (await answer.json()).seconds_left * 1000;
    warned = false;
    line.textContent = texts.extended;
  });
  if (number.value) formatNumber(); else showNetwork();
})();
