//! The "Object Created" event that S3 sends to EventBridge.
//!
//! Source: Amazon S3 user guide, "EventBridge event message structure" (`ev-events.html`).

use chrono::{DateTime, Utc};
use serde::{Serialize, Serializer};

/// The operation that created the object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Reason {
    /// A single put.
    PutObject,
    /// A copy.
    CopyObject,
    /// A completed multipart upload.
    CompleteMultipartUpload,
}

/// An object was created; serialises to the EventBridge event body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectCreated {
    /// The event's own id (UUID).
    pub id: String,
    /// The bucket owner's account, 12 digits.
    pub account: String,
    /// The bucket's region.
    pub region: String,
    /// When the object was created; the event shows whole seconds.
    pub time: DateTime<Utc>,
    /// Bucket name.
    pub bucket: String,
    /// Object key, not URL-encoded.
    pub key: String,
    /// Object size in bytes.
    pub size: u64,
    /// Entity tag without quotes.
    pub etag: String,
    /// Upper-case hexadecimal; orders the events of one key.
    pub sequencer: String,
    /// Id of the request that created the object.
    pub request_id: String,
    /// What created it.
    pub reason: Reason,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Body<'a> {
    version: &'static str,
    id: &'a str,
    detail_type: &'static str,
    source: &'static str,
    account: &'a str,
    time: String,
    region: &'a str,
    resources: [String; 1],
    detail: Detail<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Detail<'a> {
    version: &'static str,
    bucket: BucketName<'a>,
    object: Object<'a>,
    request_id: &'a str,
    requester: &'a str,
    source_ip_address: &'static str,
    reason: Reason,
}

#[derive(Serialize)]
struct BucketName<'a> {
    name: &'a str,
}

#[derive(Serialize)]
struct Object<'a> {
    key: &'a str,
    size: u64,
    etag: &'a str,
    sequencer: &'a str,
}

impl Serialize for ObjectCreated {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let body = Body {
            version: "0",
            id: &self.id,
            detail_type: "Object Created",
            source: "aws.s3",
            account: &self.account,
            time: self.time.format("%Y-%m-%dT%H:%M:%SZ").to_string(),
            region: &self.region,
            resources: [format!("arn:aws:s3:::{}", self.bucket)],
            detail: Detail {
                version: "0",
                bucket: BucketName { name: &self.bucket },
                object: Object {
                    key: &self.key,
                    size: self.size,
                    etag: &self.etag,
                    sequencer: &self.sequencer,
                },
                request_id: &self.request_id,
                requester: &self.account,
                // The endpoint listens on loopback only.
                source_ip_address: "127.0.0.1",
                reason: self.reason,
            },
        };
        body.serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_event_body_is_the_documented_one() {
        let event = ObjectCreated {
            id: "2ee9cc15-d022-99ea-1fb8-1b1bac4850f9".into(),
            account: "111122223333".into(),
            region: "sa-east-1".into(),
            time: DateTime::parse_from_rfc3339("2021-11-12T00:00:00.75Z").unwrap().to_utc(),
            bucket: "amzn-s3-demo-bucket1".into(),
            key: "bronze/a b+c/é.parquet".into(),
            size: 5,
            etag: "b57f9512698f4b09e608f4f2a65852e5".into(),
            sequencer: "00617F08299329D189".into(),
            request_id: "N4N7GDK58NMKJ12R".into(),
            reason: Reason::PutObject,
        };
        let expected = serde_json::json!({
            "version": "0",
            "id": "2ee9cc15-d022-99ea-1fb8-1b1bac4850f9",
            "detail-type": "Object Created",
            "source": "aws.s3",
            "account": "111122223333",
            "time": "2021-11-12T00:00:00Z",
            "region": "sa-east-1",
            "resources": ["arn:aws:s3:::amzn-s3-demo-bucket1"],
            "detail": {
                "version": "0",
                "bucket": {"name": "amzn-s3-demo-bucket1"},
                "object": {
                    "key": "bronze/a b+c/é.parquet",
                    "size": 5,
                    "etag": "b57f9512698f4b09e608f4f2a65852e5",
                    "sequencer": "00617F08299329D189"
                },
                "request-id": "N4N7GDK58NMKJ12R",
                "requester": "111122223333",
                "source-ip-address": "127.0.0.1",
                "reason": "PutObject"
            }
        });
        assert_eq!(serde_json::to_value(&event).unwrap(), expected);
    }
}
