//! The counts in a snapshot's summary.
//!
//! Keys as in Iceberg's Java implementation (`SnapshotSummary`).

use std::collections::{BTreeMap, HashMap};

use iceberg::spec::{DataContentType, DataFile, ManifestContentType, ManifestFile};

/// Files and rows that a change adds or removes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    data_files: u64,
    records: u64,
    bytes: u64,
    delete_files: u64,
    position_deletes: u64,
    equality_deletes: u64,
}

impl Tally {
    pub(super) fn add(&mut self, file: &DataFile) {
        self.bytes += file.file_size_in_bytes();
        match file.content_type() {
            DataContentType::Data => {
                self.data_files += 1;
                self.records += file.record_count();
            }
            DataContentType::PositionDeletes => {
                self.delete_files += 1;
                self.position_deletes += file.record_count();
            }
            DataContentType::EqualityDeletes => {
                self.delete_files += 1;
                self.equality_deletes += file.record_count();
            }
        }
    }
}

/// The summary of the new snapshot: the caller's entries, overlaid by the counts. Totals of
/// files and records are those of the manifests; the other totals follow from the parent's, and
/// are left out where a foreign parent does not state them.
pub(super) fn summary(
    entries: BTreeMap<String, String>,
    added: &Tally,
    removed: &Tally,
    manifests: &[ManifestFile],
    parent: Option<&HashMap<String, String>>,
) -> HashMap<String, String> {
    let mut summary: HashMap<String, String> = entries.into_iter().collect();
    let mut put = |key: &str, value: u64| summary.insert(key.to_owned(), value.to_string());
    let counts = [
        ("added-data-files", added.data_files),
        ("added-records", added.records),
        ("added-files-size", added.bytes),
        ("added-delete-files", added.delete_files),
        ("added-position-deletes", added.position_deletes),
        ("added-equality-deletes", added.equality_deletes),
        ("deleted-data-files", removed.data_files),
        ("deleted-records", removed.records),
        ("removed-files-size", removed.bytes),
        ("removed-delete-files", removed.delete_files),
        ("removed-position-deletes", removed.position_deletes),
        ("removed-equality-deletes", removed.equality_deletes),
    ];
    for (key, count) in counts.into_iter().filter(|(_, count)| *count > 0) {
        put(key, count);
    }
    let data = live(manifests, ManifestContentType::Data);
    let deletes = live(manifests, ManifestContentType::Deletes);
    put("total-data-files", data.0);
    put("total-records", data.1);
    put("total-delete-files", deletes.0);
    let following = [
        ("total-files-size", added.bytes, removed.bytes, data.0 + deletes.0),
        ("total-position-deletes", added.position_deletes, removed.position_deletes, deletes.0),
        ("total-equality-deletes", added.equality_deletes, removed.equality_deletes, deletes.0),
    ];
    for (key, plus, minus, files) in following {
        let before = match parent {
            None => Some(0),
            Some(parent) => parent.get(key).and_then(|total| total.parse::<u64>().ok()),
        };
        let total = before.and_then(|before| (before + plus).checked_sub(minus));
        // Without any file there is nothing left to count, whatever the parent said.
        if let Some(total) = if files == 0 { Some(0) } else { total } {
            put(key, total);
        }
    }
    summary
}

/// Live files and their records, by the counts of a manifest list.
fn live(manifests: &[ManifestFile], content: ManifestContentType) -> (u64, u64) {
    let manifests = manifests.iter().filter(|m| m.content == content);
    manifests.fold((0, 0), |(files, records), m| {
        let count =
            |a: Option<u32>, b: Option<u32>| u64::from(a.unwrap_or(0)) + u64::from(b.unwrap_or(0));
        let rows = m.added_rows_count.unwrap_or(0) + m.existing_rows_count.unwrap_or(0);
        (files + count(m.added_files_count, m.existing_files_count), records + rows)
    })
}
