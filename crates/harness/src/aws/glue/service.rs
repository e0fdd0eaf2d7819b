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

use super::catalog::Catalog;
use super::error::GlueError;
use super::job_wire::{BatchStopJobRun, CreateJob, GetJob, GetJobRun, GetJobRuns, StartJobRun};
use super::jobs::Jobs;
use super::wire::{
    CreateDatabase, CreateTable, DeleteDatabase, DeleteTable, GetDatabase, GetDatabases, GetTable,
    GetTables, UpdateTable,
};
use crate::aws::faults::Faults;
use crate::aws::listener::ServiceError;
use crate::aws::signature::Verifier;

/// Largest request body, bytes.
const BODY_LIMIT: usize = 16 * 1024 * 1024;

/// Everything that requests share.
#[derive(Debug)]
pub(super) struct State {
    pub(super) verifier: Verifier,
    pub(super) catalog: Catalog,
    pub(super) jobs: Arc<Jobs>,
    pub(super) faults: Faults,
}

/// A reply, or none at all.
enum Outcome {
    Json(Vec<u8>),
    Lost,
}

/// Answers one request; an error closes the connection without a reply.
pub(super) async fn answer(
    state: Arc<State>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, ServiceError> {
    let (parts, body) = request.into_parts();
    let body = Limited::new(body, BODY_LIMIT).collect().await?.to_bytes();
    let verified = state.verifier.verify(&parts, &body, Utc::now()).map_err(GlueError::from);
    let operation = parts.headers.get("x-amz-target").and_then(|value| value.to_str().ok());
    let operation = operation.and_then(|target| target.strip_prefix("AWSGlue."));
    let operation = operation.filter(|_| parts.method == Method::POST && parts.uri.path() == "/");
    let outcome = match (verified, operation) {
        (Err(refused), _) => Err(refused),
        (Ok(()), Some(operation)) => dispatch(&state, operation, &body).await,
        (Ok(()), None) => Err(GlueError::UnknownOperation("no operation was named".to_owned())),
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

async fn dispatch(state: &Arc<State>, name: &str, body: &[u8]) -> Result<Outcome, GlueError> {
    let catalog = &state.catalog;
    let jobs = &state.jobs;
    let call = Call { faults: &state.faults, name, body };
    match name {
        "CreateDatabase" => call.serve(name_of_new, |it| catalog.create_database(it)),
        "GetDatabase" => {
            call.serve(|it: &GetDatabase| it.name.clone(), |it| catalog.get_database(it))
        }
        "GetDatabases" => {
            call.serve(|_: &GetDatabases| String::new(), |it| catalog.get_databases(it))
        }
        "DeleteDatabase" => {
            call.serve(|it: &DeleteDatabase| it.name.clone(), |it| catalog.delete_database(it))
        }
        "CreateTable" => call.serve(
            |it: &CreateTable| {
                new_table(&it.database_name, it.table_input.as_ref().map(|t| &t.name))
            },
            |it| catalog.create_table(it),
        ),
        "GetTable" => call.serve(
            |it: &GetTable| format!("{}.{}", it.database_name, it.name),
            |it| catalog.get_table(it),
        ),
        "GetTables" => {
            call.serve(|it: &GetTables| it.database_name.clone(), |it| catalog.get_tables(it))
        }
        "UpdateTable" => call.serve(
            |it: &UpdateTable| {
                new_table(&it.database_name, it.table_input.as_ref().map(|t| &t.name))
            },
            |it| catalog.update_table(it),
        ),
        "DeleteTable" => call.serve(
            |it: &DeleteTable| format!("{}.{}", it.database_name, it.name),
            |it| catalog.delete_table(it),
        ),
        "CreateJob" => call.serve(|it: &CreateJob| it.name.clone(), |it| jobs.create_job(it)),
        "GetJob" => call.serve(|it: &GetJob| it.job_name.clone(), |it| jobs.get_job(&it)),
        "StartJobRun" => {
            let (request, lost) = call.open(|it: &StartJobRun| it.job_name.clone())?;
            close(jobs.start_job_run(request).await?, lost)
        }
        "GetJobRun" => call.serve(|it: &GetJobRun| it.job_name.clone(), |it| jobs.get_job_run(&it)),
        "GetJobRuns" => {
            call.serve(|it: &GetJobRuns| it.job_name.clone(), |it| jobs.get_job_runs(&it))
        }
        "BatchStopJobRun" => {
            call.serve(|it: &BatchStopJobRun| it.job_name.clone(), |it| jobs.batch_stop(it))
        }
        unknown => Err(GlueError::UnknownOperation(format!(
            "the operation {unknown} is unknown or not served by this endpoint"
        ))),
    }
}

fn name_of_new(request: &CreateDatabase) -> String {
    request.database_input.name.clone()
}

fn new_table(database: &str, table: Option<&String>) -> String {
    format!("{database}.{}", table.map_or("", String::as_str))
}

struct Call<'a> {
    faults: &'a Faults,
    name: &'a str,
    body: &'a [u8],
}

impl Call<'_> {
    /// Parses the request and asks for faults; tells whether the reply is to be lost.
    fn open<R: DeserializeOwned>(
        &self,
        subject: impl Fn(&R) -> String,
    ) -> Result<(R, bool), GlueError> {
        let request = serde_json::from_slice(self.body).map_err(|error| refused(&error))?;
        let struck = self.faults.strike(self.name, &subject(&request));
        if struck.refuses() {
            Err(GlueError::Throttling)
        } else {
            Ok((request, struck.loses_reply()))
        }
    }

    fn serve<R: DeserializeOwned, T: Serialize>(
        &self,
        subject: impl Fn(&R) -> String,
        work: impl FnOnce(R) -> Result<T, GlueError>,
    ) -> Result<Outcome, GlueError> {
        let (request, lost) = self.open(subject)?;
        close(work(request)?, lost)
    }
}

fn close(reply: impl Serialize, lost: bool) -> Result<Outcome, GlueError> {
    if lost {
        return Ok(Outcome::Lost);
    }
    let json = serde_json::to_vec(&reply);
    json.map(Outcome::Json).map_err(|error| GlueError::InternalService(error.to_string()))
}

/// Members that are unknown, missing or not of their enumeration fail validation; anything else
/// does not deserialise.
fn refused(error: &serde_json::Error) -> GlueError {
    let message = error.to_string();
    let validation = ["unknown field", "unknown variant", "missing field"];
    if validation.iter().any(|start| message.starts_with(start)) {
        GlueError::Validation(format!("1 validation error detected: {message}"))
    } else {
        GlueError::Serialization(message)
    }
}
