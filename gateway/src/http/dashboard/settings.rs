//! Settings as they are, and the checklist before going live.

use actix_web::HttpResponse;
use kit::durations;
use kit::http::Problem;
use wire::card::Brand;

use super::access::Visit;
use crate::domain::caps::OverCap;
use crate::domain::ip_lists::IpRange;
use crate::domain::operator::{Role, Task};
use crate::http::browser::page;
use crate::operations::{Context, dashboard};
use crate::pages::dashboard::settings::{
    GoLivePage, Group, RoleLine, Setting, SettingsPage, checklist,
};
use crate::pages::texts::LANGUAGES;
use crate::settings::TimeoutPolicy;

/// `GET /dashboard/settings`
pub async fn show(visit: Visit) -> Result<HttpResponse, Problem> {
    let Visit { context, signed_in, .. } = &visit;
    let groups = vec![
        Group { title: "Limits", settings: limits(context) },
        Group { title: "Caps", settings: caps(context) },
        Group { title: "Calls of the API", settings: calls(context) },
        Group { title: "Unknown outcomes", settings: unknown_outcomes(context) },
        Group { title: "Cards and payers", settings: payers(context) },
        Group { title: "Webhooks", settings: webhooks(context) },
    ];
    let roles = Role::ALL.iter().map(|role| role_line(context, *role)).collect();
    page(200, &SettingsPage { frame: signed_in.frame(context, "settings"), groups, roles })
}

fn limits(context: &Context) -> Vec<Setting> {
    let (limits, timers) = (context.settings.limits, context.settings.timers);
    vec![
        ("Cards that may be tried for one payment", limits.attempts_max.to_string()),
        ("Cards tried in a minute from one address", number(limits.card_attempts.per_address)),
        ("Cards tried in a minute of one range", number(limits.card_attempts.per_range)),
        ("Captures on their way at a time", limits.captures_in_flight_max.to_string()),
        ("A payment page lives", durations::text(timers.checkout_session)),
        (
            "The same order and amount is not paid twice within",
            durations::text(timers.duplicate_window),
        ),
        ("A capture can be refunded for", durations::text(timers.refund_window)),
        (
            "Answers are kept under their idempotency key for",
            durations::text(timers.idempotency_kept),
        ),
    ]
}

fn caps(context: &Context) -> Vec<Setting> {
    let caps = context.settings.limits.caps;
    let over = match caps.over {
        OverCap::Refuse => "refused; nothing is sent to a bank",
        OverCap::Review => "authorized, and captured when a person has looked",
    };
    vec![
        ("One payment asks for at most", minor_units(caps.payment)),
        ("One card pays on a day (UTC) at most", minor_units(caps.card_day)),
        ("All cards pay on a day (UTC) at most", minor_units(caps.merchant_day)),
        ("A payment over a cap of the day is", over.to_owned()),
    ]
}

/// A cap counts in each currency by itself.
fn minor_units(cap: Option<u64>) -> String {
    let Some(cap) = cap else { return "any amount".to_owned() };
    let (whole, cents) = (cap / 100, cap % 100);
    format!("{whole}.{cents:02} in currencies with cents ({cap} minor units)")
}

fn calls(context: &Context) -> Vec<Setting> {
    let (limits, lists) = (context.settings.limits, &context.settings.ip_lists);
    let rate = limits.api.map_or_else(
        || "any number".to_owned(),
        |rate| format!("{} a second, {} at once", rate.per_second, rate.burst),
    );
    vec![
        ("One client, and one address, may call", rate),
        ("A client may ask for a token", format!("{} times a minute", limits.token_per_minute)),
        ("Addresses that may not call", ranges(&lists.deny, "none")),
        ("Of the others may call", ranges(&lists.allow, "all")),
        ("Proxies that are believed about who calls", ranges(&lists.trusted_proxies, "none")),
    ]
}

fn ranges(list: &[IpRange], empty: &str) -> String {
    let list: Vec<String> = list.iter().map(ToString::to_string).collect();
    if list.is_empty() { empty.to_owned() } else { list.join(", ") }
}

fn number(limit: Option<u32>) -> String {
    limit.map_or_else(|| "any number".to_owned(), |limit| limit.to_string())
}

fn unknown_outcomes(context: &Context) -> Vec<Setting> {
    let timers = context.settings.timers;
    let policy = match context.settings.timeout_policy {
        TimeoutPolicy::Hold => "hold: it stays unknown until the limit, then fails",
        TimeoutPolicy::FailFast => "fail-fast: it fails as soon as its reversal is queued",
    };
    vec![
        ("The processor has to answer within", durations::text(timers.processor_deadline)),
        ("Then its status is asked after", durations::text(timers.inquiry_after)),
        ("Policy", policy.to_owned()),
        ("An outcome stays unknown for at most", durations::text(timers.resolve_limit)),
        ("A reversal is left to a person after", durations::text(timers.reversal_age_max)),
    ]
}

fn payers(context: &Context) -> Vec<Setting> {
    let networks: Vec<&str> = Brand::ALL.iter().map(|brand| brand.display_name()).collect();
    let languages: Vec<&str> = LANGUAGES.iter().map(|language| language.2).collect();
    let partial = if context.settings.accept_partial { "taken" } else { "given back" };
    vec![
        ("Card networks", networks.join(", ")),
        ("3-D Secure", "asked for per payment; when the issuer wants it, always".to_owned()),
        ("An approval for a part of the amount is", partial.to_owned()),
        ("Languages of the payment page", languages.join(", ")),
    ]
}

fn webhooks(context: &Context) -> Vec<Setting> {
    let policy = &context.settings.webhooks.delivery;
    let waits: Vec<String> =
        policy.waits.iter().filter(|it| !it.is_zero()).map(|it| durations::text(*it)).collect();
    vec![
        ("An endpoint has to answer within", durations::text(policy.deadline)),
        ("Tried again after", waits.join(", ")),
        ("Deliveries in flight per endpoint", policy.in_flight_max.to_string()),
        ("An endpoint that keeps failing is disabled after", durations::text(policy.disable_after)),
        ("After a rotation the old secret also signs for", durations::text(policy.secret_overlap)),
        ("Delivered events are kept for", durations::text(policy.retention)),
    ]
}

fn role_line(context: &Context, role: Role) -> RoleLine {
    let may = Task::ALL.iter().filter(|task| role.may(**task));
    let may: Vec<String> = may.map(|task| task.as_str().replace('_', " ")).collect();
    let operators = context.settings.keys.operators.iter();
    let people = operators.filter(|person| person.role == role.as_str());
    let people: Vec<&str> = people.map(|person| person.name.as_str()).collect();
    RoleLine { role: role.as_str(), may: may.join(", "), people: people.join(", ") }
}

/// `GET /dashboard/go-live`
pub async fn go_live(visit: Visit) -> Result<HttpResponse, Problem> {
    let Visit { context, signed_in, .. } = &visit;
    let seen = dashboard::seen_so_far(context).await.map_err(Problem::internal)?;
    let parts = checklist(seen);
    let items = || parts.iter().flat_map(|part| part.items.iter());
    let (done, all) = (items().filter(|item| item.done).count(), items().count());
    page(200, &GoLivePage { frame: signed_in.frame(context, "go-live"), done, all, parts })
}
