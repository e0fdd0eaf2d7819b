//! Iceberg's file access on S3, over the same client as everything else.
//!
//! One client means one endpoint, one retry policy and credentials that the SDK renews.

mod upload;

use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_s3::Client;
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use iceberg::io::{
    FileIO, FileIOBuilder, FileMetadata, FileRead, FileWrite, InputFile, OutputFile, Storage,
    StorageConfig, StorageFactory,
};
use iceberg::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

use crate::store::{Bucket, StoreError};
use upload::Upload;

/// File access for Iceberg on S3: paths are `s3://bucket/key`.
pub fn file_io(client: Client) -> FileIO {
    FileIOBuilder::new(Arc::new(S3StorageFactory { client: Some(client) })).build()
}

/// Makes [`S3Storage`]s. Only one that was made with a client works: a client cannot be
/// serialised, so a factory that was deserialised says so when it is used.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct S3StorageFactory {
    #[serde(skip)]
    client: Option<Client>,
}

/// Iceberg's storage on S3. See [`S3StorageFactory`] about serialisation.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct S3Storage {
    #[serde(skip)]
    client: Option<Client>,
}

#[typetag::serde(name = "MedallionS3StorageFactory")]
impl StorageFactory for S3StorageFactory {
    fn build(&self, _config: &StorageConfig) -> Result<Arc<dyn Storage>> {
        let client = self.client.clone().ok_or_else(no_client)?;
        Ok(Arc::new(S3Storage { client: Some(client) }))
    }
}

fn no_client() -> Error {
    Error::new(
        ErrorKind::PreconditionFailed,
        "this S3 storage was deserialised and has no client; make it with one",
    )
}

/// Turns a store error into Iceberg's, keeping the class and the source.
fn convert(error: StoreError) -> Error {
    let kind = match &error {
        StoreError::NotFound { .. } | StoreError::Short { .. } | StoreError::Changed { .. } => {
            ErrorKind::DataInvalid
        }
        StoreError::Unavailable { .. } | StoreError::Denied { .. } | StoreError::Refused { .. } => {
            ErrorKind::Unexpected
        }
    };
    Error::new(kind, "S3 request failed").with_retryable(error.is_retryable()).with_source(error)
}

impl S3Storage {
    /// Splits `s3://bucket/key`.
    fn locate(&self, path: &str) -> Result<(Bucket, String)> {
        let client = self.client.clone().ok_or_else(no_client)?;
        let rest = path.strip_prefix("s3://").or_else(|| path.strip_prefix("s3a://"));
        match rest.and_then(|rest| rest.split_once('/')) {
            Some((bucket, key)) if !bucket.is_empty() && !key.is_empty() => {
                Ok((Bucket::new(client, bucket), key.to_owned()))
            }
            _ => Err(Error::new(
                ErrorKind::DataInvalid,
                format!("`{path}` is no path of the form `s3://bucket/key`"),
            )),
        }
    }
}

#[async_trait]
#[typetag::serde(name = "MedallionS3Storage")]
impl Storage for S3Storage {
    async fn exists(&self, path: &str) -> Result<bool> {
        let (bucket, key) = self.locate(path)?;
        Ok(bucket.head(&key).await.map_err(convert)?.is_some())
    }

    async fn metadata(&self, path: &str) -> Result<FileMetadata> {
        let (bucket, key) = self.locate(path)?;
        match bucket.head(&key).await.map_err(convert)? {
            Some(size) => Ok(FileMetadata { size }),
            None => Err(convert(StoreError::NotFound { bucket: bucket.name().to_owned(), key })),
        }
    }

    async fn read(&self, path: &str) -> Result<Bytes> {
        let (bucket, key) = self.locate(path)?;
        bucket.get(&key).await.map_err(convert)
    }

    async fn reader(&self, path: &str) -> Result<Box<dyn FileRead>> {
        let (bucket, key) = self.locate(path)?;
        Ok(Box::new(RangedRead { bucket, key }))
    }

    async fn write(&self, path: &str, bytes: Bytes) -> Result<()> {
        let (bucket, key) = self.locate(path)?;
        bucket.put(&key, bytes).await.map_err(convert)
    }

    async fn writer(&self, path: &str) -> Result<Box<dyn FileWrite>> {
        let (bucket, key) = self.locate(path)?;
        Ok(Box::new(Upload::new(bucket, key)))
    }

    async fn delete(&self, path: &str) -> Result<()> {
        let (bucket, key) = self.locate(path)?;
        bucket.delete(&key).await.map_err(convert)
    }

    async fn delete_prefix(&self, path: &str) -> Result<()> {
        let (bucket, key) = self.locate(path)?;
        let folder = format!("{}/", key.trim_end_matches('/'));
        for object in bucket.list(&folder).await.map_err(convert)? {
            bucket.delete(&object.key).await.map_err(convert)?;
        }
        Ok(())
    }

    async fn delete_stream(&self, mut paths: BoxStream<'static, String>) -> Result<()> {
        while let Some(path) = paths.next().await {
            self.delete(&path).await?;
        }
        Ok(())
    }

    fn new_input(&self, path: &str) -> Result<InputFile> {
        Ok(InputFile::new(Arc::new(self.clone()), path.to_owned()))
    }

    fn new_output(&self, path: &str) -> Result<OutputFile> {
        Ok(OutputFile::new(Arc::new(self.clone()), path.to_owned()))
    }
}

/// Reads ranges of one object, one GET each.
struct RangedRead {
    bucket: Bucket,
    key: String,
}

#[async_trait]
impl FileRead for RangedRead {
    async fn read(&self, range: Range<u64>) -> Result<Bytes> {
        self.bucket.get_range(&self.key, range).await.map_err(convert)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_deserialised_storage_says_that_it_has_no_client() {
        let text = serde_json::to_string(&S3Storage::default() as &dyn Storage).unwrap();
        let storage: Box<dyn Storage> = serde_json::from_str(&text).unwrap();
        let error = storage.read("s3://bucket/key").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::PreconditionFailed);
        assert!(error.message().contains("no client"), "{error}");

        let text = serde_json::to_string(&S3StorageFactory::default() as &dyn StorageFactory);
        let factory: Box<dyn StorageFactory> = serde_json::from_str(&text.unwrap()).unwrap();
        let error = factory.build(&StorageConfig::new()).unwrap_err();
        assert!(error.message().contains("no client"), "{error}");
    }
}
