//! A task's run: what is asked and prepared before the replicator works, and what it is told.

use std::collections::BTreeSet;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use medallion_definition::name::TableId;
use medallion_replicator::follow::{FlushPolicy, FollowSettings, UntoldRows};
use medallion_replicator::load::LoadSettings;
use medallion_replicator::position::PositionError;
use medallion_replicator::server::{DatabaseError, Source};
use medallion_replicator::sink::{BronzeSink, S3Sink};
use medallion_replicator::{Mode, ReconnectPolicy, ReplicateError, Settings, StartPosition};
use sha2::{Digest, Sha256};
use tokio::sync::mpsc::UnboundedReceiver;

use super::bucket::{self, BucketError};
use super::endpoints::Side;
use super::execution::{Begin, Control, End, Stage, StopReason};
use super::mappings::Selection;
use super::plan::Plan;
use super::position::parse_position;
use super::session::Session;
use super::settings::Preparation;
use super::source::Login;
use super::statistics::{LoadState, TableCounts};
use super::store::Store;
use super::survey::{self, SurveyError};
use super::task_wire::MigrationType;

/// The most rows and bytes of a full-load file.
const LOAD_ROWS: usize = 100_000;
const LOAD_BYTES: usize = 16 << 20;
/// Rows of a key range when the mappings ask for ranges. Where DMS takes the boundaries of the
/// rule, the replicator finds its own: the same rows come, in other `SEGMENT` files.
const SEGMENT_ROWS: u64 = 100_000;

/// A run to be done.
#[derive(Debug)]
pub(super) struct Order {
    pub(super) arn: String,
    pub(super) plan: Plan,
    pub(super) begin: Begin,
}

/// Why a run failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum RunError {
    /// The endpoint was not told of the secret (operator).
    #[error("the secret `{0}` is not known to this endpoint")]
    Secret(String),
    /// The server cannot be reached, or refuses (see the cause).
    #[error("the source cannot be used")]
    Source(#[from] DatabaseError),
    /// The source does not fit the task (operator).
    #[error(transparent)]
    Survey(#[from] SurveyError),
    /// The bucket cannot be used (see the cause).
    #[error("the target cannot be used")]
    Bucket(#[from] BucketError),
    /// Nothing tells where to go on (operator).
    #[error("there is no checkpoint to go on from; hint: start-replication with a position")]
    NoCheckpoint,
    /// The start position names no place (operator).
    #[error("the start position cannot be used")]
    Position(#[from] PositionError),
    /// A truncated table, and the task settings want to hear of it (operator).
    #[error("{0} (ApplyErrorFailOnTruncationDdl)")]
    RowsUntold(String),
    /// The replicator stopped.
    #[error(transparent)]
    Replicate(#[from] ReplicateError),
}

impl RunError {
    fn reason(&self) -> StopReason {
        let recoverable = match self {
            Self::Source(
                DatabaseError::Unreachable { .. }
                | DatabaseError::Lost { .. }
                | DatabaseError::Busy { .. },
            )
            | Self::Survey(SurveyError::Database(_)) => true,
            Self::Replicate(error) => error.is_transient(),
            _ => false,
        };
        if recoverable { StopReason::RecoverableError } else { StopReason::FatalError }
    }
}

/// An error and its causes in one line.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        // Some libraries repeat the source in their own message.
        if !text.ends_with(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn source(store: &Store, login: &Login) -> Result<Source, RunError> {
    let url = match login {
        Login::Url(url) => url.expose(),
        Login::Secret(id) => {
            store.secrets.get(id).ok_or_else(|| RunError::Secret(id.clone()))?.expose()
        }
    };
    Ok(Source::from_url(url)?)
}

fn sink(store: &Store, plan: &Plan) -> S3Sink {
    let (client, bucket) = (store.s3.clone(), plan.target.bucket.clone());
    S3Sink { client, bucket, task: plan.name.clone() }
}

/// Tries what an endpoint leads to; the error is for people.
pub(super) async fn test(store: &Store, side: &Side) -> Result<(), String> {
    let outcome = match side {
        Side::Source(login) => {
            async {
                let conn = source(store, login)?.connect().await?;
                // The connection was made; how it ends no longer matters.
                drop(conn.disconnect().await);
                Ok::<(), RunError>(())
            }
            .await
        }
        Side::Target(target) => {
            bucket::check(&store.s3, &target.bucket).await.map_err(RunError::from)
        }
    };
    outcome.map_err(|error| format!("Test Endpoint failed: {}", chain(&error)))
}

/// True when an earlier run of a replication of this name left a checkpoint.
pub(super) async fn has_checkpoint(store: &Store, plan: &Plan) -> bool {
    sink(store, plan).read_checkpoint().await.is_ok_and(|found| found.is_some())
}

/// Forgets how far a replication was.
pub(super) async fn forget(store: &Store, plan: &Plan) {
    // A checkpoint that stays is removed by the next fresh start.
    drop(bucket::remove_checkpoint(&store.s3, &plan.target.bucket, &plan.name).await);
}

/// Does the run and enters its end.
pub(super) async fn attend(
    store: Arc<Store>,
    order: Order,
    controlled: UnboundedReceiver<Control>,
) {
    let end = match run(&store, &order, controlled).await {
        Ok(reason) => End { reason, failure: None },
        Err(error) => End { reason: error.reason(), failure: Some(chain(&error)) },
    };
    store.finish(&order.arn, end);
}

async fn run(
    store: &Store,
    order: &Order,
    controlled: UnboundedReceiver<Control>,
) -> Result<StopReason, RunError> {
    let Order { arn, plan, begin } = order;
    store.at_stage(arn, Stage::TestingConnection);
    let source = source(store, &plan.login)?;
    let mut conn = source.connect().await?;
    store.at_stage(arn, Stage::FetchingMetadata);
    let settings = &plan.settings;
    let selection = survey::select(&mut conn, &plan.mappings, settings.fail_without_tables).await?;
    let tables = survey::ids(&selection.tables)?;
    let loads = plan.migration != MigrationType::Cdc;
    if loads && *begin != Begin::Resume {
        survey::check_lobs(&mut conn, &selection.tables, settings.lob_bytes).await?;
    }
    let mode = match (plan.migration, begin) {
        (MigrationType::FullLoad, _) => Mode::LoadOnly,
        (MigrationType::FullLoadAndCdc, _) => Mode::LoadAndFollow,
        (MigrationType::Cdc, Begin::Anew(Some(text))) => {
            let position =
                parse_position(text).map_err(|_| PositionError::File { file: text.clone() })?;
            Mode::FollowFrom(StartPosition::Binlog(position))
        }
        (MigrationType::Cdc, _) => {
            let end = source.binlog_end(&mut conn).await?;
            Mode::FollowFrom(StartPosition::Binlog(end))
        }
    };
    // What follows opens its own connections.
    drop(conn.disconnect().await);
    let restored = match begin {
        Begin::Anew(_) => {
            bucket::remove_checkpoint(&store.s3, &plan.target.bucket, &plan.name).await?;
            false
        }
        Begin::Resume | Begin::Reload => has_checkpoint(store, plan).await,
    };
    if plan.migration == MigrationType::Cdc && *begin == Begin::Resume && !restored {
        return Err(RunError::NoCheckpoint);
    }
    if loads && *begin != Begin::Resume && settings.preparation == Preparation::Clear {
        bucket::clear(&store.s3, &plan.target.bucket, &tables).await?;
    }
    let reload = if *begin == Begin::Reload && restored {
        tables.iter().cloned().collect()
    } else {
        BTreeSet::new()
    };
    let settings = self::settings(store, order, &selection, mode, reload);
    let before = if loads { LoadState::Before } else { LoadState::Completed };
    let none = selection.tables.into_iter().map(|table| (table, TableCounts::new(before)));
    if *begin != Begin::Resume {
        store.observe(arn, none, None);
    }
    store.at_stage(arn, Stage::ReplicationStarting);
    let sink = sink(store, plan);
    Session { store, order, source, tables, sink, settings, controlled }.work().await
}

fn settings(
    store: &Store,
    order: &Order,
    selection: &Selection,
    mode: Mode,
    reload: BTreeSet<TableId>,
) -> Settings {
    let (target, task) = (&order.plan.target, &order.plan.settings);
    let digest = Sha256::digest(order.arn.as_bytes());
    let server_id = u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]]);
    let pause = Duration::from_secs(task.retry.interval);
    Settings {
        mode,
        load: LoadSettings {
            max_rows: LOAD_ROWS,
            max_bytes: LOAD_BYTES,
            connections: task.connections,
            segment_rows: if selection.in_ranges.is_empty() { u64::MAX } else { SEGMENT_ROWS },
        },
        follow: FollowSettings {
            // Zero is no server id.
            server_id: server_id.max(1),
            flush: FlushPolicy { max_interval: target.interval, max_bytes: target.bytes },
            max_transaction_bytes: task.transaction_bytes,
            spill: store.spill.clone(),
            untold_rows: UntoldRows::Tell,
        },
        reload,
        reconnect: ReconnectPolicy {
            attempts: task.retry.count.unwrap_or(u32::MAX),
            first_pause: pause,
            longest_pause: Duration::from_secs(task.retry.longest),
        },
    }
}
