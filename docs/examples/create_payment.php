<?php
// Creates a payment with PHP alone: a token, then one signed call.
function send(string $url, string $body, array $headers): string {
    $options = ['method' => 'POST', 'content' => $body, 'header' => $headers, 'ignore_errors' => true];
    return file_get_contents($url, false, stream_context_create(['http' => $options]));
}
$api = getenv('PAY_API');
$basic = base64_encode(getenv('PAY_CLIENT_ID') . ':' . getenv('PAY_CLIENT_SECRET'));
$token = json_decode(send("$api/oauth/token", 'grant_type=client_credentials',
    ["Authorization: Basic $basic", 'Content-Type: application/x-www-form-urlencoded']), true)['access_token'];

$url = parse_url("$api/payments");
$body = json_encode(['amount' => ['value' => 4999, 'currency' => 'EUR'], 'order_reference' => 'php-1']);
$covered = [
    '@method' => 'POST', '@authority' => "{$url['host']}:{$url['port']}", '@path' => $url['path'], '@query' => '?',
    'content-digest' => 'sha-256=:' . base64_encode(hash('sha256', $body, true)) . ':',
    'content-type' => 'application/json', 'idempotency-key' => bin2hex(random_bytes(16)),
];
$now = time();
$names = implode(' ', array_map(fn ($name) => "\"$name\"", array_keys($covered)));
$params = "($names);created=$now;expires=" . ($now + 60) . ';nonce="' . bin2hex(random_bytes(16))
    . '";keyid="' . getenv('PAY_KEY_ID') . '";tag="payrig-v1"';
$base = '';
foreach ($covered as $name => $value) {
    $base .= "\"$name\": $value\n";
}
$base .= "\"@signature-params\": $params";
$signature = base64_encode(hash_hmac('sha256', $base, base64_decode(getenv('PAY_SIGNING_KEY')), true));
$headers = ["Authorization: Bearer $token", "Signature-Input: payrig=$params", "Signature: payrig=:$signature:"];
foreach ($covered as $name => $value) {
    if ($name[0] !== '@') {
        $headers[] = "$name: $value";
    }
}
echo send("$api/payments", $body, $headers), "\n";
