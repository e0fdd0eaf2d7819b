//! AWS JSON 1.1 over HTTP: signature, operation, faults, reply.
//!
//! Source: Smithy specification, "AWS JSON 1.1 protocol".

use std::sync::Arc;

use chrono::Utc;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::{Method, Request, Response, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::error::DmsError;
use super::store::Store;
use crate::aws::faults::Faults;
use crate::aws::listener::ServiceError;
use crate::aws::signature::Verifier;

/// Largest request body, bytes.
const BODY_LIMIT: usize = 16 * 1024 * 1024;
/// The members by which a request names what it is about, for faults.
const SUBJECTS: [&str; 9] = [
    "ReplicationTaskArn",
    "ReplicationConfigArn",
    "EndpointArn",
    "ReplicationInstanceArn",
    "ReplicationTaskIdentifier",
    "ReplicationConfigIdentifier",
    "EndpointIdentifier",
    "ReplicationInstanceIdentifier",
    "ReplicationSubnetGroupIdentifier",
];

/// Everything that requests share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) verifier: Verifier,
    pub(super) store: Arc<Store>,
    pub(super) faults: Faults,
}

/// A reply, or none at all.
enum Outcome {
    Json(Vec<u8>),
    Lost,
}

/// Answers one request; an error closes the connection without a reply.
pub(super) async fn answer(
    shared: Arc<Shared>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, ServiceError> {
    let (parts, body) = request.into_parts();
    let body = Limited::new(body, BODY_LIMIT).collect().await?.to_bytes();
    let verified = shared.verifier.verify(&parts, &body, Utc::now()).map_err(DmsError::from);
    let operation = parts.headers.get("x-amz-target").and_then(|value| value.to_str().ok());
    let operation = operation.and_then(|target| target.strip_prefix("AmazonDMSv20160101."));
    let operation = operation.filter(|_| parts.method == Method::POST && parts.uri.path() == "/");
    let outcome = match (verified, operation) {
        (Err(refused), _) => Err(refused),
        (Ok(()), Some(operation)) => serve(&shared, operation, &body).await,
        (Ok(()), None) => Err(DmsError::UnknownOperation("no operation was named".to_owned())),
    };
    let (status, body) = match outcome {
        Ok(Outcome::Json(body)) => (StatusCode::OK, Bytes::from(body)),
        Ok(Outcome::Lost) => return Err("the reply is lost on purpose".into()),
        Err(error) => (error.status(), Bytes::from(error.body())),
    };
    let response = Response::builder()
        .status(status)
        .header("content-type", "application/x-amz-json-1.1")
        .header("x-amzn-requestid", uuid::Uuid::new_v4().to_string());
    Ok(response.body(Full::new(body))?)
}

async fn serve(shared: &Shared, name: &str, body: &[u8]) -> Result<Outcome, DmsError> {
    let struck = shared.faults.strike(name, &subject(body));
    if struck.refuses() {
        return Err(DmsError::Throttling);
    }
    let json = dispatch(&shared.store, name, body).await?;
    Ok(if struck.loses_reply() { Outcome::Lost } else { Outcome::Json(json) })
}

/// What the request is about: the first of the naming members that it has.
fn subject(body: &[u8]) -> String {
    let members: Value = serde_json::from_slice(body).unwrap_or_default();
    let named = SUBJECTS.iter().find_map(|member| members[*member].as_str());
    named.unwrap_or_default().to_owned()
}

async fn dispatch(store: &Arc<Store>, name: &str, body: &[u8]) -> Result<Vec<u8>, DmsError> {
    match name {
        "CreateEndpoint" => json(store.create_endpoint(read(body)?)),
        "ModifyEndpoint" => json(store.modify_endpoint(read(body)?)),
        "DescribeEndpoints" => json(store.describe_endpoints(read(body)?)),
        "DeleteEndpoint" => json(store.delete_endpoint(read(body)?)),
        "TestConnection" => json(store.test_connection(read(body)?)),
        "DescribeConnections" => json(store.describe_connections(read(body)?)),
        "CreateReplicationInstance" => json(store.create_instance(read(body)?)),
        "DescribeReplicationInstances" => json(store.describe_instances(read(body)?)),
        "DeleteReplicationInstance" => json(store.delete_instance(read(body)?)),
        "CreateReplicationSubnetGroup" => json(store.create_subnet_group(read(body)?)),
        "DescribeReplicationSubnetGroups" => json(store.describe_subnet_groups(read(body)?)),
        "DeleteReplicationSubnetGroup" => json(store.delete_subnet_group(read(body)?)),
        "CreateReplicationTask" => json(store.create_task(read(body)?)),
        "ModifyReplicationTask" => json(store.modify_task(read(body)?)),
        "DescribeReplicationTasks" => json(store.describe_tasks(read(body)?)),
        "DeleteReplicationTask" => json(store.delete_task(read(body)?).await),
        "StartReplicationTask" => json(store.start_task(read(body)?).await),
        "StopReplicationTask" => json(store.stop_task(read(body)?)),
        "ReloadTables" => json(store.reload_tables(read(body)?)),
        "DescribeTableStatistics" => json(store.describe_task_statistics(read(body)?)),
        "AddTagsToResource" => json(store.add_tags(read(body)?)),
        "ListTagsForResource" => json(store.list_tags(read(body)?)),
        "CreateReplicationConfig" => json(store.create_config(read(body)?)),
        "ModifyReplicationConfig" => json(store.modify_config(read(body)?)),
        "DescribeReplicationConfigs" => json(store.describe_configs(read(body)?)),
        "DeleteReplicationConfig" => json(store.delete_config(read(body)?).await),
        "StartReplication" => json(store.start_replication(read(body)?).await),
        "StopReplication" => json(store.stop_replication(read(body)?)),
        "DescribeReplications" => json(store.describe_replications(read(body)?)),
        "ReloadReplicationTables" => json(store.reload_replication_tables(read(body)?)),
        "DescribeReplicationTableStatistics" => json(store.describe_config_statistics(read(body)?)),
        unknown => Err(DmsError::UnknownOperation(format!(
            "the operation {unknown} is unknown or not served by this endpoint"
        ))),
    }
}

fn json<T: Serialize>(reply: Result<T, DmsError>) -> Result<Vec<u8>, DmsError> {
    serde_json::to_vec(&reply?).map_err(|error| DmsError::Internal(error.to_string()))
}

/// Members that are unknown, missing or not of their enumeration are invalid; anything else does
/// not deserialise.
fn read<R: DeserializeOwned>(body: &[u8]) -> Result<R, DmsError> {
    serde_json::from_slice(body).map_err(|error| {
        let message = error.to_string();
        let invalid = ["unknown field", "unknown variant", "missing field"];
        if invalid.iter().any(|start| message.starts_with(start)) {
            DmsError::value(message)
        } else {
            DmsError::Serialization(message)
        }
    })
}
