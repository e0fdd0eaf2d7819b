//! Where keys are.

use std::ops::Range;
use std::sync::Arc;

use futures::{StreamExt, TryStreamExt};
use parquet::arrow::arrow_reader::ParquetRecordBatchReader;
use roaring::RoaringTreemap;

use super::columns::Columns;
use super::keys::KeySet;
use super::open::OpenFile;
use super::pruning::{file_may_hold, may_hold_rows};
use super::selection::GroupRows;
use crate::files::LiveFile;
use crate::table::{LakeTable, TableError};

/// Rows of a batch of key columns.
const BATCH_ROWS: usize = 32 * 1024;

/// Row groups of a file that are fetched and searched at a time.
const GROUPS_AT_A_TIME: usize = 4;

/// Rows of one file whose key was looked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Located {
    /// Their positions in the file, ascending.
    pub positions: Vec<u64>,
    /// Their keys, as indexes into the [`KeySet`]; as many as positions.
    pub keys: Vec<u32>,
    /// Bytes of the data file that were read to find them.
    pub bytes_read: u64,
}

impl LakeTable {
    /// The live rows of `file` whose key is in the set. Rows that delete files delete are left
    /// out; several rows with one key are all found.
    ///
    /// Only key columns are read, and of these only what may hold a key by the file's bounds, the
    /// statistics of row groups and the page index; all of it where the first key column is
    /// personal, since such columns have none of them. Decoding is done on threads for blocking
    /// work, so that several calls at a time use several cores.
    ///
    /// # Errors
    /// [`TableError::Files`] when the file or its delete files cannot be read.
    pub async fn locate(&self, file: &LiveFile, keys: &KeySet) -> Result<Located, TableError> {
        let indices = self.key_indices(keys.width())?;
        let fields = self.metadata().current_schema().as_struct().fields();
        let first = indices.first().and_then(|index| fields.get(*index));
        let (Some(values), Some(first)) = (keys.first_column(), first) else {
            return Ok(Located::default());
        };
        let rows = |error| self.rows_error(error);
        if keys.is_empty() || !file_may_hold(file, first.id, values).map_err(rows)? {
            return Ok(Located::default());
        }
        let open = Arc::new(OpenFile::open(self, file.path(), file.size()).await?);
        let columns = Columns::new(&open, &indices)?;
        let wanted = may_hold_rows(&open, columns.root(0), values);
        let wanted = wanted.map_err(|e| self.rows_error(e))?;
        let deleted = match wanted.is_empty() {
            true => RoaringTreemap::new(),
            false => self.deleted_positions(file).await?,
        };
        let mut located = Located::default();
        let search = Search { file: Arc::clone(&open), columns, keys: keys.clone() };
        let mut found = futures::stream::iter(wanted)
            .map(|rows| search.clone().group(rows))
            .buffered(GROUPS_AT_A_TIME);
        while let Some(found) = found.try_next().await? {
            for (position, key) in found.into_iter().filter(|(at, _)| !deleted.contains(*at)) {
                located.positions.push(position);
                located.keys.push(key);
            }
        }
        located.bytes_read = open.bytes_read();
        Ok(located)
    }

    fn key_indices(&self, width: usize) -> Result<Vec<usize>, TableError> {
        let names: Vec<String> = self.key().into_iter().take(width).map(str::to_owned).collect();
        self.column_indices(Some(&names))
    }
}

/// What is looked for, where.
#[derive(Clone)]
struct Search {
    file: Arc<OpenFile>,
    columns: Columns,
    keys: KeySet,
}

impl Search {
    /// Positions and keys in one row group.
    async fn group(self, rows: GroupRows) -> Result<Vec<(u64, u32)>, TableError> {
        let mask = self.columns.mask.clone();
        let reader = self.file.row_group(rows.group, mask, rows.selection(), BATCH_ROWS).await?;
        let Some(reader) = reader else { return Ok(Vec::new()) };
        let table = self.file.table.clone();
        let work = tokio::task::spawn_blocking(move || self.decode(reader, &rows.ranges));
        work.await.map_err(|e| table.rows_error(e))?
    }

    fn decode(
        &self,
        reader: ParquetRecordBatchReader,
        ranges: &[Range<u64>],
    ) -> Result<Vec<(u64, u32)>, TableError> {
        let table = &self.file.table;
        let mut found = Vec::new();
        let mut positions = Positions { ranges, passed: 0 };
        let mut first = 0;
        for batch in reader {
            let batch = self.columns.fit(&batch.map_err(|e| table.rows_error(e))?)?;
            let matches = self.keys.find(batch.columns()).map_err(|e| table.rows_error(e))?;
            let at = |(row, key)| (positions.at(first + u64::from(row)), key);
            found.extend(matches.into_iter().map(at));
            first += batch.num_rows() as u64;
        }
        Ok(found)
    }
}

/// The positions of decoded rows, asked for in ascending order.
struct Positions<'a> {
    /// What is left of the selected ranges.
    ranges: &'a [Range<u64>],
    /// Rows in the ranges that were left behind.
    passed: u64,
}

impl Positions<'_> {
    /// The position of the row that is decoded as the `nth`.
    fn at(&mut self, nth: u64) -> u64 {
        while let Some((range, rest)) = self.ranges.split_first() {
            let rows = range.end - range.start;
            if nth - self.passed < rows || rest.is_empty() {
                return range.start + (nth - self.passed);
            }
            self.passed += rows;
            self.ranges = rest;
        }
        nth
    }
}
