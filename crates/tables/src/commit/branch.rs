//! Branches: snapshots that readers of the table do not see yet.
//!
//! A change is committed to a named branch, read there ([`LakeTable::at_branch`]), and published
//! by moving main to the branch's head. Nothing is written twice.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use iceberg::spec::{MAIN_BRANCH, Operation, SnapshotReference, SnapshotRetention, TableMetadata};
use iceberg::{Error, ErrorKind};

use super::publish::{publish, publish_metadata};
use super::stage::stage;
use super::{Change, CommitError};
use crate::table::{LakeTable, TableError};
use crate::warehouse::Warehouse;

/// A line of snapshots of a table.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Branch {
    /// What readers of the table see.
    #[default]
    Main,
    /// A branch beside it, made from main by its first commit.
    Named(String),
}

impl Branch {
    /// The name in Iceberg's metadata.
    pub fn name(&self) -> &str {
        match self {
            Branch::Main => MAIN_BRANCH,
            Branch::Named(name) => name,
        }
    }
}

impl fmt::Display for Branch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl LakeTable {
    /// The snapshots at which branches and tags stand, main's among them.
    ///
    /// # Errors
    /// [`TableError::Files`] when the metadata cannot be understood.
    pub fn heads(&self) -> Result<BTreeSet<i64>, TableError> {
        let references = references(self.metadata()).map_err(|e| self.files_error(e))?;
        Ok(references.into_values().map(|reference| reference.snapshot_id).collect())
    }

    /// The table at the head of the branch; at main when there is no such branch yet.
    pub(crate) fn at_head_of(&self, branch: &Branch) -> LakeTable {
        self.at_branch(branch.name()).unwrap_or_else(|_| self.at_main())
    }
}

/// Branches and tags by name.
///
/// # Errors
/// When the metadata cannot be serialised, which has not been seen.
pub(crate) fn references(
    metadata: &TableMetadata,
) -> iceberg::Result<BTreeMap<String, SnapshotReference>> {
    // The crate gives references one by one, by names that must be known; its JSON has all.
    let broken = |e| Error::new(ErrorKind::Unexpected, "metadata is no JSON").with_source(e);
    let mut json = serde_json::to_value(metadata).map_err(broken)?;
    match json.get_mut("refs").map(serde_json::Value::take) {
        None | Some(serde_json::Value::Null) => Ok(BTreeMap::new()),
        Some(refs) => serde_json::from_value(refs).map_err(broken),
    }
}

/// Begins a branch on what `from` is read at: a snapshot, or nothing (see
/// [`LakeTable::at_nothing`]). Its first snapshot has no files of its own, only the summary, which
/// must say something. A branch of this name that is there already begins anew; its snapshots stay
/// until they expire. What comes back is read at the branch.
///
/// # Errors
/// [`CommitError::UnknownBranch`] for main; [`CommitError::Empty`] without a summary; or what a
/// commit says.
pub async fn begin_branch(
    warehouse: &Warehouse,
    from: &LakeTable,
    branch: &str,
    summary: BTreeMap<String, String>,
) -> Result<LakeTable, CommitError> {
    if branch == MAIN_BRANCH {
        return Err(CommitError::UnknownBranch { table: from.name(), branch: branch.to_owned() });
    }
    let branch = Branch::Named(branch.to_owned());
    let (added, removed, operation) = (Vec::new(), Vec::new(), Operation::Append);
    let change = Change { operation, added, removed, summary, branch: branch.clone() };
    let staged = stage(from, change).await?;
    publish(warehouse, from, staged, &branch).await
}

/// Moves main to the head of a branch, of which main must be an ancestor: whatever was committed
/// to main since the branch was made would be lost otherwise. The branch stays.
///
/// # Errors
/// [`CommitError::UnknownBranch`], [`CommitError::NotAncestor`], or what a commit says.
pub async fn fast_forward(
    warehouse: &Warehouse,
    base: &LakeTable,
    branch: &str,
) -> Result<LakeTable, CommitError> {
    advance(warehouse, base, branch, false).await
}

/// As [`fast_forward`] and [`drop_branch`] together, in one commit.
///
/// # Errors
/// As [`fast_forward`].
pub async fn publish_branch(
    warehouse: &Warehouse,
    base: &LakeTable,
    branch: &str,
) -> Result<LakeTable, CommitError> {
    advance(warehouse, base, branch, true).await
}

async fn advance(
    warehouse: &Warehouse,
    base: &LakeTable,
    branch: &str,
    drop_it: bool,
) -> Result<LakeTable, CommitError> {
    let head = known(base, branch)?;
    let main = base.at_main();
    let Some(head_id) = head.snapshot_id() else { return Ok(main) };
    let reached = |id: i64| head.history().iter().any(|snapshot| snapshot.snapshot_id() == id);
    if !main.snapshot_id().is_none_or(reached) {
        return Err(CommitError::NotAncestor { table: base.name(), branch: branch.to_owned() });
    }
    if main.snapshot_id() == Some(head_id) && !drop_it {
        return Ok(main);
    }
    let mut references =
        references(base.metadata()).map_err(|source| CommitError::staging(base, source))?;
    let unlimited = SnapshotRetention::branch(None, None, None);
    let mut reference = references
        .remove(MAIN_BRANCH)
        .unwrap_or_else(|| SnapshotReference::new(head_id, unlimited));
    reference.snapshot_id = head_id;
    publish_metadata(warehouse, base, |builder| {
        let builder = builder.set_ref(MAIN_BRANCH, reference)?;
        Ok(if drop_it { builder.remove_ref(branch) } else { builder })
    })
    .await
}

/// Removes a branch. Its snapshots stay until they expire.
///
/// # Errors
/// [`CommitError::UnknownBranch`], also for main, which cannot be dropped; or what a commit says.
pub async fn drop_branch(
    warehouse: &Warehouse,
    base: &LakeTable,
    branch: &str,
) -> Result<LakeTable, CommitError> {
    known(base, branch)?;
    publish_metadata(warehouse, base, |builder| Ok(builder.remove_ref(branch))).await
}

/// The table at a branch that is not main.
pub(super) fn known(base: &LakeTable, branch: &str) -> Result<LakeTable, CommitError> {
    let unknown = || CommitError::UnknownBranch { table: base.name(), branch: branch.to_owned() };
    if branch == MAIN_BRANCH {
        return Err(unknown());
    }
    base.at_branch(branch).map_err(|_| unknown())
}
