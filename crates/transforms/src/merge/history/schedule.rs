//! Working off the buckets of a history, a few at a time.

use std::sync::Arc;

use medallion_tables::files::LiveFile;

use super::bucket::Gone;
use super::happenings::Happenings;
use super::reload::Part;
use super::{Done, Historian};
use crate::error::TransformError;
use crate::merge::intake::Intake;
use crate::merge::partition::{Bucket, Collected, Spilled, by_bucket};
use crate::merge::schedule::{Tasks, files_by_bucket, load, workers};
use crate::merge::winners::Held;
use crate::plan::Mode;

/// The buckets that are loaded from disk side by side may take this share of the job's memory
/// together: beside the events stand the same rows in their order and in a form that compares.
const LOADED: u64 = 10;

/// The only part of a bucket that is not split.
const WHOLE: Part = (0, 1);

/// Works off all buckets that have events; under a new full load, all buckets.
pub(super) async fn run(
    historian: &Arc<Historian>,
    intake: &Arc<Intake>,
    events: Collected,
    live: Vec<LiveFile>,
    memory_bytes: u64,
) -> Result<Done, TransformError> {
    let mut files = files_by_bucket(live);
    let mut tasks = Tasks::<Done, TransformError>::new();
    match events {
        Collected::Held(events) => {
            let buckets = by_bucket(&historian.table, &intake.keys, &events)?;
            let held = Arc::new(Held::new(&intake.keys, events)?);
            for (bucket, rows) in buckets {
                let files = files.remove(&bucket).unwrap_or_default();
                let (historian, intake) = (Arc::clone(historian), Arc::clone(intake));
                let held = Arc::clone(&held);
                tasks.spawn(async move {
                    let happenings = Happenings::new(&historian, held, rows)?;
                    historian.bucket(&intake, bucket, &files, happenings).await
                });
            }
        }
        Collected::Spilled(spilled) => {
            let spilled = Arc::new(spilled);
            for (bucket, parts) in spilled.buckets(memory_bytes / LOADED / workers() as u64) {
                let files = files.remove(&bucket).unwrap_or_default();
                let (historian, intake) = (Arc::clone(historian), Arc::clone(intake));
                let spilled = Arc::clone(&spilled);
                tasks.spawn(async move {
                    if parts == 1 {
                        let (held, rows) = load(&intake.keys, &spilled, bucket)?;
                        let happenings = Happenings::new(&historian, held, rows)?;
                        return historian.bucket(&intake, bucket, &files, happenings).await;
                    }
                    let split = spilled.split(bucket, parts, &intake.keys)?;
                    historian.parts(&intake, bucket, &files, &split, parts).await
                });
            }
        }
    }
    if historian.mode == Mode::Replace {
        // Keys of buckets without an event are gone.
        for (bucket, files) in files {
            let (historian, intake) = (Arc::clone(historian), Arc::clone(intake));
            tasks.spawn(async move {
                historian.reload(&intake.keys, bucket, &files, WHOLE, None).await
            });
        }
    }
    let mut done = Done::default();
    tasks.finish().await?.into_iter().for_each(|bucket| done.merge(bucket));
    Ok(done)
}

impl Historian {
    /// A bucket whose events are all in memory.
    async fn bucket(
        self: &Arc<Self>,
        intake: &Intake,
        bucket: Bucket,
        files: &[LiveFile],
        happenings: Happenings,
    ) -> Result<Done, TransformError> {
        match self.mode {
            Mode::Merge => self.whole(bucket, files, happenings).await,
            Mode::Replace => {
                self.reload(&intake.keys, bucket, files, WHOLE, Some(happenings)).await
            }
        }
    }

    /// A bucket whose events are worked off part by part.
    async fn parts(
        self: &Arc<Self>,
        intake: &Intake,
        bucket: Bucket,
        files: &[LiveFile],
        split: &Spilled,
        parts: u64,
    ) -> Result<Done, TransformError> {
        let mut done = Done::default();
        let happenings = |part| {
            let (held, rows) = load(&intake.keys, split, part)?;
            Happenings::new(self, held, rows)
        };
        if self.mode == Mode::Replace {
            let filled: Vec<Bucket> = split.parts().collect();
            for part in 0..parts {
                let number = i32::try_from(part).ok();
                let found = filled.contains(&number).then(|| happenings(number)).transpose()?;
                let part = (part, parts);
                done.merge(self.reload(&intake.keys, bucket, files, part, found).await?);
            }
            return Ok(done);
        }
        let mut gone = Gone::new();
        for part in split.parts() {
            let found = happenings(part)?;
            done.merge(self.part(bucket, files, found, &mut gone).await?);
        }
        done.merge(self.after_parts(bucket, files, gone).await?);
        Ok(done)
    }
}
