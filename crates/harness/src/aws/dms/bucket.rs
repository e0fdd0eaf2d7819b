//! What a run does to the target besides writing Bronze.

use std::error::Error;

use aws_sdk_s3::Client;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use medallion_definition::name::TableId;
use medallion_ingestion::layout::table_prefix;

/// Why the bucket did not do what was asked (retry, or an operator's affair: see the code).
#[derive(Debug, thiserror::Error)]
#[error("bucket `{bucket}`: {doing} was answered with `{code}`")]
pub(super) struct BucketError {
    bucket: String,
    doing: &'static str,
    code: String,
    source: Box<dyn Error + Send + Sync>,
}

fn failed<E>(bucket: &str, doing: &'static str, error: SdkError<E>) -> BucketError
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    let code = error.code().unwrap_or("no code").to_owned();
    BucketError { bucket: bucket.to_owned(), doing, code, source: error.into() }
}

/// The bucket is there and may be used.
///
/// # Errors
/// It is not.
pub(super) async fn check(client: &Client, bucket: &str) -> Result<(), BucketError> {
    // A listing tells a missing bucket by its code, which the reply to HeadBucket has no room for.
    let listing = client.list_objects_v2().bucket(bucket).max_keys(1).send().await;
    listing.map(drop).map_err(|error| failed(bucket, "a listing", error))
}

/// Removes the checkpoint of a replication, if there is one.
///
/// # Errors
/// The bucket refuses.
pub(super) async fn remove_checkpoint(
    client: &Client,
    bucket: &str,
    name: &str,
) -> Result<(), BucketError> {
    let key = format!("replicator/{name}/checkpoint.json");
    let removed = client.delete_object().bucket(bucket).key(key).send().await;
    removed.map(drop).map_err(|error| failed(bucket, "the removal of the checkpoint", error))
}

/// Removes every Bronze object of the tables.
///
/// # Errors
/// The bucket refuses.
pub(super) async fn clear(
    client: &Client,
    bucket: &str,
    tables: &[TableId],
) -> Result<(), BucketError> {
    for table in tables {
        let listing = client.list_objects_v2().bucket(bucket).prefix(table_prefix(table));
        let mut pages = listing.into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| failed(bucket, "a listing", error))?;
            for key in page.contents().iter().filter_map(|object| object.key()) {
                let removed = client.delete_object().bucket(bucket).key(key).send().await;
                removed.map_err(|error| failed(bucket, "a removal", error))?;
            }
        }
    }
    Ok(())
}
