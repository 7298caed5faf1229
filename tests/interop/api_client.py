"""Drives the gateway with an RFC 9421 library that is not ours: signs calls, verifies answers.

Prints one line per check and ends with 1 when one does not hold.
"""
import base64, datetime, hashlib, json, os, secrets, sys, time, urllib.error, urllib.request

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from http_message_signatures import HTTPMessageSigner, HTTPMessageVerifier, algorithms
from http_message_signatures.resolvers import HTTPSignatureKeyResolver

API = os.environ["PAY_API"]
KEY_ID = os.environ["PAY_KEY_ID"]
KEY = base64.b64decode(os.environ["PAY_SIGNING_KEY"])
RESPONSE_KEY = HKDF(hashes.SHA256(), 32, salt=None, info=b"payrig/response/v1").derive(KEY)
FAILED = []


class Keys(HTTPSignatureKeyResolver):
    def __init__(self, key):
        self.key = key

    def resolve_private_key(self, key_id):
        return self.key

    def resolve_public_key(self, key_id):
        return self.key


class Message:
    """The little that the library asks of a request or an answer."""

    def __init__(self, **fields):
        self.__dict__.update(fields)


def check(name, holds, detail=""):
    print(("ok   " if holds else "FAIL ") + name + (f": {detail}" if detail and not holds else ""))
    if not holds:
        FAILED.append(name)


def token():
    basic = base64.b64encode(
        f'{os.environ["PAY_CLIENT_ID"]}:{os.environ["PAY_CLIENT_SECRET"]}'.encode()).decode()
    request = urllib.request.Request(
        f"{API}/oauth/token", b"grant_type=client_credentials", {"Authorization": f"Basic {basic}"})
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)["access_token"]


def call(bearer, method, path, body=None, key=KEY, idempotency=None, created=None, order=None):
    """One signed call; returns request, status, headers and body."""
    headers = {"Authorization": f"Bearer {bearer}"}
    data = None if body is None else json.dumps(body).encode()
    covered = ["@query", "@path", "@authority", "@method"]  # our order, not Payrig's
    if data is not None:
        digest = base64.b64encode(hashlib.sha256(data).digest()).decode()
        headers["Content-Digest"] = f"sha-256=:{digest}:"
        headers["Content-Type"] = "application/json"
        covered += ["content-type", "content-digest"]
    if method != "GET":
        headers["Idempotency-Key"] = idempotency or secrets.token_hex(12)
        covered.append("idempotency-key")
    request = Message(method=method, url=f"{API}{path}", headers=headers)
    created = created or datetime.datetime.now()
    HTTPMessageSigner(
        signature_algorithm=algorithms.HMAC_SHA256, key_resolver=Keys(key)
    ).sign(
        request, key_id=KEY_ID, created=created, expires=created + datetime.timedelta(seconds=60),
        nonce=secrets.token_urlsafe(16), label="interop", tag="payrig-v1",
        covered_component_ids=order or covered, use_existing_digest=data is not None,
    )
    sent = urllib.request.Request(request.url, data, dict(request.headers), method=method)
    try:
        with urllib.request.urlopen(sent) as answer:
            return request, answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as answer:
        return request, answer.code, answer.headers, answer.read()


def answer_verifies(request, status, headers, body, key=RESPONSE_KEY):
    answer = Message(status_code=status, headers=dict(headers.items()), request=request)
    verifier = HTTPMessageVerifier(
        signature_algorithm=algorithms.HMAC_SHA256, key_resolver=Keys(key))
    try:
        verifier.verify(answer, expect_tag="payrig-v1", body=body, require_components=[
            '"@status"', '"content-digest"', '"@method";req', '"@path";req'])
        return True
    except Exception as error:  # the library has many kinds; all mean "no"
        answer_verifies.error = repr(error)
        return False


def main():
    bearer = token()
    body = {"amount": {"value": 4999, "currency": "EUR"}, "order_reference": "interop-1"}
    created = call(bearer, "POST", "/payments", body, idempotency="interop-key-1")
    check("a call signed by another library is accepted", created[1] == 201, created[3][:300])
    check("the answer verifies with another library", answer_verifies(*created),
          getattr(answer_verifies, "error", ""))
    payment = json.loads(created[3])
    check("the payment waits for a card", payment["status"] == "requires_payment_method")

    read = call(bearer, "GET", f'/payments/{payment["id"]}')
    check("a read with an empty query is accepted", read[1] == 200, read[3][:300])
    check("its answer verifies", answer_verifies(*read), getattr(answer_verifies, "error", ""))
    listed = call(bearer, "GET", "/payments?limit=10&status=requires_payment_method")
    check("a list with a query is accepted", listed[1] == 200, listed[3][:300])
    check("its answer verifies", answer_verifies(*listed), getattr(answer_verifies, "error", ""))

    again = call(bearer, "POST", "/payments", body, idempotency="interop-key-1")
    check("the same idempotency key gives the same answer, byte for byte", again[3] == created[3])
    check("the repeated answer is signed afresh and verifies", answer_verifies(*again))
    check("an answer does not fit another request",
          not answer_verifies(read[0], *created[1:]))
    check("a request key does not verify an answer", not answer_verifies(*created, key=KEY))

    wrong = call(bearer, "POST", "/payments", body, key=bytes(32))
    check("a wrong key is refused", wrong[1] == 401
          and json.loads(wrong[3])["reason"] == "mac_mismatch", wrong[3][:300])
    stale = call(bearer, "POST", "/payments", body,
                 created=datetime.datetime.now() - datetime.timedelta(minutes=10))
    check("a stale signature is refused", stale[1] == 401
          and json.loads(stale[3])["reason"] == "expired", stale[3][:300])
    less = call(bearer, "POST", "/payments", body, order=["@method", "@authority", "@path", "@query",
                                                          "content-digest", "idempotency-key"])
    check("a signature without content-type is refused", less[1] == 401
          and json.loads(less[3])["reason"] == "component_missing", less[3][:300])
    print(f"{len(FAILED)} failed" if FAILED else "all hold")
    sys.exit(1 if FAILED else 0)


main()
