//! Objects in one S3 bucket.

use std::ops::Range;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::get_object::builders::GetObjectFluentBuilder;
use aws_sdk_s3::primitives::ByteStream;
use bytes::Bytes;

use crate::failure::{Failure, verdict};

/// Why an object could not be read, written or listed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There is no such object: the caller's own business.
    #[error("`{key}` is not in bucket `{bucket}`")]
    NotFound {
        /// The bucket.
        bucket: String,
        /// The key.
        key: String,
    },
    /// Throttled, timed out or a server error: worth trying again.
    #[error("S3 cannot serve `{key}` of bucket `{bucket}` now ({code})")]
    Unavailable {
        /// The bucket.
        bucket: String,
        /// The key or prefix.
        key: String,
        /// Status and error code.
        code: String,
        /// The SDK's error.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Permissions or credentials are missing: the operator's business.
    #[error("access to `{key}` of bucket `{bucket}` is denied ({code})")]
    Denied {
        /// The bucket.
        bucket: String,
        /// The key or prefix.
        key: String,
        /// Status and error code.
        code: String,
        /// The SDK's error.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// S3 refused the request as such (no such bucket, an illegal request).
    #[error("S3 refuses the request for `{key}` of bucket `{bucket}` ({code})")]
    Refused {
        /// The bucket.
        bucket: String,
        /// The key or prefix.
        key: String,
        /// Status and error code.
        code: String,
        /// The SDK's error.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The object is not the one that was listed: another one has been written since. Listing
    /// again tells what to do.
    #[error("`{key}` of bucket `{bucket}` was written again since it was listed")]
    Changed {
        /// The bucket.
        bucket: String,
        /// The key.
        key: String,
    },
    /// Fewer bytes came than were asked for: the object is shorter than its metadata says.
    #[error("`{key}` of bucket `{bucket}` gave {got} bytes where {wanted} were asked for")]
    Short {
        /// The bucket.
        bucket: String,
        /// The key.
        key: String,
        /// Bytes asked for.
        wanted: u64,
        /// Bytes received.
        got: u64,
    },
}

impl StoreError {
    /// True when the same work may succeed later; what was [`StoreError::Changed`] has to be
    /// listed again before.
    pub fn is_retryable(&self) -> bool {
        matches!(self, StoreError::Unavailable { .. } | StoreError::Changed { .. })
    }
}

/// An entity tag as HTTP writes it.
fn quoted(etag: &str) -> String {
    format!("\"{etag}\"")
}

/// One object of a listing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ObjectMeta {
    /// The whole key.
    pub key: String,
    /// The entity tag, without the quotes that S3 puts around it.
    pub etag: String,
    /// Size in bytes.
    pub size: u64,
    /// When it was written, microseconds since the epoch.
    pub modified_micros: i64,
}

/// One bucket and the client to reach it.
#[derive(Clone, Debug)]
pub struct Bucket {
    client: Client,
    name: String,
}

impl Bucket {
    /// A bucket seen through a client, whose endpoint, region and credentials it uses.
    pub fn new(client: Client, name: impl Into<String>) -> Self {
        Bucket { client, name: name.into() }
    }

    /// The bucket's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The URI of a key: `s3://<bucket>/<key>`.
    pub fn uri(&self, key: &str) -> String {
        format!("s3://{}/{key}", self.name)
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    pub(crate) fn error<E>(&self, key: &str, error: SdkError<E, HttpResponse>) -> StoreError
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let verdict = verdict(&error);
        let (bucket, key, code) = (self.name.clone(), key.to_owned(), verdict.code);
        let source = Box::new(error);
        match verdict.failure {
            Failure::NotFound => StoreError::NotFound { bucket, key },
            Failure::Unavailable => StoreError::Unavailable { bucket, key, code, source },
            Failure::Denied => StoreError::Denied { bucket, key, code, source },
            Failure::Exists | Failure::Conflict | Failure::Refused => {
                StoreError::Refused { bucket, key, code, source }
            }
        }
    }

    fn broken(
        &self,
        key: &str,
        source: impl std::error::Error + Send + Sync + 'static,
    ) -> StoreError {
        StoreError::Unavailable {
            bucket: self.name.clone(),
            key: key.to_owned(),
            code: "broken reply".to_owned(),
            source: Box::new(source),
        }
    }

    /// All objects whose key begins with the prefix, over all pages, sorted by key.
    ///
    /// # Errors
    /// Any [`StoreError`] but `NotFound`: an empty listing is no error.
    pub async fn list(&self, prefix: &str) -> Result<Vec<ObjectMeta>, StoreError> {
        let request = self.client.list_objects_v2().bucket(&self.name).prefix(prefix);
        let mut pages = request.into_paginator().send();
        let mut found = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|e| self.error(prefix, e))?;
            found.extend(page.contents().iter().map(|object| ObjectMeta {
                key: object.key().unwrap_or_default().to_owned(),
                etag: object.e_tag().unwrap_or_default().trim_matches('"').to_owned(),
                size: u64::try_from(object.size().unwrap_or_default()).unwrap_or_default(),
                modified_micros: object.last_modified().map_or(0, |time| {
                    time.secs() * 1_000_000 + i64::from(time.subsec_nanos() / 1_000)
                }),
            }));
        }
        found.sort();
        Ok(found)
    }

    /// The whole object.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is none, or another [`StoreError`].
    pub async fn get(&self, key: &str) -> Result<Bytes, StoreError> {
        self.read(self.client.get_object(), key).await
    }

    /// The whole object, if it still has this entity tag (`If-Match`; without quotes).
    ///
    /// # Errors
    /// [`StoreError::Changed`] when it has another one, else as [`Bucket::get`].
    pub async fn get_matching(&self, key: &str, etag: &str) -> Result<Bytes, StoreError> {
        self.read(self.client.get_object().if_match(quoted(etag)), key).await
    }

    async fn read(&self, request: GetObjectFluentBuilder, key: &str) -> Result<Bytes, StoreError> {
        let conditional = request.get_if_match().is_some();
        let sent = request.bucket(&self.name).key(key).send().await;
        let reply = sent.map_err(|error| match self.error(key, error) {
            // 412: the only condition of a read is the entity tag.
            StoreError::Refused { bucket, key, code, .. }
                if conditional && code.starts_with("412") =>
            {
                StoreError::Changed { bucket, key }
            }
            error => error,
        })?;
        let body = reply.body.collect().await.map_err(|e| self.broken(key, e))?;
        Ok(body.into_bytes())
    }

    /// A range of bytes of the object.
    ///
    /// # Errors
    /// [`StoreError::Short`] when the object ends before the range does, or another one.
    pub async fn get_range(&self, key: &str, range: Range<u64>) -> Result<Bytes, StoreError> {
        self.read_range(self.client.get_object(), key, range).await
    }

    /// A range of bytes of the object, if it still has this entity tag (`If-Match`).
    ///
    /// # Errors
    /// [`StoreError::Changed`] when it has another one, else as [`Bucket::get_range`].
    pub async fn get_range_matching(
        &self,
        key: &str,
        etag: &str,
        range: Range<u64>,
    ) -> Result<Bytes, StoreError> {
        self.read_range(self.client.get_object().if_match(quoted(etag)), key, range).await
    }

    async fn read_range(
        &self,
        request: GetObjectFluentBuilder,
        key: &str,
        range: Range<u64>,
    ) -> Result<Bytes, StoreError> {
        if range.is_empty() {
            return Ok(Bytes::new());
        }
        let wanted = range.end - range.start;
        let header = format!("bytes={}-{}", range.start, range.end - 1);
        let body = self.read(request.range(header), key).await?;
        let got = body.len() as u64;
        if got == wanted {
            return Ok(body);
        }
        Err(StoreError::Short { bucket: self.name.clone(), key: key.to_owned(), wanted, got })
    }

    /// The object's size in bytes, or nothing when it does not exist.
    ///
    /// # Errors
    /// Any [`StoreError`] but `NotFound`.
    pub async fn head(&self, key: &str) -> Result<Option<u64>, StoreError> {
        let request = self.client.head_object().bucket(&self.name).key(key);
        match request.send().await.map_err(|e| self.error(key, e)) {
            Ok(reply) => Ok(Some(
                u64::try_from(reply.content_length().unwrap_or_default()).unwrap_or_default(),
            )),
            Err(StoreError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Writes the object, replacing what was there.
    ///
    /// # Errors
    /// Any [`StoreError`].
    pub async fn put(&self, key: &str, body: Bytes) -> Result<(), StoreError> {
        let request = self.client.put_object().bucket(&self.name).key(key);
        let sent = request.body(ByteStream::from(body)).send().await;
        sent.map_err(|e| self.error(key, e)).map(|_| ())
    }

    /// Writes the object only if there is none (`If-None-Match: *`); false when there is one.
    ///
    /// The SDK's own retries are off, so that false never hides a first attempt of ours that
    /// succeeded without a reply; such an attempt comes back as [`StoreError::Unavailable`].
    ///
    /// # Errors
    /// Any [`StoreError`]; after `Unavailable` the object may or may not have been written.
    pub async fn put_new(&self, key: &str, body: Bytes) -> Result<bool, StoreError> {
        let request = self.client.put_object().bucket(&self.name).key(key).if_none_match("*");
        let once = aws_sdk_s3::config::Builder::new().retry_config(RetryConfig::disabled());
        let sent = request.body(ByteStream::from(body)).customize().config_override(once).send();
        match sent.await {
            Ok(_) => Ok(true),
            Err(error) if verdict(&error).failure == Failure::Exists => Ok(false),
            Err(error) => Err(self.error(key, error)),
        }
    }

    /// Deletes the object; no error when there is none.
    ///
    /// # Errors
    /// Any [`StoreError`].
    pub async fn delete(&self, key: &str) -> Result<(), StoreError> {
        let sent = self.client.delete_object().bucket(&self.name).key(key).send().await;
        match sent.map_err(|e| self.error(key, e)) {
            Ok(_) | Err(StoreError::NotFound { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }
}
