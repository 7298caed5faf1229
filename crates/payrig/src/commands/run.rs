//! `payrig run`: plays scenarios, each case in a world of its own.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;

use kit::clock::Clock;
use kit::mutants::Mutants;
use scenario::foreign::{MerchantFile, reasons};
use scenario::model::{Case, Scenario};
use scenario::report::{html, junit, tap, terminal};
use scenario::runner::{CaseReport, Class, Options, not_started, play, seed_of, skipped};
use scenario::world::WorldError;
use serde_json::{Map, Value, json};

use super::check::read;
use crate::access::Access;
use crate::capsule::{self, WithoutDurations};
use crate::cli::{Place, RunFlags};
use crate::failure::{Exit, Failure, Outcome};
use crate::program::{Addresses, Program};
use crate::remote::RemoteWorld;
use crate::terminal::{note, output_look, print};
use crate::world::{Beginning, World};

/// One case to be played.
struct Job<'s> {
    scenario: &'s Scenario,
    case: &'s Case,
    seed: u64,
    /// A merchant that is not ours, instead of the shop.
    merchant: Option<Arc<MerchantFile>>,
}

/// What a worker says.
enum News {
    /// An event of the case with this number.
    Event(usize, Value),
    /// The case with this number has ended.
    Ended(usize, Box<CaseReport>),
}

pub(super) fn run(flags: &RunFlags) -> Outcome {
    if matches!(flags.attach, Some(Place::Console(_))) {
        sandbox_key(flags)?;
    }
    let scenarios = read(&flags.paths)?;
    play_these(&scenarios, flags, None)
}

/// Plays scenarios; every event goes to `heard` too.
pub(super) fn play_these(
    scenarios: &[Scenario],
    flags: &RunFlags,
    heard: Option<&mut Vec<Value>>,
) -> Outcome {
    let stopwatch = Clock::real().stopwatch();
    let merchant = crate::foreign::of_run(flags.merchant.as_deref())?;
    if let Some(file) = &merchant {
        one_world_at_a_time(file, flags)?;
    }
    let jobs = jobs(scenarios, flags, merchant.as_ref())?;
    let secrets = secrets(scenarios)?;
    let mut output = Output::new(flags, &jobs, heard)?;
    output.capsule(&capsule::head(scenarios, flags));
    output.event(&json!({ "event": "run_started", "cases": jobs.len() }));
    let stop = AtomicBool::new(false);
    let reports = play_all(&jobs, flags, &secrets, &stop, &mut output);
    let counts = scenario::report::Counts::of(&reports);
    output.event(&json!({
        "event": "run_finished", "passed": counts.passed, "failed": counts.failed,
        "skipped": counts.skipped,
    }));
    write_reports(flags, &reports, scenarios)?;
    if !flags.json {
        print(&terminal::summary(&reports, stopwatch.elapsed(), paint()));
    }
    let worst =
        reports.iter().filter_map(|report| report.trouble.as_ref()).map(|it| it.class).max();
    match worst {
        None if counts.skipped == jobs.len() => Err(nothing_played(&jobs)),
        None => Ok(()),
        Some(Class::Transport) => Err(Failure::said(Exit::CouldNotRun)),
        Some(Class::Check) => Err(Failure::said(Exit::CheckFailed)),
    }
}

/// Several worlds at a time need a merchant that can tell them apart.
fn one_world_at_a_time(file: &MerchantFile, flags: &RunFlags) -> Outcome {
    if flags.jobs == 1 || file.tells_worlds_apart() {
        return Ok(());
    }
    let message = format!("`--jobs {}`: {} tells the worlds not apart", flags.jobs, file.path);
    Err(Failure::usage(message)
        .help("put ${world} into `webhook` and into the hook `order`, or take --jobs away"))
}

fn jobs<'s>(
    scenarios: &'s [Scenario],
    flags: &RunFlags,
    merchant: Option<&Arc<MerchantFile>>,
) -> Outcome<Vec<Job<'s>>> {
    let tagged = |scenario: &&Scenario| {
        flags.tag.is_empty() || flags.tag.iter().any(|tag| scenario.tags.contains(tag))
    };
    let wanted = |case: &&Case| flags.case.as_deref().is_none_or(|name| name == case.name);
    let mut jobs = Vec::new();
    for scenario in scenarios.iter().filter(tagged) {
        for case in scenario.cases.iter().filter(wanted) {
            let first = seed_of(scenario, case, flags.seed);
            let seeds = (0..flags.repeat).map(|more| first.wrapping_add(more));
            let job = |seed| Job { scenario, case, seed, merchant: merchant.cloned() };
            jobs.extend(seeds.map(job));
        }
    }
    if jobs.is_empty() {
        let mut failure = Failure::usage("no case fits `--tag` and `--case`");
        if let Some(wanted) = &flags.case {
            let names = scenarios.iter().flat_map(|scenario| &scenario.cases);
            let near = scenario::diagnostic::nearest(wanted, names.map(|case| case.name.as_str()));
            failure = near
                .map(|near| format!("did you mean `--case \"{near}\"`?"))
                .map_or(Failure::usage("no case fits `--tag` and `--case`"), |advice| {
                    failure.help(advice)
                });
        }
        return Err(failure);
    }
    Ok(jobs)
}

/// All cases need something that the merchant file does not offer.
fn nothing_played(jobs: &[Job<'_>]) -> Failure {
    let file = jobs.iter().find_map(|job| job.merchant.as_ref());
    let path = file.map(|file| file.path.clone()).unwrap_or_default();
    let message = format!("none of {} cases could be played against this merchant", jobs.len());
    Failure::could_not_run(message)
        .help(format!("beside each stands what it needs: add hooks to {path}"))
}

/// The secrets of all scenarios, from the environment.
#[expect(clippy::disallowed_methods, reason = "a scenario names the variable that holds a secret")]
fn secrets(scenarios: &[Scenario]) -> Outcome<Map<String, Value>> {
    let mut all = Map::new();
    for (name, variable) in scenarios.iter().flat_map(|scenario| &scenario.secrets) {
        let value = std::env::var(variable).map_err(|_| {
            Failure::unreadable(format!("the secret `{name}` needs the variable {variable}"))
                .help(format!("export {variable}=…"))
        })?;
        all.insert(name.clone(), value.into());
    }
    Ok(all)
}

/// Plays all cases on some threads; the reports come in the order of the files.
fn play_all(
    jobs: &[Job<'_>],
    flags: &RunFlags,
    secrets: &Map<String, Value>,
    stop: &AtomicBool,
    output: &mut Output<'_, '_>,
) -> Vec<CaseReport> {
    let next = AtomicUsize::new(0);
    let (tell, news) = mpsc::channel();
    std::thread::scope(|scope| {
        for _ in 0..flags.jobs.min(jobs.len()) {
            let (tell, next) = (tell.clone(), &next);
            scope.spawn(move || work(jobs, flags, secrets, next, stop, &tell));
        }
        drop(tell);
        for piece in news {
            if let News::Ended(_, report) = &piece
                && flags.fail_fast
                && report.failed()
            {
                stop.store(true, Ordering::Release);
            }
            output.take(piece);
        }
    });
    output.reports.iter_mut().filter_map(Option::take).collect()
}

fn work(
    jobs: &[Job<'_>],
    flags: &RunFlags,
    secrets: &Map<String, Value>,
    next: &AtomicUsize,
    stop: &AtomicBool,
    tell: &mpsc::Sender<News>,
) {
    actix_web::rt::System::new().block_on(async {
        loop {
            let index = next.fetch_add(1, Ordering::AcqRel);
            let Some(job) = jobs.get(index).filter(|_| !stop.load(Ordering::Acquire)) else {
                return;
            };
            let listen = |event: Value| {
                let event = masked(event, secrets);
                // Whoever listens is there until all workers have ended.
                let _ = tell.send(News::Event(index, event));
            };
            let (report, world) = one(job, flags, secrets, &listen).await;
            let failed = report.failed();
            let _ = tell.send(News::Ended(index, Box::new(report)));
            if let Some(world) = world {
                if flags.hold && failed && !stop.swap(true, Ordering::AcqRel) {
                    world.hold().await;
                }
                world.stop();
            }
        }
    });
}

async fn one(
    job: &Job<'_>,
    flags: &RunFlags,
    secrets: &Map<String, Value>,
    listen: &dyn Fn(Value),
) -> (CaseReport, Option<AnyWorld>) {
    let (scenario, case, seed) = (job.scenario, job.case, job.seed);
    let lacks = job.merchant.as_ref().map(|file| reasons(scenario, case, file)).unwrap_or_default();
    if !lacks.is_empty() {
        return (skipped(scenario, case, seed, &lacks.join("; "), listen), None);
    }
    let world = match AnyWorld::start(job, flags).await {
        Ok(world) => world,
        Err(failure) => {
            let error = WorldError(failure.message);
            return (not_started(scenario, case, seed, &error, listen), None);
        }
    };
    let secrets = secrets.clone();
    let options = Options { seed, until: flags.until.clone(), secrets };
    let report = match &world {
        AnyWorld::Here(world) => play(&**world, scenario, case, options, listen).await,
        AnyWorld::There(world) => play(&**world, scenario, case, options, listen).await,
    };
    (report, Some(world))
}

fn sandbox_key(flags: &RunFlags) -> Outcome<&str> {
    flags.sandbox_key.as_deref().ok_or_else(|| {
        Failure::usage("a world is told at an address to those who have the sandbox's key only")
            .help("give --sandbox-key KEY or PAYRIG_SANDBOX_KEY: `sandbox_key` of `payrig env --json`")
    })
}

/// A world in this process, or in others.
enum AnyWorld {
    Here(Box<World>),
    There(Box<RemoteWorld>),
}

impl AnyWorld {
    async fn start(job: &Job<'_>, flags: &RunFlags) -> Outcome<Self> {
        let &Job { scenario, seed, ref merchant, .. } = job;
        if let Some(place) = &flags.attach {
            let access = match place {
                Place::Directory(state) => Access::open(state)?,
                Place::Console(url) => Access::at_console(url, sandbox_key(flags)?).await?,
            };
            return Ok(Self::There(Box::new(RemoteWorld::attach(access).await?)));
        }
        if flags.processes || scenario.needs_processes() {
            let world = RemoteWorld::start(scenario.start, seed, &scenario.settings).await?;
            return Ok(Self::There(Box::new(world)));
        }
        let beginning = Beginning {
            clock: Clock::virtual_at(scenario.start),
            seed,
            settings: scenario.settings.clone(),
            mutants: Mutants::default(),
        };
        let world = match merchant {
            Some(file) => World::begin_against(beginning, file.clone()).await?,
            None => World::begin(beginning).await?,
        };
        Ok(Self::Here(Box::new(world)))
    }

    fn stop(&self) {
        match self {
            Self::Here(world) => world.stop(),
            // Its processes end with it; those of somebody else go on.
            Self::There(_) => {}
        }
    }

    /// Says where the world is and waits for Ctrl-C.
    async fn hold(&self) {
        let (addresses, key): (Addresses, &str) = match self {
            Self::Here(world) => (world.addresses(0), &world.keys.world.sandbox_key),
            Self::There(world) => (world.addresses(), world.key()),
        };
        note("the world of this failure is left running:");
        for program in Program::ALL {
            note(&format!("  {program:<14} {}", addresses.of(program)));
        }
        note(&format!("  control plane  Sandbox-Key: {key}"));
        note("Ctrl-C ends it");
        // Without signals there is nothing to wait for.
        drop(tokio::signal::ctrl_c().await);
    }
}

/// Secrets never leave this process.
fn masked(value: Value, secrets: &Map<String, Value>) -> Value {
    if secrets.is_empty() {
        return value;
    }
    match value {
        Value::String(mut text) => {
            for secret in secrets.values().filter_map(Value::as_str).filter(|it| !it.is_empty()) {
                text = text.replace(secret, "***");
            }
            text.into()
        }
        Value::Array(items) => items.into_iter().map(|item| masked(item, secrets)).collect(),
        Value::Object(fields) => {
            fields.into_iter().map(|(key, value)| (key, masked(value, secrets))).collect()
        }
        other => other,
    }
}

fn paint() -> terminal::Paint {
    terminal::Paint {
        good: |text| output_look().good(text),
        bad: |text| output_look().bad(text),
        strong: |text| output_look().strong(text),
        faint: |text| output_look().faint(text),
    }
}

/// Where events and lines go, in the order of the cases whoever ends first.
struct Output<'j, 'h> {
    jobs: &'j [Job<'j>],
    heard: Option<&'h mut Vec<Value>>,
    to_capsule: Option<File>,
    quiet: bool,
    lines: bool,
    to_output: bool,
    to_file: Option<File>,
    waiting: Vec<Vec<Value>>,
    reports: Vec<Option<CaseReport>>,
    /// The case whose events are told as they come.
    current: usize,
}

impl<'j, 'h> Output<'j, 'h> {
    fn new(
        flags: &RunFlags,
        jobs: &'j [Job<'j>],
        heard: Option<&'h mut Vec<Value>>,
    ) -> Outcome<Self> {
        let to_file = report_path(flags, "jsonl").map(create).transpose()?;
        Ok(Self {
            jobs,
            heard,
            to_capsule: flags.capsule.as_deref().map(create).transpose()?,
            quiet: flags.quiet,
            lines: !flags.json,
            to_output: flags.json,
            to_file,
            waiting: jobs.iter().map(|_| Vec::new()).collect(),
            reports: jobs.iter().map(|_| None).collect(),
            current: 0,
        })
    }

    fn event(&mut self, event: &Value) {
        if self.to_output {
            print(&event.to_string());
        }
        if let Some(file) = &mut self.to_file {
            writeln!(file, "{event}").ok();
        }
        if self.to_capsule.is_some() || self.heard.is_some() {
            let event = event.clone().without_durations();
            self.capsule(&event);
            if let Some(heard) = &mut self.heard {
                heard.push(event);
            }
        }
    }

    fn capsule(&mut self, line: &Value) {
        if let Some(file) = &mut self.to_capsule {
            writeln!(file, "{line}").ok();
        }
    }

    fn take(&mut self, news: News) {
        match news {
            News::Event(index, event) if index == self.current => self.event(&event),
            News::Event(index, event) => {
                if let Some(waiting) = self.waiting.get_mut(index) {
                    waiting.push(event);
                }
            }
            News::Ended(index, report) => {
                if let Some(place) = self.reports.get_mut(index) {
                    *place = Some(*report);
                }
                self.catch_up();
            }
        }
    }

    /// Tells what waited for the cases before it.
    fn catch_up(&mut self) {
        while let Some(report) = self.reports.get(self.current).and_then(Option::as_ref) {
            if self.lines
                && let Some(job) = self.jobs.get(self.current)
            {
                if !self.quiet || !report.passed() {
                    print(&terminal::line(report, paint()));
                }
                if report.failed() {
                    print(&terminal::failure(report, job.scenario));
                }
            }
            self.current = self.current.saturating_add(1);
            let next = self.waiting.get_mut(self.current).map(std::mem::take);
            for event in next.unwrap_or_default() {
                self.event(&event);
            }
        }
    }
}

fn report_path<'f>(flags: &'f RunFlags, kind: &str) -> Option<&'f Path> {
    flags.report.iter().find(|report| report.kind == kind).map(|report| report.path.as_path())
}

fn create(path: &Path) -> Outcome<File> {
    let failed = |error: std::io::Error| {
        Failure::could_not_run(format!("cannot write {}: {error}", path.display()))
    };
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        std::fs::create_dir_all(parent).map_err(failed)?;
    }
    File::create(path).map_err(failed)
}

fn write_reports(flags: &RunFlags, reports: &[CaseReport], scenarios: &[Scenario]) -> Outcome {
    let scenario_of =
        |report: &CaseReport| scenarios.iter().find(|scenario| scenario.path == report.path);
    for wanted in &flags.report {
        let text = match wanted.kind.as_str() {
            "junit" => junit::document(reports, scenario_of),
            "tap" => tap::document(reports, scenario_of),
            "html" => html::document(reports, scenario_of),
            // Written while the cases ran.
            _ => continue,
        };
        create(&wanted.path)?.write_all(text.as_bytes()).map_err(|error| {
            Failure::could_not_run(format!("cannot write {}: {error}", wanted.path.display()))
        })?;
        note(&format!("{}: {}", wanted.kind, wanted.path.display()));
    }
    Ok(())
}
