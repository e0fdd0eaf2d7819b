//! Whether Bronze still holds what a table was made from.

use std::collections::HashSet;

use chrono::{DateTime, Duration};
use medallion_definition::name::TableId;
use medallion_tables::store::ObjectMeta;

use super::applied::forgotten_since;
use crate::file_order::place;
use crate::record::Applied;

/// How far the clocks of S3 and of whoever names files may differ.
const CLOCKS: Duration = Duration::hours(1);

/// Something that main has applied and that a rebuild which has applied `there` can find no more,
/// in words: a file that main remembers by name; some of the change files from before the
/// look-back, of which main remembers how many they were; or the oldest change file, of which it
/// remembers when it was written, where an older record does not tell their number.
pub(crate) fn lost(
    table: &TableId,
    main: &Applied,
    there: &Applied,
    listing: &[ObjectMeta],
) -> Option<String> {
    let listed: HashSet<&str> = listing.iter().map(|object| object.key.as_str()).collect();
    let (ours, theirs) = (&main.state, &there.state);
    let gone = |key: &&String| {
        let applied = theirs.loads.contains_key(*key) || theirs.changes.contains_key(*key);
        !applied && !listed.contains(key.as_str())
    };
    if let Some(key) = ours.loads.keys().chain(ours.changes.keys()).find(gone) {
        return Some(format!("`{key}`"));
    }
    if let Some((applied, listed)) = forgotten_since(table, listing, main, there)
        && listed < applied
    {
        let gone = applied - listed;
        return Some(format!("{gone} of {applied} change files from before the look-back"));
    }
    let first = ours.first_change_micros?;
    if theirs.first_change_micros.is_some_and(|there| there <= first) {
        return None;
    }
    let time = |micros| DateTime::from_timestamp_micros(micros).unwrap_or_default().naive_utc();
    let since = main.generation.as_ref().and_then(|generation| generation.since);
    let oldest = listing.iter().filter_map(|object| {
        let written = place(&object.key)?.0?;
        let of_it = since.is_none_or(|since| written >= since.naive_utc() - CLOCKS);
        of_it.then(|| written.min(time(object.modified_micros)))
    });
    let first = time(first);
    let there = oldest.min().is_some_and(|oldest| oldest <= first);
    let shown = first.format("%Y-%m-%dT%H:%M:%SZ");
    (!there).then(|| format!("the oldest change file, which was written at {shown}"))
}
