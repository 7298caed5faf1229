//! The grid of states and events, and sums over random histories.

use std::fmt::Write;

use proptest::prelude::*;
use wire::card::{Brand, CardNumber, Expiry};
use wire::codes::{DeclineCode, ResponseCode};
use wire::ids::TokenId;
use wire::three_ds::TransStatus;

use super::*;
use crate::domain::attempt::{AttemptKind, AttemptState};
use crate::domain::caps;
use crate::domain::capture::CaptureState;
use crate::domain::card::Fingerprint;
use crate::domain::network_profile::OverCapture;
use crate::domain::terms::Terms;
use crate::domain::three_ds::{self, Wanted};

const AT: Timestamp = Timestamp::from_millis(1_767_225_600_000);

fn minor(value: i64) -> MinorUnits {
    MinorUnits::new(value).unwrap()
}

fn later(seconds: u64) -> Timestamp {
    AT.plus(Duration::from_secs(seconds))
}

fn payment(capture_mode: CaptureMode) -> Payment {
    payment_with(capture_mode, Terms::default())
}

fn payment_with(capture_mode: CaptureMode, terms: Terms) -> Payment {
    Payment::create(NewPayment {
        terms,
        id: PaymentId::new(AT, [1; 10]),
        merchant: MerchantId::new(AT, [4; 10]),
        order_reference: "ord_1001".to_owned(),
        currency: Currency::parse("EUR").unwrap(),
        amount: minor(100),
        capture_mode,
        details: Details::default(),
        at: AT,
        expires_at: later(1800),
    })
}

fn card(seed: u8) -> Card {
    let number = CardNumber::parse("4242424242424242").unwrap();
    Card {
        token: TokenId::new(AT, [seed; 10]),
        brand: Brand::Visa,
        masked: number.masked(),
        expiry: Expiry::new(12, 2030).unwrap(),
        fingerprint: Fingerprint::from_bytes([seed; 16]),
    }
}

fn identity(at: Timestamp) -> Identity {
    Identity { terminal: 0, stan: 1, transmission_at: at }
}

fn attempt_id(n: u8) -> AttemptId {
    AttemptId::new(AT, [n; 10])
}

fn submitted(n: u8, at: Timestamp) -> Event {
    Event::CardSubmitted(Submission {
        id: attempt_id(n),
        card: card(n),
        identity: identity(at),
        reversal_id: ReversalId::new(AT, [n; 10]),
        caller: None,
        authentication: None,
        saving: None,
        network_token: None,
        conversion: None,
        over_cap: false,
    })
}

/// A card whose holder is authenticated first.
fn authenticating(n: u8) -> Event {
    let Event::CardSubmitted(submission) = submitted(n, later(2)) else { unreachable!() };
    Event::CardSubmitted(Submission {
        authentication: Some(NewAuthentication {
            id: TransId::from_bytes([1; 16]),
            method: None,
            required: false,
            wanted: Wanted::Any,
        }),
        ..submission
    })
}

fn authentication(event: three_ds::Event) -> Event {
    Event::Authentication(Box::new(AuthenticationStep {
        id: TransId::from_bytes([1; 16]),
        event,
        identity: identity(later(30)),
        at: later(30),
    }))
}

fn responded(status: TransStatus) -> Event {
    authentication(three_ds::Event::Responded(Box::new(three_ds::Response {
        ds_trans_id: TransId::from_bytes([2; 16]),
        acs_trans_id: TransId::from_bytes([3; 16]),
        status,
        values: three_ds::Values::default(),
        acs_url: None,
    })))
}

fn challenged() -> Event {
    responded(TransStatus::C)
}

fn resulted(status: TransStatus) -> Event {
    authentication(three_ds::Event::Resulted(status, three_ds::Values::default()))
}

fn new_capture(n: u8, at: Timestamp) -> NewCapture {
    NewCapture { id: CaptureId::new(AT, [n; 10]), identity: identity(at) }
}

fn answer(code: &str, amount: Option<i64>) -> Answer {
    Answer {
        response_code: ResponseCode::parse(code).unwrap(),
        amount: amount.map(minor),
        auth_code: Some("7K2P9A".to_owned()),
        network_transaction_id: Some("326326123456789".to_owned()),
        decline_code: None,
        advice_code: None,
        retry_after: None,
        cvv_result: None,
        avs_result: None,
        cavv_result: None,
        indicator: None,
        over_capture: OverCapture::default(),
        par: None,
        moved_to: None,
        outcome_source: None,
        at: later(1),
    }
}

fn answered(n: u8, code: &str, amount: Option<i64>) -> Event {
    Event::Answered {
        attempt: attempt_id(n),
        answer: answer(code, amount),
        capture: new_capture(200, later(1)),
        more: vec![new_capture(201, later(1)), new_capture(202, later(1))],
    }
}

fn incremented(n: u8, amount: i64) -> Event {
    Event::Incremented(Increment {
        id: attempt_id(n),
        identity: identity(later(2)),
        reversal_id: ReversalId::new(AT, [n; 10]),
        amount: minor(amount),
        category: "7011".to_owned(),
        country: "FR".to_owned(),
        over_cap: false,
        caller: None,
    })
}

fn agreed(accept_partial: bool, estimated: bool) -> Terms {
    Terms { accept_partial, estimated, ..Terms::default() }
}

fn captured(n: u8, amount: Option<i64>, is_final: Option<bool>) -> Event {
    Event::Captured(CaptureRequest {
        capture: new_capture(n, later(2)),
        more: vec![new_capture(n.wrapping_add(1), later(2))],
        amount: amount.map(minor),
        is_final,
        reversal: ReversalId::new(AT, [n.wrapping_add(100); 10]),
    })
}

fn voided(amount: Option<i64>) -> Event {
    let reversal = ReversalId::new(AT, [90; 10]);
    Event::Voided { amount: amount.map(minor), reversal, at: later(3) }
}

fn refunded(n: u8, amount: Option<i64>, at: Timestamp) -> Event {
    Event::Refunded(NewRefund {
        id: RefundId::new(AT, [n; 10]),
        identity: identity(at),
        reversal_id: ReversalId::new(AT, [n.wrapping_add(150); 10]),
        amount: amount.map(minor),
        reason: None,
        due_at: at,
        caller: None,
    })
}

fn refund_event(n: u8, event: RefundEvent) -> Event {
    Event::Refund { id: RefundId::new(AT, [n; 10]), event, at: later(5) }
}

fn acknowledged(payment: &Payment, code: &str) -> Event {
    let id = payment.reversals.last().map_or(ReversalId::new(AT, [0; 10]), |it| it.id);
    Event::Reversal {
        id,
        event: ReversalEvent::Answered(ResponseCode::parse(code).unwrap(), later(4)),
        age_max: Duration::from_hours(24),
        jitter_permille: 0,
    }
}

fn run(capture_mode: CaptureMode, events: impl IntoIterator<Item = Event>) -> Payment {
    run_on(payment(capture_mode), events)
}

fn run_on(mut it: Payment, events: impl IntoIterator<Item = Event>) -> Payment {
    for event in events {
        it.apply(event, &Policy::default()).unwrap();
    }
    it
}

/// A payment in every state, reached by events only.
fn in_every_state() -> Vec<(&'static str, Payment)> {
    use CaptureMode::{Automatic, Manual};
    let paid = |mode| vec![submitted(1, AT), answered(1, "00", Some(100))].into_iter().chain(mode);
    let lost =
        || vec![submitted(1, AT), Event::Unanswered { attempt: attempt_id(1), at: later(20) }];
    let capture_id = CaptureId::new(AT, [200; 10]);
    vec![
        ("waiting for a card", run(Automatic, [])),
        ("processing", run(Automatic, [submitted(1, AT)])),
        ("unknown, inquiring", run(Automatic, lost())),
        ("unknown, waiting", run(Automatic, [submitted(1, AT), answered(1, "68", None)])),
        (
            "unknown, reversing",
            run(Automatic, lost().into_iter().chain([Event::NothingFound(later(22))])),
        ),
        ("authorized", run(Manual, paid(vec![]))),
        (
            "authorized, an estimate",
            run_on(payment_with(Manual, agreed(false, true)), paid(vec![])),
        ),
        (
            "authorized for 60",
            run_on(
                payment_with(Automatic, agreed(true, false)),
                [submitted(1, AT), answered(1, "10", Some(60))],
            ),
        ),
        (
            "increment on its way",
            run_on(payment_with(Manual, agreed(false, true)), paid(vec![incremented(2, 50)])),
        ),
        ("partly captured", run(Manual, paid(vec![captured(3, Some(40), None)]))),
        ("captured, not sent", run(Automatic, paid(vec![]))),
        ("captured", run(Automatic, paid(vec![Event::CaptureAccepted(capture_id)]))),
        ("capture failed", run(Automatic, paid(vec![Event::CaptureRefused(capture_id)]))),
        (
            "rejected in clearing",
            run(
                Automatic,
                paid(vec![Event::CaptureAccepted(capture_id), Event::CaptureRejected(capture_id)]),
            ),
        ),
        ("canceled", run(Automatic, [Event::Canceled(later(1))])),
        (
            "expired",
            run(
                Manual,
                paid(vec![Event::AuthorizationExpired {
                    reversal: ReversalId::new(AT, [9; 10]),
                    at: later(11 * 24 * 3600),
                }]),
            ),
        ),
        ("failed", run(Automatic, [submitted(1, AT), answered(1, "00", Some(90))])),
        ("authenticating", run(Automatic, [authenticating(1)])),
        ("asked", run(Automatic, [authenticating(1), challenged()])),
    ]
}

fn written_off(id: CaptureId) -> Event {
    Event::CaptureWrittenOff {
        id,
        reversal: ReversalId::new(AT, [81; 10]),
        at: later(6 * 24 * 3600),
    }
}

fn every_event() -> Vec<(&'static str, Event)> {
    vec![
        ("card", submitted(2, later(2))),
        ("card, too late", submitted(2, later(1800))),
        ("card, 3-D Secure", authenticating(2)),
        ("ARes Y", responded(TransStatus::Y)),
        ("ARes C", challenged()),
        ("ARes R", responded(TransStatus::R)),
        ("no ARes", authentication(three_ds::Event::Unanswered)),
        ("CRes Y", authentication(three_ds::Event::Returned(TransStatus::Y))),
        ("RReq Y", resulted(TransStatus::Y)),
        ("RReq N", resulted(TransStatus::N)),
        ("answer 00", answered(1, "00", Some(100))),
        ("answer 00, less", answered(1, "00", Some(99))),
        ("answer 10, part", answered(1, "10", Some(60))),
        ("answer 51", answered(1, "51", None)),
        ("answer 68", answered(1, "68", None)),
        ("answer 2: 00", answered(2, "00", Some(50))),
        ("answer 2: 51", answered(2, "51", None)),
        ("increment 50", incremented(2, 50)),
        ("increment 0", incremented(2, 0)),
        ("not sent", Event::NotSent { attempt: attempt_id(1), at: later(1) }),
        ("no answer", Event::Unanswered { attempt: attempt_id(1), at: later(20) }),
        ("nothing found", Event::NothingFound(later(22))),
        ("still open", Event::StillOpen(later(22))),
        ("limit reached", Event::LimitReached(later(82))),
        ("capture all", captured(4, None, None)),
        ("capture 30", captured(4, Some(30), None)),
        ("capture 30, final", captured(4, Some(30), Some(true))),
        ("capture 101", captured(4, Some(101), None)),
        ("capture 0", captured(4, Some(0), None)),
        ("capture accepted", Event::CaptureAccepted(CaptureId::new(AT, [200; 10]))),
        ("capture refused", Event::CaptureRefused(CaptureId::new(AT, [200; 10]))),
        ("capture rejected", Event::CaptureRejected(CaptureId::new(AT, [200; 10]))),
        ("presented again", Event::CapturePresented(CaptureId::new(AT, [200; 10]))),
        ("written off", written_off(CaptureId::new(AT, [200; 10]))),
        ("void", voided(None)),
        ("void 10", voided(Some(10))),
        ("void 101", voided(Some(101))),
        (
            "window over",
            Event::AuthorizationExpired {
                reversal: ReversalId::new(AT, [80; 10]),
                at: later(11 * 24 * 3600),
            },
        ),
        ("cancel", Event::Canceled(later(2))),
        ("session over", Event::SessionExpired(later(1800))),
        ("refund", refunded(5, None, later(4))),
        ("refund 10", refunded(5, Some(10), later(4))),
        ("refund, too late", refunded(5, None, later(181 * 24 * 3600))),
        ("refund canceled", refund_event(5, RefundEvent::Canceled)),
    ]
}

fn described(it: &Payment, outcome: &Decision) -> String {
    let effects = match outcome {
        Err(refusal) => return format!("refused: {refusal}"),
        Ok(effects) => effects,
    };
    let mut text = it.state.as_str().to_owned();
    for effect in effects {
        let _ = match effect {
            Effect::Announce(it) => write!(text, " +{it:?}"),
            Effect::SaveCard(_) => write!(text, " +SaveCard"),
            Effect::LateApproval(_) => write!(text, " +LateApproval"),
            Effect::AmountAlarm(_) => write!(text, " +AmountAlarm"),
            Effect::ReversalParked(_) => write!(text, " +ReversalParked"),
            Effect::AlreadyCleared(_) => write!(text, " +AlreadyCleared"),
            Effect::Tampered(_) => write!(text, " +Tampered"),
        };
    }
    text
}

#[test]
#[expect(clippy::too_many_lines, reason = "the grid is long")]
fn every_state_takes_every_event_as_written_here() {
    let mut grid = String::new();
    for (state, payment) in in_every_state() {
        let _ = writeln!(grid, "{state}");
        for (name, event) in every_event() {
            let mut it = payment.clone();
            let outcome = it.apply(event, &Policy::default());
            if outcome.is_err() {
                assert_eq!(it, payment, "a refusal changes nothing: {state}, {name}");
            }
            if it == payment && outcome == Err(Refusal::NotWaiting) {
                continue;
            }
            let _ = writeln!(grid, "    {name:20} {}", described(&it, &outcome));
        }
    }
    insta::assert_snapshot!(grid, @r"
    waiting for a card
        card                 processing +Processing
        card, too late       refused: the time for this payment is over
        card, 3-D Secure     authenticating +Processing
        increment 50         refused: nothing is authorized
        increment 0          refused: nothing is authorized
        capture all          refused: nothing is authorized
        capture 30           refused: nothing is authorized
        capture 30, final    refused: nothing is authorized
        capture 101          refused: nothing is authorized
        capture 0            refused: nothing is authorized
        void                 refused: nothing is authorized
        void 10              refused: nothing is authorized
        void 101             refused: nothing is authorized
        cancel               canceled +Canceled
        session over         canceled +Canceled
        refund               refused: nothing is captured
        refund 10            refused: nothing is captured
        refund, too late     refused: nothing is captured
    processing
        card                 refused: the payment is being processed
        card, too late       refused: the payment is being processed
        card, 3-D Secure     refused: the payment is being processed
        answer 00            captured +Captured
        answer 00, less      failed +AmountAlarm +Failed
        answer 10, part      requires_payment_method +AttemptFailed
        answer 51            requires_payment_method +AttemptFailed
        answer 68            unknown_waiting +Processing
        increment 50         refused: the payment is being processed
        increment 0          refused: the payment is being processed
        not sent             requires_payment_method +AttemptFailed
        no answer            unknown_inquiring +Processing
        capture all          refused: the payment is being processed
        capture 30           refused: the payment is being processed
        capture 30, final    refused: the payment is being processed
        capture 101          refused: the payment is being processed
        capture 0            refused: the payment is being processed
        void                 refused: the payment is being processed
        void 10              refused: the payment is being processed
        void 101             refused: the payment is being processed
        cancel               refused: the payment is being processed
        refund               refused: the payment is being processed
        refund 10            refused: the payment is being processed
        refund, too late     refused: the payment is being processed
    unknown, inquiring
        card                 refused: the payment is being processed
        card, too late       refused: the payment is being processed
        card, 3-D Secure     refused: the payment is being processed
        answer 00            captured +Captured
        answer 00, less      failed +AmountAlarm +Failed
        answer 10, part      requires_payment_method +AttemptFailed
        answer 51            requires_payment_method +AttemptFailed
        answer 68            unknown_waiting
        increment 50         refused: the payment is being processed
        increment 0          refused: the payment is being processed
        nothing found        unknown_reversing
        still open           unknown_waiting
        limit reached        unknown_reversing
        capture all          refused: the payment is being processed
        capture 30           refused: the payment is being processed
        capture 30, final    refused: the payment is being processed
        capture 101          refused: the payment is being processed
        capture 0            refused: the payment is being processed
        void                 refused: the payment is being processed
        void 10              refused: the payment is being processed
        void 101             refused: the payment is being processed
        cancel               refused: the payment is being processed
        refund               refused: the payment is being processed
        refund 10            refused: the payment is being processed
        refund, too late     refused: the payment is being processed
    unknown, waiting
        card                 refused: the payment is being processed
        card, too late       refused: the payment is being processed
        card, 3-D Secure     refused: the payment is being processed
        answer 00            captured +Captured
        answer 00, less      failed +AmountAlarm +Failed
        answer 10, part      requires_payment_method +AttemptFailed
        answer 51            requires_payment_method +AttemptFailed
        answer 68            unknown_waiting
        increment 50         refused: the payment is being processed
        increment 0          refused: the payment is being processed
        nothing found        unknown_reversing
        still open           unknown_waiting
        limit reached        unknown_reversing
        capture all          refused: the payment is being processed
        capture 30           refused: the payment is being processed
        capture 30, final    refused: the payment is being processed
        capture 101          refused: the payment is being processed
        capture 0            refused: the payment is being processed
        void                 refused: the payment is being processed
        void 10              refused: the payment is being processed
        void 101             refused: the payment is being processed
        cancel               refused: the payment is being processed
        refund               refused: the payment is being processed
        refund 10            refused: the payment is being processed
        refund, too late     refused: the payment is being processed
    unknown, reversing
        card                 refused: the payment is being processed
        card, too late       refused: the payment is being processed
        card, 3-D Secure     refused: the payment is being processed
        answer 00            unknown_reversing +LateApproval
        answer 00, less      unknown_reversing +LateApproval
        answer 10, part      unknown_reversing +LateApproval
        increment 50         refused: the payment is being processed
        increment 0          refused: the payment is being processed
        limit reached        failed +Failed
        capture all          refused: the payment is being processed
        capture 30           refused: the payment is being processed
        capture 30, final    refused: the payment is being processed
        capture 101          refused: the payment is being processed
        capture 0            refused: the payment is being processed
        void                 refused: the payment is being processed
        void 10              refused: the payment is being processed
        void 101             refused: the payment is being processed
        cancel               refused: the payment is being processed
        refund               refused: the payment is being processed
        refund 10            refused: the payment is being processed
        refund, too late     refused: the payment is being processed
    authorized
        card                 refused: the payment is paid
        card, too late       refused: the payment is paid
        card, 3-D Secure     refused: the payment is paid
        increment 50         refused: the authorized amount is final: only an estimate can be raised
        increment 0          refused: the authorized amount is final: only an estimate can be raised
        capture all          captured +Captured
        capture 30           partially_captured +PartiallyCaptured
        capture 30, final    captured +Captured
        capture 101          refused: only 100 minor units are left
        capture 0            refused: an amount must be more than zero
        void                 canceled +Canceled
        void 10              authorized +Authorized
        void 101             refused: only 100 minor units are left
        window over          expired +Expired
        cancel               refused: the payment is paid
        refund               refused: nothing is captured
        refund 10            refused: nothing is captured
        refund, too late     refused: nothing is captured
    authorized, an estimate
        card                 refused: the payment is paid
        card, too late       refused: the payment is paid
        card, 3-D Secure     refused: the payment is paid
        increment 50         processing +Processing
        increment 0          refused: an amount must be more than zero
        capture all          captured +Captured
        capture 30           partially_captured +PartiallyCaptured
        capture 30, final    captured +Captured
        capture 101          refused: only 100 minor units are left
        capture 0            refused: an amount must be more than zero
        void                 canceled +Canceled
        void 10              authorized +Authorized
        void 101             refused: only 100 minor units are left
        cancel               refused: the payment is paid
        refund               refused: nothing is captured
        refund 10            refused: nothing is captured
        refund, too late     refused: nothing is captured
    authorized for 60
        card                 processing +Processing
        card, too late       refused: the time for this payment is over
        card, 3-D Secure     authenticating +Processing
        increment 50         refused: the authorized amount is final: only an estimate can be raised
        increment 0          refused: the authorized amount is final: only an estimate can be raised
        capture all          captured +Captured
        capture 30           partially_captured +PartiallyCaptured
        capture 30, final    captured +Captured
        capture 101          refused: only 60 minor units are left
        capture 0            refused: an amount must be more than zero
        void                 canceled +Canceled
        void 10              authorized +Authorized
        void 101             refused: only 60 minor units are left
        window over          expired +Expired
        cancel               refused: the payment is paid
        session over         canceled +Canceled
        refund               refused: nothing is captured
        refund 10            refused: nothing is captured
        refund, too late     refused: nothing is captured
    increment on its way
        card                 refused: the payment is being processed
        card, too late       refused: the payment is being processed
        card, 3-D Secure     refused: the payment is being processed
        answer 2: 00         authorized +Authorized
        answer 2: 51         authorized +AttemptFailed
        increment 50         refused: the payment is being processed
        increment 0          refused: the payment is being processed
        capture all          refused: the payment is being processed
        capture 30           refused: the payment is being processed
        capture 30, final    refused: the payment is being processed
        capture 101          refused: the payment is being processed
        capture 0            refused: the payment is being processed
        void                 refused: the payment is being processed
        void 10              refused: the payment is being processed
        void 101             refused: the payment is being processed
        cancel               refused: the payment is being processed
        refund               refused: the payment is being processed
        refund 10            refused: the payment is being processed
        refund, too late     refused: the payment is being processed
    partly captured
        card                 refused: the payment is paid
        card, too late       refused: the payment is paid
        card, 3-D Secure     refused: the payment is paid
        increment 50         refused: something was captured: the authorization cannot be raised any more
        increment 0          refused: something was captured: the authorization cannot be raised any more
        capture all          captured +Captured
        capture 30           partially_captured +PartiallyCaptured
        capture 30, final    captured +Captured
        capture 101          refused: only 60 minor units are left
        capture 0            refused: an amount must be more than zero
        void                 captured +Captured
        void 10              partially_captured +PartiallyCaptured
        void 101             refused: only 60 minor units are left
        window over          captured +Captured
        cancel               refused: the payment is paid
        refund               refused: the capture is being sent
        refund 10            refused: the capture is being sent
        refund, too late     refused: the refund window is closed
    captured, not sent
        card                 refused: the payment is paid
        card, too late       refused: the payment is paid
        card, 3-D Secure     refused: the payment is paid
        increment 50         refused: something was captured: the authorization cannot be raised any more
        increment 0          refused: something was captured: the authorization cannot be raised any more
        capture all          refused: only 0 minor units are left
        capture 30           refused: only 0 minor units are left
        capture 30, final    refused: only 0 minor units are left
        capture 101          refused: only 0 minor units are left
        capture 0            refused: only 0 minor units are left
        capture accepted     captured
        capture refused      capture_failed +CaptureFailed
        void                 canceled +Canceled
        void 10              refused: only 0 minor units are left
        void 101             refused: only 0 minor units are left
        cancel               refused: the payment is paid
        refund               refused: the capture is being sent
        refund 10            refused: the capture is being sent
        refund, too late     refused: the refund window is closed
    captured
        card                 refused: the payment is paid
        card, too late       refused: the payment is paid
        card, 3-D Secure     refused: the payment is paid
        increment 50         refused: something was captured: the authorization cannot be raised any more
        increment 0          refused: something was captured: the authorization cannot be raised any more
        capture all          refused: only 0 minor units are left
        capture 30           refused: only 0 minor units are left
        capture 30, final    refused: only 0 minor units are left
        capture 101          refused: only 0 minor units are left
        capture 0            refused: only 0 minor units are left
        capture rejected     capture_failed +CaptureFailed
        void                 canceled +Canceled
        void 10              refused: only 0 minor units are left
        void 101             refused: only 0 minor units are left
        cancel               refused: the payment is paid
        refund               captured +RefundCreated(ref_01kdvdna00em2ra1850m2ga185)
        refund 10            captured +RefundCreated(ref_01kdvdna00em2ra1850m2ga185)
        refund, too late     refused: the refund window is closed
    capture failed
        card                 refused: the payment is paid
        card, too late       refused: the payment is paid
        card, 3-D Secure     refused: the payment is paid
        increment 50         refused: something was captured: the authorization cannot be raised any more
        increment 0          refused: something was captured: the authorization cannot be raised any more
        capture all          captured +Captured
        capture 30           partially_captured +PartiallyCaptured
        capture 30, final    captured +Captured
        capture 101          refused: only 100 minor units are left
        capture 0            refused: an amount must be more than zero
        void                 canceled +Canceled
        void 10              authorized +Authorized
        void 101             refused: only 100 minor units are left
        window over          failed +Failed
        cancel               refused: the payment is paid
        refund               refused: nothing is captured
        refund 10            refused: nothing is captured
        refund, too late     refused: nothing is captured
    rejected in clearing
        card                 refused: the payment is paid
        card, too late       refused: the payment is paid
        card, 3-D Secure     refused: the payment is paid
        increment 50         refused: something was captured: the authorization cannot be raised any more
        increment 0          refused: something was captured: the authorization cannot be raised any more
        capture all          refused: only 0 minor units are left
        capture 30           refused: only 0 minor units are left
        capture 30, final    refused: only 0 minor units are left
        capture 101          refused: only 0 minor units are left
        capture 0            refused: only 0 minor units are left
        presented again      captured +Captured
        written off          failed +Failed
        void                 refused: only 0 minor units are left
        void 10              refused: only 0 minor units are left
        void 101             refused: only 0 minor units are left
        cancel               refused: the payment is paid
        refund               refused: nothing is captured
        refund 10            refused: nothing is captured
        refund, too late     refused: nothing is captured
    canceled
        card                 refused: the payment is canceled
        card, too late       refused: the payment is canceled
        card, 3-D Secure     refused: the payment is canceled
        increment 50         refused: the payment is canceled
        increment 0          refused: the payment is canceled
        capture all          refused: the payment is canceled
        capture 30           refused: the payment is canceled
        capture 30, final    refused: the payment is canceled
        capture 101          refused: the payment is canceled
        capture 0            refused: the payment is canceled
        void                 refused: the payment is canceled
        void 10              refused: the payment is canceled
        void 101             refused: the payment is canceled
        window over          refused: the payment is canceled
        cancel               refused: the payment is canceled
        refund               refused: nothing is captured
        refund 10            refused: nothing is captured
        refund, too late     refused: nothing is captured
    expired
        card                 refused: the payment is expired
        card, too late       refused: the payment is expired
        card, 3-D Secure     refused: the payment is expired
        answer 00            expired +LateApproval
        answer 00, less      expired +LateApproval
        answer 10, part      expired +LateApproval
        increment 50         refused: the payment is expired
        increment 0          refused: the payment is expired
        capture all          refused: the payment is expired
        capture 30           refused: the payment is expired
        capture 30, final    refused: the payment is expired
        capture 101          refused: the payment is expired
        capture 0            refused: the payment is expired
        void                 refused: the payment is expired
        void 10              refused: the payment is expired
        void 101             refused: the payment is expired
        window over          refused: the payment is expired
        cancel               refused: the payment is expired
        refund               refused: nothing is captured
        refund 10            refused: nothing is captured
        refund, too late     refused: nothing is captured
    failed
        card                 refused: the payment is failed
        card, too late       refused: the payment is failed
        card, 3-D Secure     refused: the payment is failed
        answer 00            failed +LateApproval
        answer 00, less      failed +LateApproval
        answer 10, part      failed +LateApproval
        increment 50         refused: the payment is failed
        increment 0          refused: the payment is failed
        capture all          refused: the payment is failed
        capture 30           refused: the payment is failed
        capture 30, final    refused: the payment is failed
        capture 101          refused: the payment is failed
        capture 0            refused: the payment is failed
        void                 refused: the payment is failed
        void 10              refused: the payment is failed
        void 101             refused: the payment is failed
        window over          refused: the payment is failed
        cancel               refused: the payment is failed
        refund               refused: nothing is captured
        refund 10            refused: nothing is captured
        refund, too late     refused: nothing is captured
    authenticating
        card                 refused: the payment is being processed
        card, too late       refused: the payment is being processed
        card, 3-D Secure     refused: the payment is being processed
        ARes Y               processing +Processing
        ARes C               requires_action +RequiresAction
        ARes R               requires_payment_method +AttemptFailed
        no ARes              processing +Processing
        increment 50         refused: the payment is being processed
        increment 0          refused: the payment is being processed
        capture all          refused: the payment is being processed
        capture 30           refused: the payment is being processed
        capture 30, final    refused: the payment is being processed
        capture 101          refused: the payment is being processed
        capture 0            refused: the payment is being processed
        void                 refused: the payment is being processed
        void 10              refused: the payment is being processed
        void 101             refused: the payment is being processed
        cancel               refused: the payment is being processed
        refund               refused: the payment is being processed
        refund 10            refused: the payment is being processed
        refund, too late     refused: the payment is being processed
    asked
        card                 refused: the payment is being processed
        card, too late       refused: the payment is being processed
        card, 3-D Secure     refused: the payment is being processed
        CRes Y               requires_action
        RReq Y               processing +Processing
        RReq N               requires_payment_method +AttemptFailed
        increment 50         refused: the payment is being processed
        increment 0          refused: the payment is being processed
        capture all          refused: the payment is being processed
        capture 30           refused: the payment is being processed
        capture 30, final    refused: the payment is being processed
        capture 101          refused: the payment is being processed
        capture 0            refused: the payment is being processed
        void                 refused: the payment is being processed
        void 10              refused: the payment is being processed
        void 101             refused: the payment is being processed
        cancel               canceled +Canceled
        session over         canceled +Canceled
        refund               refused: the payment is being processed
        refund 10            refused: the payment is being processed
        refund, too late     refused: the payment is being processed
    ");
}

#[test]
fn the_issuer_asks_for_the_cardholder_once() {
    let declined = |events: Vec<Event>| run(CaptureMode::Automatic, events);
    let asked = declined(vec![submitted(1, AT), answered(1, "1A", None)]);
    assert!(asked.wants_step_up());
    let skipped = run_on(
        payment_with(
            CaptureMode::Automatic,
            Terms {
                three_ds: three_ds::ThreeDsTerms {
                    mode: three_ds::Mode::Skip,
                    ..three_ds::ThreeDsTerms::default()
                },
                ..Terms::default()
            },
        ),
        [submitted(1, AT), answered(1, "1A", None)],
    );
    assert!(!skipped.wants_step_up());
    let other = declined(vec![submitted(1, AT), answered(1, "51", None)]);
    assert!(!other.wants_step_up());
}

#[test]
fn a_card_that_its_bank_rejected_is_not_tried_again_for_this_payment() {
    let mut it = run(CaptureMode::Automatic, [authenticating(1), responded(TransStatus::R)]);
    assert_eq!(it.state, State::RequiresPaymentMethod);
    let blocked = it.apply(submitted(1, later(40)), &Policy::default());
    assert_eq!(blocked, Err(Refusal::RetryBlocked));
    assert!(it.apply(submitted(2, later(40)), &Policy::default()).is_ok());
}

#[test]
fn the_authorization_is_sent_under_the_time_at_which_the_cardholder_was_known() {
    let it =
        run(CaptureMode::Automatic, [authenticating(1), challenged(), resulted(TransStatus::Y)]);
    assert_eq!(it.state, State::Processing);
    assert_eq!(it.attempts[0].identity, identity(later(30)));
}

#[test]
fn a_lost_answer_ends_reversed_and_the_merchant_is_told_once() {
    let mut it = run(
        CaptureMode::Automatic,
        [
            submitted(1, AT),
            Event::Unanswered { attempt: attempt_id(1), at: later(20) },
            Event::NothingFound(later(22)),
        ],
    );
    let reversal = it.reversals.first().unwrap().clone();
    assert_eq!(reversal.id, it.attempts.first().unwrap().reversal_id);
    assert_eq!((reversal.reason.as_str(), reversal.amount), ("4021", minor(100)));
    let event = acknowledged(&it, "25");
    let effects = it.apply(event.clone(), &Policy::default()).unwrap();
    assert_eq!(effects, [Effect::Announce(Announcement::Failed)]);
    assert_eq!(it.state, State::Failed);
    let attempt = it.attempts.first().unwrap();
    assert_eq!(attempt.state, AttemptState::Reversed);
    assert_eq!(attempt.decline.unwrap().code, DeclineCode::TIMEOUT_REVERSED);
    assert_eq!(it.apply(event, &Policy::default()), Err(Refusal::NotWaiting));
}

#[test]
fn a_capture_that_may_still_be_refused_is_not_refunded() {
    let paid = [submitted(1, AT), answered(1, "00", Some(100))];
    let mut it = run(CaptureMode::Automatic, paid);
    let early = it.apply(refunded(5, Some(10), later(4)), &Policy::default());
    assert_eq!(early, Err(Refusal::CapturePending));
}

#[test]
fn an_approval_that_comes_after_the_reversal_was_queued_resurrects_nothing() {
    let (_, mut it) = in_every_state().swap_remove(4);
    let before = it.clone();
    let effects = it.apply(answered(1, "00", Some(100)), &Policy::default()).unwrap();
    assert_eq!(effects, [Effect::LateApproval(attempt_id(1))]);
    assert_eq!(it, before);
}

#[test]
fn an_outcome_that_stays_unknown_fails_with_its_reversal_pending_and_is_acknowledged_later() {
    let (_, mut it) = in_every_state().swap_remove(4);
    it.apply(Event::LimitReached(later(82)), &Policy::default()).unwrap();
    assert_eq!(it.state, State::Failed);
    assert!(it.reversals.first().unwrap().is_open());
    let event = acknowledged(&it, "00");
    assert_eq!(it.apply(event, &Policy::default()), Ok(Vec::new()));
    assert_eq!(it.attempts.first().unwrap().state, AttemptState::Reversed);
    assert!(!it.reversals.first().unwrap().is_open());
}

#[test]
fn a_partial_approval_is_given_back_and_another_card_may_be_tried() {
    let it = run(CaptureMode::Automatic, [submitted(1, AT), answered(1, "10", Some(60))]);
    assert_eq!(it.state, State::RequiresPaymentMethod);
    let reversal = it.reversals.first().unwrap();
    assert_eq!((reversal.amount, reversal.reason.as_str()), (minor(60), "4000"));
    let decline = it.attempts.first().unwrap().decline.unwrap();
    assert_eq!(decline.code, DeclineCode::PARTIAL_APPROVAL);
}

#[test]
fn two_cards_share_a_payment_and_each_has_its_own_capture() {
    let events = [
        submitted(1, AT),
        answered(1, "10", Some(60)),
        submitted(2, later(5)),
        answered(2, "00", Some(40)),
    ];
    let it = run_on(payment_with(CaptureMode::Automatic, agreed(true, false)), events);
    assert_eq!(it.state, State::Captured);
    let shares: Vec<_> = it.captures.iter().map(|it| (it.attempt, it.amount)).collect();
    assert_eq!(shares, [(attempt_id(1), minor(60)), (attempt_id(2), minor(40))]);
}

#[test]
fn a_declined_second_card_leaves_the_part_of_the_first() {
    let events = [
        submitted(1, AT),
        answered(1, "10", Some(60)),
        submitted(2, later(5)),
        answered(2, "51", None),
    ];
    let mut it = run_on(payment_with(CaptureMode::Automatic, agreed(true, false)), events);
    assert_eq!((it.state, it.amounts.authorized), (State::Authorized, minor(60)));
    it.apply(voided(None), &Policy::default()).unwrap();
    assert_eq!(it.state, State::Canceled);
    let reversal = it.reversals.last().unwrap();
    assert_eq!(reversal.original, Original::Attempt(attempt_id(1)));
    assert_eq!((reversal.amount, reversal.remains), (minor(60), minor(0)));
}

#[test]
fn a_void_of_a_shared_payment_gives_back_to_both_cards() {
    let events = [
        submitted(1, AT),
        answered(1, "10", Some(60)),
        submitted(2, later(5)),
        answered(2, "00", Some(40)),
        voided(Some(50)),
    ];
    let mut it = run_on(payment_with(CaptureMode::Manual, agreed(true, false)), events);
    let given: Vec<_> = it.reversals.iter().map(|it| (it.original, it.remains)).collect();
    let (one, two) = (Original::Attempt(attempt_id(1)), Original::Attempt(attempt_id(2)));
    assert_eq!(given, [(two, minor(0)), (one, minor(50))]);
    it.apply(captured(3, None, None), &Policy::default()).unwrap();
    assert_eq!(it.captures.len(), 1);
}

#[test]
fn increments_raise_what_can_be_captured_and_a_final_capture_releases_the_rest() {
    let mut it = run_on(
        payment_with(CaptureMode::Manual, agreed(false, true)),
        [
            submitted(1, AT),
            answered(1, "00", Some(100)),
            incremented(2, 50),
            answered(2, "00", Some(50)),
            incremented(3, 30),
            answered(3, "00", Some(30)),
        ],
    );
    assert_eq!((it.amounts.authorized, it.amounts.requested), (minor(180), minor(180)));
    it.apply(captured(4, Some(165), Some(true)), &Policy::default()).unwrap();
    assert_eq!(it.state, State::Captured);
    let reversal = it.reversals.last().unwrap();
    assert_eq!(reversal.original, Original::Attempt(attempt_id(1)));
    assert_eq!((reversal.amount, reversal.remains), (minor(180), minor(165)));
}

#[test]
fn an_increment_that_nobody_answers_is_reversed_and_the_estimate_stays() {
    let mut it = run_on(
        payment_with(CaptureMode::Manual, agreed(false, true)),
        [
            submitted(1, AT),
            answered(1, "00", Some(100)),
            incremented(2, 50),
            Event::Unanswered { attempt: attempt_id(2), at: later(22) },
            Event::NothingFound(later(24)),
        ],
    );
    let reversal = it.reversals.last().unwrap();
    assert_eq!((reversal.amount, reversal.remains), (minor(50), minor(0)));
    assert_eq!(reversal.original, Original::Attempt(attempt_id(2)));
    let event = acknowledged(&it, "00");
    it.apply(event, &Policy::default()).unwrap();
    assert_eq!((it.state, it.amounts.authorized), (State::Authorized, minor(100)));
    assert_eq!(it.due_at, it.capture_before);
}

#[test]
fn a_tip_within_the_tolerance_is_captured_and_all_of_it_can_be_voided() {
    let mut paid = answer("00", Some(100));
    paid.over_capture = OverCapture { percent: 20, amount: MinorUnits::ZERO };
    let capture = new_capture(200, later(1));
    let event = Event::Answered { attempt: attempt_id(1), answer: paid, capture, more: vec![] };
    let mut it = run(CaptureMode::Manual, [submitted(1, AT), event]);
    let too_much = it.apply(captured(3, Some(125), None), &Policy::default());
    assert_eq!(too_much, Err(Refusal::AmountTooLarge(minor(120))));
    it.apply(captured(3, Some(118), None), &Policy::default()).unwrap();
    assert_eq!((it.state, it.amounts.captured), (State::Captured, minor(118)));
    it.apply(voided(None), &Policy::default()).unwrap();
    assert_eq!((it.state, it.amounts.reversed), (State::Canceled, minor(100)));
    assert!(it.reversals.last().unwrap().remains.is_zero());
}

#[test]
fn the_window_moves_with_an_increment_on_mastercard_and_stays_on_visa() {
    let day = |n: u64| later(n * 24 * 3600);
    for (brand, moves) in [(Brand::Visa, false), (Brand::Mastercard, true)] {
        let mut first = submitted(1, AT);
        if let Event::CardSubmitted(submission) = &mut first {
            submission.card.brand = brand;
        }
        let mut it = run_on(
            payment_with(CaptureMode::Manual, agreed(false, true)),
            [first, answered(1, "00", Some(100)), incremented(2, 50)],
        );
        assert_eq!(it.capture_before, Some(later(30 * 24 * 3600 + 1)));
        let mut late = answer("00", Some(50));
        late.at = day(9);
        let capture = new_capture(200, day(9));
        let event = Event::Answered { attempt: attempt_id(2), answer: late, capture, more: vec![] };
        it.apply(event, &Policy::default()).unwrap();
        let before = if moves { day(39) } else { later(30 * 24 * 3600 + 1) };
        assert_eq!(it.capture_before, Some(before), "{brand:?}");
    }
}

/// A verification: no money is asked for.
fn verification() -> Payment {
    let purpose = wire::stored_credential::PaymentPurpose::Verification;
    let mut it = payment_with(CaptureMode::Automatic, Terms { purpose, ..Terms::default() });
    it.amounts.requested = MinorUnits::ZERO;
    it
}

#[test]
fn a_verification_ends_as_verified_and_takes_nothing_more() {
    let mut grid = String::new();
    let verified = run_on(verification(), [submitted(1, AT), answered(1, "85", Some(0))]);
    assert_eq!((verified.state, verified.due_at), (State::Verified, None));
    for (name, event) in every_event() {
        let mut it = verified.clone();
        let outcome = it.apply(event, &Policy::default());
        if outcome != Err(Refusal::NotWaiting) {
            let _ = writeln!(grid, "{name:18} {}", described(&it, &outcome));
        }
    }
    insta::assert_snapshot!(grid, @"
    card               refused: the payment is verified
    card, too late     refused: the payment is verified
    card, 3-D Secure   refused: the payment is verified
    increment 50       refused: the payment is verified
    increment 0        refused: the payment is verified
    capture all        refused: the payment is verified
    capture 30         refused: the payment is verified
    capture 30, final  refused: the payment is verified
    capture 101        refused: the payment is verified
    capture 0          refused: the payment is verified
    void               refused: the payment is verified
    void 10            refused: the payment is verified
    void 101           refused: the payment is verified
    window over        refused: the payment is verified
    cancel             refused: the payment is verified
    refund             refused: nothing is captured
    refund 10          refused: nothing is captured
    refund, too late   refused: nothing is captured
    ");
    let declined = run_on(verification(), [submitted(1, AT), answered(1, "05", None)]);
    assert_eq!(declined.state, State::RequiresPaymentMethod);
}

/// A payment that the merchant starts on a saved card.
fn by_merchant() -> Payment {
    let stored = crate::domain::stored_card::UseOfCard {
        card: wire::ids::CardId::new(AT, [7; 10]),
        initiator: wire::stored_credential::Initiator::Merchant,
        reason: Some(wire::stored_credential::MitReason::Recurring),
        agreement: Some(PaymentId::new(AT, [8; 10])),
        original: Some("326326123456789".to_owned()),
        grandfathered: false,
    };
    let terms = Terms { stored: Some(stored), ..Terms::default() };
    payment_with(CaptureMode::Automatic, terms)
}

#[test]
fn a_payment_that_the_merchant_starts_ends_with_its_first_decline() {
    let it = run_on(by_merchant(), [submitted(1, AT), answered(1, "51", None)]);
    assert_eq!(it.state, State::Failed);
    let it = run_on(by_merchant(), [submitted(1, AT), answered(1, "00", Some(100))]);
    assert_eq!(it.state, State::Captured);
    // Visa gives a merchant five days where a cardholder has ten.
    assert_eq!(it.capture_before, Some(later(5 * 24 * 3600 + 1)));
}

#[test]
fn rules_about_checks_take_an_approval_back_or_keep_it_uncaptured() {
    use crate::domain::check_rules::CheckRules;
    use wire::stored_credential::CheckRule;
    let judged = |rule: CheckRule| {
        let rules = CheckRules { avs: rule, ..CheckRules::default() };
        let terms = Terms { rules, ..Terms::default() };
        let mut it = run_on(payment_with(CaptureMode::Automatic, terms), [submitted(1, AT)]);
        let mut answer = answer("00", Some(100));
        answer.avs_result = Some("N".to_owned());
        let capture = new_capture(200, later(1));
        let event = Event::Answered { attempt: attempt_id(1), answer, capture, more: vec![] };
        it.apply(event, &Policy::default()).unwrap();
        (it.state, it.review(), it.reversals.len())
    };
    assert_eq!(judged(CheckRule::Accept), (State::Captured, None, 0));
    assert_eq!(judged(CheckRule::Review), (State::Authorized, Some("avs_no_match"), 0));
    assert_eq!(judged(CheckRule::Reject), (State::Failed, None, 1));
}

/// A card that goes over a cap.
fn over_cap(n: u8) -> Event {
    let Event::CardSubmitted(submission) = submitted(n, AT) else { unreachable!() };
    Event::CardSubmitted(Submission { over_cap: true, ..submission })
}

#[test]
fn what_goes_over_a_cap_waits_for_a_person_and_another_card_does_not() {
    use CaptureMode::Automatic;
    let it = run(Automatic, [over_cap(1), answered(1, "00", Some(100))]);
    assert_eq!((it.state, it.review()), (State::Authorized, Some("cap_exceeded")));
    let taken = run_on(it.clone(), [captured(2, None, None)]);
    assert_eq!((taken.state, taken.review()), (State::Captured, None));
    let declined = [over_cap(1), answered(1, "51", None)];
    let other = [submitted(2, AT), answered(2, "00", Some(100))];
    let it = run(Automatic, declined.into_iter().chain(other));
    assert_eq!((it.state, it.review()), (State::Captured, None));
}

#[test]
fn caps_count_what_is_or_may_be_authorized_on_the_day_of_its_message() {
    use CaptureMode::Manual;
    let counted = |events: Vec<Event>| {
        let it = run_on(payment_with(Manual, agreed(false, true)), events);
        caps::shares(&it).iter().map(|it| it.amount).collect::<Vec<_>>()
    };
    let paid = || vec![submitted(1, AT), answered(1, "00", Some(100))];
    let and = |more: Vec<Event>| paid().into_iter().chain(more).collect::<Vec<_>>();
    let name = ReversalId::new(AT, [77; 10]);
    let voided = |amount: Option<i64>| Event::Voided {
        amount: amount.map(minor),
        reversal: name,
        at: later(3),
    };
    assert_eq!(counted(vec![submitted(1, AT)]), [100], "it may be approved");
    let lost = Event::Unanswered { attempt: attempt_id(1), at: later(20) };
    assert_eq!(counted(vec![submitted(1, AT), lost]), [100], "nobody knows");
    assert_eq!(counted(vec![submitted(1, AT), answered(1, "51", None)]), [0]);
    assert_eq!(counted(paid()), [100]);
    assert_eq!(counted(and(vec![voided(None)])), [0]);
    assert_eq!(counted(and(vec![voided(Some(30))])), [70]);
    assert_eq!(counted(and(vec![captured(2, Some(60), Some(true))])), [60]);
    assert_eq!(counted(and(vec![incremented(3, 50)])), [100, 50]);
    assert_eq!(counted(and(vec![incremented(3, 50), answered(3, "51", None)])), [100, 0]);
    let raised = || and(vec![incremented(3, 50), answered(3, "00", Some(50))]);
    assert_eq!(counted(raised()), [100, 50]);
    let part = |amount| raised().into_iter().chain([voided(Some(amount))]).collect();
    assert_eq!(counted(part(20)), [80, 50], "the first part is given back first");
    assert_eq!(counted(part(120)), [0, 30]);
}

#[test]
fn a_lost_or_stolen_card_is_not_tried_twice_and_another_card_is() {
    let mut it = run(CaptureMode::Automatic, [submitted(1, AT), answered(1, "43", None)]);
    let same = Event::CardSubmitted(Submission {
        id: attempt_id(9),
        card: card(1),
        identity: identity(later(60)),
        reversal_id: ReversalId::new(AT, [9; 10]),
        caller: None,
        authentication: None,
        saving: None,
        network_token: None,
        conversion: None,
        over_cap: false,
    });
    assert_eq!(it.apply(same, &Policy::default()), Err(Refusal::RetryBlocked));
    assert!(it.apply(submitted(2, later(60)), &Policy::default()).is_ok());
}

#[test]
fn the_tenth_decline_ends_the_payment() {
    let mut it = payment(CaptureMode::Automatic);
    for n in 1..=10 {
        it.apply(submitted(n, later(1)), &Policy::default()).unwrap();
        it.apply(answered(n, "51", None), &Policy::default()).unwrap();
    }
    assert_eq!(it.state, State::Failed);
}

#[test]
fn captures_that_were_voided_are_withdrawn_and_reversed_in_full() {
    let it =
        run(CaptureMode::Automatic, [submitted(1, AT), answered(1, "00", Some(100)), voided(None)]);
    assert_eq!(it.state, State::Canceled);
    assert_eq!(it.captures.first().unwrap().state, CaptureState::Withdrawn);
    assert_eq!((it.amounts.captured, it.amounts.reversed), (minor(0), minor(100)));
    let reversal = it.reversals.first().unwrap();
    assert_eq!((reversal.remains, reversal.reason.as_str()), (minor(0), "4000"));
}

#[test]
fn a_final_capture_of_a_part_gives_the_rest_back() {
    let it = run(
        CaptureMode::Manual,
        [submitted(1, AT), answered(1, "00", Some(100)), captured(3, Some(70), Some(true))],
    );
    assert_eq!(it.state, State::Captured);
    let reversal = it.reversals.first().unwrap();
    assert_eq!((reversal.amount, reversal.remains), (minor(100), minor(70)));
    assert_eq!(reversal.reason.as_str(), "4004");
}

#[test]
fn two_reversals_of_one_attempt_have_their_own_names_and_times() {
    let mut it = run(CaptureMode::Manual, [submitted(1, AT), answered(1, "00", Some(100))]);
    it.apply(voided(Some(10)), &Policy::default()).unwrap();
    it.apply(voided(Some(20)), &Policy::default()).unwrap();
    let [first, second] = it.reversals.as_slice() else { panic!("two reversals") };
    assert_ne!(first.id, second.id);
    assert_ne!(first.transmission_at, second.transmission_at);
    assert_eq!((first.remains, second.remains), (minor(90), minor(70)));
}

#[test]
fn a_refund_that_fails_leaves_its_money_refundable() {
    let taken = Event::CaptureAccepted(CaptureId::new(AT, [200; 10]));
    let paid = [submitted(1, AT), answered(1, "00", Some(100)), taken];
    let mut it = run(CaptureMode::Automatic, paid);
    it.apply(refunded(5, Some(80), later(4)), &Policy::default()).unwrap();
    let too_much = it.apply(refunded(6, Some(21), later(4)), &Policy::default());
    assert_eq!(too_much, Err(Refusal::AmountTooLarge(minor(20))));
    let declined = refund_event(5, RefundEvent::Answered(Box::new(answer("46", None))));
    it.apply(declined, &Policy::default()).unwrap();
    it.apply(refunded(6, None, later(4)), &Policy::default()).unwrap();
    let approved = refund_event(6, RefundEvent::Answered(Box::new(answer("00", Some(100)))));
    it.apply(approved, &Policy::default()).unwrap();
    assert_eq!(it.amounts.refunded, minor(100));
    it.apply(refund_event(6, RefundEvent::Canceled), &Policy::default()).unwrap();
    assert_eq!(it.amounts.refunded, minor(0));
    assert_eq!(it.reversals.last().unwrap().original, Original::Refund(RefundId::new(AT, [6; 10])));
}

use crate::domain::reversal::Original;

fn any_event(payment: &Payment, kind: u8, n: u8, amount: i64) -> Event {
    // Ids are never used twice.
    let fresh = u8::try_from(payment.attempts.len()).unwrap().wrapping_add(100);
    let last = payment.attempts.last().map_or(attempt_id(0), |it| it.id);
    let capture = payment.captures.last().map_or(CaptureId::new(AT, [0; 10]), |it| it.id);
    let refund = payment.refunds.last().map_or(RefundId::new(AT, [0; 10]), |it| it.id);
    let answered = |code: &str, amount| Event::Answered {
        attempt: last,
        answer: answer(code, amount),
        capture: new_capture(n, later(1)),
        more: vec![
            new_capture(n.wrapping_add(1), later(1)),
            new_capture(n.wrapping_add(2), later(1)),
        ],
    };
    let of_refund = |event| Event::Refund { id: refund, event, at: later(5) };
    match kind {
        0 | 1 => submitted(fresh, later(1)),
        2 | 3 => answered("00", Some(100)),
        4 => answered("00", Some(amount)),
        5 => answered("10", Some(amount)),
        6 => answered("51", None),
        7 => answered("68", None),
        8 => Event::Unanswered { attempt: last, at: later(20) },
        9 => Event::NothingFound(later(22)),
        10 => Event::LimitReached(later(82)),
        11 => acknowledged(payment, "00"),
        12 | 13 => captured(n, Some(amount), Some(n.is_multiple_of(2))),
        14 => captured(n, None, None),
        15 => Event::CaptureRefused(capture),
        16 => Event::CaptureAccepted(capture),
        17 => voided(Some(amount)),
        18 => voided(None),
        19 => Event::AuthorizationExpired {
            reversal: ReversalId::new(AT, [n; 10]),
            at: later(40 * 24 * 3600),
        },
        20 => Event::Canceled(later(2)),
        21 | 22 => refunded(n, Some(amount), later(4)),
        23 => of_refund(RefundEvent::Answered(Box::new(answer("00", None)))),
        24 => of_refund(RefundEvent::Answered(Box::new(answer("51", None)))),
        25 => of_refund(RefundEvent::Canceled),
        27..=29 => incremented(fresh, amount),
        30 => answered("00", payment.attempts.last().map(|it| it.asked.get())),
        32 | 33 => Event::CaptureRejected(capture),
        34 => Event::CapturePresented(capture),
        35 => written_off(capture),
        _ => of_refund(RefundEvent::Unanswered { at: later(9), jitter_permille: 0 }),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn sums_hold_over_any_history(
        manual in any::<bool>(),
        partial in any::<bool>(),
        estimated in any::<bool>(),
        history in prop::collection::vec((0_u8..36, any::<u8>(), 0_i64..130), 0..40),
    ) {
        let mode = if manual { CaptureMode::Manual } else { CaptureMode::Automatic };
        let mut it = payment_with(mode, agreed(partial, estimated));
        for (kind, n, amount) in history {
            let event = any_event(&it, kind, n, amount);
            let before = it.clone();
            if it.apply(event, &Policy::default()).is_err() {
                prop_assert_eq!(&it, &before);
            }
            let sum = it.amounts.captured.get() + it.amounts.reversed.get();
            prop_assert!(sum <= it.amounts.authorized.get());
            prop_assert!(it.amounts.authorized <= it.amounts.requested);
            prop_assert!(it.refunds_held() <= it.amounts.captured);
            prop_assert!(it.amounts.refunded <= it.refunds_held());
            let counted: i64 = it.captures.iter().filter(|it| it.state.counts())
                .map(|it| it.amount.get()).sum();
            prop_assert_eq!(counted, it.amounts.captured.get());
            let approved = it.attempts.iter().filter(|it| it.state == AttemptState::Approved);
            let shares = approved.filter(|it| it.kind == AttemptKind::Payment).count();
            prop_assert!(shares <= 1 || partial);
            let kept: i64 = it.authorizations().map(|it| it.kept().get()).sum();
            prop_assert_eq!(kept, it.amounts.authorized.get() - it.amounts.reversed.get());
            for attempt in it.authorizations() {
                prop_assert!(it.captured_of(attempt.id) <= attempt.kept());
            }
            let open = it.attempts.iter().filter(|it| it.state.is_open()).map(|it| it.asked.get());
            let capped: u64 = caps::shares(&it).iter().map(|it| it.amount).sum();
            prop_assert_eq!(capped, (kept + open.sum::<i64>()).unsigned_abs());
            if it.state == State::Captured {
                prop_assert!(it.amounts.open().is_zero() && !it.amounts.captured.is_zero());
            }
            if matches!(it.state, State::Canceled | State::Expired | State::Failed) {
                prop_assert!(it.amounts.captured.is_zero() && it.amounts.open().is_zero());
                prop_assert_eq!(it.due_at, None);
            }
            if matches!(before.state, State::Canceled | State::Expired | State::Failed) {
                prop_assert_eq!(it.state, before.state);
            }
        }
    }
}
