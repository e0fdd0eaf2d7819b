//! Runs the flow locally: S3 events in, Glue job runs out, and their ends back in.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use aws_sdk_glue::error::ProvideErrorMetadata;
use aws_sdk_glue::types::{JobRun, JobRunState};
use medallion::exit;
use medallion_definition::lake::LakeDefinition;
use medallion_definition::name::TableId;
use medallion_ingestion::layout::BronzeKey;
use medallion_orchestration::{Action, Event, Flow, Job};
use medallion_transforms::error::TransformError;
use medallion_transforms::gold;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::aws::s3::ObjectCreated;
use crate::report::Printer;
use crate::stack::job_name;

/// Arrivals within this time are gathered before anything is started.
const GATHER: Duration = Duration::from_millis(150);
/// How often the state of a job run is asked for.
const POLL: Duration = Duration::from_millis(50);
/// After so many unanswered questions in a row a run is given up.
const SILENT_POLLS: u32 = 100;
/// Refusals of a start that pass by themselves.
const BUSY: [&str; 4] = [
    "ConcurrentRunsExceededException",
    "ThrottlingException",
    "InternalServiceException",
    "OperationTimeoutException",
];

/// One ended job run.
#[derive(Clone, Debug)]
pub struct EndedRun {
    /// The job.
    pub job: Job,
    /// Wall time from start to end.
    pub wall: Duration,
    /// Why it failed, if it did.
    pub failure: Option<Failure>,
    /// Glue's id of the run; also the name of its log.
    pub run_id: String,
}

/// Why a run failed, and whether another one may do better.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Another run may succeed.
    pub retryable: bool,
    /// In words.
    pub reason: String,
}

/// What the runner did since it was last asked.
#[derive(Clone, Debug, Default)]
pub struct Quiet {
    /// The ended runs.
    pub runs: Vec<EndedRun>,
    /// The jobs that were given up, with the last reason and run id.
    pub alarms: Vec<(Job, String, String)>,
}

/// Tells about each ended run on the terminal.
#[derive(Clone, Debug)]
pub struct Telling {
    /// Where to.
    pub printer: Printer,
    /// Folder of the runs' logs, `<run id>.log`.
    pub logs: PathBuf,
}

impl Telling {
    /// The last line of the run's log says what it did.
    fn tell(&self, run: &EndedRun) {
        let log = std::fs::read_to_string(self.logs.join(format!("{}.log", run.run_id)));
        let log = log.unwrap_or_default();
        let said = log.lines().last().unwrap_or_default();
        let failed = if run.failure.is_some() { "FAILED " } else { "" };
        self.printer.print("job", &format!("{failed}{said} ({:.1} s)", run.wall.as_secs_f64()));
    }
}

enum Order {
    /// Look at every table.
    Sweep,
    /// Answer when nothing runs and nothing waits.
    WhenQuiet(oneshot::Sender<Quiet>),
}

/// A running flow; dropping it stops it.
pub struct Runner {
    orders: UnboundedSender<Order>,
    task: JoinHandle<()>,
}

impl Drop for Runner {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The flow of a lake: every model with what it reads.
///
/// # Errors
/// When a model's query cannot be understood.
pub fn flow_of(lake: &LakeDefinition) -> Result<Flow, TransformError> {
    let mut models = Vec::new();
    for model in &lake.models {
        let mut jobs = BTreeSet::new();
        for input in gold::inputs(lake, model)? {
            if let Some(contract) = gold::contract_of(lake, &input) {
                jobs.insert(Job::Silver(contract.table.clone()));
            } else if let Some(read) = lake.model(&input.table) {
                jobs.insert(Job::Gold(read.name.clone()));
            }
        }
        models.push((model.name.clone(), jobs));
    }
    // Circles are refused here, so that the flow never waits for itself.
    gold::levels(lake)?;
    Ok(Flow::new(lake.tables.iter().map(|t| t.table.clone()), models))
}

impl Runner {
    /// Starts the flow.
    ///
    /// # Errors
    /// When a model's query cannot be understood.
    pub fn start(
        lake: &LakeDefinition,
        glue: aws_sdk_glue::Client,
        arrivals: UnboundedReceiver<ObjectCreated>,
        telling: Telling,
    ) -> Result<Runner, TransformError> {
        let flow = flow_of(lake)?;
        let (orders, inbox) = unbounded_channel();
        let (ends, ended) = unbounded_channel();
        let names = JobNames { silver: job_name(lake, "silver"), gold: job_name(lake, "gold") };
        let quiet = Quiet::default();
        let run = Loop { flow, glue, names, ends, quiet, waiting: Vec::new(), telling };
        Ok(Runner { orders, task: tokio::spawn(run.run(arrivals, inbox, ended)) })
    }

    /// Looks at every table, whatever events were lost.
    pub fn sweep(&self) {
        // The loop ends only when this handle is dropped.
        let _ = self.orders.send(Order::Sweep);
    }

    /// Waits until nothing runs and nothing waits; `None` when the runner is gone.
    pub async fn quiet(&self) -> Option<Quiet> {
        let (reply, answer) = oneshot::channel();
        self.orders.send(Order::WhenQuiet(reply)).ok()?;
        answer.await.ok()
    }
}

struct JobNames {
    silver: String,
    gold: String,
}

struct Loop {
    flow: Flow,
    glue: aws_sdk_glue::Client,
    names: JobNames,
    ends: UnboundedSender<EndedRun>,
    quiet: Quiet,
    waiting: Vec<oneshot::Sender<Quiet>>,
    telling: Telling,
}

impl Loop {
    async fn run(
        mut self,
        mut arrivals: UnboundedReceiver<ObjectCreated>,
        mut orders: UnboundedReceiver<Order>,
        mut ended: UnboundedReceiver<EndedRun>,
    ) {
        loop {
            tokio::select! {
                biased;
                arrival = arrivals.recv() => {
                    let Some(arrival) = arrival else { return };
                    let Some(table) = bronze_table(&arrival) else { continue };
                    tokio::time::sleep(GATHER).await;
                    self.handle(Event::Arrived(table));
                    while let Ok(next) = arrivals.try_recv() {
                        if let Some(table) = bronze_table(&next) {
                            self.handle(Event::Arrived(table));
                        }
                    }
                }
                end = ended.recv() => {
                    let Some(end) = end else { return };
                    self.ended(end);
                }
                order = orders.recv() => match order {
                    None => return,
                    Some(Order::Sweep) => self.handle(Event::Sweep),
                    Some(Order::WhenQuiet(reply)) => self.waiting.push(reply),
                },
            }
            if self.flow.idle() && arrivals.is_empty() && ended.is_empty() {
                for reply in self.waiting.drain(..) {
                    // Whoever asked may have stopped waiting.
                    let _ = reply.send(std::mem::take(&mut self.quiet));
                }
            }
        }
    }

    fn ended(&mut self, end: EndedRun) {
        let job = end.job.clone();
        let event = match &end.failure {
            None => Event::Succeeded(job),
            Some(Failure { retryable, reason }) => {
                Event::Failed { job, retryable: *retryable, reason: reason.clone() }
            }
        };
        self.telling.tell(&end);
        self.quiet.runs.push(end);
        self.handle(event);
    }

    fn handle(&mut self, event: Event) {
        for action in self.flow.handle(event) {
            match action {
                Action::Start(job) => self.start(job),
                Action::Alarm { job, reason } => {
                    let last = self.quiet.runs.iter().rev().find(|r| r.job == job);
                    let run_id = last.map(|r| r.run_id.clone()).unwrap_or_default();
                    self.quiet.alarms.push((job, reason, run_id));
                }
            }
        }
    }

    fn start(&self, job: Job) {
        let (glue, ends) = (self.glue.clone(), self.ends.clone());
        let (name, key, value) = match &job {
            Job::Silver(table) => (self.names.silver.clone(), "--table", table.to_string()),
            Job::Gold(model) => (self.names.gold.clone(), "--model", model.to_string()),
        };
        tokio::spawn(async move {
            let began = Instant::now();
            let (run_id, failure) = run_job(&glue, &name, key, &value).await;
            // Nobody listens any more once the runner was dropped.
            let _ = ends.send(EndedRun { job, wall: began.elapsed(), failure, run_id });
        });
    }
}

/// Only Bronze objects matter; everything else in the bucket is written by the jobs.
fn bronze_table(object: &ObjectCreated) -> Option<TableId> {
    object.key.parse::<BronzeKey>().ok().map(|key| key.table().clone())
}

/// `glue:startJobRun.sync`: starts a run and waits for its end.
async fn run_job(
    glue: &aws_sdk_glue::Client,
    name: &str,
    key: &str,
    value: &str,
) -> (String, Option<Failure>) {
    let started = glue.start_job_run().job_name(name).arguments(key, value).send().await;
    let run_id = match started {
        Ok(started) => started.job_run_id.unwrap_or_default(),
        Err(error) => {
            let code = error.code().unwrap_or("no reply").to_owned();
            let retryable = error.code().is_none_or(|code| BUSY.contains(&code));
            let reason = format!("Glue does not start the run: {code}");
            return (String::new(), Some(Failure { retryable, reason }));
        }
    };
    // The run goes on whether or not Glue can be asked: only a long silence gives it up.
    let mut silent = 0;
    while silent < SILENT_POLLS {
        tokio::time::sleep(POLL).await;
        match glue.get_job_run().job_name(name).run_id(&run_id).send().await {
            Ok(reply) => {
                silent = 0;
                if let Some(outcome) = reply.job_run.as_ref().and_then(outcome) {
                    return (run_id, outcome.err());
                }
            }
            Err(_) => silent += 1,
        }
    }
    let reason = "Glue no longer tells how the run does".to_owned();
    (run_id, Some(Failure { retryable: false, reason }))
}

/// `None` while the run is under way.
fn outcome(run: &JobRun) -> Option<Result<(), Failure>> {
    match run.job_run_state.as_ref()? {
        JobRunState::Succeeded => Some(Ok(())),
        JobRunState::Starting
        | JobRunState::Running
        | JobRunState::Waiting
        | JobRunState::Stopping => None,
        state => {
            let message = run.error_message.clone().unwrap_or_default();
            // Glue has no field for the exit code; its message ends the same way for every job.
            let retryable = message.contains(&format!("exit code {}", exit::RETRYABLE));
            Some(Err(Failure { retryable, reason: format!("{state}: {message}") }))
        }
    }
}
