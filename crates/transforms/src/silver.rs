//! The Silver job: batches of new Bronze files, each merged by one atomic commit.

use std::collections::BTreeMap;
use std::time::Instant;

use medallion_tables::commit::CommitError;
use medallion_tables::store::StoreError;

use crate::error::TransformError;
use crate::history::HistoryOutcome;
use crate::merge::{self, Merged, Target};
pub use crate::merge::{Balance, Consolidated, consolidate};
pub use crate::plan::{
    BATCH_BYTES, FILE_BYTES, LOOK_BACK, MEMORY_BYTES, SETTLE, SilverJob, SilverPlan, Waiting,
};

/// How often a batch is planned again after losing a race.
pub(crate) const ATTEMPTS: usize = 5;

/// What a run did to the tables of a contract.
#[derive(Debug)]
pub struct SilverRun {
    /// To the Silver table.
    pub silver: SilverOutcome,
    /// To the history table, when the contract wants one. Whatever it fails with, Silver is
    /// committed.
    pub history: Result<Option<HistoryOutcome>, TransformError>,
}

/// What a run did to the Silver table.
#[derive(Clone, Debug)]
pub enum SilverOutcome {
    /// No new file: nothing was written.
    UpToDate,
    /// A new full load may not be complete: nothing was written.
    Waiting(Waiting),
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
        /// Set when a new full load that may not be complete stopped the run.
        waiting: Option<Waiting>,
    },
}

impl From<Merged> for SilverOutcome {
    fn from(merged: Merged) -> SilverOutcome {
        let Merged { files, balance, warnings, snapshot } = merged;
        SilverOutcome::Committed { files, balance, warnings, snapshot, waiting: None }
    }
}

impl SilverOutcome {
    /// Both batches together.
    fn and(self, later: SilverOutcome) -> SilverOutcome {
        let SilverOutcome::Committed { files, balance, mut warnings, snapshot, .. } = self else {
            return later;
        };
        match later {
            SilverOutcome::UpToDate => {
                SilverOutcome::Committed { files, balance, warnings, snapshot, waiting: None }
            }
            SilverOutcome::Waiting(waiting) => {
                let waiting = Some(waiting);
                SilverOutcome::Committed { files, balance, warnings, snapshot, waiting }
            }
            SilverOutcome::Committed {
                files: more,
                balance: rows,
                warnings: others,
                snapshot,
                waiting,
            } => {
                for (rule, count) in others {
                    *warnings.entry(rule).or_default() += count;
                }
                let (files, balance) = (files + more, balance + rows);
                SilverOutcome::Committed { files, balance, warnings, snapshot, waiting }
            }
        }
    }
}

impl SilverJob<'_> {
    /// Plans and applies batches until nothing is left, to Silver and then to the history, when the
    /// contract wants one; a lost race is planned again.
    ///
    /// # Errors
    /// Any [`TransformError`] of the Silver table, which then is as its last batch left it; the
    /// history is not touched.
    pub async fn run(&self) -> Result<SilverRun, TransformError> {
        let silver = self.run_silver().await?;
        let history = self.run_history().await;
        Ok(SilverRun { silver, history })
    }

    async fn run_silver(&self) -> Result<SilverOutcome, TransformError> {
        let began = Instant::now();
        let mut attempt = 1;
        let mut done = SilverOutcome::UpToDate;
        loop {
            let base = self.table().await?;
            let plan = self.plan(Some(&base)).await?;
            if let Some(waiting) = plan.waiting {
                return Ok(done.and(SilverOutcome::Waiting(waiting)));
            }
            if plan.files.is_empty() {
                return Ok(done);
            }
            // A batch has a time of its own, after its files were written: one that was the job's
            // beginning would be before the changes of files that came meanwhile.
            let passed = i64::try_from(began.elapsed().as_micros()).unwrap_or_default();
            let job = SilverJob { now_micros: self.now_micros + passed, ..*self };
            match merge::apply(&job, Target::Main, &base, &plan).await {
                Err(error) if attempt < ATTEMPTS && is_overtaken(&error) => attempt += 1,
                result => {
                    done = done.and(result?.into());
                    attempt = 1;
                }
            }
        }
    }
}

/// True when the table or a Bronze file changed while the batch was worked on.
pub(crate) fn is_overtaken(error: &TransformError) -> bool {
    match error {
        TransformError::Commit { source, .. } => {
            matches!(**source, CommitError::Conflict { .. })
        }
        TransformError::Store(source) => matches!(**source, StoreError::Changed { .. }),
        _ => false,
    }
}
