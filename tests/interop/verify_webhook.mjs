// Verifies captured notifications with the Standard Webhooks library for JavaScript.
// Input on stdin: [{secret, headers, body, valid}]
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
const require = createRequire(`${process.env.PAYRIG_TEST_NODE_MODULES}/`);
const { Webhook } = require("standardwebhooks");

let failed = 0;
for (const { secret, headers, body, valid } of JSON.parse(readFileSync(0, "utf8"))) {
  let verdict = true;
  try {
    new Webhook(secret).verify(body, headers);
  } catch {
    verdict = false;
  }
  if (verdict !== valid) failed += 1;
  console.log(`${verdict === valid ? "ok  " : "FAIL"} expected ${valid ? "valid" : "refused"}`);
}
process.exit(failed ? 1 : 0);
