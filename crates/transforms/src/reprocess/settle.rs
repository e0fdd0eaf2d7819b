//! After the swap: quarantine holds what was rejected on the branch, and the branches go.

use std::collections::{HashMap, HashSet};

use arrow::array::{BooleanArray, RecordBatch};
use arrow::compute::{filter_record_batch, not};
use futures::TryStreamExt;
use medallion_definition::name::Layer;
use medallion_tables::Operation;
use medallion_tables::commit::{Branch, Change, CommitError, commit};
use medallion_tables::files::LiveFile;
use medallion_tables::table::LakeTable;
use medallion_tables::writer::BucketWriter;
use roaring::RoaringTreemap;

use super::swap::swapped;
use super::{Rebuilt, ReprocessJob, rebuilding};
use crate::error::TransformError;
use crate::file_order::place;
use crate::merge::{REBUILD_BRANCH, Rebuild, discard, newest_reference, places};
use crate::record::{BatchRecord, load};
use crate::{spec, summary};

/// Bronze files of a rebuild: key to etag.
type Files = HashMap<String, String>;

impl ReprocessJob<'_> {
    /// Finishes a rebuild that took the place of main, and says what it came to.
    pub(super) async fn settle(
        &self,
        table: &LakeTable,
        done: &mut Rebuilt,
    ) -> Result<(), TransformError> {
        let (branch, rebuild) = rebuilding(table)?;
        let main = table.at_main();
        if let Some(snapshot) = swapped(&main, &branch) {
            done.snapshot = snapshot;
            let swap = main.at_snapshot(snapshot)?;
            done.rows_after = rows(&swap);
            let before = swap.history().get(1).map(|before| before.snapshot_id());
            done.rows_before = match before {
                Some(before) => Some(rows(&main.at_snapshot(before)?)),
                None => None,
            };
        }
        if let Some(quarantine) = self.quarantine().await? {
            let files = self.files_of(&branch).await?;
            self.settle_quarantine(&quarantine, &rebuild, &files, done).await?;
        }
        self.drop_rebuild(table).await
    }

    /// The quarantine table, if there is one.
    pub(super) async fn quarantine(&self) -> Result<Option<LakeTable>, TransformError> {
        let job = &self.silver;
        let name = job.contract.table.lake_table();
        let ident = spec::ident(job.lake, Layer::Quarantine, &name);
        if job.warehouse.load(&ident).await?.is_none() {
            return Ok(None);
        }
        let described = spec::quarantine(job.warehouse.bucket().name(), job.contract);
        spec::ensure(job.warehouse, &ident, &described).await.map(Some)
    }

    /// The Bronze files of a rebuild: those of its records, from the newest back to the first.
    async fn files_of(&self, branch: &LakeTable) -> Result<Files, TransformError> {
        let mut files = Files::new();
        let mut next = newest_reference(branch);
        while let Some(reference) = next {
            let bucket = self.silver.warehouse.bucket();
            let record: BatchRecord = load(bucket, &reference.key, Some(&reference.sha256)).await?;
            files.extend(record.files.into_iter().map(|file| (file.file.key, file.file.etag)));
            next = record.previous;
        }
        Ok(files)
    }

    /// Rows of the files go from quarantine; those that were rejected on its branch come.
    async fn settle_quarantine(
        &self,
        table: &LakeTable,
        rebuild: &Rebuild,
        files: &Files,
        done: &mut Rebuilt,
    ) -> Result<(), TransformError> {
        let of_it = |branch: &LakeTable| Rebuild::of(branch).is_some_and(|r| r.run == rebuild.run);
        // The swap was made with the branch there: without it, this has been done already.
        let branch = table.at_branch(REBUILD_BRANCH).ok().filter(of_it);
        let Some(branch) = branch else { return Ok(()) };
        let came = branch.live_files().await?;
        let there = table.live_files().await?;
        let paths: HashSet<&str> = there.iter().map(LiveFile::path).collect();
        done.quarantined_after = came.iter().map(LiveFile::records).sum();
        if came.iter().any(|file| paths.contains(file.path())) {
            return Ok(());
        }
        let mut left = BucketWriter::new(table, None, self.silver.file_bytes)?;
        let (mut removed, mut gone) = (Vec::new(), 0);
        for file in there {
            let went = keep(table, &file, files, &mut left).await?;
            if went > 0 {
                gone += went;
                removed.push(file);
            }
        }
        let written = left.finish().await?;
        done.quarantined_before = gone;
        if removed.is_empty() && came.is_empty() {
            return Ok(());
        }
        let paths: Vec<String> = written.iter().map(|f| f.file_path().to_owned()).collect();
        let added = written.into_iter().chain(came.into_iter().map(|f| f.data_file)).collect();
        let operation = if removed.is_empty() { Operation::Append } else { Operation::Overwrite };
        let mut entries = rebuild.entries();
        let version = env!("CARGO_PKG_VERSION").to_owned();
        entries.insert(summary::CODE_VERSION.to_owned(), version);
        let change = Change { operation, added, removed, summary: entries, branch: Branch::Main };
        let committed = commit(self.silver.warehouse, table, change).await;
        if let Err(error) = committed {
            if matches!(error, CommitError::Conflict { .. }) {
                discard(self.silver.warehouse, &paths).await;
            }
            return Err(TransformError::commit(table.name(), error));
        }
        Ok(())
    }
}

/// Writes the rows of a file that are not of these Bronze files, if there are others too. Returns
/// how many are of them; without any, nothing is written.
async fn keep(
    table: &LakeTable,
    file: &LiveFile,
    files: &Files,
    left: &mut BucketWriter,
) -> Result<u64, TransformError> {
    let all = RoaringTreemap::new();
    let mut batches = table.read_except(file, &all)?;
    let mut went = 0;
    while let Some(batch) = batches.try_next().await? {
        went += of_files(&batch, files).true_count() as u64;
    }
    if went == 0 {
        return Ok(0);
    }
    let mut batches = table.read_except(file, &all)?;
    while let Some(batch) = batches.try_next().await? {
        let rest = filter_record_batch(&batch, &not(&of_files(&batch, files))?)?;
        if rest.num_rows() > 0 {
            left.write(&rest).await?;
        }
    }
    Ok(went)
}

/// Which quarantined rows are of these Bronze files. The name of a change file is never given
/// twice, so another version of it is the same file before it was repaired; a full-load file of
/// another version is of another load. Rows of older versions of the table do not tell the version.
fn of_files(batch: &RecordBatch, files: &Files) -> BooleanArray {
    let is_changes = |key: &str| place(key).is_some_and(|place| place.0.is_some());
    let is_of = |key: &str, etag: &str| {
        let same = |read: &String| etag.is_empty() || read.as_str() == etag || is_changes(key);
        files.get(key).is_some_and(same)
    };
    let places = places(batch).into_iter();
    places.map(|place| Some(place.is_some_and(|(key, etag, _)| is_of(&key, &etag)))).collect()
}

/// The live rows of a table as it is read.
fn rows(table: &LakeTable) -> u64 {
    let empty = HashMap::new();
    let summary = table.summary().unwrap_or(&empty);
    let count = |key: &str| summary.get(key).and_then(|n| n.parse::<u64>().ok()).unwrap_or(0);
    count("total-records").saturating_sub(count("total-position-deletes"))
}
