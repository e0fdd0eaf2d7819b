//! What a running replicator tells about itself.

use std::collections::BTreeMap;
use std::fmt;

use medallion_definition::name::TableId;
use medallion_ingestion::layout::BronzeKey;

use crate::ddl::TableEffect;
use crate::position::BinlogPosition;

/// Where a replicator stands; watched through a `tokio::sync::watch` channel.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    /// What it does.
    pub phase: Phase,
    /// Every change committed before this position is in Bronze files. Between files the position
    /// also moves past transactions without rows of the captured tables.
    pub durable: Option<BinlogPosition>,
    /// The files written since the start, in the order of writing.
    pub files: Vec<WrittenFile>,
    /// What was done for each table since its load began, also before this start. Changes count
    /// once their files are written.
    pub tables: BTreeMap<TableId, TableStatistics>,
    /// What an operator has to know, in the order in which it came up.
    pub notices: Vec<Notice>,
}

/// What a replicator does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Phase {
    /// Checking the source.
    #[default]
    Starting,
    /// Writing the full load.
    Loading,
    /// Following the binlog.
    Following,
    /// Waiting to connect again.
    Reconnecting,
}

/// A Bronze file that is durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrittenFile {
    /// The key.
    pub key: BronzeKey,
    /// The rows in it.
    pub rows: u64,
}

/// The counters of one table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TableStatistics {
    /// How far its load is.
    pub state: TableState,
    /// Rows of the full load.
    pub full_load_rows: u64,
    /// Rows inserted since.
    pub inserts: u64,
    /// Rows updated since.
    pub updates: u64,
    /// Rows deleted since.
    pub deletes: u64,
    /// Data definition since.
    pub ddls: u64,
}

/// How far a table's full load is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TableState {
    /// Not begun.
    #[default]
    BeforeLoad,
    /// Some of it is written.
    FullLoad,
    /// All of it is written.
    Completed,
}

/// Something that an operator has to know; replication goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// Data definition has taken or brought rows without any row in the binlog. Bronze, and what
    /// is made of it, differs from the source until the table is loaded anew.
    RowsUntold {
        /// The table.
        table: TableId,
        /// What happened.
        effect: TableEffect,
        /// The end of the statement.
        position: BinlogPosition,
    },
    /// The connection broke and was made again.
    Reconnected {
        /// Where reading went on.
        position: BinlogPosition,
        /// Why it had ended.
        reason: String,
    },
    /// Another server has taken over; its transactions were found by GTID.
    FailedOver {
        /// The identity of the server before.
        from: String,
        /// The identity of the server now.
        to: String,
    },
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Notice::RowsUntold { table, effect, position } => write!(
                f,
                "at `{position}`: table `{table}` {}, which Bronze cannot tell; reload the table",
                effect.as_str()
            ),
            Notice::Reconnected { position, reason } => {
                write!(f, "connected again, going on at `{position}`; before: {reason}")
            }
            Notice::FailedOver { from, to } => {
                write!(f, "server `{to}` has taken over from `{from}`")
            }
        }
    }
}
