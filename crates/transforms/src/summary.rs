//! What a commit says about itself: the keys that Medallion adds to a snapshot's summary, and the
//! batch record, an object beside the table that lists the Bronze files of the batch.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use chrono::{DateTime, NaiveDateTime};
use futures::StreamExt;
use medallion_definition::name::TableId;
use medallion_tables::store::Bucket;
use medallion_tables::table::LakeTable;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::TransformError;
use crate::file_order::place;

/// How many batch records are read at a time.
const PARALLEL: usize = 16;

/// The batch's id: SHA-256 over its files' keys and etags.
pub const BATCH: &str = "medallion.batch.id";
/// Key of the batch record.
pub const BATCH_RECORD: &str = "medallion.batch.record";
/// SHA-256 of the batch record.
pub const BATCH_SHA256: &str = "medallion.batch.sha256";
/// The greatest Bronze key applied so far, in file order.
pub const WATERMARK: &str = "medallion.watermark";
/// The greatest `change_seq` applied so far.
pub const WATERMARK_SEQ: &str = "medallion.watermark.seq";
/// Comma-separated keys of the batch records that hold the full load's files.
pub const LOAD_RECORDS: &str = "medallion.load.records";
/// The program's version.
pub const CODE_VERSION: &str = "medallion.version";
/// Prefix of the counters of rules that only warn.
pub const WARNINGS: &str = "medallion.warnings.";
/// Prefix of the row counters.
pub const ROWS: &str = "medallion.rows.";
/// The snapshots that a Gold table was built from: JSON object of table to snapshot id.
pub const INPUTS: &str = "medallion.inputs";
/// SHA-256 of the model's query and columns.
pub const MODEL: &str = "medallion.model";

/// One Bronze file of a batch.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct BatchFile {
    /// The object's key.
    pub key: String,
    /// Its entity tag when it was listed.
    pub etag: String,
    /// Its size in bytes.
    pub size: u64,
}

/// The record of one batch, written before the commit that names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchRecord {
    /// The source table.
    pub table: String,
    /// The files in the order in which they were applied.
    pub files: Vec<BatchFile>,
}

impl BatchRecord {
    /// The record of these files.
    pub fn new(table: &TableId, files: &[BatchFile]) -> BatchRecord {
        BatchRecord { table: table.to_string(), files: files.to_vec() }
    }

    /// The batch's id.
    pub fn id(&self) -> String {
        let mut hash = Sha256::new();
        for file in &self.files {
            hash.update(format!("{}\n{}\n", file.key, file.etag));
        }
        hex::encode(hash.finalize())
    }

    /// Writes the record and returns its key and SHA-256. It lies outside every table's location:
    /// the clean-up of a table would take it for an orphan.
    ///
    /// # Errors
    /// When the bucket refuses it.
    pub async fn write(&self, bucket: &Bucket) -> Result<(String, String), TransformError> {
        let key = format!("batches/{}/{}.json", self.table, self.id());
        let json = serde_json::to_vec_pretty(self)
            .map_err(|e| TransformError::BatchRecord { key: key.clone(), reason: e.to_string() })?;
        let sha256 = hex::encode(Sha256::digest(&json));
        bucket.put(&key, Bytes::from(json)).await?;
        Ok((key, sha256))
    }

    async fn load(
        bucket: &Bucket,
        key: &str,
        sha256: Option<&str>,
    ) -> Result<BatchRecord, TransformError> {
        let bad = |reason: String| TransformError::BatchRecord { key: key.to_owned(), reason };
        let content = bucket.get(key).await?;
        if sha256.is_some_and(|wanted| wanted != hex::encode(Sha256::digest(&content))) {
            return Err(bad("its SHA-256 is not the one in the snapshot summary".to_owned()));
        }
        serde_json::from_slice(&content).map_err(|e| bad(e.to_string()))
    }
}

/// What has been applied to a Silver table so far.
#[derive(Clone, Debug, Default)]
pub struct Applied {
    /// Files within the look-back, and all files of the full load: key to etag.
    pub files: BTreeMap<String, String>,
    /// The greatest key in file order.
    pub watermark: Option<String>,
    /// The greatest sequence.
    pub watermark_seq: String,
    /// The batch records of the full load.
    pub load_records: BTreeSet<String>,
}

/// The newest watermark in a table's history: a snapshot of somebody else, such as a compaction,
/// says nothing about batches and stands in nobody's way.
pub fn watermark(table: &LakeTable) -> Option<String> {
    let mut history = table.history().into_iter();
    history.find_map(|s| s.summary().additional_properties.get(WATERMARK).cloned())
}

/// Reads back what a table's snapshots say was applied, as far back as the limit: snapshots that
/// were committed before it with a watermark before it do not matter.
///
/// # Errors
/// When a batch record is missing or was tampered with.
pub async fn applied(
    bucket: &Bucket,
    table: &LakeTable,
    limit: Option<NaiveDateTime>,
) -> Result<Applied, TransformError> {
    let mut applied = Applied::default();
    let mut records: BTreeMap<String, Option<String>> = BTreeMap::new();
    for snapshot in table.history() {
        let summary = &snapshot.summary().additional_properties;
        let Some(watermark) = summary.get(WATERMARK) else { continue };
        if applied.watermark.is_none() {
            applied.watermark = Some(watermark.clone());
            applied.watermark_seq = summary.get(WATERMARK_SEQ).cloned().unwrap_or_default();
            let loads = summary.get(LOAD_RECORDS).map_or("", String::as_str);
            applied.load_records =
                loads.split(',').filter(|l| !l.is_empty()).map(str::to_owned).collect();
            for record in &applied.load_records {
                records.insert(record.clone(), None);
            }
        }
        let committed = DateTime::from_timestamp_millis(snapshot.timestamp_ms());
        let reached = place(watermark).and_then(|p| p.0);
        let old = limit.is_some_and(|limit| {
            let before = |time: Option<NaiveDateTime>| time.is_some_and(|t| t < limit);
            before(reached) && before(committed.map(|c| c.naive_utc()))
        });
        if old {
            break;
        }
        if let Some(record) = summary.get(BATCH_RECORD) {
            records.insert(record.clone(), summary.get(BATCH_SHA256).cloned());
        }
    }
    let load = |(key, sha256): (String, Option<String>)| async move {
        BatchRecord::load(bucket, &key, sha256.as_deref()).await
    };
    let mut loaded = futures::stream::iter(records.into_iter().map(load)).buffered(PARALLEL);
    while let Some(record) = loaded.next().await {
        applied.files.extend(record?.files.into_iter().map(|file| (file.key, file.etag)));
    }
    Ok(applied)
}
