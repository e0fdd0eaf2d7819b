//! Commits that step over what others committed meanwhile.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use iceberg::Result;
use iceberg::spec::{DataFile, Struct};
use uuid::Uuid;

use super::check::is_delete;
use super::remove::load;
use super::{Change, CommitError, commit};
use crate::files::{LiveFile, named_data_file};
use crate::schema::PERSONAL_COLUMNS;
use crate::table::{LakeTable, TableError};
use crate::warehouse::{Warehouse, WarehouseError};

/// How often a change is staged before the conflict is the caller's.
const ATTEMPTS: u32 = 6;

/// As [`commit`]; but after a definite conflict the change is staged again on the newer table as
/// long as it still holds there: every removed file is live, every data file that a new delete
/// file names is live, no file was added since to a partition that the change touches, schema,
/// partitioning and personal columns are the same, and `accepts` says yes to the newer table,
/// read at the change's branch.
///
/// A change that replaces the whole table touches the partitions that it names and no others; its
/// caller's `accepts` must refuse whatever else was added.
///
/// # Errors
/// [`CommitError::Conflict`] when the change holds no longer or others were first too often, or
/// what [`commit`] says.
pub async fn commit_rebasing(
    warehouse: &Warehouse,
    base: &LakeTable,
    change: Change,
    accepts: impl Fn(&LakeTable) -> bool,
) -> std::result::Result<LakeTable, CommitError> {
    let (mut base, mut change) = (base.at_head_of(&change.branch), change);
    let mut attempt = 1;
    loop {
        let conflict = match commit(warehouse, &base, change.clone()).await {
            Err(conflict @ CommitError::Conflict { .. }) if attempt < ATTEMPTS => conflict,
            outcome => return outcome,
        };
        tokio::time::sleep(pause(attempt)).await;
        attempt += 1;
        let newer = warehouse.load(base.ident()).await.map_err(|e| unread(&base, e))?;
        let Some(newer) = newer.map(|table| table.at_head_of(&change.branch)) else {
            return Err(conflict);
        };
        if !same_shape(&base, &newer) || !accepts(&newer) {
            return Err(conflict);
        }
        let drift = Drift::between(&base, &newer).await;
        let drift = drift.map_err(|source| CommitError::staging(&base, source))?;
        change = drift.carry(change, &newer).ok_or(conflict)?;
        base = newer;
    }
}

/// Longer from attempt to attempt, and never the same for two writers.
fn pause(attempt: u32) -> Duration {
    let most = 25_u64 << attempt;
    Duration::from_millis(most / 2 + Uuid::new_v4().as_u64_pair().0 % (most / 2 + 1))
}

fn unread(base: &LakeTable, error: WarehouseError) -> CommitError {
    let table = base.name();
    match error {
        WarehouseError::Catalog { source, .. } => CommitError::Rejected { table, source },
        WarehouseError::Metadata { source: TableError::Files { source, .. }, .. } => {
            CommitError::Staging { table, source }
        }
        other => {
            let source = iceberg::Error::new(iceberg::ErrorKind::Unexpected, other.to_string());
            CommitError::Staging { table, source: Box::new(source) }
        }
    }
}

/// True when files written for one can stand in the other.
fn same_shape(base: &LakeTable, newer: &LakeTable) -> bool {
    let (a, b) = (base.metadata(), newer.metadata());
    let personal = |table: &LakeTable| table.metadata().properties().get(PERSONAL_COLUMNS).cloned();
    a.uuid() == b.uuid()
        && a.location() == b.location()
        && a.current_schema_id() == b.current_schema_id()
        && a.default_partition_spec_id() == b.default_partition_spec_id()
        && a.default_sort_order_id() == b.default_sort_order_id()
        && personal(base) == personal(newer)
}

/// What happened to the files of a table between two of its snapshots.
struct Drift {
    /// Files that only the newer one has.
    added: Vec<LiveFile>,
    /// Paths of files that only the older one has.
    gone: HashSet<String>,
    /// Files whose entry stands in another manifest than before, as they are in the newer one.
    moved: HashMap<String, LiveFile>,
}

impl Drift {
    /// Reads only manifests that are not in both.
    async fn between(base: &LakeTable, newer: &LakeTable) -> Result<Drift> {
        let (old, new) = (base.live_manifests().await?, newer.live_manifests().await?);
        let paths = |manifests: &[iceberg::spec::ManifestFile]| -> HashSet<String> {
            manifests.iter().map(|m| m.manifest_path.clone()).collect()
        };
        let (in_old, in_new) = (paths(&old), paths(&new));
        let old = old.into_iter().filter(|m| !in_new.contains(&m.manifest_path)).collect();
        let new = new.into_iter().filter(|m| !in_old.contains(&m.manifest_path)).collect();
        let old = load(base, old).await?.into_iter().flat_map(|(_, files)| files);
        let mut gone: HashSet<String> = old.map(|file| file.path().to_owned()).collect();
        let (mut added, mut moved) = (Vec::new(), HashMap::new());
        for file in load(newer, new).await?.into_iter().flat_map(|(_, files)| files) {
            if gone.remove(file.path()) {
                moved.insert(file.path().to_owned(), file);
            } else {
                added.push(file);
            }
        }
        Ok(Drift { added, gone, moved })
    }

    /// The change as one of the newer table, or nothing when it holds no longer.
    fn carry(mut self, mut change: Change, newer: &LakeTable) -> Option<Change> {
        let deletes = change.added.iter().filter(|file| is_delete(file));
        let mut names = deletes.filter_map(named_data_file);
        if names.any(|path| self.gone.contains(&path)) || self.touches(&change, newer) {
            return None;
        }
        for file in &mut change.removed {
            if self.gone.contains(file.path()) {
                return None;
            }
            if let Some(moved) = self.moved.remove(file.path()) {
                let deletes = std::mem::take(&mut file.deletes);
                *file = LiveFile { deletes, ..moved };
            }
        }
        Some(change)
    }

    /// True when a file was added to a partition of the change. A partition of another spec than
    /// the current one counts as every partition.
    fn touches(&self, change: &Change, newer: &LakeTable) -> bool {
        let current = newer.metadata().default_partition_spec_id();
        let removed = change.removed.iter();
        let partitions: HashSet<&Struct> = change
            .added
            .iter()
            .map(DataFile::partition)
            .chain(removed.clone().map(|file| file.data_file.partition()))
            .collect();
        let older = removed.clone().any(|file| file.spec_id != current);
        let hit = |file: &LiveFile| {
            older || file.spec_id != current || partitions.contains(file.data_file.partition())
        };
        !partitions.is_empty() && self.added.iter().any(hit)
    }
}
