//! The threads behind a database: group commit on one, snapshot reads on the other.

use std::cell::Cell;
use std::panic::AssertUnwindSafe;

use rusqlite::{Connection, ErrorCode, Statement};
use tokio::sync::{mpsc, oneshot, watch};

use super::{BATCH_MAX, DatabaseError};

/// What a database thread is asked to do.
pub(super) enum Job {
    /// A unit of work, in a transaction with its neighbours.
    Work(Box<dyn Work>),
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

fn commit_batches(frame: &mut Frame<'_>, queue: &mut mpsc::Receiver<Job>) -> Result<(), Failure> {
    let mut done: Vec<Box<dyn Work>> = Vec::new();
    while let Some(first) = queue.blocking_recv() {
        let (mut next, mut failed) = (Some(first), None);
        let mut in_transaction = false;
        // What is waiting joins the batch; nobody is waited for.
        while let Some(Job::Work(mut work)) = next.take_if(|job| matches!(job, Job::Work(_))) {
            let ran = if in_transaction { Ok(()) } else { frame.begin() };
            in_transaction = ran.is_ok();
            let ran = ran.and_then(|()| frame.run(&mut *work));
            done.push(work);
            if let Err(failure) = ran {
                failed = Some(frame.abandon(failure));
                break;
            }
            next = if done.len() < BATCH_MAX { queue.try_recv().ok() } else { None };
        }
        if failed.is_none() && in_transaction {
            failed = frame.commit().err().map(|failure| frame.abandon(failure));
        }
        for work in done.drain(..) {
            work.answer(failed.as_ref());
        }
        if let Some(failure @ Failure::Fatal(_)) = failed {
            return Err(failure);
        }
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
            Some(Job::Work(_)) | None => {}
        }
    }
    Ok(())
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
