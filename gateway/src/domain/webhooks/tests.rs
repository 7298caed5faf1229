//! The schedule of deliveries and the health of endpoints, state by state.

use std::fmt::Write;

use proptest::prelude::*;

use super::*;

const START: Timestamp = Timestamp::from_millis(1_767_225_600_000);

const VERDICTS: [Verdict; 8] = [
    Verdict::Delivered,
    Verdict::Refused,
    Verdict::Overloaded { retry_after: None },
    Verdict::Overloaded { retry_after: Some(Duration::from_secs(90)) },
    Verdict::Gone,
    Verdict::Timeout,
    Verdict::Unreachable,
    Verdict::Blocked,
];

fn attempted(verdict: Verdict) -> DeliveryEvent {
    DeliveryEvent::Attempted { verdict, at: START, random: 0 }
}

fn shown(delivery: Delivery) -> String {
    match delivery {
        Delivery::Pending { tried, due_at } => {
            format!("pending, tried {tried}, in {:?}", due_at.since(START))
        }
        Delivery::Delivered | Delivery::Dead => delivery.as_str().to_owned(),
    }
}

#[test]
fn the_default_schedule_has_ten_attempts_in_75_h_35_min_5_s() {
    let policy = DeliveryPolicy::default();
    assert_eq!(policy.waits.len(), 10);
    let total: Duration = policy.waits.iter().sum();
    assert_eq!(total, Duration::from_secs(75 * 3600 + 35 * 60 + 5));
}

#[test]
fn every_state_and_event_of_a_delivery() {
    let policy = DeliveryPolicy::default();
    let states = [
        Delivery::new(START),
        Delivery::Pending { tried: 9, due_at: START },
        Delivery::Delivered,
        Delivery::Dead,
    ];
    let mut grid = String::new();
    for state in states {
        let events = VERDICTS.map(attempted);
        let later = START.plus(Duration::from_secs(7));
        for event in events.into_iter().chain([DeliveryEvent::ResendRequested { at: later }]) {
            let mut after = state;
            let refused = after.apply(&policy, event).is_err();
            let name = match event {
                DeliveryEvent::Attempted { verdict, .. } => format!("{verdict:?}"),
                DeliveryEvent::ResendRequested { .. } => "resend after 7 s".to_owned(),
            };
            let outcome = if refused { "refused".to_owned() } else { shown(after) };
            writeln!(grid, "{} + {name} -> {outcome}", shown(state)).unwrap();
            assert!(!refused || after == state, "a refusal changes nothing");
        }
    }
    insta::assert_snapshot!(grid, @r"
    pending, tried 0, in 0ns + Delivered -> delivered
    pending, tried 0, in 0ns + Refused -> pending, tried 1, in 5s
    pending, tried 0, in 0ns + Overloaded { retry_after: None } -> pending, tried 1, in 60s
    pending, tried 0, in 0ns + Overloaded { retry_after: Some(90s) } -> pending, tried 1, in 90s
    pending, tried 0, in 0ns + Gone -> pending, tried 1, in 5s
    pending, tried 0, in 0ns + Timeout -> pending, tried 1, in 60s
    pending, tried 0, in 0ns + Unreachable -> pending, tried 1, in 5s
    pending, tried 0, in 0ns + Blocked -> pending, tried 1, in 5s
    pending, tried 0, in 0ns + resend after 7 s -> pending, tried 0, in 7s
    pending, tried 9, in 0ns + Delivered -> delivered
    pending, tried 9, in 0ns + Refused -> dead
    pending, tried 9, in 0ns + Overloaded { retry_after: None } -> dead
    pending, tried 9, in 0ns + Overloaded { retry_after: Some(90s) } -> dead
    pending, tried 9, in 0ns + Gone -> dead
    pending, tried 9, in 0ns + Timeout -> dead
    pending, tried 9, in 0ns + Unreachable -> dead
    pending, tried 9, in 0ns + Blocked -> dead
    pending, tried 9, in 0ns + resend after 7 s -> pending, tried 9, in 7s
    delivered + Delivered -> refused
    delivered + Refused -> refused
    delivered + Overloaded { retry_after: None } -> refused
    delivered + Overloaded { retry_after: Some(90s) } -> refused
    delivered + Gone -> refused
    delivered + Timeout -> refused
    delivered + Unreachable -> refused
    delivered + Blocked -> refused
    delivered + resend after 7 s -> pending, tried 0, in 7s
    dead + Delivered -> refused
    dead + Refused -> refused
    dead + Overloaded { retry_after: None } -> refused
    dead + Overloaded { retry_after: Some(90s) } -> refused
    dead + Gone -> refused
    dead + Timeout -> refused
    dead + Unreachable -> refused
    dead + Blocked -> refused
    dead + resend after 7 s -> pending, tried 0, in 7s
    ");
}

#[test]
fn a_receiver_that_never_answers_gets_ten_attempts_and_a_dead_letter() {
    let policy = DeliveryPolicy { jitter_percent_max: 0, ..DeliveryPolicy::default() };
    let mut delivery = Delivery::new(START);
    let mut times = Vec::new();
    while let Delivery::Pending { due_at, .. } = delivery {
        times.push(due_at.since(START).as_secs());
        let event =
            DeliveryEvent::Attempted { verdict: Verdict::Refused, at: due_at, random: 12_345 };
        delivery.apply(&policy, event).unwrap();
    }
    assert_eq!(delivery, Delivery::Dead);
    let expected = [0, 5, 305, 2105, 9305, 27_305, 63_305, 113_705, 185_705, 272_105];
    assert_eq!(times, expected);
}

#[test]
fn every_state_and_event_of_an_endpoint() {
    let policy = DeliveryPolicy::default();
    let late = START.plus(policy.disable_after);
    let attempted = |verdict, at| HealthEvent::Attempted { verdict, at };
    let states = [
        Health::Enabled { failing_since: None },
        Health::Enabled { failing_since: Some(START) },
        Health::Disabled(DisabledReason::ByOwner),
        Health::Disabled(DisabledReason::Gone),
        Health::Disabled(DisabledReason::Failing),
    ];
    let mut grid = String::new();
    for state in states {
        for (name, event) in [
            ("delivered", attempted(Verdict::Delivered, START)),
            ("refused", attempted(Verdict::Refused, START)),
            ("refused after 120 h", attempted(Verdict::Refused, late)),
            ("timeout after 120 h", attempted(Verdict::Timeout, late)),
            ("gone", attempted(Verdict::Gone, START)),
            ("disable", HealthEvent::Disable),
            ("enable", HealthEvent::Enable),
        ] {
            let after = state.after(&policy, event);
            writeln!(grid, "{state:?} + {name} -> {after:?}").unwrap();
        }
    }
    insta::assert_snapshot!(grid, @r"
    Enabled { failing_since: None } + delivered -> Enabled { failing_since: None }
    Enabled { failing_since: None } + refused -> Enabled { failing_since: Some(Timestamp(1767225600000)) }
    Enabled { failing_since: None } + refused after 120 h -> Enabled { failing_since: Some(Timestamp(1767657600000)) }
    Enabled { failing_since: None } + timeout after 120 h -> Enabled { failing_since: Some(Timestamp(1767657600000)) }
    Enabled { failing_since: None } + gone -> Disabled(Gone)
    Enabled { failing_since: None } + disable -> Disabled(ByOwner)
    Enabled { failing_since: None } + enable -> Enabled { failing_since: None }
    Enabled { failing_since: Some(Timestamp(1767225600000)) } + delivered -> Enabled { failing_since: None }
    Enabled { failing_since: Some(Timestamp(1767225600000)) } + refused -> Enabled { failing_since: Some(Timestamp(1767225600000)) }
    Enabled { failing_since: Some(Timestamp(1767225600000)) } + refused after 120 h -> Disabled(Failing)
    Enabled { failing_since: Some(Timestamp(1767225600000)) } + timeout after 120 h -> Disabled(Failing)
    Enabled { failing_since: Some(Timestamp(1767225600000)) } + gone -> Disabled(Gone)
    Enabled { failing_since: Some(Timestamp(1767225600000)) } + disable -> Disabled(ByOwner)
    Enabled { failing_since: Some(Timestamp(1767225600000)) } + enable -> Enabled { failing_since: Some(Timestamp(1767225600000)) }
    Disabled(ByOwner) + delivered -> Disabled(ByOwner)
    Disabled(ByOwner) + refused -> Disabled(ByOwner)
    Disabled(ByOwner) + refused after 120 h -> Disabled(ByOwner)
    Disabled(ByOwner) + timeout after 120 h -> Disabled(ByOwner)
    Disabled(ByOwner) + gone -> Disabled(ByOwner)
    Disabled(ByOwner) + disable -> Disabled(ByOwner)
    Disabled(ByOwner) + enable -> Enabled { failing_since: None }
    Disabled(Gone) + delivered -> Disabled(Gone)
    Disabled(Gone) + refused -> Disabled(Gone)
    Disabled(Gone) + refused after 120 h -> Disabled(Gone)
    Disabled(Gone) + timeout after 120 h -> Disabled(Gone)
    Disabled(Gone) + gone -> Disabled(Gone)
    Disabled(Gone) + disable -> Disabled(ByOwner)
    Disabled(Gone) + enable -> Enabled { failing_since: None }
    Disabled(Failing) + delivered -> Disabled(Failing)
    Disabled(Failing) + refused -> Disabled(Failing)
    Disabled(Failing) + refused after 120 h -> Disabled(Failing)
    Disabled(Failing) + timeout after 120 h -> Disabled(Failing)
    Disabled(Failing) + gone -> Disabled(Failing)
    Disabled(Failing) + disable -> Disabled(ByOwner)
    Disabled(Failing) + enable -> Enabled { failing_since: None }
    ");
}

#[test]
fn a_subscription_takes_its_types_or_all() {
    let some = Subscription::new(vec!["payment.captured".to_owned()]);
    assert!(some.wants("payment.captured") && !some.wants("payment.created"));
    assert!(Subscription::new(vec![ALL_TYPES.to_owned()]).wants("payment.created"));
    assert!(!Subscription::new(Vec::new()).wants("payment.created"));
}

proptest! {
    #[test]
    fn a_wait_is_the_scheduled_one_plus_at_most_a_fifth(tried in 0_u32..9, random: u64) {
        let policy = DeliveryPolicy::default();
        let mut delivery = Delivery::Pending { tried, due_at: START };
        let event = DeliveryEvent::Attempted { verdict: Verdict::Refused, at: START, random };
        delivery.apply(&policy, event).unwrap();
        let Delivery::Pending { due_at, .. } = delivery else { panic!("still pending") };
        let scheduled = policy.waits[usize::try_from(tried).unwrap() + 1];
        prop_assert!(due_at.since(START) >= scheduled);
        prop_assert!(due_at.since(START) <= scheduled + scheduled / 5);
    }

    #[test]
    fn a_receiver_decides_between_one_and_two_scheduled_waits(
        tried in 0_u32..9,
        random: u64,
        asked in 0_u64..1_000_000,
    ) {
        let policy = DeliveryPolicy::default();
        let retry_after = Some(Duration::from_secs(asked));
        let mut delivery = Delivery::Pending { tried, due_at: START };
        let verdict = Verdict::Overloaded { retry_after };
        let event = DeliveryEvent::Attempted { verdict, at: START, random };
        delivery.apply(&policy, event).unwrap();
        let Delivery::Pending { due_at, .. } = delivery else { panic!("still pending") };
        let scheduled = policy.waits[usize::try_from(tried).unwrap() + 1];
        let scheduled = scheduled.max(policy.overload_wait_min);
        prop_assert!(due_at.since(START) >= scheduled);
        prop_assert!(due_at.since(START) <= (scheduled + scheduled / 5) * 2);
    }
}
