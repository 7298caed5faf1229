//! How the database thread behaves, proven from inside.

use std::sync::mpsc as blocking;

use futures_util::FutureExt;

use super::*;
use crate::scratch::Scratch;

const MIGRATIONS: &[&str] = &[
    "CREATE TABLE items (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;",
    "ALTER TABLE items ADD COLUMN size INTEGER NOT NULL DEFAULT 0;
     CREATE INDEX items_by_size ON items (size);",
];

#[derive(Debug, thiserror::Error)]
enum ItemError {
    #[error("refused")]
    Refused,
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

impl From<rusqlite::Error> for ItemError {
    fn from(error: rusqlite::Error) -> Self {
        DatabaseError::from(error).into()
    }
}

fn memory() -> Database {
    Database::open(&Location::Memory, MIGRATIONS, DatabaseOptions::default()).unwrap()
}

fn open(path: &Path) -> Result<Database, OpenError> {
    Database::open(&Location::File(path.to_owned()), MIGRATIONS, DatabaseOptions::default())
}

fn insert(connection: &Connection, name: &str) -> Result<i64, ItemError> {
    connection.prepare_cached("INSERT INTO items (name) VALUES (?1)")?.execute([name])?;
    Ok(connection.last_insert_rowid())
}

fn names(connection: &Connection) -> Result<Vec<String>, ItemError> {
    let mut select = connection.prepare_cached("SELECT name FROM items ORDER BY id")?;
    let rows = select.query_map([], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Keeps the writer busy until the returned sender is used, so that what is queued meanwhile
/// becomes one batch.
async fn occupied(database: &Database) -> blocking::Sender<()> {
    let (release, released) = blocking::channel::<()>();
    let (entered, entering) = oneshot::channel();
    let database = database.clone();
    tokio::spawn(async move {
        database
            .write(move |_| {
                entered.send(()).ok();
                released.recv().ok();
                Ok::<_, ItemError>(())
            })
            .await
    });
    entering.await.unwrap();
    release
}

#[tokio::test]
async fn what_was_written_is_read() {
    let database = memory();
    let id = database.write(|connection| insert(connection, "tea")).await.unwrap();
    assert_eq!(id, 1);
    assert_eq!(database.read(names).await.unwrap(), ["tea"]);
    let duplicate = database.write(|connection| insert(connection, "tea")).await.unwrap_err();
    assert!(matches!(duplicate, ItemError::Database(error) if error.is_constraint()));
}

#[tokio::test]
async fn a_refused_unit_is_undone_and_its_neighbours_stay() {
    let database = memory();
    let release = occupied(&database).await;
    let refused = database.write(|connection| {
        insert(connection, "refused")?;
        Err::<(), _>(ItemError::Refused)
    });
    let panicked = database.write(|connection| {
        insert(connection, "panicked")?;
        panic!("a unit of work that panics");
        #[expect(unreachable_code, reason = "gives the closure its type")]
        Ok::<(), ItemError>(())
    });
    let seen = database.write(names);
    let before = database.write(|connection| insert(connection, "before"));
    let after = database.write(|connection| insert(connection, "after"));
    let all = async { tokio::join!(before, refused, panicked, after, seen) };
    let (before, refused, panicked, after, seen) = {
        let mut all = std::pin::pin!(all);
        assert!(all.as_mut().now_or_never().is_none());
        assert_eq!(database.queued(), 5);
        release.send(()).unwrap();
        all.await
    };
    assert!(before.is_ok() && after.is_ok());
    assert!(matches!(refused, Err(ItemError::Refused)));
    assert!(matches!(panicked, Err(ItemError::Database(DatabaseError::Panicked))));
    assert_eq!(seen.unwrap(), ["before", "after"]);
    assert_eq!(database.read(names).await.unwrap(), ["before", "after"]);
}

#[tokio::test]
async fn an_answer_comes_after_the_commit() {
    let scratch = Scratch::new("after-commit");
    let path = scratch.path("items.db");
    let database = open(&path).unwrap();
    database.write(|connection| insert(connection, "tea")).await.unwrap();
    let stranger = Connection::open(&path).unwrap();
    assert_eq!(names(&stranger).unwrap(), ["tea"]);
    assert_eq!(database.read(names).await.unwrap(), ["tea"]);
}

#[tokio::test]
async fn work_of_a_caller_that_went_away_is_done_all_the_same() {
    let database = memory();
    let release = occupied(&database).await;
    {
        let mut abandoned = Box::pin(database.write(|connection| insert(connection, "tea")));
        assert!(abandoned.as_mut().now_or_never().is_none());
    }
    release.send(()).unwrap();
    assert_eq!(database.read(names).await.unwrap(), ["tea"]);
}

#[tokio::test]
async fn the_read_connection_cannot_write() {
    let scratch = Scratch::new("read-only");
    let database = open(&scratch.path("items.db")).unwrap();
    let refused = database.read(|connection| insert(connection, "tea")).await.unwrap_err();
    assert!(refused.to_string().contains("readonly"), "{refused}");
    assert!(database.read(names).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_file_is_private_survives_and_has_every_safeguard_on() {
    use std::os::unix::fs::PermissionsExt;
    let scratch = Scratch::new("safeguards");
    let path = scratch.path("items.db");
    let database = open(&path).unwrap();
    database.write(|connection| insert(connection, "tea")).await.unwrap();
    let pragmas = database
        .write(|connection| {
            let value = |name: &str| {
                let text = |row: &rusqlite::Row<'_>| row.get::<_, rusqlite::types::Value>(0);
                connection.pragma_query_value(None, name, text)
            };
            let names = [
                "journal_mode",
                "synchronous",
                "foreign_keys",
                "trusted_schema",
                "cache_size",
                "mmap_size",
            ];
            let values = names.map(|name| format!("{name}={:?}", value(name).ok()));
            Ok::<_, ItemError>(values.join(" "))
        })
        .await
        .unwrap();
    insta::assert_snapshot!(pragmas, @r#"journal_mode=Some(Text("wal")) synchronous=Some(Integer(2)) foreign_keys=Some(Integer(1)) trusted_schema=Some(Integer(0)) cache_size=Some(Integer(-2048)) mmap_size=Some(Integer(0))"#);
    database.close().await;
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let files: Vec<_> = std::fs::read_dir(scratch.directory()).unwrap().collect();
    assert_eq!(files.len(), 1, "closing checkpoints the log: {files:?}");
    assert_eq!(open(&path).unwrap().read(names).await.unwrap(), ["tea"]);
}

#[tokio::test]
async fn a_full_disk_refuses_the_batch_and_is_recovered_from() {
    let scratch = Scratch::new("full");
    let database = open(&scratch.path("items.db")).unwrap();
    let limit = |pages: u32| {
        move |connection: &Connection| {
            let any = |_: &rusqlite::Row<'_>| Ok(());
            connection.pragma_update_and_check(None, "max_page_count", pages, any)?;
            Ok::<_, ItemError>(())
        }
    };
    database.write(limit(12)).await.unwrap();
    let release = occupied(&database).await;
    let neighbour = database.write(|connection| insert(connection, "neighbour"));
    let large = database.write(|connection| insert(connection, &"x".repeat(100_000)));
    let both = async { tokio::join!(neighbour, large) };
    let mut both = std::pin::pin!(both);
    assert!(both.as_mut().now_or_never().is_none());
    release.send(()).unwrap();
    let (neighbour, large) = both.await;
    for refused in [neighbour, large] {
        assert!(matches!(refused, Err(ItemError::Database(DatabaseError::Full))), "{refused:?}");
    }
    database.write(limit(1000)).await.unwrap();
    database.write(|connection| insert(connection, &"x".repeat(100_000))).await.unwrap();
    assert_eq!(database.read(names).await.unwrap().len(), 1);
}

/// Staged work is answered while its transaction is still open, and is durable with what is
/// written after it; by itself it is committed a moment later.
#[tokio::test]
async fn staged_work_is_answered_early_and_durable_with_the_next_write() {
    let scratch = Scratch::new("staged");
    let database = open(&scratch.path("items.db")).unwrap();
    database.stage(|connection| insert(connection, "early")).await.unwrap();
    let refused = database.stage(|_| Err::<(), _>(ItemError::Refused)).await.unwrap_err();
    assert!(matches!(refused, ItemError::Refused));
    let in_the_same_transaction =
        |connection: &Connection| Ok::<_, ItemError>(connection.is_autocommit());
    assert!(!database.write(in_the_same_transaction).await.unwrap());
    assert_eq!(database.read(names).await.unwrap(), ["early"]);
    database.stage(|connection| insert(connection, "synced")).await.unwrap();
    database.synced().await.unwrap();
    assert_eq!(database.read(names).await.unwrap(), ["early", "synced"]);
    database.stage(|connection| insert(connection, "alone")).await.unwrap();
    database.close().await;
    assert_eq!(open(&scratch.path("items.db")).unwrap().read(names).await.unwrap().len(), 3);
}

/// What was answered before its commit must not be lost while the program goes on.
#[tokio::test]
async fn staged_work_that_cannot_be_committed_ends_the_database() {
    let scratch = Scratch::new("staged-full");
    let database = open(&scratch.path("items.db")).unwrap();
    let limit = |connection: &Connection| -> Result<(), ItemError> {
        let pages: i64 = connection.pragma_query_value(None, "page_count", |row| row.get(0))?;
        connection.pragma_update(None, "max_page_count", pages)?;
        Ok(())
    };
    database.write(limit).await.unwrap();
    let release = occupied(&database).await;
    let staged = database.stage(|connection| insert(connection, "early"));
    let large = database.write(|connection| insert(connection, &"x".repeat(100_000)));
    let both = futures_util::future::join(staged, large);
    release.send(()).unwrap();
    let (staged, large) = both.await;
    assert!(staged.is_ok());
    assert!(matches!(large, Err(ItemError::Database(DatabaseError::Full))), "{large:?}");
    database.ended().await;
    let later = database.write(names).await.unwrap_err();
    assert!(matches!(later, ItemError::Database(DatabaseError::Closed)));
}

#[tokio::test]
async fn a_damaged_file_ends_the_thread_and_refuses_what_follows() {
    let scratch = Scratch::new("damaged");
    let path = scratch.path("items.db");
    let database = open(&path).unwrap();
    for number in 0..200 {
        database.write(move |c| insert(c, &format!("{number}{}", "x".repeat(200)))).await.unwrap();
    }
    database.checkpoint().await.unwrap();
    database.close().await;
    let mut bytes = std::fs::read(&path).unwrap();
    for byte in bytes.iter_mut().skip(3 * 4096) {
        *byte = 0xa5;
    }
    std::fs::write(&path, bytes).unwrap();
    let database = open(&path).unwrap();
    let damaged = database.write(names).await.unwrap_err();
    assert!(matches!(damaged, ItemError::Database(DatabaseError::Closed)), "{damaged:?}");
    database.ended().await;
    let later = database.write(names).await.unwrap_err();
    assert!(matches!(later, ItemError::Database(DatabaseError::Closed)));
}

#[tokio::test]
async fn closing_finishes_what_is_queued_and_refuses_the_rest() {
    let database = memory();
    let release = occupied(&database).await;
    let mut queued = Box::pin(database.write(|connection| insert(connection, "tea")));
    assert!(queued.as_mut().now_or_never().is_none());
    let mut closing = Box::pin(database.close());
    assert!(closing.as_mut().now_or_never().is_none());
    release.send(()).unwrap();
    assert!(queued.await.is_ok());
    closing.await;
    let refused = database.write(names).await.unwrap_err();
    assert!(matches!(refused, ItemError::Database(DatabaseError::Closed)));
    database.ended().await;
}

#[tokio::test]
async fn a_copy_holds_what_was_committed() {
    let scratch = Scratch::new("copy");
    let database = open(&scratch.path("items.db")).unwrap();
    database.write(|connection| insert(connection, "tea")).await.unwrap();
    let copy = scratch.path("copy.db");
    database.copy_to(&copy).await.unwrap();
    assert!(database.copy_to(&copy).await.is_err(), "a copy overwrites nothing");
    let copied = Connection::open(&copy).unwrap();
    assert_eq!(names(&copied).unwrap(), ["tea"]);
}

#[tokio::test]
async fn what_is_erased_is_gone_from_every_file_after_a_checkpoint() {
    let scratch = Scratch::new("erased");
    let path = scratch.path("items.db");
    let options = DatabaseOptions { secure_delete: true, ..DatabaseOptions::default() };
    let database = Database::open(&Location::File(path), MIGRATIONS, options).unwrap();
    database.write(|connection| insert(connection, "canary-4242")).await.unwrap();
    let erase =
        |connection: &Connection| Ok::<_, ItemError>(connection.execute("DELETE FROM items", [])?);
    assert_eq!(database.write(erase).await.unwrap(), 1);
    database.checkpoint().await.unwrap();
    for file in std::fs::read_dir(scratch.directory()).unwrap() {
        let path = file.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        assert!(!bytes.windows(11).any(|window| window == b"canary-4242"), "{}", path.display());
    }
}

#[test]
fn a_newer_database_is_refused_with_advice() {
    let scratch = Scratch::new("newer");
    let path = scratch.path("items.db");
    drop(open(&path).unwrap());
    Connection::open(&path).unwrap().pragma_update(None, "user_version", 7).unwrap();
    let refused = open(&path).unwrap_err();
    insta::assert_snapshot!(refused.to_string(), @"the database was written by a newer Payrig: its schema is 7, this program knows 2; use the newer program or another state directory");
}

#[test]
fn a_failing_migration_changes_nothing() {
    const BROKEN: &[&str] = &["CREATE TABLE a (x) STRICT; CREATE TABLE b (x INTEGER) STRICT;"];
    let scratch = Scratch::new("migration");
    let path = scratch.path("items.db");
    let location = Location::File(path.clone());
    let refused = Database::open(&location, BROKEN, DatabaseOptions::default()).unwrap_err();
    assert_eq!(refused.to_string(), "migration 1 failed");
    let connection = Connection::open(&path).unwrap();
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).unwrap();
    assert_eq!(tables, 0);
}

#[test]
fn a_file_that_cannot_be_opened_is_named() {
    let refused = open(Path::new("/nowhere/items.db")).unwrap_err();
    assert_eq!(refused.to_string(), "cannot open the database /nowhere/items.db");
}
