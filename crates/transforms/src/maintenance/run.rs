//! Maintenance at work on one table.

use std::collections::BTreeMap;

use medallion_tables::commit::{Change, CommitError, commit_rebasing};
use medallion_tables::compaction::{CompactionPlan, compact};
use medallion_tables::files::LiveFile;
use medallion_tables::maintenance::MaintenanceError;
use medallion_tables::maintenance::expiry::{ExpiryPlan, expire};
use medallion_tables::maintenance::metadata_files::remove_metadata;
use medallion_tables::maintenance::orphans::remove_orphans;
use medallion_tables::table::LakeTable;

use super::{Compacted, Maintenance, MaintenancePlan, MaintenanceReport};
use crate::error::TransformError;
use crate::merge::discard;
use crate::summary;

impl Maintenance<'_> {
    /// Does what was planned on `table`, as long as nobody else is faster.
    ///
    /// # Errors
    /// [`TransformError::Maintenance`], [`TransformError::Commit`] or [`TransformError::Table`].
    /// Rows are never touched.
    pub async fn run(
        &self,
        table: &LakeTable,
        plan: MaintenancePlan,
    ) -> Result<MaintenanceReport, TransformError> {
        let mut report = MaintenanceReport { table: plan.table, ..MaintenanceReport::default() };
        let mut now = table.clone();
        if let Some(compaction) = plan.compaction {
            match self.compact(&now, &compaction).await? {
                None => report.overtaken = true,
                Some((newer, compacted)) => {
                    now = newer;
                    report.compacted = Some(compacted);
                }
            }
        }
        if report.overtaken {
            return Ok(report);
        }
        if let Some(expiry) = plan.expiry {
            self.expire(&now, &expiry, &mut report).await?;
        }
        let most = self.policy.max_files;
        if let Some(metadata) = plan.metadata {
            report.metadata = Some(remove_metadata(self.warehouse, &now, &metadata, most).await?);
        }
        if let Some(orphans) = plan.orphans {
            report.orphans = Some(remove_orphans(self.warehouse, &now, &orphans, most).await?);
        }
        Ok(report)
    }

    /// The table with new files in place of old ones, or nothing when somebody else was faster.
    async fn compact(
        &self,
        table: &LakeTable,
        plan: &CompactionPlan,
    ) -> Result<Option<(LakeTable, Compacted)>, TransformError> {
        let change = compact(table, plan).await?;
        let version = (summary::CODE_VERSION.to_owned(), env!("CARGO_PKG_VERSION").to_owned());
        let change = Change { summary: BTreeMap::from([version]), ..change };
        let paths: Vec<String> = change.added.iter().map(|f| f.file_path().to_owned()).collect();
        let compacted = Compacted {
            before: change.removed.len(),
            after: change.added.len(),
            bytes: change.removed.iter().map(LiveFile::size).sum(),
            left: plan.left,
        };
        // The rows are the same whatever else was committed: it does not matter what that was.
        match commit_rebasing(self.warehouse, table, change, |_| true).await {
            Ok(newer) => Ok(Some((newer, compacted))),
            Err(CommitError::Conflict { .. }) => {
                discard(self.warehouse, &paths).await;
                Ok(None)
            }
            Err(error) => Err(TransformError::commit(&plan.table, error)),
        }
    }

    async fn expire(
        &self,
        table: &LakeTable,
        plan: &ExpiryPlan,
        report: &mut MaintenanceReport,
    ) -> Result<(), TransformError> {
        match expire(self.warehouse, table, plan, self.policy.max_files).await {
            Ok(expired) => report.expired = Some(expired),
            Err(MaintenanceError::Commit { source, .. })
                if matches!(*source, CommitError::Conflict { .. }) =>
            {
                report.overtaken = true;
            }
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }
}
