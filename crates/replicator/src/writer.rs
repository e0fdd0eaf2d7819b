//! Committed transactions become change files, and the checkpoint follows them.

use bytes::Bytes;
use chrono::{DateTime, Datelike, Timelike, Utc};
use medallion_definition::change::{ChangeSeq, ChangeTime, Op};
use medallion_definition::name::TableId;
use medallion_ingestion::layout::BronzeKey;
use tokio::sync::watch;

use crate::bronze_file::{BronzeFileError, BronzeRow, RowBuffer, RowError};
use crate::checkpoint::Checkpoint;
use crate::checkpoint_store::CheckpointStore;
use crate::follow_error::FollowError;
use crate::held_rows::PendingRows;
use crate::load::tell;
use crate::position::BinlogPosition;
use crate::progress::{Progress, WrittenFile};
use crate::rows_event::{RowsEvent, RowsKind};
use crate::sink::BronzeSink;
use crate::table_map::{ImageError, RowLayout};
use crate::transaction::{Assembler, Committed};
use crate::value::Cell;

/// `yyyy-MM-dd HH:mm:ss.SSSSSS`, the form of `dms_ts`.
const TIMESTAMP: &str = "%Y-%m-%d %H:%M:%S%.6f";

/// The text of `dms_ts`, UTC.
pub(crate) fn timestamp_text(time: DateTime<Utc>) -> String {
    time.format(TIMESTAMP).to_string()
}

/// Buffers the rows of committed transactions and writes them as change files.
pub(crate) struct ChangeWriter<'a, S> {
    sink: &'a S,
    tables: Vec<Outgoing>,
    checkpoint: Checkpoint,
    /// The checkpoint says more than what is stored, apart from its place.
    changed: bool,
    /// Tables have to be loaded anew: until then nothing is durable that was not before.
    reloading: bool,
    progress: &'a watch::Sender<Progress>,
    max_bytes: usize,
    /// That of the last transaction: most have the second of the one before.
    stamp: Stamp,
}

/// What waits for the files of one table.
pub(crate) struct Outgoing {
    table: TableId,
    buffer: Option<RowBuffer>,
    /// Full buffers: the table's shape has changed after them.
    before: Vec<RowBuffer>,
    /// Transactions that ended up to here are in the table's full load.
    loaded_at: Option<BinlogPosition>,
    inserts: u64,
    updates: u64,
    deletes: u64,
}

/// The texts that all rows of a transaction share.
pub(crate) struct Stamp {
    second: u32,
    timestamp: String,
    sequence_second: u32,
    time: ChangeTime,
}

impl Stamp {
    /// Of a transaction that committed in this second, with the highest one so far.
    pub(crate) fn new(second: u32, sequence_second: u32) -> Stamp {
        let commit = |second: u32| DateTime::from_timestamp(second.into(), 0).unwrap_or_default();
        let time = commit(sequence_second);
        let date = (time.year(), time.month(), time.day());
        Stamp {
            second,
            timestamp: timestamp_text(commit(second)),
            sequence_second,
            time: ChangeTime::new(date, (time.hour(), time.minute(), time.second()), 0),
        }
    }
}

impl<'a, S: BronzeSink> ChangeWriter<'a, S> {
    pub(crate) fn new(
        sink: &'a S,
        tables: &[TableId],
        mut checkpoint: Checkpoint,
        progress: &'a watch::Sender<Progress>,
        max_bytes: usize,
    ) -> ChangeWriter<'a, S> {
        let tables = tables.iter().map(|table| {
            let loaded_at = checkpoint.table(table).loaded_at.clone();
            Outgoing::new(table.clone(), loaded_at)
        });
        let (tables, stamp) = (tables.collect(), Stamp::new(0, 0));
        ChangeWriter {
            sink,
            tables,
            checkpoint,
            changed: false,
            reloading: false,
            progress,
            max_bytes,
            stamp,
        }
    }

    /// About how many bytes wait for a file.
    pub(crate) fn bytes(&self) -> usize {
        self.tables.iter().flat_map(Outgoing::buffers).map(RowBuffer::bytes).sum()
    }

    fn is_empty(&self) -> bool {
        self.tables.iter().flat_map(Outgoing::buffers).all(|buffer| buffer.rows() == 0)
    }

    /// Tells how far all changes are durable, when nothing waits for a file.
    pub(crate) fn announce(&self, position: &BinlogPosition) {
        if self.is_empty() && !self.reloading {
            self.progress.send_if_modified(|progress| {
                let moved = progress.durable.as_ref() != Some(position);
                progress.durable = Some(position.clone());
                moved
            });
        }
    }

    /// Counts data definition that ends at this position. False when the table's load has been
    /// later, so that it has seen it.
    pub(crate) fn defined(&mut self, table: &TableId, position: &BinlogPosition) -> bool {
        let progress = self.checkpoint.table(table);
        let seen = progress.loaded_at.as_ref().is_some_and(|loaded| position <= loaded);
        progress.ddls += u64::from(!seen);
        !seen
    }

    /// The table is to be loaded anew, from the next flush on. Changes are counted from then on.
    pub(crate) fn load_again(&mut self, table: &TableId) {
        self.checkpoint.load_again(table);
        (self.changed, self.reloading) = (true, true);
        for outgoing in self.tables.iter_mut().filter(|outgoing| outgoing.table == *table) {
            (outgoing.inserts, outgoing.updates, outgoing.deletes) = (0, 0, 0);
        }
    }

    /// Takes the rows of a transaction; files are written when there are many, while the
    /// checkpoint stays where it is. After an error the buffers hold part of it: nothing may be
    /// written any more, and reading begins again at the checkpoint.
    pub(crate) async fn take(&mut self, mut transaction: Committed) -> Result<(), FollowError> {
        let (second, sequence_second) = (transaction.second, transaction.sequence_second);
        if (self.stamp.second, self.stamp.sequence_second) != (second, sequence_second) {
            self.stamp = Stamp::new(second, sequence_second);
        }
        while let Some(rows) = transaction.rows.pop().map_err(FollowError::Spill)? {
            let outgoing = &mut self.tables[rows.table];
            let loaded = outgoing.loaded_at.as_ref();
            if loaded.is_some_and(|loaded| transaction.end <= *loaded) {
                continue;
            }
            outgoing.take(&rows, &self.stamp)?;
            if self.bytes() >= self.max_bytes {
                self.write_files().await?;
            }
        }
        Ok(())
    }

    /// Writes what waits as files.
    async fn write_files(&mut self) -> Result<(), FollowError> {
        for outgoing in &mut self.tables {
            let counters = self.checkpoint.table(&outgoing.table);
            for buffer in outgoing.before.drain(..).chain(outgoing.buffer.take()) {
                if buffer.rows() == 0 {
                    continue;
                }
                let rows = buffer.rows() as u64;
                let file = encoded(buffer).await?;
                let millis = next_name(counters.last_written, Utc::now().timestamp_millis());
                let written = DateTime::from_timestamp_millis(millis).unwrap_or_default();
                let table = outgoing.table.clone();
                let key = BronzeKey::Changes { table, written: written.naive_utc() };
                self.sink.put(&key, file).await?;
                counters.last_written = Some(millis);
                self.progress
                    .send_modify(|progress| progress.files.push(WrittenFile { key, rows }));
            }
            counters.inserts += std::mem::take(&mut outgoing.inserts);
            counters.updates += std::mem::take(&mut outgoing.updates);
            counters.deletes += std::mem::take(&mut outgoing.deletes);
        }
        tell(self.progress, &self.checkpoint);
        Ok(())
    }

    /// Writes what waits, and then the checkpoint.
    pub(crate) async fn flush(
        &mut self,
        store: &mut CheckpointStore<'_, S>,
        read: &Assembler<'_>,
    ) -> Result<(), FollowError> {
        let safe = read.safe_point();
        let moved = self.checkpoint.safe != *safe
            || self.checkpoint.decided.as_ref() != Some(read.decided());
        if self.is_empty() && !moved && !self.changed {
            return Ok(());
        }
        self.write_files().await?;
        self.checkpoint.safe = safe.clone();
        self.checkpoint.decided = Some(read.decided().clone());
        self.checkpoint.gtid_set = read.gtids().clone();
        let written = self.checkpoint.written_second.max(read.sequence_second());
        self.checkpoint.written_second = written;
        store.write(&self.checkpoint).await?;
        self.changed = false;
        self.announce(&safe.position);
        Ok(())
    }
}

/// Encoding takes the processor for a while; the binlog is read meanwhile.
async fn encoded(mut buffer: RowBuffer) -> Result<Bytes, BronzeFileError> {
    match tokio::task::spawn_blocking(move || buffer.finish()).await {
        Ok(file) => file,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

impl Outgoing {
    pub(crate) fn new(table: TableId, loaded_at: Option<BinlogPosition>) -> Outgoing {
        let (buffer, before) = (None, Vec::new());
        Outgoing { table, buffer, before, loaded_at, inserts: 0, updates: 0, deletes: 0 }
    }

    pub(crate) fn into_buffers(self) -> impl Iterator<Item = RowBuffer> {
        self.before.into_iter().chain(self.buffer)
    }

    pub(crate) fn buffers(&self) -> impl Iterator<Item = &RowBuffer> {
        self.before.iter().chain(&self.buffer)
    }

    pub(crate) fn take(&mut self, pending: &PendingRows, stamp: &Stamp) -> Result<(), FollowError> {
        let shape = pending.layout.shape();
        let outdated = self.buffer.take_if(|buffer| !buffer.takes(shape));
        self.before.extend(outdated);
        let buffer = self.buffer.get_or_insert_with(|| RowBuffer::new(shape));
        let position = &pending.position;
        let table = &self.table;
        let image_error = |source| FollowError::Row {
            position: position.clone(),
            table: table.clone(),
            source: Box::new(source),
        };
        let (event, layout) = (&pending.event, &pending.layout);
        let mut images = event.images.as_slice();
        let (mut old, mut new): (Vec<Cell<'_>>, Vec<Cell<'_>>) = (Vec::new(), Vec::new());
        let mut index = 0;
        while !images.is_empty() {
            old.clear();
            new.clear();
            let op = cut(layout, event, &mut images, &mut old, &mut new).map_err(image_error)?;
            let sequence = ChangeSeq::new(&stamp.time, position.change_number(index)?);
            let row = BronzeRow {
                op,
                timestamp: &stamp.timestamp,
                cells: &new,
                before: (op == Op::Update).then_some(old.as_slice()),
                sequence: sequence.as_str(),
            };
            buffer.push(&row).map_err(|error| match error {
                RowError::Value { column, source } => {
                    image_error(ImageError::Value { column, source })
                }
                RowError::File(error) => FollowError::File(error),
            })?;
            match op {
                Op::Insert => self.inserts += 1,
                Op::Update => self.updates += 1,
                Op::Delete => self.deletes += 1,
            }
            index += 1;
        }
        Ok(())
    }
}

/// Cuts the images of one row from the front: the row that counts, and for an update the one
/// before.
fn cut<'a>(
    layout: &'a RowLayout,
    event: &'a RowsEvent,
    images: &mut &'a [u8],
    old: &mut Vec<Cell<'a>>,
    new: &mut Vec<Cell<'a>>,
) -> Result<Op, ImageError> {
    match event.kind {
        RowsKind::Insert => {
            layout.cells(&event.after, images, new)?;
            Ok(Op::Insert)
        }
        RowsKind::Delete => {
            layout.cells(&event.before, images, new)?;
            Ok(Op::Delete)
        }
        RowsKind::Update => {
            layout.cells(&event.before, images, old)?;
            layout.cells(&event.after, images, new)?;
            Ok(Op::Update)
        }
        RowsKind::PartialUpdate => {
            layout.cells(&event.before, images, old)?;
            layout.partial_cells(&event.after, old, images, new)?;
            Ok(Op::Update)
        }
    }
}

/// The name of the next file in milliseconds: the time of writing, unless the last file of the
/// table has that name or, after a clock was set back, a later one.
fn next_name(last: Option<i64>, now: i64) -> i64 {
    last.map_or(now, |last| now.max(last + 1))
}

#[cfg(test)]
#[path = "writer_tests.rs"]
mod tests;
