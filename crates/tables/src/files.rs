//! The live files of a table, with what a commit needs to know about them.

use std::collections::HashMap;

use futures::{StreamExt, TryStreamExt};
use iceberg::scan::FileScanTaskDeleteFile;
use iceberg::spec::{
    DataFile, Literal, Manifest, ManifestContentType, ManifestFile, PrimitiveLiteral,
};
use iceberg::{Error, ErrorKind, Result};

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
    pub(crate) deletes: Vec<FileScanTaskDeleteFile>,
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
            self.attach_deletes(&mut files, deletes).await?;
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

    /// Tells each data file which delete files apply to it: those that the crate's own scan
    /// finds, less those that name another data file, which the scan of 0.10 does not heed.
    async fn attach_deletes(&self, files: &mut [LiveFile], deletes: Vec<LiveFile>) -> Result<()> {
        let named =
            |file: LiveFile| Some((file.path().to_owned(), file.data_file.referenced_data_file()?));
        let named: HashMap<String, String> = deletes.into_iter().filter_map(named).collect();
        let scan = self.table.scan().select_empty().build()?;
        let tasks = scan.plan_files().await?.map_ok(|task| (task.data_file_path, task.deletes));
        let mut by_path: HashMap<String, Vec<FileScanTaskDeleteFile>> = tasks.try_collect().await?;
        for file in files {
            file.deletes = by_path.remove(file.path()).unwrap_or_default();
            let path = file.data_file.file_path();
            file.deletes.retain(|delete| named.get(&delete.file_path).is_none_or(|n| n == path));
        }
        Ok(())
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
