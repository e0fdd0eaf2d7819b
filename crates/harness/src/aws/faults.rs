//! Planned faults of the local endpoints.
//!
//! A [`Fault`] names an operation and what goes wrong with it. A [`FaultPlan`] adds to which
//! subjects and how often it happens. The subject of an S3 operation is the object's key, of a
//! Glue table operation `database.table`, of a job operation the job's name, of a DMS operation the
//! ARN or identifier that it names.

use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// What goes wrong with an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// The request is refused before anything is done.
    Refuse,
    /// The work is done, then the reply is lost.
    LoseReply,
    /// Success is reported, nothing is stored.
    Drop,
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

    /// The fault of that name.
    pub fn named(name: &str) -> Option<Self> {
        ALL_FAULTS.iter().copied().find(|fault| fault.name == name)
    }
}

macro_rules! faults {
    ($($(#[$doc:meta])* $constant:ident = $name:literal, $operation:literal, $effect:ident;)*) => {
        $($(#[$doc])* pub const $constant: Fault = Fault::new($name, $operation, Effect::$effect);)*
        /// Every fault that can be planned.
        pub const ALL_FAULTS: &[Fault] = &[$($constant),*];
    };
}

faults! {
    /// S3 answers a PutObject with 503 `SlowDown`; nothing is stored.
    FAULT_PUT_REFUSED = "s3-put-refused", "PutObject", Refuse;
    /// S3 stores the object (its event is sent), then answers 500 `InternalError`.
    FAULT_PUT_REPLY_LOST = "s3-put-reply-lost", "PutObject", LoseReply;
    /// S3 reports success, stores nothing and sends no event.
    FAULT_PUT_DROPPED = "s3-put-dropped", "PutObject", Drop;
    /// S3 answers a GetObject with 503 `SlowDown`.
    FAULT_GET_REFUSED = "s3-get-refused", "GetObject", Refuse;
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
    times: Option<u32>,
}

impl FaultPlan {
    /// Strikes every request of the fault's operation until it is removed.
    pub fn new(fault: Fault) -> Self {
        Self { fault, subject: Arc::new(|_| true), times: None }
    }

    /// Strikes only subjects that the predicate accepts.
    #[must_use]
    pub fn when(mut self, subject: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        self.subject = Arc::new(subject);
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
            .field("times", &self.times)
            .finish_non_exhaustive()
    }
}

/// An installed plan: tells how often it struck.
#[derive(Debug, Clone)]
pub struct FaultCount(Arc<AtomicU32>);

impl FaultCount {
    /// How many requests were struck so far.
    pub fn struck(&self) -> u32 {
        self.0.load(Ordering::SeqCst)
    }
}

#[derive(Debug)]
struct Installed {
    plan: FaultPlan,
    count: FaultCount,
}

/// The plans installed at one endpoint; clones share them.
#[derive(Debug, Clone, Default)]
pub struct Faults(Arc<Mutex<Vec<Installed>>>);

impl Faults {
    /// Adds a plan; the first installed plan that fits a request strikes it.
    pub fn install(&self, plan: FaultPlan) -> FaultCount {
        let count = FaultCount(Arc::new(AtomicU32::new(0)));
        self.installed().push(Installed { plan, count: count.clone() });
        count
    }

    /// Removes every plan.
    pub fn clear(&self) {
        self.installed().clear();
    }

    /// What strikes this request; counts it.
    pub(super) fn strike(&self, operation: &str, subject: &str) -> Struck {
        for Installed { plan, count } in self.installed().iter() {
            let left = plan.times.is_none_or(|times| count.struck() < times);
            if plan.fault.operation == operation && left && (plan.subject)(subject) {
                count.0.fetch_add(1, Ordering::SeqCst);
                return Struck(Some(plan.fault.effect));
            }
        }
        Struck(None)
    }

    fn installed(&self) -> std::sync::MutexGuard<'_, Vec<Installed>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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
    fn cleared_plans_strike_no_more() {
        let faults = Faults::default();
        faults.install(FaultPlan::new(FAULT_PUT_REFUSED));
        assert!(faults.strike("PutObject", "k").refuses());
        faults.clear();
        assert!(!faults.strike("PutObject", "k").refuses());
    }

    #[test]
    fn fault_names_are_unique_and_found_again() {
        for fault in ALL_FAULTS {
            assert_eq!(Fault::named(fault.name()), Some(*fault));
        }
    }
}
