//! The fault panel: presets in words, a builder, what is armed; and messages held at a hop.

use actix_web::HttpResponse;
use actix_web::web::Data;
use askama::Template;
use http::Method;
use kit::http::{Pairs, Problem, ReceivedRequest, query_pairs};
use serde_json::json;

use super::Console;
use super::frame::{Frame, fault_listings};
use super::http::{Answer, as_page, back};
use super::pages::rendered;
use crate::cli::FaultAdd;
use crate::commands::{arm_faults, clear_faults, read_faults, tell_what_is_armed, wanted_faults};
use crate::failure::{Failure, Outcome};
use crate::program::Program;

/// A mishap that one press arms.
#[derive(Debug)]
pub(super) struct Preset {
    /// Its name in forms.
    pub id: &'static str,
    /// What it does, in words.
    pub words: &'static str,
    /// What will be seen.
    pub shows: &'static str,
    /// The fault as `payrig fault add` takes it.
    pub fault: &'static str,
}

/// The presets, grouped as they are shown.
pub(super) const GROUPS: [(&str, &[Preset]); 3] =
    [("Authorization", AUTHORIZATION), ("Webhooks", WEBHOOKS), ("Programs and signatures", REST)];

const AUTHORIZATION: &[Preset] = &[
    Preset {
        id: "lose-answer",
        words: "Lose the next authorization's answer",
        shows: "The bank says yes, nobody hears it, and the inquiry is not answered either: a reversal.",
        fault: r#"[{"on":"gateway->processor","match":{"type":"authorization"},"times":1,"do":"drop_response"},
            {"on":"gateway->processor","match":{"type":"inquiry"},"times":1,"do":"drop_response"}]"#,
    },
    Preset {
        id: "lose-answer-only",
        words: "Lose the next authorization's answer, and let the inquiry through",
        shows: "The gateway asks what became of it, hears of the approval, and the order is paid.",
        fault: r#"{"on":"gateway->processor","match":{"type":"authorization"},"times":1,"do":"drop_response"}"#,
    },
    Preset {
        id: "lose-request",
        words: "Lose the next authorization on its way",
        shows: "The processor never sees it; the outcome is still unknown to the gateway.",
        fault: r#"{"on":"gateway->processor","match":{"type":"authorization"},"times":1,"do":"drop_request"}"#,
    },
    Preset {
        id: "late-answer",
        words: "Answer the next authorization after 45 seconds",
        shows: "An approval that comes after the deadline is not believed.",
        fault: r#"{"on":"gateway->processor","match":{"type":"authorization"},"times":1,"do":{"delay_response":"45s"}}"#,
    },
    Preset {
        id: "silent-issuer",
        words: "Let the next authorization get lost before the bank",
        shows: "The network stands in for the issuer, or says 91.",
        fault: r#"{"on":"network->issuer","match":{"type":"authorization"},"times":1,"do":"drop_request"}"#,
    },
    Preset {
        id: "garbage",
        words: "Answer the next authorization with garbage",
        shows: "What cannot be read is unknown, never declined.",
        fault: r#"{"on":"gateway->processor","match":{"type":"authorization"},"times":1,"do":"garbage"}"#,
    },
    Preset {
        id: "altered-amount",
        words: "Change the amount of the next authorization on the way",
        shows: "The digest no longer fits: the processor refuses the signature.",
        fault: r#"{"on":"gateway->processor","match":{"type":"authorization"},"times":1,"do":{"alter":{"amount":1}}}"#,
    },
];

const WEBHOOKS: &[Preset] = &[
    Preset {
        id: "webhooks-thrice",
        words: "Deliver every webhook three times",
        shows: "The shop fulfils once: the copies are duplicates.",
        fault: r#"{"on":"gateway->merchant","do":{"duplicate":3}}"#,
    },
    Preset {
        id: "webhooks-lost",
        words: "Lose the next three webhooks",
        shows: "They are tried again after 5 seconds, then after 5 minutes.",
        fault: r#"{"on":"gateway->merchant","times":3,"do":"drop_request"}"#,
    },
    Preset {
        id: "webhooks-reordered",
        words: "Deliver webhooks in the wrong order",
        shows: "The sequence number decides: the older one is stale.",
        fault: r#"{"on":"gateway->merchant","do":{"reorder":{"window":2,"order":"reverse"}}}"#,
    },
    Preset {
        id: "webhook-forged",
        words: "Damage the signature of the next webhook",
        shows: "401, and the order stays as it is until the repeat.",
        fault: r#"{"on":"gateway->merchant","times":1,"do":"corrupt_signature"}"#,
    },
    Preset {
        id: "webhook-replayed",
        words: "Deliver the next webhook once more after ten minutes",
        shows: "Older than five minutes: refused although the signature is right.",
        fault: r#"{"on":"gateway->merchant","times":1,"do":{"replay":{"after":"10m"}}}"#,
    },
];

const REST: &[Preset] = &[
    Preset {
        id: "processor-down",
        words: "The processor refuses connections",
        shows: "Nothing was sent, so nothing is unknown: the payer may try again.",
        fault: r#"{"on":"gateway->processor","do":"down"}"#,
    },
    Preset {
        id: "api-unavailable",
        words: "The gateway answers the shop with 503, three times",
        shows: "The shop repeats with the same idempotency key.",
        fault: r#"{"on":"merchant->gateway","times":3,"do":{"status":{"code":503}}}"#,
    },
    Preset {
        id: "wrong-key",
        words: "Sign the shop's next call with a wrong key",
        shows: "401 mac_mismatch: the message inspector says why.",
        fault: r#"{"on":"merchant->gateway","match":{"path":"/api/payments*"},"times":1,"do":"wrong_key"}"#,
    },
    Preset {
        id: "stale",
        words: "Sign the shop's next call ten minutes in the past",
        shows: "401 expired: clocks that differ look like this.",
        fault: r#"{"on":"merchant->gateway","match":{"path":"/api/payments*"},"times":1,"do":{"stale_timestamp":"10m"}}"#,
    },
];

/// The preset of this name.
pub(super) fn preset(id: &str) -> Option<&'static Preset> {
    GROUPS.iter().flat_map(|(_, presets)| presets.iter()).find(|preset| preset.id == id)
}

#[derive(Template)]
#[template(path = "console/faults.html")]
struct FaultsPage {
    frame: Frame,
    groups: &'static [(&'static str, &'static [Preset])],
    links: Vec<String>,
    parked: Vec<Parked>,
}

/// Messages that wait under a label.
struct Parked {
    label: String,
    count: usize,
}

/// `GET /faults`
pub(super) async fn show(console: Data<Console>, received: ReceivedRequest) -> Answer {
    query_pairs(&received.query)?.only(&["said", "refresh"])?;
    let frame = Frame::of(&console, &received, "faults").await?.alive(&received, "");
    let listings = fault_listings(&console).await;
    let links = listings.iter().flat_map(|(_, listing)| listing.links.clone());
    // What a browser sends cannot be armed from here: it belongs to the program that serves it.
    let links = links.filter(|link| !link.starts_with("browser")).collect();
    let waiting = listings.iter().flat_map(|(_, listing)| listing.parked.clone());
    let parked = waiting.map(|(label, count)| Parked { label, count }).collect();
    Ok(as_page(rendered(&FaultsPage { frame, groups: &GROUPS, links, parked })))
}

/// `POST /faults`: arms a preset, or what the builder says.
pub(super) async fn arm(console: Data<Console>, received: ReceivedRequest) -> Answer {
    let form = console.desk.form(&received)?;
    let armed = match form.get("preset") {
        Some(id) => arm_preset(&console, id).await,
        None => arm_built(&console, &form).await,
    };
    Ok(back(&console, "/faults", armed))
}

/// Arms a preset.
pub(super) async fn arm_preset(console: &Console, id: &str) -> Outcome<String> {
    let preset = preset(id).ok_or_else(|| Failure::usage(format!("there is no preset `{id}`")))?;
    arm_faults(&console.access, read_faults(preset.fault)?).await?;
    Ok(format!("Armed: {}", preset.words))
}

async fn arm_built(console: &Console, form: &Pairs) -> Outcome<String> {
    let text = |name: &str| form.get(name).map(str::trim).filter(|text| !text.is_empty());
    let owned = |name: &str| text(name).map(str::to_owned);
    let number = |name: &str| {
        let parse = |text: &str| text.parse::<u32>();
        text(name).map(parse).transpose().map_err(|_| {
            Failure::usage(format!(
                "`{name}` is {}: a whole number is expected",
                form.get(name).unwrap_or("")
            ))
        })
    };
    let action = match (text("action"), text("value")) {
        (Some(action), Some(value)) => Some(format!("{action}:{value}")),
        (action, _) => action.map(str::to_owned),
    };
    let wish = FaultAdd {
        on: owned("on").unwrap_or_default(),
        action,
        message_type: owned("type"),
        payment: owned("payment"),
        order: owned("order"),
        card: owned("card"),
        event: owned("event"),
        path: None,
        times: number("times")?,
        skip: number("skip")?,
        probability: None,
    };
    let ids = arm_faults(&console.access, wanted_faults(&wish)?).await?;
    Ok(format!("Armed: {}", ids.join(", ")))
}

/// `POST /faults/clear`: one by its id, else all.
pub(super) async fn clear(console: Data<Console>, received: ReceivedRequest) -> Answer {
    let form = console.desk.form(&received)?;
    let id = form.get("id").filter(|id| !id.is_empty());
    let cleared = clear_faults(&console.access, id).await;
    let said =
        id.map_or_else(|| "All faults are cleared".to_owned(), |id| format!("Cleared: {id}"));
    let place = place_of(&form);
    Ok(back(&console, &place, cleared.map(|()| said)))
}

/// The page that a form was on, if it is one of ours.
pub(super) fn place_of(form: &Pairs) -> String {
    let place = form.get("place").unwrap_or("/");
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/_-".contains(&byte);
    let ours = place.starts_with('/') && !place.starts_with("//") && place.bytes().all(plain);
    if ours { place.to_owned() } else { "/".to_owned() }
}

/// `POST /hold`: messages on a link wait until they are released.
pub(super) async fn hold(console: Data<Console>, received: ReceivedRequest) -> Answer {
    let form = console.desk.form(&received)?;
    let on = form.require("on")?;
    let kind = form.get("type").map(str::trim).filter(|kind| !kind.is_empty());
    let held = hold_on(&console, on, kind).await;
    Ok(back(&console, "/faults", held))
}

async fn hold_on(console: &Console, on: &str, kind: Option<&str>) -> Outcome<String> {
    let program = Program::sending_on(on)
        .ok_or_else(|| Failure::usage(format!("`{on}` is not a link that a program sends on")))?;
    let matching = kind.map_or_else(|| json!({}), |kind| json!({ "type": kind }));
    let body = json!({ "on": on, "match": matching, "label": on });
    console.access.tell(program, Method::POST, "hold", Some(&body)).await?;
    tell_what_is_armed(&console.access).await;
    Ok(format!("Messages on {on} are held until you release them"))
}

/// `POST /release`: lets go what waits under a label.
pub(super) async fn release(console: Data<Console>, received: ReceivedRequest) -> Answer {
    let form = console.desk.form(&received)?;
    let released = release_all(&console, form.require("label")?).await;
    Ok(back(&console, "/faults", released))
}

async fn release_all(console: &Console, label: &str) -> Outcome<String> {
    let body = json!({ "label": label });
    let mut count = 0;
    for program in Program::ALL {
        let reply = console.access.tell(program, Method::POST, "release", Some(&body)).await?;
        let answer: serde_json::Value = serde_json::from_slice(&reply.body).unwrap_or_default();
        count += answer.get("released").and_then(serde_json::Value::as_u64).unwrap_or(0);
    }
    Ok(format!("{count} released on {label}"))
}

/// `POST /vulnerabilities`: switches a protection.
pub(super) async fn switch(console: Data<Console>, received: ReceivedRequest) -> Answer {
    let form = console.desk.form(&received)?;
    let (id, on) = (form.require("id")?, form.get("on") == Some("yes"));
    let place = place_of(&form);
    let switched = switch_weakness(&console, id, on).await;
    Ok::<HttpResponse, Problem>(back(&console, &place, switched))
}

/// Switches a protection wherever it is known.
pub(super) async fn switch_weakness(console: &Console, id: &str, on: bool) -> Outcome<String> {
    let body = json!({ "id": id, "on": on });
    let mut last = None;
    for program in Program::ALL {
        match console.access.tell(program, Method::POST, "vulnerabilities", Some(&body)).await {
            Ok(_) if on => return Ok(format!("The protection is off: {id}")),
            Ok(_) => return Ok(format!("The protection is on again: {id}")),
            Err(failure) => last = Some(failure),
        }
    }
    Err(last.unwrap_or_else(|| Failure::usage(format!("there is no protection `{id}`"))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_preset_is_a_fault_on_a_link_of_this_world() {
        let mut ids = Vec::new();
        for preset in GROUPS.iter().flat_map(|(_, presets)| presets.iter()) {
            let faults = read_faults(preset.fault).unwrap();
            assert!(Program::sending_on(&faults[0].on).is_some(), "{}", preset.id);
            assert!(!ids.contains(&preset.id), "{} stands twice", preset.id);
            ids.push(preset.id);
        }
        assert!(preset("lose-answer").is_some() && preset("nothing").is_none());
    }

    #[test]
    fn a_form_leads_back_to_pages_of_this_console_only() {
        let form = |text: &str| query_pairs(text).unwrap();
        assert_eq!(place_of(&form("place=/payments/pay_1")), "/payments/pay_1");
        assert_eq!(place_of(&form("place=//evil.example")), "/");
        assert_eq!(place_of(&form("place=https://evil.example/")), "/");
        assert_eq!(place_of(&form("")), "/");
    }
}
