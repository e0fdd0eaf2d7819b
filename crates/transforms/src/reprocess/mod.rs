//! Reprocessing: a Silver table is computed anew from Bronze on a branch beside the live one, by
//! the contract as it is now, and then takes the place of main in one commit.
//!
//! Readers and the regular job go on meanwhile. What main applies is applied on the branch too;
//! the swap is made on the main that was compared, or not at all. Each step leaves the table in a
//! state from which the same command goes on: the branch says for what it was begun, and what has
//! been applied on it. What the rules reject waits on a branch of the quarantine table; after the
//! swap it takes the place of what was quarantined before from the same files, so that quarantine
//! holds what the rules of now reject, and nothing that Silver has.

mod next;
mod point;
mod settle;
mod swap;
#[cfg(test)]
mod tests;
mod text;

use std::collections::BTreeMap;
use std::time::Duration;

use medallion_definition::name::Layer;
use medallion_tables::commit::{CommitError, drop_branch};
use medallion_tables::table::LakeTable;

pub use next::{ReprocessPlan, ReprocessStep};
pub use point::{Point, PointError};

use crate::error::TransformError;
use crate::merge::{self, Balance, Merged, REBUILD_BRANCH, Rebuild, Target};
use crate::plan::SilverJob;
use crate::silver::is_overtaken;
use crate::spec;

/// How often a step is planned again after losing races without any progress.
const ATTEMPTS: u32 = 10;

/// Rebuilds one table.
pub struct ReprocessJob<'a> {
    /// The table's job, by whose contract and limits it is rebuilt.
    pub silver: SilverJob<'a>,
    /// From where.
    pub from: Point,
}

/// What a run did.
#[derive(Clone, Debug)]
pub enum ReprocessOutcome {
    /// Nothing was applied after the point: nothing was written.
    Nothing,
    /// The table was rebuilt.
    Rebuilt(Rebuilt),
}

/// A table that was rebuilt.
#[derive(Clone, Debug, Default)]
pub struct Rebuilt {
    /// Bronze files that this run applied; a run that goes on with another's work has fewer.
    pub files: usize,
    /// Where each of their rows went.
    pub balance: Balance,
    /// Failures of rules that only warn, by rule.
    pub warnings: BTreeMap<String, u64>,
    /// The snapshot with which the rebuilt table took the place of main.
    pub snapshot: i64,
    /// Rows of the table before; nothing when that snapshot has expired already.
    pub rows_before: Option<u64>,
    /// Rows of the table now.
    pub rows_after: u64,
    /// Quarantined rows of the files before.
    pub quarantined_before: u64,
    /// Quarantined rows of the files now.
    pub quarantined_after: u64,
}

impl Rebuilt {
    fn add(&mut self, merged: Merged) {
        self.files += merged.files;
        self.balance = self.balance + merged.balance;
        for (rule, count) in merged.warnings {
            *self.warnings.entry(rule).or_default() += count;
        }
    }
}

impl ReprocessJob<'_> {
    /// What the next step is; nothing is created or changed.
    ///
    /// # Errors
    /// As [`ReprocessJob::run`] before its first step.
    pub async fn explain(&self) -> Result<ReprocessPlan, TransformError> {
        let job = &self.silver;
        let ident = spec::ident(job.lake, Layer::Silver, &job.contract.table.lake_table());
        match job.warehouse.load(&ident).await? {
            Some(table) => self.plan(&table).await,
            None => Err(self.nothing_applied()),
        }
    }

    /// Rebuilds the table, or goes on with a rebuild that was begun for the same point, contract
    /// and program and not finished.
    ///
    /// # Errors
    /// [`TransformError::PointUnreachable`], [`TransformError::NothingApplied`],
    /// [`TransformError::NewLoad`], [`TransformError::BronzeGone`], or what a Silver batch fails
    /// with. Main is then as it was, unless the swap was made; repeating tells and goes on.
    pub async fn run(&self) -> Result<ReprocessOutcome, TransformError> {
        let mut done = Rebuilt::default();
        let (mut attempt, mut begun_anew) = (1, false);
        loop {
            let table = self.silver.table().await?;
            let plan = match self.plan(&table).await {
                // A file that the branch holds was repaired: all of it is in doubt.
                Err(TransformError::Reloaded { .. }) if !begun_anew && self.is_begun(&table) => {
                    begun_anew = true;
                    self.drop_rebuild(&table).await?;
                    continue;
                }
                Err(error @ TransformError::NewLoad { .. }) => {
                    self.drop_rebuild(&table).await?;
                    return Err(error);
                }
                plan => plan?,
            };
            let finished = match plan.step {
                ReprocessStep::Nothing => return Ok(ReprocessOutcome::Nothing),
                _ => self.step(&table, &plan, &mut done).await,
            };
            match finished {
                Ok(true) => return Ok(ReprocessOutcome::Rebuilt(done)),
                Ok(false) => attempt = 1,
                Err(error) if attempt < ATTEMPTS && is_overtaken(&error) => {
                    tokio::time::sleep(Duration::from_millis(10 << attempt)).await;
                    attempt += 1;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Does one step; true when it was the last one.
    async fn step(
        &self,
        table: &LakeTable,
        plan: &ReprocessPlan,
        done: &mut Rebuilt,
    ) -> Result<bool, TransformError> {
        match &plan.step {
            ReprocessStep::Nothing => Ok(true),
            ReprocessStep::Begin { on, .. } => {
                self.begin(table, *on, plan).await?;
                Ok(false)
            }
            ReprocessStep::Apply { batch, .. } => {
                let (branch, rebuild) = rebuilding(table)?;
                let target = Target::Rebuild(&rebuild);
                done.add(Box::pin(merge::apply(&self.silver, target, &branch, batch)).await?);
                Ok(false)
            }
            ReprocessStep::Swap { .. } => {
                self.swap(table).await?;
                Ok(false)
            }
            ReprocessStep::Settle { ours, .. } => {
                let mut of_another = Rebuilt::default();
                self.settle(table, if *ours { done } else { &mut of_another }).await?;
                Ok(*ours)
            }
        }
    }

    fn nothing_applied(&self) -> TransformError {
        TransformError::NothingApplied { table: self.silver.contract.table.to_string() }
    }

    /// True when there is a rebuild of whatever kind.
    fn is_begun(&self, table: &LakeTable) -> bool {
        table.at_branch(REBUILD_BRANCH).is_ok()
    }

    /// Drops the branches of Silver and quarantine. Files that only they hold go with their
    /// snapshots when these expire.
    async fn drop_rebuild(&self, table: &LakeTable) -> Result<(), TransformError> {
        let job = &self.silver;
        let name = job.contract.table.lake_table();
        let quarantine = spec::ident(job.lake, Layer::Quarantine, &name);
        // Silver last: as long as its branch is there, somebody will come back.
        for ident in [&quarantine, table.ident()] {
            for attempt in 1.. {
                let Some(newest) = job.warehouse.load(ident).await? else { break };
                if newest.at_branch(REBUILD_BRANCH).is_err() {
                    break;
                }
                match drop_branch(job.warehouse, &newest, REBUILD_BRANCH).await {
                    Err(CommitError::Conflict { .. }) if attempt < ATTEMPTS => {}
                    dropped => {
                        dropped.map_err(|e| TransformError::commit(ident, e))?;
                        break;
                    }
                }
            }
        }
        Ok(())
    }
}

/// The branch and the rebuild that it is for.
fn rebuilding(table: &LakeTable) -> Result<(LakeTable, Rebuild), TransformError> {
    let branch = table.at_branch(REBUILD_BRANCH)?;
    let rebuild = Rebuild::of(&branch).ok_or_else(|| TransformError::BatchRecord {
        key: branch.name(),
        reason: format!("the newest snapshot of `{REBUILD_BRANCH}` is not of a rebuild"),
    })?;
    Ok((branch, rebuild))
}
