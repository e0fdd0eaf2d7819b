//! Opening one Bronze file: small ones whole, large ones by ranges.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use bytes::Bytes;
use futures::stream::{self, BoxStream};
use futures::{FutureExt, StreamExt, TryStreamExt};
use medallion_definition::contract::TableContract;
use medallion_tables::store::{Bucket, StoreError};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderBuilder, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};
use parquet::arrow::async_reader::{ParquetRecordBatchStream, ParquetRecordBatchStreamBuilder};
use parquet::errors::ParquetError;
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};

use super::object::ObjectReader;
use super::{Changes, Decoder};
use crate::error::TransformError;
use crate::record::BatchFile;

/// The most rows of one batch of a stream.
pub const BATCH_ROWS: usize = 8192;
/// About the most bytes of one batch of a stream.
const BATCH_BYTES: i64 = 8 << 20;
/// Objects up to this size are fetched whole, in bytes.
const WHOLE: u64 = 32 << 20;

/// Streams the changes of one Bronze file in batches of at most [`BATCH_ROWS`], fewer when they
/// are large; `file` is its index in the batch. The stream ends after its first error.
///
/// The object is read only while it has the etag of `object`. A small one is held whole; of a
/// larger one a row group is, and the bytes read ahead of it.
///
/// # Errors
/// [`TransformError::BronzeFile`] when it is no Parquet, its columns do not fit the contract or,
/// later, a value does not; [`TransformError::Store`] when S3 does not give it or it was written
/// again.
pub async fn open(
    bucket: &Bucket,
    contract: &TableContract,
    object: &BatchFile,
    file: u64,
) -> Result<BoxStream<'static, Result<Changes, TransformError>>, TransformError> {
    let rows = if object.size <= WHOLE {
        let content = bucket.get_matching(&object.key, &object.etag).await?;
        let (decoder, reader, _) = whole(contract, &object.key, file, content)?;
        Reading { rows: Rows::Whole(reader), decoder }
    } else {
        let reader = ObjectReader::new(bucket, object);
        let builder = AssertUnwindSafe(ParquetRecordBatchStreamBuilder::new(reader)).catch_unwind();
        let builder = builder.await.unwrap_or_else(|_| Err(damaged()));
        let builder = builder.map_err(|e| unreadable(&object.key, e))?;
        let (decoder, builder) = prepare(contract, &object.key, file, builder)?;
        let stream = builder.build().map_err(|e| unreadable(&object.key, e))?;
        Reading { rows: Rows::Ranges(stream), decoder }
    };
    let changes = stream::try_unfold(rows, |mut rows| async {
        Ok(rows.next().await?.map(|changes| (changes, rows)))
    });
    Ok(changes.boxed())
}

/// All changes of one Bronze file that is in memory. `file` is its index in the batch.
///
/// # Errors
/// [`TransformError::BronzeFile`] as [`open`].
pub fn read(
    contract: &TableContract,
    key: &str,
    file: u64,
    content: Bytes,
) -> Result<Changes, TransformError> {
    let (mut decoder, mut reader, schema) = whole(contract, key, file, content)?;
    let mut parts = Vec::new();
    while let Some(rows) =
        guarded(|| reader.next().transpose()).map_err(|e| stopped(&decoder, e))?
    {
        parts.push(decoder.decode(&rows)?);
    }
    match Changes::concat(&parts)? {
        Some(changes) => Ok(changes),
        None => decoder.decode(&RecordBatch::new_empty(schema)),
    }
}

/// Damage that Parquet's reader does not expect makes it panic instead of fail.
fn guarded<T, E: Into<ParquetError>>(
    work: impl FnOnce() -> Result<T, E>,
) -> Result<T, ParquetError> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(result) => result.map_err(Into::into),
        Err(_) => Err(damaged()),
    }
}

fn damaged() -> ParquetError {
    ParquetError::General("it is damaged".to_owned())
}

/// A reader of a file in memory, and the columns of that file.
fn whole(
    contract: &TableContract,
    key: &str,
    file: u64,
    content: Bytes,
) -> Result<(Decoder, ParquetRecordBatchReader, SchemaRef), TransformError> {
    let builder = guarded(|| ParquetRecordBatchReaderBuilder::try_new(content));
    let builder = builder.map_err(|e| unreadable(key, e))?;
    let (decoder, builder) = prepare(contract, key, file, builder)?;
    let schema = Arc::clone(builder.schema());
    let reader = guarded(|| builder.build()).map_err(|e| unreadable(key, e))?;
    Ok((decoder, reader, schema))
}

/// The decoder, and a reader of what it needs.
fn prepare<T>(
    contract: &TableContract,
    key: &str,
    file: u64,
    builder: ArrowReaderBuilder<T>,
) -> Result<(Decoder, ArrowReaderBuilder<T>), TransformError> {
    let decoder = Decoder::new(contract, key, file, builder.schema())?;
    let places = decoder.places(builder.schema());
    let columns = ProjectionMask::roots(builder.parquet_schema(), places);
    let rows = batch_rows(builder.metadata());
    Ok((decoder, builder.with_projection(columns).with_batch_size(rows)))
}

/// So many rows that those of the row group with the largest ones take about [`BATCH_BYTES`].
fn batch_rows(footer: &ParquetMetaData) -> usize {
    let row = |group: &RowGroupMetaData| group.total_byte_size() / group.num_rows().max(1);
    let row = footer.row_groups().iter().map(row).max().unwrap_or_default();
    usize::try_from(BATCH_BYTES / row.max(1)).unwrap_or(BATCH_ROWS).clamp(1, BATCH_ROWS)
}

/// The rows of a file that is being read.
enum Rows {
    Whole(ParquetRecordBatchReader),
    Ranges(ParquetRecordBatchStream<ObjectReader>),
}

struct Reading {
    rows: Rows,
    decoder: Decoder,
}

impl Reading {
    async fn next(&mut self) -> Result<Option<Changes>, TransformError> {
        let rows = match &mut self.rows {
            Rows::Whole(reader) => guarded(|| reader.next().transpose()),
            Rows::Ranges(stream) => {
                let next = AssertUnwindSafe(stream.try_next()).catch_unwind();
                next.await.unwrap_or_else(|_| Err(damaged()))
            }
        };
        match rows.map_err(|e| stopped(&self.decoder, e))? {
            None => Ok(None),
            Some(rows) => self.decoder.decode(&rows).map(Some),
        }
    }
}

/// S3's own failures keep their class: they may be worth a retry.
fn from_store(error: ParquetError) -> Result<TransformError, ParquetError> {
    match error {
        ParquetError::External(source) => match source.downcast::<StoreError>() {
            Ok(store) => Ok(TransformError::from(*store)),
            Err(source) => Err(ParquetError::External(source)),
        },
        other => Err(other),
    }
}

fn unreadable(key: &str, error: ParquetError) -> TransformError {
    from_store(error).unwrap_or_else(|error| TransformError::BronzeFile {
        key: key.to_owned(),
        reason: format!("it is no Parquet file that can be read ({error})"),
    })
}

fn stopped(decoder: &Decoder, error: ParquetError) -> TransformError {
    from_store(error).unwrap_or_else(|error| {
        decoder.bad(format!("row {}: reading stopped here or later ({error})", decoder.next_row()))
    })
}
