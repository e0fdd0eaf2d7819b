//! Jobs and their runs; a run really runs a program.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;

use super::catalog::epoch_seconds;
use super::error::GlueError;
use super::job_wire::{
    BatchStopJobRun, BatchStopReply, CommandName, CreateJob, CreateJobReply, ErrorDetail, GetJob,
    GetJobRun, GetJobRuns, Job, JobReply, JobRun, JobRunReply, JobRunsReply, RunState, StartJobRun,
    StartJobRunReply, StopError, Submission,
};
use super::run::{Order, execute};
use super::validate;

/// The version of a job that names none (AWS Glue release notes).
const DEFAULT_GLUE_VERSION: &str = "5.1";
/// How long runs may take to end when the server stops.
const STOP_LIMIT: Duration = Duration::from_secs(15);

/// The program behind every job: `<program> job --key value …`.
#[derive(Debug, Clone)]
pub struct JobRunner {
    /// The executable.
    pub program: PathBuf,
    /// Variables added to the inherited environment.
    pub env: Vec<(String, String)>,
    /// Folder for `<run id>.log`; made when absent.
    pub log_dir: PathBuf,
    /// The executable whose `supervise` subcommand runs [`crate::process::supervise_main`].
    pub supervisor: PathBuf,
    /// How long a minute of a job's `Timeout` lasts; shorter in tests.
    pub minute: Duration,
}

/// The jobs of one account and region.
#[derive(Debug)]
pub(super) struct Jobs {
    pub(super) runner: JobRunner,
    table: Mutex<BTreeMap<String, JobEntry>>,
    running: tokio::sync::Mutex<JoinSet<()>>,
}

#[derive(Debug)]
struct JobEntry {
    definition: CreateJob,
    created: f64,
    runs: Vec<RunEntry>,
}

#[derive(Debug)]
struct RunEntry {
    run: JobRun,
    stop: watch::Sender<bool>,
}

impl Jobs {
    pub(super) fn new(runner: JobRunner) -> Self {
        Self { runner, table: Mutex::default(), running: tokio::sync::Mutex::default() }
    }

    fn table(&self) -> MutexGuard<'_, BTreeMap<String, JobEntry>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn create_job(&self, mut job: CreateJob) -> Result<CreateJobReply, GlueError> {
        validate::job(&job)?;
        if job.command.name == CommandName::Glueetl && job.glue_version.is_none() {
            job.glue_version = Some(DEFAULT_GLUE_VERSION.to_owned());
        }
        job.timeout = Some(job.timeout.unwrap_or_else(|| default_timeout(&job)));
        let mut table = self.table();
        if table.contains_key(&job.name) {
            let message = format!("Job with name {} already exists.", job.name);
            return Err(GlueError::AlreadyExists(message));
        }
        let name = job.name.clone();
        let entry = JobEntry { definition: job, created: epoch_seconds(), runs: Vec::new() };
        table.insert(name.clone(), entry);
        Ok(CreateJobReply { name })
    }

    pub(super) fn get_job(&self, request: &GetJob) -> Result<JobReply, GlueError> {
        let table = self.table();
        let entry = table.get(&request.job_name).ok_or_else(|| no_job(&request.job_name))?;
        let job = Job {
            definition: entry.definition.clone(),
            created_on: entry.created,
            last_modified_on: entry.created,
        };
        Ok(JobReply { job })
    }

    pub(super) async fn start_job_run(
        self: &Arc<Self>,
        request: StartJobRun,
    ) -> Result<StartJobRunReply, GlueError> {
        let (order, stop) = self.enlist(request)?;
        let id = order.run_id.clone();
        let mut running = self.running.lock().await;
        // Ended runs need no waiting for.
        while running.try_join_next().is_some() {}
        running.spawn(execute(self.clone(), order, stop));
        Ok(StartJobRunReply { job_run_id: id })
    }

    /// Enters a run in state STARTING, if the job has room for it.
    fn enlist(&self, request: StartJobRun) -> Result<(Order, watch::Receiver<bool>), GlueError> {
        let given = request.arguments.unwrap_or_default();
        validate::arguments(&given)?;
        validate::timeout(request.timeout)?;
        let mut table = self.table();
        let job = request.job_name;
        let entry = table.get_mut(&job).ok_or_else(|| no_job(&job))?;
        let definition = &entry.definition;
        let limit = definition.execution_property.as_ref().map_or(1, |it| it.max_concurrent_runs);
        let active = entry.runs.iter().filter(|entry| entry.run.job_run_state.active()).count();
        if active >= limit as usize {
            return Err(GlueError::ConcurrentRunsExceeded(format!(
                "Concurrent runs exceeded for {job}"
            )));
        }
        // Precedence: what cannot be overridden, the run, the job's defaults.
        let mut arguments = definition.default_arguments.clone().unwrap_or_default();
        arguments.extend(given.clone());
        arguments.extend(definition.non_overridable_arguments.clone().unwrap_or_default());
        let id = format!("jr_{}", hex::encode(uuid::Uuid::new_v4().as_bytes()).repeat(2));
        let now = epoch_seconds();
        let timeout = request.timeout.or(definition.timeout).unwrap_or(1);
        let run = JobRun {
            id: id.clone(),
            attempt: 0,
            job_name: job.clone(),
            started_on: now,
            last_modified_on: now,
            completed_on: None,
            job_run_state: RunState::Starting,
            arguments: given,
            error_message: None,
            predecessor_runs: [],
            execution_time: 0,
            timeout,
            max_capacity: request.max_capacity.or(definition.max_capacity),
            worker_type: request.worker_type.or(definition.worker_type),
            number_of_workers: request.number_of_workers.or(definition.number_of_workers),
            execution_class: request.execution_class.or(definition.execution_class),
            security_configuration: definition.security_configuration.clone(),
            glue_version: definition.glue_version.clone(),
            log_group_name: "/aws-glue/jobs",
        };
        let (stop, stopping) = watch::channel(false);
        entry.runs.push(RunEntry { run, stop });
        Ok((Order { job, run_id: id, arguments, timeout }, stopping))
    }

    pub(super) fn get_job_run(&self, request: &GetJobRun) -> Result<JobRunReply, GlueError> {
        // Runs have no predecessors here: those belong to triggers and workflows.
        let _ = request.predecessors_included;
        let table = self.table();
        let entry = table.get(&request.job_name).ok_or_else(|| no_job(&request.job_name))?;
        let found = entry.runs.iter().find(|entry| entry.run.id == request.run_id);
        let found = found.ok_or_else(|| no_run(&request.run_id))?;
        Ok(JobRunReply { job_run: found.run.clone() })
    }

    /// Newest first.
    pub(super) fn get_job_runs(&self, request: &GetJobRuns) -> Result<JobRunsReply, GlueError> {
        let limit = request.max_results.unwrap_or(200);
        validate::between("maxResults", limit, 1, 200)?;
        let table = self.table();
        let entry = table.get(&request.job_name).ok_or_else(|| no_job(&request.job_name))?;
        // A token is the number of runs that are older than the page before.
        let older = match &request.next_token {
            None => entry.runs.len(),
            Some(token) => {
                token.parse().ok().filter(|older| *older <= entry.runs.len()).ok_or_else(|| {
                    GlueError::InvalidInput("The NextToken is not valid.".to_owned())
                })?
            }
        };
        let first = older.saturating_sub(limit as usize);
        let job_runs = entry.runs[first..older].iter().rev().map(|it| it.run.clone()).collect();
        Ok(JobRunsReply { job_runs, next_token: (first > 0).then(|| first.to_string()) })
    }

    pub(super) fn batch_stop(&self, request: BatchStopJobRun) -> Result<BatchStopReply, GlueError> {
        let asked = u32::try_from(request.job_run_ids.len()).unwrap_or(u32::MAX);
        validate::between("jobRunIds.length", asked, 1, 25)?;
        let mut reply = BatchStopReply { successful_submissions: Vec::new(), errors: Vec::new() };
        for id in request.job_run_ids {
            let job_name = request.job_name.clone();
            match self.stop_run(&job_name, &id) {
                Ok(()) => {
                    reply.successful_submissions.push(Submission { job_name, job_run_id: id });
                }
                Err((error_code, error_message)) => {
                    let error_detail = ErrorDetail { error_code, error_message };
                    reply.errors.push(StopError { job_name, job_run_id: id, error_detail });
                }
            }
        }
        Ok(reply)
    }

    fn stop_run(&self, job: &str, id: &str) -> Result<(), (&'static str, String)> {
        let mut table = self.table();
        let runs = table.get_mut(job).map(|entry| &mut entry.runs);
        let found = runs.and_then(|runs| runs.iter_mut().find(|entry| entry.run.id == id));
        let Some(entry) = found else {
            let error = no_run(id);
            return Err((error.code(), error.to_string()));
        };
        match entry.run.job_run_state {
            RunState::Starting | RunState::Running => {
                entry.run.job_run_state = RunState::Stopping;
                entry.run.last_modified_on = epoch_seconds();
                entry.stop.send_replace(true);
                Ok(())
            }
            RunState::Stopping => Ok(()),
            RunState::Stopped | RunState::Succeeded | RunState::Failed | RunState::Timeout => {
                Err(("JobRunInTerminalStateException", format!("Job run {id} has ended.")))
            }
        }
    }

    /// Changes a run; used by its execution alone.
    pub(super) fn change_run(&self, job: &str, id: &str, change: impl FnOnce(&mut JobRun)) {
        if let Some(entry) = self.table().get_mut(job)
            && let Some(entry) = entry.runs.iter_mut().find(|entry| entry.run.id == id)
        {
            change(&mut entry.run);
            entry.run.last_modified_on = epoch_seconds();
        }
    }

    /// Stops every run and waits until its program is gone, at most fifteen seconds.
    pub(super) async fn stop_all(&self) {
        for entry in self.table().values() {
            for run in &entry.runs {
                run.stop.send_replace(true);
            }
        }
        let mut running = self.running.lock().await;
        let ended = async { while running.join_next().await.is_some() {} };
        // What is left is aborted with the set, which closes its supervisor's pipe.
        drop(tokio::time::timeout(STOP_LIMIT, ended).await);
        running.abort_all();
    }
}

/// 480 minutes from Glue 5.0 on, 2,880 before and for shell jobs.
fn default_timeout(job: &CreateJob) -> u32 {
    let version = job.glue_version.as_deref().unwrap_or("0");
    let major: u32 = version.split('.').next().and_then(|text| text.parse().ok()).unwrap_or(0);
    if major >= 5 { 480 } else { 2880 }
}

fn no_job(name: &str) -> GlueError {
    GlueError::EntityNotFound(format!("Failed to find job {name}."))
}

fn no_run(id: &str) -> GlueError {
    GlueError::EntityNotFound(format!("Failed to find job run {id}."))
}
