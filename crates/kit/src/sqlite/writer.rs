//! The threads behind a database: group commit on one, snapshot reads on the other.

use std::cell::Cell;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, Statement};
use tokio::sync::{mpsc, oneshot, watch};

use super::{BATCH_MAX, DatabaseError};
use crate::clock::Stopwatch;

/// What a database thread is asked to do.
pub(super) enum Job {
    /// A unit of work, in a transaction with its neighbours; answered when that is synced.
    Work(Box<dyn Work>),
    /// A unit of work that is answered at once: what is written later makes it durable too.
    Staged(Box<dyn Work>),
    /// Something that SQLite refuses to do inside a transaction.
    Alone(Box<dyn Work>),
    /// Finish and close.
    Stop,
}

/// A unit of work with its types forgotten.
pub(super) trait Work: Send {
    /// Does the work and keeps the outcome; false when it must be rolled back.
    fn run(&mut self, connection: &Connection) -> bool;
    /// Tells the caller: the kept outcome, or why the whole batch came to nothing.
    fn answer(self: Box<Self>, failure: Option<&Failure>);
}

/// A unit of work and the place where its caller waits.
pub(super) struct Unit<T, E, F> {
    work: Option<F>,
    outcome: Option<Result<T, E>>,
    caller: oneshot::Sender<Result<T, E>>,
}

impl<T, E, F> Unit<T, E, F>
where
    F: FnOnce(&Connection) -> Result<T, E> + Send,
    T: Send,
    E: From<DatabaseError> + Send,
{
    pub(super) fn new(work: F) -> (Self, oneshot::Receiver<Result<T, E>>) {
        let (caller, answer) = oneshot::channel();
        (Self { work: Some(work), outcome: None, caller }, answer)
    }
}

impl<T, E, F> Work for Unit<T, E, F>
where
    F: FnOnce(&Connection) -> Result<T, E> + Send,
    T: Send,
    E: From<DatabaseError> + Send,
{
    fn run(&mut self, connection: &Connection) -> bool {
        let Some(work) = self.work.take() else { return false };
        let outcome = std::panic::catch_unwind(AssertUnwindSafe(|| work(connection)))
            .unwrap_or_else(|_panic| Err(DatabaseError::Panicked.into()));
        self.outcome.insert(outcome).is_ok()
    }

    fn answer(self: Box<Self>, failure: Option<&Failure>) {
        let outcome = match (failure, self.outcome) {
            (None, Some(outcome)) => outcome,
            (Some(failure), _) => Err(failure.error().into()),
            (None, None) => Err(DatabaseError::Closed.into()),
        };
        // A caller that went away needs no answer.
        let _ = self.caller.send(outcome);
    }
}

/// Why a whole batch came to nothing.
#[derive(Debug)]
pub(super) enum Failure {
    /// No room; the thread goes on.
    Full,
    /// Refused as a whole, for example by a deferred constraint; the thread goes on.
    Refused(rusqlite::ffi::Error, Option<String>),
    /// The state of the disk or the cache is unknown; the thread ends.
    Fatal(String),
}

impl Failure {
    fn error(&self) -> DatabaseError {
        match self {
            Self::Full => DatabaseError::Full,
            Self::Refused(code, message) => {
                DatabaseError::Sql(rusqlite::Error::SqliteFailure(*code, message.clone()))
            }
            Self::Fatal(_) => DatabaseError::Closed,
        }
    }

    fn of(error: rusqlite::Error) -> Self {
        match (Trouble::of(&error), error) {
            (Some(Trouble::Full), _) => Self::Full,
            (None, rusqlite::Error::SqliteFailure(code, message)) => Self::Refused(code, message),
            (_, error) => Self::Fatal(error.to_string()),
        }
    }
}

/// What a failed statement says about the disk.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Trouble {
    Full,
    Fatal,
}

impl Trouble {
    fn of(error: &rusqlite::Error) -> Option<Self> {
        match error.sqlite_error_code()? {
            ErrorCode::DiskFull => Some(Self::Full),
            ErrorCode::SystemIoFailure
            | ErrorCode::DatabaseCorrupt
            | ErrorCode::NotADatabase
            | ErrorCode::InternalMalfunction => Some(Self::Fatal),
            _ => None,
        }
    }
}

const DISK_FAILED: &str = "the disk or the file failed";

thread_local! {
    /// Set when a unit of work met an error that concerns more than itself.
    static TROUBLE: Cell<Option<Trouble>> = const { Cell::new(None) };
}

/// Remembers, on this thread, an error that concerns the whole batch.
pub(super) fn note(error: &rusqlite::Error) {
    if let Some(trouble) = Trouble::of(error) {
        TROUBLE.set(Some(trouble));
    }
}

/// The statements around units of work, prepared once.
struct Frame<'c> {
    connection: &'c Connection,
    begin: Statement<'c>,
    savepoint: Statement<'c>,
    release: Statement<'c>,
    undo: Statement<'c>,
    commit: Statement<'c>,
    rollback: Statement<'c>,
}

impl<'c> Frame<'c> {
    fn new(connection: &'c Connection, begin: &str) -> Result<Self, rusqlite::Error> {
        Ok(Self {
            connection,
            begin: connection.prepare(begin)?,
            savepoint: connection.prepare("SAVEPOINT unit")?,
            release: connection.prepare("RELEASE unit")?,
            undo: connection.prepare("ROLLBACK TO unit")?,
            commit: connection.prepare("COMMIT")?,
            rollback: connection.prepare("ROLLBACK")?,
        })
    }

    fn begin(&mut self) -> Result<(), Failure> {
        TROUBLE.set(None);
        self.begin.raw_execute().map(drop).map_err(Failure::of)
    }

    /// Runs one unit in its own savepoint: what it refuses is undone, its neighbours stay.
    fn run(&mut self, work: &mut dyn Work) -> Result<(), Failure> {
        self.savepoint.raw_execute().map_err(Failure::of)?;
        let keep = work.run(self.connection);
        self.check()?;
        if !keep {
            self.undo.raw_execute().map_err(Failure::of)?;
        }
        self.release.raw_execute().map(drop).map_err(Failure::of)
    }

    /// Finds out whether the transaction is still there.
    fn check(&self) -> Result<(), Failure> {
        match TROUBLE.take() {
            Some(Trouble::Full) => Err(Failure::Full),
            Some(Trouble::Fatal) => Err(Failure::Fatal(DISK_FAILED.to_owned())),
            None if self.connection.is_autocommit() => {
                Err(Failure::Fatal("the transaction was lost".into()))
            }
            None => Ok(()),
        }
    }

    fn commit(&mut self) -> Result<(), Failure> {
        self.commit.raw_execute().map(drop).map_err(Failure::of)
    }

    /// Ends a failed transaction; SQLite may have ended it already.
    fn abandon(&mut self, failure: Failure) -> Failure {
        if self.connection.is_autocommit() {
            return failure;
        }
        match self.rollback.raw_execute() {
            Ok(_) => failure,
            Err(error) => Failure::Fatal(error.to_string()),
        }
    }
}

/// Counts an ended thread when it is dropped: the last thing that a thread does.
pub(super) struct Alive(pub(super) watch::Sender<u32>);

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.send_modify(|ended| *ended = ended.saturating_add(1));
    }
}

/// Runs queued units of work until the last handle is gone, the thread is stopped or the disk
/// fails.
pub(super) fn write_loop(connection: Connection, mut queue: mpsc::Receiver<Job>, _alive: Alive) {
    let ended = Frame::new(&connection, "BEGIN IMMEDIATE")
        .map_err(Failure::of)
        .and_then(|mut frame| commit_batches(&mut frame, &mut queue));
    report(ended);
    drop((queue, connection));
}

/// How long a transaction of staged work alone is kept open for what makes it durable.
const STAGED_WITHIN: Duration = Duration::from_millis(2);

fn commit_batches(frame: &mut Frame<'_>, queue: &mut mpsc::Receiver<Job>) -> Result<(), Failure> {
    let patience = Patience::new();
    let mut batch = Batch::default();
    while let Some(first) = queue.blocking_recv() {
        let (mut next, mut failed) = (Some(first), None);
        while let Some(job) = next.take_if(|job| matches!(job, Job::Work(_) | Job::Staged(_))) {
            failed = batch.run(frame, job).err().map(|failure| frame.abandon(failure));
            if failed.is_some() || batch.is_full() {
                break;
            }
            // What is waiting joins the batch; nobody is waited for who would have to wait.
            next = queue.try_recv().ok();
            if next.is_none() && batch.done.is_empty() {
                next = patience.next_within(queue, STAGED_WITHIN);
            }
        }
        if failed.is_none() && batch.in_transaction {
            failed = frame.commit().err().map(|failure| frame.abandon(failure));
        }
        batch.end(failed)?;
        match next {
            Some(Job::Stop) => return Ok(()),
            Some(Job::Alone(mut work)) => {
                TROUBLE.set(None);
                work.run(frame.connection);
                work.answer(None);
                if TROUBLE.take() == Some(Trouble::Fatal) {
                    return Err(Failure::Fatal(DISK_FAILED.to_owned()));
                }
            }
            Some(Job::Work(_) | Job::Staged(_)) | None => {}
        }
    }
    Ok(())
}

/// The units of work of one transaction.
#[derive(Default)]
struct Batch {
    /// Those whose callers wait for the commit.
    done: Vec<Box<dyn Work>>,
    /// How many were answered already.
    staged: usize,
    in_transaction: bool,
}

impl Batch {
    fn is_full(&self) -> bool {
        self.done.len().saturating_add(self.staged) >= BATCH_MAX
    }

    fn run(&mut self, frame: &mut Frame<'_>, job: Job) -> Result<(), Failure> {
        let (mut work, staged) = match job {
            Job::Work(work) => (work, false),
            Job::Staged(work) => (work, true),
            Job::Alone(_) | Job::Stop => return Ok(()),
        };
        let begun = if self.in_transaction { Ok(()) } else { frame.begin() };
        self.in_transaction = begun.is_ok();
        let ran = begun.and_then(|()| frame.run(&mut *work));
        if staged && ran.is_ok() {
            self.staged = self.staged.saturating_add(1);
            work.answer(None);
        } else {
            self.done.push(work);
        }
        ran
    }

    /// Tells everybody who waits. What was answered before its commit must not be lost while the
    /// program goes on: then a failure is fatal.
    fn end(&mut self, failed: Option<Failure>) -> Result<(), Failure> {
        for work in self.done.drain(..) {
            work.answer(failed.as_ref());
        }
        let staged = std::mem::take(&mut self.staged);
        self.in_transaction = false;
        match failed {
            Some(failure @ Failure::Fatal(_)) => Err(failure),
            Some(failure) if staged > 0 => Err(Failure::Fatal(failure.error().to_string())),
            Some(_) | None => Ok(()),
        }
    }
}

/// Waits for the next job, but not forever.
struct Patience(Waker);

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

impl Patience {
    fn new() -> Self {
        Self(Waker::from(Arc::new(Unpark(std::thread::current()))))
    }

    fn next_within(&self, queue: &mut mpsc::Receiver<Job>, limit: Duration) -> Option<Job> {
        let stopwatch = Stopwatch::start();
        let mut context = Context::from_waker(&self.0);
        loop {
            if let Poll::Ready(job) = queue.poll_recv(&mut context) {
                return job;
            }
            let left = limit.saturating_sub(stopwatch.elapsed());
            if left.is_zero() {
                return None;
            }
            std::thread::park_timeout(left);
        }
    }
}

/// Runs each queued read in a snapshot of its own.
pub(super) fn read_loop(connection: Connection, mut queue: mpsc::Receiver<Job>, _alive: Alive) {
    let ended = Frame::new(&connection, "BEGIN DEFERRED")
        .map_err(Failure::of)
        .and_then(|mut frame| read_units(&mut frame, &mut queue));
    report(ended);
    drop((queue, connection));
}

fn read_units(frame: &mut Frame<'_>, queue: &mut mpsc::Receiver<Job>) -> Result<(), Failure> {
    while let Some(Job::Work(mut work)) = queue.blocking_recv() {
        let failed = frame
            .begin()
            .and_then(|()| {
                work.run(frame.connection);
                frame.check()
            })
            .and_then(|()| frame.commit())
            .err()
            .map(|failure| frame.abandon(failure));
        work.answer(failed.as_ref());
        if let Some(failure @ Failure::Fatal(_)) = failed {
            return Err(failure);
        }
    }
    Ok(())
}

fn report(ended: Result<(), Failure>) {
    let reason = match ended {
        Ok(()) => return,
        Err(Failure::Fatal(reason)) => reason,
        Err(failure) => failure.error().to_string(),
    };
    tracing::error!(reason, "the database thread ends");
}
