//! Committed transactions become change files, and the checkpoint follows them.

use bytes::Bytes;
use chrono::{DateTime, Datelike, Timelike, Utc};
use medallion_definition::change::{ChangeSeq, ChangeTime, Op};
use medallion_definition::contract::TableContract;
use medallion_definition::name::TableId;
use medallion_ingestion::layout::BronzeKey;
use tokio::sync::watch;

use crate::bronze_file::{BronzeRow, RowBuffer};
use crate::checkpoint::Checkpoint;
use crate::event::RowsKind;
use crate::follow::FollowError;
use crate::position::BinlogPosition;
use crate::progress::{Progress, WrittenFile};
use crate::sink::BronzeSink;
use crate::table_map::ImageError;
use crate::transaction::{Committed, PendingRows};
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
    tables: Vec<(TableId, RowBuffer)>,
    checkpoint: Checkpoint,
    progress: &'a watch::Sender<Progress>,
}

/// The texts that all rows of a transaction share.
struct Stamp {
    timestamp: String,
    time: ChangeTime,
}

impl<'a, S: BronzeSink> ChangeWriter<'a, S> {
    pub(crate) fn new(
        sink: &'a S,
        contracts: &[TableContract],
        checkpoint: Checkpoint,
        progress: &'a watch::Sender<Progress>,
    ) -> ChangeWriter<'a, S> {
        let tables = contracts.iter().map(|c| (c.table.clone(), RowBuffer::new(c))).collect();
        ChangeWriter { sink, tables, checkpoint, progress }
    }

    /// About how many bytes wait for a file.
    pub(crate) fn bytes(&self) -> usize {
        self.tables.iter().map(|(_, buffer)| buffer.bytes()).sum()
    }

    fn is_empty(&self) -> bool {
        self.tables.iter().all(|(_, buffer)| buffer.rows() == 0)
    }

    /// Tells how far all changes are durable, when nothing waits for a file.
    pub(crate) fn announce(&self, position: &BinlogPosition) {
        if self.is_empty() {
            self.progress.send_if_modified(|progress| {
                let moved = progress.durable.as_ref() != Some(position);
                progress.durable = Some(position.clone());
                moved
            });
        }
    }

    /// Takes the rows of a transaction. After an error the buffers hold part of it: nothing may be
    /// written any more, and reading begins again at the checkpoint.
    pub(crate) fn take(&mut self, transaction: &Committed) -> Result<(), FollowError> {
        let commit = |second: u32| DateTime::from_timestamp(second.into(), 0).unwrap_or_default();
        let time = commit(transaction.sequence_second);
        let date = (time.year(), time.month(), time.day());
        let stamp = Stamp {
            timestamp: timestamp_text(commit(transaction.second)),
            time: ChangeTime::new(date, (time.hour(), time.minute(), time.second()), 0),
        };
        transaction.rows.iter().try_for_each(|rows| self.take_event(rows, &stamp))
    }

    fn take_event(&mut self, pending: &PendingRows, stamp: &Stamp) -> Result<(), FollowError> {
        let (table, buffer) = &mut self.tables[pending.table];
        let position = &pending.position;
        let image_error = |source| FollowError::Row {
            position: position.clone(),
            table: table.clone(),
            source: Box::new(source),
        };
        let rows = &pending.rows;
        let before = rows.columns_before_image().map(|bits| bits.iter().by_vals().collect());
        let after = rows.columns_after_image().map(|bits| bits.iter().by_vals().collect());
        let (before, after): (Vec<bool>, Vec<bool>) =
            (before.unwrap_or_default(), after.unwrap_or_default());
        let mut image = rows.rows_data();
        let mut index = 0;
        while !image.is_empty() {
            let mut cells = |present: &[bool]| pending.layout.cells(present, &mut image);
            let (op, old, new): (Op, Vec<Cell<'_>>, Vec<Cell<'_>>) = match pending.kind {
                RowsKind::Insert => (Op::Insert, Vec::new(), cells(&after).map_err(image_error)?),
                RowsKind::Delete => (Op::Delete, Vec::new(), cells(&before).map_err(image_error)?),
                RowsKind::Update => {
                    let old = cells(&before).map_err(image_error)?;
                    (Op::Update, old, cells(&after).map_err(image_error)?)
                }
            };
            let sequence = ChangeSeq::new(&stamp.time, position.change_number(index)?);
            let row = BronzeRow {
                op,
                timestamp: &stamp.timestamp,
                cells: &new,
                before: (op == Op::Update).then_some(old.as_slice()),
                sequence: sequence.as_str(),
            };
            buffer.push(&row).map_err(|error| {
                let column = error.column.to_string();
                image_error(ImageError::Value { column, source: error.source })
            })?;
            index += 1;
        }
        Ok(())
    }

    /// Writes what waits, one file per table, and then the checkpoint.
    pub(crate) async fn flush(
        &mut self,
        position: &BinlogPosition,
        sequence_second: u32,
    ) -> Result<(), FollowError> {
        if self.is_empty() && self.checkpoint.position == *position {
            return Ok(());
        }
        for (table, buffer) in &mut self.tables {
            let rows = buffer.rows() as u64;
            if rows == 0 {
                continue;
            }
            let counters = self.checkpoint.tables.entry(table.to_string()).or_default();
            let file = buffer.finish()?;
            let millis = next_name(counters.last_written, Utc::now().timestamp_millis());
            let written = DateTime::from_timestamp_millis(millis).unwrap_or_default().naive_utc();
            let key = BronzeKey::Changes { table: table.clone(), written };
            self.sink.put(&key, file).await?;
            counters.last_written = Some(millis);
            counters.change_files += 1;
            counters.change_rows += rows;
            self.progress.send_modify(|progress| progress.files.push(WrittenFile { key, rows }));
        }
        self.checkpoint.position = position.clone();
        self.checkpoint.sequence_second = sequence_second;
        let json = self.checkpoint.to_json().map_err(FollowError::Json)?;
        self.sink.write_checkpoint(Bytes::from(json)).await?;
        self.announce(position);
        Ok(())
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
