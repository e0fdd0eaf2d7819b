//! What S3 and Glue replies mean, told by a server that gives one kind of reply.

use std::sync::{Arc, Mutex};

use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};
use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::catalog::{Catalog, CatalogError, GlueCatalog, SwapError};
use crate::schema::TableSpec;
use crate::store::{Bucket, StoreError};
use crate::warehouse::table_ident;

/// A reply: status and body, or nothing, in which case the connection is closed.
type Reply = Option<(u16, String)>;

struct Server {
    url: String,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Answers each request by what `reply` makes of its head.
    async fn start(reply: impl Fn(&str) -> Reply + Send + Sync + 'static) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let heads = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&heads);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                serve(stream, &reply, &seen).await;
            }
        });
        Server { url, heads }
    }

    fn requests(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }

    fn bucket(&self) -> Bucket {
        let config = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .endpoint_url(&self.url)
            .force_path_style(true)
            .credentials_provider(Credentials::new("key", "secret", None, None, "test"))
            .retry_config(RetryConfig::disabled())
            .build();
        Bucket::new(aws_sdk_s3::Client::from_conf(config), "lake")
    }

    fn glue(&self) -> GlueCatalog {
        let config = aws_sdk_glue::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .endpoint_url(&self.url)
            .credentials_provider(Credentials::new("key", "secret", None, None, "test"))
            .retry_config(RetryConfig::standard().with_max_attempts(3))
            .build();
        GlueCatalog::new(aws_sdk_glue::Client::from_conf(config))
    }
}

async fn serve(
    mut stream: TcpStream,
    reply: &(impl Fn(&str) -> Reply + Send + Sync),
    seen: &Mutex<Vec<String>>,
) {
    let mut request: Vec<u8> = Vec::new();
    let mut buffer = vec![0_u8; 64 * 1024];
    let length = loop {
        let end = request.windows(4).position(|bytes| bytes == b"\r\n\r\n");
        if let Some(end) = end
            && request.len() >= end + 4 + body_bytes(&request[..end])
        {
            break end;
        }
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => return,
            Ok(n) => request.extend_from_slice(&buffer[..n]),
        }
    };
    let head = String::from_utf8_lossy(&request[..length]).to_lowercase();
    let answer = reply(&head);
    let bodiless = head.starts_with("head ");
    seen.lock().unwrap().push(head);
    if let Some((status, body)) = answer {
        let length = body.len();
        let body = if bodiless { "" } else { body.as_str() };
        let head = format!("HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: {length}");
        let text = format!("{head}\r\n\r\n{body}");
        stream.write_all(text.as_bytes()).await.unwrap();
    }
}

/// The length of a request's body, by its head.
fn body_bytes(head: &[u8]) -> usize {
    let head = String::from_utf8_lossy(head).to_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    length.map_or(0, |length| length.trim().parse().unwrap())
}

fn s3_error(status: u16, code: &str) -> Reply {
    Some((status, format!("<Error><Code>{code}</Code><Message>no</Message></Error>")))
}

async fn get(reply: Reply) -> StoreError {
    let server = Server::start(move |_| reply.clone()).await;
    server.bucket().get("a/key").await.unwrap_err()
}

#[tokio::test]
async fn s3_errors_are_told_apart() {
    let missing = get(s3_error(404, "NoSuchKey")).await;
    assert!(matches!(&missing, StoreError::NotFound { key, .. } if key == "a/key"));
    let busy = [(503, "SlowDown"), (500, "InternalError"), (429, "x"), (404, "NoSuchUpload")];
    for (status, code) in busy {
        let busy = get(s3_error(status, code)).await;
        assert!(busy.is_retryable(), "{busy:?}");
    }
    assert!(get(None).await.is_retryable());
    let denied = get(s3_error(403, "AccessDenied")).await;
    assert!(matches!(&denied, StoreError::Denied { code, .. } if code == "403 AccessDenied"));
    let nowhere = get(s3_error(404, "NoSuchBucket")).await;
    assert!(matches!(nowhere, StoreError::Refused { .. }));
    let freed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let nobody = Server { url: format!("http://{freed}"), heads: Arc::default() };
    assert!(nobody.bucket().get("key").await.unwrap_err().is_retryable());
}

#[tokio::test]
async fn a_conditional_put_is_sent_once_and_tells_whether_it_was_first() {
    let put = async |reply: Reply| {
        let server = Server::start(move |_| reply.clone()).await;
        let put = server.bucket().put_new("key", Bytes::from_static(b"x")).await;
        assert!(server.requests()[0].contains("if-none-match: *"));
        assert_eq!(server.requests().len(), 1);
        put
    };
    assert!(put(Some((200, String::new()))).await.unwrap());
    assert!(!put(s3_error(412, "PreconditionFailed")).await.unwrap());
    assert!(put(s3_error(409, "ConditionalRequestConflict")).await.unwrap_err().is_retryable());
    assert!(put(s3_error(503, "SlowDown")).await.unwrap_err().is_retryable());
}

/// Bytes of an object that is written in two parts.
const TWO_PARTS: usize = 8 * 1024 * 1024 + 3;

/// The outcome of an upload that S3 does not know any more when it is to be completed, and whether
/// it was aborted. A look at the object gets this reply.
async fn upload_that_is_over(object: Reply) -> (iceberg::Result<()>, bool) {
    let begun = "<InitiateMultipartUploadResult><UploadId>u1</UploadId>\
                 </InitiateMultipartUploadResult>";
    let server = Server::start(move |head| match head.split(' ').next() {
        Some("head") => object.clone(),
        Some("post") if head.contains("uploadid=u1") => s3_error(404, "NoSuchUpload"),
        Some("post") => Some((200, begun.to_owned())),
        _ => Some((200, String::new())),
    })
    .await;
    let io = crate::storage::file_io(server.bucket().client().clone());
    let output = io.new_output("s3://lake/a/key").unwrap();
    let mut writer = output.writer().await.unwrap();
    writer.write(Bytes::from(vec![7; TWO_PARTS])).await.unwrap();
    let closed = writer.close().await;
    let parts = server.requests().iter().filter(|head| head.contains("partnumber=")).count();
    assert_eq!(parts, 2);
    (closed, server.requests().iter().any(|head| head.starts_with("delete ")))
}

#[tokio::test]
async fn an_upload_that_was_completed_without_a_reply_is_a_success() {
    let (closed, aborted) = upload_that_is_over(Some((200, "x".repeat(TWO_PARTS)))).await;
    assert!(closed.is_ok() && !aborted, "{closed:?}");
    let others = [
        Some((200, "x".repeat(TWO_PARTS - 1))),
        s3_error(404, "NoSuchKey"),
        s3_error(503, "SlowDown"),
    ];
    for object in others {
        let (closed, aborted) = upload_that_is_over(object).await;
        assert!(closed.unwrap_err().retryable() && aborted);
    }
}

#[tokio::test]
async fn a_read_of_an_object_that_has_changed_says_so() {
    let server = Server::start(|_| s3_error(412, "PreconditionFailed")).await;
    let bucket = server.bucket();
    let whole = bucket.get_matching("key", "e1").await.unwrap_err();
    let part = bucket.get_range_matching("key", "e1", 0..3).await.unwrap_err();
    for error in [whole, part] {
        assert!(matches!(&error, StoreError::Changed { key, .. } if key == "key"), "{error:?}");
        assert!(error.is_retryable());
    }
    assert!(server.requests().iter().all(|head| head.contains("if-match: \"e1\"")));
    let server = Server::start(|_| Some((200, "abc".to_owned()))).await;
    assert_eq!(server.bucket().get_matching("key", "e1").await.unwrap(), "abc");
    assert_eq!(server.bucket().get_range_matching("key", "e1", 0..3).await.unwrap(), "abc");
    assert_eq!(server.bucket().get("key").await.unwrap(), "abc");
    assert!(!server.requests()[2].contains("if-match"));
}

#[tokio::test]
async fn a_range_that_comes_short_is_an_error() {
    let server = Server::start(|_| Some((206, "abc".to_owned()))).await;
    let bucket = server.bucket();
    assert_eq!(bucket.get_range("key", 2..5).await.unwrap(), "abc");
    assert!(server.requests()[0].contains("range: bytes=2-4"));
    let short = bucket.get_range("key", 2..9).await.unwrap_err();
    assert!(matches!(short, StoreError::Short { wanted: 7, got: 3, .. }), "{short:?}");
    assert!(bucket.get_range("key", 2..2).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_listing_follows_all_pages_and_is_sorted() {
    let page = |keys: &[&str], next: &str| {
        let object = |k: &&str| {
            format!(
                "<Contents><Key>{k}</Key><ETag>&quot;e{k}&quot;</ETag><Size>3</Size></Contents>"
            )
        };
        let objects: String = keys.iter().map(object).collect();
        let more = if next.is_empty() {
            "<IsTruncated>false</IsTruncated>".to_owned()
        } else {
            format!(
                "<IsTruncated>true</IsTruncated><NextContinuationToken>{next}</NextContinuationToken>"
            )
        };
        Some((200, format!("<ListBucketResult>{objects}{more}</ListBucketResult>")))
    };
    let server = Server::start(move |head| {
        if head.contains("continuation-token=two") {
            page(&["b"], "")
        } else {
            page(&["c", "a"], "two")
        }
    })
    .await;
    let found = server.bucket().list("").await.unwrap();
    let keys: Vec<_> = found.iter().map(|o| (o.key.as_str(), o.etag.as_str(), o.size)).collect();
    assert_eq!(keys, [("a", "ea", 3), ("b", "eb", 3), ("c", "ec", 3)]);
}

/// The outcome of a swap whose GetTable shows the base, and whose UpdateTable gets this reply.
async fn swap(update: Reply) -> (Result<(), SwapError>, usize) {
    let table = r#"{"Table":{"Name":"t","DatabaseName":"d","VersionId":"7","Parameters":
        {"table_type":"ICEBERG","metadata_location":"s3://lake/t/metadata/00000-a"}}}"#;
    let server = Server::start(move |head| {
        if head.contains("awsglue.gettable") {
            Some((200, table.to_owned()))
        } else {
            update.clone()
        }
    })
    .await;
    let spec = TableSpec {
        location: "s3://lake/t".to_owned(),
        fields: Vec::new(),
        key: Vec::new(),
        buckets: 1,
        properties: Default::default(),
        dropped: Vec::new(),
    };
    let metadata = spec.metadata().unwrap();
    let (base, next) = ("s3://lake/t/metadata/00000-a", "s3://lake/t/metadata/00001-b");
    let swapped = server.glue().swap(&table_ident("d", "t"), base, next, &metadata).await;
    let updates = server.requests().iter().filter(|h| h.contains("awsglue.updatetable")).count();
    (swapped, updates)
}

fn glue_error(status: u16, code: &str) -> Reply {
    Some((status, format!(r#"{{"__type":"{code}","Message":"no"}}"#)))
}

#[tokio::test]
async fn an_update_of_a_table_is_sent_once_and_its_outcome_told_apart() {
    let (done, updates) = swap(Some((200, "{}".to_owned()))).await;
    assert!(done.is_ok() && updates == 1);
    let (conflict, updates) = swap(glue_error(400, "ConcurrentModificationException")).await;
    assert!(matches!(conflict, Err(SwapError::Conflict)) && updates == 1, "{conflict:?}");
    let (denied, _) = swap(glue_error(400, "AccessDeniedException")).await;
    let is_denied = matches!(&denied, Err(SwapError::Rejected(CatalogError::Denied { .. })));
    assert!(is_denied, "{denied:?}");
    let (throttled, updates) = swap(glue_error(400, "ThrottlingException")).await;
    let retryable = matches!(&throttled, Err(SwapError::Rejected(e)) if e.is_retryable());
    assert!(retryable && updates == 1, "{throttled:?}");
    for reply in [
        None,
        glue_error(500, "InternalServiceException"),
        glue_error(503, "ServiceUnavailable"),
        glue_error(400, "OperationTimeoutException"),
    ] {
        let (unknown, updates) = swap(reply).await;
        assert!(matches!(unknown, Err(SwapError::Unknown(_))) && updates == 1, "{unknown:?}");
    }
}

#[tokio::test]
async fn glue_tables_of_other_kinds_are_refused() {
    let locate = async |reply: Reply| {
        let server = Server::start(move |_| reply.clone()).await;
        server.glue().locate(&table_ident("d", "t")).await
    };
    let missing = locate(glue_error(400, "EntityNotFoundException")).await;
    assert_eq!(missing.unwrap(), None);
    let hive = r#"{"Table":{"Name":"t","Parameters":{"classification":"parquet"}}}"#.to_owned();
    let unsuitable = locate(Some((200, hive))).await;
    assert!(matches!(unsuitable, Err(CatalogError::Unsuitable { .. })), "{unsuitable:?}");
}
