//! Removal of files that nothing refers to: those of jobs that died, of conflicts, and of unknown
//! outcomes that turned out to be failures.

use std::fmt;
use std::time::Duration;

use super::reach::all_places;
use super::{ListedFile, MaintenanceError, Removed, delete, place, reload};
use crate::table::LakeTable;
use crate::warehouse::Warehouse;

/// How old a file must be. A running job has written files that nothing refers to yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SafetyAge(Duration);

impl Default for SafetyAge {
    /// Three days.
    fn default() -> Self {
        SafetyAge(Duration::from_secs(3 * 24 * 60 * 60))
    }
}

impl SafetyAge {
    /// The least age that is allowed: a day, longer than a full load runs. All the files of a load
    /// become part of the table at its end, so the first of them are as old as the load by then.
    pub const LEAST: Duration = Duration::from_secs(24 * 60 * 60);

    /// An age.
    ///
    /// # Errors
    /// [`MaintenanceError::TooYoung`] below [`SafetyAge::LEAST`].
    pub fn new(age: Duration) -> Result<Self, MaintenanceError> {
        if age < Self::LEAST {
            return Err(MaintenanceError::TooYoung { seconds: age.as_secs() });
        }
        Ok(SafetyAge(age))
    }

    /// Any age, for tests in which no job is running.
    pub fn forced(age: Duration) -> Self {
        SafetyAge(age)
    }
}

/// Files that are going to be deleted. Printable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrphanPlan {
    /// The table.
    pub table: String,
    /// Files in the folder.
    pub listed: usize,
    /// Files that nothing refers to, but that are too young.
    pub young: usize,
    /// Files that go, oldest first.
    pub orphans: Vec<ListedFile>,
}

impl OrphanPlan {
    /// The size of the files that go, in bytes.
    pub fn bytes(&self) -> u64 {
        self.orphans.iter().map(|file| file.size).sum()
    }
}

impl fmt::Display for OrphanPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (table, orphans, bytes) = (&self.table, self.orphans.len(), self.bytes());
        let (listed, young) = (self.listed, self.young);
        write!(
            f,
            "orphans of {table}: {orphans} of {listed} files, {bytes} bytes; {young} younger ones \
             stay"
        )
    }
}

/// Finds, among the listed files of the table's folder ([`super::list_files`]), those that are
/// old enough and that no snapshot refers to. The listing comes before the table is loaded: what
/// is listed and belongs to the table is then known to it.
///
/// # Errors
/// [`MaintenanceError::Files`] when manifests cannot be read.
pub async fn plan_orphans(
    table: &LakeTable,
    listed: Vec<ListedFile>,
    now_ms: i64,
    age: SafetyAge,
) -> Result<OrphanPlan, MaintenanceError> {
    let needed = all_places(table).await?;
    let count = listed.len();
    let limit = now_ms.saturating_sub(i64::try_from(age.0.as_millis()).unwrap_or(i64::MAX));
    let (mut orphans, young): (Vec<_>, Vec<_>) = listed
        .into_iter()
        .filter(|file| !needed.contains(place(&file.path)) && in_folder(table, &file.path))
        .partition(|file| file.modified_ms < limit);
    orphans.sort_by(|a, b| (a.modified_ms, &a.path).cmp(&(b.modified_ms, &b.path)));
    Ok(OrphanPlan { table: table.name(), listed: count, young: young.len(), orphans })
}

/// True for files below the table's `data` and `metadata` folders; other engines' pointer to the
/// current version is none of ours.
fn in_folder(table: &LakeTable, path: &str) -> bool {
    let root = place(table.metadata().location()).trim_end_matches('/');
    let rest = place(path).strip_prefix(root).unwrap_or_default();
    let ours = rest.starts_with("/data/") || rest.starts_with("/metadata/");
    ours && !rest.ends_with("/version-hint.text")
}

/// Deletes the oldest files of a plan, at most so many, but none that the table, as it is now,
/// refers to.
///
/// # Errors
/// A [`MaintenanceError`] when the table cannot be read again; nothing was deleted then.
pub async fn remove_orphans(
    warehouse: &Warehouse,
    table: &LakeTable,
    plan: &OrphanPlan,
    max_files: usize,
) -> Result<Removed, MaintenanceError> {
    if plan.orphans.is_empty() {
        return Ok(Removed::default());
    }
    let needed = all_places(&reload(warehouse, table).await?).await?;
    let orphans = plan.orphans.iter().filter(|file| !needed.contains(place(&file.path)));
    let orphans = orphans.map(|file| (file.path.clone(), file.size)).collect();
    Ok(delete(warehouse.file_io(), orphans, max_files).await)
}
