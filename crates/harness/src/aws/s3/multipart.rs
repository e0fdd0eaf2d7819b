//! Multipart uploads.

use std::collections::BTreeMap;
use std::sync::Arc;

use md5::{Digest, Md5};
use s3s::dto::{
    Checksum, CompleteMultipartUploadInput, CompleteMultipartUploadOutput, CompletedPart,
    CreateMultipartUploadInput, CreateMultipartUploadOutput, ETag, ListPartsInput, ListPartsOutput,
    Part as PartEntry, StorageClass, Timestamp, UploadPartInput, UploadPartOutput,
};
use s3s::{S3Result, s3_error};

use super::Store;
use super::checksum::Declared;
use super::contents::drain;
use super::event::Reason;
use super::index::{KeptHeaders, Object, Part, Put, Upload, WriteConditions, now};
use super::objects::{Envelope, content_type};

/// Every part but the last has at least this many bytes.
const SMALLEST_PART: u64 = 5 * 1024 * 1024;
/// The highest part number.
const LAST_PART: i32 = 10_000;

impl Store {
    pub(super) fn create_upload(
        &self,
        mut input: CreateMultipartUploadInput,
    ) -> S3Result<CreateMultipartUploadOutput> {
        let mut index = self.index();
        index.bucket(&input.bucket)?;
        let headers = KeptHeaders {
            content_type: Some(content_type(input.content_type.take())),
            cache_control: input.cache_control.take(),
            content_disposition: input.content_disposition.take(),
            content_encoding: input.content_encoding.take(),
            content_language: input.content_language.take(),
            metadata: input.metadata.take(),
        };
        let id = uuid::Uuid::new_v4().simple().to_string();
        let (bucket, key) = (input.bucket.clone(), input.key.clone());
        index.uploads.insert(id.clone(), Upload { bucket, key, headers, parts: BTreeMap::new() });
        Ok(CreateMultipartUploadOutput {
            bucket: Some(input.bucket),
            key: Some(input.key),
            upload_id: Some(id),
            checksum_algorithm: input.checksum_algorithm,
            checksum_type: input.checksum_type,
            ..CreateMultipartUploadOutput::default()
        })
    }

    pub(super) async fn upload_part(
        &self,
        mut input: UploadPartInput,
        envelope: Envelope,
    ) -> S3Result<UploadPartOutput> {
        let struck = self.faults.strike("UploadPart", &input.key);
        let body = input.body.take();
        let (id, number) = (&input.upload_id, input.part_number);
        let early = struck
            .refuse()
            .and_then(|()| check_number(number))
            .and_then(|()| self.index().upload(id, &input.bucket, &input.key).map(drop));
        if let Err(refused) = early {
            drain(body).await;
            return Err(refused);
        }
        let declared = Declared::read(&envelope.headers, envelope.trailers);
        let stored = self.contents.store(body, &declared).await?;
        self.meter.written(&input.key, stored.size);
        let checksum = stored.digests.checksum;
        let part = Part {
            md5: stored.digests.md5,
            size: stored.size,
            modified: now(),
            checksum: checksum.clone(),
            content: stored.content,
        };
        let e_tag = Some(part_etag(&part));
        let mut index = self.index();
        // The upload may have ended while the body was on its way.
        let upload = index.uploads.get_mut(id).ok_or_else(|| s3_error!(NoSuchUpload))?;
        upload.parts.insert(number, part);
        Ok(UploadPartOutput {
            e_tag,
            checksum_crc32: checksum.checksum_crc32,
            checksum_crc32c: checksum.checksum_crc32c,
            checksum_crc64nvme: checksum.checksum_crc64nvme,
            checksum_sha1: checksum.checksum_sha1,
            checksum_sha256: checksum.checksum_sha256,
            ..UploadPartOutput::default()
        })
    }

    pub(super) async fn complete_upload(
        &self,
        input: CompleteMultipartUploadInput,
        request_id: &str,
    ) -> S3Result<CompleteMultipartUploadOutput> {
        let (bucket, key, id) = (&input.bucket, &input.key, &input.upload_id);
        let struck = self.faults.strike("CompleteMultipartUpload", key);
        struck.refuse()?;
        let conditions =
            WriteConditions { if_match: input.if_match, if_none_match: input.if_none_match };
        let asked = input.multipart_upload.and_then(|list| list.parts).unwrap_or_default();
        let (parts, headers) = {
            let index = self.index();
            let upload = index.upload(id, bucket, key)?;
            index.check(bucket, key, &conditions)?;
            (choose_parts(upload, &asked)?, upload.headers.clone())
        };
        let size = parts.iter().map(|part| part.size).sum();
        let etag = whole_etag(&parts);
        let contents = parts.into_iter().map(|part| part.content).collect();
        let object = Arc::new(Object {
            etag,
            size,
            modified: now(),
            headers,
            checksum: Checksum::default(),
            content: self.contents.concatenate(contents).await?,
        });
        let mut index = self.index();
        index.upload(id, bucket, key)?;
        if !struck.drops() {
            let put = Put {
                bucket,
                key,
                object: object.clone(),
                conditions: &conditions,
                reason: Reason::CompleteMultipartUpload,
                request_id,
            };
            index.replace(&self.owner, put)?;
        }
        index.uploads.remove(id);
        drop(index);
        struck.reply(CompleteMultipartUploadOutput {
            location: Some(format!("/{bucket}/{key}")),
            e_tag: Some(object.e_tag()),
            bucket: Some(input.bucket),
            key: Some(input.key),
            ..CompleteMultipartUploadOutput::default()
        })
    }

    pub(super) fn abort_upload(&self, id: &str, bucket: &str, key: &str) -> S3Result<()> {
        let mut index = self.index();
        index.upload(id, bucket, key)?;
        index.uploads.remove(id);
        Ok(())
    }

    pub(super) fn list_parts(&self, input: ListPartsInput) -> S3Result<ListPartsOutput> {
        let index = self.index();
        let upload = index.upload(&input.upload_id, &input.bucket, &input.key)?;
        let after = input.part_number_marker.unwrap_or(0);
        let limit = input.max_parts.unwrap_or(1000).clamp(0, 1000);
        let mut rest = upload.parts.range(after.saturating_add(1)..);
        let shown: Vec<_> =
            rest.by_ref().take(usize::try_from(limit).unwrap_or_default()).collect();
        let truncated = limit > 0 && rest.next().is_some();
        let next = shown.last().map(|(number, _)| **number).filter(|_| truncated);
        let entry = |(number, part): (&i32, &Part)| PartEntry {
            part_number: Some(*number),
            e_tag: Some(part_etag(part)),
            size: i64::try_from(part.size).ok(),
            last_modified: Some(Timestamp::from(part.modified)),
            checksum_crc32: part.checksum.checksum_crc32.clone(),
            checksum_crc32c: part.checksum.checksum_crc32c.clone(),
            checksum_crc64nvme: part.checksum.checksum_crc64nvme.clone(),
            checksum_sha1: part.checksum.checksum_sha1.clone(),
            checksum_sha256: part.checksum.checksum_sha256.clone(),
        };
        let parts = shown.into_iter().map(entry).collect();
        Ok(ListPartsOutput {
            parts: Some(parts),
            is_truncated: Some(truncated),
            next_part_number_marker: next,
            part_number_marker: Some(after),
            max_parts: Some(limit),
            bucket: Some(input.bucket),
            key: Some(input.key),
            upload_id: Some(input.upload_id),
            storage_class: Some(StorageClass::from_static(StorageClass::STANDARD)),
            ..ListPartsOutput::default()
        })
    }
}

fn check_number(number: i32) -> S3Result<()> {
    if (1..=LAST_PART).contains(&number) {
        return Ok(());
    }
    Err(s3_error!(
        InvalidArgument,
        "Part number must be an integer between 1 and {LAST_PART}, inclusive"
    ))
}

/// The parts named by the client, in its order, which must ascend.
fn choose_parts(upload: &Upload, asked: &[CompletedPart]) -> S3Result<Vec<Part>> {
    if asked.is_empty() {
        return Err(s3_error!(MalformedXML, "You must specify at least one part"));
    }
    let mut chosen = Vec::with_capacity(asked.len());
    let mut last = 0;
    for part in asked {
        let number = part.part_number.ok_or_else(|| s3_error!(MalformedXML))?;
        if number <= last {
            return Err(s3_error!(InvalidPartOrder));
        }
        last = number;
        let matching = upload.parts.get(&number).filter(|stored| {
            part.e_tag.as_ref().is_some_and(|etag| etag.strong_cmp(&part_etag(stored)))
        });
        chosen.push(matching.ok_or_else(|| s3_error!(InvalidPart))?.clone());
    }
    let all_but_last = &chosen[..chosen.len() - 1];
    if all_but_last.iter().any(|part| part.size < SMALLEST_PART) {
        return Err(s3_error!(EntityTooSmall));
    }
    Ok(chosen)
}

fn part_etag(part: &Part) -> ETag {
    ETag::Strong(hex::encode(part.md5))
}

/// The MD5 of the parts' MD5s, a dash, the number of parts.
fn whole_etag(parts: &[Part]) -> String {
    let mut digest = Md5::new();
    for part in parts {
        digest.update(part.md5);
    }
    format!("{}-{}", hex::encode(digest.finalize()), parts.len())
}
