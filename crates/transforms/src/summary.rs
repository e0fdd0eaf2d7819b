//! What a commit says about itself: the keys that Medallion adds to a snapshot's summary, and the
//! batch record, an object beside the table that lists the Bronze files of the batch.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use medallion_definition::name::TableId;
use medallion_tables::store::Bucket;
use medallion_tables::table::LakeTable;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::TransformError;

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

    /// Writes the record beside the table and returns its key and SHA-256.
    ///
    /// # Errors
    /// When the bucket refuses it.
    pub async fn write(
        &self,
        bucket: &Bucket,
        folder: &str,
    ) -> Result<(String, String), TransformError> {
        let key = format!("{folder}/batches/{}.json", self.id());
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
    /// The ids of the batches within the look-back.
    pub batches: BTreeSet<String>,
}

/// Reads back what a table's snapshots say was applied. `in_lookback` tells whether a snapshot
/// with this watermark is young enough to matter.
///
/// # Errors
/// When a batch record is missing or was tampered with.
pub async fn applied(
    bucket: &Bucket,
    table: &LakeTable,
    in_lookback: impl Fn(&str) -> bool,
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
        if !in_lookback(watermark) {
            break;
        }
        applied.batches.extend(summary.get(BATCH).cloned());
        if let Some(record) = summary.get(BATCH_RECORD) {
            records.insert(record.clone(), summary.get(BATCH_SHA256).cloned());
        }
    }
    for (key, sha256) in records {
        for file in BatchRecord::load(bucket, &key, sha256.as_deref()).await?.files {
            applied.files.insert(file.key, file.etag);
        }
    }
    Ok(applied)
}
