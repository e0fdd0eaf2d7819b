//! The Silver job: batches of new Bronze files, each merged by one atomic commit.

use std::collections::BTreeMap;

use medallion_tables::commit::CommitError;

pub use crate::batch::{BATCH_BYTES, LOOK_BACK, SilverJob, SilverPlan};
use crate::error::TransformError;
pub use crate::merge::Balance;
use crate::merge::{self, Merged};
use crate::quality::QualityPlan;

/// How often a batch is planned again after losing a race.
const ATTEMPTS: usize = 5;

/// What a run did.
#[derive(Clone, Debug)]
pub enum SilverOutcome {
    /// No new file: nothing was written.
    UpToDate,
    /// One batch or more was committed.
    Committed {
        /// The number of Bronze files applied, over all batches of the run.
        files: usize,
        /// Where each row went.
        balance: Balance,
        /// Failures of rules that only warn, by rule.
        warnings: BTreeMap<String, u64>,
        /// The new snapshot.
        snapshot: i64,
    },
}

impl From<Merged> for SilverOutcome {
    fn from(merged: Merged) -> SilverOutcome {
        let Merged { files, balance, warnings, snapshot } = merged;
        SilverOutcome::Committed { files, balance, warnings, snapshot }
    }
}

impl SilverOutcome {
    /// Both batches together.
    fn and(self, later: SilverOutcome) -> SilverOutcome {
        match (self, later) {
            (done, SilverOutcome::UpToDate) => done,
            (SilverOutcome::UpToDate, later) => later,
            (
                SilverOutcome::Committed { files: a, balance: x, warnings: mut all, .. },
                SilverOutcome::Committed { files: b, balance: y, warnings, snapshot },
            ) => {
                for (rule, count) in warnings {
                    *all.entry(rule).or_default() += count;
                }
                SilverOutcome::Committed { files: a + b, balance: x + y, warnings: all, snapshot }
            }
        }
    }
}

impl SilverJob<'_> {
    /// Plans and applies batches until the commit succeeds; a lost race is planned again.
    ///
    /// # Errors
    /// Any [`TransformError`]; the table is then as it was.
    pub async fn run(&self) -> Result<SilverOutcome, TransformError> {
        let quality = QualityPlan::new(self.contract)
            .map_err(|source| TransformError::quality(&self.contract.table, source))?;
        let mut attempt = 1;
        let mut done = SilverOutcome::UpToDate;
        loop {
            let base = self.table().await?;
            let plan = self.plan(Some(&base)).await?;
            if plan.files.is_empty() {
                return Ok(done);
            }
            match merge::apply(self, &quality, &base, &plan).await {
                Err(TransformError::Commit { source, .. })
                    if attempt < ATTEMPTS && matches!(*source, CommitError::Conflict { .. }) =>
                {
                    attempt += 1;
                }
                result => {
                    done = done.and(result?.into());
                    attempt = 1;
                }
            }
        }
    }
}
