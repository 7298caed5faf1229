//! The messages of a payment as a ladder: who told whom what, and what got lost. SVG without a script.

use std::fmt::Write;

use serde_json::Value;

use super::escaped;

/// From left to right.
const LANES: [&str; 8] =
    ["browser", "merchant", "gateway", "processor", "network", "issuer", "directory", "acs"];
/// Between two lanes.
const STEP: usize = 190;
/// Left and right of the lanes.
const MARGIN: usize = 110;
/// Above the first message.
const HEAD: usize = 44;
/// Between two messages.
const ROW: usize = 40;
/// Messages of one picture; the last ones, where there are more.
const MESSAGES_MAX: usize = 60;

fn text<'v>(message: &'v Value, key: &str) -> &'v str {
    message.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// The payments that messages are about, in the order in which they appear.
pub fn payments(messages: &[&Value]) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for id in messages.iter().map(|message| text(message, "payment")) {
        if !id.is_empty() && !found.iter().any(|known| known == id) {
            found.push(id.to_owned());
        }
    }
    found
}

/// The ladder of one payment.
pub fn drawing(payment: &str, messages: &[&Value]) -> String {
    let mut about: Vec<&Value> =
        messages.iter().copied().filter(|message| text(message, "payment") == payment).collect();
    about.sort_by_key(|message| (text(message, "at"), rank(text(message, "link"))));
    let shown = about.get(about.len().saturating_sub(MESSAGES_MAX)..).unwrap_or_default();
    let used = |lane: &&&str| {
        shown.iter().any(|message| {
            let ends = text(message, "link").split_once("->");
            ends.is_some_and(|(from, to)| from == **lane || to == **lane)
        })
    };
    let lanes: Vec<&str> = LANES.iter().filter(used).copied().collect();
    let width = STEP.saturating_mul(lanes.len().saturating_sub(1)).saturating_add(MARGIN * 2);
    let height = ROW.saturating_mul(shown.len()).saturating_add(HEAD + 16);
    let label = escaped(&format!("ladder of {payment}"));
    let mut svg = format!(
        "<svg class=\"ladder\" role=\"img\" aria-label=\"{label}\" viewBox=\"0 0 {width} {height}\" \
         width=\"{width}\" height=\"{height}\">\n"
    );
    for (index, lane) in lanes.iter().enumerate() {
        let x = place(index);
        let bottom = height.saturating_sub(8);
        writeln!(
            svg,
            "<text class=\"lane\" x=\"{x}\" y=\"18\">{lane}</text>\
             <line class=\"lane\" x1=\"{x}\" y1=\"26\" x2=\"{x}\" y2=\"{bottom}\"/>"
        )
        .ok();
    }
    for (row, message) in shown.iter().enumerate() {
        let y = ROW.saturating_mul(row).saturating_add(HEAD + 12);
        arrows(&mut svg, &lanes, message, y);
    }
    svg.push_str("</svg>\n");
    svg
}

/// What was sent at the same moment was sent from left to right, notifications last.
fn rank(link: &str) -> usize {
    let from = link.split("->").next().unwrap_or_default();
    let place = LANES.iter().position(|lane| *lane == from).unwrap_or_default();
    if link == "gateway->merchant" { LANES.len() } else { place }
}

const fn place(index: usize) -> usize {
    STEP.saturating_mul(index).saturating_add(MARGIN)
}

/// The question, and below it the answer or what became of it.
fn arrows(svg: &mut String, lanes: &[&str], message: &Value, y: usize) {
    let ends = text(message, "link").split_once("->").unwrap_or_default();
    let lane = |name: &str| lanes.iter().position(|lane| *lane == name).map(place);
    let (Some(from), Some(to)) = (lane(ends.0), lane(ends.1)) else { return };
    let middle = from.midpoint(to);
    let outcome = text(message, "outcome");
    let at = text(message, "at").split_once('T').map_or("", |(_, time)| time);
    let kind = [text(message, "mti"), text(message, "type"), text(message, "notification")];
    let words = kind.join(" ");
    let asked = format!("{} {}", at.trim_end_matches('Z'), words.trim());
    let arrives = outcome != "lost_request" && outcome != "not_sent";
    arrow(svg, (from, if arrives { to } else { middle }), y, &asked, !arrives);
    let status = message.get("status").and_then(Value::as_u64);
    let code = [text(message, "answer_mti"), text(message, "response_code")].join(" ");
    let code = code.trim().to_owned();
    let said =
        if code.is_empty() { status.map_or(String::new(), |it| it.to_string()) } else { code };
    let below = y.saturating_add(15);
    match outcome {
        "answered" => arrow(svg, (to, from), below, &said, false),
        "lost_answer" => arrow(svg, (to, middle), below, "the answer is lost", true),
        "lost_request" => note(svg, middle, below, "lost"),
        "deadline" => note(svg, middle, below, "no answer in time"),
        other => note(svg, middle, below, &other.replace('_', " ")),
    }
}

fn arrow(svg: &mut String, (from, to): (usize, usize), y: usize, words: &str, lost: bool) {
    let class = if lost { "lost" } else { "sent" };
    let back = if to > from { to.saturating_sub(7) } else { to.saturating_add(7) };
    let (above, below) = (y.saturating_sub(4), y.saturating_add(4));
    let middle = from.midpoint(to);
    let over = y.saturating_sub(5);
    writeln!(
        svg,
        "<line class=\"{class}\" x1=\"{from}\" y1=\"{y}\" x2=\"{to}\" y2=\"{y}\"/>\
         <path class=\"{class}\" d=\"M{back} {above}L{to} {y}L{back} {below}\"/>\
         <text class=\"{class}\" x=\"{middle}\" y=\"{over}\">{}</text>",
        escaped(words)
    )
    .ok();
    if lost {
        writeln!(svg, "<text class=\"cross\" x=\"{to}\" y=\"{below}\">✗</text>").ok();
    }
}

fn note(svg: &mut String, x: usize, y: usize, words: &str) {
    writeln!(svg, "<text class=\"lost\" x=\"{x}\" y=\"{y}\">{}</text>", escaped(words)).ok();
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_got_lost_ends_half_way_and_only_parties_that_speak_have_a_lane() {
        let message = |link: &str, outcome: &str| {
            json!({
                "link": link, "payment": "pay_1", "type": "authorization", "mti": "0100",
                "at": "2026-01-15T10:00:20.000Z", "outcome": outcome, "response_code": "00",
                "answer_mti": "0110",
            })
        };
        let one = message("gateway->processor", "answered");
        let two = message("gateway->processor", "lost_answer");
        let other = json!({"link": "browser->gateway", "payment": "pay_2"});
        let all = [&one, &two, &other];
        assert_eq!(payments(&all), ["pay_1", "pay_2"]);
        let svg = drawing("pay_1", &all);
        assert!(svg.contains(">gateway</text>") && svg.contains(">processor</text>"), "{svg}");
        assert!(!svg.contains("browser") && !svg.contains("issuer"), "{svg}");
        assert!(svg.contains("0110 00") && svg.contains("the answer is lost"), "{svg}");
        assert!(svg.contains("✗") && svg.contains("10:00:20.000 0100 authorization"), "{svg}");
    }
}
