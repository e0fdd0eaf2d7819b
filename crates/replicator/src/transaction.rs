//! From a stream of binlog events to committed transactions. No I/O but the files of transactions
//! that memory does not hold.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use medallion_definition::name::TableId;
use mysql_async::binlog::events::{Event, TableMapEvent};

pub(crate) use crate::assembled::{Assembled, Committed};
use crate::binlog_end::is_heartbeat;
use crate::checkpoint::{Checkpoint, SafePoint};
use crate::ddl::{TableEffect, Touched};
use crate::event::{self, EventError, LogEvent, STATEMENT_FORMAT};
use crate::follow_error::FollowError;
use crate::gtid::{Gtid, GtidSet};
use crate::held_rows::{HeldRows, HoldPolicy, PendingRows};
use crate::knowledge::SourceKnowledge;
use crate::position::BinlogPosition;
use crate::rows_event::RowsEvent;
use crate::statement::{Statement, Xid};
use crate::table_map::RowLayout;

/// Table maps that are remembered between transactions.
const REMEMBERED_MAPS: usize = 512;
/// The number of the event that only says that a statement has ended.
const DUMMY_TABLE: u64 = 0x00FF_FFFF;

/// A transaction that waits for its XA COMMIT.
struct Prepared {
    rows: HeldRows,
    gtid: Option<Gtid>,
    /// Before its first event.
    begin: SafePoint,
}

/// The captured table of a table map and how its rows are laid out; nothing for other tables.
type Mapped = Option<(usize, Arc<RowLayout>)>;

/// Assembles transactions.
///
/// Rows are held back until their commit and forgotten at a rollback. The commit times of the
/// binlog do not grow steadily (they are the start of the committing statement, and clocks are
/// set back), so the time part of change sequences is the highest commit second so far. It is
/// part of the checkpoint: reading again from a checkpoint gives the same sequences again.
pub(crate) struct Assembler<'a> {
    tables: &'a [TableId],
    knowledge: SourceKnowledge,
    hold: HoldPolicy,
    /// The end of the last event.
    current: BinlogPosition,
    /// The end of the last transaction.
    safe: SafePoint,
    /// Transactions that were decided up to here are in Bronze: the checkpoint lies before them
    /// only because of others.
    decided: Option<BinlogPosition>,
    /// Every transaction up to there, without those that are only prepared.
    gtids: GtidSet,
    /// The set is complete from the beginning on, and so stays.
    counts_gtids: bool,
    sequence_second: u32,
    /// A transaction's events are being read.
    open: bool,
    /// The transaction has seen its BEGIN.
    begun: bool,
    gtid: Option<Gtid>,
    /// The XA transaction that is being read.
    xa: Option<Xid>,
    prepared: BTreeMap<Xid, Prepared>,
    maps: HashMap<u64, (Vec<u8>, Mapped)>,
    pending: HeldRows,
}

impl<'a> Assembler<'a> {
    /// Begins where the checkpoint says: at the end of a transaction.
    pub(crate) fn new(
        tables: &'a [TableId],
        knowledge: SourceKnowledge,
        hold: HoldPolicy,
        checkpoint: &Checkpoint,
    ) -> Assembler<'a> {
        let (start, gtids) = (checkpoint.safe.clone(), checkpoint.gtid_set.clone());
        Assembler {
            decided: checkpoint.decided.clone(),
            tables,
            knowledge,
            hold,
            counts_gtids: checkpoint.counts_gtids,
            // By GTID the server does not send again what was decided after the safe point.
            sequence_second: match start.position.is_known() {
                true => start.second,
                false => start.second.max(checkpoint.written_second),
            },
            current: start.position.clone(),
            safe: start,
            gtids,
            open: false,
            begun: false,
            gtid: None,
            xa: None,
            prepared: BTreeMap::new(),
            maps: HashMap::new(),
            pending: HeldRows::default(),
        }
    }

    /// Where reading may begin again without losing anything: the end of the last transaction, or
    /// the beginning of the first one that is prepared and undecided.
    pub(crate) fn safe_point(&self) -> &SafePoint {
        let begins = self.prepared.values().map(|prepared| &prepared.begin);
        begins.min_by(|a, b| a.position.cmp(&b.position)).unwrap_or(&self.safe)
    }

    /// Up to where every transaction that was decided has been given out, now or before.
    pub(crate) fn decided(&self) -> &BinlogPosition {
        let read = &self.safe.position;
        self.decided.as_ref().filter(|decided| *decided > read).unwrap_or(read)
    }

    /// True when Bronze has everything that was decided up to this place.
    fn known(&self, position: &BinlogPosition) -> bool {
        self.decided.as_ref().is_some_and(|decided| position <= decided)
    }

    /// The transactions that have been read and decided.
    pub(crate) fn gtids(&self) -> &GtidSet {
        &self.gtids
    }

    /// The end of the last event.
    pub(crate) fn position(&self) -> &BinlogPosition {
        &self.current
    }

    /// The highest commit second so far.
    pub(crate) fn sequence_second(&self) -> u32 {
        self.sequence_second
    }

    /// Takes over what the source says of itself after data definition.
    pub(crate) fn learn(&mut self, knowledge: SourceKnowledge) {
        self.knowledge = knowledge;
        self.maps.clear();
    }

    /// Takes the next event; gives what it completes.
    pub(crate) fn push(&mut self, event: &Event) -> Result<Option<Assembled>, FollowError> {
        let header = event.header();
        let end = u64::from(header.log_pos());
        let begin = self.current.at(end.saturating_sub(u64::from(header.event_size())));
        let failed = |source| FollowError::Event { position: begin.clone(), source };
        let log_event = event::read(event).map_err(failed)?;
        if let LogEvent::Rotate { file, offset } = log_event {
            self.rotate(&file, offset)?;
            return Ok(None);
        }
        if is_heartbeat(event) {
            self.skipped_to(end, event.data());
            return Ok(None);
        }
        // Events that the server makes up for this connection have no position.
        if end > 0 {
            if end < self.current.offset() {
                return Err(failed(EventError::FileTooLong));
            }
            self.current = self.current.at(end);
        }
        if matches!(log_event, LogEvent::TableMap) {
            self.map(event, &begin)?;
            return Ok(None);
        }
        let was_open = self.open;
        let assembled = self.apply(log_event, header.timestamp(), &begin)?;
        if !self.open && (was_open || self.safe.position.is_known()) {
            self.move_on();
        }
        Ok(assembled)
    }

    /// After a start by GTIDs the server passes over transactions without sending them, and tells
    /// by heartbeats how far it is. Other heartbeats repeat the end of the last event.
    fn skipped_to(&mut self, end: u64, file: &[u8]) {
        if !self.open && self.current.file().as_bytes() == file && end >= self.current.offset() {
            self.current = self.current.at(end);
            self.move_on();
        }
    }

    /// The end of the last event is the end of a transaction.
    ///
    /// After a start by GTIDs that is not so until the first one has ended, or been passed over:
    /// the file begins with transactions that are in the set.
    fn move_on(&mut self) {
        self.safe = SafePoint { position: self.current.clone(), second: self.sequence_second };
    }

    fn rotate(&mut self, file: &str, offset: u64) -> Result<(), FollowError> {
        if file != self.current.file() {
            self.current = BinlogPosition::new(file, offset)?;
            if !self.open && self.safe.position.is_known() {
                self.move_on();
            }
        }
        Ok(())
    }

    fn apply(
        &mut self,
        event: LogEvent,
        second: u32,
        begin: &BinlogPosition,
    ) -> Result<Option<Assembled>, FollowError> {
        let failed = |source| FollowError::Event { position: begin.clone(), source };
        match event {
            LogEvent::Rotate { .. } | LogEvent::TableMap | LogEvent::Nothing => {}
            LogEvent::GroupBegins { gtid, begun, xa } => {
                // A server that was killed may leave the beginning of a transaction behind.
                self.pending = HeldRows::default();
                (self.open, self.begun, self.gtid, self.xa) = (true, begun, gtid, xa);
            }
            LogEvent::Rows(rows) => self.rows(rows, begin)?,
            LogEvent::Commit => return Ok(self.commit(second)),
            LogEvent::XaPrepare => {
                let xa = self.xa.clone().ok_or_else(|| failed(EventError::UnknownXa))?;
                self.prepare(xa);
            }
            LogEvent::Definition(touched) => {
                // CREATE TABLE … SELECT writes its definition inside the transaction of its rows.
                if !self.begun {
                    self.end(true);
                }
                let captured = self.captured(&touched);
                if !captured.is_empty() {
                    return Ok(Some(Assembled::Definition(captured)));
                }
            }
            LogEvent::Statement(statement) => return self.statement(statement, second, begin),
        }
        Ok(None)
    }

    fn statement(
        &mut self,
        statement: Statement,
        second: u32,
        begin: &BinlogPosition,
    ) -> Result<Option<Assembled>, FollowError> {
        let failed = |source| FollowError::Event { position: begin.clone(), source };
        match statement {
            Statement::Begin => (self.open, self.begun) = (true, true),
            Statement::XaStart(xa) => (self.open, self.begun, self.xa) = (true, true, Some(xa)),
            Statement::Commit => return Ok(self.commit(second)),
            Statement::Rollback => {
                self.pending = HeldRows::default();
                self.end(true);
            }
            Statement::PartialRollback if self.pending.events() > 0 => {
                return Err(failed(EventError::Unsupported {
                    kind: "a rollback to a savepoint amid rows",
                    hint: "use InnoDB only in transactions with savepoints",
                }));
            }
            Statement::ChangesRows => return Err(failed(STATEMENT_FORMAT)),
            Statement::XaCommit(xa) => {
                match self.prepared.remove(&xa) {
                    Some(prepared) => {
                        self.count(prepared.gtid.as_ref());
                        self.pending = prepared.rows;
                    }
                    // It was prepared before the checkpoint.
                    None if self.known(&self.current) => {}
                    None => return Err(failed(EventError::UnknownXa)),
                }
                return Ok(self.commit(second));
            }
            Statement::XaRollback(xa) => {
                // One that began before reading did changes nothing by its end.
                if let Some(prepared) = self.prepared.remove(&xa) {
                    self.count(prepared.gtid.as_ref());
                }
                self.end(true);
            }
            Statement::Definition | Statement::Inside | Statement::PartialRollback => {}
        }
        Ok(None)
    }

    fn rows(&mut self, event: RowsEvent, begin: &BinlogPosition) -> Result<(), FollowError> {
        let (table, layout) = match self.maps.get(&event.table_id) {
            Some((_, Some((table, layout)))) => (*table, Arc::clone(layout)),
            Some((_, None)) => return Ok(()),
            None if event.table_id == DUMMY_TABLE => return Ok(()),
            None => {
                let source = EventError::NoTableMap { table_id: event.table_id };
                return Err(FollowError::Event { position: begin.clone(), source });
            }
        };
        let rows = PendingRows { table, layout, event, position: begin.clone() };
        self.pending.push(rows, &self.hold).map_err(FollowError::Spill)
    }

    /// Gives the rows of the transaction, unless Bronze has them.
    fn commit(&mut self, second: u32) -> Option<Assembled> {
        self.sequence_second = self.sequence_second.max(second);
        self.end(true);
        let rows = std::mem::take(&mut self.pending);
        if self.known(&self.current) {
            return None;
        }
        let (end, sequence_second) = (self.current.clone(), self.sequence_second);
        Some(Assembled::Transaction(Committed { rows, end, second, sequence_second }))
    }

    /// The rows wait for XA COMMIT, and so does the safe point: after a restart they are read
    /// again.
    fn prepare(&mut self, xa: Xid) {
        let rows = std::mem::take(&mut self.pending);
        let (gtid, begin) = (self.gtid.take(), self.safe.clone());
        self.prepared.insert(xa, Prepared { rows, gtid, begin });
        self.end(false);
    }

    fn count(&mut self, gtid: Option<&Gtid>) {
        if let Some(gtid) = gtid.filter(|_| self.counts_gtids) {
            self.gtids.add(gtid);
        }
    }

    fn end(&mut self, decided: bool) {
        let gtid = self.gtid.take().filter(|_| decided);
        self.count(gtid.as_ref());
        (self.open, self.begun, self.xa) = (false, false, None);
        if self.maps.len() > REMEMBERED_MAPS {
            self.maps.clear();
        }
    }

    /// The captured tables among those that a statement touches.
    fn captured(&self, touched: &[Touched]) -> Vec<(usize, TableEffect)> {
        let mut captured = Vec::new();
        for Touched { schema, table, effect } in touched {
            for (index, id) in self.tables.iter().enumerate() {
                // Statements stand in the binlog as they were typed.
                let this = |table: &str| table.eq_ignore_ascii_case(id.table.as_str());
                if table.as_deref().is_none_or(this)
                    && schema.eq_ignore_ascii_case(id.schema.as_str())
                {
                    captured.push((index, *effect));
                }
            }
        }
        captured
    }

    /// Remembers how rows with this table number are laid out until the next map says otherwise.
    fn map(&mut self, event: &Event, begin: &BinlogPosition) -> Result<(), FollowError> {
        let number = event.data().get(..6).unwrap_or_default();
        let id = number.iter().rev().fold(0, |id, byte| id << 8 | u64::from(*byte));
        if self.maps.get(&id).is_some_and(|(known, _)| known == event.data()) {
            return Ok(());
        }
        let map: TableMapEvent<'_> = event.read_event().map_err(|source| {
            let source = EventError::Malformed { source };
            FollowError::Event { position: begin.clone(), source }
        })?;
        let (schema, table) = (map.database_name(), map.table_name());
        let found = self
            .tables
            .iter()
            .position(|id| id.schema.as_str() == schema && id.table.as_str() == table);
        let mapped = match found {
            None => None,
            Some(index) => {
                let table = &self.tables[index];
                let none = BTreeSet::new();
                let generated = self.knowledge.generated.get(table).unwrap_or(&none);
                let layout = RowLayout::new(&map, &self.knowledge.charsets, generated);
                let layout = layout.map_err(|source| FollowError::TableMap {
                    position: begin.clone(),
                    table: table.clone(),
                    source: Box::new(source),
                })?;
                Some((index, Arc::new(layout)))
            }
        };
        self.maps.insert(id, (event.data().to_vec(), mapped));
        Ok(())
    }
}

#[cfg(test)]
#[path = "transaction_tests.rs"]
mod tests;
