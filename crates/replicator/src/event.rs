//! Binlog events, reduced to what they mean for rows.

use std::io;

use mysql_async::binlog::events::{Event, EventData, RotateEvent, RowsEventData, TableMapEvent};
use mysql_async::binlog::{EventFlags, EventType};

/// The event type of a heartbeat with a long position, which the driver does not name.
const HEARTBEAT_V2: u8 = 0x29;

/// Why an event stops replication. Going on would lose changes.
#[derive(Debug, thiserror::Error)]
pub enum EventError {
    /// A type of event that is not known here (bug, or a newer server).
    #[error("an event of unknown type {0}")]
    Unknown(u8),
    /// A type of event whose changes cannot be carried (operator).
    #[error("an event of {kind}; hint: {hint}")]
    Unsupported {
        /// What it is.
        kind: &'static str,
        /// What to do.
        hint: &'static str,
    },
    /// Bytes that make no sense (bug).
    #[error("a malformed event")]
    Malformed {
        /// What was found.
        source: io::Error,
    },
    /// Rows whose table map did not come before them (bug).
    #[error("rows of table {table_id} without a table map")]
    NoTableMap {
        /// The number in the event.
        table_id: u64,
    },
    /// A binlog file above 4 GiB, in which events no longer tell their position (operator).
    #[error("a binlog file above 4 GiB; hint: lower max_binlog_size and split large transactions")]
    FileTooLong,
}

/// What an event means.
#[derive(Debug)]
pub(crate) enum LogEvent {
    /// The log goes on in another file.
    Rotate {
        file: String,
        offset: u64,
    },
    /// A transaction, or a statement outside of one, begins.
    GroupBegins,
    TableMap(Box<TableMapEvent<'static>>),
    Rows(RowsKind, Box<RowsEventData<'static>>),
    Statement(Statement),
    /// A transaction commits.
    Commit,
    /// Nothing of interest.
    Nothing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RowsKind {
    Insert,
    Update,
    Delete,
}

/// What a statement in the binlog does to the transaction around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Statement {
    Begin,
    Commit,
    Rollback,
    /// Back to a savepoint: some of the rows before it never happened.
    PartialRollback,
    /// Belongs to a transaction but changes no rows.
    Inside,
    /// Changes rows, which are not in the binlog.
    ChangesRows,
    /// Commits a transaction that was prepared elsewhere in the binlog.
    XaCommit,
    /// Data definition and administration, each a transaction of its own.
    Definition,
}

impl Statement {
    /// Reads the beginning of a statement. Never keeps the text, which may hold values.
    pub(crate) fn parse(query: &str) -> Statement {
        let mut words =
            query.split(|c: char| c.is_whitespace() || c == ';').filter(|w| !w.is_empty());
        let mut next = || words.next().unwrap_or_default().to_ascii_uppercase();
        let (first, second) = (next(), next());
        match (first.as_str(), second.as_str()) {
            ("BEGIN", _) | ("START", "TRANSACTION") | ("XA", "START" | "BEGIN") => Statement::Begin,
            ("COMMIT", _) => Statement::Commit,
            ("ROLLBACK", "TO") => Statement::PartialRollback,
            ("ROLLBACK", _) => Statement::Rollback,
            ("SAVEPOINT" | "RELEASE", _) | ("XA", "END") => Statement::Inside,
            ("XA", "COMMIT") => Statement::XaCommit,
            (
                "INSERT" | "UPDATE" | "DELETE" | "REPLACE" | "LOAD" | "CALL" | "SELECT" | "DO"
                | "WITH",
                _,
            ) => Statement::ChangesRows,
            _ => Statement::Definition,
        }
    }
}

pub(crate) const XA: EventError = EventError::Unsupported {
    kind: "an XA transaction",
    hint: "replicate after it has ended, with a new full load",
};
pub(crate) const STATEMENT_FORMAT: EventError = EventError::Unsupported {
    kind: "a statement in place of its rows",
    hint: "a session has changed its binlog_format; run SET PERSIST binlog_format = ROW",
};
const PARTIAL_JSON: EventError = EventError::Unsupported {
    kind: "partial JSON updates",
    hint: "run SET PERSIST binlog_row_value_options = ''",
};
const COMPRESSED: EventError = EventError::Unsupported {
    kind: "compressed transactions",
    hint: "run SET PERSIST binlog_transaction_compression = OFF",
};
const INCIDENT: EventError = EventError::Unsupported {
    kind: "an incident: the server has lost changes",
    hint: "remove the checkpoint for a new full load",
};
const OLD_ROWS: EventError = EventError::Unsupported {
    kind: "rows in a form from before MySQL 5.6",
    hint: "run SET GLOBAL log_bin_use_v1_row_events = OFF",
};

/// Reads an event.
pub(crate) fn read(event: &Event) -> Result<LogEvent, EventError> {
    let header = event.header();
    let Ok(kind) = header.event_type() else {
        let ignorable = header.flags().contains(EventFlags::LOG_EVENT_IGNORABLE_F);
        return match header.event_type_raw() {
            HEARTBEAT_V2 => Ok(LogEvent::Nothing),
            _ if ignorable => Ok(LogEvent::Nothing),
            other => Err(EventError::Unknown(other)),
        };
    };
    match kind {
        EventType::FORMAT_DESCRIPTION_EVENT
        | EventType::PREVIOUS_GTIDS_EVENT
        | EventType::STOP_EVENT
        | EventType::HEARTBEAT_EVENT
        | EventType::IGNORABLE_EVENT
        | EventType::ROWS_QUERY_EVENT
        | EventType::TRANSACTION_CONTEXT_EVENT
        | EventType::VIEW_CHANGE_EVENT => Ok(LogEvent::Nothing),
        EventType::GTID_EVENT
        | EventType::ANONYMOUS_GTID_EVENT
        | EventType::GTID_TAGGED_LOG_EVENT => Ok(LogEvent::GroupBegins),
        EventType::XID_EVENT => Ok(LogEvent::Commit),
        EventType::XA_PREPARE_LOG_EVENT => Err(XA),
        EventType::TRANSACTION_PAYLOAD_EVENT => Err(COMPRESSED),
        EventType::INCIDENT_EVENT => Err(INCIDENT),
        EventType::PARTIAL_UPDATE_ROWS_EVENT => Err(PARTIAL_JSON),
        EventType::WRITE_ROWS_EVENT_V1
        | EventType::UPDATE_ROWS_EVENT_V1
        | EventType::DELETE_ROWS_EVENT_V1 => Err(OLD_ROWS),
        EventType::INTVAR_EVENT
        | EventType::RAND_EVENT
        | EventType::USER_VAR_EVENT
        | EventType::BEGIN_LOAD_QUERY_EVENT
        | EventType::EXECUTE_LOAD_QUERY_EVENT => Err(STATEMENT_FORMAT),
        EventType::ROTATE_EVENT
        | EventType::TABLE_MAP_EVENT
        | EventType::QUERY_EVENT
        | EventType::WRITE_ROWS_EVENT
        | EventType::UPDATE_ROWS_EVENT
        | EventType::DELETE_ROWS_EVENT => read_body(event),
        _ => Err(EventError::Unknown(header.event_type_raw())),
    }
}

fn read_body(event: &Event) -> Result<LogEvent, EventError> {
    let malformed = |source| EventError::Malformed { source };
    Ok(match event.read_data().map_err(malformed)? {
        Some(EventData::RotateEvent(rotate)) => rotated(&rotate),
        Some(EventData::TableMapEvent(map)) => LogEvent::TableMap(Box::new(map.into_owned())),
        Some(EventData::QueryEvent(query)) => LogEvent::Statement(Statement::parse(&query.query())),
        Some(EventData::RowsEvent(rows)) => {
            let kind = match &rows {
                RowsEventData::WriteRowsEvent(_) => RowsKind::Insert,
                RowsEventData::UpdateRowsEvent(_) => RowsKind::Update,
                RowsEventData::DeleteRowsEvent(_) => RowsKind::Delete,
                _ => return Err(EventError::Unknown(event.header().event_type_raw())),
            };
            LogEvent::Rows(kind, Box::new(rows.into_owned()))
        }
        _ => return Err(EventError::Unknown(event.header().event_type_raw())),
    })
}

fn rotated(rotate: &RotateEvent<'_>) -> LogEvent {
    LogEvent::Rotate { file: rotate.name().into_owned(), offset: rotate.position() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_are_told_apart_by_their_first_words() {
        let cases = [
            ("BEGIN", Statement::Begin),
            ("XA START X'01',X'',1", Statement::Begin),
            ("COMMIT", Statement::Commit),
            ("ROLLBACK", Statement::Rollback),
            ("ROLLBACK TO `s`", Statement::PartialRollback),
            ("SAVEPOINT `s`", Statement::Inside),
            ("XA END X'01',X'',1", Statement::Inside),
            ("XA COMMIT X'01',X'',1", Statement::XaCommit),
            ("XA ROLLBACK X'01',X'',1", Statement::Definition),
            ("insert\ninto t values (1)", Statement::ChangesRows),
            ("ALTER TABLE t ADD c INT", Statement::Definition),
            ("CREATE TABLE `t` (`a` int) START TRANSACTION", Statement::Definition),
            ("TRUNCATE t", Statement::Definition),
            ("", Statement::Definition),
        ];
        for (query, expected) in cases {
            assert_eq!(Statement::parse(query), expected, "{query}");
        }
    }
}
