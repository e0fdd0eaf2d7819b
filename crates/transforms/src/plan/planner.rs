//! The plan as a function of the listing and of what was applied; no input or output.

use std::collections::BTreeMap;

use chrono::{DateTime, Duration, NaiveDateTime, Utc};
use medallion_definition::name::TableId;
use medallion_ingestion::layout::BronzeKey;
use medallion_tables::store::ObjectMeta;

use super::generation::{ChangeTimes, Loads, judge, seconds};
use super::{
    BATCH_BYTES, FileKind, Generation, Ignored, LOOK_BACK, Mode, PlannedFile, SETTLE, SilverPlan,
    Target,
};
use crate::error::TransformError;
use crate::file_order::place;
use crate::record::{Applied, AppliedState, BatchFile};

/// What a plan depends on besides the files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlanOptions {
    /// The most Bronze bytes, as stored, in one batch. A larger file is a batch of its own, and a
    /// batch that replaces the table holds its whole full load.
    pub batch_bytes: u64,
    /// How long a new full load has to rest before it replaces a table that holds rows.
    pub settle: Duration,
    /// When the full load began, for a table of which nothing was applied yet and whose Bronze was
    /// copied, so that the times of arrival do not tell which changes follow the load.
    pub load_began: Option<DateTime<Utc>>,
}

impl Default for PlanOptions {
    fn default() -> PlanOptions {
        PlanOptions { batch_bytes: BATCH_BYTES, settle: SETTLE, load_began: None }
    }
}

/// A listing by kind.
pub(super) struct Bronze<'a> {
    pub(super) loads: Vec<&'a ObjectMeta>,
    pub(super) changes: Vec<(NaiveDateTime, &'a ObjectMeta)>,
    others: usize,
}

impl<'a> Bronze<'a> {
    pub(super) fn new(table: &TableId, listing: &'a [ObjectMeta]) -> Bronze<'a> {
        let mut bronze = Bronze { loads: Vec::new(), changes: Vec::new(), others: 0 };
        for object in listing {
            match object.key.parse::<BronzeKey>() {
                Ok(key) if key.table() != table => bronze.others += 1,
                Ok(BronzeKey::Load { .. }) => bronze.loads.push(object),
                Ok(BronzeKey::Changes { written, .. }) => bronze.changes.push((written, object)),
                Err(_) => bronze.others += 1,
            }
        }
        bronze
    }
}

/// Plans the next batch. The listing is the whole one of the table's Bronze prefix.
///
/// # Errors
/// [`TransformError::Reloaded`] when an applied change file has another etag now,
/// [`TransformError::LoadUnclear`] when Bronze was copied and nothing tells which changes follow
/// the full load.
pub fn plan(
    table: &TableId,
    listing: &[ObjectMeta],
    applied: &Applied,
    now: DateTime<Utc>,
    options: &PlanOptions,
) -> Result<SilverPlan, TransformError> {
    let bronze = Bronze::new(table, listing);
    let loads = judge(&bronze.loads, applied, &change_times(&bronze, applied));
    let reloaded = loads.sign.is_some();
    let began = options.load_began.filter(|_| applied.generation.is_none());
    let sorted = sort_changes(&bronze, &loads, applied, now, began)?;
    if let Some(key) = unclear(&sorted, applied, began) {
        return Err(TransformError::LoadUnclear { key: key.to_owned() });
    }
    let waiting = if reloaded && !applied.empty {
        let following = bronze.changes.iter().map(|c| c.1).filter(|o| !was_applied(applied, o));
        loads.waiting(following, now, options.settle)
    } else {
        None
    };
    let mode = if reloaded && !applied.empty { Mode::Replace } else { Mode::Merge };
    let late_loads = !reloaded && applied.state.first_change_micros.is_some();
    let candidates = candidates(&loads, &sorted, late_loads);
    let takes = if waiting.is_some() { 0 } else { bounded(&candidates, mode, options.batch_bytes) };
    let mut files = candidates;
    let left = files.split_off(takes);
    let carried = !reloaded;
    Ok(SilverPlan {
        target: Target::Silver,
        table: table.clone(),
        base: applied.base,
        mode,
        reason: reason(&loads, applied),
        generation: generation(&loads, applied, began),
        restarts: false,
        watermark: applied.watermark.clone().filter(|_| carried),
        watermark_seq: if carried { applied.watermark_seq.clone() } else { String::new() },
        look_back: sorted.look_back,
        left: left.len(),
        files,
        ignored: Ignored {
            applied: loads.applied + sorted.applied,
            earlier_generation: loads.stale + sorted.earlier.len(),
            before_look_back: sorted.old.len(),
            no_bronze_key: bronze.others,
        },
        waiting,
        seen: left.iter().map(arrival).chain([now]).min().unwrap_or(now),
        newest_record: applied.record.clone(),
        state: state_before(applied, &bronze, &loads),
        forgotten: sorted.old.iter().map(|o| batch_file(o)).collect(),
        earlier: earlier_files(applied, &sorted, reloaded),
    })
}

/// The generation of a batch. Where the beginning of the load is told, that is its beginning.
fn generation(loads: &Loads<'_>, applied: &Applied, began: Option<DateTime<Utc>>) -> Generation {
    let generation = loads.generation(applied);
    Generation { since: began.or(generation.since), ..generation }
}

/// How far the time in a file's name may lie before its arrival: clocks are not one, and a file is
/// not uploaded at once.
const UPLOADED: Duration = Duration::hours(1);

/// A change file that would be left out of a new table because it came before the full load, though
/// it was written long before it came: whoever copied it may have copied the load later.
fn unclear<'a>(
    sorted: &Sorted<'a>,
    applied: &Applied,
    began: Option<DateTime<Utc>>,
) -> Option<&'a str> {
    if applied.generation.is_some() || began.is_some() {
        return None;
    }
    let copied = |object: &&&ObjectMeta| {
        let known = applied.earlier.get(&object.key) == Some(&object.etag);
        let written = place(&object.key).and_then(|place| place.0);
        !known && written.is_some_and(|written| arrived(object) - written > UPLOADED)
    };
    sorted.earlier.iter().find(copied).map(|object| object.key.as_str())
}

/// True when a plan over this listing has to know the change files of earlier generations: the
/// table is loaded anew, or a file may have been put back, since it was not written when its name
/// says or its name is older than the generation.
pub(crate) fn needs_earlier(
    table: &TableId,
    listing: &[ObjectMeta],
    applied: &Applied,
    now: DateTime<Utc>,
) -> bool {
    if applied.state.earlier.is_none() {
        return false;
    }
    let bronze = Bronze::new(table, listing);
    let loads = judge(&bronze.loads, applied, &change_times(&bronze, applied));
    let begun = loads.generation(applied).since.map(|since| since.naive_utc());
    let put_back = |(written, object): &(NaiveDateTime, &ObjectMeta)| {
        // Within an hour, since the clocks of S3 and of the writer are not one.
        let before = begun.is_some_and(|begun| *written < begun + Duration::hours(1));
        before || (arrived(object) - *written).abs() > Duration::hours(1)
    };
    let sorted = sort_changes(&bronze, &loads, applied, now, None);
    loads.sign.is_some() || sorted.is_ok_and(|sorted| sorted.new.iter().any(put_back))
}

/// What shows that the table was loaded anew since, if anything does.
pub(crate) fn new_load(
    table: &TableId,
    listing: &[ObjectMeta],
    applied: &Applied,
) -> Option<String> {
    let bronze = Bronze::new(table, listing);
    let loads = judge(&bronze.loads, applied, &change_times(&bronze, applied));
    loads.sign.map(|sign| sign.to_string())
}

/// When the oldest change file applied in the generation was written; of files whose record does
/// not tell, the listing does.
fn first_change(bronze: &Bronze<'_>, applied: &Applied) -> Option<i64> {
    let known = &applied.state.changes;
    let untold = bronze.changes.iter().filter(|(_, object)| {
        let file = known.get(&object.key);
        file.is_some_and(|f| f.modified_micros.is_none() && f.file.etag == object.etag)
    });
    let listed = untold.map(|(_, object)| object.modified_micros);
    applied.state.first_change_micros.into_iter().chain(listed).min()
}

fn change_times(bronze: &Bronze<'_>, applied: &Applied) -> ChangeTimes {
    let listed = bronze.changes.iter().map(|(_, object)| object.modified_micros).collect();
    ChangeTimes { first_applied: first_change(bronze, applied), listed }
}

fn was_applied(applied: &Applied, object: &ObjectMeta) -> bool {
    applied.state.changes.get(&object.key).is_some_and(|f| f.file.etag == object.etag)
}

/// The change files of a listing by what becomes of them.
struct Sorted<'a> {
    look_back: Option<NaiveDateTime>,
    watermark: Option<(Option<NaiveDateTime>, String)>,
    new: Vec<(NaiveDateTime, &'a ObjectMeta)>,
    applied: usize,
    earlier: Vec<&'a ObjectMeta>,
    old: Vec<&'a ObjectMeta>,
}

fn sort_changes<'a>(
    bronze: &Bronze<'a>,
    loads: &Loads<'_>,
    applied: &Applied,
    now: DateTime<Utc>,
    began: Option<DateTime<Utc>>,
) -> Result<Sorted<'a>, TransformError> {
    let reloaded = loads.sign.is_some();
    let since = loads.generation(applied).since.map(|since| since.timestamp());
    let watermark = applied.watermark.as_deref().filter(|_| !reloaded).and_then(place);
    let look_back = look_back(watermark.as_ref().and_then(|w| w.0), applied, now);
    let mut sorted = Sorted {
        look_back,
        watermark,
        new: Vec::new(),
        applied: 0,
        earlier: Vec::new(),
        old: Vec::new(),
    };
    for &(written, object) in &bronze.changes {
        let before = applied.state.changes.get(&object.key);
        let earlier = applied.earlier.get(&object.key) == Some(&object.etag)
            || match began {
                Some(began) => written < began.naive_utc(),
                None => since.is_some_and(|since| seconds(object.modified_micros) < since),
            };
        match before {
            Some(file) if reloaded && file.file.etag == object.etag => sorted.earlier.push(object),
            Some(file) if !reloaded && file.file.etag == object.etag => sorted.applied += 1,
            Some(_) if !reloaded => {
                return Err(TransformError::Reloaded { key: object.key.clone() });
            }
            _ if earlier => sorted.earlier.push(object),
            // Young by its name or by its arrival: a file that is put back later is found too.
            _ if look_back.is_some_and(|limit| written < limit && arrived(object) < limit) => {
                sorted.old.push(object);
            }
            _ => sorted.new.push((written, object)),
        }
    }
    Ok(sorted)
}

pub(super) fn arrived(object: &ObjectMeta) -> NaiveDateTime {
    DateTime::from_timestamp_micros(object.modified_micros).unwrap_or_default().naive_utc()
}

fn arrival(file: &PlannedFile) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(file.modified_micros).unwrap_or_default()
}

/// The beginning of the look-back. A name from the future must not make everything that really
/// comes look too old: what arrived after everything else was applied is never too old.
fn look_back(
    watermark: Option<NaiveDateTime>,
    applied: &Applied,
    now: DateTime<Utc>,
) -> Option<NaiveDateTime> {
    let seen = applied.state.seen_micros.and_then(DateTime::from_timestamp_micros);
    let seen = seen.unwrap_or(now).min(now).naive_utc();
    watermark.map(|watermark| watermark.min(seen) - LOOK_BACK)
}

pub(super) fn batch_file(object: &ObjectMeta) -> BatchFile {
    BatchFile { key: object.key.clone(), etag: object.etag.clone(), size: object.size }
}

/// The files that may be applied, in order.
fn candidates(loads: &Loads<'_>, sorted: &Sorted<'_>, late_loads: bool) -> Vec<PlannedFile> {
    let planned = |object: &ObjectMeta, kind, late| PlannedFile {
        file: batch_file(object),
        kind,
        late,
        modified_micros: object.modified_micros,
    };
    let mut files = BTreeMap::new();
    for object in &loads.new {
        let file = planned(object, FileKind::Load, late_loads);
        files.insert((None, object.key.clone()), file);
    }
    for (written, object) in &sorted.new {
        let place = (Some(*written), object.key.clone());
        let late = sorted.watermark.as_ref().is_some_and(|watermark| place < *watermark);
        files.insert(place, planned(object, FileKind::Changes, late));
    }
    files.into_values().collect()
}

/// How many of the files, in order, one batch may hold.
fn bounded(candidates: &[PlannedFile], mode: Mode, batch_bytes: u64) -> usize {
    let mut bytes = 0_u64;
    let fits = |file: &&PlannedFile| {
        let first = bytes == 0;
        bytes = bytes.saturating_add(file.file.size.max(1));
        first || bytes <= batch_bytes || (mode == Mode::Replace && file.kind == FileKind::Load)
    };
    candidates.iter().take_while(fits).count()
}

fn reason(loads: &Loads<'_>, applied: &Applied) -> String {
    match (&loads.sign, &applied.generation) {
        (Some(sign), _) if applied.empty => format!("a new full load ({sign}) of an empty table"),
        (Some(sign), _) => format!("a new full load: {sign}"),
        (None, None) => "nothing was applied before".to_owned(),
        (None, Some(_)) => "the generation goes on".to_owned(),
    }
}

/// What is applied in the generation before the batch.
fn state_before(applied: &Applied, bronze: &Bronze<'_>, loads: &Loads<'_>) -> AppliedState {
    let mut state = applied.state.clone();
    if loads.sign.is_some() {
        state.earlier_loads.extend(state.loads);
        // What belongs to the new load may be applied by a later batch of it.
        for object in &loads.new {
            state.earlier_loads.remove(&object.key);
        }
        return AppliedState { earlier_loads: state.earlier_loads, ..AppliedState::default() };
    }
    // What older records leave out of a file that is still there, the listing tells for good.
    state.first_change_micros = first_change(bronze, applied);
    for object in &bronze.loads {
        let known = state.loads.get_mut(&object.key).filter(|f| f.file.etag == object.etag);
        if let Some(file) = known {
            file.modified_micros.get_or_insert(object.modified_micros);
        }
    }
    // A change file that was put back is looked for, and so remembered, for longer.
    for (_, object) in &bronze.changes {
        let known = state.changes.get_mut(&object.key).filter(|f| f.file.etag == object.etag);
        if let Some(file) = known {
            file.modified_micros = file.modified_micros.max(Some(object.modified_micros));
        }
    }
    state
}

/// The change files of earlier generations, to be noted when a generation begins: such a file may
/// be put back later, and then looks young.
fn earlier_files(
    applied: &Applied,
    sorted: &Sorted<'_>,
    reloaded: bool,
) -> BTreeMap<String, String> {
    if !reloaded && applied.generation.is_some() {
        return BTreeMap::new();
    }
    let mut files = applied.earlier.clone();
    let known = applied.state.changes.values().map(|f| &f.file);
    files.extend(known.map(|f| (f.key.clone(), f.etag.clone())));
    files.extend(sorted.earlier.iter().map(|o| (o.key.clone(), o.etag.clone())));
    files
}
