//! The checkpoint: how far Bronze is durable, kept beside it in the same bucket.

use std::collections::BTreeMap;

use medallion_definition::name::TableId;
use serde::{Deserialize, Serialize};

use crate::gtid::GtidSet;
use crate::load::plan::Segment;
use crate::position::BinlogPosition;
use crate::progress::{TableState, TableStatistics};

/// The form of checkpoint that this release reads and writes.
const VERSION: u32 = 2;

/// A place in the binlog between two transactions, with what has to be known to go on there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SafePoint {
    /// Where reading goes on.
    pub position: BinlogPosition,
    /// The highest commit second so far, since the epoch; the time part of change sequences.
    pub second: u32,
}

/// Every change before `safe` is in Bronze, and every table or key range that says so; nothing
/// else is promised.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Checkpoint {
    version: u32,
    /// The server whose binlog this is.
    pub server_uuid: String,
    /// Where following goes on.
    pub safe: SafePoint,
    /// Every transaction that was decided before this place is in Bronze. It lies behind `safe`
    /// while XA transactions wait; `None` when it means nothing on this server.
    pub decided: Option<BinlogPosition>,
    /// The highest commit second in any file; above that of `safe` while XA transactions wait.
    pub written_second: u32,
    /// The transactions before `safe`; empty without GTIDs.
    pub gtid_set: GtidSet,
    /// False when it is not known what came before the first transaction: then the set cannot
    /// say where to go on at another server, and stays empty.
    pub counts_gtids: bool,
    /// By source table.
    pub tables: BTreeMap<String, TableProgress>,
}

/// How far one table is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableProgress {
    /// Its full load.
    pub load: LoadProgress,
    /// Transactions that ended up to here are in the load, whichever of its snapshots was read.
    pub loaded_at: Option<BinlogPosition>,
    /// How often it has been loaded anew.
    pub reloads: u32,
    /// Rows inserted since the load.
    pub inserts: u64,
    /// Rows updated since the load.
    pub updates: u64,
    /// Rows deleted since the load.
    pub deletes: u64,
    /// Data definition since the load.
    pub ddls: u64,
    /// The time in the last change file's name, in milliseconds since the epoch.
    pub last_written: Option<i64>,
}

/// How far a table's full load is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state", deny_unknown_fields)]
pub enum LoadProgress {
    /// Not begun.
    #[default]
    Pending,
    /// Its key ranges, some of them done.
    Running {
        /// The column that the ranges are of, with its type; they mean nothing for another.
        column: String,
        /// The key ranges.
        segments: Vec<Segment>,
    },
    /// All rows are in Bronze.
    Done {
        /// How many.
        rows: u64,
        /// In how many files.
        files: u32,
    },
}

/// Why the stored checkpoint cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// Not the JSON of a checkpoint (operator: restore it, or remove it for a new full load).
    #[error("the checkpoint holds no checkpoint; hint: remove it for a new full load")]
    Malformed {
        /// What was found.
        source: serde_json::Error,
    },
    /// Written by another release (operator).
    #[error("the checkpoint has version {found}, this release knows {VERSION}")]
    Version {
        /// The version found.
        found: u32,
    },
    /// The binlog belongs to another server, and there are no GTIDs to find the place by
    /// (operator).
    #[error(
        "the checkpoint is of server `{expected}`, but the source is `{found}`, where its position \
         means nothing; hint: with GTIDs on both servers replication goes on after a failover; \
         without, remove the checkpoint for a new full load"
    )]
    OtherServer {
        /// The server in the checkpoint.
        expected: String,
        /// The server that answered.
        found: String,
    },
    /// The server never saw transactions that Bronze already has (operator).
    #[error(
        "server `{server}` lacks transactions that Bronze has; hint: it is behind, a failover has \
         lost them, or its binlog was reset; wait, or remove the checkpoint for a new full load"
    )]
    Behind {
        /// The server that answered.
        server: String,
    },
}

impl Checkpoint {
    /// The checkpoint at the beginning: nothing is loaded or followed yet.
    pub fn new(server_uuid: String, safe: SafePoint, gtid_set: GtidSet) -> Checkpoint {
        let written_second = safe.second;
        let tables = BTreeMap::new();
        let version = VERSION;
        let decided = safe.position.is_known().then(|| safe.position.clone());
        Checkpoint {
            version,
            server_uuid,
            safe,
            decided,
            written_second,
            gtid_set,
            counts_gtids: true,
            tables,
        }
    }

    /// Reads a stored checkpoint.
    pub fn from_json(json: &[u8]) -> Result<Checkpoint, CheckpointError> {
        #[derive(Deserialize)]
        struct Versioned {
            version: u32,
        }
        let malformed = |source| CheckpointError::Malformed { source };
        let Versioned { version } = serde_json::from_slice(json).map_err(malformed)?;
        if version != VERSION {
            return Err(CheckpointError::Version { found: version });
        }
        serde_json::from_slice(json).map_err(malformed)
    }

    /// The stored form.
    pub fn to_json(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec_pretty(self)
    }

    /// How far this table is.
    pub fn table(&mut self, table: &TableId) -> &mut TableProgress {
        self.tables.entry(table.to_string()).or_default()
    }

    /// Forgets the table's load, so that it is loaded anew.
    pub fn load_again(&mut self, table: &TableId) {
        let TableProgress { reloads, last_written, .. } = *self.table(table);
        let reloads = reloads + 1;
        *self.table(table) = TableProgress { reloads, last_written, ..TableProgress::default() };
    }

    /// True when any of these tables has rows that no full load has carried yet.
    pub fn has_to_load(&self, tables: &[TableId]) -> bool {
        let done = |table: &TableId| {
            let progress = self.tables.get(&table.to_string());
            progress.is_some_and(|progress| matches!(progress.load, LoadProgress::Done { .. }))
        };
        !tables.iter().all(done)
    }
}

impl TableProgress {
    /// The same, as it is told to others.
    pub fn statistics(&self) -> TableStatistics {
        let (state, full_load_rows) = match &self.load {
            LoadProgress::Pending => (TableState::BeforeLoad, 0),
            LoadProgress::Running { segments, .. } => {
                (TableState::FullLoad, segments.iter().map(|segment| segment.rows).sum())
            }
            LoadProgress::Done { rows, .. } => (TableState::Completed, *rows),
        };
        let TableProgress { inserts, updates, deletes, ddls, .. } = *self;
        TableStatistics { state, full_load_rows, inserts, updates, deletes, ddls }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checkpoint() -> Checkpoint {
        let position = BinlogPosition::new("binlog.000003", 157).unwrap();
        let safe = SafePoint { position, second: 5 };
        let gtids = "0-1-100".parse().unwrap();
        let mut checkpoint = Checkpoint::new("uuid-1".to_owned(), safe, gtids);
        let customers: TableId = "crm.customers".parse().unwrap();
        checkpoint.table(&customers).last_written = Some(1_769_860_800_123);
        let segments = vec![Segment::whole()];
        checkpoint.table(&customers).load =
            LoadProgress::Running { column: "id int".to_owned(), segments };
        let addresses: TableId = "crm.addresses".parse().unwrap();
        checkpoint.table(&addresses).load = LoadProgress::Done { rows: 7, files: 1 };
        checkpoint
    }

    #[test]
    fn a_checkpoint_is_read_as_it_was_written() {
        let json = checkpoint().to_json().unwrap();
        assert_eq!(Checkpoint::from_json(&json).unwrap(), checkpoint());
    }

    #[test]
    fn checkpoints_of_another_version_are_refused() {
        let json = String::from_utf8(checkpoint().to_json().unwrap()).unwrap();
        let newer = json.replace("\"version\": 2", "\"version\": 3");
        let newer = Checkpoint::from_json(newer.as_bytes());
        assert!(matches!(newer, Err(CheckpointError::Version { found: 3 })));
        let malformed = Checkpoint::from_json(b"{\"version\": 2}");
        assert!(matches!(malformed, Err(CheckpointError::Malformed { .. })));
    }

    #[test]
    fn a_table_counts_as_loaded_only_when_all_of_it_is() {
        let tables = ["crm.customers", "crm.addresses", "crm.consents"];
        let tables: Vec<TableId> = tables.iter().map(|t| t.parse().unwrap()).collect();
        let mut checkpoint = checkpoint();
        assert!(checkpoint.has_to_load(&tables[..1]));
        assert!(!checkpoint.has_to_load(&tables[1..2]));
        assert!(checkpoint.has_to_load(&tables[2..]));
        checkpoint.load_again(&tables[1]);
        assert!(checkpoint.has_to_load(&tables[1..2]));
        assert_eq!(checkpoint.table(&tables[1]).reloads, 1);
    }
}
