//! Job runs that really run a program.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use aws_sdk_glue::Client;
use aws_sdk_glue::types::{ExecutionProperty, JobCommand, JobRun, JobRunState, WorkerType};
use rustix::process::{Pid, test_kill_process};

use crate::{Glue, code, glue};

async fn create(client: &Client, name: &str, action: &str, out: &Path) {
    let command = JobCommand::builder().name("glueetl").script_location("s3://code/job").build();
    let create = client.create_job().name(name).role("arn:aws:iam::111122223333:role/job");
    let arguments = create.default_arguments("--action", action);
    let arguments = arguments.default_arguments("--out", out.to_str().unwrap());
    arguments.command(command).timeout(30).send().await.unwrap();
}

async fn start(client: &Client, name: &str) -> String {
    client.start_job_run().job_name(name).send().await.unwrap().job_run_id.unwrap()
}

async fn run(client: &Client, name: &str, id: &str) -> JobRun {
    let reply = client.get_job_run().job_name(name).run_id(id).send().await.unwrap();
    reply.job_run.unwrap()
}

/// Waits until the run is in one of the states, twenty seconds at most.
async fn wait(client: &Client, name: &str, id: &str, states: &[JobRunState]) -> JobRun {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let run = run(client, name, id).await;
        if states.contains(run.job_run_state.as_ref().unwrap()) {
            return run;
        }
        assert!(Instant::now() < deadline, "still {:?}", run.job_run_state);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

const ENDED: [JobRunState; 4] =
    [JobRunState::Succeeded, JobRunState::Failed, JobRunState::Timeout, JobRunState::Stopped];

/// What the program noted: its process, a variable, its arguments.
async fn noted(out: &Path) -> (Pid, String, String) {
    for _ in 0..500 {
        if let Ok(text) = std::fs::read_to_string(out) {
            let mut lines = text.lines().map(str::to_owned);
            let pid = lines.next().unwrap().parse().unwrap();
            let pid = Pid::from_raw(pid).unwrap();
            return (pid, lines.next().unwrap(), lines.next().unwrap());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the program did not start");
}

fn out(glue: &Glue, name: &str) -> PathBuf {
    glue.folder.path().join(name)
}

#[tokio::test]
async fn a_run_runs_the_program_with_the_jobs_arguments_and_succeeds() {
    let glue = glue().await;
    let (client, out) = (&glue.client, out(&glue, "noted"));
    create(client, "job", "fail", &out).await;
    let start = client.start_job_run().job_name("job").arguments("--action", "succeed");
    let id = start.arguments("--table", "crm.customers").send().await.unwrap().job_run_id.unwrap();
    let ended = wait(client, "job", &id, &ENDED).await;
    assert_eq!(ended.job_run_state, Some(JobRunState::Succeeded));
    assert_eq!(ended.error_message, None);
    assert!(ended.completed_on.unwrap() >= ended.started_on.unwrap());
    assert_eq!(ended.arguments.unwrap()["--table"], "crm.customers");
    let (_, greeting, arguments) = noted(&out).await;
    assert_eq!(greeting, "hello");
    let given = format!("--action succeed --out {} --table crm.customers", out.display());
    assert_eq!(arguments, format!("{given} --JOB_NAME job --JOB_RUN_ID {id}"));
    let log = glue.folder.path().join("logs").join(format!("{id}.log"));
    assert_eq!(std::fs::read_to_string(log).unwrap(), "to stdout\n");
    let runs = client.get_job_runs().job_name("job").send().await.unwrap();
    assert_eq!(runs.job_runs().len(), 1);
}

#[tokio::test]
async fn a_program_that_fails_fails_the_run_with_its_last_words() {
    let glue = glue().await;
    create(&glue.client, "job", "fail", &out(&glue, "noted")).await;
    let id = start(&glue.client, "job").await;
    let ended = wait(&glue.client, "job", &id, &ENDED).await;
    assert_eq!(ended.job_run_state, Some(JobRunState::Failed));
    let message = ended.error_message.unwrap();
    assert!(message.contains("exit code 3") && message.ends_with("the last words"), "{message}");
}

#[tokio::test]
async fn a_run_that_takes_too_long_times_out_and_its_program_is_gone() {
    let glue = glue().await;
    let out = out(&glue, "noted");
    create(&glue.client, "job", "sleep", &out).await;
    let start = glue.client.start_job_run().job_name("job").timeout(1);
    let id = start.send().await.unwrap().job_run_id.unwrap();
    let ended = wait(&glue.client, "job", &id, &ENDED).await;
    assert_eq!(ended.job_run_state, Some(JobRunState::Timeout));
    let (pid, _, _) = noted(&out).await;
    assert!(test_kill_process(pid).is_err());
}

#[tokio::test]
async fn a_stopped_run_ends_its_program_and_frees_its_place() {
    let glue = glue().await;
    let (client, out) = (&glue.client, out(&glue, "noted"));
    create(client, "job", "sleep", &out).await;
    let id = start(client, "job").await;
    wait(client, "job", &id, &[JobRunState::Running]).await;
    let second = client.start_job_run().job_name("job").send().await;
    assert_eq!(code(second), "ConcurrentRunsExceededException");
    let (pid, _, _) = noted(&out).await;
    test_kill_process(pid).unwrap();
    let stop = |id: &str| client.batch_stop_job_run().job_name("job").job_run_ids(id).send();
    let reply = stop(&id).await.unwrap();
    assert_eq!(reply.successful_submissions().len(), 1);
    let ended = wait(client, "job", &id, &ENDED).await;
    assert_eq!(ended.job_run_state, Some(JobRunState::Stopped));
    assert!(test_kill_process(pid).is_err());
    for (id, expected) in
        [(id.as_str(), "JobRunInTerminalStateException"), ("jr_absent", "EntityNotFoundException")]
    {
        let reply = stop(id).await.unwrap();
        let error = reply.errors()[0].error_detail().unwrap().error_code();
        assert_eq!(error, Some(expected));
    }
    start(client, "job").await;
}

#[tokio::test]
async fn concurrent_runs_are_allowed_up_to_the_jobs_limit() {
    let glue = glue().await;
    let (client, out) = (&glue.client, out(&glue, "noted"));
    let command =
        JobCommand::builder().name("pythonshell").script_location("s3://code/job").build();
    let job = client.create_job().name("job").role("role").command(command);
    let job = job
        .default_arguments("--action", "sleep")
        .execution_property(ExecutionProperty::builder().max_concurrent_runs(2).build());
    job.default_arguments("--out", out.to_str().unwrap()).send().await.unwrap();
    start(client, "job").await;
    start(client, "job").await;
    let third = client.start_job_run().job_name("job").send().await;
    assert_eq!(code(third), "ConcurrentRunsExceededException");
}

#[tokio::test]
async fn a_stopping_server_leaves_no_program_behind() {
    let glue = glue().await;
    let out = out(&glue, "noted");
    create(&glue.client, "job", "sleep", &out).await;
    start(&glue.client, "job").await;
    let (pid, _, _) = noted(&out).await;
    test_kill_process(pid).unwrap();
    tokio::time::timeout(Duration::from_secs(10), glue.server.stop()).await.unwrap();
    assert!(test_kill_process(pid).is_err());
}

#[tokio::test]
async fn illegal_jobs_are_refused() {
    let glue = glue().await;
    let client = &glue.client;
    let job = |command: &str| {
        let command = JobCommand::builder().name(command).script_location("s3://code/job").build();
        client.create_job().name("job").role("role").command(command)
    };
    assert_eq!(code(job("spark").send().await), "ValidationException");
    let half = job("glueetl").worker_type(WorkerType::G1X);
    assert_eq!(code(half.send().await), "InvalidInputException");
    let both = job("glueetl").worker_type(WorkerType::G1X).number_of_workers(2).max_capacity(2.0);
    assert_eq!(code(both.send().await), "InvalidInputException");
    let shell = job("pythonshell").max_capacity(0.5);
    assert_eq!(code(shell.send().await), "InvalidInputException");
    assert_eq!(code(job("glueetl").timeout(20_000).send().await), "ValidationException");
    let bare = job("glueetl").default_arguments("table", "x");
    assert_eq!(code(bare.send().await), "InvalidInputException");
    assert_eq!(code(client.get_job().job_name("job").send().await), "EntityNotFoundException");
    assert_eq!(
        code(client.start_job_run().job_name("job").send().await),
        "EntityNotFoundException"
    );
    job("glueetl").worker_type(WorkerType::G1X).number_of_workers(2).send().await.unwrap();
    let created = client.get_job().job_name("job").send().await.unwrap().job.unwrap();
    assert_eq!(created.timeout, Some(480));
    assert_eq!(created.worker_type, Some(WorkerType::G1X));
}
