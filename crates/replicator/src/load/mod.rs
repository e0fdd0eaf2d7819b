//! The full load: tables in key ranges, several at a time, each range once in the checkpoint.
//!
//! Where a load was interrupted it goes on with the ranges that are not done, through a new
//! snapshot. The rows of later ranges are then newer than the place where following begins. That
//! converges: every change from that place on is applied to them again, and changes carry whole
//! rows. DMS does the same with the changes that it caches while it loads.

pub mod plan;
pub mod table_read;

pub(crate) mod segment;
pub(crate) mod snapshot;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::future::try_join_all;
use medallion_definition::name::TableId;
use medallion_ingestion::layout::BronzeKey;
use mysql_async::Conn;
use tokio::sync::{Mutex, watch};

use crate::bronze_file::BronzeFileError;
use crate::checkpoint::{Checkpoint, LoadProgress};
use crate::checkpoint_store::{CheckpointStore, CheckpointStoreError};
use crate::knowledge;
use crate::position::BinlogPosition;
use crate::progress::Progress;
use crate::replicate::Replication;
use crate::server::DatabaseError;
use crate::shape::{ShapeError, TableShape};
use crate::sink::{BronzeSink, SinkError};
use crate::value::ValueError;
use plan::Segment;
use segment::{Loaded, SegmentLoad};
use snapshot::Snapshot;

/// How the full load works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoadSettings {
    /// The most rows in a file.
    pub max_rows: usize,
    /// About the most bytes of a file's rows in memory, for each connection.
    pub max_bytes: usize,
    /// How many key ranges are read at a time, each over its own connection.
    pub connections: usize,
    /// About how many rows a key range has; smaller tables are read as a whole.
    pub segment_rows: u64,
}

/// Why the full load failed. It goes on with the ranges that are not done the next time.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The server did not answer as hoped.
    #[error("the full load cannot be read")]
    Database(#[from] DatabaseError),
    /// The table is not there any more (operator).
    #[error("MySQL has no table `{table}`, or the user may not read it")]
    NoTable {
        /// The table.
        table: TableId,
    },
    /// The table cannot be carried (operator).
    #[error("table `{table}` cannot be loaded")]
    Shape {
        /// The table.
        table: TableId,
        /// Why.
        source: ShapeError,
    },
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
    /// The checkpoint could not be moved.
    #[error("the full load cannot be recorded")]
    Checkpoint(#[from] CheckpointStoreError),
}

/// A table that is being loaded.
struct TableLoad {
    table: TableId,
    shape: Arc<TableShape>,
    /// The column of the ranges.
    column: String,
    segments: Vec<Segment>,
    reload: bool,
}

/// What the workers share.
struct Shared<'a, 'b, S> {
    checkpoint: &'a mut Checkpoint,
    store: &'a mut CheckpointStore<'b, S>,
    /// The ranges that nobody has taken yet: table and range.
    waiting: Vec<(usize, usize)>,
    loads: Vec<TableLoad>,
}

/// Loads what the checkpoint says is not loaded. True when everything is; false when asked to
/// stop before.
pub(crate) async fn load<S: BronzeSink>(
    replication: &Replication<'_, S>,
    settings: &LoadSettings,
    mut snapshot: Snapshot,
    checkpoint: &mut Checkpoint,
    store: &mut CheckpointStore<'_, S>,
    stop: &watch::Receiver<bool>,
) -> Result<bool, LoadError> {
    let mut loads = Vec::new();
    for table in replication.tables {
        let conn = &mut snapshot.conns[0];
        let at = &snapshot.position;
        if let Some(load) = prepare(replication, settings, conn, at, checkpoint, table).await? {
            loads.push(load);
        }
    }
    store.write(checkpoint).await?;
    let mut waiting = Vec::new();
    for (index, load) in loads.iter().enumerate() {
        let open = load.segments.iter().enumerate().filter(|(_, segment)| !segment.done);
        waiting.extend(open.map(|(segment, _)| (index, segment)));
    }
    // Ranges are taken from the end.
    waiting.reverse();
    tell(replication.progress, checkpoint);
    let shared = Mutex::new(Shared { checkpoint, store, waiting, loads });
    let workers =
        snapshot.conns.into_iter().map(|conn| work(replication, settings, conn, &shared, stop));
    let finished = try_join_all(workers).await?;
    Ok(finished.into_iter().all(|finished| finished))
}

/// The ranges of a table, planned now unless an earlier start has done so.
async fn prepare<S: BronzeSink>(
    replication: &Replication<'_, S>,
    settings: &LoadSettings,
    conn: &mut Conn,
    position: &BinlogPosition,
    checkpoint: &mut Checkpoint,
    table: &TableId,
) -> Result<Option<TableLoad>, LoadError> {
    let source = replication.source;
    let progress = checkpoint.table(table);
    if matches!(progress.load, LoadProgress::Done { .. }) {
        return Ok(None);
    }
    let shape = knowledge::shape(source, conn, table).await?;
    let shape = shape.ok_or_else(|| LoadError::NoTable { table: table.clone() })?;
    let shape = shape.map_err(|source| LoadError::Shape { table: table.clone(), source })?;
    let first = &shape.columns()[shape.key()[0]];
    let column = format!("{} {}", first.name, first.source_type);
    let segments = match &progress.load {
        LoadProgress::Running { column: planned, segments } if *planned == column => {
            segments.clone()
        }
        LoadProgress::Running { .. } | LoadProgress::Pending | LoadProgress::Done { .. } => {
            progress.loaded_at = Some(position.clone());
            plan::plan(source, conn, table, &shape, settings.segment_rows).await?
        }
    };
    progress.load = LoadProgress::Running { column: column.clone(), segments: segments.clone() };
    let reload = progress.reloads > 0;
    let (table, shape) = (table.clone(), Arc::new(shape));
    Ok(Some(TableLoad { table, shape, column, segments, reload }))
}

/// Takes range after range. True when there are no more, false when asked to stop.
async fn work<S: BronzeSink>(
    replication: &Replication<'_, S>,
    settings: &LoadSettings,
    mut conn: Conn,
    shared: &Mutex<Shared<'_, '_, S>>,
    stop: &watch::Receiver<bool>,
) -> Result<bool, LoadError> {
    loop {
        if *stop.borrow() {
            return Ok(false);
        }
        let (index, place, table, shape, segment, only, reload) = {
            let mut shared = shared.lock().await;
            let Some((index, place)) = shared.waiting.pop() else { break };
            let TableLoad { table, shape, segments, reload, .. } = &shared.loads[index];
            let only = segments.len() == 1;
            let segment = segments[place].clone();
            (index, place, table.clone(), Arc::clone(shape), segment, only, *reload)
        };
        let load = SegmentLoad {
            source: replication.source,
            sink: replication.sink,
            settings,
            progress: replication.progress,
            stop,
            table: &table,
            shape: &shape,
            number: (!only).then(|| u32::try_from(place + 1).unwrap_or(u32::MAX)),
            mark_empty: only && reload,
        };
        let Some(loaded) = load.run(&mut conn, &segment).await? else { return Ok(false) };
        shared.lock().await.finished(replication, index, place, loaded).await?;
    }
    // Everything is read; how the connection ends no longer matters.
    let _ = conn.disconnect().await;
    Ok(true)
}

impl<S: BronzeSink> Shared<'_, '_, S> {
    /// Records a range as done, and with the last one the table.
    async fn finished(
        &mut self,
        replication: &Replication<'_, S>,
        index: usize,
        place: usize,
        Loaded { rows, files }: Loaded,
    ) -> Result<(), LoadError> {
        let TableLoad { table, column, segments, .. } = &mut self.loads[index];
        let segment = &mut segments[place];
        (segment.done, segment.rows, segment.files) = (true, rows, files);
        let progress = self.checkpoint.table(table);
        let (column, ranges) = (column.clone(), segments.clone());
        progress.load = LoadProgress::Running { column, segments: ranges };
        if segments.iter().all(|segment| segment.done) {
            replication.sink.retain_loads(table, &keys(table, segments)).await?;
            let rows = segments.iter().map(|s| s.rows).sum();
            let files = segments.iter().map(|s| s.files).sum();
            progress.load = LoadProgress::Done { rows, files };
        }
        self.store.write(self.checkpoint).await?;
        tell(replication.progress, self.checkpoint);
        Ok(())
    }
}

/// The files of a load that is complete.
fn keys(table: &TableId, segments: &[Segment]) -> BTreeSet<BronzeKey> {
    let only = segments.len() == 1;
    let mut keys = BTreeSet::new();
    for (place, segment) in segments.iter().enumerate() {
        let number = (!only).then(|| u32::try_from(place + 1).unwrap_or(u32::MAX));
        for file in 1..=segment.files {
            keys.insert(BronzeKey::Load { table: table.clone(), segment: number, number: file });
        }
    }
    keys
}

/// Shows the checkpoint's counters.
pub(crate) fn tell(progress: &watch::Sender<Progress>, checkpoint: &Checkpoint) {
    let known = checkpoint.tables.iter();
    let tables: BTreeMap<TableId, _> = known
        .filter_map(|(table, progress)| Some((table.parse().ok()?, progress.statistics())))
        .collect();
    progress.send_modify(|progress| progress.tables = tables);
}
