//! Binlog events, reduced to what they mean for rows.

use std::io;

use mysql_async::binlog::events::{
    BinlogEventFooter, Event, EventData, FormatDescriptionEvent, GtidEvent, QueryEvent, RotateEvent,
};
use mysql_async::binlog::{BinlogChecksumAlg, BinlogVersion, EventFlags, EventType};

use crate::ddl::{self, Touched};
use crate::gtid::Gtid;
use crate::rows_event::{RowsEvent, RowsKind};
use crate::statement::{Statement, Xid};

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
    /// An XA transaction ends whose rows lie before the place where reading began (operator).
    #[error("an XA transaction that was prepared before reading began; hint: reload the tables")]
    UnknownXa,
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
    GroupBegins {
        gtid: Option<Gtid>,
        /// There will be no BEGIN (MariaDB).
        begun: bool,
        /// The XA transaction that it prepares (MariaDB).
        xa: Option<Xid>,
    },
    TableMap,
    Rows(RowsEvent),
    Statement(Statement),
    /// Data definition and administration, each a transaction of its own.
    Definition(Vec<Touched>),
    /// A transaction commits.
    Commit,
    /// An XA transaction is prepared: it commits or rolls back later, if at all.
    XaPrepare,
    /// Nothing of interest.
    Nothing,
}

pub(crate) const STATEMENT_FORMAT: EventError = EventError::Unsupported {
    kind: "a statement in place of its rows",
    hint: "a session has changed its binlog_format; run SET PERSIST binlog_format = ROW",
};
const COMPRESSED: EventError = EventError::Unsupported {
    kind: "compressed transactions",
    hint: "run SET PERSIST binlog_transaction_compression = OFF",
};
const INCIDENT: EventError = EventError::Unsupported {
    kind: "an incident: the server has lost changes",
    hint: "remove the checkpoint for a new full load",
};
const COMPRESSED_EVENTS: EventError = EventError::Unsupported {
    kind: "compressed events",
    hint: "run SET GLOBAL log_bin_compress = OFF",
};

/// The events of MariaDB that the driver does not name.
mod mariadb {
    pub(super) const ANNOTATE_ROWS: u8 = 160;
    pub(super) const BINLOG_CHECKPOINT: u8 = 161;
    pub(super) const GTID: u8 = 162;
    pub(super) const GTID_LIST: u8 = 163;
    pub(super) const START_ENCRYPTION: u8 = 164;
    pub(super) const FIRST_COMPRESSED: u8 = 165;
    pub(super) const LAST_COMPRESSED: u8 = 171;
}

/// Reads an event.
pub(crate) fn read(event: &Event) -> Result<LogEvent, EventError> {
    let header = event.header();
    let Ok(kind) = header.event_type() else {
        let ignorable = header.flags().contains(EventFlags::LOG_EVENT_IGNORABLE_F);
        return match header.event_type_raw() {
            HEARTBEAT_V2
            | mariadb::ANNOTATE_ROWS
            | mariadb::BINLOG_CHECKPOINT
            | mariadb::GTID_LIST
            | mariadb::START_ENCRYPTION => Ok(LogEvent::Nothing),
            mariadb::GTID => mariadb_gtid(header.server_id(), event.data()).ok_or_else(malformed),
            mariadb::FIRST_COMPRESSED..=mariadb::LAST_COMPRESSED => Err(COMPRESSED_EVENTS),
            _ if ignorable => Ok(LogEvent::Nothing),
            other => Err(EventError::Unknown(other)),
        };
    };
    let rows = |kind, extra| {
        RowsEvent::read(kind, extra, event.data()).map(LogEvent::Rows).ok_or_else(malformed)
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
        EventType::ANONYMOUS_GTID_EVENT => {
            Ok(LogEvent::GroupBegins { gtid: None, begun: false, xa: None })
        }
        EventType::XID_EVENT => Ok(LogEvent::Commit),
        // The first byte tells a transaction that committed in one phase.
        EventType::XA_PREPARE_LOG_EVENT => match event.data().first() {
            Some(0) => Ok(LogEvent::XaPrepare),
            Some(_) => Ok(LogEvent::Commit),
            None => Err(malformed()),
        },
        EventType::TRANSACTION_PAYLOAD_EVENT => Err(COMPRESSED),
        EventType::INCIDENT_EVENT => Err(INCIDENT),
        EventType::TABLE_MAP_EVENT => Ok(LogEvent::TableMap),
        EventType::WRITE_ROWS_EVENT => rows(RowsKind::Insert, true),
        EventType::UPDATE_ROWS_EVENT => rows(RowsKind::Update, true),
        EventType::DELETE_ROWS_EVENT => rows(RowsKind::Delete, true),
        EventType::PARTIAL_UPDATE_ROWS_EVENT => rows(RowsKind::PartialUpdate, true),
        EventType::WRITE_ROWS_EVENT_V1 => rows(RowsKind::Insert, false),
        EventType::UPDATE_ROWS_EVENT_V1 => rows(RowsKind::Update, false),
        EventType::DELETE_ROWS_EVENT_V1 => rows(RowsKind::Delete, false),
        EventType::INTVAR_EVENT
        | EventType::RAND_EVENT
        | EventType::USER_VAR_EVENT
        | EventType::BEGIN_LOAD_QUERY_EVENT
        | EventType::EXECUTE_LOAD_QUERY_EVENT => Err(STATEMENT_FORMAT),
        EventType::ROTATE_EVENT
        | EventType::QUERY_EVENT
        | EventType::GTID_EVENT
        | EventType::GTID_TAGGED_LOG_EVENT => read_body(event),
        _ => Err(EventError::Unknown(header.event_type_raw())),
    }
}

fn malformed() -> EventError {
    EventError::Malformed { source: io::ErrorKind::InvalidData.into() }
}

fn read_body(event: &Event) -> Result<LogEvent, EventError> {
    // Made up for this connection; before the format is known, the driver knows of no checksums.
    let made_up = event.header().log_pos() == 0;
    let shorter = if made_up { without_checksum(event) } else { None };
    let event = shorter.as_ref().unwrap_or(event);
    Ok(match event.read_data().map_err(|source| EventError::Malformed { source })? {
        Some(EventData::RotateEvent(rotate)) => rotated(&rotate),
        Some(EventData::QueryEvent(query)) => statement(&query),
        Some(EventData::GtidEvent(gtid)) => {
            LogEvent::GroupBegins { gtid: Some(mysql_gtid(&gtid)), begun: false, xa: None }
        }
        _ => return Err(EventError::Unknown(event.header().event_type_raw())),
    })
}

/// The event without the checksum at its end, which MariaDB gives to its first rotation too;
/// `None` when there is none.
fn without_checksum(event: &Event) -> Option<Event> {
    const CRC32: BinlogChecksumAlg = BinlogChecksumAlg::BINLOG_CHECKSUM_ALG_CRC32;
    let mut bytes = Vec::new();
    event.write(BinlogVersion::Version4, &mut bytes).ok()?;
    let format = FormatDescriptionEvent::new(BinlogVersion::Version4)
        .with_footer(BinlogEventFooter::new(CRC32));
    let shorter = Event::read(&format, bytes.as_slice()).ok()?;
    let found = u32::from_le_bytes(shorter.checksum()?);
    (shorter.calc_checksum(CRC32) == found).then_some(shorter)
}

fn rotated(rotate: &RotateEvent<'_>) -> LogEvent {
    LogEvent::Rotate { file: rotate.name().into_owned(), offset: rotate.position() }
}

fn statement(query: &QueryEvent<'_>) -> LogEvent {
    let text = query.query();
    match Statement::parse(&text) {
        Statement::Definition => LogEvent::Definition(ddl::touched(&text, &query.schema())),
        statement => LogEvent::Statement(statement),
    }
}

fn mysql_gtid(event: &GtidEvent) -> Gtid {
    let mut source = String::with_capacity(36);
    for (place, byte) in event.sid().iter().enumerate() {
        if let 4 | 6 | 8 | 10 = place {
            source.push('-');
        }
        push_hex(&mut source, *byte);
    }
    if let Some(tag) = event.tag() {
        source = format!("{source}:{}", tag.as_str());
    }
    Gtid::MySql { source, number: event.gno() }
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    bytes.iter().for_each(|byte| push_hex(&mut text, *byte));
    text
}

fn push_hex(text: &mut String, byte: u8) {
    const DIGITS: [char; 16] =
        ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
    text.push(DIGITS[usize::from(byte >> 4)]);
    text.push(DIGITS[usize::from(byte & 0x0F)]);
}

/// MariaDB's GTID event (`Gtid_log_event` of its server): sequence number, domain, flags, and for
/// XA the name of the transaction.
fn mariadb_gtid(server: u32, body: &[u8]) -> Option<LogEvent> {
    const STANDALONE: u8 = 1;
    const GROUP_COMMIT: u8 = 2;
    const PREPARED_XA: u8 = 64;
    let number = u64::from_le_bytes(*body.first_chunk()?);
    let domain = u32::from_le_bytes(*body.get(8..)?.first_chunk()?);
    let (flags, rest) = body.get(12..)?.split_first()?;
    let xa = match flags & PREPARED_XA {
        0 => None,
        _ => {
            let rest = rest.get(if flags & GROUP_COMMIT == 0 { 0 } else { 8 }..)?;
            let format = u32::from_le_bytes(*rest.first_chunk()?);
            let (&[global, branch], names) = rest.get(4..)?.split_first_chunk()?;
            let (global, branch) = (usize::from(global), usize::from(branch));
            let (global, branch) = (names.get(..global)?, names.get(global..global + branch)?);
            Some(Xid(format!("x'{}',x'{}',{format}", hex(global), hex(branch))))
        }
    };
    let gtid = Some(Gtid::MariaDb { domain, server, number });
    Some(LogEvent::GroupBegins { gtid, begun: flags & STANDALONE == 0, xa })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::Binlog;

    /// As MariaDB 10.11 sends it before the format description.
    #[test]
    fn the_first_rotation_may_have_a_checksum() {
        let mut body = 4_u64.to_le_bytes().to_vec();
        body.extend(b"mysqld-bin.000004");
        let plain = Binlog::new().event_at(EventType::ROTATE_EVENT as u8, &body, 0);
        let mut bytes = Vec::new();
        let size = u32::try_from(19 + body.len() + 4).unwrap();
        plain.write(BinlogVersion::Version4, &mut bytes).unwrap();
        bytes[9..13].copy_from_slice(&size.to_le_bytes());
        bytes.extend(crc32(&bytes).to_le_bytes());
        let format = FormatDescriptionEvent::new(BinlogVersion::Version4);
        let checked = Event::read(&format, bytes.as_slice()).unwrap();
        for event in [plain, checked] {
            let Ok(LogEvent::Rotate { file, offset }) = read(&event) else { panic!("{event:?}") };
            assert_eq!((file.as_str(), offset), ("mysqld-bin.000004", 4));
        }
    }

    fn crc32(bytes: &[u8]) -> u32 {
        let step = |crc: u32, _| if crc & 1 == 1 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 };
        !bytes.iter().fold(!0, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), step))
    }

    #[test]
    fn mariadb_names_a_prepared_transaction_in_its_gtid() {
        let mut body = 7_u64.to_le_bytes().to_vec();
        body.extend(3_u32.to_le_bytes());
        body.push(2 | 64);
        body.extend([0; 8]);
        body.extend(1_u32.to_le_bytes());
        body.extend([2, 1, 0x01, 0xAB, 0xFF]);
        let Some(LogEvent::GroupBegins { gtid, begun, xa }) = mariadb_gtid(9, &body) else {
            panic!("it must be read")
        };
        assert_eq!(gtid, Some(Gtid::MariaDb { domain: 3, server: 9, number: 7 }));
        assert!(begun);
        assert_eq!(xa, Some(Xid("x'01ab',x'ff',1".to_owned())));
        assert!(mariadb_gtid(9, &body[..12]).is_none());
    }
}
