//! SQLite behind one door: one thread owns the connection and commits what is queued together.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use tokio::sync::{mpsc, oneshot, watch};

mod rows;
mod writer;

pub use rows::{bytes16, optional_bytes16, optional_timestamp, timestamp};

use writer::{Alive, Job, Unit, Work};

/// Units of work that may wait for the database thread; more wait for room.
pub const QUEUE_MAX: usize = 4096;

/// Units of work in one commit.
pub const BATCH_MAX: usize = 256;

/// The first SQLite without the WAL-reset fault.
const SQLITE_VERSION_MIN: i32 = 3_051_003;

/// Prepared statements kept per connection.
const STATEMENTS_MAX: usize = 256;

/// Pages in the WAL before they are moved into the database: what is written often is moved once.
const CHECKPOINT_PAGES: u32 = 3000;

/// The WAL file is cut back to this size after a checkpoint.
const WAL_BYTES_KEPT: i64 = 16 * 1024 * 1024;

/// Stack of a database thread; only touched pages are resident.
const THREAD_STACK_BYTES: usize = 1024 * 1024;

/// Where a database lives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// In memory, gone with its last handle.
    Memory,
    /// In a file, created when missing.
    File(PathBuf),
}

/// Settings of a database.
#[derive(Debug, Clone)]
pub struct DatabaseOptions {
    /// How long a lock of another process is waited for.
    pub busy_timeout: Duration,
    /// Page cache of each connection, in KiB.
    pub cache_kib: u32,
    /// Overwrites what is deleted: for databases that must be able to forget.
    pub secure_delete: bool,
}

impl Default for DatabaseOptions {
    fn default() -> Self {
        Self { busy_timeout: Duration::from_secs(5), cache_kib: 2048, secure_delete: false }
    }
}

/// Why a database was not opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The SQLite library is too old to be trusted with a write-ahead log.
    #[error(
        "SQLite {found} is linked, but 3.51.3 or newer is needed: older ones can corrupt a WAL"
    )]
    Outdated {
        /// The version that is linked.
        found: String,
    },
    /// The file was written by a newer program.
    #[error(
        "the database was written by a newer Payrig: its schema is {found}, this program knows \
         {known}; use the newer program or another state directory"
    )]
    Newer {
        /// Schema version of the file.
        found: i64,
        /// Newest schema version this program knows.
        known: i64,
    },
    /// A migration failed; the database is as it was before it.
    #[error("migration {number} failed")]
    Migration {
        /// Number of the migration, from 1.
        number: i64,
        /// What SQLite said.
        #[source]
        source: rusqlite::Error,
    },
    /// SQLite refused.
    #[error("cannot open the database {location}")]
    Sql {
        /// The file, or `in memory`.
        location: String,
        /// What SQLite said.
        #[source]
        source: rusqlite::Error,
    },
    /// The file system refused.
    #[error("cannot open the database {location}")]
    Io {
        /// The file.
        location: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
}

/// Why a unit of work was not done. Nothing of it is stored.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// SQLite refused a statement.
    #[error("the database refused: {0}")]
    Sql(rusqlite::Error),
    /// The disk is full; works again once there is room.
    #[error("the disk is full")]
    Full,
    /// The database thread has ended; the program is about to.
    #[error("the database is closed")]
    Closed,
    /// A row that parses to no legal state.
    #[error("a stored row makes no sense: {0}")]
    Corrupt(String),
    /// A reader holds what was to be changed; try again.
    #[error("the database is in use")]
    Busy,
    /// The unit of work panicked and was rolled back.
    #[error("a unit of work panicked")]
    Panicked,
}

impl From<rusqlite::Error> for DatabaseError {
    fn from(error: rusqlite::Error) -> Self {
        writer::note(&error);
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::Full,
            _ => Self::Sql(error),
        }
    }
}

impl DatabaseError {
    /// Whether a statement failed on a constraint (a duplicate key, a `CHECK`, a foreign key).
    pub fn is_constraint(&self) -> bool {
        matches!(self, Self::Sql(error)
            if error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation))
    }
}

/// A cheap handle to a database; clones share it.
#[derive(Clone)]
pub struct Database {
    writer: mpsc::Sender<Job>,
    reader: Option<mpsc::Sender<Job>>,
    /// How many of the threads have ended.
    ended: watch::Receiver<u32>,
}

impl Database {
    /// Opens a database, applies the migrations it lacks and starts its thread.
    ///
    /// Each migration is one script, run once in an exclusive transaction of its own;
    /// `user_version` counts them. A database with more migrations than given is refused.
    pub fn open(
        location: &Location,
        migrations: &'static [&'static str],
        options: DatabaseOptions,
    ) -> Result<Self, OpenError> {
        let found = rusqlite::version_number();
        if found < SQLITE_VERSION_MIN {
            return Err(OpenError::Outdated { found: rusqlite::version().to_owned() });
        }
        let named = |source| OpenError::Sql { location: describe(location), source };
        let connection = connect(location, &options)?;
        migrate(&connection, migrations, location)?;
        if let Location::File(path) = location {
            sync_directory(path)
                .map_err(|source| OpenError::Io { location: describe(location), source })?;
        }
        let (alive, ended) = watch::channel(0);
        let (writer, queue) = mpsc::channel(QUEUE_MAX);
        let writing = Alive(alive.clone());
        spawn("database", move || writer::write_loop(connection, queue, writing))
            .map_err(|source| OpenError::Io { location: describe(location), source })?;
        let reader = match location {
            Location::Memory => None,
            Location::File(path) => {
                let connection = connect_reader(path, &options).map_err(named)?;
                let (reader, queue) = mpsc::channel(QUEUE_MAX);
                let reading = Alive(alive);
                spawn("database-read", move || writer::read_loop(connection, queue, reading))
                    .map_err(|source| OpenError::Io { location: describe(location), source })?;
                Some(reader)
            }
        };
        Ok(Self { writer, reader, ended })
    }

    /// Runs one unit of work. It is answered after the commit that holds it has been synced; an
    /// `Err` or a panic of `work` rolls back what it did and leaves its neighbours untouched.
    pub async fn write<T, E, F>(&self, work: F) -> Result<T, E>
    where
        F: FnOnce(&Connection) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<DatabaseError> + Send + 'static,
    {
        submit(&self.writer, Job::Work, work).await
    }

    /// Runs one unit of work and answers before it is synced. It becomes durable with the next
    /// [`write`](Self::write), or a moment later by itself: for steps of which nobody outside hears
    /// before something later is written. If it cannot be committed, the database ends.
    pub async fn stage<T, E, F>(&self, work: F) -> Result<T, E>
    where
        F: FnOnce(&Connection) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<DatabaseError> + Send + 'static,
    {
        submit(&self.writer, Job::Staged, work).await
    }

    /// Waits until everything that was written or staged before is synced.
    pub async fn synced(&self) -> Result<(), DatabaseError> {
        self.write(|_| Ok(())).await
    }

    /// Runs reads in one consistent snapshot, without holding up the writer. For a database in
    /// memory the writer's thread does it.
    pub async fn read<T, E, F>(&self, work: F) -> Result<T, E>
    where
        F: FnOnce(&Connection) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<DatabaseError> + Send + 'static,
    {
        submit(self.reader.as_ref().unwrap_or(&self.writer), Job::Work, work).await
    }

    /// Writes a compact copy to a new file. The writer is held up meanwhile.
    pub async fn copy_to(&self, target: &Path) -> Result<(), DatabaseError> {
        let target = target.to_string_lossy().into_owned();
        self.alone(move |connection| {
            connection.execute("VACUUM INTO ?1", [&target])?;
            Ok(())
        })
        .await
    }

    /// Moves everything from the write-ahead log into the database and empties the log: after an
    /// erasure nothing of what was erased is left in it.
    pub async fn checkpoint(&self) -> Result<(), DatabaseError> {
        self.alone(|connection| {
            let busy: i64 =
                connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
            if busy == 0 { Ok(()) } else { Err(DatabaseError::Busy) }
        })
        .await
    }

    /// Runs on the writer's thread what cannot run inside a transaction.
    async fn alone(
        &self,
        work: impl FnOnce(&Connection) -> Result<(), DatabaseError> + Send + 'static,
    ) -> Result<(), DatabaseError> {
        let (unit, answer) = Unit::new(work);
        let sent = self.writer.send(Job::Alone(Box::new(unit))).await;
        sent.map_err(|_| DatabaseError::Closed)?;
        answer.await.unwrap_or(Err(DatabaseError::Closed))
    }

    /// Units of work that wait for the writer.
    pub fn queued(&self) -> usize {
        self.writer.max_capacity().saturating_sub(self.writer.capacity())
    }

    /// Resolves when a database thread has ended: the program must end too.
    pub fn ended(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut ended = self.ended.clone();
        async move {
            // An error means that every thread is gone, which is an end too.
            let _ = ended.wait_for(|threads| *threads > 0).await;
        }
    }

    /// Finishes what is queued, closes the files and waits for that. Later work is refused.
    pub async fn close(&self) {
        // A thread that has ended already refuses the message: nothing to wait for then.
        // One after the other: the last to close empties the log, and two at once leave it behind.
        let mut ended = self.ended.clone();
        if let Some(reader) = &self.reader {
            let _ = reader.send(Job::Stop).await;
            let _ = ended.wait_for(|threads| *threads > 0).await;
        }
        let _ = self.writer.send(Job::Stop).await;
        while ended.changed().await.is_ok() {}
    }
}

impl std::fmt::Debug for Database {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Database").field("queued", &self.queued()).finish_non_exhaustive()
    }
}

async fn submit<T, E, F>(
    thread: &mpsc::Sender<Job>,
    job: fn(Box<dyn Work>) -> Job,
    work: F,
) -> Result<T, E>
where
    F: FnOnce(&Connection) -> Result<T, E> + Send + 'static,
    T: Send + 'static,
    E: From<DatabaseError> + Send + 'static,
{
    let (unit, answer): (Unit<T, E, F>, oneshot::Receiver<Result<T, E>>) = Unit::new(work);
    if thread.send(job(Box::new(unit))).await.is_err() {
        return Err(DatabaseError::Closed.into());
    }
    answer.await.unwrap_or_else(|_| Err(DatabaseError::Closed.into()))
}

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> std::io::Result<()> {
    std::thread::Builder::new()
        .name(name.into())
        .stack_size(THREAD_STACK_BYTES)
        .spawn(run)
        .map(drop)
}

fn describe(location: &Location) -> String {
    match location {
        Location::Memory => "in memory".into(),
        Location::File(path) => path.display().to_string(),
    }
}

fn connect(location: &Location, options: &DatabaseOptions) -> Result<Connection, OpenError> {
    let named = |source| OpenError::Sql { location: describe(location), source };
    let connection = match location {
        Location::Memory => Connection::open_in_memory().map_err(named)?,
        Location::File(path) => {
            create_private(path)
                .map_err(|source| OpenError::Io { location: describe(location), source })?;
            Connection::open_with_flags(path, open_flags()).map_err(named)?
        }
    };
    configure(&connection, options).map_err(named)?;
    if matches!(location, Location::File(_)) {
        configure_file(&connection, options).map_err(named)?;
    }
    Ok(connection)
}

/// The connection belongs to one thread, so SQLite needs no locks of its own.
fn open_flags() -> OpenFlags {
    OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
}

fn connect_reader(path: &Path, options: &DatabaseOptions) -> Result<Connection, rusqlite::Error> {
    let connection = Connection::open_with_flags(path, open_flags())?;
    configure(&connection, options)?;
    connection.pragma_update(None, "query_only", true)?;
    Ok(connection)
}

fn configure(connection: &Connection, options: &DatabaseOptions) -> Result<(), rusqlite::Error> {
    connection.busy_timeout(options.busy_timeout)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    // A statement is planned once, whatever values it is given.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.pragma_update(None, "cache_size", -i64::from(options.cache_kib))
}

fn configure_file(
    connection: &Connection,
    options: &DatabaseOptions,
) -> Result<(), rusqlite::Error> {
    let any = |_: &rusqlite::Row<'_>| Ok(());
    connection.pragma_update_and_check(None, "journal_mode", "WAL", any)?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update_and_check(None, "wal_autocheckpoint", CHECKPOINT_PAGES, any)?;
    connection.pragma_update_and_check(None, "journal_size_limit", WAL_BYTES_KEPT, any)?;
    if cfg!(target_os = "macos") {
        connection.pragma_update(None, "fullfsync", true)?;
    }
    connection.pragma_update_and_check(None, "secure_delete", options.secure_delete, any)
}

/// Creates the file for its owner only; SQLite gives the WAL the same mode.
fn create_private(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(false).mode(0o600);
    options.open(path).map(drop)
}

/// The name of a new file survives a power loss only once its directory is synced.
fn sync_directory(path: &Path) -> std::io::Result<()> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    std::fs::File::open(directory.unwrap_or(Path::new(".")))?.sync_all()
}

fn migrate(
    connection: &Connection,
    migrations: &[&str],
    location: &Location,
) -> Result<(), OpenError> {
    let named = |source| OpenError::Sql { location: describe(location), source };
    let found: i64 =
        connection.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(named)?;
    let known = i64::try_from(migrations.len()).unwrap_or(i64::MAX);
    if found > known {
        return Err(OpenError::Newer { found, known });
    }
    for (number, script) in (1_i64..).zip(migrations) {
        if number > found {
            apply(connection, number, script)
                .map_err(|source| OpenError::Migration { number, source })?;
        }
    }
    Ok(())
}

fn apply(connection: &Connection, number: i64, script: &str) -> Result<(), rusqlite::Error> {
    connection.execute_batch("BEGIN EXCLUSIVE")?;
    let applied = connection
        .execute_batch(script)
        .and_then(|()| connection.pragma_update(None, "user_version", number))
        .and_then(|()| connection.execute_batch("COMMIT"));
    if applied.is_err() && !connection.is_autocommit() {
        connection.execute_batch("ROLLBACK")?;
    }
    applied
}

#[cfg(test)]
mod tests;
