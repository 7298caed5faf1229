//! Every kind of broken file gets the right line, column, message and hint.

use scenario::model::parse;

/// A right beginning; the steps follow.
const HEAD: &str = "version: 1\nname: A purchase\nvars: { amount: 4999 }\nsteps:\n";

fn report(source: &str) -> String {
    match parse("a.scenario.yaml", source) {
        Ok(_) => "nothing is wrong".to_owned(),
        Err(found) => {
            found.iter().map(|one| one.render("a.scenario.yaml", source)).collect::<String>()
        }
    }
}

fn steps(text: &str) -> String {
    report(&format!("{HEAD}{text}"))
}

macro_rules! broken {
    ($($name:ident: $report:expr, @$snapshot:literal;)*) => {$(
        #[test]
        fn $name() {
            insta::assert_snapshot!($report, @$snapshot);
        }
    )*};
}

broken! {
    a_tab: report("version: 1\nname: x\nsteps:\n\t- clock: {}\n"), @r"
    error: this is not YAML: tabs disallowed within this context (block indentation)
        ╭─[a.scenario.yaml:4:2]
      3 │ steps:
      4 │ 	- clock: {}
        ·  ┬
        ·  ╰── indent with spaces: YAML knows no tabs
        ╰────
    ";
    a_brace_left_open: steps("  - clock: { advance: 5m\n"), @r#"
    error: this is not YAML: while parsing a flow mapping, did not find expected ',' or '}'
        ╭─[a.scenario.yaml:6:1]
      5 │   - clock: { advance: 5m
        · ┬
        · ╰── a bracket, a brace or a comma is missing; references inside braces are quoted: "${x}"
        ╰────
    "#;
    a_quote_left_open: steps("  - name: \"x\n    clock: { advance: 5m }\n"), @r#"
    error: this is not YAML: invalid indentation in quoted scalar
        ╭─[a.scenario.yaml:5:11]
      4 │ steps:
      5 │   - name: "x
        ·           ┬
        ·           ╰── a quote was opened and not closed
        ╰────
    "#;
    a_missing_colon: report("version 1\nname: x\n"), @r"
    error: this is not YAML: mapping values are not allowed in this context
        ╭─[a.scenario.yaml:2:5]
      1 │ version 1
      2 │ name: x
        ·     ┬
        ·     ╰── look here and at the line before
        ╰────
    ";
    a_key_given_twice: steps("  - clock: { advance: 5m, advance: 6m }\n"), @r"
    error: `advance` is given twice
        ╭─[a.scenario.yaml:5:27]
      4 │ steps:
      5 │   - clock: { advance: 5m, advance: 6m }
        ·                           ───┬───
        ·                              ╰── the first one is on line 5
        ╰────
    ";
    an_alias_without_anchor: steps("  - clock: *later\n"), @r"
    error: this is not YAML: while parsing node, found unknown anchor
        ╭─[a.scenario.yaml:5:12]
      4 │ steps:
      5 │   - clock: *later
        ·            ┬
        ·            ╰── write `&name` before the alias `*name`
        ╰────
    ";
    two_documents: report("version: 1\n---\nversion: 1\n"), @r"
    error: a second document
        ╭─[a.scenario.yaml:2:1]
      1 │ version: 1
      2 │ ---
        · ─┬─
        ·  ╰── one file is one scenario
        ╰────
    ";
    an_empty_file: report(""), @r"
    error: a scenario is a mapping, found nothing
        ╭─[a.scenario.yaml:1:1]
        · ┬
        · ╰── keys: version, name, description, tags, covers, requires, clock, seed, settings, violates, vars, secrets, matrix, invariants, steps
        ╰────
    ";
    an_unknown_key_of_the_file: report("version: 1\nname: x\nstep:\n  - clock: { advance: 5m }\n"), @r"
    error: a scenario needs `steps`
        ╭─[a.scenario.yaml:1:1]
      1 │ version: 1
        · ───┬───
        ·    ╰── what happens, in order
        ╰────
    error: unknown field `step`
        ╭─[a.scenario.yaml:3:1]
      2 │ name: x
      3 │ step:
        · ─┬──
        ·  ╰── did you mean `steps`? also allowed: version, name, description, tags, covers, requires, clock, seed, settings, violates, vars, secrets, matrix, invariants
        ╰────
    ";
    a_version_from_the_future: report("version: 2\nname: x\nsteps: [{ clock: { advance: 5m } }]\n"), @r"
    error: a version from the future
        ╭─[a.scenario.yaml:1:10]
      1 │ version: 2
        ·          ┬
        ·          ╰── this program reads version 1
        ╰────
    ";
    no_steps: report("version: 1\nname: x\nsteps: []\n"), @r"
    error: a scenario without steps proves nothing
        ╭─[a.scenario.yaml:3:8]
      2 │ name: x
      3 │ steps: []
        ·        ┬
        ·        ╰── add a step
        ╰────
    ";
    steps_that_are_no_list: report("version: 1\nname: x\nsteps: { clock: { advance: 5m } }\n"), @r"
    error: expected a list of steps, found a mapping
        ╭─[a.scenario.yaml:3:8]
      2 │ name: x
      3 │ steps: { clock: { advance: 5m } }
        ·        ┬─
        ·        ╰── a list of steps belongs here
        ╰────
    ";
    an_unknown_field_of_a_verb: steps("  - clock: { advnace: 5m }\n"), @r"
    error: unknown field `advnace`
        ╭─[a.scenario.yaml:5:14]
      4 │ steps:
      5 │   - clock: { advnace: 5m }
        ·              ───┬───
        ·                 ╰── did you mean `advance`? also allowed: advance_to, until_idle, max
        ╰────
    ";
    an_unknown_field_of_a_step: steps("  - nmae: wait\n    clock: { advance: 5m }\n"), @r"
    error: unknown field `nmae`
        ╭─[a.scenario.yaml:5:5]
      4 │ steps:
      5 │   - nmae: wait
        ·     ─┬──
        ·      ╰── did you mean `name`?
        ╰────
    ";
    a_misspelt_verb: steps("  - name: pay\n    plauen: { checkout: x, card: visa.ok }\n"), @r"
    error: unknown field `plauen`
        ╭─[a.scenario.yaml:6:5]
      5 │   - name: pay
      6 │     plauen: { checkout: x, card: visa.ok }
        ·     ──┬───
        ·       ╰── allowed: id, name, if, expect, capture, call, pay, issuer, fault, clock, parallel, eventually, never, query, messages, webhooks, process, use
        ╰────
    ";
    a_step_without_verb: steps("  - name: die\n"), @r"
    error: a step needs exactly one verb, this one has none
        ╭─[a.scenario.yaml:5:5]
      4 │ steps:
      5 │   - name: die
        ·     ─┬──
        ·      ╰── add one of call, pay, issuer, fault, clock, parallel, eventually, never, query, messages, webhooks, process, use
        ╰────
    ";
    a_step_with_two_verbs: steps("  - clock: { advance: 5m }\n    query: { from: merchant.orders }\n"), @r"
    error: a step needs exactly one verb, this one has two
        ╭─[a.scenario.yaml:6:5]
      5 │   - clock: { advance: 5m }
      6 │     query: { from: merchant.orders }
        ·     ──┬──
        ·       ╰── `clock` and `query`: which one?
        ╰────
    ";
    a_step_without_verb_in_a_branch: steps("  - parallel:\n      branches:\n        - - name: die\n"), @r"
    error: a step needs exactly one verb, this one has none
        ╭─[a.scenario.yaml:7:13]
      6 │       branches:
      7 │         - - name: die
        ·             ─┬──
        ·              ╰── add one of call, pay, issuer, fault, clock, parallel, eventually, never, query, messages, webhooks, process, use
        ╰────
    ";
    a_missing_field: steps("  - pay: { card: visa.ok }\n"), @r"
    error: pay needs `checkout`
        ╭─[a.scenario.yaml:5:12]
      4 │ steps:
      5 │   - pay: { card: visa.ok }
        ·            ─┬──
        ·             ╰── the address of the payment page
        ╰────
    ";
    a_call_without_method: steps("  - call: { to: gateway }\n"), @r"
    error: a call needs exactly one method, this one has none
        ╭─[a.scenario.yaml:5:13]
      4 │ steps:
      5 │   - call: { to: gateway }
        ·             ┬─
        ·             ╰── add one of get, post, put, patch, delete
        ╰────
    ";
    a_call_with_two_methods: steps("  - call: { to: gateway, get: /a, post: /b }\n"), @r"
    error: a call needs exactly one method, this one has two
        ╭─[a.scenario.yaml:5:35]
      4 │ steps:
      5 │   - call: { to: gateway, get: /a, post: /b }
        ·                                   ─┬──
        ·                                    ╰── `get` and `post`: which one?
        ╰────
    ";
    an_unknown_program: steps("  - call: { to: gatway, get: / }\n"), @r"
    error: unknown program `gatway`
        ╭─[a.scenario.yaml:5:17]
      4 │ steps:
      5 │   - call: { to: gatway, get: / }
        ·                 ──┬───
        ·                   ╰── did you mean `gateway`? also allowed: merchant, processor-sim
        ╰────
    ";
    an_unknown_link: steps("  - fault: { on: network->bank, do: drop_response }\n"), @r"
    error: unknown link `network->bank`
        ╭─[a.scenario.yaml:5:18]
      4 │ steps:
      5 │   - fault: { on: network->bank, do: drop_response }
        ·                  ──────┬──────
        ·                        ╰── links from network: network->issuer
        ╰────
    ";
    an_unknown_message_type: steps("  - fault: { on: gateway->processor, match: { type: authorisation }, do: down }\n"), @r"
    error: unknown message type `authorisation`
        ╭─[a.scenario.yaml:5:53]
      4 │ steps:
      5 │   - fault: { on: gateway->processor, match: { type: authorisation }, do: down }
        ·                                                     ──────┬──────
        ·                                                           ╰── did you mean `authorization`?
        ╰────
    ";
    an_unknown_action: steps("  - fault: { on: gateway->processor, do: drop_reponse }\n"), @r"
    error: unknown fault `drop_reponse`
        ╭─[a.scenario.yaml:5:42]
      4 │ steps:
      5 │   - fault: { on: gateway->processor, do: drop_reponse }
        ·                                          ─────┬──────
        ·                                               ╰── did you mean `drop_response`? also allowed: drop_request, garbage, corrupt_signature, wrong_key, down
        ╰────
    ";
    an_action_that_needs_a_value: steps("  - fault: { on: gateway->processor, do: hold }\n"), @r"
    error: `hold` needs a value
        ╭─[a.scenario.yaml:5:42]
      4 │ steps:
      5 │   - fault: { on: gateway->processor, do: hold }
        ·                                          ─┬──
        ·                                           ╰── write { hold: … }
        ╰────
    ";
    two_actions: steps("  - fault: { on: gateway->processor, do: { duplicate: 2, truncate: 4 } }\n"), @r"
    error: `do` needs exactly one action, this one has two
        ╭─[a.scenario.yaml:5:58]
      4 │ steps:
      5 │   - fault: { on: gateway->processor, do: { duplicate: 2, truncate: 4 } }
        ·                                                          ───┬────
        ·                                                             ╰── `duplicate` and `truncate`: which one?
        ╰────
    ";
    a_fault_that_does_nothing: steps("  - fault: { on: gateway->processor }\n"), @r"
    error: a fault needs exactly one of `do`, `clear` and `release`, this one has none
        ╭─[a.scenario.yaml:5:14]
      4 │ steps:
      5 │   - fault: { on: gateway->processor }
        ·              ┬─
        ·              ╰── add one of do, clear, release
        ╰────
    ";
    an_unknown_card: steps("  - pay: { checkout: x, card: visa.okay }\n"), @r"
    error: no test card is called `visa.okay`
        ╭─[a.scenario.yaml:5:31]
      4 │ steps:
      5 │   - pay: { checkout: x, card: visa.okay }
        ·                               ────┬────
        ·                                   ╰── did you mean `visa.ok`? `payrig cards` lists them
        ╰────
    ";
    a_card_number_without_quotes: steps("  - pay: { checkout: x, card: 4000010000000001 }\n"), @r#"
    error: expected a word, found a number
        ╭─[a.scenario.yaml:5:31]
      4 │ steps:
      5 │   - pay: { checkout: x, card: 4000010000000001 }
        ·                               ───────┬────────
        ·                                      ╰── card numbers are quoted: "4000 0100 0000 0001"; or give an alias such as visa.ok
        ╰────
    "#;
    a_security_code_without_quotes: steps("  - pay: { checkout: x, card: visa.ok, cvv: 012 }\n"), @r"
    error: expected a text, found a number
        ╭─[a.scenario.yaml:5:45]
      4 │ steps:
      5 │   - pay: { checkout: x, card: visa.ok, cvv: 012 }
        ·                                             ─┬─
        ·                                              ╰── put it in quotes: other tools read this as a number and lose leading zeros
        ╰────
    ";
    a_duration_without_unit: steps("  - clock: { advance: 5 }\n"), @r"
    error: expected a text, found a number
        ╭─[a.scenario.yaml:5:23]
      4 │ steps:
      5 │   - clock: { advance: 5 }
        ·                       ┬
        ·                       ╰── durations have a unit: 250ms, 31s, 5m, 1h30m or 2d
        ╰────
    ";
    a_duration_in_words: steps("  - clock: { advance: 5 minutes }\n"), @r"
    error: `5 minutes` is not a duration
        ╭─[a.scenario.yaml:5:23]
      4 │ steps:
      5 │   - clock: { advance: 5 minutes }
        ·                       ────┬────
        ·                           ╰── write 250ms, 31s, 5m, 1h30m or 2d
        ╰────
    ";
    a_time_that_is_none: steps("  - clock: { advance_to: tomorrow }\n"), @r"
    error: `tomorrow` is not a time
        ╭─[a.scenario.yaml:5:26]
      4 │ steps:
      5 │   - clock: { advance_to: tomorrow }
        ·                          ───┬────
        ·                             ╰── write it as 2026-01-15T10:00:00Z
        ╰────
    ";
    a_word_for_a_number: steps("  - fault: { on: gateway->processor, times: once, do: down }\n"), @r"
    error: expected a whole number, found a text
        ╭─[a.scenario.yaml:5:45]
      4 │ steps:
      5 │   - fault: { on: gateway->processor, times: once, do: down }
        ·                                             ─┬──
        ·                                              ╰── a whole number belongs here
        ╰────
    ";
    a_number_in_quotes: steps("  - fault: { on: gateway->processor, times: \"1\", do: down }\n"), @r#"
    error: expected a number, found a text
        ╭─[a.scenario.yaml:5:45]
      4 │ steps:
      5 │   - fault: { on: gateway->processor, times: "1", do: down }
        ·                                             ─┬─
        ·                                              ╰── take away the quotes
        ╰────
    "#;
    a_number_too_small: steps("  - fault: { on: gateway->processor, times: 0, do: down }\n"), @r"
    error: 0 is too small
        ╭─[a.scenario.yaml:5:45]
      4 │ steps:
      5 │   - fault: { on: gateway->processor, times: 0, do: down }
        ·                                             ┬
        ·                                             ╰── at least 1
        ╰────
    ";
    yes_for_true: steps("  - clock: { until_idle: yes }\n"), @r"
    error: expected `true` or `false`, found a text
        ╭─[a.scenario.yaml:5:26]
      4 │ steps:
      5 │   - clock: { until_idle: yes }
        ·                          ─┬─
        ·                           ╰── `true` or `false` belongs here
        ╰────
    ";
    a_fraction_of_a_cent: steps("  - query: { from: gateway.payments }\n    expect: { sum: 49.99 }\n"), @r"
    error: `49.99` can never be an amount
        ╭─[a.scenario.yaml:6:20]
      5 │   - query: { from: gateway.payments }
      6 │     expect: { sum: 49.99 }
        ·                    ──┬──
        ·                      ╰── amounts are whole minor units: 4999 is 49.99
        ╰────
    ";
    an_unknown_matcher: steps("  - query: { from: gateway.payments }\n    expect: { count: { gt_than: 1 } }\n"), @r"
    error: unknown field `gt_than`
        ╭─[a.scenario.yaml:6:24]
      5 │   - query: { from: gateway.payments }
      6 │     expect: { count: { gt_than: 1 } }
        ·                        ───┬───
        ·                           ╰── allowed: eq, ne, gt, gte, lt, lte, contains, matches, one_of, exists, length, count, type, between, same_as, not
        ╰────
    ";
    a_broken_pattern: steps("  - query: { from: gateway.payments }\n    expect: { items.0.id: { matches: \"pay_[\" } }\n"), @r#"
    error: `pay_[` is not a pattern
        ╭─[a.scenario.yaml:6:38]
      5 │   - query: { from: gateway.payments }
      6 │     expect: { items.0.id: { matches: "pay_[" } }
        ·                                      ───┬────
        ·                                         ╰── unclosed character class
        ╰────
    "#;
    a_broken_json_path: steps("  - webhooks: {}\n    expect: { \"$[?@.type == ]\": { length: 1 } }\n"), @r#"
    error: `$[?@.type == ]` is not a JSONPath
        ╭─[a.scenario.yaml:6:15]
      5 │   - webhooks: {}
      6 │     expect: { "$[?@.type == ]": { length: 1 } }
        ·               ───────┬────────
        ·                      ╰── at position 10, in long-hand segment, expected closing ']'
        ╰────
    "#;
    an_unknown_result: steps("  - pay: { checkout: x, card: visa.ok }\n    expect: { outcom: paid }\n"), @r"
    error: `pay` gives no `outcom`
        ╭─[a.scenario.yaml:6:15]
      5 │   - pay: { checkout: x, card: visa.ok }
      6 │     expect: { outcom: paid }
        ·               ──┬───
        ·                 ╰── did you mean `outcome`? also allowed: page, payment_id
        ╰────
    ";
    an_expectation_of_nothing: steps("  - fault: { clear: all }\n    expect: { count: 1 }\n"), @r"
    error: `fault` gives nothing that could be expected
        ╭─[a.scenario.yaml:6:15]
      5 │   - fault: { clear: all }
      6 │     expect: { count: 1 }
        ·               ──┬──
        ·                 ╰── put `expect` on a step that reads something
        ╰────
    ";
    an_unknown_setting: report("version: 1\nname: x\nsettings: { gateway.procesor_deadline: 5s }\nsteps:\n  - clock: { advance: 5m }\n"), @r"
    error: unknown setting `gateway.procesor_deadline`
        ╭─[a.scenario.yaml:3:13]
      2 │ name: x
      3 │ settings: { gateway.procesor_deadline: 5s }
        ·             ────────────┬────────────
        ·                         ╰── did you mean `gateway.processor_deadline`?
        ╰────
    ";
    a_setting_of_nobody: report("version: 1\nname: x\nsettings: { bank.deadline: 5s }\nsteps:\n  - clock: { advance: 5m }\n"), @r"
    error: unknown setting `bank.deadline`
        ╭─[a.scenario.yaml:3:13]
      2 │ name: x
      3 │ settings: { bank.deadline: 5s }
        ·             ──────┬──────
        ·                   ╰── settings begin with merchant, gateway, processor-sim
        ╰────
    ";
    an_unknown_boundary: steps("  - process: { kill: gateway, when: { message: capture, at: anwsered } }\n"), @r"
    error: unknown boundary `anwsered`
        ╭─[a.scenario.yaml:5:61]
      4 │ steps:
      5 │   - process: { kill: gateway, when: { message: capture, at: anwsered } }
        ·                                                             ───┬────
        ·                                                                ╰── did you mean `answered`? also allowed: prepared, sent, answer_received, answer_stored, received, stored
        ╰────
    ";
    two_orders_for_a_process: steps("  - process: { kill: gateway, start: gateway }\n"), @r"
    error: process needs exactly one order, this one has two
        ╭─[a.scenario.yaml:5:31]
      4 │ steps:
      5 │   - process: { kill: gateway, start: gateway }
        ·                               ──┬──
        ·                                 ╰── `kill` and `start`: which one?
        ╰────
    ";
    an_unknown_decision: steps("  - issuer: { behave: { decide: refuse } }\n"), @r"
    error: unknown decision `refuse`
        ╭─[a.scenario.yaml:5:33]
      4 │ steps:
      5 │   - issuer: { behave: { decide: refuse } }
        ·                                 ──┬───
        ·                                   ╰── allowed: approve, decline, partial, hang
        ╰────
    ";
    an_unknown_source: steps("  - query: { from: gateway.payment }\n"), @r"
    error: unknown source `gateway.payment`
        ╭─[a.scenario.yaml:5:20]
      4 │ steps:
      5 │   - query: { from: gateway.payment }
        ·                    ───────┬───────
        ·                           ╰── did you mean `gateway.payments`? also allowed: gateway.attempts, gateway.captures, gateway.refunds, merchant.orders, issuer.accounts, issuer.holds, issuer.cards, issuer.ledger, network.ledger, acquirer.ledger, clearing.records, links.held
        ╰────
    ";
    an_unknown_name: steps("  - pay: { checkout: x, card: visa.ok, holder: \"${amuont}\" }\n"), @r#"
    error: `amuont`: nothing is called `amuont`
        ╭─[a.scenario.yaml:5:49]
      4 │ steps:
      5 │   - pay: { checkout: x, card: visa.ok, holder: "${amuont}" }
        ·                                                 ────┬────
        ·                                                     ╰── did you mean `amount`?
        ╰────
    "#;
    an_unknown_variable: steps("  - pay: { checkout: x, card: visa.ok, holder: \"Mr ${vars.nmae}\" }\n"), @r#"
    error: `vars.nmae`: no variable is called `nmae`
        ╭─[a.scenario.yaml:5:52]
      4 │ steps:
      5 │   - pay: { checkout: x, card: visa.ok, holder: "Mr ${vars.nmae}" }
        ·                                                    ─────┬──────
        ·                                                         ╰── allowed: amount
        ╰────
    "#;
    an_unknown_step: steps("  - id: first_try\n    pay: { checkout: x, card: visa.ok }\n  - call: { to: gateway, get: \"/api/payments/${first_tyr.payment_id}\" }\n"), @r#"
    error: `first_tyr.payment_id`: nothing is called `first_tyr`
        ╭─[a.scenario.yaml:7:46]
      6 │     pay: { checkout: x, card: visa.ok }
      7 │   - call: { to: gateway, get: "/api/payments/${first_tyr.payment_id}" }
        ·                                              ───────────┬───────────
        ·                                                         ╰── did you mean `first_try`?
        ╰────
    "#;
    a_step_that_comes_later: steps("  - call: { to: gateway, get: \"/api/payments/${try.payment_id}\" }\n  - id: try\n    pay: { checkout: x, card: visa.ok }\n"), @r#"
    error: `try.payment_id`: the step `try` comes later, or is this one
        ╭─[a.scenario.yaml:5:46]
      4 │ steps:
      5 │   - call: { to: gateway, get: "/api/payments/${try.payment_id}" }
        ·                                              ────────┬────────
        ·                                                      ╰── only results of earlier steps are known here
        ╰────
    "#;
    an_unknown_capture: steps("  - id: order\n    call: { to: merchant, post: /api/orders }\n    capture: { id: body.id }\n  - call: { to: merchant, get: \"/api/orders/${order.ident}\" }\n"), @r#"
    error: `order.ident`: no result of this step is called `ident`
        ╭─[a.scenario.yaml:8:45]
      7 │     capture: { id: body.id }
      8 │   - call: { to: merchant, get: "/api/orders/${order.ident}" }
        ·                                             ──────┬───────
        ·                                                   ╰── allowed: id, status, header, body, duration, outcome
        ╰────
    "#;
    a_capture_without_id: steps("  - call: { to: merchant, post: /api/orders }\n    capture: { id: body.id }\n"), @r"
    error: a step that captures needs an `id`
        ╭─[a.scenario.yaml:6:16]
      5 │   - call: { to: merchant, post: /api/orders }
      6 │     capture: { id: body.id }
        ·                ┬─
        ·                ╰── captures are used as ${id.name}
        ╰────
    ";
    two_steps_with_one_id: steps("  - id: a\n    clock: { advance: 5m }\n  - id: a\n    clock: { advance: 5m }\n"), @r"
    error: two steps have the id `a`
        ╭─[a.scenario.yaml:7:9]
      6 │     clock: { advance: 5m }
      7 │   - id: a
        ·         ┬
        ·         ╰── each id belongs to one step
        ╰────
    ";
    a_reference_left_open: steps("  - pay: { checkout: \"${amount\", card: visa.ok }\n"), @r#"
    error: a reference is not closed
        ╭─[a.scenario.yaml:5:22]
      4 │ steps:
      5 │   - pay: { checkout: "${amount", card: visa.ok }
        ·                      ────┬─────
        ·                          ╰── write ${name}
        ╰────
    "#;
    a_cell_that_is_missing: report("version: 1\nname: x\nmatrix:\n  - { case: a, do: down }\n  - { case: b }\nsteps:\n  - clock: { advance: 5m }\n"), @r"
    error: this row has no `do`
        ╭─[a.scenario.yaml:5:7]
      4 │   - { case: a, do: down }
      5 │   - { case: b }
        ·       ─┬──
        ·        ╰── every row has the same cells
        ╰────
    ";
    two_cases_with_one_name: report("version: 1\nname: x\nmatrix:\n  - { case: a }\n  - { case: a }\nsteps:\n  - clock: { advance: 5m }\n"), @r"
    error: two cases are called `a`
        ╭─[a.scenario.yaml:5:13]
      4 │   - { case: a }
      5 │   - { case: a }
        ·             ┬
        ·             ╰── each test case needs a name of its own
        ╰────
    ";
    polling_a_request_that_moves_money: steps("  - eventually:\n      call: { to: gateway, post: /api/payments }\n      expect: { status: 201 }\n"), @r"
    error: `post` cannot be asked again and again
        ╭─[a.scenario.yaml:6:28]
      5 │   - eventually:
      6 │       call: { to: gateway, post: /api/payments }
        ·                            ─┬──
        ·                             ╰── it may move money each time: use `get`, or a step of its own
        ╰────
    ";
    an_expectation_beside_eventually: steps("  - eventually:\n      query: { from: merchant.orders }\n      expect: { count: 1 }\n    expect: { count: 1 }\n"), @r"
    error: `eventually` has its own `expect`
        ╭─[a.scenario.yaml:8:13]
      7 │       expect: { count: 1 }
      8 │     expect: { count: 1 }
        ·             ┬─
        ·             ╰── move it below `eventually`
        ╰────
    ";
    a_reference_in_an_invariant: report("version: 1\nname: x\ninvariants:\n  - name: one payment\n    query: gateway.payments\n    where: { order_reference: \"${ordr.id}\" }\n    expect: { count: 1 }\nsteps:\n  - id: order\n    call: { to: merchant, post: /api/orders }\n"), @r#"
    error: `ordr.id`: nothing is called `ordr`
        ╭─[a.scenario.yaml:6:32]
      5 │     query: gateway.payments
      6 │     where: { order_reference: "${ordr.id}" }
        ·                                ────┬─────
        ·                                    ╰── did you mean `order`?
        ╰────
    "#;
}

#[test]
fn all_mistakes_of_a_file_are_told_at_once() {
    let text = steps(
        "  - clock: { advnace: 5m }\n  - fault: { on: a->b, do: down }\n  - pay: { checkout: x, card: 4 }\n",
    );
    assert_eq!(text.matches("error: ").count(), 3, "{text}");
}

#[test]
fn a_right_file_is_right() {
    assert_eq!(steps("  - name: wait\n    clock: { advance: 5m }\n"), "nothing is wrong");
}
