//! Fragments: how they are found, what they take and give, and what is said when they do not fit.

use scenario::model::{Scenario, Verb, parse_with};

const ORDER: &str = "version: 1
params:
  sku: required
  quantity: { default: 1 }
steps:
  - id: placed
    name: Customer orders
    call: { to: merchant, post: /api/orders, json: { sku: \"${sku}\", quantity: \"${quantity}\" } }
    expect: { status: 201 }
    capture: { id: body.id }
returns: { id: \"${placed.id}\" }
";

const TWICE: &str = "version: 1
steps:
  - id: one
    use: { fragment: order, with: { sku: tea-42 } }
  - id: other
    use: { fragment: order, with: { sku: cup-7 } }
returns: { first: \"${one.id}\", second: \"${other.id}\" }
";

fn library(name: &str) -> Option<(String, String)> {
    let source = match name {
        "order" => ORDER,
        "twice" => TWICE,
        "loop" => "version: 1\nsteps:\n  - use: { fragment: loop }\n",
        "broken" => "version: 1\nsteps:\n  - clock: { advnace: 1h }\n",
        "nosy" => "version: 1\nsteps:\n  - clock: { advance: \"${vars.far}\" }\n",
        _ => return None,
    };
    Some((format!("fragments/{name}.fragment.yaml"), source.to_owned()))
}

fn read(steps: &str) -> Result<Scenario, String> {
    let source = format!("version: 1\nname: A purchase\nsteps:\n{steps}");
    parse_with("a.scenario.yaml", &source, &library).map_err(|found| {
        found.iter().map(|one| one.render("a.scenario.yaml", &source)).collect::<String>()
    })
}

fn mistakes(steps: &str) -> String {
    read(steps).err().unwrap_or_else(|| "nothing is wrong".to_owned())
}

#[test]
fn the_steps_of_a_fragment_get_names_of_their_own() {
    let steps = "  - id: both\n    name: Two orders\n    use: { fragment: twice }\n";
    let more =
        "  - name: One more\n    use: { fragment: order, with: { sku: \"${both.first}\" } }\n";
    let scenario = read(&format!("{steps}{more}")).unwrap();
    let both = &scenario.steps[0];
    assert_eq!(both.verb, Verb::Use);
    let inner = &both.branches[0];
    let placed = inner.iter().map(|use_| use_.branches[0][0].clone()).collect::<Vec<_>>();
    assert_eq!(placed[0].name, "Two orders › use › Customer orders");
    assert_ne!(placed[0].id, placed[1].id, "two uses must not share an id");
    assert!(placed[0].origin.as_deref().unwrap().contains("order.fragment.yaml:"));
    assert_eq!(placed[0].spot, both.spot, "the place to look at is in the scenario");
    let text = placed[1].body.to_string();
    assert!(text.contains(".sku}") && !text.contains("${sku}"), "{text}");
}

#[test]
fn a_use_that_does_not_fit_is_told_with_what_would_be_right() {
    insta::assert_snapshot!(mistakes("  - use: { fragment: ordr, with: { sku: a } }\n"), @r"
    error: there is no fragment `ordr`
        ╭─[a.scenario.yaml:4:22]
      3 │ steps:
      4 │   - use: { fragment: ordr, with: { sku: a } }
        ·                      ─┬──
        ·                       ╰── fragments are files: fragments/ordr.fragment.yaml
        ╰────
    ");
    insta::assert_snapshot!(mistakes("  - use: { fragment: order, with: { skuu: a } }\n"), @r"
    error: the fragment `order` needs `sku`
        ╭─[a.scenario.yaml:4:22]
      3 │ steps:
      4 │   - use: { fragment: order, with: { skuu: a } }
        ·                      ──┬──
        ·                        ╰── add it below `with`: sku: …
        ╰────
    error: the fragment `order` takes no `skuu`
        ╭─[a.scenario.yaml:4:37]
      3 │ steps:
      4 │   - use: { fragment: order, with: { skuu: a } }
        ·                                     ─┬──
        ·                                      ╰── did you mean `sku`? also allowed: quantity
        ╰────
    ");
    let wrong =
        "  - id: it\n    use: { fragment: twice }\n  - clock: { advance: \"${it.frist}\" }\n";
    insta::assert_snapshot!(mistakes(wrong), @r#"
    error: `it.frist`: no result of this step is called `frist`
        ╭─[a.scenario.yaml:6:24]
      5 │     use: { fragment: twice }
      6 │   - clock: { advance: "${it.frist}" }
        ·                        ─────┬─────
        ·                             ╰── did you mean `first`? also allowed: second
        ╰────
    "#);
}

#[test]
fn a_fragment_that_is_wrong_in_itself_is_told_where_it_is_used() {
    insta::assert_snapshot!(mistakes("  - use: { fragment: loop }\n"), @r"
    error: the fragment `loop` uses itself
        ╭─[a.scenario.yaml:4:22]
      3 │ steps:
      4 │   - use: { fragment: loop }
        ·                      ─┬──
        ·                       ╰── loop
        ╰────
    ");
    insta::assert_snapshot!(mistakes("  - use: { fragment: broken }\n"), @r"
    error: the fragment `broken` is not right
        ╭─[a.scenario.yaml:4:22]
      3 │ steps:
      4 │   - use: { fragment: broken }
        ·                      ──┬───
        ·                        ╰── fragments/broken.fragment.yaml:3: unknown field `advnace`
        ╰────
    ");
    insta::assert_snapshot!(mistakes("  - use: { fragment: nosy }\n"), @r"
    error: the fragment `nosy` is not right
        ╭─[a.scenario.yaml:4:22]
      3 │ steps:
      4 │   - use: { fragment: nosy }
        ·                      ─┬──
        ·                       ╰── fragments/nosy.fragment.yaml:3: `vars.far`: no variable is called `far`
        ╰────
    ");
}
