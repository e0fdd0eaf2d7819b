//! Statements that a server may deny: the denial is an answer.

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Row};

use crate::server::{DatabaseError, Source};

/// The outcome of asking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Attempt<T> {
    /// The answer.
    Answer(T),
    /// A privilege is missing.
    Denied,
    /// The server's statement ran out of time.
    TimedOut,
    /// The server knows no such thing.
    Absent,
}

impl<T> Attempt<T> {
    pub(super) fn map<U>(self, change: impl FnOnce(T) -> U) -> Attempt<U> {
        match self {
            Attempt::Answer(value) => Attempt::Answer(change(value)),
            Attempt::Denied => Attempt::Denied,
            Attempt::TimedOut => Attempt::TimedOut,
            Attempt::Absent => Attempt::Absent,
        }
    }

    pub(super) fn answer(&self) -> Option<&T> {
        match self {
            Attempt::Answer(value) => Some(value),
            Attempt::Denied | Attempt::TimedOut | Attempt::Absent => None,
        }
    }

    pub(super) fn is_denied(&self) -> bool {
        matches!(self, Attempt::Denied)
    }
}

/// Runs a statement and gives its rows.
pub(super) async fn attempt(
    source: &Source,
    conn: &mut Conn,
    doing: &'static str,
    statement: &str,
) -> Result<Attempt<Vec<Row>>, DatabaseError> {
    let error = match conn.query(statement).await {
        Ok(rows) => return Ok(Attempt::Answer(rows)),
        Err(error) => error,
    };
    match &error {
        mysql_async::Error::Server(server) => Ok(match server.code {
            // Access denied to a schema, table, column, procedure or statement; XA RECOVER without
            // its privilege answers ER_XAER_RMERR.
            1044 | 1045 | 1142 | 1143 | 1227 | 1370 | 1401 => Attempt::Denied,
            // ER_QUERY_TIMEOUT of MySQL, ER_STATEMENT_TIMEOUT of MariaDB.
            3024 | 1969 => Attempt::TimedOut,
            _ => Attempt::Absent,
        }),
        _ => Err(source.error(doing, error)),
    }
}

/// A field of a row as text; NULL and other types are `None`.
pub(super) fn text(row: &Row, place: usize) -> Option<String> {
    row.get_opt::<Option<String>, _>(place).and_then(Result::ok).flatten()
}

/// A field of a row as a number; NULL and other types are `None`.
pub(super) fn number(row: &Row, place: usize) -> Option<u64> {
    row.get_opt::<Option<u64>, _>(place).and_then(Result::ok).flatten()
}
