//! What the server knows: buckets, objects, open multipart uploads and event subscribers.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use s3s::dto::{Checksum, ETag, ETagCondition, Metadata, Timestamp};
use s3s::{S3Result, s3_error};
use tokio::sync::mpsc::UnboundedSender;

use super::contents::Content;
use super::event::{ObjectCreated, Reason};

/// The headers that are kept with an object.
#[derive(Debug, Clone, Default)]
pub(super) struct KeptHeaders {
    pub(super) content_type: Option<String>,
    pub(super) cache_control: Option<String>,
    pub(super) content_disposition: Option<String>,
    pub(super) content_encoding: Option<String>,
    pub(super) content_language: Option<String>,
    pub(super) metadata: Option<Metadata>,
}

/// One object's current state; replaced as a whole.
#[derive(Debug)]
pub(super) struct Object {
    /// Entity tag without quotes.
    pub(super) etag: String,
    pub(super) size: u64,
    /// Whole seconds, as S3 keeps it.
    pub(super) modified: SystemTime,
    pub(super) headers: KeptHeaders,
    pub(super) checksum: Checksum,
    pub(super) content: Arc<Content>,
}

impl Object {
    pub(super) fn e_tag(&self) -> ETag {
        ETag::Strong(self.etag.clone())
    }

    pub(super) fn last_modified(&self) -> Timestamp {
        Timestamp::from(self.modified)
    }
}

/// A bucket.
#[derive(Debug)]
pub(super) struct Bucket {
    pub(super) created: SystemTime,
    pub(super) objects: BTreeMap<String, Arc<Object>>,
}

/// One uploaded part.
#[derive(Debug, Clone)]
pub(super) struct Part {
    pub(super) md5: [u8; 16],
    pub(super) size: u64,
    pub(super) modified: SystemTime,
    pub(super) checksum: Checksum,
    pub(super) content: Arc<Content>,
}

/// An open multipart upload.
#[derive(Debug)]
pub(super) struct Upload {
    pub(super) bucket: String,
    pub(super) key: String,
    pub(super) headers: KeptHeaders,
    pub(super) parts: BTreeMap<i32, Part>,
}

/// Who owns the buckets and where they are.
#[derive(Debug, Clone)]
pub(super) struct Owner {
    pub(super) account_id: String,
    pub(super) region: String,
}

/// The conditions of a write.
#[derive(Debug, Default)]
pub(super) struct WriteConditions {
    pub(super) if_match: Option<ETagCondition>,
    pub(super) if_none_match: Option<ETagCondition>,
}

impl WriteConditions {
    /// S3 takes `If-None-Match: *` or `If-Match: <etag>`, not both.
    fn check(&self, current: Option<&Object>) -> S3Result<()> {
        match (&self.if_match, &self.if_none_match, current) {
            (None, None, _) => Ok(()),
            (None, Some(ETagCondition::Any), None) => Ok(()),
            (None, Some(ETagCondition::Any), Some(_)) => Err(precondition_failed()),
            (Some(_), None, None) => Err(s3_error!(NoSuchKey)),
            (Some(ETagCondition::Any), None, Some(_)) => Ok(()),
            (Some(ETagCondition::ETag(etag)), None, Some(object)) => {
                if etag.strong_cmp(&object.e_tag()) { Ok(()) } else { Err(precondition_failed()) }
            }
            (Some(_), Some(_), _) | (None, Some(ETagCondition::ETag(_)), _) => Err(s3_error!(
                NotImplemented,
                "A header you provided implies functionality that is not implemented"
            )),
        }
    }
}

pub(super) fn precondition_failed() -> s3s::S3Error {
    s3_error!(PreconditionFailed, "At least one of the pre-conditions you specified did not hold")
}

/// Everything under the server's one lock.
#[derive(Debug)]
pub(super) struct Index {
    pub(super) buckets: BTreeMap<String, Bucket>,
    pub(super) uploads: BTreeMap<String, Upload>,
    subscribers: Vec<UnboundedSender<ObjectCreated>>,
    sequence: u64,
}

impl Index {
    pub(super) fn new() -> Self {
        Self {
            buckets: BTreeMap::new(),
            uploads: BTreeMap::new(),
            subscribers: Vec::new(),
            sequence: since_epoch().as_micros().try_into().unwrap_or(u64::MAX / 2),
        }
    }

    pub(super) fn subscribe(&mut self, subscriber: UnboundedSender<ObjectCreated>) {
        self.subscribers.push(subscriber);
    }

    pub(super) fn bucket(&self, name: &str) -> S3Result<&Bucket> {
        self.buckets.get(name).ok_or_else(|| s3_error!(NoSuchBucket))
    }

    pub(super) fn object(&self, bucket: &str, key: &str) -> S3Result<&Arc<Object>> {
        self.bucket(bucket)?.objects.get(key).ok_or_else(|| s3_error!(NoSuchKey))
    }

    pub(super) fn upload(&self, id: &str, bucket: &str, key: &str) -> S3Result<&Upload> {
        self.uploads
            .get(id)
            .filter(|upload| upload.bucket == bucket && upload.key == key)
            .ok_or_else(|| s3_error!(NoSuchUpload))
    }

    /// Sets an object's time of modification, to the whole second.
    pub(super) fn set_modified(&mut self, bucket: &str, key: &str, modified: SystemTime) -> bool {
        let bucket = self.buckets.get_mut(bucket);
        let Some(object) = bucket.and_then(|bucket| bucket.objects.get_mut(key)) else {
            return false;
        };
        let seconds = modified.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        *object = Arc::new(Object {
            etag: object.etag.clone(),
            size: object.size,
            modified: UNIX_EPOCH + Duration::from_secs(seconds),
            headers: object.headers.clone(),
            checksum: object.checksum.clone(),
            content: object.content.clone(),
        });
        true
    }

    /// Compares the conditions with the current object without changing anything.
    pub(super) fn check(&self, bucket: &str, key: &str, on: &WriteConditions) -> S3Result<()> {
        on.check(self.bucket(bucket)?.objects.get(key).map(Arc::as_ref))
    }

    /// Compares the conditions with the current object and swaps it, then tells the subscribers.
    pub(super) fn replace(&mut self, owner: &Owner, put: Put<'_>) -> S3Result<()> {
        self.check(put.bucket, put.key, put.conditions)?;
        self.sequence += 1;
        let event = ObjectCreated {
            id: uuid::Uuid::new_v4().to_string(),
            account: owner.account_id.clone(),
            region: owner.region.clone(),
            time: chrono::Utc::now(),
            bucket: put.bucket.to_owned(),
            key: put.key.to_owned(),
            size: put.object.size,
            etag: put.object.etag.clone(),
            sequencer: format!("{:018X}", self.sequence),
            request_id: put.request_id.to_owned(),
            reason: put.reason,
        };
        if let Some(bucket) = self.buckets.get_mut(put.bucket) {
            bucket.objects.insert(put.key.to_owned(), put.object);
        }
        self.subscribers.retain(|subscriber| subscriber.send(event.clone()).is_ok());
        Ok(())
    }
}

/// One write of an object.
pub(super) struct Put<'a> {
    pub(super) bucket: &'a str,
    pub(super) key: &'a str,
    pub(super) object: Arc<Object>,
    pub(super) conditions: &'a WriteConditions,
    pub(super) reason: Reason,
    pub(super) request_id: &'a str,
}

fn since_epoch() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// Now, in whole seconds.
pub(super) fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(since_epoch().as_secs())
}

/// A fresh request id in S3's form.
pub(super) fn request_id() -> String {
    uuid::Uuid::new_v4().simple().to_string()[..16].to_ascii_uppercase()
}
