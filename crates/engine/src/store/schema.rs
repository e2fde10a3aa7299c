//! The tables, and the few statements on them.

use std::sync::Arc;

use jiff::Timestamp;
use model::container::ContainerRecord;
use model::event::Event;
use model::pod::SandboxRecord;
use model::volume::VolumeRecord;
use model::{Error, Id};
use rusqlite::{Connection, OptionalExtension as _, Transaction};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Book, EVENTS_KEPT, TOMBSTONE_DAYS, params};

/// Version of the tables and of the JSON in them.
const VERSION: &str = "1";

const TABLES: &str = "
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS containers (id TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS sandboxes (id TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS volumes (id TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS tombstones (id TEXT PRIMARY KEY, buried_at INTEGER NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS events (seq INTEGER PRIMARY KEY, at_ns INTEGER NOT NULL, body TEXT NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS events_at ON events (at_ns);
";

/// Makes the tables where they are missing and answers the owner.
pub(super) fn prepare(db: &mut Connection, wanted_owner: Option<&str>) -> Result<String, Error> {
    // Write-ahead log: a reader never waits; FULL: what was answered survives a power cut.
    db.pragma_update(None, "journal_mode", "WAL")
        .map_err(Error::internal)?;
    db.pragma_update(None, "synchronous", "FULL")
        .map_err(Error::internal)?;
    let tx = db.transaction().map_err(Error::internal)?;
    tx.execute_batch(TABLES).map_err(Error::internal)?;
    match meta(&tx, "version")? {
        None => set_meta(&tx, "version", VERSION)?,
        Some(found) if found == VERSION => {}
        Some(found) => {
            return Err(Error::Internal(format!(
                "the store was written by a newer version (its form is {found}, this program reads {VERSION})"
            )));
        }
    }
    let owner = if let Some(owner) = meta(&tx, "owner")? {
        owner
    } else {
        let owner = wanted_owner.map_or_else(new_uuid, ToOwned::to_owned);
        set_meta(&tx, "owner", &owner)?;
        owner
    };
    tx.execute(
        "DELETE FROM tombstones WHERE buried_at < ?1",
        params![Timestamp::now().as_second() - TOMBSTONE_DAYS * 86_400],
    )
    .map_err(Error::internal)?;
    tx.commit().map_err(Error::internal)?;
    Ok(owner)
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
    let mut buried = db
        .prepare("SELECT id FROM tombstones")
        .map_err(Error::internal)?;
    let ids = buried
        .query_map([], |row| row.get::<_, String>(0))
        .map_err(Error::internal)?;
    for id in ids {
        book.buried.extend(Id::parse(&id.map_err(Error::internal)?));
    }
    Ok(book)
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

pub(super) fn bury(tx: &Transaction<'_>, id: &Id) -> Result<(), Error> {
    tx.execute(
        "INSERT OR REPLACE INTO tombstones (id, buried_at) VALUES (?1, ?2)",
        params![id.as_str(), Timestamp::now().as_second()],
    )
    .map(drop)
    .map_err(Error::internal)
}

pub(super) fn put_event(tx: &Transaction<'_>, event: &Event) -> Result<(), Error> {
    let body = serde_json::to_string(event).map_err(Error::internal)?;
    let mut insert = tx
        .prepare_cached("INSERT INTO events (at_ns, body) VALUES (?1, ?2)")
        .map_err(Error::internal)?;
    let seq = insert
        .insert(params![nanoseconds(event.time), body])
        .map_err(Error::internal)?;
    tx.prepare_cached("DELETE FROM events WHERE seq <= ?1")
        .and_then(|mut statement| statement.execute(params![seq - EVENTS_KEPT]))
        .map(drop)
        .map_err(Error::internal)
}

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

/// Nanoseconds since 1970; times outside of 1677 to 2262 end at the bound.
fn nanoseconds(time: Timestamp) -> i64 {
    let limit = if time.as_second() < 0 {
        i64::MIN
    } else {
        i64::MAX
    };
    i64::try_from(time.as_nanosecond()).unwrap_or(limit)
}
