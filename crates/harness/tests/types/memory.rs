//! A store in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use bytes::Bytes;
use medallion_definition::name::TableId;
use medallion_ingestion::layout::BronzeKey;
use medallion_replicator::sink::{BronzeSink, ObjectVersion, SinkError};

/// Bronze files by key; the checkpoint is accepted and forgotten.
#[derive(Default)]
pub(crate) struct Memory(Mutex<BTreeMap<String, Bytes>>);

impl Memory {
    /// The files of one table, in the order of their keys: full load first.
    pub(crate) fn files(&self, table: &TableId) -> Vec<(String, Bytes)> {
        let prefix = medallion_ingestion::layout::table_prefix(table);
        let files = self.0.lock().unwrap();
        let mut files: Vec<(String, Bytes)> = files
            .iter()
            .filter(|(key, _)| key.starts_with(&prefix))
            .map(|(key, file)| (key.clone(), file.clone()))
            .collect();
        files.sort_by_key(|(key, _)| !key.parse::<BronzeKey>().unwrap().is_full_load());
        files
    }
}

impl BronzeSink for Memory {
    async fn put(&self, key: &BronzeKey, file: Bytes) -> Result<(), SinkError> {
        let overwritten = self.0.lock().unwrap().insert(key.to_string(), file);
        assert!(overwritten.is_none(), "`{key}` was written twice");
        Ok(())
    }

    async fn retain_loads(&self, _: &TableId, _: &BTreeSet<BronzeKey>) -> Result<(), SinkError> {
        Ok(())
    }

    async fn read_checkpoint(&self) -> Result<Option<(Bytes, ObjectVersion)>, SinkError> {
        Ok(None)
    }

    async fn write_checkpoint(
        &self,
        _: Bytes,
        _: Option<&ObjectVersion>,
    ) -> Result<ObjectVersion, SinkError> {
        Ok(ObjectVersion("kept by nobody".to_owned()))
    }
}
