//! What maintenance is going to do to one table.

use std::collections::BTreeSet;
use std::fmt;

use medallion_tables::Snapshot;
use medallion_tables::compaction::{CompactionPlan, plan_compaction};
use medallion_tables::maintenance::expiry::{ExpiryPlan, ExpiryPolicy, plan_expiry};
use medallion_tables::maintenance::list_files;
use medallion_tables::maintenance::metadata_files::{MetadataPlan, plan_metadata};
use medallion_tables::maintenance::orphans::{OrphanPlan, plan_orphans};
use medallion_tables::table::LakeTable;

use super::{Maintenance, When};
use crate::error::TransformError;
use crate::summary;

/// So many expired snapshots are worth a commit of their own. With fewer the history is a little
/// longer than it has to be.
const EXPIRED: usize = 25;

/// The work on one table. Printable; a part that is missing is not due.
#[derive(Clone, Debug)]
pub struct MaintenancePlan {
    /// The table.
    pub table: String,
    /// Files to be rewritten.
    pub compaction: Option<CompactionPlan>,
    /// Snapshots that go.
    pub expiry: Option<ExpiryPlan>,
    /// Old metadata files that go.
    pub metadata: Option<MetadataPlan>,
    /// Files that go because nothing refers to them.
    pub orphans: Option<OrphanPlan>,
}

impl MaintenancePlan {
    /// True when there is nothing to do now.
    pub fn is_empty(&self) -> bool {
        self.compaction.is_none()
            && self.expiry.is_none()
            && self.metadata.is_none()
            && self.orphans.is_none()
    }
}

impl fmt::Display for MaintenancePlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return write!(f, "maintenance of {}: nothing to do", self.table);
        }
        write!(f, "maintenance of {}", self.table)?;
        let parts: [Option<&dyn fmt::Display>; 4] = [
            self.compaction.as_ref().map(|plan| plan as &dyn fmt::Display),
            self.expiry.as_ref().map(|plan| plan as &dyn fmt::Display),
            self.metadata.as_ref().map(|plan| plan as &dyn fmt::Display),
            self.orphans.as_ref().map(|plan| plan as &dyn fmt::Display),
        ];
        parts.into_iter().flatten().try_for_each(|part| write!(f, "\n{part}"))
    }
}

impl Maintenance<'_> {
    /// Plans the work on a table. What is only due now and then hangs on the age of its snapshots:
    /// the folder is listed when snapshots expire.
    ///
    /// # Errors
    /// [`TransformError::Maintenance`] or [`TransformError::Table`] when files cannot be told.
    pub async fn plan(
        &self,
        table: &LakeTable,
        when: When,
    ) -> Result<MaintenancePlan, TransformError> {
        let mut plan = MaintenancePlan {
            table: table.name(),
            compaction: None,
            expiry: None,
            metadata: None,
            orphans: None,
        };
        if table.snapshot_id().is_none() {
            return Ok(plan);
        }
        // By manifests alone. Also where files are few and whole: bounds of a column that became
        // personal do not wait.
        let compaction = plan_compaction(table, &self.policy.compaction).await?;
        plan.compaction = Some(compaction).filter(|compaction| !compaction.is_empty());
        let least = if when == When::Now { 1 } else { EXPIRED };
        let expiry = plan_expiry(table, &self.expiry_policy(table)?)?;
        plan.expiry = Some(expiry).filter(|expiry| expiry.expired.len() >= least);
        if when == When::Now || plan.expiry.is_some() {
            let listed = list_files(self.warehouse, table).await?;
            let metadata = plan_metadata(table, &listed);
            plan.metadata = Some(metadata).filter(|metadata| !metadata.files.is_empty());
            let orphans = plan_orphans(table, listed, self.now_ms, self.policy.orphan_age).await?;
            plan.orphans = Some(orphans).filter(|orphans| !orphans.orphans.is_empty());
        }
        Ok(plan)
    }

    fn expiry_policy(&self, table: &LakeTable) -> Result<ExpiryPolicy, TransformError> {
        Ok(ExpiryPolicy {
            keep_since_ms: self.now_ms - self.policy.keep.num_milliseconds(),
            keep_last: self.policy.keep_last,
            keep_most: Some(self.policy.keep_most),
            at_work_since_ms: self.now_ms - self.policy.at_work.num_milliseconds(),
            snapshots: recording(table)?,
            references: BTreeSet::new(),
        })
    }
}

/// The snapshots that tell what is applied, and all on the way to them, since a history ends where
/// a snapshot is missing: of every branch down to the newest one that names a record, of main down
/// to the one with which it took over a branch that is still there.
fn recording(table: &LakeTable) -> Result<BTreeSet<i64>, TransformError> {
    let heads = table.heads()?.into_iter().filter_map(|head| table.at_snapshot(head).ok());
    let heads: Vec<LakeTable> = heads.collect();
    let runs = heads.iter().filter_map(|head| head.summary()?.get(summary::REPROCESS_RUN));
    let runs: BTreeSet<&String> = runs.collect();
    let mut kept = BTreeSet::new();
    for head in &heads {
        let names_record = |s: &&Snapshot| entry(s, summary::BATCH_RECORD).is_some();
        let history = head.history();
        let newest = history.iter().position(names_record);
        kept.extend(way_to(&history, newest));
    }
    let took_over =
        |s: &&Snapshot| entry(s, summary::REPROCESS_RUN).is_some_and(|run| runs.contains(run));
    let main = table.at_main();
    let history = main.history();
    let oldest = history.iter().rposition(took_over);
    kept.extend(way_to(&history, oldest));
    Ok(kept)
}

/// The snapshots from the newest down to a place, if there is one.
fn way_to(history: &[&Snapshot], place: Option<usize>) -> Vec<i64> {
    let way = place.map_or(&[][..], |place| &history[..=place]);
    way.iter().map(|snapshot| snapshot.snapshot_id()).collect()
}

fn entry<'a>(snapshot: &'a Snapshot, name: &str) -> Option<&'a String> {
    snapshot.summary().additional_properties.get(name)
}
