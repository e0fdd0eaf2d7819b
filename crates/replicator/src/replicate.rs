//! The whole of a replication: check, full load unless there is a checkpoint, follow.

use bytes::Bytes;
use medallion_definition::contract::TableContract;
use tokio::sync::watch;

use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::follow::{FollowError, FollowSettings, follow};
use crate::preflight::{self, PreflightError};
use crate::progress::Progress;
use crate::server::Source;
use crate::sink::{BronzeSink, SinkError};
use crate::snapshot::{LoadPolicy, SnapshotError, snapshot};

/// What is replicated, and where to.
#[derive(Debug)]
pub struct Replication<'a, S> {
    /// The server.
    pub source: &'a Source,
    /// Its tables.
    pub contracts: &'a [TableContract],
    /// The store.
    pub sink: &'a S,
    /// Where progress is told.
    pub progress: &'a watch::Sender<Progress>,
}

/// How to replicate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The files of the full load.
    pub load: LoadPolicy,
    /// The changes.
    pub follow: FollowSettings,
}

/// Why replication stopped.
#[derive(Debug, thiserror::Error)]
pub enum ReplicateError {
    /// Before anything was read.
    #[error("replication cannot begin")]
    Preflight(#[from] PreflightError),
    /// The stored checkpoint is of no use (operator).
    #[error("replication cannot go on where it stopped")]
    Checkpoint(#[from] CheckpointError),
    /// During the full load.
    #[error("the full load failed")]
    Snapshot(#[from] SnapshotError),
    /// While following the binlog.
    #[error("following the changes failed")]
    Follow(#[from] FollowError),
    /// The checkpoint could not be read or written.
    #[error("the checkpoint's store failed")]
    Sink(#[from] SinkError),
    /// The checkpoint has no JSON form (bug).
    #[error("the checkpoint cannot be written")]
    Json(#[source] serde_json::Error),
}

/// Replicates until `stop` becomes true or its sender is gone; then everything read so far is
/// durable. A stop during the full load takes effect after it.
///
/// With a checkpoint in the store, reading goes on there; without one, a full load comes first.
pub async fn replicate<S: BronzeSink>(
    replication: &Replication<'_, S>,
    settings: &Settings,
    stop: watch::Receiver<bool>,
) -> Result<(), ReplicateError> {
    let Replication { source, contracts, sink, .. } = *replication;
    let facts = preflight::check(source, contracts).await?;
    let checkpoint = match sink.read_checkpoint().await? {
        Some(json) => Checkpoint::from_json(&json, &facts.server_uuid)?,
        None => {
            let loaded = snapshot(replication, &facts, &settings.load).await?;
            let json = loaded.to_json().map_err(ReplicateError::Json)?;
            sink.write_checkpoint(Bytes::from(json)).await?;
            loaded
        }
    };
    follow(replication, &facts, &settings.follow, checkpoint, stop).await?;
    Ok(())
}
