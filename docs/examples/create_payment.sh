#!/usr/bin/env bash
# Creates a payment with curl: a token, then one signed call (RFC 9421, RFC 9530).
set -euo pipefail
body='{"amount":{"value":4999,"currency":"EUR"},"order_reference":"curl-1"}'
token=$(curl -sS -u "$PAY_CLIENT_ID:$PAY_CLIENT_SECRET" -d grant_type=client_credentials \
  "$PAY_API/oauth/token" | sed -E 's/.*"access_token":"([^"]+)".*/\1/')

authority=$(printf '%s' "$PAY_API" | sed -E 's#^https?://([^/]+).*#\1#')
key=$(printf '%s' "$PAY_SIGNING_KEY" | openssl base64 -d -A | od -An -tx1 -v | tr -d ' \n')
digest="sha-256=:$(printf '%s' "$body" | openssl dgst -sha256 -binary | openssl base64 -A):"
idempotency="curl-$(openssl rand -hex 8)"
now=$(date +%s)
params="(\"@method\" \"@authority\" \"@path\" \"@query\" \"content-digest\" \"content-type\" \"idempotency-key\")"
params+=";created=$now;expires=$((now + 60));nonce=\"$(openssl rand -hex 16)\";keyid=\"$PAY_KEY_ID\";tag=\"payrig-v1\""
base="\"@method\": POST
\"@authority\": $authority
\"@path\": /api/payments
\"@query\": ?
\"content-digest\": $digest
\"content-type\": application/json
\"idempotency-key\": $idempotency
\"@signature-params\": $params"
signature=$(printf '%s' "$base" | openssl dgst -sha256 -mac HMAC -macopt "hexkey:$key" -binary | openssl base64 -A)

curl -sS "$PAY_API/payments" -H "Authorization: Bearer $token" -H 'Content-Type: application/json' \
  -H "Idempotency-Key: $idempotency" -H "Content-Digest: $digest" \
  -H "Signature-Input: payrig=$params" -H "Signature: payrig=:$signature:" -d "$body"
