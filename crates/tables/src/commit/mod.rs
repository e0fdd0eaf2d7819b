//! Commits: a change becomes a snapshot (`stage`), and the snapshot becomes current by a
//! compare-and-swap of the metadata file (`publish`).
//!
//! The two are apart: staging only writes new files and can be thrown away; publishing decides.

mod publish;
mod stage;
mod summary;

use std::collections::BTreeMap;

use iceberg::spec::{DataFile, Operation};

use crate::catalog::CatalogError;
use crate::files::LiveFile;
use crate::table::LakeTable;
use crate::warehouse::Warehouse;

/// A change of a table's files, relative to the table it was planned on. One without files but
/// with a summary records that something was done, such as a batch in which nothing changed.
#[derive(Clone, Debug)]
pub struct Change {
    /// What the change is to readers of the history: `Append` adds only, `Delete` removes rows
    /// only, `Replace` leaves the rows as they are, `Overwrite` is everything else.
    pub operation: Operation,
    /// New files: data files of the default partition spec, or delete files.
    pub added: Vec<DataFile>,
    /// Live data files that go. Delete files that can then apply to nothing go with them.
    pub removed: Vec<LiveFile>,
    /// Entries of the snapshot's summary beside the counts, which are computed.
    pub summary: BTreeMap<String, String>,
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
    #[error("the outcome of commit {snapshot_id} of table `{table}` is unknown")]
    Unknown {
        /// The table.
        table: String,
        /// The snapshot that would be found in the history if the commit succeeded.
        snapshot_id: i64,
        /// Why no reply came.
        source: CatalogError,
    },
}

impl CommitError {
    /// True when loading the table again and re-planning may succeed.
    pub fn is_retryable(&self) -> bool {
        match self {
            CommitError::Conflict { .. } | CommitError::Unknown { .. } => true,
            CommitError::Staging { source, .. } => source.retryable(),
            CommitError::Rejected { source, .. } => source.is_retryable(),
            CommitError::Empty { .. }
            | CommitError::Contradiction { .. }
            | CommitError::NotLive { .. }
            | CommitError::FormatVersion { .. } => false,
        }
    }
}

/// Commits a change that was planned on `base`, as one snapshot of the main branch.
///
/// The commit succeeds only if `base` is still current. What comes back is the table with the
/// change in it: as committed or, after a lost reply, as found, perhaps with later commits on
/// top. A call that is dropped half way has an unknown outcome.
///
/// # Errors
/// A [`CommitError`]; only after [`CommitError::Unknown`] may the change still become current.
pub async fn commit(
    warehouse: &Warehouse,
    base: &LakeTable,
    change: Change,
) -> Result<LakeTable, CommitError> {
    let staged = stage::stage(base, change).await?;
    publish::publish(warehouse, base, staged).await
}
