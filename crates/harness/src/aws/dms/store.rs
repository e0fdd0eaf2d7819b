//! The resources of one account and region, and the runs under way.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;

use super::configs::ConfigRecord;
use super::endpoints::{ConnectionRecord, EndpointRecord};
use super::error::DmsError;
use super::event::{Change, StateChange};
use super::execution::{Begin, End, Execution, Stage, State};
use super::instances::{GroupRecord, InstanceRecord};
use super::mappings::SourceTable;
use super::name::{Kind, Place};
use super::run::{self, Order};
use super::statistics::{LoadState, TableCounts};
use super::task_wire::StartType;
use super::tasks::TaskRecord;
use super::wire::{AddTags, Empty, ListTags, Secret, Tag, TagsReply};

/// How long runs may take to flush and end when the server stops.
const STOP_LIMIT: Duration = Duration::from_secs(15);
const MOST_TAGS: usize = 50;

/// Everything that requests and runs share.
#[derive(Debug)]
pub(super) struct Store {
    pub(super) place: Place,
    /// How long a resource stays in the state that its creation begins with.
    pub(super) settle: Duration,
    /// MySQL URLs by secret id.
    pub(super) secrets: BTreeMap<String, Secret>,
    pub(super) s3: aws_sdk_s3::Client,
    /// Folder for transactions that memory does not hold.
    pub(super) spill: PathBuf,
    records: Mutex<Records>,
    subscribers: Mutex<Vec<UnboundedSender<StateChange>>>,
    running: Mutex<JoinSet<()>>,
}

/// The resources, each in the order of creation.
#[derive(Debug, Default)]
pub(super) struct Records {
    pub(super) endpoints: Vec<EndpointRecord>,
    pub(super) connections: Vec<ConnectionRecord>,
    pub(super) instances: Vec<InstanceRecord>,
    pub(super) groups: Vec<GroupRecord>,
    pub(super) tasks: Vec<TaskRecord>,
    pub(super) configs: Vec<ConfigRecord>,
    /// By ARN.
    tags: BTreeMap<String, BTreeMap<String, String>>,
}

/// A resource that needs some time before it can be used.
#[derive(Debug, Clone, Copy)]
pub(super) struct Settling(Instant);

impl Settling {
    pub(super) fn done(self) -> bool {
        Instant::now() >= self.0
    }
}

pub(super) fn not_found(kind: Kind, arn: &str) -> DmsError {
    DmsError::NotFound(format!("{kind} {arn} not found."))
}

impl Records {
    /// Enters the tags of a resource.
    ///
    /// # Errors
    /// Keys or values that no tag may have, or too many of them.
    pub(super) fn tag(&mut self, arn: &str, given: Option<&[Tag]>) -> Result<(), DmsError> {
        let mut tags = self.tags.get(arn).cloned().unwrap_or_default();
        for Tag { key, value, resource_arn } in given.into_iter().flatten() {
            let reserved = ["aws:", "dms:"].iter().any(|prefix| key.starts_with(prefix));
            if key.is_empty() || key.chars().count() > 128 || reserved {
                return Err(DmsError::value(format!("Tag key {key} is not valid")));
            }
            if value.chars().count() > 256 || resource_arn.is_some() {
                return Err(DmsError::value(format!("The value of tag {key} is not valid")));
            }
            tags.insert(key.clone(), value.clone());
        }
        if tags.len() > MOST_TAGS {
            return Err(DmsError::value(format!("A resource has at most {MOST_TAGS} tags")));
        }
        self.tags.insert(arn.to_owned(), tags);
        Ok(())
    }

    pub(super) fn untag(&mut self, arn: &str) {
        self.tags.remove(arn);
    }

    /// The replication with the ARN, be it of a task or of a config.
    pub(super) fn execution(&mut self, arn: &str) -> Option<&mut Execution> {
        let task = self.tasks.iter_mut().find(|task| task.arn == arn);
        let task = task.map(|task| &mut task.execution);
        let config = self.configs.iter_mut().find(|config| config.arn == arn);
        task.or(config.map(|config| &mut config.execution))
    }
}

impl Store {
    pub(super) fn new(
        place: Place,
        settle: Duration,
        secrets: BTreeMap<String, Secret>,
        s3: aws_sdk_s3::Client,
        spill: PathBuf,
    ) -> Self {
        Self {
            place,
            settle,
            secrets,
            s3,
            spill,
            records: Mutex::default(),
            subscribers: Mutex::default(),
            running: Mutex::default(),
        }
    }

    pub(super) fn records(&self) -> MutexGuard<'_, Records> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn settling(&self) -> Settling {
        Settling(Instant::now() + self.settle)
    }

    pub(super) fn add_tags(&self, request: AddTags) -> Result<Empty, DmsError> {
        let mut records = self.records();
        if !records.tags.contains_key(&request.resource_arn) {
            let arn = request.resource_arn;
            return Err(DmsError::NotFound(format!("Resource {arn} not found.")));
        }
        records.tag(&request.resource_arn, Some(&request.tags))?;
        Ok(Empty {})
    }

    pub(super) fn list_tags(&self, request: ListTags) -> Result<TagsReply, DmsError> {
        let (arns, several) = match (request.resource_arn, request.resource_arn_list) {
            (Some(arn), None) => (vec![arn], false),
            (None, Some(arns)) => (arns, true),
            _ => {
                return Err(DmsError::combination(
                    "Either ResourceArn or ResourceArnList must be given",
                ));
            }
        };
        let records = self.records();
        let mut tag_list = Vec::new();
        for arn in arns {
            let tags = records.tags.get(&arn);
            let tags =
                tags.ok_or_else(|| DmsError::NotFound(format!("Resource {arn} not found.")))?;
            tag_list.extend(tags.iter().map(|(key, value)| Tag {
                key: key.clone(),
                value: value.clone(),
                resource_arn: several.then(|| arn.clone()),
            }));
        }
        Ok(TagsReply { tag_list })
    }

    pub(super) fn subscribe(&self, subscriber: UnboundedSender<StateChange>) {
        self.subscribers.lock().unwrap_or_else(PoisonError::into_inner).push(subscriber);
    }

    /// Tells every subscriber.
    pub(super) fn announce(&self, arn: &str, change: Change) {
        let event = StateChange {
            id: uuid::Uuid::new_v4().to_string(),
            account: self.place.account.clone(),
            region: self.place.region.clone(),
            time: chrono::Utc::now(),
            arn: arn.to_owned(),
            serverless: arn.contains(":replication-config:"),
            change,
        };
        let mut subscribers = self.subscribers.lock().unwrap_or_else(PoisonError::into_inner);
        subscribers.retain(|subscriber| subscriber.send(event.clone()).is_ok());
    }

    /// Runs something beside the requests until the server stops.
    pub(super) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        // What has ended needs no waiting for.
        while running.try_join_next().is_some() {}
        running.spawn(work);
    }

    /// Enters the start of a replication, which was checked, and runs it.
    pub(super) fn launch(
        self: &Arc<Self>,
        execution: &mut Execution,
        start: StartType,
        order: Order,
    ) {
        let (control, controlled) = unbounded_channel();
        execution.start(start, &order.begin, control);
        self.spawn(run::attend(self.clone(), order, controlled));
    }

    /// Enters what a start is at, unless it is being stopped.
    pub(super) fn at_stage(&self, arn: &str, stage: Stage) {
        if let Some(execution) = self.records().execution(arn)
            && matches!(execution.state, State::Starting(_))
        {
            execution.state = State::Starting(stage);
        }
    }

    /// Enters that a start succeeded.
    pub(super) fn now_running(&self, arn: &str, begin: &Begin) {
        let mut records = self.records();
        let Some(execution) = records.execution(arn) else { return };
        if matches!(execution.state, State::Starting(_)) {
            execution.state = State::Running;
            drop(records);
            self.announce(
                arn,
                match begin {
                    Begin::Anew(_) => Change::Started,
                    Begin::Resume => Change::Resumed,
                    Begin::Reload => Change::Reloading,
                },
            );
        }
    }

    /// Enters the counts of a replication's tables.
    pub(super) fn observe(
        &self,
        arn: &str,
        counts: impl IntoIterator<Item = (SourceTable, TableCounts)>,
        checkpoint: Option<String>,
    ) {
        let mut records = self.records();
        let Some(execution) = records.execution(arn) else { return };
        for (table, mut counts) in counts {
            if execution.to_reload.contains(&table) {
                counts.state = LoadState::Reloading;
            }
            let known = execution.tables.entry(table).or_insert(TableCounts::new(counts.state));
            known.replace(counts);
        }
        if checkpoint.is_some() {
            execution.checkpoint = checkpoint;
        }
    }

    /// Enters that the tables whose reload was asked for are being reloaded.
    pub(super) fn reload_begins(&self, arn: &str) {
        if let Some(execution) = self.records().execution(arn) {
            execution.to_reload.clear();
        }
    }

    /// Enters the end of a run.
    pub(super) fn finish(&self, arn: &str, end: End) {
        let change = if end.failure.is_some() { Change::Failed } else { Change::Stopped };
        if let Some(execution) = self.records().execution(arn) {
            execution.finish(end);
        }
        self.announce(arn, change);
    }

    /// Stops every run and waits until what was read is durable, at most fifteen seconds.
    pub(super) async fn stop_all(&self) {
        let arns: Vec<String> = {
            let records = self.records();
            let tasks = records.tasks.iter().map(|task| task.arn.clone());
            tasks.chain(records.configs.iter().map(|config| config.arn.clone())).collect()
        };
        for arn in arns {
            if let Some(execution) = self.records().execution(&arn) {
                // What does not run needs no stop.
                drop(execution.stop());
            }
        }
        let mut running = {
            let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *running)
        };
        let ended = async { while running.join_next().await.is_some() {} };
        drop(tokio::time::timeout(STOP_LIMIT, ended).await);
        running.abort_all();
    }

    /// Ends every run where it is.
    pub(super) fn abort_all(&self) {
        self.running.lock().unwrap_or_else(PoisonError::into_inner).abort_all();
    }
}
