//! `payrig record`: what somebody did by hand in the running sandbox, as a scenario that passes.

use kit::clock::Clock;
use kit::faults::Fault;
use kit::mutants::Mutants;
use scenario::model::parse;
use scenario::runner::{Options, play, seed_of};
use serde::Deserialize;
use serde_json::Value;

use crate::access::{Access, ApiClient};
use crate::cli::RecordFlags;
use crate::failure::{Exit, Failure, Outcome};
use crate::program::Program;
use crate::recording::{self, Recorded};
use crate::terminal::{note, print};
use crate::trace::collect::{Entries, is_our_own_look, operations, read_wire};
use crate::world::{Beginning, World};

use super::READER;

#[derive(Deserialize)]
struct Page {
    data: Vec<Value>,
}

#[derive(Deserialize)]
struct Armed {
    faults: Vec<ArmedFault>,
}

#[derive(Deserialize)]
struct ArmedFault {
    fault: Fault,
}

pub(super) async fn run(flags: RecordFlags) -> Outcome {
    let access = Access::open(&flags.state.state)?;
    let recorded = collect(&access, &access.client(READER)?, &flags.from_payment).await?;
    let source = recording::scenario(&recorded)?;
    let path = flags.out.as_ref().map(|path| path.display().to_string());
    match &flags.out {
        Some(path) => std::fs::write(path, &source).map_err(|error| {
            Failure::could_not_run(format!("cannot write {}: {error}", path.display()))
        })?,
        None => print(source.trim_end()),
    }
    if flags.unproven {
        return Ok(());
    }
    prove(path.as_deref().unwrap_or("recorded.scenario.yaml"), &source).await
}

/// Plays a recording once, so that nobody is handed a scenario that fails by itself.
async fn prove(path: &str, source: &str) -> Outcome {
    let scenario = parse(path, source).map_err(|mistakes| {
        let told: Vec<String> = mistakes.iter().map(|it| it.render(path, source)).collect();
        Failure::check(format!("the recording is not right: {}", told.join("\n")))
    })?;
    let Some(case) = scenario.cases.first() else { return Ok(()) };
    let seed = seed_of(&scenario, case, None);
    let clock = Clock::virtual_at(scenario.start);
    let (settings, mutants) = (scenario.settings.clone(), Mutants::default());
    let world = World::begin(Beginning { clock, seed, settings, mutants }).await?;
    let options = Options { seed, ..Options::default() };
    let report = play(&world, &scenario, case, options, &|_| {}).await;
    world.stop();
    if report.passed() {
        note(&format!("played once in a world of its own: {} steps passed", report.steps.len()));
        return Ok(());
    }
    note(&scenario::report::failure(&report, &scenario));
    note(
        "the recording does not repeat what was done: see the step above; other payments and changes at \
        the bank are not recorded",
    );
    Err(Failure::said(Exit::CheckFailed))
}

/// The scenario that repeats what was done with a payment or an order.
pub(crate) async fn source(access: &Access, client: &ApiClient, id: &str) -> Outcome<String> {
    recording::scenario(&collect(access, client, id).await?)
}

async fn collect(access: &Access, client: &ApiClient, id: &str) -> Outcome<Recorded> {
    let readable = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
    if id.is_empty() || !id.bytes().all(readable) {
        return Err(Failure::usage(format!("`{id}` is neither a payment nor an order")));
    }
    let order = if id.starts_with("pay_") {
        let payment: Value = client.read(&format!("/api/payments/{id}")).await?;
        payment.get("order_reference").and_then(Value::as_str).unwrap_or_default().to_owned()
    } else {
        id.to_owned()
    };
    let path = format!("/api/payments?order_reference={order}&limit=100");
    let mut payments = client.read::<Page>(&path).await?.data;
    let created = |payment: &Value| payment.get("created_at").map(ToString::to_string);
    payments.sort_by_cached_key(created);
    let mut entries = Entries::new();
    read_wire(access, &format!("order={order}"), &mut entries).await?;
    for payment in payments.iter().filter_map(|payment| payment.get("id")?.as_str()) {
        read_wire(access, &format!("payment={payment}"), &mut entries).await?;
    }
    for trace in operations(&entries) {
        read_wire(access, &format!("trace={trace}"), &mut entries).await?;
    }
    entries.retain(|_, entry| !is_our_own_look(entry));
    let mut faults = Vec::new();
    for program in Program::ALL {
        let armed: Armed = access.ask(program, "faults").await?;
        faults.extend(armed.faults.into_iter().map(|armed| armed.fault));
    }
    let order = access.shop_order(&order).await?;
    Ok(Recorded { order, payments, entries: entries.into_values().collect(), faults })
}
