//! Which files of a listing the rows of a table were made of.

use chrono::{DateTime, Duration};
use medallion_definition::name::TableId;
use medallion_tables::store::ObjectMeta;

use super::commit::MARGIN;
use super::generation::{seconds, untouched};
use super::planner::{Bronze, arrived, batch_file};
use super::{Generation, LOOK_BACK};
use crate::file_order::place;
use crate::record::{Applied, BatchFile, FileTally};

/// What became of an applied file that Bronze no longer has as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FileFate {
    /// It is not there.
    Gone,
    /// Another content stands under its name.
    Overwritten,
}

/// An applied file that cannot be read again.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LostFile {
    /// The object's key.
    pub key: String,
    /// What became of it.
    pub fate: FileFate,
}

/// Change files that were applied so long ago that the record no longer names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forgotten {
    /// How many of the listing are taken for them.
    pub listed: u64,
    /// How many there were; nothing where an older record does not tell.
    pub applied: Option<u64>,
    /// True when these are known to be the ones, each as it was applied.
    pub certain: bool,
}

/// The files of a listing that the rows of a table were made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppliedFiles {
    /// The load generation in force; nothing when nothing was applied.
    pub generation: Option<Generation>,
    /// The greatest key applied in it.
    pub watermark: Option<String>,
    /// The files, in the order in which they are applied.
    pub files: Vec<BatchFile>,
    /// Files that were applied and are not there any more as they were.
    pub lost: Vec<LostFile>,
    /// What is known of the files that the record no longer names.
    pub forgotten: Forgotten,
    /// How many files of the listing wait to be applied, or came too late for it.
    pub unapplied: usize,
}

/// Sorts a listing of the table's Bronze prefix. The change files of earlier generations have to
/// be known (see [`Applied::read_earlier`]).
pub fn applied_files(table: &TableId, listing: &[ObjectMeta], applied: &Applied) -> AppliedFiles {
    let bronze = Bronze::new(table, listing);
    let mut found = AppliedFiles {
        generation: applied.generation.clone(),
        watermark: applied.watermark.clone(),
        files: Vec::new(),
        lost: lost(listing, applied),
        forgotten: Forgotten { listed: 0, applied: Some(0), certain: true },
        unapplied: 0,
    };
    for object in &bronze.loads {
        let state = &applied.state;
        if state.loads.get(&object.key).is_some_and(|file| file.file.etag == object.etag) {
            found.files.push(batch_file(object));
        } else if !state.earlier_loads.get(&object.key).is_some_and(|f| untouched(object, f)) {
            found.unapplied += 1;
        }
    }
    let mut forgotten = FileTally::default();
    for (_, object) in &bronze.changes {
        match origin(object, applied) {
            Origin::Applied => found.files.push(batch_file(object)),
            Origin::Forgotten => {
                forgotten.add(&batch_file(object));
                found.files.push(batch_file(object));
            }
            Origin::Earlier => {}
            Origin::Unapplied => found.unapplied += 1,
        }
    }
    if applied.state.forgotten_seq.is_some() {
        let told = applied.state.forgotten_files.as_ref();
        found.forgotten = Forgotten {
            listed: forgotten.files,
            applied: told.map(|told| told.files),
            certain: told == Some(&forgotten),
        };
    }
    found.files.sort_by_cached_key(|file| place(&file.key));
    found
}

/// Of the change files that `main` has applied and forgotten: how many were applied after `there`,
/// and how many of the listing are taken for them. Nothing where older records do not tell.
pub(super) fn forgotten_since(
    table: &TableId,
    listing: &[ObjectMeta],
    main: &Applied,
    there: &Applied,
) -> Option<(u64, u64)> {
    let count =
        |applied: &Applied| match (&applied.state.forgotten_files, &applied.state.forgotten_seq) {
            (Some(tally), _) => Some(tally.files),
            (None, None) => Some(0),
            (None, Some(_)) => None,
        };
    let named = there.state.changes.keys().filter(|key| !main.state.changes.contains_key(*key));
    let applied = count(main)?.checked_sub(count(there)? + named.count() as u64)?;
    let bronze = Bronze::new(table, listing);
    let of_main = bronze.changes.iter().filter(|(_, object)| {
        matches!(origin(object, main), Origin::Forgotten)
            && !matches!(origin(object, there), Origin::Applied | Origin::Forgotten)
    });
    Some((applied, of_main.count() as u64))
}

/// What a change file of the listing is to the table.
enum Origin {
    Applied,
    Forgotten,
    Earlier,
    Unapplied,
}

fn origin(object: &ObjectMeta, applied: &Applied) -> Origin {
    let state = &applied.state;
    if let Some(file) = state.changes.get(&object.key) {
        let same = file.file.etag == object.etag;
        return if same { Origin::Applied } else { Origin::Unapplied };
    }
    let since = applied.generation.as_ref().and_then(|generation| generation.since);
    let before = since.is_some_and(|since| seconds(object.modified_micros) < since.timestamp());
    if before || applied.earlier.get(&object.key) == Some(&object.etag) {
        return Origin::Earlier;
    }
    let written = place(&object.key).and_then(|place| place.0);
    let limit = forgotten_before(applied).filter(|_| state.forgotten_seq.is_some());
    let old = limit
        .zip(written)
        .is_some_and(|(limit, written)| written < limit && arrived(object) < limit);
    if old { Origin::Forgotten } else { Origin::Unapplied }
}

/// The time before which the newest batch forgot files.
fn forgotten_before(applied: &Applied) -> Option<chrono::NaiveDateTime> {
    let reached = applied.watermark.as_deref().and_then(place)?.0?;
    let seen = applied.state.seen_micros.and_then(DateTime::from_timestamp_micros);
    let seen = seen.map_or(reached, |seen| seen.naive_utc());
    let look_back: Duration = LOOK_BACK + MARGIN;
    Some(reached.min(seen) - look_back)
}

/// The files that the record names and that are not in the listing as they were.
fn lost(listing: &[ObjectMeta], applied: &Applied) -> Vec<LostFile> {
    let known = applied.state.loads.values().chain(applied.state.changes.values());
    let mut lost: Vec<LostFile> = known
        .filter_map(|file| {
            let key = &file.file.key;
            let there = listing.binary_search_by(|object| object.key.cmp(key)).ok();
            let fate = match there.and_then(|index| listing.get(index)) {
                None => FileFate::Gone,
                Some(object) if object.etag != file.file.etag => FileFate::Overwritten,
                Some(_) => return None,
            };
            Some(LostFile { key: key.clone(), fate })
        })
        .collect();
    lost.sort();
    lost
}
