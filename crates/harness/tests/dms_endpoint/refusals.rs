//! What is refused over the wire, and with which code.

use std::collections::BTreeMap;
use std::time::Duration;

use medallion_harness::aws::faults::{
    FAULT_DESCRIBE_TASKS_REFUSED, FAULT_START_TASK_REPLY_LOST, FaultPlan,
};
use serde_json::{Value, json};

use crate::{Endpoints, endpoints};

const ACCOUNT: &str = "111122223333";
const BUCKET: &str = "lake";
const VALUE: &str = "InvalidParameterValueException";
const COMBINATION: &str = "InvalidParameterCombinationException";
const STATE: &str = "InvalidResourceStateFault";
const MISSING: &str = "ResourceNotFoundFault";

pub(crate) async fn started(settle: Duration) -> Endpoints {
    endpoints(ACCOUNT, BUCKET, BTreeMap::new(), settle).await
}

/// A source that nobody serves.
pub(crate) fn source() -> Value {
    json!({"EndpointIdentifier": "source", "EndpointType": "source", "EngineName": "mysql",
        "ServerName": "127.0.0.1", "Port": 1, "Username": "dms", "Password": "geheim-password",
        "ResourceIdentifier": "source", "Tags": [{"Key": "lake", "Value": "registry"}]})
}

/// A source by a secret that the endpoint was not told of.
fn secret() -> Value {
    json!({"EndpointIdentifier": "source", "EndpointType": "source", "EngineName": "mysql",
        "MySQLSettings": {"SecretsManagerSecretId": "absent",
            "SecretsManagerAccessRoleArn": "arn:aws:iam::111122223333:role/secret"}})
}

pub(crate) fn target() -> Value {
    json!({"EndpointIdentifier": "target", "EndpointType": "target", "EngineName": "s3",
        "ResourceIdentifier": "target", "S3Settings": {
            "ServiceAccessRoleArn": "arn:aws:iam::111122223333:role/dms", "BucketName": BUCKET,
            "BucketFolder": "bronze", "DataFormat": "parquet", "ParquetVersion": "parquet-2-0",
            "IncludeOpForFullLoad": true,
            "TimestampColumnName": "dms_ts", "DatePartitionEnabled": true,
            "CdcMaxBatchInterval": 1}})
}

pub(crate) fn instance() -> Value {
    json!({"ReplicationInstanceIdentifier": "instance", "ResourceIdentifier": "instance",
        "ReplicationInstanceClass": "dms.t3.medium"})
}

pub(crate) fn arn(kind: &str, name: &str) -> String {
    format!("arn:aws:dms:sa-east-1:{ACCOUNT}:{kind}:{name}")
}

pub(crate) fn mappings() -> String {
    let locator = json!({"schema-name": "crm", "table-name": "%"});
    json!({"rules": [
        {"rule-type": "selection", "rule-id": "1", "rule-name": "tables",
            "rule-action": "include", "object-locator": locator},
        {"rule-type": "transformation", "rule-id": "2", "rule-name": "sequence",
            "rule-action": "add-column", "rule-target": "column", "object-locator": locator,
            "value": "change_seq", "expression": "$AR_H_CHANGE_SEQ",
            "data-type": {"type": "string", "length": 50}},
        {"rule-type": "transformation", "rule-id": "3", "rule-name": "before",
            "rule-action": "add-before-image-columns", "rule-target": "column",
            "object-locator": locator, "before-image-def": {"column-prefix": "BI_",
                "column-suffix": "", "column-filter": "pk-only"}}]})
    .to_string()
}

pub(crate) fn settings() -> String {
    json!({"ChangeProcessingDdlHandlingPolicy":
        {"HandleSourceTableDropped": false, "HandleSourceTableTruncated": false}})
    .to_string()
}

pub(crate) fn task(migration: &str) -> Value {
    json!({"ReplicationTaskIdentifier": "crm", "ResourceIdentifier": "crm",
        "SourceEndpointArn": arn("endpoint", "source"),
        "TargetEndpointArn": arn("endpoint", "target"),
        "ReplicationInstanceArn": arn("rep", "instance"), "MigrationType": migration,
        "TableMappings": mappings(), "ReplicationTaskSettings": settings()})
}

pub(crate) fn with(mut document: Value, member: &str, value: Value) -> Value {
    document[member] = value;
    document
}

/// Endpoints and instance.
pub(crate) async fn prepare(it: &Endpoints) {
    it.client.call("CreateEndpoint", &source()).await.unwrap();
    it.client.call("CreateEndpoint", &target()).await.unwrap();
    it.client.call("CreateReplicationInstance", &instance()).await.unwrap();
}

#[tokio::test]
async fn requests_are_read_strictly() {
    let it = started(Duration::ZERO).await;
    let client = &it.client;
    for (document, code) in [
        (with(source(), "ServerNaem", json!("x")), VALUE),
        (with(source(), "OracleSettings", json!({})), VALUE),
        (with(source(), "EndpointType", json!("sink")), VALUE),
        (with(source(), "SslMode", json!("tls")), VALUE),
        (with(source(), "Port", json!("3306")), "SerializationException"),
        (with(source(), "EndpointIdentifier", json!("a--b")), VALUE),
        (with(source(), "Tags", json!([{"Key": "aws:x", "Value": ""}])), VALUE),
        (with(target(), "Username", json!("x")), COMBINATION),
        (secret(), "AccessDeniedFault"),
    ] {
        assert_eq!(client.code("CreateEndpoint", &document).await, code, "{document}");
    }
    assert_eq!(client.code("CreateReplicationTask", &json!({})).await, VALUE);
    assert_eq!(client.code("MoveReplicationTask", &json!({})).await, "UnknownOperationException");
    let (status, body) = client.send("CreateEndpoint", "{").await.unwrap();
    assert!(status == 400 && body.contains("SerializationException"), "{status} {body}");
    let all = client.call("DescribeEndpoints", &json!({})).await.unwrap();
    assert_eq!(all["Endpoints"], json!([]));
}

#[tokio::test]
async fn a_wrong_signature_is_refused() {
    let mut it = started(Duration::ZERO).await;
    it.client.secret_key = "another".to_owned();
    let code = it.client.code("DescribeEndpoints", &json!({})).await;
    assert_eq!(code, "InvalidSignatureException");
}

#[tokio::test]
async fn an_endpoint_is_described_without_its_password_and_modified_member_by_member() {
    let it = started(Duration::ZERO).await;
    prepare(&it).await;
    let client = &it.client;
    let described = client.call("DescribeEndpoints", &json!({})).await.unwrap();
    assert!(!described.to_string().contains("geheim"), "{described}");
    let taken = client.code("CreateEndpoint", &source()).await;
    assert_eq!(taken, "ResourceAlreadyExistsFault");
    let arn = arn("endpoint", "target");
    let change = json!({"EndpointArn": arn, "S3Settings": {"CdcMaxBatchInterval": 30}});
    let modified = client.call("ModifyEndpoint", &change).await.unwrap();
    let settings = &modified["Endpoint"]["S3Settings"];
    assert_eq!(settings["CdcMaxBatchInterval"], 30);
    assert_eq!(settings["TimestampColumnName"], "dms_ts");
    let csv = json!({"EndpointArn": arn, "S3Settings": {"DataFormat": "csv"}});
    assert_eq!(client.code("ModifyEndpoint", &csv).await, VALUE);
    // What is not given again is gone then: the role, for one.
    let exact = with(change, "ExactSettings", json!(true));
    assert_eq!(client.code("ModifyEndpoint", &exact).await, COMBINATION);
    let absent = json!({"EndpointArn": "arn:absent"});
    assert_eq!(client.code("ModifyEndpoint", &absent).await, MISSING);
    assert_eq!(client.code("DeleteEndpoint", &absent).await, MISSING);
}

#[tokio::test]
async fn tags_and_filters_and_pages() {
    let it = started(Duration::ZERO).await;
    prepare(&it).await;
    let client = &it.client;
    let source = arn("endpoint", "source");
    let more = json!({"ResourceArn": source, "Tags": [{"Key": "team", "Value": "data"}]});
    client.call("AddTagsToResource", &more).await.unwrap();
    let listed = client.call("ListTagsForResource", &json!({"ResourceArn": source})).await;
    let expected = json!([{"Key": "lake", "Value": "registry"}, {"Key": "team", "Value": "data"}]);
    assert_eq!(listed.unwrap()["TagList"], expected);
    let absent = json!({"ResourceArn": "arn:absent", "Tags": []});
    assert_eq!(client.code("AddTagsToResource", &absent).await, MISSING);
    let filter = |name: &str, value: &str| json!({"Filters": [{"Name": name, "Values": [value]}]});
    let found = client.call("DescribeEndpoints", &filter("engine-name", "s3")).await.unwrap();
    assert_eq!(found["Endpoints"].as_array().unwrap().len(), 1);
    let none = client.code("DescribeEndpoints", &filter("engine-name", "oracle")).await;
    assert_eq!(none, MISSING);
    assert_eq!(client.code("DescribeEndpoints", &filter("engine", "s3")).await, VALUE);
    assert_eq!(client.code("DescribeEndpoints", &json!({"MaxRecords": 101})).await, VALUE);
    for number in 0..25 {
        let name = format!("task-{number}");
        let task = with(task("cdc"), "ReplicationTaskIdentifier", json!(name));
        let task = with(task, "ResourceIdentifier", json!(name));
        client.call("CreateReplicationTask", &task).await.unwrap();
    }
    let first = json!({"MaxRecords": 20, "WithoutSettings": true});
    let page = client.call("DescribeReplicationTasks", &first).await.unwrap();
    let tasks = page["ReplicationTasks"].as_array().unwrap();
    assert!(tasks.len() == 20 && tasks.iter().all(|task| task.get("TableMappings").is_none()));
    let rest = with(first, "Marker", page["Marker"].clone());
    let page = client.call("DescribeReplicationTasks", &rest).await.unwrap();
    assert_eq!(page["ReplicationTasks"].as_array().unwrap().len(), 5);
    assert!(page.get("Marker").is_none());
}

#[tokio::test]
async fn resources_need_time_and_each_other() {
    let it = started(Duration::from_secs(3600)).await;
    prepare(&it).await;
    let client = &it.client;
    let instances = client.call("DescribeReplicationInstances", &json!({})).await.unwrap();
    let status = &instances["ReplicationInstances"][0]["ReplicationInstanceStatus"];
    assert_eq!(status, "creating");
    assert_eq!(client.code("CreateReplicationTask", &task("cdc")).await, STATE);
    let both = json!({"ReplicationInstanceArn": arn("rep", "instance"),
        "EndpointArn": arn("endpoint", "source")});
    assert_eq!(client.code("TestConnection", &both).await, STATE);
    let it = started(Duration::ZERO).await;
    prepare(&it).await;
    let client = &it.client;
    client.call("CreateReplicationTask", &task("cdc")).await.unwrap();
    assert_eq!(
        client.code("CreateReplicationTask", &task("cdc")).await,
        "ResourceAlreadyExistsFault"
    );
    let instance = json!({"ReplicationInstanceArn": arn("rep", "instance")});
    assert_eq!(client.code("DeleteReplicationInstance", &instance).await, STATE);
    let endpoint = json!({"EndpointArn": arn("endpoint", "source")});
    assert_eq!(client.code("DeleteEndpoint", &endpoint).await, STATE);
    let named = json!({"ReplicationTaskArn": arn("task", "crm")});
    client.call("DeleteReplicationTask", &named).await.unwrap();
    assert_eq!(client.code("DeleteReplicationTask", &named).await, MISSING);
    client.call("DeleteEndpoint", &endpoint).await.unwrap();
    client.call("DeleteReplicationInstance", &instance).await.unwrap();
}

#[tokio::test]
async fn subnet_groups_cover_two_zones_and_outlive_their_users() {
    let it = started(Duration::ZERO).await;
    let client = &it.client;
    let group = |ids: &[&str]| {
        json!({"ReplicationSubnetGroupIdentifier": "Group",
            "ReplicationSubnetGroupDescription": "x", "SubnetIds": ids})
    };
    let create = "CreateReplicationSubnetGroup";
    let one = client.code(create, &group(&["subnet-1"])).await;
    assert_eq!(one, "ReplicationSubnetGroupDoesNotCoverEnoughAZs");
    assert_eq!(client.code(create, &group(&["subnet-1", "net-2"])).await, "InvalidSubnet");
    client.call(create, &group(&["subnet-1", "subnet-2"])).await.unwrap();
    let taken = client.code(create, &group(&["subnet-1", "subnet-2"])).await;
    assert_eq!(taken, "ResourceAlreadyExistsFault");
    let member = "ReplicationSubnetGroupIdentifier";
    let user = with(instance(), member, json!("group"));
    client.call("CreateReplicationInstance", &user).await.unwrap();
    let named = json!({member: "group"});
    assert_eq!(client.code("DeleteReplicationSubnetGroup", &named).await, STATE);
    let arn = json!({"ReplicationInstanceArn": arn("rep", "instance")});
    client.call("DeleteReplicationInstance", &arn).await.unwrap();
    client.call("DeleteReplicationSubnetGroup", &named).await.unwrap();
    assert_eq!(client.code("DeleteReplicationSubnetGroup", &named).await, MISSING);
}

#[tokio::test]
async fn start_and_stop_positions_that_are_not_served_are_refused() {
    let it = started(Duration::ZERO).await;
    prepare(&it).await;
    let client = &it.client;
    for (member, value, code) in [
        ("CdcStartTime", json!(1_700_000_000), VALUE),
        ("CdcStopPosition", json!("server_time:2018-02-09T12:12:12"), VALUE),
        ("CdcStartPosition", json!("2018-03-08T12:12:12"), VALUE),
        ("TaskData", json!("{}"), VALUE),
    ] {
        let task = with(task("cdc"), member, value);
        assert_eq!(client.code("CreateReplicationTask", &task).await, code, "{member}");
    }
    let positioned = with(task("full-load"), "CdcStartPosition", json!("binlog.000001:4"));
    assert_eq!(client.code("CreateReplicationTask", &positioned).await, COMBINATION);
    let both = with(task("cdc"), "CdcStartPosition", json!("binlog.000001:4"));
    let both = with(both, "CdcStartTime", json!(1_700_000_000));
    assert_eq!(client.code("CreateReplicationTask", &both).await, COMBINATION);
}

#[tokio::test]
async fn planned_faults_strike_tasks() {
    let it = started(Duration::ZERO).await;
    prepare(&it).await;
    let client = &it.client;
    client.call("CreateReplicationTask", &task("cdc")).await.unwrap();
    it.dms.faults().install(FaultPlan::new(FAULT_DESCRIBE_TASKS_REFUSED).times(1));
    let described = client.code("DescribeReplicationTasks", &json!({})).await;
    assert_eq!(described, "ThrottlingException");
    client.call("DescribeReplicationTasks", &json!({})).await.unwrap();
    let lost = FaultPlan::new(FAULT_START_TASK_REPLY_LOST).when(|arn| arn.ends_with(":crm"));
    let count = it.dms.faults().install(lost);
    let start = json!({"ReplicationTaskArn": arn("task", "crm"),
        "StartReplicationTaskType": "start-replication"});
    // A refusal is no work whose reply could be lost.
    assert_eq!(client.code("StartReplicationTask", &start).await, STATE);
    assert_eq!(count.struck(), 1);
}
