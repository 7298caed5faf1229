"""Verifies captured notifications with the Standard Webhooks library for Python.

Input on stdin: [{secret, headers, body, valid}]
"""
import json, sys

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

failed = 0
for case in json.load(sys.stdin):
    try:
        Webhook(case["secret"]).verify(case["body"].encode(), case["headers"])
        verdict = True
    except WebhookVerificationError:
        verdict = False
    failed += verdict != case["valid"]
    print("ok  " if verdict == case["valid"] else "FAIL", "expected",
          "valid" if case["valid"] else "refused")
sys.exit(1 if failed else 0)
