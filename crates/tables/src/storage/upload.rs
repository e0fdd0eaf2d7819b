//! Writing one object: a single put when it is small, a multipart upload when it is not.

use async_trait::async_trait;
use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use bytes::{Bytes, BytesMut};
use iceberg::io::FileWrite;
use iceberg::{Error, ErrorKind};

use super::convert;
use crate::store::{Bucket, StoreError};

/// Bytes of a part. S3 wants at least 5 MiB for every part but the last, and at most 10,000
/// parts; 8 MiB reach 78 GiB.
const PART_BYTES: usize = 8 * 1024 * 1024;

/// An object being written. It becomes visible when it is closed, and not before. An upload that
/// is dropped half way leaves its parts behind; the bucket's lifecycle rule for incomplete
/// multipart uploads removes them.
pub(super) struct Upload {
    bucket: Bucket,
    key: String,
    buffer: BytesMut,
    multipart: Option<Multipart>,
    /// Bytes of the parts that were sent.
    sent: u64,
    closed: bool,
}

struct Multipart {
    id: String,
    parts: Vec<CompletedPart>,
}

impl Upload {
    pub(super) fn new(bucket: Bucket, key: String) -> Self {
        Upload { bucket, key, buffer: BytesMut::new(), multipart: None, sent: 0, closed: false }
    }

    fn refuse_closed(&self) -> iceberg::Result<()> {
        if self.closed {
            let text = format!("`{}` is closed already", self.bucket.uri(&self.key));
            return Err(Error::new(ErrorKind::PreconditionFailed, text));
        }
        Ok(())
    }

    async fn begin(&mut self) -> Result<&mut Multipart, StoreError> {
        let (bucket, key) = (&self.bucket, &self.key);
        let request = bucket.client().create_multipart_upload().bucket(bucket.name()).key(key);
        let reply = request.send().await.map_err(|e| bucket.error(key, e))?;
        let id = reply.upload_id().unwrap_or_default().to_owned();
        Ok(self.multipart.insert(Multipart { id, parts: Vec::new() }))
    }

    async fn send_part(&mut self, part: Bytes) -> Result<(), StoreError> {
        if self.multipart.is_none() {
            self.begin().await?;
        }
        let Some(multipart) = self.multipart.as_mut() else { return Ok(()) };
        let (bucket, key) = (&self.bucket, &self.key);
        let bytes = part.len() as u64;
        let number = i32::try_from(multipart.parts.len() + 1).unwrap_or(i32::MAX);
        let request = bucket.client().upload_part().bucket(bucket.name()).key(key);
        let request = request.upload_id(&multipart.id).part_number(number);
        let sent = request.body(ByteStream::from(part)).send().await;
        let reply = sent.map_err(|e| bucket.error(key, e))?;
        let part = CompletedPart::builder()
            .part_number(number)
            .set_e_tag(reply.e_tag().map(str::to_owned))
            .set_checksum_crc32(reply.checksum_crc32().map(str::to_owned))
            .build();
        multipart.parts.push(part);
        self.sent += bytes;
        Ok(())
    }

    async fn complete(&mut self) -> Result<(), StoreError> {
        let rest = self.buffer.split().freeze();
        if self.multipart.is_none() {
            return self.bucket.put(&self.key, rest).await;
        }
        if !rest.is_empty() {
            self.send_part(rest).await?;
        }
        let Some(multipart) = self.multipart.as_ref() else { return Ok(()) };
        let parts = CompletedMultipartUpload::builder().set_parts(Some(multipart.parts.clone()));
        let (bucket, key) = (&self.bucket, &self.key);
        let request = bucket.client().complete_multipart_upload().bucket(bucket.name()).key(key);
        let request = request.upload_id(&multipart.id).multipart_upload(parts.build());
        let Err(error) = request.send().await else { return Ok(()) };
        let unknown = error.code() == Some("NoSuchUpload");
        let error = bucket.error(key, error);
        if unknown && self.is_there().await { Ok(()) } else { Err(error) }
    }

    /// True when the object is there with as many bytes as were sent. A request to complete the
    /// upload that the SDK repeats, because the reply to its first attempt was lost, meets an
    /// upload that is over. Names are never used twice, so the object is the one of this upload.
    async fn is_there(&self) -> bool {
        matches!(self.bucket.head(&self.key).await, Ok(Some(size)) if size == self.sent)
    }

    /// Gives the parts back after a failure, as far as that is possible.
    async fn abort(&mut self, error: StoreError) -> Error {
        if let Some(multipart) = self.multipart.take() {
            let request = self.bucket.client().abort_multipart_upload();
            let request = request.bucket(self.bucket.name()).key(&self.key);
            // The first error is the one to report; the lifecycle rule removes what stays.
            drop(request.upload_id(multipart.id).send().await);
        }
        self.closed = true;
        convert(error)
    }
}

#[async_trait]
impl FileWrite for Upload {
    async fn write(&mut self, bytes: Bytes) -> iceberg::Result<()> {
        self.refuse_closed()?;
        self.buffer.extend_from_slice(&bytes);
        while self.buffer.len() >= PART_BYTES {
            let part = self.buffer.split_to(PART_BYTES).freeze();
            if let Err(error) = self.send_part(part).await {
                return Err(self.abort(error).await);
            }
        }
        Ok(())
    }

    async fn close(&mut self) -> iceberg::Result<()> {
        self.refuse_closed()?;
        if let Err(error) = self.complete().await {
            return Err(self.abort(error).await);
        }
        self.closed = true;
        Ok(())
    }
}
