//! The tables, and the few statements on them.

use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use model::container::ContainerRecord;
use model::event::Event;
use model::exec::{ExecRecord, ExecState};
use model::pod::SandboxRecord;
use model::secret::{SecretData, SecretRecord};
use model::volume::VolumeRecord;
use model::{Error, Id};
use rusqlite::{Connection, OpenFlags, OptionalExtension as _, Transaction};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Book, EVENT_BYTES_KEPT, EVENTS_KEPT, TOMBSTONE_DAYS, TOMBSTONES_KEPT, params};

/// Version of the tables and of the JSON in them.
const VERSION: &str = "1";

const TABLES: &str = "
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS containers (id TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS sandboxes (id TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS volumes (id TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS secrets (id TEXT PRIMARY KEY, body TEXT NOT NULL, data BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS container_secrets (container TEXT NOT NULL, number INTEGER NOT NULL, data BLOB NOT NULL, PRIMARY KEY (container, number)) STRICT;
CREATE TABLE IF NOT EXISTS execs (id TEXT PRIMARY KEY, ended_at INTEGER, body TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS tombstones (id TEXT PRIMARY KEY, buried_at INTEGER NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS events (seq INTEGER PRIMARY KEY, at_ns INTEGER NOT NULL, body TEXT NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS events_at ON events (at_ns);
CREATE INDEX IF NOT EXISTS tombstones_at ON tombstones (buried_at);
";

/// The owner of an existing store, without a change to it; `None` where there is no store, or where a
/// daemon ended before it had written one.
pub(super) fn stored_owner(path: &Path) -> Result<Option<String>, Error> {
    if !path.exists() {
        return Ok(None);
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut db = Connection::open_with_flags(path, flags).map_err(Error::internal)?;
    let tx = db.transaction().map_err(Error::internal)?;
    match tx.table_exists(None, "meta").map_err(Error::internal)? {
        true => meta(&tx, "owner"),
        false => Ok(None),
    }
}

/// Makes the tables where they are missing. A store that has no owner yet gets this one.
pub(super) fn prepare(db: &mut Connection, owner: &str) -> Result<(), Error> {
    // Write-ahead log: a reader never waits, and a killed daemon loses nothing, synced or not.
    db.pragma_update(None, "journal_mode", "WAL")
        .map_err(Error::internal)?;
    wait_for_disk(db, true)?;
    let tx = db.transaction().map_err(Error::internal)?;
    tx.execute_batch(TABLES).map_err(Error::internal)?;
    if !has_version(&tx)? {
        set_meta(&tx, "version", VERSION)?;
    }
    if meta(&tx, "owner")?.is_none() {
        set_meta(&tx, "owner", owner)?;
    }
    forget_tombstones(&tx, Timestamp::now())?;
    tx.commit().map_err(Error::internal)
}

/// Whether the store has a version, which is then this program's.
fn has_version(tx: &Transaction<'_>) -> Result<bool, Error> {
    match meta(tx, "version")? {
        None => Ok(false),
        Some(found) if found == VERSION => Ok(true),
        Some(found) => Err(Error::Internal(format!(
            "the store was written by a newer version (its form is {found}, this program reads {VERSION})"
        ))),
    }
}

/// Reads everything of a store that a daemon may have open. With its write-ahead log neither waits; where
/// there is no log nobody has it open, and SQLite need not make the files beside it.
pub(super) fn read_only(path: &Path) -> Result<Book, Error> {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = match Path::new(&log).exists() {
        true => Connection::open_with_flags(path, flags),
        false => Connection::open_with_flags(at_rest(path), flags | OpenFlags::SQLITE_OPEN_URI),
    };
    let mut db = db.map_err(Error::internal)?;
    let tx = db.transaction().map_err(Error::internal)?;
    has_version(&tx)?;
    load(&tx)
}

/// The URI of a file that nobody changes.
fn at_rest(path: &Path) -> String {
    let path = path.to_string_lossy();
    let path = path
        .replace('%', "%25")
        .replace('?', "%3f")
        .replace('#', "%23");
    format!("file:{path}?immutable=1")
}

/// Whether the next transactions are on the disk when they are done, or may be lost in a power cut (the
/// file stays whole).
pub(super) fn wait_for_disk(db: &Connection, wait: bool) -> Result<(), Error> {
    let mode = if wait { "FULL" } else { "NORMAL" };
    db.pragma_update(None, "synchronous", mode)
        .map_err(Error::internal)
}

/// A random UUID (version 4) from the digits of a random id.
pub(super) fn new_uuid() -> String {
    let id = Id::generate();
    let hex: Vec<char> = id.as_str().chars().take(32).collect();
    let part = |from: usize, to: usize| -> String {
        hex.get(from..to).unwrap_or_default().iter().collect()
    };
    format!(
        "{}-{}-4{}-a{}-{}",
        part(0, 8),
        part(8, 12),
        part(13, 16),
        part(17, 20),
        part(20, 32)
    )
}

fn meta(tx: &Transaction<'_>, key: &str) -> Result<Option<String>, Error> {
    tx.query_row(
        "SELECT value FROM meta WHERE key = ?1",
        params![key],
        |row| row.get(0),
    )
    .optional()
    .map_err(Error::internal)
}

fn set_meta(tx: &Transaction<'_>, key: &str, value: &str) -> Result<(), Error> {
    tx.execute(
        "INSERT OR REPLACE INTO meta (key, value) VALUES (?1, ?2)",
        params![key, value],
    )
    .map(drop)
    .map_err(Error::internal)
}

/// Reads everything into memory.
pub(super) fn load(db: &Connection) -> Result<Book, Error> {
    let mut book = Book::default();
    for record in rows::<SandboxRecord>(db, "SELECT body FROM sandboxes")? {
        book.put_sandbox(Arc::new(record));
    }
    for record in rows::<ContainerRecord>(db, "SELECT body FROM containers")? {
        book.put_container(Arc::new(record));
    }
    for record in rows::<VolumeRecord>(db, "SELECT body FROM volumes")? {
        book.volumes.insert(record.name.clone(), Arc::new(record));
    }
    if db.table_exists(None, "secrets").map_err(Error::internal)? {
        // a store that an older daemon has is only read
        for record in rows::<SecretRecord>(db, "SELECT body FROM secrets")? {
            book.secrets.insert(record.name.clone(), Arc::new(record));
        }
    }
    let mut buried = db
        .prepare("SELECT id FROM tombstones")
        .map_err(Error::internal)?;
    let buried = buried
        .query_map([], |row| row.get::<_, String>(0))
        .map_err(Error::internal)?;
    book.buried.change(ids(buried)?, &[]);
    Ok(book)
}

/// Ids of rows; what is none is left out.
fn ids(rows: impl Iterator<Item = rusqlite::Result<String>>) -> Result<Vec<Id>, Error> {
    rows.filter_map(|text| match text {
        Ok(text) => Id::parse(&text).map(Ok),
        Err(error) => Some(Err(Error::internal(error))),
    })
    .collect()
}

fn rows<T: DeserializeOwned>(db: &Connection, query: &str) -> Result<Vec<T>, Error> {
    let mut statement = db.prepare(query).map_err(Error::internal)?;
    let bodies = statement
        .query_map([], |row| row.get::<_, String>(0))
        .map_err(Error::internal)?;
    bodies
        .map(|body| {
            let body = body.map_err(Error::internal)?;
            serde_json::from_str(&body).map_err(Error::internal)
        })
        .collect()
}

pub(super) fn put_container(tx: &Transaction<'_>, record: &ContainerRecord) -> Result<(), Error> {
    put(
        tx,
        "INSERT OR REPLACE INTO containers (id, body) VALUES (?1, ?2)",
        record.id.as_str(),
        record,
    )
}

pub(super) fn put_sandbox(tx: &Transaction<'_>, record: &SandboxRecord) -> Result<(), Error> {
    put(
        tx,
        "INSERT OR REPLACE INTO sandboxes (id, body) VALUES (?1, ?2)",
        record.id.as_str(),
        record,
    )
}

pub(super) fn put_volume(tx: &Transaction<'_>, record: &VolumeRecord) -> Result<(), Error> {
    put(
        tx,
        "INSERT OR REPLACE INTO volumes (id, body) VALUES (?1, ?2)",
        &record.name,
        record,
    )
}

pub(super) fn put_secret(
    tx: &Transaction<'_>,
    record: &SecretRecord,
    data: &SecretData,
) -> Result<(), Error> {
    let body = serde_json::to_string(record).map_err(Error::internal)?;
    tx.execute(
        "INSERT INTO secrets (id, body, data) VALUES (?1, ?2, ?3)",
        params![record.id, body, data.0],
    )
    .map(drop)
    .map_err(Error::internal)
}

/// A secret's data; `None` where it is gone.
pub(super) fn secret_data(db: &Connection, id: &str) -> Result<Option<SecretData>, Error> {
    db.query_row(
        "SELECT data FROM secrets WHERE id = ?1",
        params![id],
        |row| row.get(0),
    )
    .optional()
    .map(|data| data.map(SecretData))
    .map_err(Error::internal)
}

/// Keeps a secret's data for a container; `false` where it is gone.
pub(super) fn keep_secret(
    tx: &Transaction<'_>,
    container: &Id,
    number: usize,
    id: &str,
) -> Result<bool, Error> {
    let number = i64::try_from(number).map_err(Error::internal)?;
    let kept = tx.execute(
        "INSERT INTO container_secrets (container, number, data) SELECT ?1, ?2, data FROM secrets WHERE id = ?3",
        params![container.as_str(), number, id],
    );
    kept.map(|rows| rows > 0).map_err(Error::internal)
}

/// What was kept of secrets for a container, in their order.
pub(super) fn kept_secrets(db: &Connection, container: &Id) -> Result<Vec<SecretData>, Error> {
    let mut statement = db
        .prepare_cached("SELECT data FROM container_secrets WHERE container = ?1 ORDER BY number")
        .map_err(Error::internal)?;
    let rows = statement
        .query_map(params![container.as_str()], |row| row.get(0))
        .map_err(Error::internal)?;
    rows.map(|data| data.map(SecretData).map_err(Error::internal))
        .collect()
}

/// Forgets what was kept for a container.
pub(super) fn forget_secrets(tx: &Transaction<'_>, container: &Id) -> Result<(), Error> {
    tx.execute(
        "DELETE FROM container_secrets WHERE container = ?1",
        params![container.as_str()],
    )
    .map(drop)
    .map_err(Error::internal)
}

/// Stores an exec session, and forgets those that ended before `oldest`.
pub(super) fn put_exec(
    tx: &Transaction<'_>,
    record: &ExecRecord,
    oldest: Timestamp,
) -> Result<(), Error> {
    let ended_at = match record.state {
        ExecState::Created | ExecState::Running => None,
        ExecState::Ended { at, .. } => Some(at.as_second()),
    };
    let body = serde_json::to_string(record).map_err(Error::internal)?;
    let mut put = tx
        .prepare_cached("INSERT OR REPLACE INTO execs (id, ended_at, body) VALUES (?1, ?2, ?3)")
        .map_err(Error::internal)?;
    put.execute(params![record.id.as_str(), ended_at, body])
        .map_err(Error::internal)?;
    let mut forget = tx
        .prepare_cached("DELETE FROM execs WHERE ended_at < ?1")
        .map_err(Error::internal)?;
    forget
        .execute(params![oldest.as_second()])
        .map(drop)
        .map_err(Error::internal)
}

/// All stored exec sessions.
pub(super) fn execs(db: &Connection) -> Result<Vec<ExecRecord>, Error> {
    rows(db, "SELECT body FROM execs")
}

fn put(
    tx: &Transaction<'_>,
    statement: &str,
    id: &str,
    body: &impl Serialize,
) -> Result<(), Error> {
    let body = serde_json::to_string(body).map_err(Error::internal)?;
    tx.prepare_cached(statement)
        .and_then(|mut statement| statement.execute(params![id, body]))
        .map(drop)
        .map_err(Error::internal)
}

pub(super) fn delete(tx: &Transaction<'_>, table: &'static str, id: &str) -> Result<(), Error> {
    tx.execute(&format!("DELETE FROM {table} WHERE id = ?1"), params![id])
        .map(drop)
        .map_err(Error::internal)
}

/// Keeps a tombstone, and answers those that are forgotten for it.
pub(super) fn bury(tx: &Transaction<'_>, id: &Id, now: Timestamp) -> Result<Vec<Id>, Error> {
    tx.execute(
        "INSERT OR REPLACE INTO tombstones (id, buried_at) VALUES (?1, ?2)",
        params![id.as_str(), now.as_second()],
    )
    .map_err(Error::internal)?;
    forget_tombstones(tx, now)
}

/// Forgets tombstones that are too old or, oldest first, too many; answers their ids.
fn forget_tombstones(tx: &Transaction<'_>, now: Timestamp) -> Result<Vec<Id>, Error> {
    let oldest = now.as_second() - TOMBSTONE_DAYS * 86_400;
    let mut delete = tx
        .prepare_cached(
            "DELETE FROM tombstones WHERE buried_at < ?1 \
             OR rowid <= (SELECT max(rowid) FROM tombstones) - ?2 RETURNING id",
        )
        .map_err(Error::internal)?;
    let gone = delete
        .query_map(params![oldest, TOMBSTONES_KEPT], |row| row.get(0))
        .map_err(Error::internal)?;
    ids(gone)
}

/// Bytes of all stored events.
pub(super) fn event_bytes(db: &Connection) -> Result<i64, Error> {
    db.query_row(
        "SELECT coalesce(sum(length(CAST(body AS BLOB))), 0) FROM events",
        [],
        |row| row.get(0),
    )
    .map_err(Error::internal)
}

/// An event as it was stored.
#[derive(Clone, Copy, Debug)]
pub(super) struct Put {
    pub(super) seq: i64,
    pub(super) bytes: usize,
}

/// Stores an event. `kept` counts the bytes of all: the oldest go when they are too many or too large;
/// the newest always stays, for its number is what the next one counts on from.
pub(super) fn put_event(tx: &Transaction<'_>, event: &Event, kept: &mut i64) -> Result<Put, Error> {
    let body = serde_json::to_string(event).map_err(Error::internal)?;
    let bytes = body.len();
    let mut insert = tx
        .prepare_cached("INSERT INTO events (at_ns, body) VALUES (?1, ?2)")
        .map_err(Error::internal)?;
    let seq = insert
        .insert(params![nanoseconds(event.time), body])
        .map_err(Error::internal)?;
    *kept = kept.saturating_add(i64::try_from(bytes).unwrap_or(i64::MAX));
    *kept -= delete_events(tx, seq - EVENTS_KEPT)?;
    while *kept > EVENT_BYTES_KEPT {
        let oldest: i64 = tx
            .query_row("SELECT min(seq) FROM events", [], |row| row.get(0))
            .map_err(Error::internal)?;
        if oldest == seq {
            break;
        }
        *kept -= delete_events(tx, oldest)?;
    }
    Ok(Put { seq, bytes })
}

/// Deletes events up to a number; answers their bytes.
fn delete_events(tx: &Transaction<'_>, up_to: i64) -> Result<i64, Error> {
    let mut delete = tx
        .prepare_cached("DELETE FROM events WHERE seq <= ?1 RETURNING length(CAST(body AS BLOB))")
        .map_err(Error::internal)?;
    let gone = delete
        .query_map(params![up_to], |row| row.get::<_, i64>(0))
        .map_err(Error::internal)?;
    gone.sum::<rusqlite::Result<i64>>().map_err(Error::internal)
}

/// The number of the newest event; 0 before the first.
pub(super) fn last_event(db: &Connection) -> Result<i64, Error> {
    db.query_row("SELECT coalesce(max(seq), 0) FROM events", [], |row| {
        row.get(0)
    })
    .map_err(Error::internal)
}

/// Stored events of a time, in the order in which they were stored.
pub(super) fn events_between(
    db: &Connection,
    since: Timestamp,
    until: Option<Timestamp>,
) -> Result<Vec<Event>, Error> {
    let mut statement = db
        .prepare_cached("SELECT body FROM events WHERE at_ns >= ?1 AND at_ns <= ?2 ORDER BY seq")
        .map_err(Error::internal)?;
    let until = until.map_or(i64::MAX, nanoseconds);
    let bodies = statement
        .query_map(params![nanoseconds(since), until], |row| {
            row.get::<_, String>(0)
        })
        .map_err(Error::internal)?;
    bodies
        .map(|body| serde_json::from_str(&body.map_err(Error::internal)?).map_err(Error::internal))
        .collect()
}

/// Stored events after a number, with their own, oldest first.
pub(super) fn events_after(db: &Connection, seq: i64) -> Result<Vec<(i64, Event)>, Error> {
    let mut statement = db
        .prepare_cached("SELECT seq, body FROM events WHERE seq > ?1 ORDER BY seq")
        .map_err(Error::internal)?;
    let rows = statement
        .query_map(params![seq], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?))
        })
        .map_err(Error::internal)?;
    rows.map(|row| {
        let (seq, body) = row.map_err(Error::internal)?;
        let event = serde_json::from_str(&body).map_err(Error::internal)?;
        Ok((seq, event))
    })
    .collect()
}

/// Nanoseconds since 1970; times outside of 1677 to 2262 end at the bound.
fn nanoseconds(time: Timestamp) -> i64 {
    let limit = if time.as_second() < 0 {
        i64::MIN
    } else {
        i64::MAX
    };
    i64::try_from(time.as_nanosecond()).unwrap_or(limit)
}
