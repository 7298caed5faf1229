// Creates a payment with Node alone: a token, then one signed call.
import { createHash, createHmac, randomBytes } from "node:crypto";

const { PAY_API, PAY_CLIENT_ID, PAY_CLIENT_SECRET, PAY_KEY_ID, PAY_SIGNING_KEY } = process.env;
const basic = Buffer.from(`${PAY_CLIENT_ID}:${PAY_CLIENT_SECRET}`).toString("base64");
const token = await fetch(`${PAY_API}/oauth/token`, {
  method: "POST", headers: { authorization: `Basic ${basic}` },
  body: new URLSearchParams({ grant_type: "client_credentials" }),
}).then((answer) => answer.json());

const url = new URL(`${PAY_API}/payments`);
const body = JSON.stringify({ amount: { value: 4999, currency: "EUR" }, order_reference: "node-1" });
const covered = {
  "@method": "POST", "@authority": url.host, "@path": url.pathname, "@query": url.search || "?",
  "content-digest": `sha-256=:${createHash("sha256").update(body).digest("base64")}:`,
  "content-type": "application/json", "idempotency-key": randomBytes(16).toString("hex"),
};
const now = Math.floor(Date.now() / 1000);
const params = `(${Object.keys(covered).map((name) => `"${name}"`).join(" ")})`
  + `;created=${now};expires=${now + 60};nonce="${randomBytes(16).toString("hex")}"`
  + `;keyid="${PAY_KEY_ID}";tag="payrig-v1"`;
const base = [...Object.entries(covered).map(([name, value]) => `"${name}": ${value}`),
  `"@signature-params": ${params}`].join("\n");
const signature = createHmac("sha256", Buffer.from(PAY_SIGNING_KEY, "base64")).update(base).digest("base64");
const headers = Object.fromEntries(Object.entries(covered).filter(([name]) => !name.startsWith("@")));
const answer = await fetch(url, { method: "POST", body, headers: { ...headers,
  authorization: `Bearer ${token.access_token}`,
  "signature-input": `payrig=${params}`, signature: `payrig=:${signature}:` } });
console.log(await answer.text());
