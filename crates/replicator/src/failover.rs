//! A checkpoint meets a server: the one it was written with, or another that has taken over.

use chrono::Utc;
use tokio::sync::watch;

use crate::checkpoint::{Checkpoint, CheckpointError, SafePoint};
use crate::checkpoint_store::CheckpointStoreError;
use crate::load::snapshot::executed;
use crate::position::BinlogPosition;
use crate::preflight::ServerFacts;
use crate::progress::{Notice, Progress};
use crate::replicate::ReplicateError;
use crate::server::Source;

/// Takes over a stored checkpoint.
///
/// With GTIDs the server must have every transaction that Bronze has. One that is behind may catch
/// up. The same server lacks some when its binlog was reset: its positions would then lead to
/// other events, and to no error.
///
/// On another server the position means nothing, but the GTID set does. Binlog positions on that
/// server may be lower, so change sequences go on in a later second than any before.
pub(crate) async fn adopt(
    source: &Source,
    facts: &ServerFacts,
    mut checkpoint: Checkpoint,
    progress: &watch::Sender<Progress>,
) -> Result<Checkpoint, ReplicateError> {
    let refused = |error| ReplicateError::Checkpoint(CheckpointStoreError::Checkpoint(error));
    let is_same = checkpoint.server_uuid == facts.server_uuid;
    if !facts.gtid || checkpoint.gtid_set.is_empty() {
        if is_same {
            return Ok(checkpoint);
        }
        let (expected, found) = (checkpoint.server_uuid, facts.server_uuid.clone());
        return Err(refused(CheckpointError::OtherServer { expected, found }));
    }
    let mut conn = source.connect().await?;
    let executed = executed(source, facts, &mut conn).await?;
    // The answer is in.
    let _ = conn.disconnect().await;
    if !checkpoint.gtid_set.is_within(&executed) {
        return Err(refused(CheckpointError::Behind { server: facts.server_uuid.clone() }));
    }
    if is_same {
        return Ok(checkpoint);
    }
    // Files that no checkpoint knows may be as young as this moment.
    let now = u32::try_from(Utc::now().timestamp()).unwrap_or_default();
    let second = checkpoint.safe.second.max(checkpoint.written_second).max(now) + 1;
    checkpoint.safe = SafePoint { position: BinlogPosition::unknown(), second };
    checkpoint.decided = None;
    let from = std::mem::replace(&mut checkpoint.server_uuid, facts.server_uuid.clone());
    for table in checkpoint.tables.values_mut() {
        table.loaded_at = None;
    }
    let notice = Notice::FailedOver { from, to: facts.server_uuid.clone() };
    progress.send_modify(|progress| progress.notices.push(notice));
    Ok(checkpoint)
}
