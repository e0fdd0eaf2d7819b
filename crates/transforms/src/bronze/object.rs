//! Parquet's access to one object by ranges.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use medallion_tables::store::{Bucket, StoreError};
use parquet::arrow::arrow_reader::ArrowReaderOptions;
use parquet::arrow::async_reader::{AsyncFileReader, MetadataFetch};
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};

use crate::record::BatchFile;

/// Bytes of one request at least: row groups of DMS are much smaller, and a request costs more
/// than its bytes.
const READ_AHEAD: u64 = 8 << 20;
/// Bytes at the end that are fetched with the footer's length.
const FOOTER: usize = 64 << 10;

/// Reads an object from front to back; what was fetched beyond a range serves the next ones.
pub(super) struct ObjectReader {
    bucket: Bucket,
    object: BatchFile,
    /// The range that is held, and its bytes.
    held: (Range<u64>, Bytes),
}

impl ObjectReader {
    pub(super) fn new(bucket: &Bucket, object: &BatchFile) -> ObjectReader {
        let held = (0..0, Bytes::new());
        ObjectReader { bucket: bucket.clone(), object: object.clone(), held }
    }

    async fn request(&self, range: Range<u64>) -> Result<Bytes> {
        let BatchFile { key, etag, .. } = &self.object;
        let fetched = self.bucket.get_range_matching(key, etag, range).await;
        fetched.map_err(|error: StoreError| ParquetError::External(Box::new(error)))
    }

    async fn read(&mut self, range: Range<u64>) -> Result<Bytes> {
        if range.start > range.end || range.end > self.object.size {
            return Err(ParquetError::General("its footer points outside the file".to_owned()));
        }
        let (held, _) = &self.held;
        if !held.contains(&range.start) || range.end > held.end {
            let end = range.end.max(range.start.saturating_add(READ_AHEAD)).min(self.object.size);
            // The old bytes go first: never two blocks at a time.
            self.held = (0..0, Bytes::new());
            self.held = (range.start..end, self.request(range.start..end).await?);
        }
        let (held, bytes) = &self.held;
        let (start, end) = (range.start - held.start, range.end - held.start);
        Ok(bytes.slice(start as usize..end as usize))
    }
}

/// The end of the object, which is not part of the way from front to back.
struct Footer<'a>(&'a ObjectReader);

impl MetadataFetch for Footer<'_> {
    fn fetch(&mut self, range: Range<u64>) -> BoxFuture<'_, Result<Bytes>> {
        self.0.request(range).boxed()
    }
}

impl AsyncFileReader for ObjectReader {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, Result<Bytes>> {
        self.read(range).boxed()
    }

    fn get_byte_ranges(&mut self, ranges: Vec<Range<u64>>) -> BoxFuture<'_, Result<Vec<Bytes>>> {
        async move {
            let Some(first) = ranges.iter().map(|r| r.start).min() else { return Ok(Vec::new()) };
            let last = ranges.iter().map(|r| r.end).max().unwrap_or(first);
            // The columns of a row group lie beside one another, and nearly all are read.
            let whole = self.read(first..last).await?;
            let part =
                |r: &Range<u64>| whole.slice((r.start - first) as usize..(r.end - first) as usize);
            Ok(ranges.iter().map(part).collect())
        }
        .boxed()
    }

    fn get_metadata<'a>(
        &'a mut self,
        _options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, Result<Arc<ParquetMetaData>>> {
        async move {
            let size = self.object.size;
            let reader = ParquetMetaDataReader::new().with_prefetch_hint(Some(FOOTER));
            Ok(Arc::new(reader.load_and_finish(Footer(&*self), size).await?))
        }
        .boxed()
    }
}
