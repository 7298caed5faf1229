//! Files about a merchant that is not ours: what is wrong is named, with its place and what to do;
//! what such a merchant lacks is said before a case is played.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails where it stands"
)]

use scenario::foreign::{MerchantFile, parse, reasons};
use scenario::model;

const LEAST: &str = "version: 1
url: http://127.0.0.1:8500
webhook: /events
configure: { post: /configure }
order: { post: /orders, json: { amount: \"${amount}\" }, id: /id, checkout_url: /page }
";

const WITH_STATE: &str =
    "state: { get: \"/orders/${id}\", status: /state, states: { open: awaiting_payment } }\n";

fn file(source: &str) -> MerchantFile {
    parse("payrig.merchant.yaml", source, None).unwrap_or_else(|_| panic!("{}", told(source)))
}

fn told(source: &str) -> String {
    let mistakes = parse("payrig.merchant.yaml", source, None).err().unwrap_or_default();
    let mistakes = mistakes.iter().map(|it| it.render("payrig.merchant.yaml", source));
    mistakes.collect::<Vec<_>>().concat()
}

#[test]
fn the_least_file_is_read() {
    let file = file(LEAST);
    assert_eq!(file.webhook_url("cli_1"), "http://127.0.0.1:8500/events");
    assert_eq!((file.order.hook.method.as_str(), file.order.id.as_str()), ("POST", "/id"));
    assert!(file.state.is_none() && !file.tells_worlds_apart());
    assert_eq!(file.grace, std::time::Duration::from_millis(50));
}

#[test]
fn an_address_on_the_command_line_wins() {
    let file = parse("m.yaml", LEAST, Some("http://127.0.0.1:9000")).unwrap();
    assert_eq!(file.url, "http://127.0.0.1:9000");
    let without = LEAST.replace("url: http://127.0.0.1:8500\n", "");
    assert_eq!(parse("m.yaml", &without, Some("http://127.0.0.1:9000")).unwrap().url, file.url);
    assert!(parse("m.yaml", &without, None).is_err());
}

#[test]
fn worlds_are_told_apart_where_events_and_orders_name_them() {
    let apart =
        LEAST.replace("/events", "/${world}/events").replace("/orders", "\"/${world}/orders\"");
    let file = file(&apart);
    assert!(file.tells_worlds_apart());
    assert_eq!(file.webhook_url("cli_1"), "http://127.0.0.1:8500/cli_1/events");
}

#[test]
fn an_unknown_key_a_missing_hook_and_a_bad_address_are_named() {
    let source = "version: 1
url: 127.0.0.1:8500
webhok: /events
configure: { psot: /configure }
";
    insta::assert_snapshot!(told(source), @r"
    error: a merchant file needs `order`
        ╭─[payrig.merchant.yaml:1:1]
      1 │ version: 1
        · ───┬───
        ·    ╰── how a scenario orders: order: { post: /orders, json: …, id: /id, checkout_url: /url }
        ╰────
    error: a merchant file needs `webhook`
        ╭─[payrig.merchant.yaml:1:1]
      1 │ version: 1
        · ───┬───
        ·    ╰── where it receives events: a path below `url`
        ╰────
    error: `url` is `127.0.0.1:8500`, which does not begin with http://
        ╭─[payrig.merchant.yaml:2:6]
      1 │ version: 1
      2 │ url: 127.0.0.1:8500
        ·      ──────┬───────
        ·            ╰── write it as http://127.0.0.1:8500
        ╰────
    error: unknown field `webhok`
        ╭─[payrig.merchant.yaml:3:1]
      2 │ url: 127.0.0.1:8500
      3 │ webhok: /events
        · ──┬───
        ·   ╰── did you mean `webhook`? also allowed: version, url, headers, grace, configure, order, state, again, refund, cancel, events
        ╰────
    error: unknown field `psot`
        ╭─[payrig.merchant.yaml:4:14]
      3 │ webhok: /events
      4 │ configure: { psot: /configure }
        ·              ─┬──
        ·               ╰── did you mean `post`? also allowed: put, patch, json
        ╰────
    ");
}

#[test]
fn a_hook_names_what_it_knows_and_pointers_begin_with_a_slash() {
    let source = "version: 1
url: http://127.0.0.1:8500/shop
webhook: events
configure: { post: configure, json: { key: \"${signing_kee}\" } }
order: { post: /orders, json: { currency: \"${currency}\" }, id: order.id, checkout_url: /page }
";
    insta::assert_snapshot!(told(source), @r#"
    error: `url` is `http://127.0.0.1:8500/shop`, which is not just a host and a port
        ╭─[payrig.merchant.yaml:2:6]
      1 │ version: 1
      2 │ url: http://127.0.0.1:8500/shop
        ·      ────────────┬─────────────
        ·                  ╰── write it as http://127.0.0.1:8500
        ╰────
    error: `webhook` is `events`, neither a path nor an address
        ╭─[payrig.merchant.yaml:3:10]
      2 │ url: http://127.0.0.1:8500/shop
      3 │ webhook: events
        ·          ──┬───
        ·            ╰── write a path below `url`, such as /webhooks, or http://host:port/path
        ╰────
    error: `configure.post` is `configure`, which is no path
        ╭─[payrig.merchant.yaml:4:20]
      3 │ webhook: events
      4 │ configure: { post: configure, json: { key: "${signing_kee}" } }
        ·                    ────┬────
        ·                        ╰── a path below `url` begins with a slash: /configure
        ╰────
    error: `configure.json` knows no `${signing_kee}`
        ╭─[payrig.merchant.yaml:4:45]
      3 │ webhook: events
      4 │ configure: { post: configure, json: { key: "${signing_kee}" } }
        ·                                             ──────┬───────
        ·                                                   ╰── did you mean `signing_key`? also allowed: api, merchant_id, client_id, client_secret, key_id, webhook_url, webhook_secret, publishable_key, world
        ╰────
    error: the hook `order` never says `${amount}`
        ╭─[payrig.merchant.yaml:5:10]
      4 │ configure: { post: configure, json: { key: "${signing_kee}" } }
      5 │ order: { post: /orders, json: { currency: "${currency}" }, id: order.id, checkout_url: /page }
        ·          ─┬──
        ·           ╰── put ${amount} into its path or its `json`: what is to be paid
        ╰────
    error: `order.id` is `order.id`, which is no JSON pointer (RFC 6901)
        ╭─[payrig.merchant.yaml:5:64]
      4 │ configure: { post: configure, json: { key: "${signing_kee}" } }
      5 │ order: { post: /orders, json: { currency: "${currency}" }, id: order.id, checkout_url: /page }
        ·                                                                ───┬────
        ·                                                                   ╰── it begins with a slash: /order/id
        ╰────
    "#);
}

#[test]
fn a_hook_says_which_order_is_meant_and_translates_into_known_words() {
    let source = format!(
        "{LEAST}state: {{ get: /orders, status: /state, states: {{ open: waiting }} }}
refund: {{ post: /refunds, patch: /refunds, json: {{ order: \"${{id}}\" }} }}
"
    );
    insta::assert_snapshot!(told(&source), @r#"
    error: the hook `state` never says `${id}`
        ╭─[payrig.merchant.yaml:6:10]
      5 │ order: { post: /orders, json: { amount: "${amount}" }, id: /id, checkout_url: /page }
      6 │ state: { get: /orders, status: /state, states: { open: waiting } }
        ·          ─┬─
        ·           ╰── put ${id} into its path or its `json`: which order is meant
        ╰────
    error: unknown state of an order `waiting`
        ╭─[payrig.merchant.yaml:6:56]
      5 │ order: { post: /orders, json: { amount: "${amount}" }, id: /id, checkout_url: /page }
      6 │ state: { get: /orders, status: /state, states: { open: waiting } }
        ·                                                        ───┬───
        ·                                                           ╰── allowed: awaiting_payment, checking, paid, declined, canceled, partially_refunded, refunded
        ╰────
    error: the hook `refund` needs exactly one method, this one has two
        ╭─[payrig.merchant.yaml:7:27]
      6 │ state: { get: /orders, status: /state, states: { open: waiting } }
      7 │ refund: { post: /refunds, patch: /refunds, json: { order: "${id}" } }
        ·                           ──┬──
        ·                             ╰── `post` and `patch`: which one?
        ╰────
    "#);
}

fn lacks(steps: &str, merchant: &str) -> Vec<String> {
    let source = format!(
        "version: 1\nname: n\nmatrix: [{{ case: a, on: merchant->gateway }}, {{ case: b, on: gateway->merchant }}]\nsteps:\n{steps}"
    );
    let scenario = model::parse("a.scenario.yaml", &source).unwrap_or_else(|mistakes| {
        panic!("{}", mistakes.iter().map(|it| it.render("a", &source)).collect::<String>())
    });
    reasons(&scenario, &scenario.cases[0], &file(merchant))
}

#[test]
fn what_a_merchant_lacks_is_said_in_words() {
    let ordered = "  - id: order
    call: { to: merchant, post: /api/orders, json: { sku: tea-42, quantity: 1 } }
    capture: { id: body.id, checkout_url: body.checkout_url }
";
    assert_eq!(lacks(ordered, LEAST), Vec::<String>::new());
    let read = format!(
        "{ordered}  - call: {{ to: merchant, get: \"/api/orders/${{order.id}}\" }}
    expect: {{ body.status: paid, body.fulfilments: 1 }}
"
    );
    assert_eq!(
        lacks(&read, LEAST),
        ["needs the state of an order; the merchant file has no `state` hook"]
    );
    assert_eq!(
        lacks(&read, &format!("{LEAST}{WITH_STATE}")),
        [
            "expects `fulfilments` of an order; `state.also` of the merchant file does not say where \
          it stands"
        ]
    );
    let refunded = format!(
        "{ordered}  - call: {{ to: merchant, post: \"/api/orders/${{order.id}}/refunds\" }}
    expect: {{ status: 201 }}
"
    );
    assert_eq!(lacks(&refunded, LEAST), ["needs refunds; the merchant file has no `refund` hook"]);
    let office = "  - call: { to: merchant, get: /_sandbox/reconciliation }\n";
    assert_eq!(lacks(office, LEAST), ["asks our shop itself: GET /_sandbox/reconciliation"]);
    let seen = "  - webhooks: { to: merchant }
    expect: { 0.effect: applied }
";
    assert_eq!(
        lacks(seen, LEAST),
        ["needs to know what the merchant did with an event; the merchant file has no `events`"]
    );
}

#[test]
fn each_row_of_a_matrix_is_judged_for_itself() {
    let broken = "  - fault: { on: \"${matrix.on}\", do: drop_request }\n";
    assert_eq!(
        lacks(broken, LEAST),
        ["breaks the link merchant->gateway, which our shop would have to do"]
    );
    let other = "  - if: { matrix.case: b }
    fault: { on: merchant->gateway, do: drop_request }
";
    assert_eq!(lacks(other, LEAST), Vec::<String>::new());
}
