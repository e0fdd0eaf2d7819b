//! The full load: all tables as they stood at one binlog position.

use std::collections::BTreeMap;

use chrono::Utc;
use medallion_definition::change::{ChangeSeq, Op};
use medallion_definition::contract::TableContract;
use medallion_definition::name::TableId;
use medallion_ingestion::layout::BronzeKey;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Row, Value};
use tokio::sync::watch;

use crate::bronze_file::{BronzeFileError, BronzeRow, RowBuffer, RowError};
use crate::checkpoint::{Checkpoint, TableCounters};
use crate::position::BinlogPosition;
use crate::preflight::ServerFacts;
use crate::progress::{Phase, Progress, WrittenFile};
use crate::replicate::Replication;
use crate::result_row;
use crate::server::{DatabaseError, Source, quoted};
use crate::sink::{BronzeSink, SinkError};
use crate::value::{Cell, ValueError};
use crate::writer::timestamp_text;

const LOCKING: &str = "taking a consistent snapshot";
const READING: &str = "reading the full load";

/// When a file of the full load is full: at the first of both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoadPolicy {
    /// The most rows in a file.
    pub max_rows: usize,
    /// About the most bytes in memory.
    pub max_bytes: usize,
}

/// Why the full load failed. It begins anew the next time.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The server did not answer as hoped.
    #[error("the full load cannot be read")]
    Database(#[from] DatabaseError),
    /// A value that cannot be carried.
    #[error("table `{table}`, column `{column}`: a value cannot be carried")]
    Value {
        /// The table.
        table: TableId,
        /// The column.
        column: String,
        /// Why.
        source: ValueError,
    },
    /// Rows that do not become a file (bug).
    #[error("a file of table `{table}` cannot be made")]
    File {
        /// The table.
        table: TableId,
        /// Why.
        source: BronzeFileError,
    },
    /// The store failed.
    #[error("Bronze cannot be written")]
    Sink(#[from] SinkError),
}

/// Writes the full load of all contracts' tables. The checkpoint that it returns is not stored
/// yet.
///
/// A short global read lock ties the snapshot to the binlog position; reading itself locks
/// nothing.
pub async fn snapshot<S: BronzeSink>(
    replication: &Replication<'_, S>,
    facts: &ServerFacts,
    policy: &LoadPolicy,
) -> Result<Checkpoint, SnapshotError> {
    let Replication { source, contracts, sink, progress } = *replication;
    progress.send_modify(|progress| progress.phase = Phase::Loading);
    let mut conn = source.connect().await?;
    let (position, gtid_set) = begin(source, &mut conn).await?;
    let mut tables = BTreeMap::new();
    for contract in contracts {
        let load = TableLoad {
            contract,
            sink,
            policy,
            progress,
            buffer: RowBuffer::new(contract),
            counters: TableCounters::default(),
        };
        let counters = load.run(source, &mut conn).await?;
        sink.remove_loads_after(&contract.table, counters.load_files).await?;
        tables.insert(contract.table.to_string(), counters);
    }
    // Every row is durable; how the connection ends no longer matters.
    let _ = conn.disconnect().await;
    Ok(Checkpoint::after_load(facts.server_uuid.clone(), position, gtid_set, tables))
}

/// Opens the snapshot and tells its position and the GTIDs executed before it.
async fn begin(
    source: &Source,
    conn: &mut Conn,
) -> Result<(BinlogPosition, String), DatabaseError> {
    let failed = |error| source.error(LOCKING, error);
    // A reader that cannot get the lock must not block the writers behind it for long.
    let statements = [
        "SET SESSION lock_wait_timeout = 30",
        "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
        "FLUSH TABLES WITH READ LOCK",
        "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
    ];
    for statement in statements {
        conn.query_drop(statement).await.map_err(failed)?;
    }
    let position = source.binlog_end(conn).await?;
    let gtid_set: Option<String> =
        conn.query_first("SELECT @@global.gtid_executed").await.map_err(failed)?;
    conn.query_drop("UNLOCK TABLES").await.map_err(failed)?;
    let gtid_set = gtid_set.unwrap_or_default().replace('\n', "");
    Ok((position, gtid_set))
}

/// The load of one table.
struct TableLoad<'a, S> {
    contract: &'a TableContract,
    sink: &'a S,
    policy: &'a LoadPolicy,
    progress: &'a watch::Sender<Progress>,
    buffer: RowBuffer,
    counters: TableCounters,
}

impl<S: BronzeSink> TableLoad<'_, S> {
    async fn run(
        mut self,
        source: &Source,
        conn: &mut Conn,
    ) -> Result<TableCounters, SnapshotError> {
        let failed = |error| SnapshotError::Database(source.error(READING, error));
        let columns: Vec<String> =
            self.contract.columns.iter().map(|c| format!("`{}`", c.name)).collect();
        let table = &self.contract.table;
        let from = quoted(table.schema.as_str(), table.table.as_str());
        // The binary protocol gives numbers and times as such, not as text.
        let query = format!("SELECT {} FROM {from}", columns.join(", "));
        let mut result = conn.exec_iter(query, ()).await.map_err(failed)?;
        while let Some(row) = result.next().await.map_err(failed)? {
            self.push(row)?;
            let full = self.buffer.rows() >= self.policy.max_rows
                || self.buffer.bytes() >= self.policy.max_bytes;
            if full {
                self.write().await?;
            }
        }
        self.write().await?;
        Ok(self.counters)
    }

    fn push(&mut self, row: Row) -> Result<(), SnapshotError> {
        let failed = |column: &str, source| SnapshotError::Value {
            table: self.contract.table.clone(),
            column: column.to_owned(),
            source,
        };
        let values: Vec<Value> = row.unwrap();
        let mut cells: Vec<Cell<'_>> = Vec::with_capacity(values.len());
        for (column, value) in self.contract.columns.iter().zip(&values) {
            let cell = result_row::cell(value, &column.source_type);
            cells.push(cell.map_err(|source| failed(column.name.as_str(), source))?);
        }
        let sequence = ChangeSeq::FULL_LOAD;
        let row = BronzeRow {
            op: Op::Insert,
            timestamp: &timestamp_text(Utc::now()),
            cells: &cells,
            before: None,
            sequence: sequence.as_str(),
        };
        let pushed = self.buffer.push(&row);
        pushed.map_err(|RowError { column, source }| failed(column.as_str(), source))
    }

    async fn write(&mut self) -> Result<(), SnapshotError> {
        let rows = self.buffer.rows() as u64;
        if rows == 0 {
            return Ok(());
        }
        let table = self.contract.table.clone();
        let file = self
            .buffer
            .finish()
            .map_err(|source| SnapshotError::File { table: table.clone(), source })?;
        let key = BronzeKey::Load { table, number: self.counters.load_files + 1 };
        self.sink.put(&key, file).await?;
        self.counters.load_files += 1;
        self.counters.load_rows += rows;
        self.progress.send_modify(|progress| progress.files.push(WrittenFile { key, rows }));
        Ok(())
    }
}
