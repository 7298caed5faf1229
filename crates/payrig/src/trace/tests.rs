//! Tests of the trace: merging, order, and the ladder as it is drawn.

use super::samples::{PAYMENT, at, lost_answer, paid};
use super::*;
use crate::terminal::Look;

const WIDE: Look = Look { width: 160, ..Look::PLAIN };

#[test]
fn both_ends_of_a_message_are_one_exchange() {
    let trace = merge(PAYMENT, paid());
    assert_eq!(trace.exchanges.len(), 6);
    let hop = &trace.exchanges[2];
    assert_eq!((hop.from, hop.to), (Lane::Gateway, Lane::Processor));
    assert!(hop.sender.is_some() && hop.receiver.is_some());
    let page = &trace.exchanges[1];
    assert_eq!((page.from, page.to), (Lane::Browser, Lane::Gateway));
    assert!(page.sender.is_none());
}

#[test]
fn a_payment_reads_from_top_to_bottom() {
    insta::assert_snapshot!(ladder(&merge(PAYMENT, paid()), WIDE), @r"
                      browser     merchant      gateway     processor     network      issuer
     1  10:32:01.120      │            ├────POST───▶│            │            │            │    POST /api/payments  ✓ signed
     2  10:32:01.121      │            │            ●            │            │            │    gateway: requires_payment_method
     3  10:32:01.122      │            │◀────201────┤            │            │            │    requires_payment_method  ✓ signed
     4  10:32:02.020      ├───────────POST─────────▶│            │            │            │    POST /pay/form
     5  10:32:02.022      │            │            ●            │            │            │    gateway: requires_payment_method → processing
     6  10:32:02.022      │            │            ├────0100───▶│            │            │    authorization €49.99  ✓ signed
     7  10:32:02.023      │            │            │            ├────0100───▶│            │    authorization €49.99  ✓ signed
     8  10:32:02.023      │            │            │            │            ├────0100───▶│    authorization €49.99  ✓ signed
     9  10:32:02.024      │            │            │            │            │◀──0110 00──┤    00 approved (decided by account)  ✓ signed
    10  10:32:02.025      │            │            │            │◀──0110 00──┤            │    00 approved (decided by account)  ✓ signed
    11  10:32:02.026      │            │            │◀──0110 00──┤            │            │    00 approved (decided by account)  ✓ signed
    12  10:32:02.027      │            │            ●            │            │            │    gateway: processing → captured
    13  10:32:02.030      │◀──────────303───────────┤            │            │            │    go elsewhere
    14  10:32:02.032      │            │◀─captured──┤            │            │            │    webhook payment.captured  ✓ signed
    15  10:32:02.034      │            ├─────200───▶│            │            │            │    OK  ✓ signed
    ");
}

#[test]
fn lost_late_repeated_and_refused_messages_are_marked() {
    insta::assert_snapshot!(ladder(&merge(PAYMENT, lost_answer()), WIDE), @r"
                      browser     merchant      gateway     processor     network      issuer
     1  10:32:01.120      │            │            ●            │            │            │    gateway: processing
     2  10:32:01.120      │            │            ├────0100───▶│            │            │    authorization €49.99  ✓ signed
     3  10:32:01.124      │            │            │ ✗─0110 00──┤            │            │    00 approved (decided by account), lost on the way  fault flt_1
     4  10:32:21.120      │            │            ●            │            │            │    gateway: processing → outcome_unknown
     5  10:32:21.620      │            │            ├────0600──✗ │            │            │    inquiry, could not be sent  lost  fault flt_2
     6  10:32:32.120      │            │            ├────0400───▶│            │            │    reversal  ✓ signed
     7  10:32:32.122      │            │            │◀──0410 00──┤            │            │    00 approved  ✓ signed
     8  10:32:32.123      │            │            ●            │            │            │    gateway: outcome_unknown → failed
     9  10:32:32.130      │            │◀──failed───┤            │            │            │    webhook payment.failed  ✓ signed
    10  10:32:32.132      │            ├─────200───▶│            │            │            │    OK  ✓ signed
    11  10:32:32.135      │            │◀─failed #2─┤            │            │            │    webhook payment.failed, arrival 2  ✓ signed
    12  10:32:32.136      │            ├───200 #2──▶│            │            │            │    OK  ✓ signed
    13  10:32:32.620      │            │            ├╌╌╌╌0400╌╌╌▶│            │            │    reversal, arrived 10:32:37.619  late  ✓ signed
    14  10:32:37.620      │            │            │◀──0410 00──┤            │            │    00 approved  ✓ signed
    15  10:32:41.120      │            │            ├────0400───▷│            │            │    reversal  refused  ✗ signature: mac_mismatch
    16  10:32:41.121      │            │            │◀────401────┤            │            │    not authorized  ✓ signed
    ");
}

#[test]
fn a_narrow_terminal_gets_the_words_below_and_ascii_where_needed() {
    let look = Look { width: 80, unicode: false, ..Look::PLAIN };
    let mut sources = lost_answer();
    sources.entries.truncate(2);
    insta::assert_snapshot!(ladder(&merge(PAYMENT, sources), look), @r"
                     browser     merchant      gateway     processor     network      issuer
    1  10:32:01.120      |            |            *            |            |            |
    2  10:32:01.120      |            |            +----0100--->|            |            |
    3  10:32:01.124      |            |            | x-0110 00--+            |            |
    4  10:32:21.120      |            |            *            |            |            |
    5  10:32:32.123      |            |            *            |            |            |

    1  gateway: processing
    2  authorization €49.99  signed ok
    3  00 approved (decided by account), lost on the way  fault flt_1
    4  gateway: processing -> outcome_unknown
    5  gateway: outcome_unknown -> failed
    ");
}

#[test]
fn messages_of_one_moment_keep_their_order() {
    // A virtual clock stands still while a payment goes through all hops.
    let mut sources = paid();
    for entry in &mut sources.entries {
        entry.at = at(0);
        if let Some(answer) = &mut entry.answer {
            answer.at = at(0);
        }
    }
    sources.entries.retain(|entry| entry.facts.kind == "authorization");
    sources.timeline.clear();
    let labels: Vec<String> = merge(PAYMENT, sources)
        .steps
        .into_iter()
        .map(|step| match step.event {
            StepEvent::Message(message) => {
                format!("{}>{}", message.from.as_str(), message.to.as_str())
            }
            StepEvent::Change(_) => unreachable!(),
        })
        .collect();
    assert_eq!(
        labels,
        [
            "gateway>processor",
            "processor>network",
            "network>issuer",
            "issuer>network",
            "network>processor",
            "processor>gateway",
        ]
    );
}

#[test]
fn the_signed_bytes_stand_with_the_verdicts() {
    let mut sources = paid();
    sources.entries.truncate(2);
    insta::assert_snapshot!(signatures(&merge(PAYMENT, sources), Look::PLAIN), @r#"
    network->issuer  POST /issuer
        "@method": POST
        "@path": /issuer
      request: signature valid
      answer:  signature valid
    "#);
}

#[test]
fn the_line_above_names_the_payment() {
    let payment = paid().payment.unwrap();
    insta::assert_snapshot!(payment_line(&payment), @"pay_01kamhm3q0e6ha95bqxwfx8hhw  captured  €49.99  order ord_1001  visa …4242");
}

#[test]
fn a_drawing_has_a_row_for_every_step() {
    let trace = merge(PAYMENT, lost_answer());
    let drawing = drawing(&trace);
    assert_eq!(drawing.rows.len(), trace.steps.len());
    assert!(drawing.rows.iter().all(|row| row.arrow.is_some() != row.change.is_some()));
    let arrows: Vec<_> = drawing.rows.iter().filter_map(|row| row.arrow.as_ref()).collect();
    assert!(arrows.iter().any(|arrow| arrow.cross_x.is_some()));
    assert!(arrows.iter().any(|arrow| !arrow.dashes.is_empty()));
    assert!(arrows.iter().any(|arrow| arrow.lock_x.is_some()));
    assert!(drawing.rows.iter().all(|row| row.y < drawing.bottom));
}
