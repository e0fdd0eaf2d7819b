//! The record of a batch: an object beside the table that says which Bronze files the batch
//! applied and what it found in them, and which files were applied before it, as far back as
//! anybody looks. So that one request tells what a table holds.

mod read;
mod state;

use std::collections::BTreeMap;

use bytes::Bytes;
use medallion_definition::name::TableId;
use medallion_tables::store::{Bucket, StoreError};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

pub use read::{Applied, newest_record};
pub(crate) use state::{AppliedState, FileTally};

use crate::error::TransformError;
use crate::plan::{Generation, Mode};

/// The form of the records that this version writes; records without it are older.
const VERSION: u32 = 2;

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

/// What a batch found in one of its files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileStats {
    /// Change rows.
    pub rows: u64,
    /// The least `change_seq`; empty in a full load and in a file without rows.
    pub min_seq: String,
    /// The greatest `change_seq`.
    pub max_seq: String,
}

/// A Bronze file that was applied; what an older record does not tell is missing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppliedFile {
    /// The object as it was read.
    #[serde(flatten)]
    pub file: BatchFile,
    /// When it was written, microseconds since the epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modified_micros: Option<i64>,
    /// Change rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
    /// The least `change_seq`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_seq: Option<String>,
    /// The greatest `change_seq`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_seq: Option<String>,
}

/// Another object beside the table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectReference {
    /// Its key.
    pub key: String,
    /// SHA-256 of its content.
    pub sha256: String,
}

/// The record of one batch, written before the commit that names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchRecord {
    /// The form of the record.
    #[serde(default)]
    pub version: u32,
    /// The source table.
    pub table: String,
    /// The load generation to which the files belong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<Generation>,
    /// What the batch's result stands for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
    /// The snapshot that the batch was planned against.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<i64>,
    /// The files in the order in which they were applied.
    pub files: Vec<AppliedFile>,
    /// What is applied with this batch and before it; older records do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) applied: Option<AppliedState>,
    /// All that the table held of the generation went, and was made again from these files.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub restarts: bool,
    /// The attempt at a rebuild to which the record belongs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rebuild: Option<String>,
    /// The record before this one, in a rebuild: back to the one with which it began, which has
    /// no files. A record of main that has one took over the rebuild that ends there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<ObjectReference>,
    /// The files of earlier generations, when this batch begins a new one: an object of its own.
    #[serde(skip)]
    pub(crate) earlier: Option<BTreeMap<String, String>>,
}

/// The identity of a batch: SHA-256 over its files' keys and etags, in order.
pub(crate) fn batch_id<'a>(files: impl Iterator<Item = &'a BatchFile>) -> String {
    let mut hash = Sha256::new();
    for file in files {
        hash.update(format!("{}\n{}\n", file.key, file.etag));
    }
    hex::encode(hash.finalize())
}

impl BatchRecord {
    pub(crate) fn new(table: &TableId, files: Vec<AppliedFile>) -> BatchRecord {
        BatchRecord {
            version: VERSION,
            table: table.to_string(),
            generation: None,
            mode: None,
            base: None,
            files,
            applied: None,
            restarts: false,
            rebuild: None,
            previous: None,
            earlier: None,
        }
    }

    /// A record without files: it says what is applied where a rebuild begins or ends.
    pub(crate) fn of_state(table: &TableId, applied: &Applied, mode: Mode) -> BatchRecord {
        let mut record = BatchRecord::new(table, Vec::new());
        record.generation = applied.generation.clone();
        record.mode = Some(mode);
        record.base = applied.base;
        record.applied = Some(applied.state.clone());
        record
    }

    /// The batch's id.
    pub fn id(&self) -> String {
        batch_id(self.files.iter().map(|f| &f.file))
    }

    /// Writes the record and says where it is. Its name is its content: no later batch writes over
    /// a record that a snapshot names. It lies outside every table's location, where the clean-up
    /// of a table would take it for an orphan.
    ///
    /// # Errors
    /// When the bucket refuses it.
    pub async fn write(&self, bucket: &Bucket) -> Result<ObjectReference, TransformError> {
        let Some(earlier) = &self.earlier else {
            return Stored::of(&self.table, self)?.write(bucket).await;
        };
        let earlier = Stored::of(&self.table, earlier)?.write(bucket).await?;
        let mut record = self.clone();
        if let Some(applied) = &mut record.applied {
            applied.earlier = Some(earlier);
        }
        Stored::of(&self.table, &record)?.write(bucket).await
    }
}

/// A JSON object that is named by its content.
struct Stored {
    reference: ObjectReference,
    content: Vec<u8>,
}

impl Stored {
    fn of(table: &str, value: &impl Serialize) -> Result<Stored, TransformError> {
        let content = serde_json::to_vec(value).map_err(|e| TransformError::BatchRecord {
            key: format!("batches/{table}/"),
            reason: e.to_string(),
        })?;
        let sha256 = hex::encode(Sha256::digest(&content));
        let key = format!("batches/{table}/{sha256}.json");
        Ok(Stored { reference: ObjectReference { key, sha256 }, content })
    }

    async fn write(self, bucket: &Bucket) -> Result<ObjectReference, TransformError> {
        bucket.put(&self.reference.key, Bytes::from(self.content)).await?;
        Ok(self.reference)
    }
}

/// Reads such an object back; it has to be what it was.
pub(crate) async fn load<T: for<'de> Deserialize<'de>>(
    bucket: &Bucket,
    key: &str,
    sha256: Option<&str>,
) -> Result<T, TransformError> {
    let bad = |reason: String| TransformError::BatchRecord { key: key.to_owned(), reason };
    let content = match bucket.get(key).await {
        Err(StoreError::NotFound { .. }) => return Err(bad("it is missing".to_owned())),
        content => content?,
    };
    if sha256.is_some_and(|wanted| wanted != hex::encode(Sha256::digest(&content))) {
        return Err(bad("its SHA-256 is not the one that was noted".to_owned()));
    }
    serde_json::from_slice(&content).map_err(|e| bad(e.to_string()))
}
