//! Durable writes per second: one writer with group commit against a connection per caller.
//!
//! `cargo run --profile quick -p kit --example bench_database [directory]`; both sides write the
//! same rows with `synchronous=FULL`. Only the ratio within one run is a claim.
#![expect(clippy::print_stdout, reason = "prints its table")]

use std::error::Error;
use std::path::Path;
use std::time::Duration;

use kit::clock::{Clock, Stopwatch};
use kit::random::Random;
use kit::sqlite::{Database, DatabaseError, DatabaseOptions, Location};
use rusqlite::Connection;

const CALLERS: [u32; 3] = [1, 8, 64];
const ROWS_PER_RUN: u32 = 8000;
const BUSY_TIMEOUT: Duration = Duration::from_secs(30);
const MIGRATIONS: &[&str] = &["CREATE TABLE payments (
    id INTEGER PRIMARY KEY, public_id BLOB NOT NULL UNIQUE, body TEXT NOT NULL
) STRICT"];
const INSERT: &str = "INSERT INTO payments (public_id, body) VALUES (?1, ?2)";
const BODY: &str = r#"{"status":"authorized","amount":4999,"currency":"EUR","order":"ord_1001"}"#;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// What one run measured.
struct Figures {
    rows_per_second: u64,
    p50: Duration,
    p99: Duration,
}

fn main() -> Outcome<()> {
    let base = std::env::args().nth(1).map_or_else(std::env::temp_dir, Into::into);
    let directory = base.join(format!("payrig-bench-{}", std::process::id()));
    std::fs::create_dir_all(&directory)?;
    println!("{} rows per run, FULL, in {}", ROWS_PER_RUN, directory.display());
    println!("callers   group commit            connection per caller   ratio");
    println!("          rows/s   p50    p99     rows/s   p50    p99");
    for callers in CALLERS {
        let grouped = group_commit(&directory.join(format!("grouped-{callers}.db")), callers)?;
        let alone = connection_per_caller(&directory.join(format!("alone-{callers}.db")), callers)?;
        let tenths = grouped.rows_per_second.saturating_mul(10) / alone.rows_per_second.max(1);
        println!(
            "{callers:>7} {:>8} {:>6} {:>6} {:>10} {:>6} {:>6} {:>7}.{}x",
            grouped.rows_per_second,
            millis(grouped.p50),
            millis(grouped.p99),
            alone.rows_per_second,
            millis(alone.p50),
            millis(alone.p99),
            tenths / 10,
            tenths % 10,
        );
    }
    std::fs::remove_dir_all(&directory)?;
    Ok(())
}

fn millis(duration: Duration) -> String {
    let hundredths = duration.as_micros() / 10;
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

fn figures(stopwatch: Stopwatch, mut latencies: Vec<Duration>) -> Figures {
    let elapsed = stopwatch.elapsed().as_micros().max(1);
    latencies.sort_unstable();
    let rank = |percent: usize| {
        let index = latencies.len().saturating_mul(percent) / 100;
        latencies.get(index).or(latencies.last()).copied().unwrap_or_default()
    };
    let rows = u128::try_from(latencies.len()).unwrap_or(0);
    Figures {
        rows_per_second: u64::try_from(rows * 1_000_000 / elapsed).unwrap_or(0),
        p50: rank(50),
        p99: rank(99),
    }
}

fn group_commit(path: &Path, callers: u32) -> Outcome<Figures> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let clock = Clock::real();
    runtime.block_on(async {
        let location = Location::File(path.to_owned());
        let database = Database::open(&location, MIGRATIONS, DatabaseOptions::default())?;
        let stopwatch = clock.stopwatch();
        let mut tasks = Vec::new();
        for caller in 0..callers {
            let (database, clock) = (database.clone(), clock.clone());
            tasks.push(tokio::spawn(async move {
                let random = Random::seeded(caller.into());
                let mut latencies = Vec::new();
                for _ in 0..ROWS_PER_RUN / callers {
                    let id = random.bytes::<16>();
                    let began = clock.stopwatch();
                    let insert = move |connection: &Connection| {
                        connection.prepare_cached(INSERT)?.execute((id, BODY))?;
                        Ok::<_, DatabaseError>(())
                    };
                    database.write(insert).await?;
                    latencies.push(began.elapsed());
                }
                Ok::<_, DatabaseError>(latencies)
            }));
        }
        let mut latencies = Vec::new();
        for task in tasks {
            latencies.extend(task.await??);
        }
        let figures = figures(stopwatch, latencies);
        database.close().await;
        Ok(figures)
    })
}

fn connection_per_caller(path: &Path, callers: u32) -> Outcome<Figures> {
    let clock = Clock::real();
    let first = connect(path)?;
    for script in MIGRATIONS {
        first.execute_batch(script)?;
    }
    let stopwatch = clock.stopwatch();
    let threads: Vec<_> = (0..callers)
        .map(|caller| {
            let (path, clock) = (path.to_owned(), clock.clone());
            std::thread::spawn(move || -> Outcome<Vec<Duration>> {
                let connection = connect(&path)?;
                let random = Random::seeded(u64::from(caller).saturating_add(1000));
                let mut latencies = Vec::new();
                for _ in 0..ROWS_PER_RUN / callers {
                    let id = random.bytes::<16>();
                    let began = clock.stopwatch();
                    connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
                    connection.prepare_cached(INSERT)?.execute((id, BODY))?;
                    connection.prepare_cached("COMMIT")?.execute([])?;
                    latencies.push(began.elapsed());
                }
                Ok(latencies)
            })
        })
        .collect();
    let mut latencies = Vec::new();
    for thread in threads {
        latencies.extend(thread.join().map_err(|_| "a caller panicked")??);
    }
    Ok(figures(stopwatch, latencies))
}

fn connect(path: &Path) -> Outcome<Connection> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    let any = |_: &rusqlite::Row<'_>| Ok(());
    connection.pragma_update_and_check(None, "journal_mode", "WAL", any)?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    Ok(connection)
}
