//! States of tasks whose source or target cannot be used.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::Endpoints;
use crate::refusals::{arn, mappings, prepare, settings, started, task, with};

/// Asks until the answer fits, thirty seconds at most.
async fn reach(it: &Endpoints, operation: &str, place: &str, member: &str, wanted: &str) -> Value {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let reply = it.client.call(operation, &json!({})).await.unwrap();
        let found = reply[place][0].clone();
        if found[member] == wanted {
            return found;
        }
        assert!(Instant::now() < deadline, "still {found}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_connection_that_fails_its_test_says_why_without_the_password_and_forbids_a_start() {
    let it = started(Duration::ZERO).await;
    prepare(&it).await;
    it.client.call("CreateReplicationTask", &task("full-load")).await.unwrap();
    let both = json!({"ReplicationInstanceArn": arn("rep", "instance"),
        "EndpointArn": arn("endpoint", "source")});
    let tested = it.client.call("TestConnection", &both).await.unwrap();
    assert_eq!(tested["Connection"]["Status"], "testing");
    let failed = reach(&it, "DescribeConnections", "Connections", "Status", "failed").await;
    let message = failed["LastFailureMessage"].as_str().unwrap();
    assert!(message.contains("127.0.0.1:1") && !message.contains("geheim"), "{message}");
    let start = json!({"ReplicationTaskArn": arn("task", "crm"),
        "StartReplicationTaskType": "start-replication"});
    let (code, message) = it.client.call("StartReplicationTask", &start).await.unwrap_err();
    assert_eq!(code, "InvalidResourceStateFault");
    assert!(message.starts_with("Test connection"), "{message}");
}

#[tokio::test]
async fn a_bucket_that_is_not_there_fails_its_test_with_the_code_of_s3() {
    let it = started(Duration::ZERO).await;
    prepare(&it).await;
    let elsewhere = json!({"EndpointArn": arn("endpoint", "target"),
        "S3Settings": {"BucketName": "absent"}});
    it.client.call("ModifyEndpoint", &elsewhere).await.unwrap();
    let both = json!({"ReplicationInstanceArn": arn("rep", "instance"),
        "EndpointArn": arn("endpoint", "target")});
    it.client.call("TestConnection", &both).await.unwrap();
    let failed = reach(&it, "DescribeConnections", "Connections", "Status", "failed").await;
    let message = failed["LastFailureMessage"].as_str().unwrap();
    assert!(message.contains("NoSuchBucket") && message.contains("absent"), "{message}");
}

#[tokio::test]
async fn a_run_that_fails_tells_the_chain_of_causes_and_may_be_started_again() {
    let it = started(Duration::ZERO).await;
    prepare(&it).await;
    let config = json!({"ReplicationConfigIdentifier": "crm", "ResourceIdentifier": "crm",
        "SourceEndpointArn": arn("endpoint", "source"),
        "TargetEndpointArn": arn("endpoint", "target"), "ReplicationType": "full-load-and-cdc",
        "ComputeConfig": {"MaxCapacityUnits": 2}, "TableMappings": mappings(),
        "ReplicationSettings": settings()});
    let odd = with(config.clone(), "ComputeConfig", json!({"MaxCapacityUnits": 5}));
    let refused = it.client.code("CreateReplicationConfig", &odd).await;
    assert_eq!(refused, "InvalidParameterValueException");
    it.client.call("CreateReplicationConfig", &config).await.unwrap();
    let named = arn("replication-config", "crm");
    let start = |how: &str| json!({"ReplicationConfigArn": named, "StartReplicationType": how});
    let resume = it.client.code("StartReplication", &start("resume-processing")).await;
    assert_eq!(resume, "InvalidParameterCombinationException");
    it.client.call("StartReplication", &start("start-replication")).await.unwrap();
    let failed = reach(&it, "DescribeReplications", "Replications", "Status", "failed").await;
    // Nobody listens there: that may be different later.
    assert_eq!(failed["StopReason"], "Stop Reason RECOVERABLE_ERROR");
    let message = failed["FailureMessages"][0].as_str().unwrap();
    assert!(message.starts_with("Last Error the source cannot be used: "), "{message}");
    assert!(message.ends_with("Error Level FATAL") && !message.contains("geheim"), "{message}");
    it.client.call("StartReplication", &start("resume-processing")).await.unwrap();
    let delete = json!({"ReplicationConfigArn": named});
    reach(&it, "DescribeReplications", "Replications", "Status", "failed").await;
    it.client.call("DeleteReplicationConfig", &delete).await.unwrap();
    let gone = it.client.code("DeleteReplicationConfig", &delete).await;
    assert_eq!(gone, "ResourceNotFoundFault");
}
