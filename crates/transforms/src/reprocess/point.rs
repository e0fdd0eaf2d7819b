//! From where a table is built anew.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, SecondsFormat, Utc};
use medallion_definition::name::TableId;
use medallion_tables::table::LakeTable;

use crate::error::TransformError;
use crate::file_order::place;
use crate::plan::Generation;
use crate::summary;

/// A point in the life of a Silver table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Point {
    /// Before anything of the load generation.
    Start,
    /// What was applied by batches whose watermark lies beyond this time is applied again. The
    /// watermark is the time in the name of the newest Bronze file applied.
    Time(DateTime<Utc>),
    /// What was applied after this snapshot is applied again.
    Snapshot(i64),
}

/// A text that is no point.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is no point to reprocess from\n    \
     hint: `start`, a time such as `2026-11-20T10:00:00Z`, or `snapshot:<id>`"
)]
pub struct PointError {
    text: String,
}

impl FromStr for Point {
    type Err = PointError;

    fn from_str(text: &str) -> Result<Point, PointError> {
        let bad = || PointError { text: text.to_owned() };
        if text == "start" {
            return Ok(Point::Start);
        }
        if let Some(id) = text.strip_prefix("snapshot:") {
            return id.parse().map(Point::Snapshot).map_err(|_| bad());
        }
        let time = DateTime::parse_from_rfc3339(text).map_err(|_| bad())?;
        Ok(Point::Time(time.with_timezone(&Utc)))
    }
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Point::Start => f.write_str("start"),
            Point::Time(time) => f.write_str(&time.to_rfc3339_opts(SecondsFormat::AutoSi, true)),
            Point::Snapshot(id) => write!(f, "snapshot:{id}"),
        }
    }
}

/// Where a rebuild begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Beginning {
    /// On an empty table.
    Nothing,
    /// On this snapshot of main.
    Snapshot(i64),
    /// Nothing was applied after the point.
    Nowhere,
}

/// One snapshot of main as far as points are concerned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) snapshot: i64,
    /// What the batch says that made it; nothing for a commit of somebody else.
    pub(crate) batch: Option<StepBatch>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StepBatch {
    pub(crate) generation: u64,
    /// The time that the watermark reaches; nothing before the first change file.
    pub(crate) reached: Option<DateTime<Utc>>,
    /// The whole table was taken over from a rebuild.
    pub(crate) rebuilt: bool,
}

/// Main's snapshots, newest first, and whether they go back to the first one.
pub(crate) struct Steps {
    pub(crate) steps: Vec<Step>,
    pub(crate) whole: bool,
}

impl Steps {
    pub(crate) fn of(main: &LakeTable) -> Steps {
        let history = main.history();
        let whole = history.last().is_none_or(|oldest| oldest.parent_snapshot_id().is_none());
        let steps = history.into_iter().map(|snapshot| {
            let told = &snapshot.summary().additional_properties;
            let batch = told.get(summary::BATCH_RECORD).map(|_| StepBatch {
                generation: told.get(summary::GENERATION).and_then(|g| g.parse().ok()).unwrap_or(1),
                reached: told
                    .get(summary::WATERMARK)
                    .and_then(|w| place(w)?.0)
                    .map(|t| t.and_utc()),
                rebuilt: told.contains_key(summary::REPROCESS_RUN),
            });
            Step { snapshot: snapshot.snapshot_id(), batch }
        });
        Steps { steps: steps.collect(), whole }
    }

    /// Where a rebuild from the point begins, in the load generation that is in force.
    pub(crate) fn resolve(
        &self,
        point: Point,
        generation: &Generation,
    ) -> Result<Beginning, Unreachable> {
        match point {
            Point::Start => Ok(Beginning::Nothing),
            Point::Time(time) => self.before(time, generation),
            Point::Snapshot(id) => self.at(id, generation),
        }
    }

    /// The newest snapshot whose batches do not reach beyond the time.
    fn before(
        &self,
        time: DateTime<Utc>,
        generation: &Generation,
    ) -> Result<Beginning, Unreachable> {
        let mut beyond = None;
        for (index, step) in self.steps.iter().enumerate() {
            let Some(batch) = &step.batch else { continue };
            if batch.generation != generation.number {
                return Ok(Beginning::Nothing);
            }
            if batch.reached.or(generation.since).is_some_and(|reached| reached <= time) {
                let snapshot = |newer: usize| self.steps.get(newer + 1).map(|s| s.snapshot);
                return Ok(beyond.map_or(Beginning::Nowhere, |newer| {
                    Beginning::Snapshot(snapshot(newer).unwrap_or(step.snapshot))
                }));
            }
            beyond = Some(index);
            if batch.rebuilt {
                let reason = "the table was rebuilt after it: its snapshots from before are not \
                              what the table holds";
                return Err(self.unreachable(reason, generation));
            }
        }
        if self.whole {
            return Ok(Beginning::Nothing);
        }
        Err(self.unreachable("the snapshots from before it have expired", generation))
    }

    fn at(&self, id: i64, generation: &Generation) -> Result<Beginning, Unreachable> {
        let Some(index) = self.steps.iter().position(|step| step.snapshot == id) else {
            let reason = "the table has no such snapshot in its history, or no longer";
            return Err(self.unreachable(reason, generation));
        };
        let (newer, older) = self.steps.split_at(index);
        match older.iter().find_map(|step| step.batch.as_ref()) {
            Some(batch) if batch.generation != generation.number => {
                Err(self.unreachable("a new full load has replaced it since", generation))
            }
            Some(_) if newer.iter().all(|step| step.batch.is_none()) => Ok(Beginning::Nowhere),
            Some(_) => Ok(Beginning::Snapshot(id)),
            None if self.whole => Ok(Beginning::Nothing),
            None => {
                let reason = "no snapshot is kept that says what was applied before it";
                Err(self.unreachable(reason, generation))
            }
        }
    }

    fn unreachable(&self, reason: &'static str, generation: &Generation) -> Unreachable {
        let batches =
            self.steps.iter().filter_map(|step| Some((step.snapshot, step.batch.as_ref()?)));
        let ours = batches.take_while(|(_, batch)| batch.generation == generation.number);
        let mut oldest = None;
        for (snapshot, batch) in ours {
            oldest = Some((snapshot, batch.reached));
            if batch.rebuilt {
                break;
            }
        }
        Unreachable { reason, oldest }
    }
}

/// Why no rebuild can begin at a point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unreachable {
    pub(crate) reason: &'static str,
    /// The oldest snapshot that is left, and the time that it reaches.
    pub(crate) oldest: Option<(i64, Option<DateTime<Utc>>)>,
}

impl Unreachable {
    /// The error for people.
    pub(crate) fn error(self, table: &TableId, point: Point) -> TransformError {
        let oldest = self.oldest.map(|(snapshot, reached)| match reached {
            Some(time) => {
                let time = time.to_rfc3339_opts(SecondsFormat::AutoSi, true);
                format!("snapshot:{snapshot}`, which holds what was written until `{time}")
            }
            None => format!("snapshot:{snapshot}"),
        });
        TransformError::PointUnreachable {
            table: table.to_string(),
            point: point.to_string(),
            reason: self.reason,
            oldest: oldest.unwrap_or_else(|| "start".to_owned()),
        }
    }
}
