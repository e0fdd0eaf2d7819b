//! One bucket: decide, then write what is new and take out what goes.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::AsArray;
use arrow::array::{ArrayRef, RecordBatch, TimestampMicrosecondArray};
use arrow::compute::cast;
use arrow::datatypes::TimestampMicrosecondType;
use futures::StreamExt;
use medallion_definition::change::{SILVER_CHANGE_SEQ, SILVER_CHANGED_AT, SILVER_LOADED_AT};
use medallion_tables::DataFile;
use medallion_tables::files::LiveFile;
use medallion_tables::scan::BatchStream;
use medallion_tables::table::{LakeTable, TableError};
use roaring::RoaringTreemap;

use super::balance::Balance;
use super::decide::{Decider, Verdict};
use super::partition::{Bucket, bytes_of};
use super::rewrite::{Rewriter, Rewritten};
use super::winners::{At, Held, Winners};
use crate::error::TransformError;

/// Rows handed on at a time.
pub(super) const CHUNK_ROWS: usize = 8192;

/// What the work on a bucket did to the table's files.
#[derive(Default)]
pub(super) struct Work {
    /// New data and delete files.
    pub(super) added: Vec<DataFile>,
    /// Data and delete files that go.
    pub(super) removed: Vec<LiveFile>,
    pub(super) balance: Balance,
}

impl Work {
    pub(super) fn merge(&mut self, other: Work) {
        self.added.extend(other.added);
        self.removed.extend(other.removed);
        self.balance = self.balance + other.balance;
    }
}

/// What all buckets have in common.
pub(super) struct Merger {
    pub(super) table: LakeTable,
    /// The names of the key columns.
    pub(super) key: Vec<String>,
    /// The source columns in the order in which rows are compared.
    pub(super) columns: Vec<String>,
    pub(super) watermark_seq: String,
    /// `_loaded_at` of new rows, microseconds since the epoch.
    pub(super) now_micros: i64,
    /// The size at which a data file is closed.
    pub(super) file_bytes: u64,
}

impl Merger {
    /// Works off a bucket whose events are all in memory.
    pub(super) async fn whole(
        self: &Arc<Self>,
        bucket: Bucket,
        files: &[LiveFile],
        winners: &Winners,
    ) -> Result<Work, TransformError> {
        let verdict = self.decide(files, winners).await?;
        let Verdict { write, gone, balance } = verdict;
        let new_bytes = estimate(winners, write.len());
        let rows = self.new_rows(&winners.held, write);
        let Rewritten { added, removed } =
            self.files().replace(bucket, files, gone, Some(rows), new_bytes).await?;
        Ok(Work { added, removed, balance })
    }

    /// Works off a part of a bucket: its new rows become files of their own, and what goes is
    /// remembered until all parts are known.
    pub(super) async fn part(
        self: &Arc<Self>,
        bucket: Bucket,
        files: &[LiveFile],
        winners: &Winners,
        gone: &mut BTreeMap<usize, RoaringTreemap>,
    ) -> Result<Work, TransformError> {
        let Verdict { write, gone: found, balance } = self.decide(files, winners).await?;
        for (file, positions) in found {
            *gone.entry(file).or_default() |= positions;
        }
        let added = self.files().write(bucket, self.new_rows(&winners.held, write)).await?;
        Ok(Work { added, removed: Vec::new(), balance })
    }

    /// Takes out what the parts of a bucket found to go.
    pub(super) async fn after_parts(
        self: &Arc<Self>,
        bucket: Bucket,
        files: &[LiveFile],
        gone: BTreeMap<usize, RoaringTreemap>,
    ) -> Result<Work, TransformError> {
        let Rewritten { added, removed } =
            self.files().replace(bucket, files, gone, None, 0).await?;
        Ok(Work { added, removed, balance: Balance::default() })
    }

    fn files(&self) -> Rewriter<'_> {
        Rewriter { table: &self.table, file_bytes: self.file_bytes }
    }

    async fn decide(
        &self,
        files: &[LiveFile],
        winners: &Winners,
    ) -> Result<Verdict, TransformError> {
        let (table, key, columns) = (&self.table, &self.key, &self.columns);
        let watermark_seq = &self.watermark_seq;
        Decider { table, files, key, columns, watermark_seq, winners }.decide().await
    }

    /// The rows of events as rows of the table, in the order given.
    fn new_rows(self: &Arc<Self>, held: &Arc<Held>, events: Vec<At>) -> BatchStream {
        let (merger, held) = (Arc::clone(self), Arc::clone(held));
        let chunks = (0..events.len()).step_by(CHUNK_ROWS);
        let chunk = move |start: usize| {
            let end = events.len().min(start + CHUNK_ROWS);
            let table = merger.table.name();
            let rows = held.rows(&events[start..end]).and_then(|rows| merger.fit(&rows));
            rows.map_err(|source| TableError::Rows { table, source: Box::new(source) })
        };
        futures::stream::iter(chunks).map(chunk).boxed()
    }

    /// Events as rows of the table, in its own order of columns.
    fn fit(&self, events: &RecordBatch) -> Result<RecordBatch, TransformError> {
        let schema = self.table.arrow_schema();
        let column = |name: &str| -> Result<ArrayRef, TransformError> {
            let ours = match name {
                SILVER_CHANGE_SEQ => "#seq",
                SILVER_CHANGED_AT => "#at",
                SILVER_LOADED_AT => {
                    let now = vec![self.now_micros; events.num_rows()];
                    return Ok(Arc::new(utc(&TimestampMicrosecondArray::from(now))));
                }
                source => source,
            };
            let found = events.column_by_name(ours).ok_or_else(|| {
                arrow::error::ArrowError::SchemaError(format!("no event has `{name}`"))
            })?;
            match name {
                SILVER_CHANGED_AT => {
                    Ok(Arc::new(utc(found.as_primitive::<TimestampMicrosecondType>())))
                }
                _ => Ok(Arc::clone(found)),
            }
        };
        let columns = schema.fields().iter().map(|field| {
            let column = column(field.name())?;
            if column.data_type() == field.data_type() {
                return Ok(column);
            }
            Ok(cast(&column, field.data_type())?)
        });
        let columns = columns.collect::<Result<Vec<_>, TransformError>>()?;
        Ok(RecordBatch::try_new(Arc::clone(schema), columns)?)
    }
}

pub(super) fn utc(times: &TimestampMicrosecondArray) -> TimestampMicrosecondArray {
    times.clone().with_timezone(medallion_tables::schema::UTC_ZONE)
}

/// About how many bytes new rows will take as stored: a third of what they take in memory.
fn estimate(winners: &Winners, rows: usize) -> u64 {
    let (bytes, all) = winners.held.batches().fold((0, 0), |(bytes, rows), batch| {
        (bytes + bytes_of(batch), rows + batch.num_rows() as u64)
    });
    bytes / 3 * rows as u64 / all.max(1)
}
