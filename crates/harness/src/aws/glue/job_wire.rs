//! Job requests and replies in the names and types of the Glue API.
//!
//! Source: AWS Glue API reference, "Jobs API" and "Job runs".

use serde::{Deserialize, Serialize};

use super::wire::Parameters;

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct CreateJob {
    pub(super) name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) description: Option<String>,
    pub(super) role: String,
    pub(super) command: JobCommand,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) execution_property: Option<ExecutionProperty>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) default_arguments: Option<Parameters>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) non_overridable_arguments: Option<Parameters>,
    #[serde(skip_serializing_if = "Option::is_none")]
    connections: Option<ConnectionsList>,
    #[serde(default)]
    pub(super) max_retries: u32,
    /// Minutes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) timeout: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) max_capacity: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) security_configuration: Option<String>,
    #[serde(skip_serializing)]
    pub(super) tags: Option<Parameters>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) glue_version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) number_of_workers: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) worker_type: Option<WorkerType>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) execution_class: Option<ExecutionClass>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct JobCommand {
    pub(super) name: CommandName,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) script_location: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    python_version: Option<PythonVersion>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum CommandName {
    Glueetl,
    Gluestreaming,
    Pythonshell,
    Glueray,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
enum PythonVersion {
    #[serde(rename = "2")]
    Two,
    #[serde(rename = "3")]
    Three,
    #[serde(rename = "3.9")]
    ThreeNine,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct ExecutionProperty {
    pub(super) max_concurrent_runs: u32,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct ConnectionsList {
    #[serde(skip_serializing_if = "Option::is_none")]
    connections: Option<Vec<String>>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) enum WorkerType {
    Standard,
    #[serde(rename = "G.025X")]
    G025x,
    #[serde(rename = "G.1X")]
    G1x,
    #[serde(rename = "G.2X")]
    G2x,
    #[serde(rename = "G.4X")]
    G4x,
    #[serde(rename = "G.8X")]
    G8x,
    #[serde(rename = "G.12X")]
    G12x,
    #[serde(rename = "G.16X")]
    G16x,
    #[serde(rename = "R.1X")]
    R1x,
    #[serde(rename = "R.2X")]
    R2x,
    #[serde(rename = "R.4X")]
    R4x,
    #[serde(rename = "R.8X")]
    R8x,
    #[serde(rename = "Z.2X")]
    Z2x,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum ExecutionClass {
    Standard,
    Flex,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct GetJob {
    pub(super) job_name: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct StartJobRun {
    pub(super) job_name: String,
    pub(super) arguments: Option<Parameters>,
    /// Minutes.
    pub(super) timeout: Option<u32>,
    pub(super) max_capacity: Option<f64>,
    pub(super) number_of_workers: Option<u32>,
    pub(super) worker_type: Option<WorkerType>,
    pub(super) execution_class: Option<ExecutionClass>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct GetJobRun {
    pub(super) job_name: String,
    pub(super) run_id: String,
    #[serde(default)]
    pub(super) predecessors_included: bool,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct GetJobRuns {
    pub(super) job_name: String,
    pub(super) next_token: Option<String>,
    pub(super) max_results: Option<u32>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct BatchStopJobRun {
    pub(super) job_name: String,
    pub(super) job_run_ids: Vec<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreateJobReply {
    pub(super) name: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Job {
    #[serde(flatten)]
    pub(super) definition: CreateJob,
    /// Seconds since the epoch.
    pub(super) created_on: f64,
    /// Seconds since the epoch.
    pub(super) last_modified_on: f64,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct JobReply {
    pub(super) job: Job,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct StartJobRunReply {
    pub(super) job_run_id: String,
}

/// States of a run that this endpoint reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum RunState {
    Starting,
    Running,
    Stopping,
    Stopped,
    Succeeded,
    Failed,
    Timeout,
}

impl RunState {
    /// Whether the run still counts against the job's concurrent runs.
    pub(super) fn active(self) -> bool {
        match self {
            Self::Starting | Self::Running | Self::Stopping => true,
            Self::Stopped | Self::Succeeded | Self::Failed | Self::Timeout => false,
        }
    }
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct JobRun {
    pub(super) id: String,
    pub(super) attempt: u32,
    pub(super) job_name: String,
    /// Seconds since the epoch.
    pub(super) started_on: f64,
    /// Seconds since the epoch.
    pub(super) last_modified_on: f64,
    /// Seconds since the epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) completed_on: Option<f64>,
    pub(super) job_run_state: RunState,
    pub(super) arguments: Parameters,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) error_message: Option<String>,
    pub(super) predecessor_runs: [(); 0],
    /// Seconds that the program ran.
    pub(super) execution_time: u64,
    /// Minutes.
    pub(super) timeout: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) max_capacity: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) worker_type: Option<WorkerType>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) number_of_workers: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) execution_class: Option<ExecutionClass>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) security_configuration: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) glue_version: Option<String>,
    pub(super) log_group_name: &'static str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct JobRunReply {
    pub(super) job_run: JobRun,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct JobRunsReply {
    pub(super) job_runs: Vec<JobRun>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next_token: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct BatchStopReply {
    pub(super) successful_submissions: Vec<Submission>,
    pub(super) errors: Vec<StopError>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Submission {
    pub(super) job_name: String,
    pub(super) job_run_id: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct StopError {
    pub(super) job_name: String,
    pub(super) job_run_id: String,
    pub(super) error_detail: ErrorDetail,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ErrorDetail {
    pub(super) error_code: &'static str,
    pub(super) error_message: String,
}
