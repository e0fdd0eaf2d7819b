//! The two commits between which a rebuild lives: the branch begins, and main takes it over.

use std::collections::BTreeMap;

use chrono::SecondsFormat;
use medallion_tables::commit::{begin_branch, replace_main};
use medallion_tables::table::LakeTable;
use sha2::{Digest, Sha256};

use super::{ReprocessJob, ReprocessPlan, rebuilding};
use crate::error::TransformError;
use crate::merge::{REBUILD_BRANCH, Rebuild, Target, newest_reference};
use crate::plan::Mode;
use crate::record::{Applied, BatchRecord, ObjectReference};
use crate::summary;

/// The snapshot with which main took a branch over, if it did.
pub(super) fn swapped(main: &LakeTable, branch: &LakeTable) -> Option<i64> {
    let run = Rebuild::of(branch)?.run;
    let took_over = |told: &std::collections::HashMap<String, String>| {
        told.get(summary::REPROCESS_RUN) == Some(&run)
    };
    let mut history = main.history().into_iter();
    Some(history.find(|s| took_over(&s.summary().additional_properties))?.snapshot_id())
}

impl ReprocessJob<'_> {
    /// Begins the branch. Its first record says what counts as applied there, so that the branch
    /// is a table like any other from then on.
    pub(super) async fn begin(
        &self,
        table: &LakeTable,
        on: Option<i64>,
        plan: &ReprocessPlan,
    ) -> Result<(), TransformError> {
        let job = &self.silver;
        let from = match on {
            None => table.at_nothing(),
            Some(snapshot) => table.at_snapshot(snapshot)?,
        };
        // Of those who begin on the same metadata, only one succeeds.
        let attempt = format!("{}\n{}", plan.identity, table.metadata_location());
        let rebuild = Rebuild {
            identity: plan.identity.clone(),
            run: hex::encode(Sha256::digest(attempt)),
            from: self.from.to_string(),
        };
        let mode = if on.is_none() { Mode::Replace } else { Mode::Merge };
        let mut record = BatchRecord::of_state(&job.contract.table, &plan.start, mode);
        record.rebuild = Some(rebuild.run.clone());
        let written = record.write(job.warehouse.bucket()).await?;
        let mut entries = entries(&plan.start, mode, &written);
        entries.extend(rebuild.entries());
        let begun = begin_branch(job.warehouse, &from, REBUILD_BRANCH, entries).await;
        begun.map_err(|e| TransformError::commit(&job.contract.table, e))?;
        Ok(())
    }

    /// Main takes the branch over, if main is still what the table was read with.
    pub(super) async fn swap(&self, table: &LakeTable) -> Result<(), TransformError> {
        let job = &self.silver;
        let (branch, rebuild) = rebuilding(table)?;
        if let Some(quarantine) = self.quarantine().await? {
            // It tells later whether quarantine has followed.
            Target::Rebuild(&rebuild).open(job.warehouse, quarantine, table.ident()).await?;
        }
        let bucket = job.warehouse.bucket();
        let mut applied = Applied::read(bucket, &job.contract.table, &branch).await?;
        applied.state.rebuilt = Some(rebuild.run.clone());
        let mut record = BatchRecord::of_state(&job.contract.table, &applied, Mode::Replace);
        record.base = table.at_main().snapshot_id();
        record.rebuild = Some(rebuild.run.clone());
        record.previous = newest_reference(&branch);
        let written = record.write(bucket).await?;
        let mut entries = entries(&applied, Mode::Replace, &written);
        entries.extend(rebuild.entries());
        let replaced = replace_main(job.warehouse, table, REBUILD_BRANCH, entries).await;
        replaced.map_err(|e| TransformError::commit(&job.contract.table, e))?;
        Ok(())
    }
}

/// What a commit without Bronze files of its own says is applied.
fn entries(applied: &Applied, mode: Mode, written: &ObjectReference) -> BTreeMap<String, String> {
    let mut entries = BTreeMap::from([
        (summary::BATCH_RECORD.to_owned(), written.key.clone()),
        (summary::BATCH_SHA256.to_owned(), written.sha256.clone()),
        (summary::MODE.to_owned(), mode.to_string()),
        (summary::WATERMARK.to_owned(), applied.watermark.clone().unwrap_or_default()),
        (summary::WATERMARK_SEQ.to_owned(), applied.watermark_seq.clone()),
        (summary::CODE_VERSION.to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
    ]);
    if let Some(generation) = &applied.generation {
        entries.insert(summary::GENERATION.to_owned(), generation.number.to_string());
        if let Some(since) = generation.since {
            let since = since.to_rfc3339_opts(SecondsFormat::Secs, true);
            entries.insert(summary::GENERATION_SINCE.to_owned(), since);
        }
    }
    entries
}
