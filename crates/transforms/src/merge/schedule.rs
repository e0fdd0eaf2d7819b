//! Working off buckets, a few at a time.

use std::collections::BTreeMap;
use std::sync::Arc;

use medallion_tables::files::LiveFile;
use roaring::RoaringTreemap;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::bucket::{Merger, Work};
use super::event::Events;
use super::intake::Intake;
use super::key::KeyEncoder;
use super::partition::{Bucket, Collected, Spilled, by_bucket, bytes_of};
use super::winners::{At, Held, Winners, last_events, winners};
use crate::error::TransformError;

/// How many files or buckets are worked on side by side at most: each takes memory of its own.
const WORKERS: usize = 4;
/// The buckets that are loaded from disk side by side may take this share of the job's memory
/// together: a fifth, since each has encoders of its own and reads rows of the table.
const LOADED: u64 = 5;

/// How many files or buckets are worked on side by side.
pub(crate) fn workers() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from).min(WORKERS)
}

/// The bytes that one bucket loaded from disk may take.
pub(crate) fn loaded_limit(memory_bytes: u64) -> u64 {
    memory_bytes / LOADED / workers() as u64
}

/// Live files by bucket.
pub(super) type Files = BTreeMap<Bucket, Vec<LiveFile>>;

/// Works off all buckets that have events.
pub(super) async fn run(
    merger: &Arc<Merger>,
    intake: &Arc<Intake>,
    events: Collected,
    live: Vec<LiveFile>,
    memory_bytes: u64,
) -> Result<Work, TransformError> {
    let files = files_by_bucket(live);
    match events {
        Collected::Held(events) => held_buckets(merger, intake, events, files).await,
        Collected::Spilled(spilled) => {
            let limit = loaded_limit(memory_bytes);
            spilled_buckets(merger, intake, Arc::new(spilled), files, limit).await
        }
    }
}

pub(super) fn files_by_bucket(live: Vec<LiveFile>) -> Files {
    let mut files = Files::new();
    for file in live {
        files.entry(file.bucket()).or_default().push(file);
    }
    files
}

async fn held_buckets(
    merger: &Arc<Merger>,
    intake: &Arc<Intake>,
    events: Vec<Events>,
    mut files: Files,
) -> Result<Work, TransformError> {
    let buckets = by_bucket(&merger.table, &intake.keys, &events)?;
    let held = Arc::new(Held::new(&intake.keys, events)?);
    let mut tasks = Tasks::<Work, TransformError>::new();
    for (bucket, rows) in buckets {
        let files = files.remove(&bucket).unwrap_or_default();
        let (merger, held) = (Arc::clone(merger), Arc::clone(&held));
        tasks.spawn(async move {
            let winners = winners(&held, rows.into_iter());
            drop(held);
            merger.whole(bucket, &files, &winners).await
        });
    }
    drop(held);
    Ok(together(tasks.finish().await?))
}

async fn spilled_buckets(
    merger: &Arc<Merger>,
    intake: &Arc<Intake>,
    spilled: Arc<Spilled>,
    mut files: Files,
    limit: u64,
) -> Result<Work, TransformError> {
    let mut tasks = Tasks::<Work, TransformError>::new();
    for (bucket, parts) in spilled.buckets(limit) {
        let files = files.remove(&bucket).unwrap_or_default();
        let (merger, intake) = (Arc::clone(merger), Arc::clone(intake));
        let spilled = Arc::clone(&spilled);
        tasks.spawn(async move {
            if parts == 1 {
                let winners = load_winners(&intake.keys, &spilled, bucket, limit)?;
                return merger.whole(bucket, &files, &winners).await;
            }
            let split = spilled.split(bucket, parts, &intake.keys)?;
            let mut gone: BTreeMap<usize, RoaringTreemap> = BTreeMap::new();
            let mut work = Work::default();
            for part in split.parts() {
                let winners = load_winners(&intake.keys, &split, part, limit)?;
                work.merge(merger.part(bucket, &files, &winners, &mut gone).await?);
            }
            work.merge(merger.after_parts(bucket, &files, gone).await?);
            Ok(work)
        });
    }
    Ok(together(tasks.finish().await?))
}

/// The deciding events of a bucket, from disk. What is read is reduced to the last events of each
/// key whenever it takes more than `limit` bytes: a bucket may be large because of one key.
fn load_winners(
    keys: &KeyEncoder,
    spilled: &Spilled,
    bucket: Bucket,
    limit: u64,
) -> Result<Winners, TransformError> {
    let (mut events, mut bytes, mut limit) = (Vec::new(), 0, limit);
    let mut superseded = 0;
    for batch in spilled.read(bucket)? {
        let batch = batch?;
        bytes += bytes_of(&batch);
        events.push(Events { batch });
        if bytes > limit {
            let held = Held::new(keys, std::mem::take(&mut events))?;
            let (last, dropped) = last_events(&held);
            superseded += dropped;
            let batch = held.rows(&last)?;
            bytes = bytes_of(&batch);
            // Nothing is gained by looking again soon when most keys have one event only.
            limit = limit.max(2 * bytes);
            events.push(Events { batch });
        }
    }
    let (held, rows) = held(keys, events)?;
    let mut winners = winners(&held, rows.into_iter());
    winners.own_changes += superseded;
    Ok(winners)
}

/// All events of a bucket, from disk.
pub(crate) fn load(
    keys: &KeyEncoder,
    spilled: &Spilled,
    bucket: Bucket,
) -> Result<(Arc<Held>, Vec<At>), TransformError> {
    let events = spilled.read(bucket)?.map(|batch| Ok(Events { batch: batch? }));
    held(keys, events.collect::<Result<_, TransformError>>()?)
}

fn held(keys: &KeyEncoder, events: Vec<Events>) -> Result<(Arc<Held>, Vec<At>), TransformError> {
    let mut rows = Vec::new();
    for (batch, events) in (0u32..).zip(&events) {
        let length = u32::try_from(events.len()).unwrap_or(u32::MAX);
        rows.extend((0..length).map(|row| At { batch, row }));
    }
    Ok((Arc::new(Held::new(keys, events)?), rows))
}

/// Tasks of which so many run as there are [`workers`]. Dropping it stops them.
pub(crate) struct Tasks<T, E> {
    running: JoinSet<Result<T, E>>,
    slots: Arc<Semaphore>,
}

impl<T: Send + 'static, E: From<TransformError> + Send + 'static> Tasks<T, E> {
    pub(crate) fn new() -> Tasks<T, E> {
        Tasks { running: JoinSet::new(), slots: Arc::new(Semaphore::new(workers())) }
    }

    pub(crate) fn spawn(&mut self, task: impl Future<Output = Result<T, E>> + Send + 'static) {
        let slots = Arc::clone(&self.slots);
        self.running.spawn(async move {
            // The semaphore is never closed.
            let _slot = slots.acquire().await;
            task.await
        });
    }

    /// What the tasks come to, in the order in which they end.
    pub(crate) async fn finish(mut self) -> Result<Vec<T>, E> {
        let mut all = Vec::new();
        while let Some(done) = self.running.join_next().await {
            all.push(done.map_err(|source| TransformError::Task { source })??);
        }
        Ok(all)
    }
}

fn together(all: Vec<Work>) -> Work {
    all.into_iter().fold(Work::default(), |mut sum, work| {
        sum.merge(work);
        sum
    })
}
