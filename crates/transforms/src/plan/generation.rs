//! Which full load the files belong to.

use std::collections::BTreeSet;
use std::fmt;

use chrono::{DateTime, Duration, Utc};
use medallion_tables::store::ObjectMeta;

use super::{Generation, Waiting};
use crate::record::{Applied, AppliedFile};

/// S3 keeps the time of an object in whole seconds.
pub(super) fn seconds(micros: i64) -> i64 {
    micros.div_euclid(1_000_000)
}

fn time(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(seconds, 0).unwrap_or_default()
}

/// What shows that the table was loaded anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Sign {
    /// An applied full-load file has another content.
    Rewritten(String),
    /// A full-load file came after change files were applied.
    Younger(String),
    /// A full-load file appeared while an applied one is gone: the load was done anew under other
    /// names, as with other key ranges.
    Renamed(String),
    /// An applied file without rows, which always has the same content, was written again after
    /// change files came, applied or not: the table was emptied once more.
    EmptiedAgain(String),
}

impl fmt::Display for Sign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Sign::Rewritten(key) => write!(f, "`{key}` has another content than was applied"),
            Sign::Younger(key) => write!(f, "`{key}` is younger than change files applied"),
            Sign::Renamed(key) => write!(f, "`{key}` stands in place of files applied"),
            Sign::EmptiedAgain(key) => write!(f, "`{key}`, which has no rows, was written again"),
        }
    }
}

/// The full-load files of a listing, seen against what was applied.
pub(super) struct Loads<'a> {
    /// Set when they are a new generation.
    pub(super) sign: Option<Sign>,
    /// Those to apply.
    pub(super) new: Vec<&'a ObjectMeta>,
    /// How many of the generation were applied.
    pub(super) applied: usize,
    /// How many belong to an earlier generation.
    pub(super) stale: usize,
}

/// The object is the one that was applied, down to the time at which it was written.
pub(super) fn untouched(object: &ObjectMeta, applied: &AppliedFile) -> bool {
    applied.file.etag == object.etag
        && applied.modified_micros.is_none_or(|micros| micros == object.modified_micros)
}

/// When change files were written, microseconds since the epoch.
pub(super) struct ChangeTimes {
    /// The oldest one applied in the generation.
    pub(super) first_applied: Option<i64>,
    /// All that are listed, applied or not.
    pub(super) listed: Vec<i64>,
}

impl ChangeTimes {
    /// True when a change file came after the load file was applied and before it was written
    /// again.
    fn between(&self, before: &AppliedFile, object: &ObjectMeta) -> bool {
        let from = before.modified_micros.map_or(i64::MIN, seconds);
        let until = seconds(object.modified_micros);
        self.listed.iter().map(|micros| seconds(*micros)).any(|at| from <= at && at < until)
    }
}

/// Judges the full-load files.
pub(super) fn judge<'a>(
    loads: &[&'a ObjectMeta],
    applied: &Applied,
    changes: &ChangeTimes,
) -> Loads<'a> {
    let first_change = changes.first_applied;
    let younger = |object: &ObjectMeta| {
        first_change.is_some_and(|f| seconds(object.modified_micros) > seconds(f))
    };
    let listed: BTreeSet<&str> = loads.iter().map(|object| object.key.as_str()).collect();
    let gone = applied.state.loads.keys().any(|key| !listed.contains(key.as_str()));
    let mut judged = Loads { sign: None, new: Vec::new(), applied: 0, stale: 0 };
    let mut known = Vec::new();
    for object in loads {
        let key = object.key.clone();
        let sign = match applied.state.loads.get(&object.key) {
            Some(before) if before.file.etag == object.etag => {
                let again = before.rows == Some(0) && !untouched(object, before);
                if !(again && (younger(object) || changes.between(before, object))) {
                    known.push((*object, before));
                    continue;
                }
                Some(Sign::EmptiedAgain(key))
            }
            Some(_) => Some(Sign::Rewritten(key)),
            None => {
                let earlier = applied.state.earlier_loads.get(&object.key);
                if earlier.is_some_and(|before| untouched(object, before)) {
                    judged.stale += 1;
                    continue;
                }
                if younger(object) {
                    Some(Sign::Younger(key))
                } else {
                    gone.then_some(Sign::Renamed(key))
                }
            }
        };
        judged.new.push(*object);
        judged.sign = judged.sign.or(sign);
    }
    for (object, before) in known {
        // A load that was interrupted goes on with the files that are missing; one that was
        // complete when changes followed is written anew as a whole, and what it left alone is a
        // remnant.
        if judged.sign.is_none() {
            judged.applied += 1;
        } else if first_change.is_none() || !untouched(object, before) {
            judged.new.push(object);
        } else {
            judged.stale += 1;
        }
    }
    judged
}

impl Loads<'_> {
    /// The generation to which the batch belongs.
    pub(super) fn generation(&self, applied: &Applied) -> Generation {
        let before = applied.generation.as_ref();
        let oldest = self.new.iter().map(|o| seconds(o.modified_micros)).min().map(time);
        let (number, since) = match (&self.sign, before) {
            (Some(_), Some(before)) => (before.number + 1, oldest),
            (_, None) => (1, oldest),
            (None, Some(before)) => (before.number, before.since.into_iter().chain(oldest).min()),
        };
        Generation { number, since, loads: self.applied + self.new.len() }
    }

    /// Set while a new load may not be complete: no change file has followed it, and it does not
    /// rest long enough.
    pub(super) fn waiting<'o>(
        &self,
        mut changes: impl Iterator<Item = &'o ObjectMeta>,
        now: DateTime<Utc>,
        settle: Duration,
    ) -> Option<Waiting> {
        let newest = self.new.iter().map(|o| seconds(o.modified_micros)).max()?;
        let until = time(newest) + settle;
        let followed = changes.any(|change| seconds(change.modified_micros) > newest);
        (!followed && now < until).then(|| Waiting { newest: time(newest), until })
    }
}
