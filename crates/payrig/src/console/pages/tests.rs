//! Tests of the pages: what they show, and that nothing foreign gets through unescaped.

use kit::clock::Clock;
use kit::plumbing::Plumbing;
use kit::random::Secrets;
use wire::time::Timestamp;

use super::*;
use crate::access::Access;
use crate::keys::generate;
use crate::program::Addresses;
use crate::supervisor::board::Board;
use crate::trace::merge;
use crate::trace::samples::{PAYMENT, lost_answer, paid};

fn console() -> Console {
    let world =
        generate(&Secrets::seeded(1), Timestamp::from_seconds(1_767_225_600)).unwrap().world;
    let plumbing = Plumbing::new("console", Clock::real(), 1, Secrets::seeded(1));
    let access = Access::new(world, Addresses::from_base(7070), plumbing).unwrap();
    Console::new(access, Board::default()).unwrap()
}

#[test]
fn the_page_of_a_payment_shows_every_step_twice_as_drawing_and_as_table() {
    let trace = merge(PAYMENT, paid());
    let text = PaymentPage::new(&console(), Frame::default(), &trace).text();
    let messages =
        trace.steps.iter().filter(|step| matches!(step.event, StepEvent::Message(_))).count();
    assert_eq!(text.matches("data-testid=\"arrow\"").count(), messages);
    assert_eq!(text.matches(&format!("/payments/{PAYMENT}/messages/")).count(), 2 * messages);
    for lane in ["browser", "merchant", "gateway", "processor", "network", "issuer"] {
        assert!(text.contains(&format!(">{lane}</text>")), "{lane}");
    }
    assert!(text.contains("processing → captured"));
}

#[test]
fn lost_late_and_refused_arrows_differ_in_shape_and_word() {
    let text =
        PaymentPage::new(&console(), Frame::default(), &merge(PAYMENT, lost_answer())).text();
    assert!(text.contains(">lost</text>"));
    assert!(text.contains("stroke-dasharray=\"6 5\""));
    assert!(text.contains("class=\"lock\""));
    assert!(text.contains("signature refused: mac_mismatch"));
}

#[test]
fn a_message_shows_both_ends_and_the_verdicts() {
    let trace = merge(PAYMENT, paid());
    let hop = trace.exchanges.iter().find(|exchange| exchange.sender.is_some()).unwrap();
    let text = MessagePage::new(&console(), Frame::default(), PAYMENT, hop, None).text();
    assert_eq!(text.matches("data-testid=\"end\"").count(), 2);
    assert_eq!(text.matches("signature valid").count(), 2);
    assert!(text.contains("What was signed"));
}

#[test]
fn foreign_text_is_escaped() {
    let mut sources = paid();
    for entry in &mut sources.entries {
        entry.request.body = "<svg onload=alert(1)>".into();
        entry.request.path = "/<script>".into();
    }
    let trace = merge(PAYMENT, sources);
    let page = PaymentPage::new(&console(), Frame::default(), &trace).text();
    let message =
        MessagePage::new(&console(), Frame::default(), PAYMENT, &trace.exchanges[0], None).text();
    for text in [page, message] {
        assert!(!text.contains("<script>") && !text.contains("<svg onload"));
    }
}

#[test]
fn a_page_without_a_world_behind_it_apologises_and_keeps_its_frame() {
    actix_web::rt::System::new().block_on(async {
        let mut console = console();
        let plumbing = console.access.plumbing.clone();
        let nobody = Addresses::from_base(1);
        console.access = Access::new(console.access.world.clone(), nobody, plumbing).unwrap();
        console.client = console.access.client("playground").unwrap();
        let text = HomePage::read(&console, Frame::default()).await.text();
        assert!(text.contains("The gateway does not answer at http://127.0.0.1:3"), "{text}");
        assert!(text.contains("data-testid=\"program-gateway\""));
    });
}
