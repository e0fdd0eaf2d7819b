//! From a stream of binlog events to committed transactions. No I/O.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use medallion_definition::contract::TableContract;
use mysql_async::binlog::events::{Event, RowsEventData, TableMapEvent};

use crate::event::{self, EventError, LogEvent, RowsKind, STATEMENT_FORMAT, Statement, XA};
use crate::follow::FollowError;
use crate::position::BinlogPosition;
use crate::table_map::RowLayout;

/// Table maps that are remembered between transactions.
const REMEMBERED_MAPS: usize = 512;
/// The number of the event that only says that a statement has ended.
const DUMMY_TABLE: u64 = 0x00FF_FFFF;

/// Rows of one event that wait for the commit of their transaction.
#[derive(Debug)]
pub(crate) struct PendingRows {
    /// The contract, by its place in the list.
    pub(crate) table: usize,
    pub(crate) layout: Arc<RowLayout>,
    pub(crate) kind: RowsKind,
    pub(crate) rows: Box<RowsEventData<'static>>,
    /// Where the event begins.
    pub(crate) position: BinlogPosition,
}

/// A transaction that has committed.
#[derive(Debug)]
pub(crate) struct Committed {
    pub(crate) rows: Vec<PendingRows>,
    /// The commit's second since the epoch, as the event header has it.
    pub(crate) second: u32,
    /// The highest commit second up to this transaction.
    pub(crate) sequence_second: u32,
}

/// The contract of a table map and how its rows are laid out; nothing for other tables.
type Mapped = Option<(usize, Arc<RowLayout>)>;

/// Assembles transactions.
///
/// Rows are held back until their commit and forgotten at a rollback. The commit times of the
/// binlog do not grow steadily (they are the start of the committing statement, and clocks are
/// set back), so the time part of change sequences is the highest commit second so far. It is
/// part of the checkpoint: reading again from a checkpoint gives the same sequences again.
pub(crate) struct Assembler<'a> {
    contracts: &'a [TableContract],
    utf8_collations: &'a BTreeSet<u16>,
    /// The end of the last event.
    current: BinlogPosition,
    /// The end of the last transaction.
    safe: BinlogPosition,
    sequence_second: u32,
    /// A transaction's events are being read.
    open: bool,
    /// The transaction has seen its BEGIN.
    begun: bool,
    maps: HashMap<u64, (TableMapEvent<'static>, Mapped)>,
    pending: Vec<PendingRows>,
}

impl<'a> Assembler<'a> {
    /// Begins at the end of a transaction.
    pub(crate) fn new(
        contracts: &'a [TableContract],
        utf8_collations: &'a BTreeSet<u16>,
        position: BinlogPosition,
        sequence_second: u32,
    ) -> Assembler<'a> {
        Assembler {
            contracts,
            utf8_collations,
            safe: position.clone(),
            current: position,
            sequence_second,
            open: false,
            begun: false,
            maps: HashMap::new(),
            pending: Vec::new(),
        }
    }

    /// The end of the last transaction: where reading may begin again.
    pub(crate) fn safe_position(&self) -> &BinlogPosition {
        &self.safe
    }

    /// The highest commit second so far.
    pub(crate) fn sequence_second(&self) -> u32 {
        self.sequence_second
    }

    /// The end of the last event.
    pub(crate) fn position(&self) -> &BinlogPosition {
        &self.current
    }

    /// Takes the next event; gives the transaction that it commits.
    pub(crate) fn push(&mut self, event: &Event) -> Result<Option<Committed>, FollowError> {
        let header = event.header();
        let end = u64::from(header.log_pos());
        let begin = self.current.at(end.saturating_sub(u64::from(header.event_size())));
        let failed = |source| FollowError::Event { position: begin.clone(), source };
        let log_event = event::read(event).map_err(failed)?;
        if let LogEvent::Rotate { file, offset } = log_event {
            self.rotate(&file, offset)?;
            return Ok(None);
        }
        // Events that the server makes up for this connection have no position.
        if end > 0 && !is_heartbeat(event) {
            if end < self.current.offset() {
                return Err(failed(EventError::FileTooLong));
            }
            self.current = self.current.at(end);
        }
        let committed = self.apply(log_event, header.timestamp(), &begin)?;
        if !self.open {
            self.safe = self.current.clone();
        }
        Ok(committed)
    }

    fn rotate(&mut self, file: &str, offset: u64) -> Result<(), FollowError> {
        if file != self.current.file() {
            self.current = BinlogPosition::new(file, offset)?;
            if !self.open {
                self.safe = self.current.clone();
            }
        }
        Ok(())
    }

    fn apply(
        &mut self,
        event: LogEvent,
        second: u32,
        begin: &BinlogPosition,
    ) -> Result<Option<Committed>, FollowError> {
        let failed = |source| FollowError::Event { position: begin.clone(), source };
        match event {
            LogEvent::Rotate { .. } | LogEvent::Nothing => {}
            LogEvent::GroupBegins => self.open = true,
            LogEvent::TableMap(map) => self.map(*map, begin)?,
            LogEvent::Rows(kind, rows) => {
                let table_id = rows.table_id();
                match self.maps.get(&table_id) {
                    Some((_, Some((table, layout)))) => self.pending.push(PendingRows {
                        table: *table,
                        layout: layout.clone(),
                        kind,
                        rows,
                        position: begin.clone(),
                    }),
                    Some((_, None)) => {}
                    None if table_id == DUMMY_TABLE => {}
                    None => return Err(failed(EventError::NoTableMap { table_id })),
                }
            }
            LogEvent::Commit | LogEvent::Statement(Statement::Commit) => {
                return Ok(Some(self.commit(second)));
            }
            LogEvent::Statement(Statement::Begin) => (self.open, self.begun) = (true, true),
            LogEvent::Statement(Statement::Rollback) => {
                self.pending.clear();
                self.end();
            }
            LogEvent::Statement(Statement::PartialRollback) if !self.pending.is_empty() => {
                return Err(failed(EventError::Unsupported {
                    kind: "a rollback to a savepoint amid rows",
                    hint: "use InnoDB only in transactions with savepoints",
                }));
            }
            LogEvent::Statement(Statement::ChangesRows) => return Err(failed(STATEMENT_FORMAT)),
            LogEvent::Statement(Statement::XaCommit) => return Err(failed(XA)),
            // CREATE TABLE … SELECT writes its definition inside the transaction of its rows.
            LogEvent::Statement(Statement::Definition) if !self.begun => self.end(),
            LogEvent::Statement(
                Statement::Definition | Statement::Inside | Statement::PartialRollback,
            ) => {}
        }
        Ok(None)
    }

    fn commit(&mut self, second: u32) -> Committed {
        self.sequence_second = self.sequence_second.max(second);
        self.end();
        let rows = std::mem::take(&mut self.pending);
        Committed { rows, second, sequence_second: self.sequence_second }
    }

    fn end(&mut self) {
        (self.open, self.begun) = (false, false);
        if self.maps.len() > REMEMBERED_MAPS {
            self.maps.clear();
        }
    }

    /// Remembers how rows with this table number are laid out until the next map says otherwise.
    fn map(
        &mut self,
        map: TableMapEvent<'static>,
        begin: &BinlogPosition,
    ) -> Result<(), FollowError> {
        let id = map.table_id();
        if self.maps.get(&id).is_some_and(|(known, _)| *known == map) {
            return Ok(());
        }
        let (schema, table) = (map.database_name(), map.table_name());
        let found = self
            .contracts
            .iter()
            .position(|c| c.table.schema.as_str() == schema && c.table.table.as_str() == table);
        let mapped = match found {
            None => None,
            Some(index) => {
                let contract = &self.contracts[index];
                let layout = RowLayout::new(&map, contract, self.utf8_collations);
                let layout = layout.map_err(|source| FollowError::TableMap {
                    position: begin.clone(),
                    table: contract.table.clone(),
                    source: Box::new(source),
                })?;
                Some((index, Arc::new(layout)))
            }
        };
        self.maps.insert(id, (map, mapped));
        Ok(())
    }
}

/// Heartbeats repeat the position of the last event sent.
fn is_heartbeat(event: &Event) -> bool {
    matches!(event.header().event_type_raw(), 0x1B | 0x29)
}

#[cfg(test)]
#[path = "transaction_tests.rs"]
mod tests;
