//! The local AWS endpoints seen through the AWS SDK, and the supervision of processes.
#![expect(clippy::unwrap_used, reason = "the set-up of tests fails by panicking, as tests do")]

#[path = "endpoints/events_and_faults.rs"]
mod events_and_faults;
#[path = "endpoints/glue_catalog.rs"]
mod glue_catalog;
#[path = "endpoints/glue_jobs.rs"]
mod glue_jobs;
#[path = "endpoints/s3_objects.rs"]
mod s3_objects;
#[path = "endpoints/s3_uploads.rs"]
mod s3_uploads;
#[path = "endpoints/supervision.rs"]
mod supervision;

use std::path::{Path, PathBuf};
use std::time::Duration;

use aws_config::{BehaviorVersion, Region};
use aws_sdk_s3::config::{Credentials, retry::RetryConfig};
use medallion_harness::aws::glue::{GlueConfig, GlueServer, JobRunner};
use medallion_harness::aws::s3::{S3Config, S3Server};
use tempfile::TempDir;

const ACCESS_KEY: &str = "AKIDTEST";
const SECRET_KEY: &str = "test-secret";
const REGION: &str = "sa-east-1";
const ACCOUNT: &str = "111122223333";

/// The harness binary, whose `supervise` subcommand supervises.
fn supervisor() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_medallion-harness"))
}

/// Who signs, and for which region.
#[derive(Clone, Copy)]
struct Signer {
    access_key: &'static str,
    secret_key: &'static str,
    region: &'static str,
}

const RIGHT: Signer = Signer { access_key: ACCESS_KEY, secret_key: SECRET_KEY, region: REGION };

fn credentials(signer: Signer) -> Credentials {
    Credentials::new(signer.access_key, signer.secret_key, None, None, "test")
}

fn s3_client(endpoint: &str, signer: Signer, retries: RetryConfig) -> aws_sdk_s3::Client {
    let config = aws_sdk_s3::config::Builder::new()
        .behavior_version(BehaviorVersion::latest())
        .endpoint_url(endpoint)
        .region(Region::new(signer.region))
        .credentials_provider(credentials(signer))
        .retry_config(retries)
        .force_path_style(true)
        .build();
    aws_sdk_s3::Client::from_conf(config)
}

fn glue_client(endpoint: &str, signer: Signer, retries: RetryConfig) -> aws_sdk_glue::Client {
    let config = aws_sdk_glue::config::Builder::new()
        .behavior_version(BehaviorVersion::latest())
        .endpoint_url(endpoint)
        .region(Region::new(signer.region))
        .credentials_provider(credentials(signer))
        .retry_config(retries)
        .build();
    aws_sdk_glue::Client::from_conf(config)
}

/// An S3 server with the bucket `lake`, and a client that does not retry.
struct S3 {
    server: S3Server,
    client: aws_sdk_s3::Client,
    _folder: TempDir,
}

const BUCKET: &str = "lake";

async fn s3() -> S3 {
    let folder = TempDir::new().unwrap();
    let config = S3Config {
        root: folder.path().join("contents"),
        access_key: ACCESS_KEY.into(),
        secret_key: SECRET_KEY.into(),
        region: REGION.into(),
        account_id: ACCOUNT.into(),
    };
    let server = S3Server::start(config).await.unwrap();
    let client = s3_client(&server.endpoint(), RIGHT, RetryConfig::disabled());
    let location = aws_sdk_s3::types::CreateBucketConfiguration::builder()
        .location_constraint(REGION.into())
        .build();
    let create = client.create_bucket().bucket(BUCKET).create_bucket_configuration(location);
    create.send().await.unwrap();
    S3 { server, client, _folder: folder }
}

/// A Glue endpoint with the database `db`, and a client that does not retry.
struct Glue {
    server: GlueServer,
    client: aws_sdk_glue::Client,
    folder: TempDir,
}

async fn glue() -> Glue {
    let folder = TempDir::new().unwrap();
    let runner = JobRunner {
        program: Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/endpoints/job.sh"),
        env: vec![("JOB_GREETING".into(), "hello".into())],
        log_dir: folder.path().join("logs"),
        supervisor: supervisor(),
        minute: Duration::from_millis(1500),
    };
    let config = GlueConfig {
        access_key: ACCESS_KEY.into(),
        secret_key: SECRET_KEY.into(),
        region: REGION.into(),
        account_id: ACCOUNT.into(),
        runner,
    };
    let server = GlueServer::start(config).await.unwrap();
    let client = glue_client(&server.endpoint(), RIGHT, RetryConfig::disabled());
    let database = aws_sdk_glue::types::DatabaseInput::builder().name("db").build().unwrap();
    client.create_database().database_input(database).send().await.unwrap();
    Glue { server, client, folder }
}

/// The AWS error code of a refused request.
fn code<T: std::fmt::Debug, E, R>(outcome: Result<T, aws_sdk_s3::error::SdkError<E, R>>) -> String
where
    E: aws_sdk_s3::error::ProvideErrorMetadata,
{
    let error = outcome.expect_err("the request must be refused");
    aws_sdk_s3::error::ProvideErrorMetadata::code(&error).unwrap_or("no code").to_owned()
}
