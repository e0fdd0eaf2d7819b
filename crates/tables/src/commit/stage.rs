//! A change as a snapshot: manifests, manifest list, summary. Nothing here is visible to readers.

use std::collections::{BTreeMap, HashSet};

use futures::StreamExt;
use iceberg::io::FileIO;
use iceberg::spec::{
    DataContentType, DataFile, FormatVersion, ManifestContentType, ManifestFile,
    ManifestListWriter, ManifestWriter, ManifestWriterBuilder, Operation, Snapshot, Summary,
};
use iceberg::{Error, ErrorKind, Result};
use uuid::Uuid;

use super::summary::{Tally, summary};
use super::{Change, CommitError};
use crate::files::{LiveFile, live_entries};
use crate::table::LakeTable;

/// A snapshot that is written but not current.
pub(super) struct Staged {
    pub(super) snapshot: Snapshot,
    /// Metadata files written for it, which nothing refers to before it is published.
    pub(super) files: Vec<String>,
}

/// Writes the metadata files of a change. They are deleted again when staging fails.
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

fn check(base: &LakeTable, change: &Change) -> std::result::Result<(), CommitError> {
    if change.added.is_empty() && change.removed.is_empty() && change.summary.is_empty() {
        return Err(CommitError::Empty { table: base.name() });
    }
    let version = base.metadata().format_version();
    if version != FormatVersion::V2 {
        return Err(CommitError::FormatVersion { table: base.name(), version: version as u8 });
    }
    let adds_data = change.added.iter().any(|f| f.content_type() == DataContentType::Data);
    let reason = match change.operation {
        Operation::Append if !change.removed.is_empty() => "removes files",
        Operation::Append if change.added.iter().any(is_delete) => "adds delete files",
        Operation::Delete if adds_data => "adds data files",
        Operation::Append | Operation::Delete | Operation::Overwrite | Operation::Replace => {
            return Ok(());
        }
    };
    let operation = change.operation.as_str().to_owned();
    Err(CommitError::Contradiction { table: base.name(), operation, reason })
}

fn is_delete(file: &DataFile) -> bool {
    file.content_type() != DataContentType::Data
}

fn content_of(file: &DataFile) -> ManifestContentType {
    if is_delete(file) { ManifestContentType::Deletes } else { ManifestContentType::Data }
}

/// Entries of one rewritten manifest.
#[derive(Default)]
struct Rewrite {
    existing: Vec<LiveFile>,
    deleted: Vec<LiveFile>,
}

/// Rewritten manifests, one per partition spec and content.
type Rewrites = BTreeMap<(i32, bool), Rewrite>;

struct Stage<'a> {
    base: &'a LakeTable,
    snapshot_id: i64,
    commit: Uuid,
    files: Vec<String>,
}

impl<'a> Stage<'a> {
    fn new(base: &'a LakeTable) -> Self {
        let free = |id: &i64| base.metadata().snapshot_by_id(*id).is_none();
        let random = || {
            let (high, low) = Uuid::new_v4().as_u64_pair();
            (high ^ low).cast_signed() & i64::MAX
        };
        let snapshot_id = std::iter::repeat_with(random).find(free).unwrap_or_default();
        Stage { base, snapshot_id, commit: Uuid::now_v7(), files: Vec::new() }
    }

    fn staging(&self, source: Error) -> CommitError {
        CommitError::Staging { table: self.base.name(), source: Box::new(source) }
    }

    async fn snapshot(&mut self, change: Change) -> std::result::Result<Snapshot, CommitError> {
        let (mut added, mut removed) = (Tally::default(), Tally::default());
        change.added.iter().for_each(|file| added.add(file));
        let (kept, rewrites) = self.rewrites(&change.removed).await?;
        for file in rewrites.values().flat_map(|rewrite| &rewrite.deleted) {
            removed.add(&file.data_file);
        }
        let staged = async {
            let mut manifests = self.write_added(change.added).await?;
            for ((spec_id, is_delete), rewrite) in rewrites {
                manifests.push(self.write_rewrite(spec_id, is_delete, rewrite).await?);
            }
            manifests.extend(kept);
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

    /// Splits the base's manifests into those that stay as they are and entries to be rewritten.
    async fn rewrites(
        &self,
        removed: &[LiveFile],
    ) -> std::result::Result<(Vec<ManifestFile>, Rewrites), CommitError> {
        let staging = |e| self.staging(e);
        let manifests = self.base.live_manifests().await.map_err(staging)?;
        if removed.is_empty() {
            return Ok((manifests, Rewrites::new()));
        }
        let mut missing: HashSet<&str> = removed.iter().map(LiveFile::path).collect();
        let touched: HashSet<&str> = removed.iter().map(|file| file.manifest.as_str()).collect();
        let is_touched = |m: &ManifestFile| touched.contains(m.manifest_path.as_str());
        let (data, deletes): (Vec<_>, Vec<_>) =
            manifests.into_iter().partition(|m| m.content == ManifestContentType::Data);
        let left = data.iter().map(live_count).sum::<u64>().saturating_sub(missing.len() as u64);
        let (touched, mut kept): (Vec<_>, Vec<_>) = data.into_iter().partition(is_touched);
        let mut rewrites = Rewrites::new();
        for (manifest, entries) in self.base.load_manifests(touched).await.map_err(staging)? {
            let rewrite = rewrites.entry((manifest.partition_spec_id, false)).or_default();
            for file in live_entries(&manifest, &entries).map_err(staging)? {
                let goes = missing.remove(file.path());
                if goes { rewrite.deleted.push(file) } else { rewrite.existing.push(file) }
            }
        }
        if let Some(path) = missing.into_iter().next() {
            return Err(CommitError::NotLive { table: self.base.name(), path: path.to_owned() });
        }
        let paths = removed.iter().map(LiveFile::path).collect();
        let dead = Dead { paths, all: left == 0 };
        kept.extend(self.drop_dead(deletes, &dead, &mut rewrites).await.map_err(staging)?);
        Ok((kept, rewrites))
    }

    /// Takes out delete files that cannot apply to any file that stays; gives back the delete
    /// manifests without such a file.
    async fn drop_dead(
        &self,
        deletes: Vec<ManifestFile>,
        dead: &Dead<'_>,
        rewrites: &mut Rewrites,
    ) -> Result<Vec<ManifestFile>> {
        let mut kept = Vec::new();
        for (manifest, entries) in self.base.load_manifests(deletes).await? {
            let files = live_entries(&manifest, &entries)?;
            if !files.iter().any(|file| dead.covers(&file.data_file)) {
                kept.push(manifest);
                continue;
            }
            let rewrite = rewrites.entry((manifest.partition_spec_id, true)).or_default();
            let (deleted, existing): (Vec<_>, Vec<_>) =
                files.into_iter().partition(|file| dead.covers(&file.data_file));
            rewrite.deleted.extend(deleted);
            rewrite.existing.extend(existing);
        }
        Ok(kept)
    }

    async fn write_added(&mut self, added: Vec<DataFile>) -> Result<Vec<ManifestFile>> {
        let mut manifests = Vec::new();
        for content in [ManifestContentType::Data, ManifestContentType::Deletes] {
            let files: Vec<_> = added.iter().filter(|file| content_of(file) == content).collect();
            if files.is_empty() {
                continue;
            }
            let spec_id = self.base.metadata().default_partition_spec_id();
            let mut writer = self.manifest_writer(spec_id, content)?;
            for file in files {
                // A negative number means: that of the snapshot, which readers inherit.
                writer.add_file(file.clone(), -1)?;
            }
            manifests.push(writer.write_manifest_file().await?);
        }
        Ok(manifests)
    }

    async fn write_rewrite(
        &mut self,
        spec_id: i32,
        is_delete: bool,
        rewrite: Rewrite,
    ) -> Result<ManifestFile> {
        let content =
            if is_delete { ManifestContentType::Deletes } else { ManifestContentType::Data };
        let mut writer = self.manifest_writer(spec_id, content)?;
        for file in rewrite.existing {
            let (data, file_number) = (file.sequence_number, Some(file.file_sequence_number));
            writer.add_existing_file(file.data_file, file.snapshot_id, data, file_number)?;
        }
        for file in rewrite.deleted {
            let file_number = Some(file.file_sequence_number);
            writer.add_delete_file(file.data_file, file.sequence_number, file_number)?;
        }
        writer.write_manifest_file().await
    }

    /// A path for a metadata file of this commit, remembered so that it can be discarded.
    fn new_path(&mut self, name: String) -> String {
        let path = format!("{}/metadata/{name}", self.base.metadata().location());
        self.files.push(path.clone());
        path
    }

    fn manifest_writer(
        &mut self,
        spec_id: i32,
        content: ManifestContentType,
    ) -> Result<ManifestWriter> {
        let path = self.new_path(format!("{}-m{}.avro", self.commit, self.files.len()));
        let metadata = self.base.metadata();
        let spec = metadata.partition_spec_by_id(spec_id).ok_or_else(|| {
            Error::new(ErrorKind::DataInvalid, format!("partition spec {spec_id} is unknown"))
        })?;
        let builder = ManifestWriterBuilder::new(
            self.base.table.file_io().new_output(path)?,
            Some(self.snapshot_id),
            metadata.current_schema().clone(),
            spec.as_ref().clone(),
        );
        Ok(match content {
            ManifestContentType::Data => builder.build_v2_data(),
            ManifestContentType::Deletes => builder.build_v2_deletes(),
        })
    }

    async fn write_list(&mut self, manifests: Vec<ManifestFile>) -> Result<String> {
        let path = self.new_path(format!("snap-{}-0-{}.avro", self.snapshot_id, self.commit));
        let metadata = self.base.metadata();
        let mut writer = ManifestListWriter::v2(
            self.base.table.file_io().new_output(&path)?.writer().await?,
            self.snapshot_id,
            metadata.current_snapshot_id(),
            metadata.next_sequence_number(),
        );
        writer.add_manifests(manifests.into_iter())?;
        writer.close().await?;
        Ok(path)
    }

    fn build(&self, manifest_list: String, summary: Summary) -> Snapshot {
        let metadata = self.base.metadata();
        // A clock behind that of the last writer must not turn the history around.
        let now = chrono::Utc::now().timestamp_millis().max(metadata.last_updated_ms());
        Snapshot::builder()
            .with_manifest_list(manifest_list)
            .with_snapshot_id(self.snapshot_id)
            .with_parent_snapshot_id(metadata.current_snapshot_id())
            .with_sequence_number(metadata.next_sequence_number())
            .with_summary(summary)
            .with_schema_id(metadata.current_schema_id())
            .with_timestamp_ms(now)
            .build()
    }
}

fn live_count(manifest: &ManifestFile) -> u64 {
    u64::from(manifest.added_files_count.unwrap_or(0))
        + u64::from(manifest.existing_files_count.unwrap_or(0))
}

/// Data files that go, from the view of delete files.
struct Dead<'a> {
    paths: HashSet<&'a str>,
    /// No older data file stays, and no old delete applies to a new one.
    all: bool,
}

impl Dead<'_> {
    fn covers(&self, delete: &DataFile) -> bool {
        let referenced = delete.referenced_data_file();
        self.all || referenced.is_some_and(|path| self.paths.contains(path.as_str()))
    }
}
