//! Multipart uploads.

use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart, Part};

use crate::s3_objects::get;
use crate::{BUCKET, S3, code, s3};

const PART: usize = 5 * 1024 * 1024;

async fn open(client: &Client, key: &str) -> String {
    let create = client.create_multipart_upload().bucket(BUCKET).key(key);
    create.send().await.unwrap().upload_id.unwrap()
}

async fn part(client: &Client, key: &str, id: &str, number: i32, body: Vec<u8>) -> CompletedPart {
    let upload = client.upload_part().bucket(BUCKET).key(key).upload_id(id).part_number(number);
    let e_tag = upload.body(ByteStream::from(body)).send().await.unwrap().e_tag.unwrap();
    CompletedPart::builder().part_number(number).e_tag(e_tag).build()
}

fn list(parts: &[&CompletedPart]) -> CompletedMultipartUpload {
    let parts = parts.iter().map(|part| (*part).clone()).collect();
    CompletedMultipartUpload::builder().set_parts(Some(parts)).build()
}

#[tokio::test]
async fn parts_become_one_object_when_the_upload_is_completed() {
    let S3 { client, .. } = &s3().await;
    let id = open(client, "big").await;
    let second = part(client, "big", &id, 2, b"tail".to_vec()).await;
    let stale = part(client, "big", &id, 1, vec![b'x'; PART]).await;
    let first = part(client, "big", &id, 1, vec![b'a'; PART]).await;
    let shown = client.list_parts().bucket(BUCKET).key("big").upload_id(&id).send().await.unwrap();
    assert_eq!(shown.parts().iter().filter_map(Part::part_number).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(get(client, "big").await, None);
    let complete = |parts: &[&CompletedPart]| {
        let complete = client.complete_multipart_upload().bucket(BUCKET).key("big");
        complete.upload_id(&id).multipart_upload(list(parts)).send()
    };
    assert_eq!(code(complete(&[&stale, &second]).await), "InvalidPart");
    assert_eq!(code(complete(&[&second, &first]).await), "InvalidPartOrder");
    let done = complete(&[&first, &second]).await.unwrap();
    // The MD5 of the two parts' MD5s.
    assert_eq!(done.e_tag.as_deref(), Some("\"30dcfd3901d1c613b7fb532281748544-2\""));
    let whole = get(client, "big").await.unwrap();
    assert_eq!(whole.len(), PART + 4);
    assert!(whole.ends_with("atail"));
    assert_eq!(code(complete(&[&first, &second]).await), "NoSuchUpload");
}

#[tokio::test]
async fn a_small_part_before_the_last_is_refused() {
    let S3 { client, .. } = &s3().await;
    let id = open(client, "k").await;
    let first = part(client, "k", &id, 1, b"small".to_vec()).await;
    let second = part(client, "k", &id, 2, b"last".to_vec()).await;
    let complete = client.complete_multipart_upload().bucket(BUCKET).key("k").upload_id(&id);
    let refused = complete.multipart_upload(list(&[&first, &second])).send().await;
    assert_eq!(code(refused), "EntityTooSmall");
}

#[tokio::test]
async fn an_aborted_upload_is_gone() {
    let S3 { client, .. } = &s3().await;
    let id = open(client, "k").await;
    part(client, "k", &id, 1, b"x".to_vec()).await;
    let abort = || client.abort_multipart_upload().bucket(BUCKET).key("k").upload_id(&id).send();
    abort().await.unwrap();
    assert_eq!(code(abort().await), "NoSuchUpload");
    let late = client.upload_part().bucket(BUCKET).key("k").upload_id(&id).part_number(2);
    assert_eq!(code(late.body(ByteStream::from_static(b"y")).send().await), "NoSuchUpload");
}

#[tokio::test]
async fn the_completion_of_an_upload_obeys_conditions() {
    let S3 { client, .. } = &s3().await;
    crate::s3_objects::put(client, "k", "first").await;
    let id = open(client, "k").await;
    let only = part(client, "k", &id, 1, b"second".to_vec()).await;
    let complete = client.complete_multipart_upload().bucket(BUCKET).key("k").upload_id(&id);
    let refused = complete.multipart_upload(list(&[&only])).if_none_match("*").send().await;
    assert_eq!(code(refused), "PreconditionFailed");
    assert_eq!(get(client, "k").await.as_deref(), Some("first"));
}
