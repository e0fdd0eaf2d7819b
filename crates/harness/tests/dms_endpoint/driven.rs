//! boto3 drives a task, and a serverless replication, with the documents that an environment has.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use medallion::files;
use medallion_definition::environment::Environment;
use medallion_definition::lake::LakeDefinition;
use medallion_harness::aws::dms::{Change, StateChange};
use medallion_harness::mysql::MySqlServer;
use medallion_harness::workload;
use medallion_ingestion::dms::DmsPlan;
use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use serde_json::Value;
use tokio::process::Command;

use crate::{ACCESS_KEY, Endpoints, REGION, SECRET_KEY, bronze, endpoints, mysql_server, python};

/// Customers before the full load.
const CUSTOMERS: usize = 60;
const SEED: u64 = 7;

fn infra(path: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../infra").join(path)
}

/// The lake, and an environment whose change files are written every second.
fn definition(environment: &str) -> (LakeDefinition, Environment) {
    let lake = files::definition(&infra("lake")).unwrap();
    let path = infra(&format!("environments/{environment}.toml"));
    let mut environment = files::environment(&path).unwrap();
    environment.dms.as_mut().unwrap().batch_seconds = 1;
    (lake, environment)
}

/// A MySQL server with the lake's source tables and rows.
async fn source(lake: &LakeDefinition, folder: &Path) -> MySqlServer {
    let server = mysql_server(folder).await;
    let mut conn = Conn::from_url(server.url()).await.unwrap();
    for statement in workload::schema::create_sql(&lake.tables) {
        conn.query_drop(statement).await.unwrap();
    }
    workload::initial_load(&mut conn, SEED, CUSTOMERS).await.unwrap();
    conn.disconnect().await.unwrap();
    server
}

struct Driven {
    endpoints: Endpoints,
    bucket: String,
    /// Table statistics by `schema.table`, as the client saw them last.
    statistics: Value,
    events: Vec<StateChange>,
}

/// Drives the endpoint with the documents of an environment; `None` when boto3 is left out.
async fn drive(environment: &str) -> Option<Driven> {
    let interpreter = python::interpreter().await?;
    let (lake, environment) = definition(environment);
    let folder = tempfile::tempdir().unwrap();
    let mysql = source(&lake, folder.path()).await;
    let plan = DmsPlan::new(&lake.name, &lake.tables, &environment).unwrap();
    for (name, text) in plan.files() {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let secret = environment.dms.as_ref().unwrap().source.secret.as_str().to_owned();
    let secrets = BTreeMap::from([(secret, mysql.url().to_owned())]);
    let settle = Duration::from_millis(200);
    let endpoints = endpoints(&environment.account, &environment.bucket, secrets, settle).await;
    let mut subscription = endpoints.dms.events();
    let output = Command::new(interpreter)
        .arg(python::fixture("drive.py"))
        .args(["--dms", &endpoints.dms.endpoint(), "--s3", &endpoints.s3.endpoint()])
        .args(["--region", REGION, "--bucket", &environment.bucket])
        .args(["--mysql", mysql.url(), "--documents"])
        .arg(folder.path())
        .args(["--access-key", ACCESS_KEY, "--secret-key", SECRET_KEY])
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    eprintln!("{said}{errors}");
    assert_eq!(output.status.code(), Some(0), "boto3 found something else than it expected");
    mysql.stop().await;
    let statistics = said.lines().find_map(|line| line.strip_prefix("statistics ")).unwrap();
    let statistics = serde_json::from_str(statistics).unwrap();
    let mut events = Vec::new();
    while let Ok(event) = subscription.try_recv() {
        events.push(event);
    }
    Some(Driven { endpoints, bucket: environment.bucket, statistics, events })
}

impl Driven {
    fn changes(&self) -> Vec<Change> {
        self.events.iter().map(|event| event.change).collect()
    }

    /// The rows of a table in Bronze: those of the load, and those of each operation.
    async fn rows(&self, table: &str) -> [u64; 4] {
        let rows = bronze::rows(&self.endpoints.bucket, &self.bucket).await;
        let count = |kind: &str| rows.get(&(table.to_owned(), kind.to_owned())).copied();
        ["load", "I", "U", "D"].map(|kind| count(kind).unwrap_or(0))
    }

    fn counted(&self, table: &str) -> [u64; 4] {
        let row = &self.statistics[table];
        ["FullLoadRows", "Inserts", "Updates", "Deletes"].map(|name| row[name].as_u64().unwrap())
    }

    async fn end(self) {
        self.endpoints.dms.stop().await;
        self.endpoints.s3.stop().await;
        drop(self.endpoints.folder);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn boto3_drives_a_task_with_the_documents_of_an_environment() {
    let Some(driven) = drive("prod").await else { return };
    // Graceful stops repeat nothing, so that files and statistics agree to the row.
    assert_eq!(driven.rows("crm.customers").await, driven.counted("crm.customers"));
    let consents = driven.rows("crm.consents").await;
    assert_eq!(consents, driven.counted("crm.consents"));
    assert!(consents[0] > 0 && consents[1..] == [0, 0, 0], "{consents:?}");
    // The load was done again; the files of changes since the first one stay.
    let addresses = driven.rows("crm.addresses").await;
    assert_eq!(addresses[0], driven.counted("crm.addresses")[0]);
    assert_eq!(addresses[1..], [7, 5, 3]);
    let expected =
        [Change::Created, Change::Started, Change::Stopped, Change::Resumed, Change::Stopped];
    assert_eq!(driven.changes(), [&expected[..], &[Change::Deleted]].concat());
    assert!(driven.events.iter().all(|event| event.arn.contains(":task:")));
    driven.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn boto3_drives_a_serverless_replication_with_the_documents_of_an_environment() {
    let Some(driven) = drive("dev").await else { return };
    let customers = driven.rows("crm.customers").await;
    assert_eq!(customers[0], driven.counted("crm.customers")[0]);
    assert_eq!(customers[1..], [7, 5, 3]);
    let expected = [
        Change::Created,
        Change::Started,
        Change::Failed,
        Change::Reloading,
        Change::Stopped,
        Change::Deleted,
    ];
    assert_eq!(driven.changes(), expected);
    assert!(driven.events.iter().all(|event| event.serverless));
    driven.end().await;
}
