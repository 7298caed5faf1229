"""A small merchant with nothing but Python's standard library: orders, payments at a gateway that
speaks Payrig's API, signed events. It keeps everything in memory, apart for each world it is given.

    python3 merchant.py --port 8500
    payrig run scenarios --merchant payrig.merchant.yaml

Two switches make it as careless as some real ones, so that a scenario can find it out:
--trust-everybody believes events without looking at their signature, --ignore-amount ships whatever
was paid.
"""
import argparse, base64, hashlib, hmac, json, secrets, threading, time, urllib.error, urllib.parse
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TOLERANCE_SECONDS = 300
PATIENCE_SECONDS = 30
FINAL = ("paid", "canceled", "refunded")


def b64(data):
    return base64.b64encode(data).decode()


class Refused(Exception):
    """The gateway, or we ourselves, say no."""

    def __init__(self, status, reason):
        super().__init__(reason)
        self.status, self.reason = status, reason


class Gateway:
    """A client of the API: OAuth 2.0 client credentials, RFC 9421 signatures (HMAC-SHA256)."""

    def __init__(self, api, client):
        self.api, self.client = api, client
        self.key = base64.b64decode(client["signing_key"])
        self.lock, self.token, self.token_ends = threading.Lock(), None, 0

    def bearer(self):
        with self.lock:
            if time.time() >= self.token_ends:
                basic = b64(f'{self.client["client_id"]}:{self.client["client_secret"]}'.encode())
                answer = send(urllib.request.Request(
                    f"{self.api}/oauth/token", b"grant_type=client_credentials",
                    {"Authorization": f"Basic {basic}"}))
                self.token, self.token_ends = answer["access_token"], time.time() + answer["expires_in"] - 60
            return self.token

    def call(self, method, path, body=None, idempotency_key=None):
        url = urllib.parse.urlsplit(self.api + path)
        covered = {"@method": method, "@authority": url.netloc, "@path": url.path,
                   "@query": f"?{url.query}"}
        data = None
        if method != "GET":
            data = json.dumps(body or {}).encode()
            covered |= {"content-digest": f"sha-256=:{b64(hashlib.sha256(data).digest())}:",
                        "content-type": "application/json",
                        "idempotency-key": idempotency_key or secrets.token_hex(16)}
        now = int(time.time())
        params = "(" + " ".join(f'"{name}"' for name in covered) + ")" + (
            f';created={now};expires={now + 60};nonce="{secrets.token_hex(16)}"'
            f';keyid="{self.client["key_id"]}";tag="payrig-v1"')
        base = "\n".join([f'"{name}": {value}' for name, value in covered.items()]
                         + [f'"@signature-params": {params}'])
        signature = b64(hmac.new(self.key, base.encode(), hashlib.sha256).digest())
        headers = {name: value for name, value in covered.items() if not name.startswith("@")}
        headers |= {"Authorization": f"Bearer {self.bearer()}", "Signature-Input": f"payrig={params}",
                    "Signature": f"payrig=:{signature}:"}
        return send(urllib.request.Request(url.geturl(), data, headers, method=method))


def send(request):
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as answer:
        raise Refused(answer.code, answer.read().decode("utf-8", "replace")) from None
    except OSError as error:
        raise Refused(502, f"the gateway does not answer: {error}") from None


class Order:
    def __init__(self, number, amount, currency):
        self.number, self.amount, self.currency = number, amount, currency
        self.state, self.shipments, self.refunded, self.payments = "open", 0, 0, []
        self.seen, self.paid_by = {}, None

    def shown(self):
        return {"number": self.number, "state": self.state, "shipments": self.shipments,
                "amount": self.amount, "currency": self.currency, "refunded": self.refunded,
                "refundable": self.amount - self.refunded if self.shipments else 0,
                "payments": self.payments}


class World:
    """One gateway and what was sold through it."""

    def __init__(self, document, careless):
        self.gateway = Gateway(document["api"], document["clients"]["shop"])
        self.merchant = document["merchant_id"]
        secret = document["webhook"]["secret"]
        self.webhook_key = base64.b64decode(secret.removeprefix("whsec_"))
        self.careless = careless
        self.lock, self.orders, self.events = threading.Lock(), {}, set()

    def order(self, wish):
        order = Order(f"T-{secrets.token_hex(6)}", int(wish["amount"]), wish["currency"])
        with self.lock:
            self.orders[order.number] = order
        return order, self.pay(order)

    def pay(self, order):
        """A payment page: that of the payment that still waits, or of a new payment."""
        with self.lock:
            if order.state in FINAL:
                raise Refused(409, f"the order is {order.state}")
            attempt = len(order.payments) + 1
            last = order.payments[-1] if order.payments else None
        if last:
            payment = self.gateway.call("GET", f"/payments/{last}")
            self.observe(order, payment)
            if payment["status"] == "requires_payment_method" and payment.get("checkout_url"):
                return payment
            if payment["status"] not in ("failed", "canceled", "expired"):
                raise Refused(409, f'the payment is {payment["status"]}')
        payment = self.gateway.call("POST", "/payments", {
            "amount": {"value": order.amount, "currency": order.currency},
            "order_reference": order.number,
        }, f"{order.number}-{attempt}")
        with self.lock:
            if payment["id"] not in order.payments:
                order.payments.append(payment["id"])
            order.state = "open"
        return payment

    def read(self, number):
        order = self.find(number)
        with self.lock:
            last = order.payments[-1] if order.payments else None
        if last:
            # Events are a convenience, the API is the truth.
            self.observe(order, self.gateway.call("GET", f"/payments/{last}"))
        return order

    def find(self, number):
        with self.lock:
            order = self.orders.get(number)
        if order is None:
            raise Refused(404, "no such order")
        return order

    def refund(self, number, wish):
        order = self.read(number)
        if order.shipments == 0:
            raise Refused(409, f"the order is {order.state}")
        # The customer's money lies with the payment that was shipped for.
        payment = order.paid_by
        self.gateway.call("POST", f"/payments/{payment}/refunds",
                          {"amount": int(wish["amount"]), "reason": wish.get("reason", "returned")})
        self.observe(order, self.gateway.call("GET", f"/payments/{payment}"))

    def cancel(self, number):
        order = self.find(number)
        with self.lock:
            last = order.payments[-1]
        payment = self.gateway.call("POST", f"/payments/{last}/cancel")
        self.observe(order, payment)

    def observe(self, order, payment, sequence=None):
        """Takes in what a payment is now. Only one that fits the order can pay it."""
        with self.lock:
            if payment["id"] not in order.payments and not self.careless.ignore_amount:
                return "ignored"
            fits = payment["amount"] == {"value": order.amount, "currency": order.currency}
            if not fits and not self.careless.ignore_amount:
                return "ignored"
            if sequence is not None:
                if sequence <= order.seen.get(payment["id"], -1):
                    return "ignored"
                order.seen[payment["id"]] = sequence
            captured, refunded = payment["amounts"]["captured"], payment["amounts"]["refunded"]
            enough = captured >= (1 if self.careless.ignore_amount else order.amount)
            if enough and order.shipments == 0:
                order.shipments, order.paid_by = 1, payment["id"]
            if order.shipments:
                order.refunded = max(order.refunded, refunded)
                order.state = ("refunded" if order.refunded >= order.amount
                               else "partly refunded" if order.refunded else "paid")
            elif payment["id"] == (order.payments or [None])[-1]:
                order.state = self.unpaid(payment)
            return "taken"

    @staticmethod
    def unpaid(payment):
        if payment["status"] in ("canceled", "expired"):
            return "canceled"
        if payment["outcome_unknown"] or payment["status"] in ("processing", "authorized"):
            return "checking"
        if payment["status"] == "failed" or payment.get("failure"):
            return "declined"
        return "open"

    def event(self, headers, body):
        """Standard Webhooks 1.0: signature and time first, over the bytes as received."""
        name, at = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
        if not self.careless.trust_everybody:
            mac = hmac.new(self.webhook_key, f"{name}.{at}.".encode() + body, hashlib.sha256)
            right = f"v1,{b64(mac.digest())}"
            given = headers.get("webhook-signature", "").split()
            if not any(hmac.compare_digest(right, signature) for signature in given):
                raise Refused(401, "the signature does not fit")
            if not at.isdigit() or abs(time.time() - int(at)) > TOLERANCE_SECONDS:
                raise Refused(401, "the event is too old, or from the future")
        event = json.loads(body)
        if not self.careless.trust_everybody and event["merchant_id"] != self.merchant:
            raise Refused(400, "the event is meant for somebody else")
        with self.lock:
            if event["id"] in self.events:
                return "seen before"
        payment = event["data"]["payment"]
        with self.lock:
            order = self.orders.get(payment.get("order_reference"))
        done = "not ours"
        if order is not None:
            if self.careless.trust_everybody:
                payment = {"id": "", "amounts": {"captured": order.amount, "refunded": 0},
                           "amount": {"value": order.amount, "currency": order.currency},
                           "outcome_unknown": False, "status": event["type"].split(".")[-1]} | payment
                if payment["id"] and payment["id"] not in order.payments:
                    order.payments.append(payment["id"])
            done = self.observe(order, payment, event.get("sequence"))
        with self.lock:
            self.events.add(event["id"])
        return done


class Shop(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    worlds, careless = {}, None

    def do_GET(self):
        self.serve("GET")

    def do_POST(self):
        self.serve("POST")

    def serve(self, method):
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        try:
            status, answer = self.route(method, self.path.strip("/").split("/"), body)
        except Refused as refused:
            status, answer = refused.status, {"error": refused.reason}
        except (KeyError, ValueError, TypeError) as error:
            status, answer = 400, {"error": f"not understood: {error!r}"}
        text = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def route(self, method, path, body):
        wish = (lambda: json.loads(body)) if body else dict
        if (method, path) == ("POST", ["configure"]):
            document = wish()
            Shop.worlds[document["world"]] = World(document, Shop.careless)
            return 200, {}
        world = Shop.worlds.get(path[0])
        if world is None:
            raise Refused(404, "no such world")
        match method, path[1:]:
            case "POST", ["events"]:
                return 200, {"did": world.event(self.headers, body)}
            case "POST", ["orders"]:
                order, payment = world.order(wish())
                return 201, order.shown() | {"pay_at": payment["checkout_url"]}
            case "GET", ["orders", number]:
                return 200, world.read(number).shown()
            case "POST", ["orders", number, "pay"]:
                return 201, {"pay_at": world.pay(world.find(number))["checkout_url"]}
            case "POST", ["orders", number, "refunds"]:
                world.refund(number, wish())
                return 201, {}
            case "POST", ["orders", number, "cancel"]:
                world.cancel(number)
                return 200, {}
        raise Refused(404, "nothing here")

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--port", type=int, default=8500)
    parser.add_argument("--trust-everybody", action="store_true",
                        help="believe events without looking at their signature")
    parser.add_argument("--ignore-amount", action="store_true", help="ship whatever was paid")
    Shop.careless = parser.parse_args()
    server = Server(("127.0.0.1", Shop.careless.port), Shop)
    print(f"listening at http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
