//! Keeping a table's history and folder in bounds.
//!
//! Three jobs, each a plan that can be printed and a bounded run:
//! - [`expiry`] removes old snapshots and the files that only they refer to;
//! - [`orphans`] removes files that nothing refers to, such as those of jobs that died;
//! - [`metadata_files`] removes metadata files that fell out of the table's log.
//!
//! Nothing is deleted on the word of a plan alone: each run reads the table anew, and leaves
//! whatever its metadata refers to by then.

pub mod expiry;
pub mod metadata_files;
pub mod orphans;
mod reach;

use std::fmt;

use futures::StreamExt;
use iceberg::io::FileIO;

use crate::commit::CommitError;
use crate::store::StoreError;
use crate::table::{LakeTable, TableError};
use crate::warehouse::{Warehouse, WarehouseError};

/// How many files are deleted at a time.
const DELETES_AT_A_TIME: usize = 16;

/// Why maintenance did not do its work. Nothing that the table needs was deleted.
#[derive(Debug, thiserror::Error)]
pub enum MaintenanceError {
    /// The commit that removes snapshots did not succeed, or is not known to have: nothing was
    /// deleted. Class by the source.
    #[error("snapshots of table `{table}` cannot be expired")]
    Commit {
        /// The table.
        table: String,
        /// What the commit says.
        source: Box<CommitError>,
    },
    /// The table cannot be loaded. Class by the source.
    #[error("table `{table}` cannot be loaded")]
    Load {
        /// The table.
        table: String,
        /// What the warehouse says.
        source: Box<WarehouseError>,
    },
    /// The table is gone: the operator's business.
    #[error("table `{table}` is gone")]
    Gone {
        /// The table.
        table: String,
    },
    /// Manifests cannot be read. Class by the source.
    #[error("the files of table `{table}` cannot be told")]
    Files {
        /// The table.
        table: String,
        /// What is wrong.
        source: TableError,
    },
    /// The folder cannot be listed. Class by the source.
    #[error("the folder of table `{table}` cannot be listed")]
    Listing {
        /// The table.
        table: String,
        /// What S3 says.
        source: StoreError,
    },
    /// The table lies in another bucket than the lake: the operator's business.
    #[error("table `{table}` lies at `{location}`, which is not in the lake's bucket")]
    Elsewhere {
        /// The table.
        table: String,
        /// Its location.
        location: String,
    },
    /// Files that are so young may belong to a job that is still running: the operator's
    /// business.
    #[error(
        "a safety age of {seconds} seconds is too short, since files of running jobs would go: \
         at least {} seconds are needed",
        orphans::SafetyAge::LEAST.as_secs()
    )]
    TooYoung {
        /// What was asked for.
        seconds: u64,
    },
}

impl MaintenanceError {
    /// True when loading the table again and starting over may succeed.
    pub fn is_retryable(&self) -> bool {
        match self {
            MaintenanceError::Commit { source, .. } => source.is_retryable(),
            MaintenanceError::Load { source, .. } => source.is_retryable(),
            MaintenanceError::Files { source, .. } => source.is_retryable(),
            MaintenanceError::Listing { source, .. } => source.is_retryable(),
            MaintenanceError::Gone { .. }
            | MaintenanceError::Elsewhere { .. }
            | MaintenanceError::TooYoung { .. } => false,
        }
    }
}

/// A file of a table's folder.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ListedFile {
    /// Its URI.
    pub path: String,
    /// Size in bytes.
    pub size: u64,
    /// When it was written, milliseconds since the epoch.
    pub modified_ms: i64,
}

/// Files that were deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Removed {
    /// How many.
    pub files: u64,
    /// Their size in bytes, as far as it is known: that of manifest lists is not.
    pub bytes: u64,
    /// Files that could not be deleted; as orphans they go another time.
    pub failed: u64,
    /// Files left for another run.
    pub left: u64,
}

impl fmt::Display for Removed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} files of {} bytes deleted", self.files, self.bytes)?;
        if self.failed > 0 {
            write!(f, ", {} could not be deleted", self.failed)?;
        }
        if self.left > 0 {
            write!(f, ", {} left for another run", self.left)?;
        }
        Ok(())
    }
}

/// The files below `data/` and `metadata/` of a table in the lake's bucket.
///
/// # Errors
/// [`MaintenanceError::Elsewhere`] or [`MaintenanceError::Listing`].
pub async fn list_files(
    warehouse: &Warehouse,
    table: &LakeTable,
) -> Result<Vec<ListedFile>, MaintenanceError> {
    let (bucket, location) = (warehouse.bucket(), table.metadata().location());
    let key = location.strip_prefix(&bucket.uri("")).filter(|key| !key.is_empty());
    let key = key.ok_or_else(|| MaintenanceError::Elsewhere {
        table: table.name(),
        location: location.to_owned(),
    })?;
    let mut files = Vec::new();
    for folder in ["data", "metadata"] {
        let prefix = format!("{}/{folder}/", key.trim_end_matches('/'));
        let listed = bucket.list(&prefix).await;
        let listed =
            listed.map_err(|source| MaintenanceError::Listing { table: table.name(), source })?;
        files.extend(listed.into_iter().map(|object| ListedFile {
            path: bucket.uri(&object.key),
            size: object.size,
            modified_ms: object.modified_micros / 1000,
        }));
    }
    Ok(files)
}

/// A path without what may differ between writers that mean the same file: the scheme (`s3`,
/// `s3a`) and the slashes after `file:`.
fn place(path: &str) -> &str {
    match path.split_once(':') {
        Some((scheme, rest)) if !scheme.contains('/') => rest.trim_start_matches('/'),
        _ => path.trim_start_matches('/'),
    }
}

/// The table as it is now.
async fn reload(warehouse: &Warehouse, table: &LakeTable) -> Result<LakeTable, MaintenanceError> {
    let name = table.name();
    match warehouse.load(table.ident()).await {
        Ok(Some(table)) => Ok(table),
        Ok(None) => Err(MaintenanceError::Gone { table: name }),
        Err(error) => Err(MaintenanceError::Load { table: name, source: Box::new(error) }),
    }
}

/// Deletes files, at most so many; sizes in bytes.
async fn delete(file_io: &FileIO, files: Vec<(String, u64)>, most: usize) -> Removed {
    let left = files.len().saturating_sub(most) as u64;
    let deletions =
        files.into_iter().take(most).map(|(path, size)| delete_one(file_io, path, size));
    let deletions: Vec<_> = deletions.collect();
    let deleted = futures::stream::iter(deletions).buffer_unordered(DELETES_AT_A_TIME);
    let none = Removed { left, ..Removed::default() };
    deleted
        .fold(none, |mut removed, size| async move {
            match size {
                None => removed.failed += 1,
                Some(size) => {
                    removed.files += 1;
                    removed.bytes += size;
                }
            }
            removed
        })
        .await
}

/// The size of the file that is gone, or nothing when it could not be deleted.
async fn delete_one(file_io: &FileIO, path: String, size: u64) -> Option<u64> {
    file_io.delete(&path).await.is_ok().then_some(size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_file_is_one_place_whoever_writes_its_path() {
        for path in ["s3://lake/t/a b:c.parquet", "s3a://lake/t/a b:c.parquet"] {
            assert_eq!(place(path), "lake/t/a b:c.parquet");
        }
        for path in ["file:///tmp/x", "file:/tmp/x", "/tmp/x"] {
            assert_eq!(place(path), "tmp/x");
        }
        assert_eq!(place("/tmp/a:b"), "tmp/a:b");
    }
}
