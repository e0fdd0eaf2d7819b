//! The live files of a table, with what a commit needs to know about them.

use std::collections::HashMap;
use std::sync::Arc;

use futures::{StreamExt, TryStreamExt};
use iceberg::scan::FileScanTaskDeleteFile;
use iceberg::spec::{
    DataContentType, DataFile, Literal, Manifest, ManifestContentType, ManifestFile,
    PrimitiveLiteral,
};
use iceberg::{Error, ErrorKind, Result};

use crate::reader::PATH_ID;
use crate::table::{LakeTable, TableError};

/// How many manifests are read at a time.
const MANIFESTS_AT_A_TIME: usize = 8;

/// A data or delete file of a snapshot, with the facts that its manifest entry gives it.
#[derive(Clone, Debug)]
pub struct LiveFile {
    /// Path, partition, counts and bounds.
    pub data_file: DataFile,
    /// The partition spec of its manifest; a data file does not know its own.
    pub spec_id: i32,
    /// The snapshot that added it.
    pub snapshot_id: i64,
    /// Its data sequence number: only deletes of the same or a later number apply to it.
    pub sequence_number: i64,
    /// The sequence number at which the file was added.
    pub file_sequence_number: i64,
    pub(crate) manifest: String,
    pub(crate) deletes: Vec<Arc<LiveFile>>,
}

impl LiveFile {
    /// The file's URI.
    pub fn path(&self) -> &str {
        self.data_file.file_path()
    }

    /// Rows in the file, deleted ones included.
    pub fn records(&self) -> u64 {
        self.data_file.record_count()
    }

    /// Size in bytes.
    pub fn size(&self) -> u64 {
        self.data_file.file_size_in_bytes()
    }

    /// The bucket, or nothing when the file is not partitioned by one.
    pub fn bucket(&self) -> Option<i32> {
        match self.data_file.partition().iter().next()?? {
            Literal::Primitive(PrimitiveLiteral::Int(bucket)) => Some(*bucket),
            _ => None,
        }
    }

    /// True when delete files apply to it, which reading the file takes into account.
    pub fn has_deletes(&self) -> bool {
        !self.deletes.is_empty()
    }

    /// The data file whose rows this delete file deletes, when it is for one only: it says so, or
    /// its bounds do.
    pub(crate) fn deletes_from(&self) -> Option<String> {
        named_data_file(&self.data_file)
    }

    /// The delete files that apply to this data file alone.
    pub(crate) fn own_deletes(&self) -> impl Iterator<Item = &LiveFile> {
        let deletes = self.deletes.iter().map(Arc::as_ref);
        deletes.filter(|delete| delete.deletes_from().is_some())
    }

    /// The delete files as the crate's own scan wants them.
    pub(crate) fn delete_tasks(&self) -> Vec<FileScanTaskDeleteFile> {
        let task = |delete: &Arc<LiveFile>| {
            FileScanTaskDeleteFile::builder()
                .with_file_path(delete.path().to_owned())
                .with_file_size_in_bytes(delete.size())
                .with_file_type(delete.data_file.content_type())
                .with_partition_spec_id(delete.spec_id)
                .with_equality_ids(delete.data_file.equality_ids())
                .build()
        };
        self.deletes.iter().map(task).collect()
    }

    /// Whether this delete file applies to the data file, as the specification has it.
    fn applies_to(&self, file: &LiveFile, whole_table: bool) -> bool {
        if let Some(path) = self.deletes_from() {
            return path == file.path() && self.sequence_number >= file.sequence_number;
        }
        let place = |file: &LiveFile| (file.spec_id, file.data_file.partition().clone());
        let same_place = place(self) == place(file);
        match self.data_file.content_type() {
            DataContentType::PositionDeletes => {
                same_place && self.sequence_number >= file.sequence_number
            }
            DataContentType::EqualityDeletes => {
                (same_place || whole_table) && self.sequence_number > file.sequence_number
            }
            DataContentType::Data => false,
        }
    }
}

/// The data file that a position delete file is for, when it is for one only: by its own field
/// or, as Iceberg's Java implementation wrote it before there was that field, by bounds of its
/// path column that are equal.
pub(crate) fn named_data_file(delete: &DataFile) -> Option<String> {
    if delete.content_type() != DataContentType::PositionDeletes {
        return None;
    }
    delete.referenced_data_file().or_else(|| {
        let low = delete.lower_bounds().get(&PATH_ID)?;
        let high = delete.upper_bounds().get(&PATH_ID)?;
        match low.literal() {
            PrimitiveLiteral::String(path) if low == high => Some(path.clone()),
            _ => None,
        }
    })
}

impl LakeTable {
    /// The live data files of the current snapshot, by bucket and path. Each knows the delete
    /// files that apply to it.
    ///
    /// # Errors
    /// [`TableError::Files`] when manifests cannot be read.
    pub async fn live_files(&self) -> std::result::Result<Vec<LiveFile>, TableError> {
        let found = self.load_live_files(ManifestContentType::Data).await;
        found.map_err(|source| self.files_error(source))
    }

    /// The live delete files of the current snapshot, by bucket and path.
    ///
    /// # Errors
    /// [`TableError::Files`] when manifests cannot be read.
    pub async fn delete_files(&self) -> std::result::Result<Vec<LiveFile>, TableError> {
        let found = self.load_live_files(ManifestContentType::Deletes).await;
        found.map_err(|source| self.files_error(source))
    }

    async fn load_live_files(&self, content: ManifestContentType) -> Result<Vec<LiveFile>> {
        let manifests = self.live_manifests().await?;
        let (wanted, others) = manifests.into_iter().partition(|m| m.content == content);
        let mut files = self.load_entries(wanted).await?;
        if content == ManifestContentType::Data && !others.is_empty() {
            let deletes = self.load_entries(others).await?;
            attach_deletes(self, &mut files, deletes);
        }
        files.sort_by(|a, b| (a.bucket(), a.path()).cmp(&(b.bucket(), b.path())));
        Ok(files)
    }

    async fn load_entries(&self, manifests: Vec<ManifestFile>) -> Result<Vec<LiveFile>> {
        let mut files = Vec::new();
        for (manifest, entries) in self.load_manifests(manifests).await? {
            files.extend(live_entries(&manifest, &entries)?);
        }
        Ok(files)
    }

    /// Manifests of the current snapshot that hold live entries.
    pub(crate) async fn live_manifests(&self) -> Result<Vec<ManifestFile>> {
        let Some(snapshot) = self.current_snapshot() else { return Ok(Vec::new()) };
        let list = self.table.manifest_list_reader(snapshot).load().await?;
        let live = |m: &ManifestFile| m.has_added_files() || m.has_existing_files();
        Ok(list.consume_entries().into_iter().filter(live).collect())
    }

    /// Reads manifests, in the order given.
    pub(crate) async fn load_manifests(
        &self,
        manifests: Vec<ManifestFile>,
    ) -> Result<Vec<(ManifestFile, Manifest)>> {
        let file_io = self.table.file_io();
        futures::stream::iter(manifests)
            .map(|manifest| async move {
                let entries = manifest.load_manifest(file_io).await?;
                Ok((manifest, entries))
            })
            .buffered(MANIFESTS_AT_A_TIME)
            .try_collect()
            .await
    }
}

/// The live entries of one manifest; dead ones are history and never come back.
pub(crate) fn live_entries(manifest: &ManifestFile, entries: &Manifest) -> Result<Vec<LiveFile>> {
    let missing = || {
        let text = format!("an entry of `{}` has no sequence number", manifest.manifest_path);
        Error::new(ErrorKind::DataInvalid, text)
    };
    let live = entries.entries().iter().filter(|entry| entry.is_alive());
    live.map(|entry| {
        Ok(LiveFile {
            data_file: entry.data_file().clone(),
            spec_id: manifest.partition_spec_id,
            snapshot_id: entry.snapshot_id().unwrap_or(manifest.added_snapshot_id),
            sequence_number: entry.sequence_number().ok_or_else(missing)?,
            file_sequence_number: entry.file_sequence_number.ok_or_else(missing)?,
            manifest: manifest.manifest_path.clone(),
            deletes: Vec::new(),
        })
    })
    .collect()
}

/// Tells each data file which delete files apply to it. Those for one data file are found by its
/// path, all others are compared with every file.
fn attach_deletes(table: &LakeTable, files: &mut [LiveFile], deletes: Vec<LiveFile>) {
    let mut own: HashMap<String, Vec<Arc<LiveFile>>> = HashMap::new();
    let mut wide: Vec<(Arc<LiveFile>, bool)> = Vec::new();
    for delete in deletes.into_iter().map(Arc::new) {
        match delete.deletes_from() {
            Some(path) => own.entry(path).or_default().push(delete),
            None => {
                let spec = table.metadata().partition_spec_by_id(delete.spec_id);
                wide.push((delete, spec.is_some_and(|spec| spec.is_unpartitioned())));
            }
        }
    }
    for file in files {
        let mut applying = own.remove(file.path()).unwrap_or_default();
        applying.retain(|delete| delete.applies_to(file, false));
        let wide = wide.iter().filter(|(delete, everywhere)| delete.applies_to(file, *everywhere));
        applying.extend(wide.map(|(delete, _)| Arc::clone(delete)));
        file.deletes = applying;
    }
}
