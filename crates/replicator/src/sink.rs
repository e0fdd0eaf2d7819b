//! Where Bronze files and the checkpoint go.

use std::error::Error;
use std::future::Future;

use aws_sdk_s3::Client;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::get_object::GetObjectError;
use aws_sdk_s3::primitives::ByteStream;
use bytes::Bytes;
use medallion_definition::name::TableId;
use medallion_ingestion::layout::{BronzeKey, table_prefix};

use crate::checkpoint::CHECKPOINT_KEY;

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

/// A store for Bronze. A call that returns `Ok` has made its object durable.
pub trait BronzeSink: Send + Sync {
    /// Writes one Bronze file.
    fn put(
        &self,
        key: &BronzeKey,
        file: Bytes,
    ) -> impl Future<Output = Result<(), SinkError>> + Send;

    /// Removes full-load files with a number above `last`: leftovers of a full load that was
    /// interrupted and begun again.
    fn remove_loads_after(
        &self,
        table: &TableId,
        last: u32,
    ) -> impl Future<Output = Result<(), SinkError>> + Send;

    /// The stored checkpoint, if there is one.
    fn read_checkpoint(&self) -> impl Future<Output = Result<Option<Bytes>, SinkError>> + Send;

    /// Replaces the checkpoint.
    fn write_checkpoint(&self, json: Bytes) -> impl Future<Output = Result<(), SinkError>> + Send;
}

/// Bronze in an S3 bucket.
#[derive(Clone, Debug)]
pub struct S3Sink {
    /// The client: endpoint, region and credentials.
    pub client: Client,
    /// The bucket.
    pub bucket: String,
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
    match error.code().filter(|code| DENIALS.contains(code)).map(str::to_owned) {
        Some(code) => SinkError::Denied { key, action, code, source: error.into() },
        None => SinkError::Unavailable { key, action, source: error.into() },
    }
}

impl S3Sink {
    async fn write(&self, key: &str, body: Bytes, content: &str) -> Result<(), SinkError> {
        let request = self.client.put_object().bucket(&self.bucket).key(key).content_type(content);
        let sent = request.body(ByteStream::from(body)).send().await;
        sent.map(|_| ()).map_err(|error| sink_error(key, "written", error))
    }
}

impl BronzeSink for S3Sink {
    async fn put(&self, key: &BronzeKey, file: Bytes) -> Result<(), SinkError> {
        self.write(&key.to_string(), file, "application/vnd.apache.parquet").await
    }

    async fn remove_loads_after(&self, table: &TableId, last: u32) -> Result<(), SinkError> {
        let prefix = format!("{}LOAD", table_prefix(table));
        let request = self.client.list_objects_v2().bucket(&self.bucket).prefix(&prefix);
        let mut pages = request.into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| sink_error(&prefix, "listed", error))?;
            for key in page.contents().iter().filter_map(|object| object.key()) {
                let leftover = match key.parse() {
                    Ok(BronzeKey::Load { number, .. }) => number > last,
                    Ok(BronzeKey::Changes { .. }) | Err(_) => false,
                };
                if leftover {
                    let request = self.client.delete_object().bucket(&self.bucket).key(key);
                    request.send().await.map_err(|error| sink_error(key, "removed", error))?;
                }
            }
        }
        Ok(())
    }

    async fn read_checkpoint(&self) -> Result<Option<Bytes>, SinkError> {
        let request = self.client.get_object().bucket(&self.bucket).key(CHECKPOINT_KEY);
        let object = match request.send().await {
            Ok(object) => object,
            Err(SdkError::ServiceError(error))
                if matches!(error.err(), GetObjectError::NoSuchKey(_)) =>
            {
                return Ok(None);
            }
            Err(error) => return Err(sink_error(CHECKPOINT_KEY, "read", error)),
        };
        let body = object.body.collect().await.map_err(|error| SinkError::Unavailable {
            key: CHECKPOINT_KEY.to_owned(),
            action: "read",
            source: error.into(),
        })?;
        Ok(Some(body.into_bytes()))
    }

    async fn write_checkpoint(&self, json: Bytes) -> Result<(), SinkError> {
        self.write(CHECKPOINT_KEY, json, "application/json").await
    }
}
