//! What snapshots refer to.

use std::collections::{BTreeSet, HashMap, HashSet};

use futures::{StreamExt, TryStreamExt};
use iceberg::Result;
use iceberg::spec::{ManifestFile, SnapshotRef};

use super::{MaintenanceError, place};
use crate::files::live_entries;
use crate::table::LakeTable;

/// How many manifest lists are read at a time.
const LISTS_AT_A_TIME: usize = 8;

/// How many manifests are held in memory at a time.
const MANIFESTS_IN_MEMORY: usize = 32;

/// Manifest lists of some snapshots, and the manifests in them, by path.
#[derive(Default)]
pub(super) struct Reach {
    pub(super) lists: BTreeSet<String>,
    pub(super) manifests: HashMap<String, ManifestFile>,
}

impl Reach {
    /// Reads the manifest lists of the snapshots that `wanted` names.
    pub(super) async fn of(
        table: &LakeTable,
        wanted: impl Fn(i64) -> bool,
    ) -> std::result::Result<Reach, MaintenanceError> {
        let snapshots = table.metadata().snapshots().filter(|s| wanted(s.snapshot_id())).cloned();
        let loads: Vec<_> = snapshots.map(|snapshot| manifests_of(table, snapshot)).collect();
        let loaded = futures::stream::iter(loads).buffer_unordered(LISTS_AT_A_TIME);
        let collected = loaded.try_fold(Reach::default(), |mut reach, (list, manifests)| async {
            reach.lists.insert(list);
            let named = manifests.into_iter().map(|m| (m.manifest_path.clone(), m));
            reach.manifests.extend(named);
            Ok(reach)
        });
        collected.await.map_err(|source| unreadable(table, source))
    }
}

async fn manifests_of(
    table: &LakeTable,
    snapshot: SnapshotRef,
) -> Result<(String, Vec<ManifestFile>)> {
    let list = table.table.manifest_list_reader(&snapshot).load().await?;
    Ok((snapshot.manifest_list().to_owned(), list.consume_entries().into_iter().collect()))
}

pub(super) fn unreadable(table: &LakeTable, source: iceberg::Error) -> MaintenanceError {
    MaintenanceError::Files { table: table.name(), source: table.files_error(source) }
}

/// Paths and sizes of all files that the manifests name, dead ones included.
pub(super) async fn named_files(
    table: &LakeTable,
    manifests: Vec<ManifestFile>,
) -> std::result::Result<HashMap<String, u64>, MaintenanceError> {
    let mut files = HashMap::new();
    for part in manifests.chunks(MANIFESTS_IN_MEMORY) {
        let loaded = table.load_manifests(part.to_vec()).await;
        for (_, entries) in loaded.map_err(|e| unreadable(table, e))? {
            let entries = entries.entries().iter().map(|entry| entry.data_file());
            let named = entries.map(|f| (f.file_path().to_owned(), f.file_size_in_bytes()));
            files.extend(named);
        }
    }
    Ok(files)
}

/// The places of all live files of the manifests.
pub(super) async fn live_places(
    table: &LakeTable,
    manifests: Vec<ManifestFile>,
) -> std::result::Result<HashSet<String>, MaintenanceError> {
    let mut places = HashSet::new();
    for part in manifests.chunks(MANIFESTS_IN_MEMORY) {
        let loaded = table.load_manifests(part.to_vec()).await;
        for (manifest, entries) in loaded.map_err(|e| unreadable(table, e))? {
            let files = live_entries(&manifest, &entries).map_err(|e| unreadable(table, e))?;
            places.extend(files.iter().map(|file| place(file.path()).to_owned()));
        }
    }
    Ok(places)
}

/// The places of everything that the table's metadata refers to, by any snapshot.
pub(super) async fn all_places(
    table: &LakeTable,
) -> std::result::Result<HashSet<String>, MaintenanceError> {
    let Reach { lists, manifests } = Reach::of(table, |_| true).await?;
    let metadata = table.metadata();
    let logged = metadata.metadata_log().iter().map(|log| log.metadata_file.as_str());
    let statistics = metadata.statistics_iter().map(|file| file.statistics_path.as_str());
    let partitions = metadata.partition_statistics_iter().map(|f| f.statistics_path.as_str());
    let mut places: HashSet<String> = logged
        .chain(statistics)
        .chain(partitions)
        .chain([table.metadata_location()])
        .chain(lists.iter().map(String::as_str))
        .chain(manifests.keys().map(String::as_str))
        .map(|path| place(path).to_owned())
        .collect();
    places.extend(live_places(table, manifests.into_values().collect()).await?);
    Ok(places)
}
