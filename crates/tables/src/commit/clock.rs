//! Edits of metadata whose time does not run backwards.
//!
//! The crate's builder takes this host's clock for the time of an update that makes no snapshot.
//! After a commit by a host whose clock is ahead, that would be before the times of the table's
//! own logs, and readers refuse such metadata.

use iceberg::spec::{TableMetadata, TableMetadataBuilder};
use serde_json::Value;

use crate::table::LakeTable;

/// The edited metadata of the table, whose last update is not before anything that its logs tell.
///
/// Where the table's time is ahead of this host's clock, the edit is made on metadata whose times
/// are moved back so far that the last one is now; afterwards all are moved forth again.
pub(super) fn edited(
    base: &LakeTable,
    edit: impl FnOnce(TableMetadataBuilder) -> iceberg::Result<TableMetadataBuilder>,
) -> iceberg::Result<TableMetadata> {
    let now = chrono::Utc::now().timestamp_millis();
    let ahead = latest(base.metadata()).saturating_sub(now);
    if ahead <= 0 {
        return Ok(edit(builder(base, base.metadata().clone()))?.build()?.metadata);
    }
    let earlier = moved(base.metadata(), -ahead)?;
    moved(&edit(builder(base, earlier))?.build()?.metadata, ahead)
}

/// A builder on the metadata, with the base in the log.
pub(super) fn builder(base: &LakeTable, metadata: TableMetadata) -> TableMetadataBuilder {
    metadata.into_builder(Some(base.metadata_location().to_owned()))
}

/// The latest time that the metadata tells, snapshots' own times apart.
fn latest(metadata: &TableMetadata) -> i64 {
    let snapshots = metadata.history().iter().map(|entry| entry.timestamp_ms);
    let files = metadata.metadata_log().iter().map(|entry| entry.timestamp_ms);
    snapshots.chain(files).fold(metadata.last_updated_ms(), i64::max)
}

/// The metadata with the times of its last update and of both logs moved. Snapshots keep theirs.
fn moved(metadata: &TableMetadata, by_ms: i64) -> iceberg::Result<TableMetadata> {
    // The crate lets nobody set these times; in its JSON they can be.
    let mut json = serde_json::to_value(metadata)?;
    move_time(json.get_mut("last-updated-ms"), by_ms);
    for log in ["snapshot-log", "metadata-log"] {
        let entries = json.get_mut(log).and_then(Value::as_array_mut);
        for entry in entries.into_iter().flatten() {
            move_time(entry.get_mut("timestamp-ms"), by_ms);
        }
    }
    Ok(serde_json::from_value(json)?)
}

fn move_time(time: Option<&mut Value>, by_ms: i64) {
    if let Some(time) = time
        && let Some(ms) = time.as_i64()
    {
        *time = ms.saturating_add(by_ms).into();
    }
}
