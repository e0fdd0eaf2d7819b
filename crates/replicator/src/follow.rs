//! Change data capture: from the checkpoint along the binlog, transaction by transaction.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use futures::{FutureExt, Stream, StreamExt};
use medallion_definition::name::TableId;
use mysql_async::BinlogStream;
use mysql_async::binlog::events::Event;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::binlog_end::{EndWatch, is_heartbeat};
use crate::binlog_stream;
use crate::checkpoint::Checkpoint;
use crate::checkpoint_store::CheckpointStore;
use crate::ddl::TableEffect;
use crate::follow_error::FollowError;
use crate::held_rows::HoldPolicy;
use crate::knowledge::{self, SourceKnowledge};
use crate::load::tell;
use crate::preflight::ServerFacts;
use crate::progress::{Notice, Phase};
use crate::replicate::Replication;
use crate::sink::BronzeSink;
use crate::transaction::{Assembled, Assembler};
use crate::writer::ChangeWriter;

/// The most events between two looks at the clock and at the wish to stop.
const TURN_EVENTS: usize = 256;
/// How long the server may be silent; it sends heartbeats more often.
const SILENCE: Duration = Duration::from_secs(30);

/// When buffered changes become files: at the first of both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlushPolicy {
    /// The longest time between two flushes.
    pub max_interval: Duration,
    /// The most bytes in memory, over all tables.
    pub max_bytes: usize,
}

/// What happens when data definition has taken or brought rows that no row event tells of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UntoldRows {
    /// A notice, and nothing in Bronze: what DMS does when it is told to leave the target alone.
    #[default]
    Tell,
    /// The table is loaded anew at once.
    Reload,
}

/// How to follow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FollowSettings {
    /// The id under which the server sees this replica; unique among its replicas.
    pub server_id: u32,
    /// When to write files.
    pub flush: FlushPolicy,
    /// The most bytes of one transaction in memory; the rest waits on disk.
    pub max_transaction_bytes: usize,
    /// The folder for that; its files have no names and vanish with the process.
    pub spill: PathBuf,
    /// What TRUNCATE and its like lead to.
    pub untold_rows: UntoldRows,
}

/// Why following ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum FollowEnd {
    /// It was asked to.
    Stopped,
    /// Tables have to be loaded anew first; the checkpoint says which.
    Reload,
}

/// What comes after the events that were there.
enum Turn {
    Wait,
    /// Much is buffered.
    Flush,
    /// Tables have to be loaded anew before going on.
    Reload,
}

/// Everything that following one binlog needs.
struct Follower<'a, 'b, S> {
    replication: &'a Replication<'b, S>,
    facts: &'a ServerFacts,
    settings: &'a FollowSettings,
    store: &'a mut CheckpointStore<'b, S>,
    assembler: Assembler<'b>,
    writer: ChangeWriter<'b, S>,
    end_watch: EndWatch,
}

/// Follows the binlog until `stop` becomes true or its sender is gone; then writes what is
/// buffered and returns.
pub(crate) async fn follow<'b, S: BronzeSink>(
    replication: &Replication<'b, S>,
    facts: &ServerFacts,
    settings: &FollowSettings,
    checkpoint: Checkpoint,
    store: &mut CheckpointStore<'b, S>,
    mut stop: watch::Receiver<bool>,
) -> Result<FollowEnd, FollowError> {
    let Replication { source, tables, sink, progress } = *replication;
    let mut stream = binlog_stream::open(source, facts, settings.server_id, &checkpoint).await?;
    let knowledge = learn(replication, facts).await?;
    let hold =
        HoldPolicy { max_bytes: settings.max_transaction_bytes, folder: settings.spill.clone() };
    let assembler = Assembler::new(tables, knowledge, hold, &checkpoint);
    tell(progress, &checkpoint);
    let writer = ChangeWriter::new(sink, tables, checkpoint, progress, settings.flush.max_bytes);
    progress.send_modify(|progress| progress.phase = Phase::Following);
    let end_watch = EndWatch::default();
    let mut follower =
        Follower { replication, facts, settings, store, assembler, writer, end_watch };
    follower.writer.announce(&follower.assembler.safe_point().position);
    let interval = settings.flush.max_interval;
    let mut flush_at = Instant::now() + interval;
    let mut heard = Instant::now();
    let end = loop {
        let due = tokio::select! {
            biased;
            () = stopped(&mut stop) => break FollowEnd::Stopped,
            () = tokio::time::sleep_until(flush_at) => true,
            event = tokio::time::timeout_at(heard + SILENCE, stream.next()) => {
                let Ok(event) = event else {
                    let position = follower.assembler.position().clone();
                    return Err(FollowError::Silent { seconds: SILENCE.as_secs(), position });
                };
                let turn = follower.take_ready(event, &mut stream).await?;
                heard = Instant::now();
                match turn {
                    Turn::Wait => false,
                    Turn::Flush => true,
                    Turn::Reload => break FollowEnd::Reload,
                }
            }
        };
        if due {
            let begun = Instant::now();
            follower.flush().await?;
            flush_at = Instant::now() + interval;
            // Nobody listened while the files were written.
            heard += begun.elapsed();
        }
    };
    follower.flush().await?;
    // Everything is durable; how the connection ends no longer matters.
    let _ = stream.close().await;
    Ok(end)
}

/// Waits until it is time to stop: the sender says so or is gone.
pub(crate) async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

/// What the stream has at once, unless this turn has taken enough. The limit comes first: what is
/// taken out of the stream must not be forgotten.
fn ready<S: Stream + Unpin>(stream: &mut S, taken: usize) -> Option<Option<S::Item>> {
    if taken < TURN_EVENTS { stream.next().now_or_never() } else { None }
}

async fn learn<S>(
    replication: &Replication<'_, S>,
    facts: &ServerFacts,
) -> Result<SourceKnowledge, FollowError> {
    let source = replication.source;
    let mut conn = source.connect().await?;
    let knowledge = knowledge::read(source, &mut conn, facts, replication.tables).await?;
    // The answers are in.
    let _ = conn.disconnect().await;
    Ok(knowledge)
}

impl<S: BronzeSink> Follower<'_, '_, S> {
    /// Takes an event and those that have arrived with it, without a look at the clock for each.
    async fn take_ready(
        &mut self,
        first: Option<Result<Event, mysql_async::Error>>,
        stream: &mut BinlogStream,
    ) -> Result<Turn, FollowError> {
        let (mut next, mut taken) = (Some(first), 0);
        while let Some(event) = next {
            let position = || self.assembler.position().clone();
            let event = event.ok_or_else(|| FollowError::Ended { position: position() })?;
            let source = self.replication.source;
            let event = event.map_err(|e| binlog_stream::stream_error(source, &position(), e))?;
            if self.take(&event).await? {
                return Ok(Turn::Reload);
            }
            if self.writer.bytes() >= self.settings.flush.max_bytes {
                return Ok(Turn::Flush);
            }
            taken += 1;
            next = ready(stream, taken);
        }
        Ok(Turn::Wait)
    }

    /// Takes an event. True when tables have to be loaded anew before going on.
    async fn take(&mut self, event: &Event) -> Result<bool, FollowError> {
        let reload = match self.assembler.push(event)? {
            None => false,
            Some(Assembled::Transaction(transaction)) => {
                self.writer.take(transaction).await?;
                false
            }
            Some(Assembled::Definition(touched)) => self.definition(&touched).await?,
        };
        self.writer.announce(&self.assembler.safe_point().position);
        if is_heartbeat(event) {
            let position = self.assembler.position();
            self.end_watch.compare(self.replication.source, position).await?;
        }
        Ok(reload)
    }

    /// Data definition has touched captured tables.
    async fn definition(&mut self, touched: &[(usize, TableEffect)]) -> Result<bool, FollowError> {
        self.assembler.learn(learn(self.replication, self.facts).await?);
        let position = self.assembler.position().clone();
        let mut reload = BTreeSet::new();
        for (index, effect) in touched {
            let table: &TableId = &self.replication.tables[*index];
            if !self.writer.defined(table, &position) || !effect.changes_rows() {
                continue;
            }
            let notice = Notice::RowsUntold {
                table: table.clone(),
                effect: *effect,
                position: position.clone(),
            };
            self.replication.progress.send_modify(|progress| progress.notices.push(notice));
            let gone = matches!(effect, TableEffect::Dropped | TableEffect::RenamedAway);
            if self.settings.untold_rows == UntoldRows::Reload && !gone {
                reload.insert(table.clone());
            }
        }
        reload.iter().for_each(|table| self.writer.load_again(table));
        Ok(!reload.is_empty())
    }

    async fn flush(&mut self) -> Result<(), FollowError> {
        let Follower { writer, assembler, store, .. } = self;
        writer.flush(store, assembler).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_event_is_lost_between_two_turns() {
        let events = 3 * TURN_EVENTS + 1;
        let mut stream = futures::stream::iter(0..events);
        let (mut seen, mut turns) = (Vec::new(), 0);
        while let Some(Some(first)) = stream.next().now_or_never() {
            turns += 1;
            let (mut next, mut taken) = (Some(Some(first)), 0);
            while let Some(Some(event)) = next {
                seen.push(event);
                taken += 1;
                next = ready(&mut stream, taken);
            }
        }
        assert_eq!(turns, 4);
        assert!(seen.into_iter().eq(0..events));
    }
}
