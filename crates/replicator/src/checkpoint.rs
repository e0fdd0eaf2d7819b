//! The checkpoint: how far the binlog is durable in Bronze, kept beside it in the same bucket.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::position::BinlogPosition;

/// The checkpoint's key in the bucket.
pub const CHECKPOINT_KEY: &str = "replicator/checkpoint.json";

/// The form of checkpoint that this release reads and writes.
const VERSION: u32 = 1;

/// Everything before `position` is in Bronze; nothing after it is promised.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Checkpoint {
    version: u32,
    /// The server whose binlog this is.
    pub server_uuid: String,
    /// Where reading goes on: the end of a transaction.
    pub position: BinlogPosition,
    /// The highest commit second so far, since the epoch; part of change sequences.
    pub sequence_second: u32,
    /// Where the full load stands in the binlog.
    pub snapshot: BinlogPosition,
    /// `@@gtid_executed` at the full load; empty without GTIDs.
    pub snapshot_gtid_set: String,
    /// By source table.
    pub tables: BTreeMap<String, TableCounters>,
}

/// What was written for one table.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableCounters {
    /// Files of the full load.
    pub load_files: u32,
    /// Rows of the full load.
    pub load_rows: u64,
    /// Files of changes.
    pub change_files: u64,
    /// Rows of changes.
    pub change_rows: u64,
    /// The time in the last change file's name, in milliseconds since the epoch.
    pub last_written: Option<i64>,
}

/// Why the stored checkpoint cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// Not the JSON of a checkpoint (operator: restore it, or remove it for a new full load).
    #[error("`{CHECKPOINT_KEY}` holds no checkpoint")]
    Malformed {
        /// What was found.
        source: serde_json::Error,
    },
    /// Written by another release (operator).
    #[error("`{CHECKPOINT_KEY}` has version {found}, this release knows {VERSION}")]
    Version {
        /// The version found.
        found: u32,
    },
    /// The binlog belongs to another server (operator: its positions mean nothing here).
    #[error("`{CHECKPOINT_KEY}` is of server `{expected}`, but the source is `{found}`")]
    OtherServer {
        /// The server in the checkpoint.
        expected: String,
        /// The server that answered.
        found: String,
    },
}

impl Checkpoint {
    /// The checkpoint after a full load.
    pub fn after_load(
        server_uuid: String,
        position: BinlogPosition,
        gtid_set: String,
        tables: BTreeMap<String, TableCounters>,
    ) -> Checkpoint {
        Checkpoint {
            version: VERSION,
            server_uuid,
            snapshot: position.clone(),
            position,
            sequence_second: 0,
            snapshot_gtid_set: gtid_set,
            tables,
        }
    }

    /// Reads a stored checkpoint of this server.
    pub fn from_json(json: &[u8], server_uuid: &str) -> Result<Checkpoint, CheckpointError> {
        #[derive(Deserialize)]
        struct Versioned {
            version: u32,
        }
        let malformed = |source| CheckpointError::Malformed { source };
        let Versioned { version } = serde_json::from_slice(json).map_err(malformed)?;
        if version != VERSION {
            return Err(CheckpointError::Version { found: version });
        }
        let checkpoint: Checkpoint = serde_json::from_slice(json).map_err(malformed)?;
        if checkpoint.server_uuid != server_uuid {
            return Err(CheckpointError::OtherServer {
                expected: checkpoint.server_uuid,
                found: server_uuid.to_owned(),
            });
        }
        Ok(checkpoint)
    }

    /// The stored form.
    pub fn to_json(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec_pretty(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checkpoint() -> Checkpoint {
        let position = BinlogPosition::new("binlog.000003", 157).unwrap();
        let counters = TableCounters {
            load_files: 2,
            last_written: Some(1_769_860_800_123),
            ..TableCounters::default()
        };
        let tables = BTreeMap::from([("crm.customers".to_owned(), counters)]);
        Checkpoint::after_load("uuid-1".to_owned(), position, String::new(), tables)
    }

    #[test]
    fn a_checkpoint_is_read_as_it_was_written() {
        let json = checkpoint().to_json().unwrap();
        assert_eq!(Checkpoint::from_json(&json, "uuid-1").unwrap(), checkpoint());
    }

    #[test]
    fn checkpoints_of_another_server_or_version_are_refused() {
        let json = checkpoint().to_json().unwrap();
        let other = Checkpoint::from_json(&json, "uuid-2");
        assert!(matches!(other, Err(CheckpointError::OtherServer { .. })));
        let newer = String::from_utf8(json).unwrap().replace("\"version\": 1", "\"version\": 2");
        let newer = Checkpoint::from_json(newer.as_bytes(), "uuid-1");
        assert!(matches!(newer, Err(CheckpointError::Version { found: 2 })));
        let malformed = Checkpoint::from_json(b"{\"version\": 1}", "uuid-1");
        assert!(matches!(malformed, Err(CheckpointError::Malformed { .. })));
    }
}
