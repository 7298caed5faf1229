// Creates a payment with .NET alone: a token, then one signed call.
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

string Env(string name) => Environment.GetEnvironmentVariable(name)!;
string Random() => Convert.ToHexString(RandomNumberGenerator.GetBytes(16)).ToLowerInvariant();
var api = Env("PAY_API");
using var http = new HttpClient();

var basic = Convert.ToBase64String(Encoding.UTF8.GetBytes($"{Env("PAY_CLIENT_ID")}:{Env("PAY_CLIENT_SECRET")}"));
var tokenRequest = new HttpRequestMessage(HttpMethod.Post, $"{api}/oauth/token") {
    Content = new FormUrlEncodedContent(new Dictionary<string, string> { ["grant_type"] = "client_credentials" }) };
tokenRequest.Headers.TryAddWithoutValidation("Authorization", $"Basic {basic}");
var tokenAnswer = await (await http.SendAsync(tokenRequest)).Content.ReadAsStringAsync();
var token = JsonDocument.Parse(tokenAnswer).RootElement.GetProperty("access_token").GetString();

var url = new Uri($"{api}/payments");
var body = Encoding.UTF8.GetBytes("""{"amount":{"value":4999,"currency":"EUR"},"order_reference":"dotnet-1"}""");
var covered = new List<(string Name, string Value)> {
    ("@method", "POST"), ("@authority", url.Authority), ("@path", url.AbsolutePath), ("@query", "?"),
    ("content-digest", $"sha-256=:{Convert.ToBase64String(SHA256.HashData(body))}:"),
    ("content-type", "application/json"), ("idempotency-key", Random()) };
var now = DateTimeOffset.UtcNow.ToUnixTimeSeconds();
var names = string.Join(" ", covered.Select(it => $"\"{it.Name}\""));
var parameters = $"({names});created={now};expires={now + 60};nonce=\"{Random()}\";keyid=\"{Env("PAY_KEY_ID")}\";tag=\"payrig-v1\"";
var lines = covered.Select(it => $"\"{it.Name}\": {it.Value}").Append($"\"@signature-params\": {parameters}");
var key = Convert.FromBase64String(Env("PAY_SIGNING_KEY"));
var signature = Convert.ToBase64String(HMACSHA256.HashData(key, Encoding.UTF8.GetBytes(string.Join("\n", lines))));

var request = new HttpRequestMessage(HttpMethod.Post, url) { Content = new ByteArrayContent(body) };
request.Content.Headers.TryAddWithoutValidation("Content-Type", "application/json");
request.Content.Headers.TryAddWithoutValidation("Content-Digest", covered[4].Value);
request.Headers.TryAddWithoutValidation("Idempotency-Key", covered[6].Value);
request.Headers.TryAddWithoutValidation("Authorization", $"Bearer {token}");
request.Headers.TryAddWithoutValidation("Signature-Input", $"payrig={parameters}");
request.Headers.TryAddWithoutValidation("Signature", $"payrig=:{signature}:");
Console.WriteLine(await (await http.SendAsync(request)).Content.ReadAsStringAsync());
