//! Where Bronze files and the checkpoint go.

use std::collections::BTreeSet;
use std::error::Error;
use std::future::Future;

use aws_sdk_s3::Client;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::get_object::GetObjectError;
use aws_sdk_s3::primitives::ByteStream;
use bytes::Bytes;
use medallion_definition::name::TableId;
use medallion_ingestion::layout::{BronzeKey, table_prefix};

/// Why the store did not take or give an object.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// It may work later (retry).
    #[error("`{key}` cannot be {action} for now")]
    Unavailable {
        /// The object.
        key: String,
        /// What was tried.
        action: &'static str,
        /// The cause.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The object is not the one that was expected there (operator).
    #[error("`{key}` has been replaced by somebody else")]
    Conflict {
        /// The object.
        key: String,
        /// The cause.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The bucket is missing or its policy forbids it (operator).
    #[error("`{key}` cannot be {action}: the store answers `{code}`")]
    Denied {
        /// The object.
        key: String,
        /// What was tried.
        action: &'static str,
        /// The store's error code.
        code: String,
        /// The cause.
        source: Box<dyn Error + Send + Sync>,
    },
}

/// The version of a stored object: in S3, its ETag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectVersion(pub String);

/// A store for Bronze. A call that returns `Ok` has made its object durable.
pub trait BronzeSink: Send + Sync {
    /// Writes one Bronze file.
    fn put(
        &self,
        key: &BronzeKey,
        file: Bytes,
    ) -> impl Future<Output = Result<(), SinkError>> + Send;

    /// Removes the table's full-load files other than these: leftovers of a load that was
    /// interrupted, or of an earlier one.
    fn retain_loads(
        &self,
        table: &TableId,
        keep: &BTreeSet<BronzeKey>,
    ) -> impl Future<Output = Result<(), SinkError>> + Send;

    /// The stored checkpoint and its version, if there is one.
    fn read_checkpoint(
        &self,
    ) -> impl Future<Output = Result<Option<(Bytes, ObjectVersion)>, SinkError>> + Send;

    /// Replaces the checkpoint of this version; with `None` there must not be any yet. Gives the
    /// version of the new one, or [`SinkError::Conflict`].
    fn write_checkpoint(
        &self,
        json: Bytes,
        replaces: Option<&ObjectVersion>,
    ) -> impl Future<Output = Result<ObjectVersion, SinkError>> + Send;
}

/// Bronze in an S3 bucket.
#[derive(Clone, Debug)]
pub struct S3Sink {
    /// The client: endpoint, region and credentials.
    pub client: Client,
    /// The bucket.
    pub bucket: String,
    /// The name of the task; its checkpoint is `replicator/<task>/checkpoint.json`.
    pub task: String,
}

/// Error codes that no retry cures.
const DENIALS: [&str; 6] = [
    "AccessDenied",
    "AllAccessDisabled",
    "InvalidAccessKeyId",
    "InvalidBucketName",
    "NoSuchBucket",
    "SignatureDoesNotMatch",
];

fn sink_error<E>(key: &str, action: &'static str, error: SdkError<E>) -> SinkError
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    let key = key.to_owned();
    if error.code().is_some_and(|code| CONFLICTS.contains(&code)) {
        return SinkError::Conflict { key, source: error.into() };
    }
    match error.code().filter(|code| DENIALS.contains(code)).map(str::to_owned) {
        Some(code) => SinkError::Denied { key, action, code, source: error.into() },
        None => SinkError::Unavailable { key, action, source: error.into() },
    }
}

/// The error codes of a conditional write that was refused. S3 answers the second when writers
/// race.
const CONFLICTS: [&str; 2] = ["PreconditionFailed", "ConditionalRequestConflict"];

impl S3Sink {
    fn checkpoint_key(&self) -> String {
        format!("replicator/{}/checkpoint.json", self.task)
    }
}

impl BronzeSink for S3Sink {
    async fn put(&self, key: &BronzeKey, file: Bytes) -> Result<(), SinkError> {
        let key = key.to_string();
        let request = self.client.put_object().bucket(&self.bucket).key(&key);
        let request = request.content_type("application/vnd.apache.parquet");
        let sent = request.body(ByteStream::from(file)).send().await;
        sent.map(|_| ()).map_err(|error| sink_error(&key, "written", error))
    }

    async fn retain_loads(
        &self,
        table: &TableId,
        keep: &BTreeSet<BronzeKey>,
    ) -> Result<(), SinkError> {
        let prefix = table_prefix(table);
        // Change files are a level deeper.
        let request = self.client.list_objects_v2().bucket(&self.bucket).prefix(&prefix);
        let mut pages = request.delimiter("/").into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| sink_error(&prefix, "listed", error))?;
            for key in page.contents().iter().filter_map(|object| object.key()) {
                let leftover = key
                    .parse::<BronzeKey>()
                    .is_ok_and(|key| key.is_full_load() && !keep.contains(&key));
                if leftover {
                    let request = self.client.delete_object().bucket(&self.bucket).key(key);
                    request.send().await.map_err(|error| sink_error(key, "removed", error))?;
                }
            }
        }
        Ok(())
    }

    async fn read_checkpoint(&self) -> Result<Option<(Bytes, ObjectVersion)>, SinkError> {
        let key = self.checkpoint_key();
        let request = self.client.get_object().bucket(&self.bucket).key(&key);
        let object = match request.send().await {
            Ok(object) => object,
            Err(SdkError::ServiceError(error))
                if matches!(error.err(), GetObjectError::NoSuchKey(_)) =>
            {
                return Ok(None);
            }
            Err(error) => return Err(sink_error(&key, "read", error)),
        };
        let version = ObjectVersion(object.e_tag().unwrap_or_default().to_owned());
        let body = object.body.collect().await.map_err(|error| SinkError::Unavailable {
            key,
            action: "read",
            source: error.into(),
        })?;
        Ok(Some((body.into_bytes(), version)))
    }

    async fn write_checkpoint(
        &self,
        json: Bytes,
        replaces: Option<&ObjectVersion>,
    ) -> Result<ObjectVersion, SinkError> {
        let key = self.checkpoint_key();
        let request = self.client.put_object().bucket(&self.bucket).key(&key);
        let request = request.content_type("application/json").body(ByteStream::from(json));
        let request = match replaces {
            Some(version) => request.if_match(&version.0),
            None => request.if_none_match("*"),
        };
        let sent = request.send().await.map_err(|error| sink_error(&key, "written", error))?;
        Ok(ObjectVersion(sent.e_tag().unwrap_or_default().to_owned()))
    }
}
