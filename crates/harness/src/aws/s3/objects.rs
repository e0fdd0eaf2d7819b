//! Object operations.

use std::ops::Range as Bytes;
use std::sync::Arc;

use hyper::HeaderMap;
use s3s::dto::{
    Checksum, CopyObjectInput, CopyObjectOutput, CopyObjectResult, CopySource, Delete,
    DeleteObjectInput, DeleteObjectsOutput, DeletedObject, ETagCondition, GetObjectInput,
    GetObjectOutput, HeadObjectInput, HeadObjectOutput, MetadataDirective, PutObjectInput,
    PutObjectOutput, Range, Timestamp,
};
use s3s::{S3Error, S3Result, TrailingHeaders, s3_error};

use super::Store;
use super::checksum::Declared;
use super::contents::{drain, read};
use super::event::Reason;
use super::index::{KeptHeaders, Object, Put, WriteConditions, now, precondition_failed};
use crate::aws::faults::Struck;

/// The parts of a request that are not in its typed input.
pub(super) struct Envelope {
    pub(super) headers: HeaderMap,
    pub(super) trailers: Option<TrailingHeaders>,
    pub(super) request_id: String,
}

impl Struck {
    /// The refusal, if the request is to be refused.
    pub(super) fn refuse(self) -> S3Result<()> {
        if self.refuses() {
            Err(s3_error!(SlowDown, "Please reduce your request rate."))
        } else {
            Ok(())
        }
    }

    /// The refusal of a read: without its reply nothing was read either.
    pub(super) fn refuse_read(self) -> S3Result<()> {
        self.refuse()?;
        self.reply(())
    }

    /// The reply, unless it is to be lost.
    pub(super) fn reply<T>(self, output: T) -> S3Result<T> {
        if self.loses_reply() {
            return Err(s3_error!(
                InternalError,
                "We encountered an internal error. Please try again."
            ));
        }
        Ok(output)
    }
}

impl Store {
    pub(super) async fn put_object(
        &self,
        mut input: PutObjectInput,
        envelope: Envelope,
    ) -> S3Result<PutObjectOutput> {
        let struck = self.faults.strike("PutObject", &input.key);
        let body = input.body.take();
        if let Err(refused) = struck.refuse() {
            drain(body).await;
            return Err(refused);
        }
        let conditions = WriteConditions {
            if_match: input.if_match.take(),
            if_none_match: input.if_none_match.take(),
        };
        let early = self.index().check(&input.bucket, &input.key, &conditions);
        if let Err(refused) = early {
            drain(body).await;
            return Err(refused);
        }
        let declared = Declared::read(&envelope.headers, envelope.trailers);
        let stored = self.contents.store(body, &declared).await?;
        self.meter.written(&input.key, stored.size);
        let object = Arc::new(Object {
            etag: hex::encode(stored.digests.md5),
            size: stored.size,
            modified: now(),
            headers: put_headers(&mut input),
            checksum: stored.digests.checksum,
            content: stored.content,
        });
        if !struck.drops() {
            let put = Put {
                bucket: &input.bucket,
                key: &input.key,
                object: object.clone(),
                conditions: &conditions,
                reason: Reason::PutObject,
                request_id: &envelope.request_id,
            };
            self.index().replace(&self.owner, put)?;
        }
        let checksum = object.checksum.clone();
        struck.reply(PutObjectOutput {
            e_tag: Some(object.e_tag()),
            checksum_crc32: checksum.checksum_crc32,
            checksum_crc32c: checksum.checksum_crc32c,
            checksum_crc64nvme: checksum.checksum_crc64nvme,
            checksum_sha1: checksum.checksum_sha1,
            checksum_sha256: checksum.checksum_sha256,
            ..PutObjectOutput::default()
        })
    }

    pub(super) async fn get_object(&self, input: GetObjectInput) -> S3Result<GetObjectOutput> {
        let struck = self.faults.strike("GetObject", &input.key);
        struck.refuse_read()?;
        if struck.vanishes() {
            self.delete(&input.bucket, &input.key, &WriteConditions::default())?;
        }
        only_current(input.version_id.as_deref())?;
        whole_object(input.part_number)?;
        let object = self.index().object(&input.bucket, &input.key)?.clone();
        ReadConditions {
            if_match: input.if_match.as_ref(),
            if_none_match: input.if_none_match.as_ref(),
            if_modified_since: input.if_modified_since.as_ref(),
            if_unmodified_since: input.if_unmodified_since.as_ref(),
        }
        .check(&object)?;
        let (range, content_range) = resolve_range(input.range, object.size)?;
        let asked = input.checksum_mode.is_some() && content_range.is_none();
        let checksum = if asked { object.checksum.clone() } else { Checksum::default() };
        let length = range.end - range.start;
        self.meter.read(&input.key, length);
        let headers = object.headers.clone();
        Ok(GetObjectOutput {
            body: Some(read(object.content.clone(), range).await?),
            accept_ranges: Some("bytes".to_owned()),
            content_length: i64::try_from(length).ok(),
            content_range,
            e_tag: Some(object.e_tag()),
            last_modified: Some(object.last_modified()),
            content_type: headers.content_type,
            cache_control: headers.cache_control,
            content_disposition: headers.content_disposition,
            content_encoding: headers.content_encoding,
            content_language: headers.content_language,
            metadata: headers.metadata,
            checksum_crc32: checksum.checksum_crc32,
            checksum_crc32c: checksum.checksum_crc32c,
            checksum_crc64nvme: checksum.checksum_crc64nvme,
            checksum_sha1: checksum.checksum_sha1,
            checksum_sha256: checksum.checksum_sha256,
            ..GetObjectOutput::default()
        })
    }

    pub(super) fn head_object(&self, input: &HeadObjectInput) -> S3Result<HeadObjectOutput> {
        self.faults.strike("HeadObject", &input.key).refuse_read()?;
        only_current(input.version_id.as_deref())?;
        whole_object(input.part_number)?;
        let object = self.index().object(&input.bucket, &input.key)?.clone();
        ReadConditions {
            if_match: input.if_match.as_ref(),
            if_none_match: input.if_none_match.as_ref(),
            if_modified_since: input.if_modified_since.as_ref(),
            if_unmodified_since: input.if_unmodified_since.as_ref(),
        }
        .check(&object)?;
        let (range, content_range) = resolve_range(input.range, object.size)?;
        let asked = input.checksum_mode.is_some() && content_range.is_none();
        let checksum = if asked { object.checksum.clone() } else { Checksum::default() };
        let headers = object.headers.clone();
        Ok(HeadObjectOutput {
            accept_ranges: Some("bytes".to_owned()),
            content_length: i64::try_from(range.end - range.start).ok(),
            content_range,
            e_tag: Some(object.e_tag()),
            last_modified: Some(object.last_modified()),
            content_type: headers.content_type,
            cache_control: headers.cache_control,
            content_disposition: headers.content_disposition,
            content_encoding: headers.content_encoding,
            content_language: headers.content_language,
            metadata: headers.metadata,
            checksum_crc32: checksum.checksum_crc32,
            checksum_crc32c: checksum.checksum_crc32c,
            checksum_crc64nvme: checksum.checksum_crc64nvme,
            checksum_sha1: checksum.checksum_sha1,
            checksum_sha256: checksum.checksum_sha256,
            ..HeadObjectOutput::default()
        })
    }

    pub(super) fn copy_object(
        &self,
        mut input: CopyObjectInput,
        request_id: &str,
    ) -> S3Result<CopyObjectOutput> {
        let struck = self.faults.strike("CopyObject", &input.key);
        struck.refuse()?;
        let (source_bucket, source_key) = copy_source(&input.copy_source)?;
        let mut index = self.index();
        let source = index.object(source_bucket, source_key)?.clone();
        ReadConditions {
            if_match: input.copy_source_if_match.as_ref(),
            if_none_match: input.copy_source_if_none_match.as_ref(),
            if_modified_since: input.copy_source_if_modified_since.as_ref(),
            if_unmodified_since: input.copy_source_if_unmodified_since.as_ref(),
        }
        .check(&source)
        .map_err(|_| precondition_failed())?;
        let directive = input.metadata_directive.as_ref().map(MetadataDirective::as_str);
        let replaces = directive == Some(MetadataDirective::REPLACE);
        if !replaces && (source_bucket, source_key) == (input.bucket.as_str(), input.key.as_str()) {
            return Err(s3_error!(
                InvalidRequest,
                "This copy request is illegal because it is trying to copy an object to itself \
                 without changing the object's metadata."
            ));
        }
        let headers = if replaces { copy_headers(&mut input) } else { source.headers.clone() };
        let object = Arc::new(Object {
            etag: source.etag.clone(),
            size: source.size,
            modified: now(),
            headers,
            checksum: source.checksum.clone(),
            content: source.content.clone(),
        });
        let put = Put {
            bucket: &input.bucket,
            key: &input.key,
            object: object.clone(),
            conditions: &WriteConditions::default(),
            reason: Reason::CopyObject,
            request_id,
        };
        index.replace(&self.owner, put)?;
        let result = CopyObjectResult {
            e_tag: Some(object.e_tag()),
            last_modified: Some(object.last_modified()),
            ..CopyObjectResult::default()
        };
        struck.reply(CopyObjectOutput { copy_object_result: Some(result), ..Default::default() })
    }

    pub(super) fn delete_object(&self, input: &DeleteObjectInput) -> S3Result<()> {
        let struck = self.faults.strike("DeleteObject", &input.key);
        struck.refuse()?;
        only_current(input.version_id.as_deref())?;
        let conditions = WriteConditions { if_match: input.if_match.clone(), if_none_match: None };
        self.delete(&input.bucket, &input.key, &conditions)?;
        struck.reply(())
    }

    pub(super) fn delete_objects(
        &self,
        bucket: &str,
        delete: Delete,
    ) -> S3Result<DeleteObjectsOutput> {
        self.index().bucket(bucket)?;
        if delete.objects.is_empty() || delete.objects.len() > 1000 {
            return Err(s3_error!(MalformedXML, "between 1 and 1000 keys may be deleted at once"));
        }
        let (mut deleted, mut errors) = (Vec::new(), Vec::new());
        for object in delete.objects {
            let if_match = object.e_tag.map(ETagCondition::ETag);
            let conditions = WriteConditions { if_match, if_none_match: None };
            let outcome = only_current(object.version_id.as_deref())
                .and_then(|()| self.delete(bucket, &object.key, &conditions));
            match outcome {
                Ok(()) => {
                    deleted.push(DeletedObject { key: Some(object.key), ..Default::default() });
                }
                Err(error) => errors.push(s3s::dto::Error {
                    code: Some(error.code().as_str().to_owned()),
                    key: Some(object.key),
                    message: error.message().map(str::to_owned),
                    version_id: None,
                }),
            }
        }
        let quiet = delete.quiet.unwrap_or(false);
        Ok(DeleteObjectsOutput {
            deleted: (!quiet).then_some(deleted),
            errors: (!errors.is_empty()).then_some(errors),
            ..DeleteObjectsOutput::default()
        })
    }

    fn delete(&self, bucket: &str, key: &str, conditions: &WriteConditions) -> S3Result<()> {
        let mut index = self.index();
        index.check(bucket, key, conditions)?;
        if let Some(bucket) = index.buckets.get_mut(bucket) {
            bucket.objects.remove(key);
        }
        Ok(())
    }
}

/// The conditions of a read (RFC 9110, section 13).
struct ReadConditions<'a> {
    if_match: Option<&'a ETagCondition>,
    if_none_match: Option<&'a ETagCondition>,
    if_modified_since: Option<&'a Timestamp>,
    if_unmodified_since: Option<&'a Timestamp>,
}

impl ReadConditions<'_> {
    fn check(&self, object: &Object) -> S3Result<()> {
        let is = |condition: &ETagCondition| match condition {
            ETagCondition::Any => true,
            ETagCondition::ETag(etag) => etag.weak_cmp(&object.e_tag()),
        };
        let modified = object.last_modified();
        match (self.if_match, self.if_unmodified_since) {
            (Some(condition), _) if !is(condition) => return Err(precondition_failed()),
            (None, Some(since)) if modified > *since => return Err(precondition_failed()),
            _ => {}
        }
        match (self.if_none_match, self.if_modified_since) {
            (Some(condition), _) if is(condition) => Err(s3_error!(NotModified)),
            (None, Some(since)) if modified <= *since => Err(s3_error!(NotModified)),
            _ => Ok(()),
        }
    }
}

/// Versioning is off: the only version is the current one.
fn only_current(version_id: Option<&str>) -> S3Result<()> {
    match version_id {
        None | Some("null") => Ok(()),
        Some(_) => Err(s3_error!(NoSuchVersion)),
    }
}

fn whole_object(part_number: Option<i32>) -> S3Result<()> {
    match part_number {
        None => Ok(()),
        Some(_) => Err(s3_error!(NotImplemented, "reading by part number is not implemented")),
    }
}

fn resolve_range(range: Option<Range>, size: u64) -> S3Result<(Bytes<u64>, Option<String>)> {
    let Some(range) = range else {
        return Ok((0..size, None));
    };
    let bytes = range.check(size).map_err(|_| {
        S3Error::with_message(
            s3s::S3ErrorCode::InvalidRange,
            "The requested range is not satisfiable",
        )
    })?;
    let shown = format!("bytes {}-{}/{size}", bytes.start, bytes.end - 1);
    Ok((bytes, Some(shown)))
}

fn copy_source(source: &CopySource) -> S3Result<(&str, &str)> {
    match source {
        CopySource::Bucket { bucket, key, version_id } => {
            only_current(version_id.as_deref())?;
            Ok((bucket, key))
        }
        CopySource::AccessPoint { .. } | CopySource::Outpost { .. } => {
            Err(s3_error!(NotImplemented, "copy sources other than buckets are not implemented"))
        }
    }
}

fn put_headers(input: &mut PutObjectInput) -> KeptHeaders {
    KeptHeaders {
        content_type: Some(content_type(input.content_type.take())),
        cache_control: input.cache_control.take(),
        content_disposition: input.content_disposition.take(),
        content_encoding: input.content_encoding.take(),
        content_language: input.content_language.take(),
        metadata: input.metadata.take(),
    }
}

fn copy_headers(input: &mut CopyObjectInput) -> KeptHeaders {
    KeptHeaders {
        content_type: Some(content_type(input.content_type.take())),
        cache_control: input.cache_control.take(),
        content_disposition: input.content_disposition.take(),
        content_encoding: input.content_encoding.take(),
        content_language: input.content_language.take(),
        metadata: input.metadata.take(),
    }
}

/// What S3 shows when no type was given.
pub(super) fn content_type(given: Option<String>) -> String {
    given.unwrap_or_else(|| "binary/octet-stream".to_owned())
}
