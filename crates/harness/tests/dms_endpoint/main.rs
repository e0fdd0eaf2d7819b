//! The local DMS endpoint: what it refuses, over the wire; and its tasks, driven by boto3 with the
//! documents of an environment against a real MySQL.

#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod bronze;
mod client;
mod driven;
mod python;
mod refusals;
mod replicating;
mod states;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use aws_config::{BehaviorVersion, Region};
use aws_sdk_s3::config::Credentials;
use aws_sdk_s3::types::CreateBucketConfiguration;
use client::Client;
use medallion_harness::aws::dms::{DmsConfig, DmsServer};
use medallion_harness::aws::s3::{S3Config, S3Server};
use medallion_harness::mysql::{self, Flavor, MySqlRequest, MySqlServer};
use tempfile::TempDir;

const ACCESS_KEY: &str = "AKIDTEST";
const SECRET_KEY: &str = "test-secret";
const REGION: &str = "sa-east-1";

/// A MySQL server of our own with its data in the folder.
async fn mysql_server(folder: &Path) -> MySqlServer {
    let request = MySqlRequest {
        flavor: Flavor::MySql,
        url: None,
        work_dir: folder.join("mysql"),
        cache_dir: python::cache(),
        supervisor: env!("CARGO_BIN_EXE_medallion-harness").into(),
        extra_flags: Vec::new(),
    };
    mysql::obtain(&request, &|_| {}).await.unwrap()
}

/// Both endpoints, with a bucket.
struct Endpoints {
    s3: S3Server,
    bucket: aws_sdk_s3::Client,
    dms: DmsServer,
    client: Client,
    folder: TempDir,
}

impl Endpoints {
    /// Another DMS endpoint over the same buckets, as after a restart of the process.
    async fn restarted(self, secrets: BTreeMap<String, String>) -> Endpoints {
        self.dms.stop().await;
        let dms = dms(&self.bucket, "111122223333", secrets, &self.folder, Duration::ZERO).await;
        let client = Client::new(&dms.endpoint());
        Endpoints { dms, client, ..self }
    }
}

async fn dms(
    s3: &aws_sdk_s3::Client,
    account: &str,
    secrets: BTreeMap<String, String>,
    folder: &TempDir,
    settle: Duration,
) -> DmsServer {
    let config = DmsConfig {
        access_key: ACCESS_KEY.into(),
        secret_key: SECRET_KEY.into(),
        region: REGION.into(),
        account_id: account.into(),
        s3: s3.clone(),
        secrets,
        spill: folder.path().to_owned(),
        settle,
    };
    DmsServer::start(config).await.unwrap()
}

/// Starts the endpoints of an account with a bucket; `settle` is how long resources are `creating`.
async fn endpoints(
    account: &str,
    bucket: &str,
    secrets: BTreeMap<String, String>,
    settle: Duration,
) -> Endpoints {
    let folder = TempDir::new().unwrap();
    let s3 = S3Server::start(S3Config {
        root: folder.path().join("s3"),
        access_key: ACCESS_KEY.into(),
        secret_key: SECRET_KEY.into(),
        region: REGION.into(),
        account_id: account.into(),
    });
    let s3 = s3.await.unwrap();
    let config = aws_sdk_s3::config::Builder::new()
        .behavior_version(BehaviorVersion::latest())
        .endpoint_url(s3.endpoint())
        .region(Region::new(REGION))
        .credentials_provider(Credentials::new(ACCESS_KEY, SECRET_KEY, None, None, "test"))
        .force_path_style(true)
        .build();
    let s3_client = aws_sdk_s3::Client::from_conf(config);
    let place = CreateBucketConfiguration::builder().location_constraint(REGION.into()).build();
    let create = s3_client.create_bucket().bucket(bucket).create_bucket_configuration(place);
    create.send().await.unwrap();
    let dms = dms(&s3_client, account, secrets, &folder, settle).await;
    let client = Client::new(&dms.endpoint());
    Endpoints { s3, bucket: s3_client, dms, client, folder }
}
