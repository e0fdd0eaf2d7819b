//! A change as a snapshot: manifests, manifest list, summary. Nothing here is visible to readers.

use futures::StreamExt;
use iceberg::io::FileIO;
use iceberg::spec::{ManifestFile, ManifestListWriter, Snapshot, Summary};
use iceberg::{Error, Result};
use uuid::Uuid;

use super::check::{Placed, check, place_deletes};
use super::remove::{Rest, take_out};
use super::summary::{Tally, summary};
use super::{Change, CommitError};
use crate::table::LakeTable;

/// A snapshot that is written but not current.
pub(super) struct Staged {
    pub(super) snapshot: Snapshot,
    /// Metadata files written for it, which nothing refers to before it is published.
    pub(super) files: Vec<String>,
}

/// Writes the metadata files of a change of the snapshot that `base` is read at. They are deleted
/// again when staging fails.
pub(super) async fn stage(
    base: &LakeTable,
    change: Change,
) -> std::result::Result<Staged, CommitError> {
    check(base, &change)?;
    let mut stage = Stage::new(base);
    match stage.snapshot(change).await {
        Ok(snapshot) => Ok(Staged { snapshot, files: stage.files }),
        Err(error) => {
            discard(base.table.file_io(), stage.files).await;
            Err(error)
        }
    }
}

/// Deletes metadata files that nothing refers to. One that stays is an orphan, no more; so
/// errors are not reported.
pub(super) async fn discard(file_io: &FileIO, files: Vec<String>) {
    let delete = |file| async move { drop(file_io.delete(file).await) };
    futures::stream::iter(files).for_each_concurrent(8, delete).await;
}

pub(super) struct Stage<'a> {
    pub(super) base: &'a LakeTable,
    pub(super) snapshot_id: i64,
    pub(super) commit: Uuid,
    pub(super) files: Vec<String>,
}

impl<'a> Stage<'a> {
    pub(super) fn new(base: &'a LakeTable) -> Self {
        let free = |id: &i64| base.metadata().snapshot_by_id(*id).is_none();
        let random = || {
            let (high, low) = Uuid::new_v4().as_u64_pair();
            (high ^ low).cast_signed() & i64::MAX
        };
        let snapshot_id = std::iter::repeat_with(random).find(free).unwrap_or_default();
        Stage { base, snapshot_id, commit: Uuid::now_v7(), files: Vec::new() }
    }

    fn staging(&self, source: Error) -> CommitError {
        CommitError::staging(self.base, source)
    }

    async fn snapshot(&mut self, change: Change) -> std::result::Result<Snapshot, CommitError> {
        let (mut added, mut removed) = (Tally::default(), Tally::default());
        change.added.iter().for_each(|file| added.add(file));
        let manifests = self.base.live_manifests().await.map_err(|e| self.staging(e))?;
        let placed = place_deletes(self.base, &manifests, &change).await?;
        let rest = take_out(self.base, manifests, &change.removed).await?;
        rest.deleted().for_each(|file| removed.add(&file.data_file));
        let staged = async {
            let manifests = self.write_manifests(placed, rest).await?;
            let parent = self.base.summary();
            let properties = summary(change.summary, &added, &removed, &manifests, parent);
            let list = self.write_list(manifests).await?;
            let summary =
                Summary { operation: change.operation, additional_properties: properties };
            Ok(self.build(list, summary))
        };
        let staged: Result<Snapshot> = staged.await;
        staged.map_err(|e| self.staging(e))
    }

    /// New files first, then what was rewritten, then what stays.
    async fn write_manifests(&mut self, placed: Placed, rest: Rest) -> Result<Vec<ManifestFile>> {
        let mut manifests = Vec::new();
        for ((spec_id, content), files) in placed {
            manifests.push(self.write_added(spec_id, content, files).await?);
        }
        for ((spec_id, content), rewrite) in rest.rewrites {
            manifests.extend(self.write_rewrite(spec_id, content, rewrite).await?);
        }
        manifests.extend(self.merge_small(rest.kept).await?);
        Ok(manifests)
    }

    /// A path for a metadata file of this commit, remembered so that it can be discarded.
    fn new_path(&mut self, name: String) -> String {
        let path = format!("{}/metadata/{name}", self.base.metadata().location());
        self.files.push(path.clone());
        path
    }

    pub(super) fn new_manifest_path(&mut self) -> String {
        self.new_path(format!("{}-m{}.avro", self.commit, self.files.len()))
    }

    pub(super) async fn write_list(&mut self, manifests: Vec<ManifestFile>) -> Result<String> {
        let path = self.new_path(format!("snap-{}-0-{}.avro", self.snapshot_id, self.commit));
        let mut writer = ManifestListWriter::v2(
            self.base.table.file_io().new_output(&path)?.writer().await?,
            self.snapshot_id,
            self.base.snapshot_id(),
            self.base.metadata().next_sequence_number(),
        );
        writer.add_manifests(manifests.into_iter())?;
        writer.close().await?;
        Ok(path)
    }

    pub(super) fn build(&self, manifest_list: String, summary: Summary) -> Snapshot {
        let metadata = self.base.metadata();
        // A clock behind that of the last writer must not turn the history around.
        let now = chrono::Utc::now().timestamp_millis().max(metadata.last_updated_ms());
        Snapshot::builder()
            .with_manifest_list(manifest_list)
            .with_snapshot_id(self.snapshot_id)
            .with_parent_snapshot_id(self.base.snapshot_id())
            .with_sequence_number(metadata.next_sequence_number())
            .with_summary(summary)
            .with_schema_id(metadata.current_schema_id())
            .with_timestamp_ms(now)
            .build()
    }
}
