//! The whole of a replication: check, full load of what is not loaded, follow; again after a
//! broken connection.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::{DateTime, Utc};
use medallion_definition::name::TableId;
use tokio::sync::watch;

use crate::checkpoint::{Checkpoint, CheckpointError, LoadProgress, SafePoint, TableProgress};
use crate::checkpoint_store::{CheckpointStore, CheckpointStoreError};
use crate::failover;
use crate::follow::{FollowEnd, FollowSettings, follow, stopped};
use crate::follow_error::FollowError;
use crate::gtid::GtidSet;
use crate::load::snapshot::Snapshot;
use crate::load::{LoadError, LoadSettings, load};
use crate::position::BinlogPosition;
use crate::preflight::{self, PreflightError, ServerFacts};
use crate::progress::{Notice, Phase, Progress};
use crate::server::{DatabaseError, Source};
use crate::sink::{BronzeSink, SinkError};

const LONGEST_PAUSE_BEFORE_RELOAD: Duration = Duration::from_secs(10);

/// What is replicated, and where to.
#[derive(Debug)]
pub struct Replication<'a, S> {
    /// The server.
    pub source: &'a Source,
    /// Its tables, each with a primary key.
    pub tables: &'a [TableId],
    /// The store.
    pub sink: &'a S,
    /// Where progress is told.
    pub progress: &'a watch::Sender<Progress>,
}

/// How to replicate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// What to do without a checkpoint.
    pub mode: Mode,
    /// The full load.
    pub load: LoadSettings,
    /// The changes.
    pub follow: FollowSettings,
    /// Tables to load anew first; needs a checkpoint.
    pub reload: BTreeSet<TableId>,
    /// What to do when the server or the store cannot be reached.
    pub reconnect: ReconnectPolicy,
}

/// What a replication without a checkpoint begins with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mode {
    /// A full load, and then the changes since.
    LoadAndFollow,
    /// A full load only.
    LoadOnly,
    /// Changes only.
    FollowFrom(StartPosition),
}

/// Where changes begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StartPosition {
    /// At a position of the source's binlog, between two transactions.
    Binlog(BinlogPosition),
    /// After these transactions.
    Gtid(GtidSet),
}

/// How long to try again what may work later. Each pause is twice as long as the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReconnectPolicy {
    /// How often in a row, without any progress between.
    pub attempts: u32,
    /// The first pause.
    pub first_pause: Duration,
    /// The longest pause.
    pub longest_pause: Duration,
}

/// Why replication stopped.
#[derive(Debug, thiserror::Error)]
pub enum ReplicateError {
    /// Before anything was read.
    #[error("replication cannot begin")]
    Preflight(#[from] PreflightError),
    /// The server could not be asked.
    #[error("the source cannot be read")]
    Database(#[from] DatabaseError),
    /// The stored checkpoint is of no use, or could not be moved.
    #[error("replication cannot go on where it stopped")]
    Checkpoint(#[from] CheckpointStoreError),
    /// XA transactions are prepared whose rows neither a snapshot nor the binlog after it has
    /// (retry, once they are decided).
    #[error("XA transactions are prepared; hint: commit or roll back what XA RECOVER shows")]
    PreparedXa,
    /// GTIDs are asked for, but the source's transactions have none (operator).
    #[error("the source writes no GTIDs; hint: set gtid_mode = ON, or begin at a binlog position")]
    NoGtids,
    /// During the full load.
    #[error("the full load failed")]
    Load(#[from] LoadError),
    /// While following the binlog.
    #[error("following the changes failed")]
    Follow(#[from] FollowError),
}

/// How one connection's work ended.
enum SessionEnd {
    Stopped,
    /// Tables have to be loaded anew.
    Again,
}

/// Replicates until `stop` becomes true or its sender is gone; then everything read so far is
/// durable.
///
/// With a checkpoint in the store, the work goes on there: unfinished loads first, then the
/// changes. What may work later is tried again as the settings say.
pub async fn replicate<S: BronzeSink>(
    replication: &Replication<'_, S>,
    settings: &Settings,
    mut stop: watch::Receiver<bool>,
) -> Result<(), ReplicateError> {
    let policy = settings.reconnect;
    let mut reload = settings.reload.clone();
    let mut failures = 0;
    loop {
        let before = standing(replication);
        let error = match session(replication, settings, &mut reload, &stop).await {
            Ok(SessionEnd::Stopped) => return Ok(()),
            Ok(SessionEnd::Again) => continue,
            Err(error) => error,
        };
        if standing(replication) != before {
            failures = 0;
        }
        failures += 1;
        if !error.is_transient() || failures > policy.attempts {
            return Err(error);
        }
        let pause = policy.first_pause.saturating_mul(1 << (failures - 1).min(16));
        let reason = std::error::Error::source(&error)
            .map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}"));
        replication.progress.send_modify(|progress| {
            progress.phase = Phase::Reconnecting;
            if let Some(position) = progress.durable.clone() {
                progress.notices.push(Notice::Reconnected { position, reason });
            }
        });
        tokio::select! {
            () = stopped(&mut stop) => return Ok(()),
            () = tokio::time::sleep(pause.min(policy.longest_pause)) => {}
        }
    }
}

/// What moves while a replication gets on: the durable place, and the files of a load.
fn standing<S>(replication: &Replication<'_, S>) -> (Option<BinlogPosition>, usize) {
    let progress = replication.progress.borrow();
    (progress.durable.clone(), progress.files.len())
}

/// Works over one set of connections.
async fn session<S: BronzeSink>(
    replication: &Replication<'_, S>,
    settings: &Settings,
    reload: &mut BTreeSet<TableId>,
    stop: &watch::Receiver<bool>,
) -> Result<SessionEnd, ReplicateError> {
    let Replication { source, tables, sink, progress } = *replication;
    let facts = preflight::check(source, tables).await?;
    let (mut store, stored) = CheckpointStore::open(sink).await?;
    let mut snapshot = None;
    let mut checkpoint = match stored {
        Some(stored) => failover::adopt(source, &facts, stored, progress).await?,
        None => {
            let (checkpoint, opened) = begin(replication, settings, &facts).await?;
            snapshot = opened;
            checkpoint
        }
    };
    // Changes of a table that was left out for a while have not been followed.
    let captured: BTreeSet<String> = tables.iter().map(ToString::to_string).collect();
    let left_out = checkpoint.tables.iter().filter(|(table, progress)| {
        !captured.contains(*table) && !matches!(progress.load, LoadProgress::Pending)
    });
    let left_out: Vec<TableId> = left_out.filter_map(|(table, _)| table.parse().ok()).collect();
    left_out.iter().for_each(|table| checkpoint.load_again(table));
    if !reload.is_empty() {
        reload.iter().for_each(|table| checkpoint.load_again(table));
        // From here on the checkpoint knows: the demand survives whatever fails next.
        store.write(&checkpoint).await?;
        reload.clear();
    }
    if checkpoint.has_to_load(tables) {
        progress.send_modify(|progress| progress.phase = Phase::Loading);
        tokio::time::sleep(pause_before_reload(&checkpoint, Utc::now())).await;
        let snapshot = match snapshot {
            Some(snapshot) => snapshot,
            None => Snapshot::open(source, &facts, tables, settings.load.connections).await?,
        };
        let loaded =
            load(replication, &settings.load, snapshot, &mut checkpoint, &mut store, stop).await?;
        if !loaded {
            return Ok(SessionEnd::Stopped);
        }
    } else {
        store.write(&checkpoint).await?;
    }
    if settings.mode == Mode::LoadOnly {
        return Ok(SessionEnd::Stopped);
    }
    let follow_settings = &settings.follow;
    let end =
        follow(replication, &facts, follow_settings, checkpoint, &mut store, stop.clone()).await?;
    Ok(match end {
        FollowEnd::Stopped => SessionEnd::Stopped,
        FollowEnd::Reload => SessionEnd::Again,
    })
}

/// How long to wait so that a table's new load is younger than all change files from before it,
/// also where a store tells times in seconds.
///
/// Change files are named by the moment of writing, or a few milliseconds later; a clock that was
/// set back is not waited for.
fn pause_before_reload(checkpoint: &Checkpoint, now: DateTime<Utc>) -> Duration {
    let again = |table: &&TableProgress| {
        table.reloads > 0 && !matches!(table.load, LoadProgress::Done { .. })
    };
    let written = checkpoint.tables.values().filter(again).map(|table| {
        // Files that no checkpoint knows were written before this moment.
        table.last_written.unwrap_or_default().max(now.timestamp_millis())
    });
    let Some(youngest) = written.max() else { return Duration::ZERO };
    let next_second = (youngest / 1000 + 1) * 1000;
    let pause = u64::try_from(next_second - now.timestamp_millis()).unwrap_or_default();
    Duration::from_millis(pause + 50).min(LONGEST_PAUSE_BEFORE_RELOAD)
}

/// The first checkpoint, with the snapshot that it belongs to when there is a full load.
async fn begin<S: BronzeSink>(
    replication: &Replication<'_, S>,
    settings: &Settings,
    facts: &ServerFacts,
) -> Result<(Checkpoint, Option<Snapshot>), ReplicateError> {
    let (source, tables) = (replication.source, replication.tables);
    let uuid = facts.server_uuid.clone();
    let at = |position| SafePoint { position, second: 0 };
    let start = match &settings.mode {
        Mode::LoadAndFollow | Mode::LoadOnly => {
            let snapshot = Snapshot::open(source, facts, tables, settings.load.connections).await?;
            if snapshot.prepared_xa {
                return Err(ReplicateError::PreparedXa);
            }
            let safe = at(snapshot.position.clone());
            let checkpoint = Checkpoint::new(uuid, safe, snapshot.gtids.clone());
            return Ok((checkpoint, Some(snapshot)));
        }
        Mode::FollowFrom(start) => start,
    };
    let mut checkpoint = match start {
        StartPosition::Binlog(position) => {
            let set = GtidSet::default();
            let mut checkpoint = Checkpoint::new(uuid, at(position.clone()), set);
            checkpoint.counts_gtids = false;
            checkpoint
        }
        StartPosition::Gtid(_) if !facts.gtid => return Err(ReplicateError::NoGtids),
        StartPosition::Gtid(set) => {
            Checkpoint::new(uuid, at(BinlogPosition::unknown()), set.clone())
        }
    };
    for table in tables {
        checkpoint.table(table).load = LoadProgress::Done { rows: 0, files: 0 };
    }
    Ok((checkpoint, None))
}

impl ReplicateError {
    /// True for what may work when it is tried again.
    pub fn is_transient(&self) -> bool {
        let store = |error: &CheckpointStoreError| match error {
            CheckpointStoreError::Sink(error) => sink(error),
            CheckpointStoreError::Checkpoint(CheckpointError::Behind { .. }) => true,
            CheckpointStoreError::Checkpoint(
                CheckpointError::Malformed { .. }
                | CheckpointError::Version { .. }
                | CheckpointError::OtherServer { .. },
            )
            | CheckpointStoreError::Taken
            | CheckpointStoreError::Json(_) => false,
        };
        match self {
            ReplicateError::Preflight(PreflightError::Database(error))
            | ReplicateError::Database(error)
            | ReplicateError::Load(LoadError::Database(error))
            | ReplicateError::Follow(FollowError::Database(error)) => database(error),
            ReplicateError::Checkpoint(error)
            | ReplicateError::Load(LoadError::Checkpoint(error))
            | ReplicateError::Follow(FollowError::Checkpoint(error)) => store(error),
            ReplicateError::Load(LoadError::Sink(error))
            | ReplicateError::Follow(FollowError::Sink(error)) => sink(error),
            ReplicateError::PreparedXa
            | ReplicateError::Follow(
                FollowError::Ended { .. }
                | FollowError::Silent { .. }
                | FollowError::Detached { .. },
            ) => true,
            ReplicateError::Preflight(PreflightError::Findings { .. })
            | ReplicateError::NoGtids
            | ReplicateError::Load(
                LoadError::NoTable { .. }
                | LoadError::Shape { .. }
                | LoadError::Value { .. }
                | LoadError::File { .. },
            )
            | ReplicateError::Follow(
                FollowError::Purged { .. }
                | FollowError::Rejected { .. }
                | FollowError::Event { .. }
                | FollowError::TableMap { .. }
                | FollowError::Row { .. }
                | FollowError::Position(_)
                | FollowError::File(_)
                | FollowError::Spill(_),
            ) => false,
        }
    }
}

fn database(error: &DatabaseError) -> bool {
    match error {
        DatabaseError::Unreachable { .. }
        | DatabaseError::Lost { .. }
        | DatabaseError::Busy { .. } => true,
        DatabaseError::Url
        | DatabaseError::Denied { .. }
        | DatabaseError::Refused { .. }
        | DatabaseError::Answer { .. } => false,
    }
}

fn sink(error: &SinkError) -> bool {
    match error {
        SinkError::Unavailable { .. } => true,
        SinkError::Conflict { .. } | SinkError::Denied { .. } => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_load_waits_for_the_second_after_the_youngest_change_file() {
        let position = BinlogPosition::unknown();
        let safe = SafePoint { position, second: 0 };
        let mut checkpoint = Checkpoint::new("uuid".to_owned(), safe, GtidSet::default());
        let customers: TableId = "crm.customers".parse().unwrap();
        let now = DateTime::from_timestamp_millis(10_300).unwrap();
        let pause = |checkpoint: &Checkpoint| pause_before_reload(checkpoint, now).as_millis();
        checkpoint.table(&customers).last_written = Some(11_000);
        assert_eq!(pause(&checkpoint), 0, "a first load has nothing before it");
        checkpoint.load_again(&customers);
        assert_eq!(pause(&checkpoint), 1_750);
        checkpoint.table(&customers).last_written = Some(9_000);
        assert_eq!(pause(&checkpoint), 750);
        checkpoint.table(&customers).last_written = Some(900_000);
        assert_eq!(pause(&checkpoint), 10_000, "a clock that was set back");
    }
}
