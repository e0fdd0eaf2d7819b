//! Object-created events and planned faults of the S3 server.

use std::time::Duration;

use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::primitives::ByteStream;
use medallion_harness::aws::faults::{
    FAULT_COPY_REPLY_LOST, FAULT_GET_REFUSED, FAULT_PUT_DROPPED, FAULT_PUT_REFUSED,
    FAULT_PUT_REPLY_LOST, FaultPlan,
};
use medallion_harness::aws::s3::Reason;

use crate::s3_objects::{get, put};
use crate::{ACCOUNT, BUCKET, REGION, RIGHT, S3, code, s3, s3_client};

#[tokio::test]
async fn every_created_object_sends_one_event_in_order() {
    let S3 { server, client, .. } = &s3().await;
    let mut events = server.events();
    put(client, "bronze/a b.parquet", "abc").await;
    client
        .copy_object()
        .bucket(BUCKET)
        .key("copy")
        .copy_source("lake/bronze/a%20b.parquet")
        .send()
        .await
        .unwrap();
    put(client, "bronze/a b.parquet", "abcd").await;
    client.delete_object().bucket(BUCKET).key("copy").send().await.unwrap();
    let first = events.try_recv().unwrap();
    assert_eq!(
        (first.key.as_str(), first.size, first.reason),
        ("bronze/a b.parquet", 3, Reason::PutObject)
    );
    assert_eq!(first.etag, "900150983cd24fb0d6963f7d28e17f72");
    let second = events.try_recv().unwrap();
    assert_eq!((second.key.as_str(), second.reason), ("copy", Reason::CopyObject));
    let third = events.try_recv().unwrap();
    assert_eq!((third.key.as_str(), third.size), ("bronze/a b.parquet", 4));
    assert!(third.sequencer > first.sequencer);
    assert!(events.try_recv().is_err(), "a deletion creates nothing");
    let body = serde_json::to_value(&third).unwrap();
    assert_eq!(body["source"], "aws.s3");
    assert_eq!(body["account"], ACCOUNT);
    assert_eq!(body["region"], REGION);
    assert_eq!(body["detail"]["bucket"]["name"], BUCKET);
}

#[tokio::test]
async fn a_refused_put_stores_nothing_and_sends_no_event() {
    let S3 { server, client, .. } = &s3().await;
    let mut events = server.events();
    let plan = FaultPlan::new(FAULT_PUT_REFUSED).when(|key| key.starts_with("bronze/")).times(1);
    let count = server.faults().install(plan);
    put(client, "other", "x").await;
    assert_eq!(count.struck(), 0);
    let body = ByteStream::from(vec![b'x'; 1_000_000]);
    let refused = client.put_object().bucket(BUCKET).key("bronze/k").body(body).send().await;
    assert_eq!(code(refused), "SlowDown");
    assert_eq!(count.struck(), 1);
    assert_eq!(get(client, "bronze/k").await, None);
    put(client, "bronze/k", "healed").await;
    assert_eq!(events.recv().await.unwrap().key, "other");
    assert_eq!(events.recv().await.unwrap().key, "bronze/k");
}

#[tokio::test]
async fn a_put_whose_reply_is_lost_is_stored_all_the_same() {
    let S3 { server, client, .. } = &s3().await;
    let mut events = server.events();
    server.faults().install(FaultPlan::new(FAULT_PUT_REPLY_LOST).times(1));
    let body = ByteStream::from_static(b"stored");
    let lost = client.put_object().bucket(BUCKET).key("k").body(body).send().await;
    assert_eq!(code(lost), "InternalError");
    assert_eq!(get(client, "k").await.as_deref(), Some("stored"));
    assert_eq!(events.recv().await.unwrap().key, "k");
}

#[tokio::test]
async fn a_retried_conditional_put_meets_its_own_object_after_a_lost_reply() {
    let S3 { server, client, .. } = &s3().await;
    server.faults().install(FaultPlan::new(FAULT_PUT_REPLY_LOST).times(1));
    let quick = RetryConfig::standard().with_initial_backoff(Duration::from_millis(1));
    let retrying = s3_client(&server.endpoint(), RIGHT, quick);
    let body = ByteStream::from_static(b"mine");
    let create = retrying.put_object().bucket(BUCKET).key("k").body(body).if_none_match("*");
    assert_eq!(code(create.send().await), "PreconditionFailed");
    assert_eq!(get(client, "k").await.as_deref(), Some("mine"));
}

#[tokio::test]
async fn a_dropped_put_reports_success_but_is_neither_stored_nor_announced() {
    let S3 { server, client, .. } = &s3().await;
    let mut events = server.events();
    put(client, "k", "before").await;
    let count = server.faults().install(FaultPlan::new(FAULT_PUT_DROPPED));
    let etag = put(client, "k", "abc").await;
    assert_eq!(etag, "\"900150983cd24fb0d6963f7d28e17f72\"");
    assert_eq!(count.struck(), 1);
    assert_eq!(get(client, "k").await.as_deref(), Some("before"));
    server.faults().clear();
    put(client, "k", "after").await;
    assert_eq!(events.recv().await.unwrap().size, 6);
    assert_eq!(events.recv().await.unwrap().size, 5, "nothing was sent in between");
}

#[tokio::test]
async fn reads_and_copies_fail_as_planned() {
    let S3 { server, client, .. } = &s3().await;
    put(client, "k", "x").await;
    server.faults().install(FaultPlan::new(FAULT_GET_REFUSED).times(1));
    let refused = client.get_object().bucket(BUCKET).key("k").send().await;
    assert_eq!(code(refused), "SlowDown");
    server.faults().install(FaultPlan::new(FAULT_COPY_REPLY_LOST).times(1));
    let lost = client.copy_object().bucket(BUCKET).key("k2").copy_source("lake/k").send().await;
    assert_eq!(code(lost), "InternalError");
    assert_eq!(get(client, "k2").await.as_deref(), Some("x"));
}

#[tokio::test]
async fn a_stopped_server_no_longer_answers() {
    let S3 { server, client, _folder } = s3().await;
    put(&client, "k", "x").await;
    tokio::time::timeout(Duration::from_secs(5), server.stop()).await.unwrap();
    assert!(client.get_object().bucket(BUCKET).key("k").send().await.is_err());
}
