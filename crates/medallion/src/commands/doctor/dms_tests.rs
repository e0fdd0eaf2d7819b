use std::path::Path;

use aws_config::{BehaviorVersion, Region};
use aws_sdk_databasemigration::config::{Credentials, SharedCredentialsProvider};
use medallion_definition::lake::LakeDefinition;
use medallion_ingestion::dms::DmsPlan;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::files;

/// Answers `Describe…` calls with one element each, or none.
struct Endpoint {
    config: SdkConfig,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// One request: the operation and whether the body names this text.
async fn read(stream: &mut TcpStream) -> String {
    let mut request = Vec::new();
    loop {
        let mut part = [0; 4096];
        let count = stream.read(&mut part).await.unwrap();
        request.extend_from_slice(&part[..count]);
        let text = String::from_utf8_lossy(&request).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.to_ascii_lowercase();
        let length = length.lines().find_map(|line| line.strip_prefix("content-length: "));
        if body.len() >= length.unwrap().trim().parse().unwrap() {
            return text;
        }
    }
}

fn answer(request: &str, documents: Option<&DmsDocuments>) -> Value {
    let one = |key: &str, element: fn(&DmsDocuments) -> Value| json!({ key: documents.map(element).into_iter().collect::<Vec<_>>() });
    let called = |name: &str| request.contains(&format!("AmazonDMSv20160101.{name}"));
    if called("DescribeReplicationTasks") {
        one("ReplicationTasks", |d| d.replication.clone())
    } else if called("DescribeReplicationConfigs") {
        one("ReplicationConfigs", |d| d.replication.clone())
    } else if called("DescribeReplicationInstances") {
        one("ReplicationInstances", |d| d.instance.clone().unwrap())
    } else if request.contains("-bronze\"") {
        one("Endpoints", |d| d.target_endpoint.clone())
    } else {
        one("Endpoints", |d| d.source_endpoint.clone())
    }
}

async fn endpoint(documents: Option<DmsDocuments>) -> Endpoint {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let task = tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let request = read(&mut stream).await;
            let body = answer(&request, documents.as_ref()).to_string();
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: application/x-amz-json-1.1\r\n\
                 content-length: {}\r\nconnection: close\r\n\r\n",
                body.len()
            );
            stream.write_all((head + &body).as_bytes()).await.unwrap();
        }
    });
    let credentials = Credentials::new("AKIDTEST", "secret", None, None, "test");
    let config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .endpoint_url(url)
        .region(Region::new("sa-east-1"))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .build();
    Endpoint { config, task }
}

fn planned(environment: &str) -> (LakeDefinition, DmsDocuments) {
    let infra = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../infra");
    let lake = files::definition(&infra.join("lake")).unwrap();
    let path = infra.join(format!("environments/{environment}.toml"));
    let environment = files::environment(&path).unwrap();
    let plan = DmsPlan::new(&lake.name, &lake.tables, &environment).unwrap();
    (lake, plan.documents())
}

const TASK: &str = "arn:aws:dms:sa-east-1:111122223333:task:REGISTRY";
const CONFIG: &str = "arn:aws:dms:sa-east-1:111122223333:replication-config:REGISTRY";

async fn judged(documents: &DmsDocuments, lake: &LakeDefinition) -> Vec<&'static str> {
    let arn = if documents.instance.is_some() { TASK } else { CONFIG };
    let endpoint = endpoint(Some(documents.clone())).await;
    let findings = judge(&endpoint.config, arn, &lake.tables).await.unwrap();
    findings.iter().map(|finding| finding.rule.0).collect()
}

#[tokio::test]
async fn a_live_replication_is_judged_by_what_dms_shows_of_it() {
    for environment in ["dev", "prod"] {
        let (lake, mut documents) = planned(environment);
        assert_eq!(judged(&documents, &lake).await, [""; 0], "{environment}");
        documents.source_endpoint["MySQLSettings"]["ServerTimezone"] = json!("Asia/Tokyo");
        documents.target_endpoint["S3Settings"]["DataFormat"] = json!("csv");
        let rules = judged(&documents, &lake).await;
        for rule in ["dms/server-timezone", "dms/data-format"] {
            assert!(rules.contains(&rule), "{environment}: {rules:?}");
        }
    }
}

#[tokio::test]
async fn what_dms_does_not_know_is_told_by_its_arn() {
    let endpoint = endpoint(None).await;
    for (arn, told) in [
        (TASK, format!("DMS knows no `{TASK}` in this account and Region")),
        (CONFIG, format!("DMS knows no `{CONFIG}` in this account and Region")),
        ("arn:aws:s3:::lake", "`arn:aws:s3:::lake` is no ARN of a DMS task".to_owned()),
    ] {
        let error = judge(&endpoint.config, arn, &[]).await.unwrap_err();
        assert!(error.to_string().starts_with(&told), "{error}");
    }
}
