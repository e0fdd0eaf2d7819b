//! Removal of metadata files that fell out of the table's log.
//!
//! Every commit writes a metadata file and logs the one before it; the log is bounded by
//! `write.metadata.previous-versions-max`. What falls out of it is deleted when
//! `write.metadata.delete-after-commit.enabled` says so: here, and not by commits, whose outcome
//! would then hang on further requests.

use std::collections::HashSet;
use std::fmt;

use super::{ListedFile, MaintenanceError, Removed, delete, place, reload};
use crate::table::LakeTable;
use crate::warehouse::Warehouse;

const DELETE_AFTER_COMMIT: &str = "write.metadata.delete-after-commit.enabled";

/// Metadata files that are going to be deleted. Printable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetadataPlan {
    /// The table.
    pub table: String,
    /// True when the table's properties say that such files are deleted.
    pub enabled: bool,
    /// The files, oldest version first.
    pub files: Vec<ListedFile>,
}

impl MetadataPlan {
    /// The size of the files that go, in bytes.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.size).sum()
    }
}

impl fmt::Display for MetadataPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (table, count, bytes) = (&self.table, self.files.len(), self.bytes());
        if self.enabled {
            return write!(f, "old metadata of {table}: {count} files, {bytes} bytes");
        }
        write!(f, "old metadata of {table} is kept: property `{DELETE_AFTER_COMMIT}` is not `true`")
    }
}

/// Finds, among the listed files of the table's folder, metadata files of versions before the
/// oldest one in the log. Files of other naming stay.
pub fn plan_metadata(table: &LakeTable, listed: &[ListedFile]) -> MetadataPlan {
    let enabled = table.metadata().properties().get(DELETE_AFTER_COMMIT);
    let enabled = enabled.is_some_and(|value| value.eq_ignore_ascii_case("true"));
    let files = if enabled { fallen_out(table, listed) } else { Vec::new() };
    MetadataPlan { table: table.name(), enabled, files }
}

fn fallen_out(table: &LakeTable, listed: &[ListedFile]) -> Vec<ListedFile> {
    let log = table.metadata().metadata_log().iter().map(|log| log.metadata_file.as_str());
    let known: HashSet<&str> = log.chain([table.metadata_location()]).collect();
    let versions: Option<Vec<u64>> = known.iter().map(|path| version(path)).collect();
    // With a version that cannot be told, none is known to be old.
    let Some(oldest) = versions.and_then(|versions| versions.into_iter().min()) else {
        return Vec::new();
    };
    let known: HashSet<&str> = known.into_iter().map(place).collect();
    let folder = format!("{}/metadata/", place(table.metadata().location()).trim_end_matches('/'));
    let old = |file: &&ListedFile| {
        place(&file.path).strip_prefix(&folder).is_some_and(|name| !name.contains('/'))
            && version(&file.path).is_some_and(|version| version < oldest)
            && !known.contains(place(&file.path))
    };
    let mut files: Vec<ListedFile> = listed.iter().filter(old).cloned().collect();
    files.sort_by_key(|file| version(&file.path));
    files
}

/// The number in `<number>-<uuid>.metadata.json`.
fn version(path: &str) -> Option<u64> {
    let name = path.rsplit('/').next()?.strip_suffix(".metadata.json")?;
    let (number, id) = name.trim_end_matches(".gz").split_once('-')?;
    uuid::Uuid::parse_str(id).ok()?;
    number.parse().ok()
}

/// Deletes the oldest files of a plan, at most so many, but none that the table, as it is now,
/// logs.
///
/// # Errors
/// A [`MaintenanceError`] when the table cannot be read again; nothing was deleted then.
pub async fn remove_metadata(
    warehouse: &Warehouse,
    table: &LakeTable,
    plan: &MetadataPlan,
    max_files: usize,
) -> Result<Removed, MaintenanceError> {
    if plan.files.is_empty() {
        return Ok(Removed::default());
    }
    let files = plan_metadata(&reload(warehouse, table).await?, &plan.files).files;
    let files = files.into_iter().map(|file| (file.path, file.size)).collect();
    Ok(delete(warehouse.file_io(), files, max_files).await)
}
