// Sends the form of a page that only carries something on. Without it a button does.
"use strict";
for (const form of document.querySelectorAll("form[data-auto-submit]")) {
  form.submit();
}
