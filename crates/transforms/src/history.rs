//! The part of the Silver job that keeps the history table: every state that a key ever had.

use crate::error::TransformError;
use crate::merge;
pub use crate::merge::HistoryBalance;
use crate::merge::history::Recorded;
use crate::plan::{SilverJob, Waiting};
use crate::silver::{ATTEMPTS, is_overtaken};

/// What a run did to the history table.
#[derive(Clone, Debug, Default)]
pub struct HistoryOutcome {
    /// What was committed; nothing when there was no new file.
    pub committed: Option<HistoryCommitted>,
    /// Set when a new full load may not be complete.
    pub waiting: Option<Waiting>,
}

/// The batches of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HistoryCommitted {
    /// The number of Bronze files applied.
    pub files: usize,
    /// Where each row went.
    pub balance: HistoryBalance,
    /// The new snapshot.
    pub snapshot: i64,
}

impl HistoryOutcome {
    fn add(&mut self, recorded: Recorded) {
        let Recorded { files, balance, snapshot } = recorded;
        let before =
            self.committed.map_or((0, HistoryBalance::default()), |c| (c.files, c.balance));
        let (files, balance) = (before.0 + files, before.1 + balance);
        self.committed = Some(HistoryCommitted { files, balance, snapshot });
    }
}

impl SilverJob<'_> {
    /// Plans and applies batches to the history until nothing is left; nothing for a contract
    /// without a history.
    ///
    /// # Errors
    /// Any [`TransformError`]; the table is then as the last batch left it.
    pub async fn run_history(&self) -> Result<Option<HistoryOutcome>, TransformError> {
        let mut attempt = 1;
        let mut done = HistoryOutcome::default();
        while let Some(base) = self.history_table().await? {
            let plan = self.plan_history(Some(&base)).await?;
            if plan.waiting.is_some() || plan.files.is_empty() {
                done.waiting = plan.waiting;
                return Ok(Some(done));
            }
            match merge::history::apply(self, &base, &plan).await {
                Err(error) if attempt < ATTEMPTS && is_overtaken(&error) => attempt += 1,
                result => {
                    done.add(result?);
                    attempt = 1;
                }
            }
        }
        Ok(None)
    }
}
