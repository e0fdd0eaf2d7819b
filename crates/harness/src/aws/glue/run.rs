//! The execution of one job run.

use std::ffi::OsString;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::catalog::epoch_seconds;
use super::job_wire::RunState;
use super::jobs::Jobs;
use super::wire::Parameters;
use crate::process::{Exit, ProcessError, Program, StderrTail, Supervised};

/// Most lines of standard error in an error message.
const MESSAGE_LINES: usize = 10;

/// What a run has to do.
#[derive(Debug)]
pub(super) struct Order {
    pub(super) job: String,
    pub(super) run_id: String,
    pub(super) arguments: Parameters,
    /// Minutes.
    pub(super) timeout: u32,
}

enum End {
    Exited(Result<Exit, ProcessError>),
    TimedOut,
    Stopped,
}

/// Runs the program to its end, its timeout or a stop, and enters the outcome.
pub(super) async fn execute(jobs: Arc<Jobs>, order: Order, mut stop: watch::Receiver<bool>) {
    let started = Instant::now();
    let outcome = match start(&jobs, &order) {
        Ok(mut running) => {
            enter_running(&jobs, &order);
            attend(&jobs, &order, &mut running, &mut stop).await
        }
        Err(error) => (RunState::Failed, Some(describe(&error))),
    };
    jobs.change_run(&order.job, &order.run_id, |run| {
        run.job_run_state = outcome.0;
        run.error_message = outcome.1;
        run.completed_on = Some(epoch_seconds());
        run.execution_time = started.elapsed().as_secs_f64().round() as u64;
    });
}

fn start(jobs: &Jobs, order: &Order) -> Result<Supervised, ProcessError> {
    let runner = &jobs.runner;
    std::fs::create_dir_all(&runner.log_dir)
        .map_err(|source| ProcessError::Log { path: runner.log_dir.clone(), source })?;
    let program = Program {
        program: runner.program.clone(),
        args: command_line(order),
        env: runner.env.clone(),
        log_file: runner.log_dir.join(format!("{}.log", order.run_id)),
        directory: None,
        stderr: StderrTail::Keep,
        // Glue does not promise a SIGTERM, so that jobs must not rely on one.
        grace: Duration::ZERO,
    };
    Supervised::spawn(&runner.supervisor, &program)
}

/// `job --key value … --JOB_NAME name --JOB_RUN_ID id`.
fn command_line(order: &Order) -> Vec<OsString> {
    let own = [("--JOB_NAME", &order.job), ("--JOB_RUN_ID", &order.run_id)];
    let given = order.arguments.iter().map(|(key, value)| (key.as_str(), value));
    let pairs = given.filter(|(key, _)| own.iter().all(|(name, _)| name != key)).chain(own);
    std::iter::once(OsString::from("job"))
        .chain(pairs.flat_map(|(key, value)| [OsString::from(key), OsString::from(value)]))
        .collect()
}

fn enter_running(jobs: &Jobs, order: &Order) {
    jobs.change_run(&order.job, &order.run_id, |run| {
        // A stop may have been asked for already.
        if run.job_run_state == RunState::Starting {
            run.job_run_state = RunState::Running;
        }
    });
}

async fn attend(
    jobs: &Jobs,
    order: &Order,
    running: &mut Supervised,
    stop: &mut watch::Receiver<bool>,
) -> (RunState, Option<String>) {
    let end = tokio::select! {
        exit = running.wait() => End::Exited(exit),
        () = tokio::time::sleep(jobs.runner.minute * order.timeout) => End::TimedOut,
        _ = stop.wait_for(|stop| *stop) => End::Stopped,
    };
    let outcome = match end {
        End::Exited(Ok(exit)) if exit.success() => return (RunState::Succeeded, None),
        End::Exited(Ok(exit)) => return (RunState::Failed, Some(failure(exit, running))),
        End::Exited(Err(error)) => return (RunState::Failed, Some(describe(&error))),
        End::TimedOut => (RunState::Timeout, Some("Job run timed out.".to_owned())),
        End::Stopped => (RunState::Stopped, None),
    };
    match running.stop().await {
        Ok(_) => outcome,
        Err(error) => (RunState::Failed, Some(describe(&error))),
    }
}

fn failure(exit: Exit, running: &Supervised) -> String {
    let tail = running.stderr_tail();
    let lines: Vec<&str> = tail.lines().collect();
    let last = &lines[lines.len().saturating_sub(MESSAGE_LINES)..];
    let code = exit.code;
    if last.is_empty() {
        format!("Command failed with exit code {code}")
    } else {
        format!("Command failed with exit code {code}: {}", last.join("\n"))
    }
}

fn describe(error: &ProcessError) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_runs_arguments_become_a_command_line_that_ends_with_its_names() {
        let arguments = [("--JOB_NAME", "forged"), ("--table", "crm.customers"), ("--dry", "")];
        let order = Order {
            job: "silver".into(),
            run_id: "jr_1".into(),
            arguments: arguments.map(|(key, value)| (key.into(), value.into())).into(),
            timeout: 1,
        };
        let expected = [
            "job",
            "--dry",
            "",
            "--table",
            "crm.customers",
            "--JOB_NAME",
            "silver",
            "--JOB_RUN_ID",
            "jr_1",
        ];
        assert_eq!(command_line(&order), expected);
    }
}
