//! Tables with one column each, filled, replicated by both ways, and read back.

use std::time::Duration;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::concat_batches;
use arrow::datatypes::Int32Type;
use bytes::Bytes;
use medallion_definition::name::TableId;
use medallion_replicator::follow::{FlushPolicy, FollowSettings};
use medallion_replicator::load::LoadSettings;
use medallion_replicator::progress::{Phase, Progress};
use medallion_replicator::server::Source;
use medallion_replicator::{
    Mode, ReconnectPolicy, ReplicateError, Replication, Settings, replicate,
};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts, OptsBuilder};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use tokio::sync::watch;

use crate::memory::Memory;

/// The schema of all tables under test.
pub(crate) const SCHEMA: &str = "kinds";
/// How long a replication may take until it follows, and until it has caught up.
const LIMIT: Duration = Duration::from_secs(300);

/// A connection to the server as the writing application has it.
pub(crate) async fn connect(url: &str) -> Conn {
    let opts = OptsBuilder::from_opts(Opts::from_url(url).unwrap()).prefer_socket(false);
    let mut conn = Conn::new(opts).await.unwrap();
    // Dates that no calendar has and values beyond their type's range are stored.
    conn.query_drop("SET SESSION sql_mode = 'ALLOW_INVALID_DATES'").await.unwrap();
    conn
}

/// Runs a statement and tells which it was when it fails.
pub(crate) async fn execute(conn: &mut Conn, statement: &str) {
    if let Err(error) = conn.query_drop(statement).await {
        panic!("{}: {error}", statement.chars().take(300).collect::<String>());
    }
}

/// An empty schema.
pub(crate) async fn renew_schema(conn: &mut Conn) {
    execute(conn, &format!("DROP DATABASE IF EXISTS {SCHEMA}")).await;
    execute(conn, &format!("CREATE DATABASE {SCHEMA} CHARACTER SET utf8mb4")).await;
    execute(conn, &format!("USE {SCHEMA}")).await;
}

pub(crate) fn table(name: &str) -> TableId {
    format!("{SCHEMA}.{name}").parse().unwrap()
}

/// Replicates these tables: full load, then what `changes` does, then stops.
///
/// # Errors
/// What the replicator says.
pub(crate) async fn replicated(
    url: &str,
    tables: &[TableId],
    changes: impl AsyncFnOnce(&mut Conn),
) -> Result<Memory, ReplicateError> {
    let source = Source::from_url(url).unwrap();
    let (memory, spill) = (Memory::default(), tempfile::tempdir().unwrap());
    let (progress, mut seen) = watch::channel(Progress::default());
    let (stop, stopped) = watch::channel(false);
    let settings = settings(spill.path().to_owned());
    let replication = Replication { source: &source, tables, sink: &memory, progress: &progress };
    let drive = async {
        let following = |progress: &Progress| progress.phase == Phase::Following;
        seen.wait_for(following).await.unwrap();
        let mut conn = connect(url).await;
        execute(&mut conn, &format!("USE {SCHEMA}")).await;
        changes(&mut conn).await;
        let end = source.binlog_end(&mut conn).await.unwrap();
        seen.wait_for(|progress| progress.durable.as_ref() >= Some(&end)).await.unwrap();
        stop.send(true).unwrap();
    };
    let work = async {
        tokio::select! {
            ended = replicate(&replication, &settings, stopped) => ended,
            () = async { drive.await; std::future::pending().await } => Ok(()),
        }
    };
    tokio::time::timeout(LIMIT, work).await.unwrap()?;
    Ok(memory)
}

fn settings(spill: std::path::PathBuf) -> Settings {
    let flush = FlushPolicy { max_interval: Duration::from_millis(200), max_bytes: 64 << 20 };
    Settings {
        mode: Mode::LoadAndFollow,
        load: LoadSettings {
            max_rows: 100_000,
            max_bytes: 64 << 20,
            connections: 1,
            segment_rows: 1 << 40,
        },
        follow: FollowSettings {
            server_id: 4_242,
            flush,
            max_transaction_bytes: 64 << 20,
            spill,
            untold_rows: Default::default(),
        },
        reload: Default::default(),
        reconnect: ReconnectPolicy {
            attempts: 0,
            first_pause: Duration::from_millis(1),
            longest_pause: Duration::from_millis(1),
        },
    }
}

/// The rows of a Bronze file.
pub(crate) fn rows(file: &Bytes) -> RecordBatch {
    let reader = ParquetRecordBatchReaderBuilder::try_new(file.clone()).unwrap();
    let schema = reader.schema().clone();
    let batches: Vec<RecordBatch> = reader.build().unwrap().map(Result::unwrap).collect();
    concat_batches(&schema, &batches).unwrap()
}

/// Operation and id of each row.
pub(crate) fn operations(rows: &RecordBatch) -> Vec<(String, i32)> {
    let ids = rows.column_by_name("id").unwrap().as_primitive::<Int32Type>();
    let ops = rows.column_by_name("Op").unwrap().as_string::<i32>();
    assert_eq!(ids.null_count(), 0);
    ops.iter().map(|op| op.unwrap().to_owned()).zip(ids.values().iter().copied()).collect()
}
