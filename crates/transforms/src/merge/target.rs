//! Where batches go: to main, or to a branch on which a table is built anew beside it.

use std::collections::BTreeMap;

use medallion_tables::TableIdent;
use medallion_tables::commit::{Branch, CommitError, begin_branch};
use medallion_tables::table::LakeTable;
use medallion_tables::warehouse::Warehouse;

use crate::error::TransformError;
use crate::record::{BatchRecord, ObjectReference};
use crate::summary;

/// The branch of Silver and quarantine on which a table is built anew.
pub(crate) const REBUILD_BRANCH: &str = "reprocess";

/// A table that is built anew on a branch. Every commit of it says so in its summary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rebuild {
    /// What is asked for: the same for the same point, contract, generation and program.
    pub(crate) identity: String,
    /// This attempt; never the same for two branches.
    pub(crate) run: String,
    /// The point, for people.
    pub(crate) from: String,
}

impl Rebuild {
    /// The rebuild that the newest commit of a branch belongs to.
    pub(crate) fn of(branch: &LakeTable) -> Option<Rebuild> {
        let summary = branch.summary()?;
        let text = |key: &str| summary.get(key).cloned();
        Some(Rebuild {
            identity: text(summary::REPROCESS)?,
            run: text(summary::REPROCESS_RUN)?,
            from: text(summary::REPROCESS_FROM).unwrap_or_default(),
        })
    }

    /// The entries of a summary by which its commits are known.
    pub(crate) fn entries(&self) -> BTreeMap<String, String> {
        BTreeMap::from([
            (summary::REPROCESS.to_owned(), self.identity.clone()),
            (summary::REPROCESS_RUN.to_owned(), self.run.clone()),
            (summary::REPROCESS_FROM.to_owned(), self.from.clone()),
        ])
    }

    /// True when the table, as it is read, is a branch of this very attempt.
    fn owns(&self, table: &LakeTable) -> bool {
        Rebuild::of(table).is_some_and(|found| found.run == self.run)
    }
}

/// Where batches go.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Target<'a> {
    /// What readers see.
    Main,
    /// A branch beside it.
    Rebuild(&'a Rebuild),
}

impl Target<'_> {
    pub(crate) fn branch(&self) -> Branch {
        match self {
            Target::Main => Branch::Main,
            Target::Rebuild(_) => Branch::Named(REBUILD_BRANCH.to_owned()),
        }
    }

    /// False when somebody began another rebuild under the branch's name, or dropped it.
    pub(crate) fn holds_for(&self, newer: &LakeTable) -> bool {
        match self {
            Target::Main => true,
            Target::Rebuild(rebuild) => rebuild.owns(newer),
        }
    }

    pub(crate) fn entries(&self) -> BTreeMap<String, String> {
        match self {
            Target::Main => BTreeMap::new(),
            Target::Rebuild(rebuild) => rebuild.entries(),
        }
    }

    /// Notes in a batch's record to which rebuild it belongs, and the record before it there.
    pub(crate) fn sign(&self, mut record: BatchRecord, base: &LakeTable) -> BatchRecord {
        if let Target::Rebuild(rebuild) = self {
            record.rebuild = Some(rebuild.run.clone());
            record.previous = newest_reference(base);
        }
        record
    }

    /// A table without history of its own on the branch, such as quarantine: the branch begins on
    /// nothing with the first commit of the rebuild, as long as that is the one of `silver`.
    ///
    /// # Errors
    /// [`CommitError::Conflict`] when another rebuild was begun meanwhile: what waits on its branch
    /// is not ours to drop.
    pub(crate) async fn open(
        &self,
        warehouse: &Warehouse,
        table: LakeTable,
        silver: &TableIdent,
    ) -> Result<LakeTable, TransformError> {
        let Target::Rebuild(rebuild) = self else { return Ok(table) };
        if let Ok(branch) = table.at_branch(REBUILD_BRANCH)
            && rebuild.owns(&branch)
        {
            return Ok(branch);
        }
        let newest = warehouse.load(silver).await?;
        let newest = newest.and_then(|silver| silver.at_branch(REBUILD_BRANCH).ok());
        if !newest.is_some_and(|branch| rebuild.owns(&branch)) {
            let conflict = CommitError::Conflict { table: silver.to_string() };
            return Err(TransformError::commit(silver, conflict));
        }
        let begun =
            begin_branch(warehouse, &table.at_nothing(), REBUILD_BRANCH, rebuild.entries()).await;
        begun.map_err(|e| TransformError::commit(table.name(), e))
    }
}

/// The newest batch record of a table as it is read, with its SHA-256.
pub(crate) fn newest_reference(table: &LakeTable) -> Option<ObjectReference> {
    table.history().into_iter().find_map(|snapshot| {
        let summary = &snapshot.summary().additional_properties;
        let key = summary.get(summary::BATCH_RECORD)?.clone();
        Some(ObjectReference { key, sha256: summary.get(summary::BATCH_SHA256)?.clone() })
    })
}
