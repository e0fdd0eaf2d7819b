//! Kinds of tasks and their starts, each against a real MySQL.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use medallion_harness::mysql::MySqlServer;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Row};
use serde_json::{Value, json};

use crate::refusals::{arn, instance, mappings, settings, target, task, with};
use crate::{Endpoints, bronze, endpoints, mysql_server};

const ACCOUNT: &str = "111122223333";
const BUCKET: &str = "lake";
const SECRET: &str = "registry/crm";
const ORDERS: &str = "crm.orders";

struct Scene {
    it: Endpoints,
    mysql: MySqlServer,
    conn: Conn,
    _folder: tempfile::TempDir,
}

/// A server with the table `crm.orders` of three rows, and the endpoints and instance for it.
async fn scene() -> Scene {
    let folder = tempfile::tempdir().unwrap();
    let mysql = mysql_server(folder.path()).await;
    let mut conn = Conn::from_url(mysql.url()).await.unwrap();
    for statement in [
        "CREATE DATABASE crm",
        "CREATE TABLE crm.orders (id INT PRIMARY KEY, total DECIMAL(40,2), note JSON)",
        "INSERT INTO crm.orders VALUES (1, 1.5, '{}'), (2, 2.5, '[]'), (3, 3.5, NULL)",
    ] {
        conn.query_drop(statement).await.unwrap();
    }
    let secrets = secrets(&mysql);
    let it = endpoints(ACCOUNT, BUCKET, secrets, Duration::ZERO).await;
    prepare(&it).await;
    Scene { it, mysql, conn, _folder: folder }
}

fn secrets(mysql: &MySqlServer) -> BTreeMap<String, String> {
    BTreeMap::from([(SECRET.to_owned(), mysql.url().to_owned())])
}

/// Endpoints, instance, tested connections.
async fn prepare(it: &Endpoints) {
    let source = json!({"EndpointIdentifier": "source", "EndpointType": "source",
        "EngineName": "mysql", "ResourceIdentifier": "source", "MySQLSettings": {
            "SecretsManagerSecretId": SECRET,
            "SecretsManagerAccessRoleArn": "arn:aws:iam::111122223333:role/secret"}});
    it.client.call("CreateEndpoint", &source).await.unwrap();
    it.client.call("CreateEndpoint", &target()).await.unwrap();
    it.client.call("CreateReplicationInstance", &instance()).await.unwrap();
    for name in ["source", "target"] {
        let endpoint = arn("endpoint", name);
        let both = json!({"ReplicationInstanceArn": arn("rep", "instance"),
            "EndpointArn": endpoint});
        it.client.call("TestConnection", &both).await.unwrap();
        let filter = json!({"Filters": [{"Name": "endpoint-arn", "Values": [endpoint]}]});
        reach(it, "DescribeConnections", &filter, "Connections", "successful").await;
    }
}

/// Asks until the first record has the status, sixty seconds at most.
async fn reach(it: &Endpoints, call: &str, body: &Value, place: &str, wanted: &str) -> Value {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let reply = it.client.call(call, body).await.unwrap();
        let found = reply[place][0].clone();
        if found["Status"] == wanted {
            return found;
        }
        assert!(found["Status"] != "failed" && Instant::now() < deadline, "not {wanted}: {found}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

impl Scene {
    async fn create(&self, document: &Value) {
        self.it.client.call("CreateReplicationTask", document).await.unwrap();
    }

    async fn start(&self, how: &str) -> Result<Value, (String, String)> {
        self.start_with(how, &json!({})).await
    }

    async fn start_with(&self, how: &str, more: &Value) -> Result<Value, (String, String)> {
        let mut start = json!({"ReplicationTaskArn": arn("task", "crm"),
            "StartReplicationTaskType": how});
        for (member, value) in more.as_object().unwrap() {
            start[member] = value.clone();
        }
        self.it.client.call("StartReplicationTask", &start).await
    }

    async fn reach(&self, status: &str) -> Value {
        reach(&self.it, "DescribeReplicationTasks", &json!({}), "ReplicationTasks", status).await
    }

    async fn stop(&self) -> Value {
        let named = json!({"ReplicationTaskArn": arn("task", "crm")});
        self.it.client.call("StopReplicationTask", &named).await.unwrap();
        self.reach("stopped").await
    }

    /// Waits until `crm.orders` has these counts: load, inserts, updates, deletes.
    async fn counts(&self, wanted: [u64; 4]) {
        let deadline = Instant::now() + Duration::from_secs(60);
        let named = json!({"ReplicationTaskArn": arn("task", "crm")});
        loop {
            let reply = self.it.client.call("DescribeTableStatistics", &named).await.unwrap();
            let row = &reply["TableStatistics"][0];
            let names = ["FullLoadRows", "Inserts", "Updates", "Deletes"];
            let found = names.map(|name| row[name].as_u64().unwrap_or(u64::MAX));
            if found == wanted {
                return;
            }
            assert!(Instant::now() < deadline, "still {reply}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Rows in Bronze: load, inserts, updates, deletes.
    async fn rows(&self) -> [u64; 4] {
        let rows = bronze::rows(&self.it.bucket, BUCKET).await;
        let count = |kind: &str| rows.get(&(ORDERS.to_owned(), kind.to_owned())).copied();
        ["load", "I", "U", "D"].map(|kind| count(kind).unwrap_or(0))
    }

    async fn sql(&mut self, statement: &str) {
        self.conn.query_drop(statement).await.unwrap();
    }

    async fn end(self) {
        self.it.dms.stop().await;
        self.it.s3.stop().await;
        self.mysql.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_load_stops_by_itself_and_again_after_a_reload() {
    let mut scene = scene().await;
    scene.create(&task("full-load")).await;
    scene.start("start-replication").await.unwrap();
    let stopped = scene.reach("stopped").await;
    assert_eq!(stopped["StopReason"], "Stop Reason FULL_LOAD_ONLY_FINISHED");
    assert_eq!(stopped["ReplicationTaskStats"]["FullLoadProgressPercent"], 100);
    assert_eq!(scene.rows().await, [3, 0, 0, 0]);
    scene.sql("INSERT INTO crm.orders VALUES (4, 4, NULL)").await;
    // Everything is loaded: there is nothing to resume.
    scene.start("resume-processing").await.unwrap();
    scene.reach("stopped").await;
    scene.counts([3, 0, 0, 0]).await;
    scene.start("reload-target").await.unwrap();
    scene.reach("stopped").await;
    scene.counts([4, 0, 0, 0]).await;
    assert_eq!(scene.rows().await, [4, 0, 0, 0]);
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cdc_begins_where_it_is_told_and_goes_on_after_a_restart_of_the_endpoint() {
    let mut scene = scene().await;
    let row: Row = scene.conn.query_first("SHOW BINARY LOG STATUS").await.unwrap().unwrap();
    let (file, offset): (String, u64) = (row.get(0).unwrap(), row.get(1).unwrap());
    scene.sql("INSERT INTO crm.orders VALUES (4, 4, NULL)").await;
    scene.create(&task("cdc")).await;
    let position = json!({"CdcStartPosition": format!("{file}:{offset}")});
    let (code, _) = scene.start_with("resume-processing", &position).await.unwrap_err();
    assert_eq!(code, "InvalidParameterCombinationException");
    scene.start_with("start-replication", &position).await.unwrap();
    scene.counts([0, 1, 0, 0]).await;
    scene.sql("UPDATE crm.orders SET total = 5 WHERE id > 2").await;
    scene.counts([0, 1, 2, 0]).await;
    let checkpoint = scene.stop().await["RecoveryCheckpoint"].clone();
    scene.sql("DELETE FROM crm.orders WHERE id = 1").await;

    // A new endpoint knows nothing but what lies in the bucket.
    let secrets = secrets(&scene.mysql);
    let mut scene = Scene { it: scene.it.restarted(secrets).await, ..scene };
    prepare(&scene.it).await;
    scene.create(&task("cdc")).await;
    scene.start("resume-processing").await.unwrap();
    scene.counts([0, 1, 2, 1]).await;
    assert_eq!(scene.rows().await, [0, 1, 2, 1]);
    scene.stop().await;

    // The checkpoint as a position: what came after it comes again.
    scene.sql("INSERT INTO crm.orders VALUES (5, 5, NULL)").await;
    let again = json!({"CdcStartPosition": checkpoint});
    scene.start_with("start-replication", &again).await.unwrap();
    scene.counts([0, 1, 0, 1]).await;
    scene.stop().await;
    assert_eq!(scene.rows().await, [0, 2, 2, 2]);
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_that_is_deleted_leaves_no_place_to_resume_from() {
    let scene = scene().await;
    scene.create(&task("full-load-and-cdc")).await;
    scene.start("start-replication").await.unwrap();
    scene.counts([3, 0, 0, 0]).await;
    scene.reach("running").await;
    scene.stop().await;
    let named = json!({"ReplicationTaskArn": arn("task", "crm")});
    scene.it.client.call("DeleteReplicationTask", &named).await.unwrap();
    scene.create(&task("full-load-and-cdc")).await;
    let (code, _) = scene.start("resume-processing").await.unwrap_err();
    assert_eq!(code, "InvalidParameterCombinationException");
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn preparation_clears_the_tables_objects_only_when_asked_to() {
    let mut scene = scene().await;
    scene.create(&task("full-load-and-cdc")).await;
    scene.start("start-replication").await.unwrap();
    scene.counts([3, 0, 0, 0]).await;
    scene.sql("DELETE FROM crm.orders WHERE id = 1").await;
    scene.counts([3, 0, 0, 1]).await;
    scene.stop().await;
    scene.start("reload-target").await.unwrap();
    scene.counts([2, 0, 0, 0]).await;
    scene.stop().await;
    assert_eq!(scene.rows().await, [2, 0, 0, 1]);
    let mut clearing: Value = serde_json::from_str(&settings()).unwrap();
    clearing["FullLoadSettings"] = json!({"TargetTablePrepMode": "DROP_AND_CREATE"});
    let change = json!({"ReplicationTaskArn": arn("task", "crm"),
        "ReplicationTaskSettings": clearing.to_string()});
    scene.it.client.call("ModifyReplicationTask", &change).await.unwrap();
    scene.start("reload-target").await.unwrap();
    scene.counts([2, 0, 0, 0]).await;
    scene.stop().await;
    assert_eq!(scene.rows().await, [2, 0, 0, 0]);
    scene.end().await;
}

/// Starts the task with these settings or mappings, which must fail with this text.
async fn must_fail(scene: &Scene, member: &str, value: String, text: &str) {
    scene.create(&with(task("full-load-and-cdc"), member, json!(value))).await;
    scene.start("start-replication").await.unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    let failed = loop {
        let reply = scene.it.client.call("DescribeReplicationTasks", &json!({})).await.unwrap();
        let found = reply["ReplicationTasks"][0].clone();
        if found["Status"] == "failed" {
            break found;
        }
        assert!(Instant::now() < deadline, "not failed: {found}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert_eq!(failed["StopReason"], "Stop Reason FATAL_ERROR");
    let message = failed["LastFailureMessage"].as_str().unwrap();
    assert!(message.contains(text), "{message}");
    let named = json!({"ReplicationTaskArn": arn("task", "crm")});
    scene.it.client.call("DeleteReplicationTask", &named).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_that_does_not_fit_fails_the_task_with_the_reason() {
    let mut scene = scene().await;
    let long = format!("INSERT INTO crm.orders VALUES (9, 1, '\"{}\"')", "x".repeat(2000));
    scene.sql(&long).await;
    let mut lobs: Value = serde_json::from_str(&settings()).unwrap();
    lobs["TargetMetadata"] = json!({"LobMaxSize": 1});
    let member = "ReplicationTaskSettings";
    must_fail(&scene, member, lobs.to_string(), "`note` of table `crm.orders` holds values").await;
    let nothing = mappings().replace("\"crm\"", "\"absent\"");
    must_fail(&scene, "TableMappings", nothing, "No tables were found").await;
    let text = |column: &str| {
        let mut document: Value = serde_json::from_str(&mappings()).unwrap();
        let rule = json!({"rule-type": "transformation", "rule-id": "9", "rule-name": "text",
            "rule-action": "change-data-type", "rule-target": "column",
            "object-locator": {"schema-name": "crm", "table-name": "orders",
                "column-name": column},
            "data-type": {"type": "string", "length": 42}});
        document["rules"].as_array_mut().unwrap().push(rule);
        document.to_string()
    };
    must_fail(&scene, "TableMappings", text("id"), "rule 9 makes text of column `id`").await;
    // A DECIMAL of 40 digits is text anyway.
    scene.create(&with(task("full-load"), "TableMappings", json!(text("total")))).await;
    scene.start("start-replication").await.unwrap();
    scene.reach("stopped").await;
    assert_eq!(scene.rows().await, [4, 0, 0, 0]);
    scene.end().await;
}
