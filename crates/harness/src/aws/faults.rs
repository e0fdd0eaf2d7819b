//! Planned faults of the local endpoints.
//!
//! A [`Fault`] names an operation and what goes wrong with it. A [`FaultPlan`] adds to which
//! subjects and how often it happens. The subject of an S3 operation is the object's key, of a
//! Glue table operation `database.table`, of a job operation the job's name, of a DMS operation the
//! ARN or identifier that it names.
//!
//! Requests that faults can strike are counted by operation, so that a plan can be made for one
//! that comes.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What goes wrong with an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// The request is refused before anything is done.
    Refuse,
    /// The work is done, then the reply is lost.
    LoseReply,
    /// Success is reported, nothing is stored.
    Drop,
    /// The object goes before it can be read.
    Vanish,
}

/// A kind of fault; the constants of this module are all there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    name: &'static str,
    operation: &'static str,
    effect: Effect,
}

impl Fault {
    const fn new(name: &'static str, operation: &'static str, effect: Effect) -> Self {
        Self { name, operation, effect }
    }

    /// The fault's name, as on a command line or in a report.
    pub fn name(self) -> &'static str {
        self.name
    }

    /// The AWS operation it strikes.
    pub fn operation(self) -> &'static str {
        self.operation
    }

    /// True when it strikes operations of every kind.
    pub fn strikes_all(self) -> bool {
        self.operation == ANY
    }

    /// True when the work is done and only its reply is lost.
    pub fn loses_reply(self) -> bool {
        self.effect == Effect::LoseReply
    }

    /// The fault of that name.
    pub fn named(name: &str) -> Option<Self> {
        ALL_FAULTS.iter().copied().find(|fault| fault.name == name)
    }
}

macro_rules! faults {
    ($($(#[$doc:meta])* $constant:ident = $name:literal, $operation:expr, $effect:ident;)*) => {
        $($(#[$doc])* pub const $constant: Fault = Fault::new($name, $operation, Effect::$effect);)*
        /// Every fault that can be planned.
        pub const ALL_FAULTS: &[Fault] = &[$($constant),*];
    };
}

/// The operation of faults that strike requests of every kind.
const ANY: &str = "*";

faults! {
    /// Any request that faults can strike is refused as its service refuses under load.
    FAULT_ANY_REFUSED = "any-refused", ANY, Refuse;
    /// Any request that faults can strike does its work, then its reply is lost.
    FAULT_ANY_REPLY_LOST = "any-reply-lost", ANY, LoseReply;
    /// S3 answers a PutObject with 503 `SlowDown`; nothing is stored.
    FAULT_PUT_REFUSED = "s3-put-refused", "PutObject", Refuse;
    /// S3 stores the object (its event is sent), then answers 500 `InternalError`.
    FAULT_PUT_REPLY_LOST = "s3-put-reply-lost", "PutObject", LoseReply;
    /// S3 reports success, stores nothing and sends no event.
    FAULT_PUT_DROPPED = "s3-put-dropped", "PutObject", Drop;
    /// S3 answers a GetObject with 503 `SlowDown`.
    FAULT_GET_REFUSED = "s3-get-refused", "GetObject", Refuse;
    /// Somebody deletes the object just before S3 answers its GetObject, with 404 `NoSuchKey`.
    FAULT_GET_VANISHED = "s3-get-vanished", "GetObject", Vanish;
    /// S3 answers a ListObjectsV2 with 503 `SlowDown`; the subject is the prefix.
    FAULT_LIST_REFUSED = "s3-list-refused", "ListObjectsV2", Refuse;
    /// S3 answers a HeadObject with 503 `SlowDown`.
    FAULT_HEAD_REFUSED = "s3-head-refused", "HeadObject", Refuse;
    /// S3 answers a CopyObject with 503 `SlowDown`.
    FAULT_COPY_REFUSED = "s3-copy-refused", "CopyObject", Refuse;
    /// S3 copies the object, then answers 500 `InternalError`.
    FAULT_COPY_REPLY_LOST = "s3-copy-reply-lost", "CopyObject", LoseReply;
    /// S3 answers a DeleteObject with 503 `SlowDown`.
    FAULT_DELETE_REFUSED = "s3-delete-refused", "DeleteObject", Refuse;
    /// S3 deletes the object, then answers 500 `InternalError`.
    FAULT_DELETE_REPLY_LOST = "s3-delete-reply-lost", "DeleteObject", LoseReply;
    /// S3 answers an UploadPart with 503 `SlowDown`.
    FAULT_UPLOAD_PART_REFUSED = "s3-upload-part-refused", "UploadPart", Refuse;
    /// S3 answers a CompleteMultipartUpload with 503 `SlowDown`; the upload stays open.
    FAULT_COMPLETE_REFUSED = "s3-complete-refused", "CompleteMultipartUpload", Refuse;
    /// S3 completes the upload (its event is sent), then answers 500 `InternalError`.
    FAULT_COMPLETE_REPLY_LOST = "s3-complete-reply-lost", "CompleteMultipartUpload", LoseReply;
    /// S3 reports a completed upload, stores no object and sends no event.
    FAULT_COMPLETE_DROPPED = "s3-complete-dropped", "CompleteMultipartUpload", Drop;
    /// Glue throttles a GetTable.
    FAULT_GET_TABLE_REFUSED = "glue-get-table-refused", "GetTable", Refuse;
    /// Glue throttles a CreateTable.
    FAULT_CREATE_TABLE_REFUSED = "glue-create-table-refused", "CreateTable", Refuse;
    /// Glue creates the table, then the connection breaks.
    FAULT_CREATE_TABLE_REPLY_LOST = "glue-create-table-reply-lost", "CreateTable", LoseReply;
    /// Glue throttles an UpdateTable.
    FAULT_UPDATE_TABLE_REFUSED = "glue-update-table-refused", "UpdateTable", Refuse;
    /// Glue updates the table, then the connection breaks.
    FAULT_UPDATE_TABLE_REPLY_LOST = "glue-update-table-reply-lost", "UpdateTable", LoseReply;
    /// Glue throttles a StartJobRun.
    FAULT_START_JOB_RUN_REFUSED = "glue-start-job-run-refused", "StartJobRun", Refuse;
    /// Glue starts the run, then the connection breaks.
    FAULT_START_JOB_RUN_REPLY_LOST = "glue-start-job-run-reply-lost", "StartJobRun", LoseReply;
    /// Glue throttles a GetJobRun.
    FAULT_GET_JOB_RUN_REFUSED = "glue-get-job-run-refused", "GetJobRun", Refuse;
    /// DMS throttles a StartReplicationTask.
    FAULT_START_TASK_REFUSED = "dms-start-task-refused", "StartReplicationTask", Refuse;
    /// DMS starts the task, then the connection breaks.
    FAULT_START_TASK_REPLY_LOST = "dms-start-task-reply-lost", "StartReplicationTask", LoseReply;
    /// DMS throttles a DescribeReplicationTasks.
    FAULT_DESCRIBE_TASKS_REFUSED =
        "dms-describe-tasks-refused", "DescribeReplicationTasks", Refuse;
}

type Subject = dyn Fn(&str) -> bool + Send + Sync;

/// A fault with the subjects that it strikes and how often.
#[derive(Clone)]
pub struct FaultPlan {
    fault: Fault,
    subject: Arc<Subject>,
    after: u32,
    times: Option<u32>,
}

impl FaultPlan {
    /// Strikes every request of the fault's operation until it is removed.
    pub fn new(fault: Fault) -> Self {
        Self { fault, subject: Arc::new(|_| true), after: 0, times: None }
    }

    /// Strikes only subjects that the predicate accepts.
    #[must_use]
    pub fn when(mut self, subject: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        self.subject = Arc::new(subject);
        self
    }

    /// Lets that many of the requests pass first.
    #[must_use]
    pub fn after(mut self, requests: u32) -> Self {
        self.after = requests;
        self
    }

    /// Strikes that many requests, then no more.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.times = Some(times);
        self
    }
}

impl fmt::Debug for FaultPlan {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("FaultPlan")
            .field("fault", &self.fault.name)
            .field("after", &self.after)
            .field("times", &self.times)
            .finish_non_exhaustive()
    }
}

/// An installed plan: tells how often it struck, and what.
#[derive(Debug, Clone, Default)]
pub struct FaultCount(Arc<Mutex<BTreeMap<String, u32>>>);

impl FaultCount {
    /// How many requests were struck so far.
    pub fn struck(&self) -> u32 {
        locked(&self.0).values().sum()
    }

    /// How many requests of which operation were struck so far.
    pub fn operations(&self) -> BTreeMap<String, u32> {
        locked(&self.0).clone()
    }
}

fn locked<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

#[derive(Debug)]
struct Installed {
    plan: FaultPlan,
    passed: u32,
    count: FaultCount,
}

impl Installed {
    /// True when the request is struck; counts it, whether it is or passes.
    fn strikes(&mut self, operation: &str, subject: &str) -> bool {
        let fits = [operation, ANY].contains(&self.plan.fault.operation);
        if !fits || !(self.plan.subject)(subject) {
            return false;
        }
        if self.passed < self.plan.after {
            self.passed += 1;
            return false;
        }
        let left = self.plan.times.is_none_or(|times| self.count.struck() < times);
        if left {
            *locked(&self.count.0).entry(operation.to_owned()).or_default() += 1;
        }
        left
    }
}

/// The plans installed at one endpoint, and the requests that it got; clones share them.
#[derive(Debug, Clone, Default)]
pub struct Faults(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    installed: Mutex<Vec<Installed>>,
    requests: Mutex<BTreeMap<String, u64>>,
}

impl Faults {
    /// Adds a plan; the first installed plan that fits a request strikes it.
    pub fn install(&self, plan: FaultPlan) -> FaultCount {
        let count = FaultCount::default();
        self.installed().push(Installed { plan, passed: 0, count: count.clone() });
        count
    }

    /// Removes every plan.
    pub fn clear(&self) {
        self.installed().clear();
    }

    /// Removes one plan; others stay.
    pub fn remove(&self, count: &FaultCount) {
        self.installed().retain(|installed| !Arc::ptr_eq(&installed.count.0, &count.0));
    }

    /// How many requests of each operation came so far, struck or not.
    pub fn requests(&self) -> BTreeMap<String, u64> {
        locked(&self.0.requests).clone()
    }

    /// What strikes this request; counts it.
    pub(super) fn strike(&self, operation: &str, subject: &str) -> Struck {
        *locked(&self.0.requests).entry(operation.to_owned()).or_default() += 1;
        for installed in self.installed().iter_mut() {
            if installed.strikes(operation, subject) {
                return Struck(Some(installed.plan.fault.effect));
            }
        }
        Struck(None)
    }

    fn installed(&self) -> MutexGuard<'_, Vec<Installed>> {
        locked(&self.0.installed)
    }
}

/// What happens to one request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Struck(Option<Effect>);

impl Struck {
    pub(super) fn refuses(self) -> bool {
        self.0 == Some(Effect::Refuse)
    }

    pub(super) fn loses_reply(self) -> bool {
        self.0 == Some(Effect::LoseReply)
    }

    pub(super) fn vanishes(self) -> bool {
        self.0 == Some(Effect::Vanish)
    }

    pub(super) fn drops(self) -> bool {
        self.0 == Some(Effect::Drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_strikes_its_operation_and_subject_the_given_number_of_times() {
        let faults = Faults::default();
        let plan = FaultPlan::new(FAULT_PUT_DROPPED).when(|key| key.ends_with(".parquet")).times(2);
        let count = faults.install(plan);
        assert!(!faults.strike("GetObject", "a.parquet").drops());
        assert!(!faults.strike("PutObject", "a.json").drops());
        assert!(faults.strike("PutObject", "a.parquet").drops());
        assert!(faults.strike("PutObject", "b.parquet").drops());
        assert!(!faults.strike("PutObject", "c.parquet").drops());
        assert_eq!(count.struck(), 2);
    }

    #[test]
    fn a_plan_for_any_operation_waits_for_its_turn_and_can_be_removed() {
        let faults = Faults::default();
        let plan = FaultPlan::new(FAULT_ANY_REFUSED).when(|key| key.starts_with("a/"));
        let count = faults.install(plan.after(2).times(1));
        let struck = |operation, key| faults.strike(operation, key).refuses();
        assert!(!struck("GetObject", "a/1"));
        assert!(!struck("GetObject", "b/1"));
        assert!(!struck("UpdateTable", "a/2"));
        assert!(struck("ListObjectsV2", "a/3"));
        assert!(!struck("ListObjectsV2", "a/3"));
        assert_eq!(count.struck(), 1);
        assert_eq!(count.operations(), BTreeMap::from([("ListObjectsV2".to_owned(), 1)]));
        let others = faults.install(FaultPlan::new(FAULT_PUT_REFUSED));
        faults.remove(&count);
        assert!(struck("PutObject", "a/4"));
        faults.remove(&others);
        assert!(!struck("PutObject", "a/4"));
    }

    #[test]
    fn cleared_plans_strike_no_more() {
        let faults = Faults::default();
        faults.install(FaultPlan::new(FAULT_PUT_REFUSED));
        assert!(faults.strike("PutObject", "k").refuses());
        faults.clear();
        assert!(!faults.strike("PutObject", "k").refuses());
    }

    #[test]
    fn requests_are_counted_whether_they_are_struck_or_not() {
        let faults = Faults::default();
        faults.install(FaultPlan::new(FAULT_PUT_REFUSED).times(1));
        for operation in ["PutObject", "PutObject", "GetObject"] {
            faults.strike(operation, "k");
        }
        let expected = [("GetObject".to_owned(), 1), ("PutObject".to_owned(), 2)];
        assert_eq!(faults.requests(), BTreeMap::from(expected));
    }

    #[test]
    fn fault_names_are_unique_and_found_again() {
        for fault in ALL_FAULTS {
            assert_eq!(Fault::named(fault.name()), Some(*fault));
        }
    }
}
