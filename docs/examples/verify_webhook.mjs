// Receives Payrig's events with the Standard Webhooks library: verify, then believe.
import { createServer } from "node:http";
import { Webhook } from "standardwebhooks";

const webhook = new Webhook(process.env.PAY_WEBHOOK_SECRET);
createServer(async (request, answer) => {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  try {
    const event = webhook.verify(Buffer.concat(chunks).toString("utf8"), request.headers);
    console.log(event.type, event.data.payment.order_reference);
    answer.writeHead(204).end();
  } catch {
    answer.writeHead(401).end();
  }
}).listen(Number(process.env.PORT ?? 3000), "127.0.0.1");
