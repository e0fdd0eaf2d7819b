//! The replicator at work for a task: told to stop or to load tables again, and watched.

use std::collections::BTreeSet;

use medallion_definition::name::TableId;
use medallion_replicator::progress::{Notice, Phase, Progress, TableState};
use medallion_replicator::server::Source;
use medallion_replicator::sink::S3Sink;
use medallion_replicator::{Mode, Replication, Settings, replicate};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::watch;

use super::execution::{Control, StopReason};
use super::mappings::SourceTable;
use super::position::checkpoint_text;
use super::run::{Order, RunError};
use super::statistics::{LoadState, TableCounts};
use super::store::Store;
use super::survey;

/// The replicator's runs from a start to its end; ReloadTables makes another one.
pub(super) struct Session<'a> {
    pub(super) store: &'a Store,
    pub(super) order: &'a Order,
    pub(super) source: Source,
    pub(super) tables: Vec<TableId>,
    pub(super) sink: S3Sink,
    pub(super) settings: Settings,
    pub(super) controlled: UnboundedReceiver<Control>,
}

/// What ended one run of the replicator.
enum Asked {
    /// Nothing: it was done.
    Nothing,
    Stop,
    Reload(BTreeSet<TableId>),
    /// Rows came or went that no event tells of.
    Untold(String),
}

impl Session<'_> {
    pub(super) async fn work(mut self) -> Result<StopReason, RunError> {
        loop {
            match self.once().await? {
                Asked::Nothing if self.settings.mode == Mode::LoadOnly => {
                    return Ok(StopReason::FullLoadOnlyFinished);
                }
                Asked::Nothing | Asked::Stop => return Ok(StopReason::Normal),
                Asked::Untold(what) => return Err(RunError::RowsUntold(what)),
                Asked::Reload(tables) => self.settings.reload = tables,
            }
        }
    }

    async fn once(&mut self) -> Result<Asked, RunError> {
        if !self.settings.reload.is_empty() {
            self.store.reload_begins(&self.order.arn);
        }
        let (sender, mut progress) = watch::channel(Progress::default());
        let (stop, stopping) = watch::channel(false);
        let replication = Replication {
            source: &self.source,
            tables: &self.tables,
            sink: &self.sink,
            progress: &sender,
        };
        let working = replicate(&replication, &self.settings, stopping);
        tokio::pin!(working);
        let mut asked = Asked::Nothing;
        let (store, order) = (self.store, self.order);
        let outcome = loop {
            tokio::select! {
                outcome = &mut working => break outcome,
                Ok(()) = progress.changed() => {
                    let seen = progress.borrow_and_update();
                    if let Some(what) = untold(order, &seen) {
                        asked = Asked::Untold(what);
                        stop.send_replace(true);
                    }
                    observe(store, order, &seen);
                }
                control = self.controlled.recv(), if !matches!(asked, Asked::Stop) => {
                    asked = after(asked, control)?;
                    stop.send_replace(true);
                }
            }
        };
        observe(store, order, &progress.borrow_and_update());
        outcome?;
        Ok(asked)
    }
}

/// What is asked for after another word of control; no more words mean a stop.
fn after(asked: Asked, control: Option<Control>) -> Result<Asked, RunError> {
    Ok(match (control, asked) {
        (_, Asked::Untold(what)) => Asked::Untold(what),
        (Some(Control::Stop) | None, _) => Asked::Stop,
        (Some(Control::Reload(tables)), Asked::Reload(mut earlier)) => {
            earlier.extend(survey::ids(&tables)?);
            Asked::Reload(earlier)
        }
        (Some(Control::Reload(tables)), _) => {
            Asked::Reload(survey::ids(&tables)?.into_iter().collect())
        }
    })
}

/// The first notice of rows that no event tells of, if the task has to fail for it.
fn untold(order: &Order, progress: &Progress) -> Option<String> {
    let told = |notice: &&Notice| matches!(notice, Notice::RowsUntold { .. });
    let notice = progress.notices.iter().find(told)?;
    order.plan.settings.fail_on_truncation.then(|| notice.to_string())
}

/// Enters what the replicator tells.
fn observe(store: &Store, order: &Order, progress: &Progress) {
    let counts = progress.tables.iter().map(|(id, statistics)| {
        let table = SourceTable {
            schema: id.schema.as_str().to_owned(),
            table: id.table.as_str().to_owned(),
        };
        let state = match statistics.state {
            TableState::BeforeLoad => LoadState::Before,
            TableState::FullLoad => LoadState::Loading,
            TableState::Completed => LoadState::Completed,
        };
        let counts = TableCounts {
            full_load_rows: statistics.full_load_rows,
            inserts: statistics.inserts,
            updates: statistics.updates,
            deletes: statistics.deletes,
            ddls: statistics.ddls,
            ..TableCounts::new(state)
        };
        (table, counts)
    });
    store.observe(&order.arn, counts, progress.durable.as_ref().map(checkpoint_text));
    match progress.phase {
        Phase::Starting | Phase::Reconnecting => {}
        Phase::Loading | Phase::Following => store.now_running(&order.arn, &order.begin),
    }
}
