// Creates a payment with Java alone: a token, then one signed call. Run: java CreatePayment.java
import java.net.URI;
import java.net.http.*;
import java.security.*;
import java.util.*;
import java.util.stream.Collectors;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

public class CreatePayment {
    static String base64(byte[] bytes) { return Base64.getEncoder().encodeToString(bytes); }

    static String random() {
        byte[] bytes = new byte[16];
        new SecureRandom().nextBytes(bytes);
        return HexFormat.of().formatHex(bytes);
    }

    public static void main(String[] arguments) throws Exception {
        Map<String, String> env = System.getenv();
        String api = env.get("PAY_API");
        HttpClient http = HttpClient.newHttpClient();
        String basic = base64((env.get("PAY_CLIENT_ID") + ":" + env.get("PAY_CLIENT_SECRET")).getBytes());
        String answer = http.send(HttpRequest.newBuilder(URI.create(api + "/oauth/token"))
            .header("Authorization", "Basic " + basic).header("Content-Type", "application/x-www-form-urlencoded")
            .POST(HttpRequest.BodyPublishers.ofString("grant_type=client_credentials")).build(),
            HttpResponse.BodyHandlers.ofString()).body();
        String token = answer.replaceAll(".*\"access_token\":\"([^\"]+)\".*", "$1");

        URI url = URI.create(api + "/payments");
        String body = "{\"amount\":{\"value\":4999,\"currency\":\"EUR\"},\"order_reference\":\"java-1\"}";
        Map<String, String> covered = new LinkedHashMap<>();
        covered.put("@method", "POST");
        covered.put("@authority", url.getAuthority());
        covered.put("@path", url.getPath());
        covered.put("@query", "?");
        covered.put("content-digest",
            "sha-256=:" + base64(MessageDigest.getInstance("SHA-256").digest(body.getBytes())) + ":");
        covered.put("content-type", "application/json");
        covered.put("idempotency-key", random());
        long now = System.currentTimeMillis() / 1000;
        String names = covered.keySet().stream().map(name -> '"' + name + '"').collect(Collectors.joining(" "));
        String params = "(" + names + ");created=" + now + ";expires=" + (now + 60) + ";nonce=\"" + random()
            + "\";keyid=\"" + env.get("PAY_KEY_ID") + "\";tag=\"payrig-v1\"";
        String base = covered.entrySet().stream().map(it -> '"' + it.getKey() + "\": " + it.getValue())
            .collect(Collectors.joining("\n")) + "\n\"@signature-params\": " + params;
        Mac mac = Mac.getInstance("HmacSHA256");
        mac.init(new SecretKeySpec(Base64.getDecoder().decode(env.get("PAY_SIGNING_KEY")), "HmacSHA256"));
        HttpRequest.Builder request = HttpRequest.newBuilder(url).header("Authorization", "Bearer " + token)
            .header("Signature-Input", "payrig=" + params)
            .header("Signature", "payrig=:" + base64(mac.doFinal(base.getBytes())) + ":")
            .POST(HttpRequest.BodyPublishers.ofString(body));
        covered.forEach((name, value) -> { if (!name.startsWith("@")) request.header(name, value); });
        System.out.println(http.send(request.build(), HttpResponse.BodyHandlers.ofString()).body());
    }
}
