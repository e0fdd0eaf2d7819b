//! Bronze in memory, which can fail in chosen ways.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use bytes::Bytes;
use medallion_definition::name::TableId;
use medallion_ingestion::layout::BronzeKey;
use medallion_replicator::sink::{BronzeSink, ObjectVersion, SinkError};

/// Files in the order in which they were written, and a checkpoint with conditional writes.
#[derive(Default)]
pub(crate) struct Bronze(Mutex<State>);

#[derive(Default)]
struct State {
    files: BTreeMap<BronzeKey, (u64, Bytes)>,
    /// The number of puts so far.
    puts: u64,
    checkpoint: Option<Bytes>,
    /// The number of checkpoints so far; their version.
    checkpoints: u64,
    /// Writes of the checkpoint that will be done and then answered with a failure.
    lost_answers: u32,
    /// Puts after which no call ever answers.
    stuck_after: Option<u64>,
}

/// A file of Bronze.
#[derive(Clone)]
pub(crate) struct BronzeFile {
    pub(crate) key: BronzeKey,
    /// Its place in the order of writing.
    pub(crate) order: u64,
    pub(crate) content: Bytes,
}

impl Bronze {
    /// The table's files in the order of their keys: full load first.
    pub(crate) fn files(&self, table: &TableId) -> Vec<BronzeFile> {
        let state = self.0.lock().unwrap();
        let files = state.files.iter().filter(|(key, _)| key.table() == table);
        let file = |(key, (order, content)): (&BronzeKey, &(u64, Bytes))| BronzeFile {
            key: key.clone(),
            order: *order,
            content: content.clone(),
        };
        files.map(file).collect()
    }

    /// The files of the table's full load.
    pub(crate) fn loads(&self, table: &TableId) -> Vec<BronzeFile> {
        self.files(table).into_iter().filter(|file| file.key.is_full_load()).collect()
    }

    pub(crate) fn puts(&self) -> u64 {
        self.0.lock().unwrap().puts
    }

    /// The stored checkpoint as text.
    pub(crate) fn checkpoint(&self) -> String {
        let state = self.0.lock().unwrap();
        String::from_utf8(state.checkpoint.clone().unwrap().to_vec()).unwrap()
    }

    /// The answers to this many checkpoints will be lost.
    pub(crate) fn lose_answers(&self, count: u32) {
        self.0.lock().unwrap().lost_answers = count;
    }

    /// The number of answers that are still to be lost.
    pub(crate) fn answers_to_lose(&self) -> u32 {
        self.0.lock().unwrap().lost_answers
    }

    /// No call answers after this many more puts; with `None` all do again.
    pub(crate) fn stick_after(&self, puts: Option<u64>) {
        let mut state = self.0.lock().unwrap();
        state.stuck_after = puts.map(|puts| state.puts + puts);
    }

    /// True when a call has come that never answers.
    pub(crate) fn is_stuck(&self) -> bool {
        let state = self.0.lock().unwrap();
        state.stuck_after.is_some_and(|limit| state.puts >= limit)
    }

    async fn wait_if_stuck(&self) {
        if self.is_stuck() {
            std::future::pending::<()>().await;
        }
    }
}

impl BronzeSink for Bronze {
    async fn put(&self, key: &BronzeKey, file: Bytes) -> Result<(), SinkError> {
        self.wait_if_stuck().await;
        let mut state = self.0.lock().unwrap();
        state.puts += 1;
        let order = state.puts;
        let replaced = state.files.insert(key.clone(), (order, file));
        assert!(replaced.is_none() || key.is_full_load(), "`{key}` is written twice");
        Ok(())
    }

    async fn retain_loads(
        &self,
        table: &TableId,
        keep: &BTreeSet<BronzeKey>,
    ) -> Result<(), SinkError> {
        self.wait_if_stuck().await;
        let leftover =
            |key: &BronzeKey| key.table() == table && key.is_full_load() && !keep.contains(key);
        self.0.lock().unwrap().files.retain(|key, _| !leftover(key));
        Ok(())
    }

    async fn read_checkpoint(&self) -> Result<Option<(Bytes, ObjectVersion)>, SinkError> {
        let state = self.0.lock().unwrap();
        let version = ObjectVersion(state.checkpoints.to_string());
        Ok(state.checkpoint.clone().map(|json| (json, version)))
    }

    async fn write_checkpoint(
        &self,
        json: Bytes,
        replaces: Option<&ObjectVersion>,
    ) -> Result<ObjectVersion, SinkError> {
        self.wait_if_stuck().await;
        let mut state = self.0.lock().unwrap();
        let key = "checkpoint".to_owned();
        let found = state.checkpoint.as_ref().map(|_| ObjectVersion(state.checkpoints.to_string()));
        if found.as_ref() != replaces {
            return Err(SinkError::Conflict { key, source: "another version is there".into() });
        }
        state.checkpoints += 1;
        state.checkpoint = Some(json);
        if state.lost_answers > 0 {
            state.lost_answers -= 1;
            let source = "the answer is lost".into();
            return Err(SinkError::Unavailable { key, action: "written", source });
        }
        Ok(ObjectVersion(state.checkpoints.to_string()))
    }
}
