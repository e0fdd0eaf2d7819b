//! Objects: conditions, ranges, listings, copies, deletions, signatures.

use std::collections::BTreeSet;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Output;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{Delete, MetadataDirective, ObjectIdentifier};
use futures::future::join_all;

use crate::{BUCKET, RIGHT, S3, Signer, code, s3, s3_client};

pub(crate) async fn put(client: &Client, key: &str, body: &str) -> String {
    let body = ByteStream::from(body.as_bytes().to_vec());
    let put = client.put_object().bucket(BUCKET).key(key).body(body);
    put.send().await.unwrap().e_tag.unwrap()
}

pub(crate) async fn get(client: &Client, key: &str) -> Option<String> {
    match client.get_object().bucket(BUCKET).key(key).send().await {
        Ok(object) => {
            let bytes = object.body.collect().await.unwrap().into_bytes();
            Some(String::from_utf8(bytes.to_vec()).unwrap())
        }
        Err(error) => {
            assert!(error.into_service_error().is_no_such_key());
            None
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_sixteen_creators_of_one_key_exactly_one_wins() {
    let S3 { client, .. } = &s3().await;
    for round in 0..8 {
        let key = format!("race/{round}");
        let create = |writer: usize| {
            let body = ByteStream::from(format!("writer {writer}").into_bytes());
            let put = client.put_object().bucket(BUCKET).key(&key).body(body);
            put.if_none_match("*").send()
        };
        let outcomes = join_all((0..16).map(create)).await;
        let winners: Vec<usize> = (0..16).filter(|writer| outcomes[*writer].is_ok()).collect();
        assert_eq!(winners.len(), 1, "round {round}");
        assert_eq!(get(client, &key).await, Some(format!("writer {}", winners[0])));
        for lost in outcomes.into_iter().filter(Result::is_err) {
            assert_eq!(code(lost), "PreconditionFailed");
        }
    }
}

#[tokio::test]
async fn a_conditional_replacement_needs_the_current_etag() {
    let S3 { client, .. } = &s3().await;
    let first = put(client, "k", "one").await;
    let replace = |key: &str, etag: &str, body: &str| {
        let body = ByteStream::from(body.as_bytes().to_vec());
        client.put_object().bucket(BUCKET).key(key).body(body).if_match(etag).send()
    };
    replace("k", &first, "two").await.unwrap();
    assert_eq!(code(replace("k", &first, "three").await), "PreconditionFailed");
    assert_eq!(code(replace("absent", &first, "x").await), "NoSuchKey");
    assert_eq!(get(client, "k").await.as_deref(), Some("two"));
}

#[tokio::test]
async fn reads_obey_conditions_and_ranges() {
    let S3 { client, .. } = &s3().await;
    let etag = put(client, "k", "0123456789").await;
    assert_eq!(etag, "\"781e5e245d69b566979b86e28d23f2c7\"", "the MD5 of the body");
    for (range, expected, shown) in [
        ("bytes=0-3", "0123", "bytes 0-3/10"),
        ("bytes=4-", "456789", "bytes 4-9/10"),
        ("bytes=-3", "789", "bytes 7-9/10"),
        ("bytes=8-99", "89", "bytes 8-9/10"),
    ] {
        let part = client.get_object().bucket(BUCKET).key("k").range(range).send().await.unwrap();
        assert_eq!(part.content_range.as_deref(), Some(shown));
        assert_eq!(part.content_length, Some(expected.len() as i64));
        assert_eq!(part.body.collect().await.unwrap().into_bytes(), expected);
    }
    let read = || client.get_object().bucket(BUCKET).key("k");
    assert_eq!(code(read().range("bytes=10-").send().await), "InvalidRange");
    assert_eq!(code(read().if_match("\"00\"").send().await), "PreconditionFailed");
    let fresh = read().if_none_match(&etag).send().await.unwrap_err();
    assert_eq!(fresh.raw_response().unwrap().status().as_u16(), 304);
    read().if_match(&etag).send().await.unwrap();
}

#[tokio::test]
async fn metadata_is_kept_and_shown_by_head() {
    let S3 { client, .. } = &s3().await;
    let body = ByteStream::from_static(b"abc");
    let put = client.put_object().bucket(BUCKET).key("k").body(body);
    put.content_type("text/csv").metadata("source", "crm").send().await.unwrap();
    let head = client.head_object().bucket(BUCKET).key("k").send().await.unwrap();
    assert_eq!(head.content_length, Some(3));
    assert_eq!(head.content_type.as_deref(), Some("text/csv"));
    assert_eq!(head.metadata.unwrap()["source"], "crm");
    assert_eq!(head.e_tag.as_deref(), Some("\"900150983cd24fb0d6963f7d28e17f72\""));
    let absent = client.head_object().bucket(BUCKET).key("absent").send().await.unwrap_err();
    assert!(absent.into_service_error().is_not_found());
}

#[tokio::test]
async fn a_body_that_does_not_match_its_checksum_is_refused() {
    let S3 { client, .. } = &s3().await;
    let sha256_of_abc = "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=";
    let store = |body: &'static [u8]| {
        let put = client.put_object().bucket(BUCKET).key("k").body(ByteStream::from_static(body));
        put.checksum_sha256(sha256_of_abc).send()
    };
    assert_eq!(code(store(b"abd").await), "BadDigest");
    assert_eq!(get(client, "k").await, None);
    let stored = store(b"abc").await.unwrap();
    assert_eq!(stored.checksum_sha256.as_deref(), Some(sha256_of_abc));
}

#[tokio::test]
async fn a_key_and_a_key_below_it_live_side_by_side() {
    let S3 { client, .. } = &s3().await;
    put(client, "d", "file").await;
    put(client, "d/e", "below").await;
    put(client, "d/", "folder").await;
    assert_eq!(get(client, "d").await.as_deref(), Some("file"));
    assert_eq!(get(client, "d/e").await.as_deref(), Some("below"));
    assert_eq!(get(client, "d/").await.as_deref(), Some("folder"));
    client.delete_object().bucket(BUCKET).key("d").send().await.unwrap();
    assert_eq!(get(client, "d").await, None);
    assert_eq!(get(client, "d/e").await.as_deref(), Some("below"));
}

#[tokio::test]
async fn listings_page_through_every_key_once_in_order() {
    let S3 { client, .. } = &s3().await;
    let odd = ["a b+c%20d", "é/日本.parquet", "q?x=1&y", "<tag>&amp;"];
    let plain: Vec<String> = (0..25).map(|number| format!("p/{number:03}")).collect();
    let keys = plain.iter().map(String::as_str).chain(odd);
    let expected: BTreeSet<&str> = keys.clone().collect();
    for key in keys {
        put(client, key, "x").await;
    }
    let pages = client.list_objects_v2().bucket(BUCKET).max_keys(4).into_paginator();
    let pages: Vec<_> = pages.send().collect::<Result<_, _>>().await.unwrap();
    assert_eq!(pages.len(), expected.len().div_ceil(4));
    let seen: Vec<&str> =
        pages.iter().flat_map(ListObjectsV2Output::contents).filter_map(|o| o.key()).collect();
    assert_eq!(seen, expected.into_iter().collect::<Vec<_>>());

    let tops = client.list_objects_v2().bucket(BUCKET).delimiter("/").send().await.unwrap();
    let prefixes: Vec<_> = tops.common_prefixes().iter().filter_map(|p| p.prefix()).collect();
    assert_eq!(prefixes, ["p/", "é/"]);
    assert_eq!(tops.key_count, Some(5));
    let after = client.list_objects_v2().bucket(BUCKET).prefix("p/").start_after("p/022");
    let after = after.send().await.unwrap();
    assert_eq!(
        after.contents().iter().filter_map(|o| o.key()).collect::<Vec<_>>(),
        ["p/023", "p/024"]
    );
    let first = client.list_objects().bucket(BUCKET).prefix("p/").marker("p/023");
    let first = first.send().await.unwrap();
    assert_eq!(first.contents().iter().filter_map(|o| o.key()).collect::<Vec<_>>(), ["p/024"]);
}

#[tokio::test]
async fn a_copy_takes_metadata_along_unless_it_is_replaced() {
    let S3 { client, .. } = &s3().await;
    let put = client.put_object().bucket(BUCKET).key("a").body(ByteStream::from_static(b"abc"));
    put.metadata("k", "old").send().await.unwrap();
    let copy = |key: &str| client.copy_object().bucket(BUCKET).key(key).copy_source("lake/a");
    copy("b").send().await.unwrap();
    let replaced = copy("c").metadata_directive(MetadataDirective::Replace).metadata("k", "new");
    replaced.send().await.unwrap();
    for (key, expected) in [("b", "old"), ("c", "new")] {
        assert_eq!(get(client, key).await.as_deref(), Some("abc"));
        let head = client.head_object().bucket(BUCKET).key(key).send().await.unwrap();
        assert_eq!(head.metadata.unwrap()["k"], expected);
    }
    let absent = client.copy_object().bucket(BUCKET).key("d").copy_source("lake/absent");
    assert_eq!(code(absent.send().await), "NoSuchKey");
}

#[tokio::test]
async fn many_keys_are_deleted_at_once() {
    let S3 { client, .. } = &s3().await;
    for key in ["a", "b", "c"] {
        put(client, key, "x").await;
    }
    let keys = ["a", "b", "absent"];
    let objects = keys.map(|key| ObjectIdentifier::builder().key(key).build().unwrap());
    let delete = Delete::builder().set_objects(Some(objects.into())).build().unwrap();
    let reply = client.delete_objects().bucket(BUCKET).delete(delete).send().await.unwrap();
    let deleted: Vec<_> = reply.deleted().iter().filter_map(|it| it.key()).collect();
    assert_eq!(deleted, keys, "an absent key counts as deleted");
    let left = client.list_objects_v2().bucket(BUCKET).send().await.unwrap();
    assert_eq!(left.contents().iter().filter_map(|o| o.key()).collect::<Vec<_>>(), ["c"]);
}

#[tokio::test]
async fn a_reader_keeps_what_it_opened_while_the_object_is_replaced() {
    let S3 { client, .. } = &s3().await;
    let old = "a".repeat(2_000_000);
    put(client, "k", &old).await;
    let mut reading = client.get_object().bucket(BUCKET).key("k").send().await.unwrap().body;
    let mut read = reading.try_next().await.unwrap().unwrap().to_vec();
    put(client, "k", "new").await;
    while let Some(chunk) = reading.try_next().await.unwrap() {
        read.extend_from_slice(&chunk);
    }
    assert_eq!(read.len(), old.len());
    assert!(read.iter().all(|byte| *byte == b'a'));
    assert_eq!(get(client, "k").await.as_deref(), Some("new"));
}

#[tokio::test]
async fn buckets_behave_as_those_of_their_region() {
    let S3 { client, .. } = &s3().await;
    assert_eq!(
        code(client.create_bucket().bucket("other").send().await),
        "IllegalLocationConstraintException"
    );
    let location = client.get_bucket_location().bucket(BUCKET).send().await.unwrap();
    assert_eq!(location.location_constraint.unwrap().as_str(), crate::REGION);
    let head = client.head_bucket().bucket("absent").send().await.unwrap_err();
    assert!(head.into_service_error().is_not_found());
    let missing = client.put_object().bucket("absent").key("k").send().await;
    assert_eq!(code(missing), "NoSuchBucket");
    put(client, "k", "x").await;
    assert_eq!(code(client.delete_bucket().bucket(BUCKET).send().await), "BucketNotEmpty");
}

#[tokio::test]
async fn requests_that_are_not_signed_with_the_key_for_the_region_are_refused() {
    let S3 { server, client, .. } = &s3().await;
    put(client, "k", "x").await;
    for (signer, expected) in [
        (Signer { secret_key: "wrong", ..RIGHT }, "SignatureDoesNotMatch"),
        (Signer { access_key: "AKIDOTHER", ..RIGHT }, "InvalidAccessKeyId"),
        (Signer { region: "us-east-1", ..RIGHT }, "AuthorizationHeaderMalformed"),
    ] {
        let stranger = s3_client(&server.endpoint(), signer, RetryConfig::disabled());
        let read = stranger.get_object().bucket(BUCKET).key("k").send().await;
        assert_eq!(code(read), expected);
        let write = stranger.put_object().bucket(BUCKET).key("k2").send().await;
        assert_eq!(code(write), expected);
    }
    assert_eq!(get(client, "k2").await, None);
}
