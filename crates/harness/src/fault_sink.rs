//! A Bronze store that fails at named points: before its work, after it, or with the process.

use std::collections::BTreeSet;
use std::str::FromStr;
use std::sync::atomic::{AtomicU32, Ordering};

use bytes::Bytes;
use medallion_definition::name::TableId;
use medallion_ingestion::layout::BronzeKey;
use medallion_replicator::sink::{BronzeSink, ObjectVersion, SinkError};

/// A file of the full load is written.
pub const LOAD_FILE: &str = "load-file";
/// A file of changes is written.
pub const CHANGE_FILE: &str = "change-file";
/// The checkpoint is replaced.
pub const CHECKPOINT: &str = "checkpoint";
/// Leftovers of a full load are removed.
pub const LEFTOVERS: &str = "leftovers";
/// All points.
pub const POINTS: [&str; 4] = [LOAD_FILE, CHANGE_FILE, CHECKPOINT, LEFTOVERS];

/// What happens at a fault point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultAction {
    /// The process is killed before the work.
    KillBefore,
    /// The process is killed after the work.
    KillAfter,
    /// The work is refused.
    Refuse,
    /// The work is done, but its answer is lost.
    LoseReply,
}

impl FaultAction {
    /// All actions, with their names.
    pub const ALL: [(&'static str, FaultAction); 4] = [
        ("kill-before", FaultAction::KillBefore),
        ("kill-after", FaultAction::KillAfter),
        ("refuse", FaultAction::Refuse),
        ("lose-reply", FaultAction::LoseReply),
    ];

    /// The name in plans.
    pub fn name(self) -> &'static str {
        FaultAction::ALL.iter().find(|(_, action)| *action == self).map_or("", |(name, _)| name)
    }
}

/// One fault, written `<point>:<n>:<action>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FaultPlan {
    point: &'static str,
    /// The visit at which it strikes, from 1.
    visit: u32,
    action: FaultAction,
}

impl FromStr for FaultPlan {
    type Err = String;

    fn from_str(text: &str) -> Result<FaultPlan, String> {
        let parts: Vec<&str> = text.split(':').collect();
        let [point, visit, action] = parts[..] else {
            return Err("write it `<point>:<n>:<action>`".to_owned());
        };
        let points = POINTS.join(", ");
        let point = POINTS
            .into_iter()
            .find(|known| *known == point)
            .ok_or_else(|| format!("the points are {points}"))?;
        let action = FaultAction::ALL.iter().find(|(name, _)| *name == action);
        let (_, action) = action.ok_or("kill-before, kill-after, refuse or lose-reply")?;
        let visit = visit.parse().map_err(|_| "the visit is a number from 1".to_owned())?;
        Ok(FaultPlan { point, visit, action: *action })
    }
}

/// A store that fails as planned, once.
#[derive(Debug)]
pub struct FaultSink<S> {
    inner: S,
    plan: Option<FaultPlan>,
    visits: AtomicU32,
}

impl<S: BronzeSink> FaultSink<S> {
    /// Wraps a store.
    pub fn new(inner: S, plan: Option<FaultPlan>) -> FaultSink<S> {
        FaultSink { inner, plan, visits: AtomicU32::new(0) }
    }

    /// Does the work of a point, or fails.
    async fn at<T>(
        &self,
        point: &'static str,
        work: impl Future<Output = Result<T, SinkError>>,
    ) -> Result<T, SinkError> {
        let plan = self.plan.as_ref().filter(|plan| plan.point == point);
        let strikes =
            |plan: &&FaultPlan| self.visits.fetch_add(1, Ordering::SeqCst) + 1 == plan.visit;
        let lost = || SinkError::Unavailable {
            key: point.to_owned(),
            action: "written",
            source: "a planned fault".into(),
        };
        let action = plan.filter(strikes).map(|plan| plan.action);
        if let Some(action) = action {
            // On standard output, so that whoever watches the process knows.
            println!("fault {point}:{}", action.name());
        }
        match action {
            None => work.await,
            Some(FaultAction::Refuse) => Err(lost()),
            Some(FaultAction::LoseReply) => work.await.and(Err(lost())),
            Some(FaultAction::KillBefore) => die(),
            Some(FaultAction::KillAfter) => {
                work.await?;
                die()
            }
        }
    }
}

/// Ends this process as `kill -9` does.
fn die() -> ! {
    let own = rustix::process::getpid();
    // Nothing after this line is reached, unless the kernel refuses.
    let _ = rustix::process::kill_process(own, rustix::process::Signal::KILL);
    std::process::abort()
}

impl<S: BronzeSink> BronzeSink for FaultSink<S> {
    async fn put(&self, key: &BronzeKey, file: Bytes) -> Result<(), SinkError> {
        let point = if key.is_full_load() { LOAD_FILE } else { CHANGE_FILE };
        self.at(point, self.inner.put(key, file)).await
    }

    async fn retain_loads(
        &self,
        table: &TableId,
        keep: &BTreeSet<BronzeKey>,
    ) -> Result<(), SinkError> {
        self.at(LEFTOVERS, self.inner.retain_loads(table, keep)).await
    }

    async fn read_checkpoint(&self) -> Result<Option<(Bytes, ObjectVersion)>, SinkError> {
        self.inner.read_checkpoint().await
    }

    async fn write_checkpoint(
        &self,
        json: Bytes,
        replaces: Option<&ObjectVersion>,
    ) -> Result<ObjectVersion, SinkError> {
        self.at(CHECKPOINT, self.inner.write_checkpoint(json, replaces)).await
    }
}
