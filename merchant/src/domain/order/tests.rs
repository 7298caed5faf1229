//! The order's rules, exhaustively where they are few and at random where they are many.

use proptest::prelude::*;
use wire::ids::RefundId;
use wire::money::Currency;

use super::super::operator::Role;
use super::super::payment::RefundNews;
use super::*;

const NOW: Timestamp = Timestamp::from_millis(1_767_225_600_000);
const TOTAL: i64 = 100_000;

fn minor(value: i64) -> MinorUnits {
    MinorUnits::new(value).unwrap()
}

fn euros(value: i64) -> Money {
    Money::new(minor(value), Currency::parse("EUR").unwrap())
}

fn payment_id(number: u8) -> PaymentId {
    PaymentId::new(NOW, [number; 10])
}

fn order(state: State) -> Order {
    Order {
        id: OrderId::new(NOW, [9; 10]),
        customer: Customer { name: "Ada".into(), email: "ada@example.com".into() },
        lines: vec![],
        total: euros(TOTAL),
        state,
        attention: None,
        payments: vec![],
        refunds: vec![],
        placed_at: NOW,
    }
}

fn paid() -> State {
    State::Fulfilled { payment: payment_id(1), captured: minor(TOTAL), refunded: MinorUnits::ZERO }
}

fn begin(order: &mut Order) -> u32 {
    let begun = order.begin_payment(|order, number| {
        Payment::begin(number, format!("{}-payment-{number}", order.id), vec![], NOW)
    });
    begun.unwrap()
}

fn snapshot(order: &Order, status: PaymentStatus) -> Snapshot {
    let taken = matches!(status, PaymentStatus::Captured);
    Snapshot {
        payment: payment_id(1),
        order_reference: order.id.to_string(),
        idempotency_key: Some(format!("{}-payment-1", order.id)),
        amount: order.total,
        status,
        outcome_unknown: false,
        needs_action: false,
        attempts: u32::from(status != PaymentStatus::Open),
        declined: None,
        decline_code: None,
        captured: if taken { order.total.value } else { MinorUnits::ZERO },
        refunded: MinorUnits::ZERO,
        refunds: vec![],
        card: None,
        approval_code: None,
    }
}

fn event(sequence: u64) -> Source {
    Source::Event { sequence }
}

#[test]
#[expect(clippy::too_many_lines, reason = "the whole grid in one piece is the point")]
fn the_grid_of_states_and_events() {
    let states = [
        ("awaiting payment", State::Unpaid(Unpaid::Awaiting)),
        ("checking", State::Unpaid(Unpaid::Checking)),
        ("declined", State::Unpaid(Unpaid::Declined { family: Family::Funds })),
        ("canceled", State::Canceled),
        ("fulfilled", paid()),
    ];
    let captured =
        |number, value| Event::Captured { payment: payment_id(number), captured: euros(value) };
    let events = [
        ("payment begun", Event::PaymentBegun),
        ("payment open", Event::PaymentOpen),
        ("card submitted", Event::CardSubmitted),
        ("declined", Event::AttemptDeclined { family: Family::Generic }),
        ("payment expired", Event::PaymentExpired),
        ("payment canceled", Event::PaymentCanceled),
        ("captured", captured(1, TOTAL)),
        ("captured by another", captured(2, TOTAL)),
        ("captured one less", captured(1, TOTAL - 1)),
        ("stray capture", Event::StrayCapture),
        ("capture failed", Event::CaptureFailed),
        ("refunded in part", Event::Refunded { refunded: minor(1) }),
        ("refunded in full", Event::Refunded { refunded: minor(TOTAL) }),
        ("refunded too much", Event::Refunded { refunded: minor(TOTAL + 1) }),
        ("given up", Event::GivenUp),
    ];
    let mut grid = String::new();
    for (before, state) in &states {
        for (name, event) in &events {
            let mut order = order(state.clone());
            let said = match order.apply(event.clone()) {
                Err(refusal) => {
                    assert_eq!(&order.state, state, "a refusal changes nothing");
                    format!("refused: {refusal:?}")
                }
                Ok(effects) => {
                    let effects: Vec<_> = effects
                        .iter()
                        .map(|effect| match effect {
                            Effect::Fulfil { .. } => "fulfil".to_owned(),
                            Effect::Flag(attention) => format!("flag {}", attention.as_str()),
                        })
                        .collect();
                    format!("{} {}", order.status().as_str(), effects.join(", "))
                }
            };
            grid.push_str(format!("{before:<16} + {name:<19} = {said}").trim_end());
            grid.push('\n');
        }
    }
    insta::assert_snapshot!(grid, @r"
    awaiting payment + payment begun       = awaiting_payment
    awaiting payment + payment open        = awaiting_payment
    awaiting payment + card submitted      = checking
    awaiting payment + declined            = declined
    awaiting payment + payment expired     = awaiting_payment
    awaiting payment + payment canceled    = canceled
    awaiting payment + captured            = paid fulfil
    awaiting payment + captured by another = paid fulfil
    awaiting payment + captured one less   = awaiting_payment flag amount_differs
    awaiting payment + stray capture       = awaiting_payment flag stray_payment
    awaiting payment + capture failed      = awaiting_payment flag capture_failed
    awaiting payment + refunded in part    = awaiting_payment
    awaiting payment + refunded in full    = awaiting_payment
    awaiting payment + refunded too much   = awaiting_payment
    awaiting payment + given up            = canceled
    checking         + payment begun       = refused: BeingChecked
    checking         + payment open        = awaiting_payment
    checking         + card submitted      = checking
    checking         + declined            = declined
    checking         + payment expired     = awaiting_payment
    checking         + payment canceled    = canceled
    checking         + captured            = paid fulfil
    checking         + captured by another = paid fulfil
    checking         + captured one less   = checking flag amount_differs
    checking         + stray capture       = checking flag stray_payment
    checking         + capture failed      = checking flag capture_failed
    checking         + refunded in part    = checking
    checking         + refunded in full    = checking
    checking         + refunded too much   = checking
    checking         + given up            = refused: BeingChecked
    declined         + payment begun       = awaiting_payment
    declined         + payment open        = awaiting_payment
    declined         + card submitted      = checking
    declined         + declined            = declined
    declined         + payment expired     = awaiting_payment
    declined         + payment canceled    = canceled
    declined         + captured            = paid fulfil
    declined         + captured by another = paid fulfil
    declined         + captured one less   = declined flag amount_differs
    declined         + stray capture       = declined flag stray_payment
    declined         + capture failed      = declined flag capture_failed
    declined         + refunded in part    = declined
    declined         + refunded in full    = declined
    declined         + refunded too much   = declined
    declined         + given up            = canceled
    canceled         + payment begun       = awaiting_payment
    canceled         + payment open        = canceled
    canceled         + card submitted      = canceled
    canceled         + declined            = canceled
    canceled         + payment expired     = canceled
    canceled         + payment canceled    = canceled
    canceled         + captured            = canceled flag paid_after_cancel
    canceled         + captured by another = canceled flag paid_after_cancel
    canceled         + captured one less   = canceled flag paid_after_cancel
    canceled         + stray capture       = canceled flag stray_payment
    canceled         + capture failed      = canceled flag capture_failed
    canceled         + refunded in part    = canceled
    canceled         + refunded in full    = canceled
    canceled         + refunded too much   = canceled
    canceled         + given up            = canceled
    fulfilled        + payment begun       = refused: AlreadyPaid
    fulfilled        + payment open        = paid
    fulfilled        + card submitted      = paid
    fulfilled        + declined            = paid
    fulfilled        + payment expired     = paid
    fulfilled        + payment canceled    = refunded flag voided_after_payment
    fulfilled        + captured            = paid
    fulfilled        + captured by another = paid flag stray_payment
    fulfilled        + captured one less   = paid
    fulfilled        + stray capture       = paid flag stray_payment
    fulfilled        + capture failed      = paid flag capture_failed
    fulfilled        + refunded in part    = partially_refunded
    fulfilled        + refunded in full    = refunded
    fulfilled        + refunded too much   = paid flag refunded_too_much
    fulfilled        + given up            = refused: AlreadyPaid
    ");
}

#[test]
fn one_payment_is_open_at_a_time() {
    let mut order = order(State::Unpaid(Unpaid::Awaiting));
    assert_eq!(begin(&mut order), 1);
    assert_eq!(begin(&mut order), 1);
    order.observe(&snapshot(&order, PaymentStatus::Checking), event(1), NOW).unwrap();
    let refused = order.begin_payment(|_, _| unreachable!("no second payment"));
    assert_eq!(refused, Err(Refusal::BeingChecked));
    order.observe(&snapshot(&order, PaymentStatus::Failed), event(2), NOW).unwrap();
    assert_eq!(begin(&mut order), 2);
    assert_eq!(order.status(), Status::AwaitingPayment);
}

#[test]
fn an_event_may_come_before_the_answer_that_names_the_payment() {
    let mut order = order(State::Unpaid(Unpaid::Awaiting));
    begin(&mut order);
    let captured = snapshot(&order, PaymentStatus::Captured);
    let seen = order.observe(&captured, event(3), NOW).unwrap();
    assert!(matches!(seen.effects.as_slice(), [Effect::Fulfil { .. }]));
    assert_eq!(order.payments[0].id, Some(captured.payment));
}

#[test]
fn what_does_not_fit_the_order_changes_nothing() {
    let mut order = order(State::Unpaid(Unpaid::Awaiting));
    begin(&mut order);
    let good = snapshot(&order, PaymentStatus::Captured);
    let dollars = Currency::parse("USD").unwrap();
    let cases = [
        (Mismatch::Order, Snapshot { order_reference: "ord_1".into(), ..good.clone() }),
        (Mismatch::Payment, Snapshot { idempotency_key: Some("x".into()), ..good.clone() }),
        (Mismatch::Payment, Snapshot { idempotency_key: None, ..good.clone() }),
        (Mismatch::Amount, Snapshot { amount: euros(TOTAL - 1), ..good.clone() }),
        (Mismatch::Amount, Snapshot { amount: euros(TOTAL / 100), ..good.clone() }),
        (
            Mismatch::Currency,
            Snapshot { amount: Money::new(minor(TOTAL), dollars), ..good.clone() },
        ),
        (Mismatch::Captured, Snapshot { captured: minor(TOTAL - 1), ..good.clone() }),
        (Mismatch::Captured, Snapshot { captured: minor(0), ..good.clone() }),
        (Mismatch::Refunded, Snapshot { refunded: minor(TOTAL + 1), ..good.clone() }),
    ];
    for (mismatch, snapshot) in cases {
        let before = order.clone();
        assert_eq!(order.observe(&snapshot, event(1), NOW), Err(mismatch));
        assert_eq!(order, before);
    }
    order.observe(&good, event(1), NOW).unwrap();
    let other = Snapshot { payment: payment_id(2), ..good };
    assert_eq!(order.observe(&other, event(2), NOW), Err(Mismatch::Payment));
}

#[test]
fn money_for_a_canceled_order_is_flagged_and_nothing_goes_out() {
    let mut order = order(State::Unpaid(Unpaid::Awaiting));
    begin(&mut order);
    order.observe(&snapshot(&order, PaymentStatus::Canceled), event(1), NOW).unwrap();
    assert_eq!(order.status(), Status::Canceled);
    let seen = order.observe(&snapshot(&order, PaymentStatus::Captured), event(2), NOW).unwrap();
    assert_eq!(seen.effects, [Effect::Flag(Attention::PaidAfterCancel)]);
    assert_eq!(
        (order.status(), order.attention),
        (Status::Canceled, Some(Attention::PaidAfterCancel))
    );
}

#[test]
fn money_by_a_replaced_payment_is_flagged_and_nothing_goes_out() {
    let mut order = order(State::Unpaid(Unpaid::Awaiting));
    begin(&mut order);
    order.observe(&snapshot(&order, PaymentStatus::Failed), event(1), NOW).unwrap();
    begin(&mut order);
    let seen = order.observe(&snapshot(&order, PaymentStatus::Captured), event(2), NOW).unwrap();
    assert_eq!(seen.effects, [Effect::Flag(Attention::StrayPayment)]);
    assert_eq!(order.status(), Status::AwaitingPayment);
}

fn refunder(name: &str) -> Actor {
    Actor { name: name.into(), role: Role::Operator }
}

fn request(amount: Option<i64>, key: &str) -> RefundRequest {
    RefundRequest {
        amount: amount.map(minor),
        reason: "cup arrived broken".into(),
        actor: refunder("ada"),
        request_key: Some(key.into()),
    }
}

#[test]
fn a_refund_needs_a_paid_order_a_reason_a_role_and_money_that_is_left() {
    let limit = minor(50_000);
    let mut unpaid = order(State::Unpaid(Unpaid::Awaiting));
    let refused = unpaid.request_refund(request(None, "a"), limit, NOW).unwrap_err();
    assert_eq!(refused, refund::Refusal::NotPaid);
    let mut order = order(paid());
    let mut refuse = |request| order.request_refund(request, limit, NOW).unwrap_err();
    assert_eq!(refuse(request(Some(0), "a")), refund::Refusal::Nothing);
    assert_eq!(refuse(request(Some(TOTAL + 1), "a")), refund::Refusal::TooMuch);
    let silent = RefundRequest { reason: String::new(), ..request(Some(1), "a") };
    assert_eq!(refuse(silent), refund::Refusal::Reason);
    let viewer = Actor { name: "eve".into(), role: Role::Viewer };
    assert_eq!(
        refuse(RefundRequest { actor: viewer, ..request(Some(1), "a") }),
        refund::Refusal::Role
    );
}

#[test]
fn a_double_click_asks_for_one_refund() {
    let mut order = order(paid());
    for _ in 0..2 {
        let refund = order.request_refund(request(Some(500), "form-1"), minor(50_000), NOW);
        assert_eq!(refund.unwrap().number, 1);
    }
    assert_eq!(order.refunds.len(), 1);
    assert_eq!(order.refundable(), minor(TOTAL - 500));
}

#[test]
fn above_the_limit_a_second_person_has_to_agree() {
    let mut order = order(paid());
    let refund = order.request_refund(request(Some(50_001), "a"), minor(50_000), NOW).unwrap();
    assert_eq!((refund.state.as_str(), refund.send_due_at), ("awaiting_approval", None));
    let decide = |order: &mut Order, name, role| {
        order.decide_refund(1, &Actor { name: String::from(name), role }, true, NOW)
    };
    assert_eq!(decide(&mut order, "ada", Role::Operator), Err(refund::Refusal::SamePerson));
    assert_eq!(decide(&mut order, "eve", Role::Viewer), Err(refund::Refusal::Role));
    assert_eq!(decide(&mut order, "grace", Role::Administrator), Ok(()));
    assert!(order.refunds[0].send_due_at.is_some());
    assert_eq!(decide(&mut order, "grace", Role::Administrator), Err(refund::Refusal::NotWaiting));
}

#[test]
fn splitting_a_refund_does_not_pass_the_limit() {
    let mut order = order(paid());
    let mut ask = |value, key| {
        let refund = order.request_refund(request(Some(value), key), minor(50_000), NOW);
        refund.unwrap().state.as_str()
    };
    assert_eq!(ask(25_000, "a"), "sending");
    assert_eq!(ask(25_000, "b"), "sending");
    assert_eq!(ask(1, "c"), "awaiting_approval");
}

#[test]
fn the_parts_of_a_refund_never_exceed_what_was_taken() {
    let mut order = order(paid());
    let third = TOTAL / 3 + 1;
    let limit = minor(TOTAL);
    assert!(order.request_refund(request(Some(third), "a"), limit, NOW).is_ok());
    assert!(order.request_refund(request(Some(third), "b"), limit, NOW).is_ok());
    let refused = order.request_refund(request(Some(third), "c"), limit, NOW).unwrap_err();
    assert_eq!(refused, refund::Refusal::TooMuch);
    let rest = order.request_refund(request(None, "d"), limit, NOW).unwrap().amount;
    assert_eq!(rest.get(), TOTAL - 2 * third);
    assert_eq!(order.refundable(), MinorUnits::ZERO);
}

#[test]
fn a_refund_made_elsewhere_counts_too() {
    let mut order = order(State::Unpaid(Unpaid::Awaiting));
    begin(&mut order);
    let mut news = snapshot(&order, PaymentStatus::Captured);
    news.refunded = minor(30_000);
    order.observe(&news, event(1), NOW).unwrap();
    assert_eq!(order.status(), Status::PartiallyRefunded);
    assert_eq!(order.refundable(), minor(TOTAL - 30_000));
}

#[test]
fn a_refund_made_elsewhere_is_kept_under_the_gateways_name() {
    let mut order = order(State::Unpaid(Unpaid::Awaiting));
    begin(&mut order);
    let mut news = snapshot(&order, PaymentStatus::Captured);
    order.observe(&news, event(1), NOW).unwrap();
    news.refunded = minor(60_000);
    news.refunds = vec![RefundNews {
        id: RefundId::from_bytes([5; 16]),
        amount: euros(60_000),
        outcome: RefundOutcome::Succeeded,
        reason: Some("by phone".into()),
        failure: None,
        moved_to: None,
    }];
    for sequence in [2, 3] {
        order.observe(&news, event(sequence), NOW).unwrap();
    }
    assert_eq!(order.refunds.len(), 1);
    assert_eq!(order.refunds[0].requested_by, refund::ELSEWHERE);
    assert_eq!(order.refundable(), minor(TOTAL - 60_000));
    let own = order.request_refund(request(Some(100), "a"), minor(50_000), NOW).unwrap();
    assert_eq!(own.state.as_str(), "sending", "the gateway's own refunds have their own rules");
}

#[test]
fn the_gateways_word_settles_a_refund() {
    let mut order = order(State::Unpaid(Unpaid::Awaiting));
    begin(&mut order);
    let mut news = snapshot(&order, PaymentStatus::Captured);
    order.observe(&news, event(1), NOW).unwrap();
    order.request_refund(request(Some(500), "a"), minor(50_000), NOW).unwrap();
    let id = RefundId::from_bytes([3; 16]);
    order.refund_mut(1).unwrap().apply(refund::Event::Accepted { id }).unwrap();
    let mut refund = RefundNews {
        id,
        amount: euros(500),
        outcome: RefundOutcome::Pending,
        reason: None,
        failure: None,
        moved_to: None,
    };
    news.refunds = vec![refund.clone()];
    order.observe(&news, event(2), NOW).unwrap();
    assert!(order.payments[0].read_due_at.is_some(), "a pending refund is watched");
    refund.outcome = RefundOutcome::Succeeded;
    news.refunds = vec![refund];
    news.refunded = minor(500);
    order.observe(&news, event(3), NOW).unwrap();
    assert_eq!(order.refunds[0].state.as_str(), "succeeded");
    assert_eq!(order.payments[0].read_due_at, None);
    assert_eq!(order.status(), Status::PartiallyRefunded);
}

proptest! {
    /// B13: refunded before captured, doubled, in any order, the order ends the same.
    #[test]
    fn every_permutation_of_a_life_ends_equal(
        sequences in Just(vec![1_u64, 2, 3, 4]).prop_shuffle(),
        repeats in proptest::collection::vec(1_u64..=4, 0..4),
    ) {
        let mut order = order(State::Unpaid(Unpaid::Awaiting));
        begin(&mut order);
        let refunded = Snapshot {
            refunded: minor(700),
            ..snapshot(&order, PaymentStatus::Captured)
        };
        let life = [
            snapshot(&order, PaymentStatus::Open),
            snapshot(&order, PaymentStatus::Checking),
            snapshot(&order, PaymentStatus::Captured),
            refunded,
        ];
        let mut fulfilments = 0;
        for sequence in sequences.iter().chain(&repeats) {
            let news = &life[usize::try_from(*sequence).unwrap() - 1];
            let seen = order.observe(news, event(*sequence), NOW).unwrap();
            let ships = |effect: &&Effect| matches!(effect, Effect::Fulfil { .. });
            fulfilments += seen.effects.iter().filter(ships).count();
        }
        prop_assert_eq!(fulfilments, 1);
        prop_assert_eq!(order.status(), Status::PartiallyRefunded);
        prop_assert_eq!(order.attention, None);
    }

    /// Whatever happens: goods go out at most once, and only for the whole total.
    #[test]
    fn goods_go_out_at_most_once(steps in proptest::collection::vec(0_usize..11, 0..60)) {
        let mut order = order(State::Unpaid(Unpaid::Awaiting));
        let mut fulfilments = 0;
        for step in steps {
            let event = match step {
                0 => Event::PaymentBegun,
                1 => Event::PaymentOpen,
                2 => Event::CardSubmitted,
                3 => Event::AttemptDeclined { family: Family::Generic },
                4 => Event::PaymentExpired,
                5 => Event::PaymentCanceled,
                6 => Event::Captured { payment: payment_id(1), captured: order.total },
                7 => Event::Captured { payment: payment_id(2), captured: euros(1) },
                8 => Event::StrayCapture,
                9 => Event::Refunded { refunded: minor(5) },
                _ => Event::GivenUp,
            };
            for effect in order.apply(event).unwrap_or_default() {
                if let Effect::Fulfil { captured, .. } = effect {
                    prop_assert_eq!(captured, order.total);
                    fulfilments += 1;
                }
            }
            prop_assert!(fulfilments <= 1);
            prop_assert_eq!(fulfilments == 1, matches!(order.state, State::Fulfilled { .. }));
        }
    }
}
