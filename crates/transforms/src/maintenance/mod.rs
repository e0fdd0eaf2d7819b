//! Maintenance of the tables of a contract: few well-filled files, a history no longer than it is
//! looked at, a folder without what nobody refers to.
//!
//! It follows every run of the job as far as it is due, and `medallion maintain` does all of it at
//! once. What it does is bounded per run, and never in the way of a writer: whoever commits first
//! wins, and maintenance that was overtaken comes another time.

mod plan;
mod report;
mod run;

use chrono::Duration;
use medallion_definition::catalogue::history_name;
use medallion_definition::name::Layer;
use medallion_tables::compaction::CompactionOptions;
use medallion_tables::maintenance::orphans::SafetyAge;
use medallion_tables::table::LakeTable;
use medallion_tables::warehouse::Warehouse;

pub use plan::MaintenancePlan;
pub use report::{Compacted, MaintenanceReport};

use crate::error::TransformError;
use crate::gold::GoldJob;
use crate::plan::{LOOK_BACK, SilverJob};
use crate::spec;

/// Who asks for maintenance gets small files merged with others up to so many times as large as
/// they are together: a bucket has hardly more than one of them then.
const THOROUGH_TIER: u64 = 16;
/// A file below this size is small, as a part of the size of a full one: 3/4.
const SMALL: (u64, u64) = (3, 4);
/// The share of the job's memory that compaction takes for the files that it merges: a half. The
/// other one is for what it writes.
const MERGED: u64 = 2;
/// The most bytes of old files that are rewritten in one run.
const MAX_BYTES: u64 = 2 << 30;
/// The most old files that are rewritten in one run: a load in batches leaves as many.
const MAX_REWRITTEN: usize = 256;
/// The most files that a run deletes of each kind.
const MAX_FILES: usize = 10_000;
/// So many snapshots of every branch stay, however old.
const KEEP_LAST: usize = 10;
/// So many snapshots of a branch stay for their age, unless the policy says otherwise: a thousand
/// make the metadata of a small table cost its readers as much as its rows.
pub const KEEP_MOST: usize = 200;
/// How long readers may be at work, unless the policy says otherwise: twice what Athena lets a
/// query run.
pub const AT_WORK: Duration = Duration::hours(1);

/// Which work is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// What has come to be worth it.
    Due,
    /// Whatever there is to do.
    Now,
}

/// What is kept, and how much is done in one run.
#[derive(Clone, Debug, PartialEq)]
pub struct MaintenancePolicy {
    /// What is worth rewriting.
    pub compaction: CompactionOptions,
    /// Snapshots stay for so long, for time travel and for readers that are at work.
    pub keep: Duration,
    /// So many of the newest snapshots of every branch stay in any case.
    pub keep_last: usize,
    /// No more than so many stay for their age: every reader reads what the table tells of all.
    pub keep_most: usize,
    /// Readers are at work for so long at most: younger snapshots stay however many they are.
    pub at_work: Duration,
    /// How old a file that nothing refers to must be before it is deleted.
    pub orphan_age: SafetyAge,
    /// The most files that one run deletes of each kind.
    pub max_files: usize,
}

impl MaintenancePolicy {
    /// The policy for data files of about `file_bytes` and a job of `memory_bytes`.
    pub fn new(file_bytes: u64, memory_bytes: u64) -> MaintenancePolicy {
        let compaction = CompactionOptions {
            target_bytes: file_bytes,
            small_bytes: file_bytes * SMALL.0 / SMALL.1,
            max_bytes: MAX_BYTES,
            max_files: MAX_REWRITTEN,
            memory_bytes: memory_bytes / MERGED,
            ..CompactionOptions::default()
        };
        MaintenancePolicy {
            compaction,
            keep: LOOK_BACK,
            keep_last: KEEP_LAST,
            keep_most: KEEP_MOST,
            at_work: AT_WORK,
            orphan_age: SafetyAge::default(),
            max_files: MAX_FILES,
        }
    }
}

impl MaintenancePolicy {
    /// The same for somebody who asks for maintenance instead of meeting it after a batch: small
    /// files are merged as soon as there are two, and further up.
    pub fn thorough(file_bytes: u64, memory_bytes: u64) -> MaintenancePolicy {
        let mut policy = MaintenancePolicy::new(file_bytes, memory_bytes);
        policy.compaction.small_files = 2;
        policy.compaction.tier = THOROUGH_TIER;
        policy
    }
}

/// Maintenance of tables of one warehouse.
pub struct Maintenance<'a> {
    /// Where the tables live.
    pub warehouse: &'a Warehouse,
    /// What is kept.
    pub policy: MaintenancePolicy,
    /// The time of the run, milliseconds since the epoch.
    pub now_ms: i64,
}

impl SilverJob<'_> {
    /// The tables of the contract that there are: Silver, its history and quarantine.
    ///
    /// # Errors
    /// When the catalog refuses.
    pub async fn tables(&self) -> Result<Vec<LakeTable>, TransformError> {
        let name = self.contract.table.lake_table();
        let history = self.contract.history.then(|| history_name(self.contract));
        let history = history.map(|history| (Layer::Silver, history));
        let known = [(Layer::Silver, name.clone()), (Layer::Quarantine, name)];
        let mut tables = Vec::new();
        for (layer, name) in known.into_iter().chain(history) {
            tables.extend(self.warehouse.load(&spec::ident(self.lake, layer, &name)).await?);
        }
        Ok(tables)
    }

    /// Maintains the tables of the contract, as far as the policy lets them be.
    ///
    /// # Errors
    /// [`TransformError::Maintenance`], or when a table cannot be read or written. Rows are never
    /// touched by it.
    pub async fn maintain(
        &self,
        policy: MaintenancePolicy,
        when: When,
    ) -> Result<Vec<MaintenanceReport>, TransformError> {
        let now_ms = self.now_micros.div_euclid(1000);
        let maintenance = Maintenance { warehouse: self.warehouse, policy, now_ms };
        let mut reports = Vec::new();
        for table in self.tables().await? {
            let plan = maintenance.plan(&table, when).await?;
            reports.push(maintenance.run(&table, plan).await?);
        }
        Ok(reports)
    }
}

impl GoldJob<'_> {
    /// Maintains the model's table, if there is one.
    ///
    /// # Errors
    /// As [`SilverJob::maintain`].
    pub async fn maintain(
        &self,
        policy: MaintenancePolicy,
        when: When,
    ) -> Result<Option<MaintenanceReport>, TransformError> {
        let now_ms = self.now_micros.div_euclid(1000);
        let maintenance = Maintenance { warehouse: self.warehouse, policy, now_ms };
        let ident = spec::ident(self.lake, Layer::Gold, self.model.name.as_str());
        let Some(table) = self.warehouse.load(&ident).await? else { return Ok(None) };
        let plan = maintenance.plan(&table, when).await?;
        Ok(Some(maintenance.run(&table, plan).await?))
    }
}
