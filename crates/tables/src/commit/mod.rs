//! Commits: a change becomes a snapshot (`stage`), and the snapshot becomes current by a
//! compare-and-swap of the metadata file (`publish`).
//!
//! The two are apart: staging only writes new files and can be thrown away; publishing decides.

mod branch;
mod check;
mod clock;
mod manifests;
mod merge;
mod publish;
mod rebase;
mod remove;
mod replace;
mod stage;
mod summary;

use std::collections::BTreeMap;

use iceberg::spec::{DataFile, Operation};

use crate::catalog::CatalogError;
use crate::files::LiveFile;
use crate::table::LakeTable;
use crate::warehouse::Warehouse;

pub(crate) use branch::references;
pub use branch::{Branch, begin_branch, drop_branch, fast_forward, publish_branch};
#[cfg(test)]
pub(crate) use merge::SMALL_MANIFESTS;
pub(crate) use publish::publish_metadata;
pub use rebase::commit_rebasing;
pub use replace::replace_main;

/// A change of a table's files, relative to the table it was planned on. One without files but
/// with a summary records that something was done, such as a batch in which nothing changed.
#[derive(Clone, Debug)]
pub struct Change {
    /// What the change is to readers of the history: `Append` adds only, `Delete` removes rows
    /// only, `Replace` leaves the rows as they are, `Overwrite` is everything else.
    pub operation: Operation,
    /// New files: data files of the default partition spec, and position delete files that each
    /// name a live data file which stays.
    pub added: Vec<DataFile>,
    /// Live data and delete files that go. Delete files that can then apply to nothing go with
    /// the data files, named here or not.
    pub removed: Vec<LiveFile>,
    /// Entries of the snapshot's summary beside the counts, which are computed.
    pub summary: BTreeMap<String, String>,
    /// The branch that gets the snapshot.
    pub branch: Branch,
}

/// Why a change was not committed, or is not known to be.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// The change adds nothing, removes nothing and says nothing: a bug of the caller.
    #[error("the change of table `{table}` is empty")]
    Empty {
        /// The table.
        table: String,
    },
    /// Operation and files contradict each other: a bug of the caller.
    #[error("a change of table `{table}` is called `{operation}`, but {reason}")]
    Contradiction {
        /// The table.
        table: String,
        /// The operation.
        operation: String,
        /// What contradicts it.
        reason: &'static str,
    },
    /// A file to be removed is not live in the base, so the plan belongs to another table state:
    /// a bug of the caller.
    #[error("`{path}`, to be removed from table `{table}`, is not live")]
    NotLive {
        /// The table.
        table: String,
        /// The file.
        path: String,
    },
    /// A delete file to be added that does not belong to a live data file, or is of a kind that
    /// is not written: a bug of the caller.
    #[error("delete file `{path}` is not added to table `{table}`: {reason}")]
    Delete {
        /// The table.
        table: String,
        /// The delete file.
        path: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// There is no such branch: a bug of the caller, or somebody dropped it.
    #[error("table `{table}` has no branch `{branch}` beside main")]
    UnknownBranch {
        /// The table.
        table: String,
        /// The branch.
        branch: String,
    },
    /// Main has moved on since the branch was made: drop the branch and make the change again.
    #[error("branch `{branch}` of table `{table}` does not contain what main has")]
    NotAncestor {
        /// The table.
        table: String,
        /// The branch.
        branch: String,
    },
    /// A schema change names a column that the table does not have: it was planned on another
    /// state of the table, or is a bug of the caller.
    #[error("table `{table}` has no column with the id {id}")]
    NoColumn {
        /// The table.
        table: String,
        /// The field id.
        id: i32,
    },
    /// The table has another format version than 2: the operator's business.
    #[error("table `{table}` has format version {version}, and only 2 is written")]
    FormatVersion {
        /// The table.
        table: String,
        /// Its format version.
        version: u8,
    },
    /// New metadata files could not be written, or old ones not read. Nothing was published;
    /// retry when the source is retryable.
    #[error("the change of table `{table}` cannot be staged")]
    Staging {
        /// The table.
        table: String,
        /// What Iceberg says.
        source: Box<iceberg::Error>,
    },
    /// Somebody else committed first, and this change can never become current any more. The
    /// staged metadata is deleted; data files are the caller's. Load the table again and re-plan.
    #[error("somebody else committed to table `{table}` first")]
    Conflict {
        /// The table.
        table: String,
    },
    /// The catalog refused; nothing was published. Class by the source.
    #[error("the catalog refuses the change of table `{table}`")]
    Rejected {
        /// The table.
        table: String,
        /// What the catalog says.
        source: CatalogError,
    },
    /// No reply came, and the table did not change while it was watched. The request may still
    /// be under way, so nothing is deleted, data files included: they may become live. Load the
    /// table later, look for the change in its history, and only then plan anew. That is safe,
    /// since a later commit makes the catalog refuse this one.
    ///
    /// Or no reply came, and the table no longer stands under its name: nothing, or another table.
    /// Where it went, the change may be in it, so nothing is deleted either.
    #[error("the outcome of a commit of table `{table}` is unknown (`{location}`)")]
    Unknown {
        /// The table.
        table: String,
        /// The snapshot that would be found in the history if the commit succeeded; nothing for
        /// a change of the metadata alone.
        snapshot_id: Option<i64>,
        /// The metadata file that would be the current one, or in the log of those before it.
        location: String,
        /// Why no reply came.
        source: Box<CatalogError>,
    },
}

impl CommitError {
    pub(crate) fn staging(base: &LakeTable, source: iceberg::Error) -> Self {
        CommitError::Staging { table: base.name(), source: Box::new(source) }
    }

    /// True when loading the table again and re-planning may succeed.
    pub fn is_retryable(&self) -> bool {
        match self {
            CommitError::Conflict { .. } | CommitError::Unknown { .. } => true,
            CommitError::Staging { source, .. } => source.retryable(),
            CommitError::Rejected { source, .. } => source.is_retryable(),
            CommitError::Empty { .. }
            | CommitError::Contradiction { .. }
            | CommitError::NotLive { .. }
            | CommitError::Delete { .. }
            | CommitError::UnknownBranch { .. }
            | CommitError::NotAncestor { .. }
            | CommitError::NoColumn { .. }
            | CommitError::FormatVersion { .. } => false,
        }
    }
}

/// Commits a change that was planned on `base`, as one snapshot of the change's branch.
///
/// The commit succeeds only if `base` is still current; which of its snapshots `base` is read at
/// does not matter. What comes back is the table with the change in it, read at the branch: as
/// committed or, after a lost reply, as found, perhaps with later commits on top. A call that is
/// dropped half way has an unknown outcome.
///
/// # Errors
/// A [`CommitError`]; only after [`CommitError::Unknown`] may the change still become current.
pub async fn commit(
    warehouse: &Warehouse,
    base: &LakeTable,
    change: Change,
) -> Result<LakeTable, CommitError> {
    let branch = change.branch.clone();
    let staged = stage::stage(&base.at_head_of(&branch), change).await?;
    publish::publish(warehouse, base, staged, &branch).await
}
