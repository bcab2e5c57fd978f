//! The journal: records that are only ever appended, in one SQLite file with full synchronisation. A record is on the
//! medium before the engine goes on, so that a killed run can be understood. The database itself refuses changes.

use std::path::{Path, PathBuf};

use hvm_model::record::{Event, Record};
use rusqlite::{Connection, TransactionBehavior, params};

use crate::clock::now;
use crate::error::EngineError;

/// Form of the database (`PRAGMA user_version`).
const VERSION: i64 = 1;

const SCHEMA: &str = "
CREATE TABLE record (number INTEGER PRIMARY KEY, at TEXT NOT NULL, event TEXT NOT NULL) STRICT;
CREATE TRIGGER record_no_update BEFORE UPDATE ON record BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER record_no_delete BEFORE DELETE ON record BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER record_in_order BEFORE INSERT ON record
WHEN NEW.number <> (SELECT COUNT(*) FROM record) + 1 BEGIN SELECT RAISE(ABORT, 'records are numbered in order'); END;
PRAGMA user_version = 1;
";

/// An open journal.
pub struct Journal {
    connection: Connection,
    path: PathBuf,
}

impl Journal {
    /// Opens or makes the journal of a work folder.
    pub fn open(path: &Path) -> Result<Journal, EngineError> {
        let fail = |source| EngineError::Journal { path: path.to_owned(), source };
        let mut connection = Connection::open(path).map_err(fail)?;
        connection.busy_timeout(std::time::Duration::from_secs(10)).map_err(fail)?;
        connection.execute_batch("PRAGMA synchronous = EXTRA;").map_err(fail)?;
        let found = version(&connection).map_err(fail)?;
        if found == 0 {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(fail)?;
            if version(&transaction).map_err(fail)? == 0 {
                transaction.execute_batch(SCHEMA).map_err(fail)?;
            }
            transaction.commit().map_err(fail)?;
        } else if found != VERSION {
            return Err(EngineError::JournalVersion { path: path.to_owned(), found, expected: VERSION });
        }
        Ok(Journal { connection, path: path.to_owned() })
    }

    /// Appends a record; it is durable when this returns.
    pub fn append(&self, event: &Event) -> Result<(), EngineError> {
        let text =
            serde_json::to_string(event).map_err(|source| EngineError::Document { path: self.path.clone(), source })?;
        let sql = "INSERT INTO record (number, at, event) SELECT COUNT(*) + 1, ?1, ?2 FROM record";
        self.connection.execute(sql, params![now(), text]).map_err(|source| self.failed(source))?;
        Ok(())
    }

    /// All records in order.
    pub fn records(&self) -> Result<Vec<Record>, EngineError> {
        let fail = |source| self.failed(source);
        let mut query =
            self.connection.prepare("SELECT number, at, event FROM record ORDER BY number").map_err(fail)?;
        let rows = query
            .query_map([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?, row.get::<_, String>(2)?)))
            .map_err(fail)?;
        let mut records: Vec<Record> = Vec::new();
        for row in rows {
            let (number, at, event) = row.map_err(fail)?;
            let event = serde_json::from_str(&event)
                .map_err(|source| EngineError::Document { path: self.path.clone(), source })?;
            records.push(Record { number: number.unsigned_abs(), at, event });
        }
        let (found, last) = (records.len() as u64, records.last().map_or(0, |record| record.number));
        if found != last {
            return Err(EngineError::JournalGap { path: self.path.clone(), found, last });
        }
        Ok(records)
    }

    fn failed(&self, source: rusqlite::Error) -> EngineError {
        EngineError::Journal { path: self.path.clone(), source }
    }
}

fn version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(name: &str) -> Event {
        Event::PhaseEnded { verb: name.to_owned() }
    }

    #[test]
    fn records_are_kept_and_cannot_be_changed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("j");
        let journal = Journal::open(&path).unwrap();
        journal.append(&event("a")).unwrap();
        journal.append(&event("b")).unwrap();
        drop(journal);
        let journal = Journal::open(&path).unwrap();
        let records = journal.records().unwrap();
        assert_eq!(records.iter().map(|record| record.number).collect::<Vec<_>>(), [1, 2]);
        assert_eq!(records[1].event, event("b"));
        for sql in ["UPDATE record SET at = ''", "DELETE FROM record", "INSERT INTO record VALUES (9, '', '')"] {
            assert!(journal.connection.execute(sql, []).is_err(), "{sql}");
        }
    }

    #[test]
    fn another_form_and_damage_are_errors() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("j");
        Journal::open(&path).unwrap().connection.execute_batch("PRAGMA user_version = 7").unwrap();
        assert!(matches!(Journal::open(&path), Err(EngineError::JournalVersion { found: 7, .. })));
        std::fs::write(&path, b"this is no database, but long enough to be looked at as one..............").unwrap();
        assert!(matches!(Journal::open(&path), Err(EngineError::Journal { .. })));
    }
}
