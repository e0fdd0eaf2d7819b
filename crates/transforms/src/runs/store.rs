//! Records in the lake's bucket.

use bytes::Bytes;
use chrono::NaiveDate;
use futures::{StreamExt, TryStreamExt, stream};
use medallion_tables::store::{Bucket, StoreError};

use super::{RunRecord, VERSION, openlineage};

/// Where records are.
pub const PREFIX: &str = "runs/";
/// The form of the day in keys.
pub(super) const DAY: &str = "%Y-%m-%d";
/// How many records are read at a time.
const AT_A_TIME: usize = 16;

/// Why a record could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum RunsError {
    /// The bucket did not do as asked. Class by the source.
    #[error("the record of a run cannot be written or read")]
    Store(#[from] StoreError),
    /// The record cannot be made into JSON: a bug.
    #[error("the record of a run cannot be written as JSON")]
    Unwritable(#[source] serde_json::Error),
    /// The object is no record that this version understands.
    #[error("the run record `{key}` cannot be understood: {reason}")]
    Unreadable {
        /// Its key.
        key: String,
        /// What is wrong.
        reason: String,
    },
}

/// Writes a record; its key is [`RunRecord::key`].
///
/// # Errors
/// A [`RunsError`]; the run's own result stands, whatever becomes of its record.
pub async fn write(bucket: &Bucket, record: &RunRecord) -> Result<(), RunsError> {
    let text = serde_json::to_vec_pretty(record).map_err(RunsError::Unwritable)?;
    Ok(bucket.put(&record.key(), Bytes::from(text)).await?)
}

/// The records of all runs that began on this day or later, UTC; of all runs without a day. In the
/// order in which the runs began.
///
/// # Errors
/// A [`RunsError`].
pub async fn read(bucket: &Bucket, since: Option<NaiveDate>) -> Result<Vec<RunRecord>, RunsError> {
    let objects = bucket.list(PREFIX).await?;
    let keys = objects.into_iter().map(|object| object.key).filter(|key| is_wanted(key, since));
    let reads = keys.map(|key| async move {
        let bytes = bucket.get(&key).await?;
        parse(&key, &bytes)
    });
    let mut records: Vec<RunRecord> =
        stream::iter(reads).buffer_unordered(AT_A_TIME).try_collect().await?;
    records.sort_by_key(|record| (record.started, record.run_id));
    Ok(records)
}

/// True for the key of a record of that time.
pub(super) fn is_wanted(key: &str, since: Option<NaiveDate>) -> bool {
    let day = key.rsplit('/').nth(1);
    let day = day.and_then(|day| NaiveDate::parse_from_str(day, DAY).ok());
    !key.starts_with(openlineage::PREFIX) && day.is_some_and(|day| since.is_none_or(|s| day >= s))
}

/// Reads a record of this or an older version.
pub(super) fn parse(key: &str, bytes: &[u8]) -> Result<RunRecord, RunsError> {
    let unreadable = |reason: String| RunsError::Unreadable { key: key.to_owned(), reason };
    let record: RunRecord =
        serde_json::from_slice(bytes).map_err(|error| unreadable(error.to_string()))?;
    if record.version > VERSION {
        let found = record.version;
        return Err(unreadable(format!("it has version {found}, known are 1 to {VERSION}")));
    }
    Ok(record)
}
