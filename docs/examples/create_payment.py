"""Creates a payment with Python's standard library: a token, then one signed call."""
import base64, hashlib, hmac, json, os, secrets, time, urllib.parse, urllib.request

api, key_id = os.environ["PAY_API"], os.environ["PAY_KEY_ID"]
key = base64.b64decode(os.environ["PAY_SIGNING_KEY"])
b64 = lambda data: base64.b64encode(data).decode()

basic = b64(f'{os.environ["PAY_CLIENT_ID"]}:{os.environ["PAY_CLIENT_SECRET"]}'.encode())
answer = urllib.request.urlopen(urllib.request.Request(
    f"{api}/oauth/token", b"grant_type=client_credentials", {"Authorization": f"Basic {basic}"}))
token = json.load(answer)["access_token"]

url = urllib.parse.urlsplit(f"{api}/payments")
body = json.dumps({"amount": {"value": 4999, "currency": "EUR"}, "order_reference": "python-1"}).encode()
covered = {
    "@method": "POST", "@authority": url.netloc, "@path": url.path, "@query": f"?{url.query}",
    "content-digest": f"sha-256=:{b64(hashlib.sha256(body).digest())}:",
    "content-type": "application/json", "idempotency-key": secrets.token_hex(16),
}
now = int(time.time())
params = "(" + " ".join(f'"{name}"' for name in covered) + ")" + (
    f';created={now};expires={now + 60};nonce="{secrets.token_hex(16)}";keyid="{key_id}";tag="payrig-v1"')
base = "\n".join([f'"{name}": {value}' for name, value in covered.items()]
                 + [f'"@signature-params": {params}'])
signature = b64(hmac.new(key, base.encode(), hashlib.sha256).digest())
headers = {name: value for name, value in covered.items() if not name.startswith("@")}
headers |= {"Authorization": f"Bearer {token}", "Signature-Input": f"payrig={params}",
            "Signature": f"payrig=:{signature}:"}
print(urllib.request.urlopen(urllib.request.Request(url.geturl(), body, headers)).read().decode())
