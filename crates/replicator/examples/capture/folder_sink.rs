//! Bronze in a local folder.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use medallion_definition::name::TableId;
use medallion_ingestion::layout::BronzeKey;
use medallion_replicator::sink::{BronzeSink, ObjectVersion, SinkError};

const CHECKPOINT: &str = "checkpoint.json";

/// A folder that one process writes to. Nothing is synced to the disk, as the peers do not either.
#[derive(Debug)]
pub(super) struct FolderSink {
    folder: PathBuf,
    bytes: AtomicU64,
}

impl FolderSink {
    pub(super) fn new(folder: &Path) -> io::Result<FolderSink> {
        std::fs::create_dir_all(folder)?;
        Ok(FolderSink { folder: folder.to_owned(), bytes: AtomicU64::new(0) })
    }

    /// The bytes of all Bronze files.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    async fn write(&self, key: &str, body: Bytes) -> Result<(), SinkError> {
        let path = self.folder.join(key);
        let written = tokio::task::spawn_blocking(move || {
            if let Some(parent) = path.parent() {
                std::fs::create_dir_all(parent)?;
            }
            std::fs::write(&path, body)
        });
        let written = async { written.await.unwrap_or_else(|error| Err(io::Error::other(error))) };
        written.await.map_err(|error| SinkError::Unavailable {
            key: key.to_owned(),
            action: "written",
            source: error.into(),
        })
    }
}

impl BronzeSink for FolderSink {
    async fn put(&self, key: &BronzeKey, file: Bytes) -> Result<(), SinkError> {
        self.bytes.fetch_add(file.len() as u64, Ordering::Relaxed);
        self.write(&key.to_string(), file).await
    }

    async fn retain_loads(&self, _: &TableId, _: &BTreeSet<BronzeKey>) -> Result<(), SinkError> {
        Ok(())
    }

    async fn read_checkpoint(&self) -> Result<Option<(Bytes, ObjectVersion)>, SinkError> {
        match tokio::fs::read(self.folder.join(CHECKPOINT)).await {
            Ok(json) => Ok(Some((json.into(), ObjectVersion(String::new())))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(SinkError::Unavailable {
                key: CHECKPOINT.to_owned(),
                action: "read",
                source: error.into(),
            }),
        }
    }

    async fn write_checkpoint(
        &self,
        json: Bytes,
        _: Option<&ObjectVersion>,
    ) -> Result<ObjectVersion, SinkError> {
        self.write(CHECKPOINT, json).await.map(|()| ObjectVersion(String::new()))
    }
}
