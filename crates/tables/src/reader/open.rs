//! A Parquet file that is open for reading: its footer with the page index, and ranged reads.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use iceberg::io::FileRead;
use parquet::DecodeResult;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, RowSelection,
};
use parquet::arrow::push_decoder::ParquetPushDecoderBuilder;
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData, ParquetMetaDataPushDecoder};

use crate::table::{LakeTable, TableError};

/// The least that is read of a file's end, where the footer and the page index are.
const TAIL_BYTES: u64 = 64 * 1024;

/// The end of a large file that is read is this part of it: page indexes grow with the file.
const TAIL_SHARE: u64 = 512;

/// Ranges with a smaller gap between them are read as one.
const GAP_BYTES: u64 = 256 * 1024;

/// How many ranges of a file are read at a time.
const RANGES_AT_A_TIME: usize = 8;

/// A Parquet file of a table whose footer has been read.
pub(crate) struct OpenFile {
    pub(super) table: LakeTable,
    reader: Box<dyn FileRead>,
    footer: ArrowReaderMetadata,
    bytes_read: AtomicU64,
}

impl OpenFile {
    /// Opens the file at `path`, of `size` bytes.
    pub(crate) async fn open(
        table: &LakeTable,
        path: &str,
        size: u64,
    ) -> Result<OpenFile, TableError> {
        let files = |source| table.files_error(source);
        let input = table.table.file_io().new_input(path).map_err(files)?;
        let reader = input.reader().await.map_err(files)?;
        if let Some(footer) = table.footers.get(path) {
            let bytes_read = AtomicU64::new(0);
            return Ok(OpenFile { table: table.clone(), reader, footer, bytes_read });
        }
        let rows = |error| table.rows_error(error);
        let mut decoder = ParquetMetaDataPushDecoder::try_new(size)
            .map_err(rows)?
            .with_page_index_policy(PageIndexPolicy::Optional);
        let mut bytes_read = 0;
        let mut wanted = size.saturating_sub(TAIL_BYTES.max(size / TAIL_SHARE))..size;
        let footer = loop {
            let bytes = reader.read(wanted.clone()).await.map_err(files)?;
            bytes_read += bytes.len() as u64;
            decoder.push_range(wanted, bytes).map_err(rows)?;
            match decoder.try_decode().map_err(rows)? {
                DecodeResult::Data(footer) => break footer,
                DecodeResult::NeedsData(ranges) => wanted = span(&ranges),
                DecodeResult::Finished => return Err(table.broken(path, "has no footer")),
            }
        };
        let footer = ArrowReaderMetadata::try_new(footer.into(), ArrowReaderOptions::new());
        let footer = footer.map_err(rows)?;
        table.footers.keep(path, &footer);
        let bytes_read = AtomicU64::new(bytes_read);
        Ok(OpenFile { table: table.clone(), reader, footer, bytes_read })
    }

    /// The footer.
    pub(super) fn footer(&self) -> &ArrowReaderMetadata {
        &self.footer
    }

    /// Row groups and page indexes.
    pub(super) fn metadata(&self) -> &ParquetMetaData {
        self.footer.metadata()
    }

    /// Bytes read so far, the footer included.
    pub(super) fn bytes_read(&self) -> u64 {
        self.bytes_read.load(Ordering::Relaxed)
    }

    /// Reads what is needed to decode the selected rows of one row group. The decoder that comes
    /// back holds its bytes and needs no more I/O; there is none when nothing is selected.
    pub(super) async fn row_group(
        &self,
        group: usize,
        mask: ProjectionMask,
        selection: Option<RowSelection>,
        batch_rows: usize,
    ) -> Result<Option<ParquetRecordBatchReader>, TableError> {
        let rows = |error| self.table.rows_error(error);
        let mut builder = ParquetPushDecoderBuilder::new_with_metadata(self.footer.clone())
            .with_row_groups(vec![group])
            .with_projection(mask)
            .with_batch_size(batch_rows);
        if let Some(selection) = selection {
            builder = builder.with_row_selection(selection);
        }
        let mut decoder = builder.build().map_err(rows)?;
        loop {
            match decoder.try_next_reader().map_err(rows)? {
                DecodeResult::NeedsData(ranges) => {
                    let bytes = self.read(&ranges).await?;
                    decoder.push_ranges(ranges, bytes).map_err(rows)?;
                }
                DecodeResult::Data(reader) => return Ok(Some(reader)),
                DecodeResult::Finished => return Ok(None),
            }
        }
    }

    /// Reads ranges, near ones together.
    async fn read(&self, ranges: &[Range<u64>]) -> Result<Vec<Bytes>, TableError> {
        let merged = merge(ranges);
        let read = futures::stream::iter(merged.iter().cloned())
            .map(|range| async move { Ok((range.start, self.reader.read(range).await?)) })
            .buffered(RANGES_AT_A_TIME)
            .try_collect::<Vec<(u64, Bytes)>>();
        let read = read.await.map_err(|source| self.table.files_error(source))?;
        let bytes = read.iter().map(|(_, bytes)| bytes.len() as u64).sum();
        self.bytes_read.fetch_add(bytes, Ordering::Relaxed);
        let slice = |range: &Range<u64>| {
            let index = read.partition_point(|(start, _)| *start <= range.start).checked_sub(1)?;
            let (start, bytes) = read.get(index)?;
            let from = usize::try_from(range.start - start).ok()?;
            let to = usize::try_from(range.end - start).ok()?;
            (to <= bytes.len()).then(|| bytes.slice(from..to))
        };
        let found: Option<Vec<Bytes>> = ranges.iter().map(slice).collect();
        found.ok_or_else(|| self.table.broken("a data file", "is shorter than its footer says"))
    }
}

/// From the first to the last byte of the ranges.
fn span(ranges: &[Range<u64>]) -> Range<u64> {
    let start = ranges.iter().map(|range| range.start).min().unwrap_or_default();
    let end = ranges.iter().map(|range| range.end).max().unwrap_or_default();
    start..end
}

/// The ranges in order, those with small gaps between them as one.
fn merge(ranges: &[Range<u64>]) -> Vec<Range<u64>> {
    let mut sorted = ranges.to_vec();
    sorted.sort_unstable_by_key(|range| range.start);
    let mut merged: Vec<Range<u64>> = Vec::new();
    for range in sorted {
        match merged.last_mut() {
            Some(last) if range.start <= last.end + GAP_BYTES => last.end = last.end.max(range.end),
            _ => merged.push(range),
        }
    }
    merged
}

impl LakeTable {
    /// A file that is not as it must be.
    pub(crate) fn broken(&self, path: &str, reason: &str) -> TableError {
        let text = format!("`{path}` {reason}");
        self.files_error(iceberg::Error::new(iceberg::ErrorKind::DataInvalid, text))
    }
}
