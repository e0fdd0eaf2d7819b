//! Expiry of snapshots.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fmt;

use iceberg::spec::{ManifestFile, Snapshot, SnapshotRef};

use super::reach::{Reach, live_places, named_files, unreadable};
use super::{MaintenanceError, Removed, delete, place, reload};
use crate::commit::{publish_metadata, references};
use crate::table::LakeTable;
use crate::warehouse::Warehouse;

/// About how many metadata files go with a snapshot: its manifest list and its own manifests.
const METADATA_FILES: usize = 3;

/// Which snapshots stay. Heads of branches and tags always do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExpiryPolicy {
    /// Snapshots made at this time or later stay; milliseconds since the epoch.
    pub keep_since_ms: i64,
    /// So many of the newest snapshots of every branch stay, at least one.
    pub keep_last: usize,
    /// No more than so many of the newest ones stay for their age alone, since every reader reads
    /// about all of them. Nothing is no limit.
    pub keep_most: Option<usize>,
    /// Snapshots made at this time or later stay however many they are, for readers at work;
    /// milliseconds since the epoch.
    pub at_work_since_ms: i64,
    /// These stay.
    pub snapshots: BTreeSet<i64>,
    /// Branches and tags whose whole history stays.
    pub references: BTreeSet<String>,
}

/// What a run is going to remove. Printable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpiryPlan {
    /// The table.
    pub table: String,
    /// The snapshots that go, oldest first.
    pub expired: Vec<i64>,
    /// Snapshots that stay.
    pub kept: usize,
    /// When the oldest one that stays was made; milliseconds since the epoch.
    pub oldest_kept_ms: Option<i64>,
}

impl fmt::Display for ExpiryPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (expired, kept) = (self.expired.len(), self.kept);
        write!(f, "expiry plan for {}: {expired} snapshots go, {kept} stay", self.table)?;
        match self.oldest_kept_ms.and_then(chrono::DateTime::from_timestamp_millis) {
            None => Ok(()),
            Some(time) => write!(f, ", the oldest of {}", time.format("%Y-%m-%d %H:%M:%S UTC")),
        }
    }
}

/// What a run removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpiryReport {
    /// Snapshots removed.
    pub snapshots: usize,
    /// Snapshots of the plan that are left for another run.
    pub left: usize,
    /// Files that nothing refers to any more.
    pub removed: Removed,
}

impl fmt::Display for ExpiryReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} snapshots expired, {}", self.snapshots, self.removed)?;
        if self.left > 0 {
            write!(f, "; {} snapshots left for another run", self.left)?;
        }
        Ok(())
    }
}

/// Snapshots of branches that are young, but too many.
struct Crowded {
    keep_most: usize,
    at_work_since_ms: i64,
    newest: HashSet<i64>,
    all: HashSet<i64>,
}

impl Crowded {
    fn new(policy: &ExpiryPolicy) -> Crowded {
        let (newest, all) = (HashSet::new(), HashSet::new());
        let keep_most = policy.keep_most.unwrap_or(usize::MAX);
        Crowded { keep_most, at_work_since_ms: policy.at_work_since_ms, newest, all }
    }

    fn add(&mut self, history: &[&Snapshot]) {
        let ids = || history.iter().map(|snapshot| snapshot.snapshot_id());
        self.newest.extend(ids().take(self.keep_most));
        self.all.extend(ids());
    }

    fn has(&self, snapshot: &Snapshot) -> bool {
        let id = snapshot.snapshot_id();
        let beyond = self.all.contains(&id) && !self.newest.contains(&id);
        beyond && snapshot.timestamp_ms() < self.at_work_since_ms
    }
}

/// Decides which snapshots go: those that no branch keeps by number, age or name. Snapshots
/// outside every branch go once they are old enough.
///
/// # Errors
/// [`MaintenanceError::Files`] when the metadata cannot be understood.
pub fn plan_expiry(
    table: &LakeTable,
    policy: &ExpiryPolicy,
) -> Result<ExpiryPlan, MaintenanceError> {
    let references = references(table.metadata()).map_err(|e| unreadable(table, e))?;
    let mut kept: HashSet<i64> = policy.snapshots.iter().copied().collect();
    let mut crowded = Crowded::new(policy);
    for (name, reference) in references {
        kept.insert(reference.snapshot_id);
        let Ok(head) = table.at_snapshot(reference.snapshot_id) else { continue };
        let history = head.history();
        let whole = policy.references.contains(&name);
        let last = if reference.is_branch() { policy.keep_last.max(1) } else { 1 };
        let count = if whole { history.len() } else { last };
        kept.extend(history.iter().take(count).map(|snapshot| snapshot.snapshot_id()));
        crowded.add(&history);
    }
    let young = |s: &SnapshotRef| s.timestamp_ms() >= policy.keep_since_ms && !crowded.has(s);
    let (stay, mut go): (Vec<&SnapshotRef>, Vec<&SnapshotRef>) =
        table.metadata().snapshots().partition(|s| young(s) || kept.contains(&s.snapshot_id()));
    go.sort_by_key(|s| (s.sequence_number(), s.timestamp_ms()));
    Ok(ExpiryPlan {
        table: table.name(),
        expired: go.into_iter().map(|snapshot| snapshot.snapshot_id()).collect(),
        kept: stay.len(),
        oldest_kept_ms: stay.iter().map(|snapshot| snapshot.timestamp_ms()).min(),
    })
}

/// Removes the snapshots of a plan that was made on `base`, and then the files that none of the
/// remaining snapshots refers to: manifest lists, manifests, statistics, data and delete files.
///
/// A run takes the oldest snapshots, and no more of them than free about `max_files` files. The
/// snapshots go first, by a compare-and-swap; which files are still needed is then read from the
/// table as it is by then. Without a definite success nothing is deleted.
///
/// # Errors
/// [`MaintenanceError::Commit`] when somebody else committed first, among others: load and plan
/// again. After errors of reading that follow the commit, files stay behind as orphans.
pub async fn expire(
    warehouse: &Warehouse,
    base: &LakeTable,
    plan: &ExpiryPlan,
    max_files: usize,
) -> Result<ExpiryReport, MaintenanceError> {
    let (chosen, candidates) = choose(base, plan, max_files).await?;
    let left = plan.expired.len().saturating_sub(chosen.len());
    if chosen.is_empty() {
        return Ok(ExpiryReport { snapshots: 0, left, removed: Removed::default() });
    }
    let ids: Vec<i64> = chosen.iter().copied().collect();
    let committed = publish_metadata(warehouse, base, |builder| {
        let drop_statistics = |builder: iceberg::spec::TableMetadataBuilder, id: &i64| {
            builder.remove_statistics(*id).remove_partition_statistics(*id)
        };
        Ok(ids.iter().fold(builder.remove_snapshots(&ids), drop_statistics))
    });
    let failed = |error| MaintenanceError::Commit { table: base.name(), source: Box::new(error) };
    let committed = committed.await.map_err(failed)?;
    let now = reload(warehouse, &committed).await?;
    let files = unneeded(&now, candidates).await?;
    let removed = delete(warehouse.file_io(), files, usize::MAX).await;
    Ok(ExpiryReport { snapshots: chosen.len(), left, removed })
}

/// Files that may become unneeded.
struct Candidates {
    /// Manifest lists and statistics.
    others: Vec<String>,
    manifests: Vec<ManifestFile>,
}

/// The oldest snapshots of the plan, as many as free about so many files, at least one; and what
/// only they refer to.
async fn choose(
    base: &LakeTable,
    plan: &ExpiryPlan,
    max_files: usize,
) -> Result<(HashSet<i64>, Candidates), MaintenanceError> {
    let references = references(base.metadata()).map_err(|e| unreadable(base, e))?;
    let heads: HashSet<i64> = references.values().map(|r| r.snapshot_id).collect();
    let metadata = base.metadata();
    let goes = |id: &&i64| !heads.contains(id) && metadata.snapshot_by_id(**id).is_some();
    let freed = freed_files(base);
    let mut files = 0;
    let mut expired = HashSet::new();
    for id in plan.expired.iter().filter(goes) {
        files += freed.get(id).copied().unwrap_or_default() + METADATA_FILES;
        if files > max_files && !expired.is_empty() {
            break;
        }
        expired.insert(*id);
    }
    let going = Reach::of(base, |id| expired.contains(&id)).await?;
    let of_expired = |id: i64, path: &str| expired.contains(&id).then(|| path.to_owned());
    let statistics = metadata.statistics_iter();
    let statistics = statistics.filter_map(|s| of_expired(s.snapshot_id, &s.statistics_path));
    let partitions = metadata.partition_statistics_iter();
    let partitions = partitions.filter_map(|s| of_expired(s.snapshot_id, &s.statistics_path));
    let others = going.lists.into_iter().chain(statistics).chain(partitions).collect();
    let manifests = going.manifests.into_values().collect();
    Ok((expired, Candidates { others, manifests }))
}

/// About how many data and delete files go with each snapshot: those that the next one removed.
fn freed_files(table: &LakeTable) -> HashMap<i64, usize> {
    let mut freed: HashMap<i64, usize> = HashMap::new();
    for snapshot in table.metadata().snapshots() {
        let Some(parent) = snapshot.parent_snapshot_id() else { continue };
        let summary = &snapshot.summary().additional_properties;
        let number = |key: &str| summary.get(key).and_then(|text| text.parse::<usize>().ok());
        let keys = ["deleted-data-files", "removed-delete-files"];
        *freed.entry(parent).or_default() += keys.into_iter().filter_map(number).sum::<usize>();
    }
    freed
}

/// The candidates that the table, as it is now, does not refer to; with sizes.
async fn unneeded(
    now: &LakeTable,
    candidates: Candidates,
) -> Result<Vec<(String, u64)>, MaintenanceError> {
    let needed = Reach::of(now, |_| true).await?;
    let metadata = now.metadata();
    let statistics = metadata.statistics_iter().map(|file| &file.statistics_path);
    let partitions = metadata.partition_statistics_iter().map(|file| &file.statistics_path);
    let others: HashSet<&String> =
        needed.lists.iter().chain(statistics).chain(partitions).collect();
    let gone = |m: &ManifestFile| !needed.manifests.contains_key(&m.manifest_path);
    let manifests: Vec<_> = candidates.manifests.into_iter().filter(gone).collect();
    let size = |m: &ManifestFile| u64::try_from(m.manifest_length).unwrap_or_default();
    let mut files = named_files(now, manifests.clone()).await?;
    if !files.is_empty() {
        let live = live_places(now, needed.manifests.values().cloned().collect()).await?;
        files.retain(|path, _| !live.contains(place(path)));
    }
    let mut unneeded: Vec<(String, u64)> = files.into_iter().collect();
    unneeded.extend(manifests.iter().map(|m| (m.manifest_path.clone(), size(m))));
    let lists = candidates.others.into_iter().filter(|path| !others.contains(path));
    unneeded.extend(lists.map(|path| (path, 0)));
    Ok(unneeded)
}
