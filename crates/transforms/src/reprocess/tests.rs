//! Points over made-up histories, and what Bronze lost.

use chrono::{DateTime, Utc};
use medallion_tables::store::ObjectMeta;

use super::point::{Beginning, Point, Step, StepBatch, Steps};
use crate::plan::{self, Generation};
use crate::record::{Applied, AppliedFile, BatchFile};

/// 2026-01-02T00:00:00Z.
const START: i64 = 1_767_312_000;

fn at(second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(START + second, 0).unwrap()
}

fn generation(number: u64) -> Generation {
    Generation { number, since: Some(at(10)), loads: 1 }
}

/// A batch of a generation that reaches a second, or nothing but the load.
fn batch(snapshot: i64, generation: u64, reached: Option<i64>) -> Step {
    let batch = StepBatch { generation, reached: reached.map(at), rebuilt: false };
    Step { snapshot, batch: Some(batch) }
}

fn compaction(snapshot: i64) -> Step {
    Step { snapshot, batch: None }
}

fn steps(whole: bool, newest_first: Vec<Step>) -> Steps {
    Steps { steps: newest_first, whole }
}

fn shown(steps: &Steps, point: Point) -> Result<Beginning, (&'static str, Option<i64>)> {
    let resolved = steps.resolve(point, &generation(2));
    resolved.map_err(|e| (e.reason, e.oldest.map(|(snapshot, _)| snapshot)))
}

#[test]
fn a_time_is_the_newest_snapshot_that_does_not_reach_beyond_it() {
    let steps = steps(
        false,
        vec![
            batch(6, 2, Some(60)),
            batch(5, 2, Some(50)),
            compaction(4),
            batch(3, 2, Some(30)),
            batch(2, 2, None),
        ],
    );
    let time = |second| shown(&steps, Point::Time(at(second)));
    assert_eq!(time(60), Ok(Beginning::Nowhere));
    assert_eq!(time(59), Ok(Beginning::Snapshot(5)));
    // The compacted state, which holds the same rows in fewer files.
    assert_eq!(time(49), Ok(Beginning::Snapshot(4)));
    // The load counts from when it was written.
    assert_eq!(time(10), Ok(Beginning::Snapshot(2)));
    let (reason, oldest) = time(9).unwrap_err();
    assert!(reason.contains("expired") && oldest == Some(2), "{reason}, {oldest:?}");
}

#[test]
fn before_everything_of_the_generation_is_its_start() {
    let time = Point::Time(at(-100));
    let whole = steps(true, vec![batch(6, 2, Some(60)), batch(2, 2, None)]);
    assert_eq!(shown(&whole, time), Ok(Beginning::Nothing));
    let reloaded = steps(false, vec![batch(6, 2, Some(60)), batch(1, 1, Some(5))]);
    assert_eq!(shown(&reloaded, time), Ok(Beginning::Nothing));
    assert_eq!(shown(&reloaded, Point::Start), Ok(Beginning::Nothing));
}

#[test]
fn a_time_does_not_reach_back_over_a_rebuild_but_a_snapshot_does() {
    let mut steps =
        steps(true, vec![batch(7, 2, Some(70)), batch(6, 2, Some(60)), batch(5, 2, Some(50))]);
    steps.steps[1].batch.as_mut().unwrap().rebuilt = true;
    assert_eq!(shown(&steps, Point::Time(at(65))), Ok(Beginning::Snapshot(6)));
    let (reason, oldest) = shown(&steps, Point::Time(at(55))).unwrap_err();
    assert!(reason.contains("rebuilt") && oldest == Some(6), "{reason}, {oldest:?}");
    assert_eq!(shown(&steps, Point::Snapshot(5)), Ok(Beginning::Snapshot(5)));
}

#[test]
fn a_snapshot_has_to_be_one_of_the_load_in_force() {
    let steps = steps(
        false,
        vec![
            compaction(9),
            batch(6, 2, Some(60)),
            compaction(4),
            batch(1, 1, Some(5)),
            compaction(0),
        ],
    );
    let snapshot = |id| shown(&steps, Point::Snapshot(id));
    assert_eq!(snapshot(9), Ok(Beginning::Nowhere));
    assert_eq!(snapshot(6), Ok(Beginning::Nowhere));
    for id in [4, 1] {
        assert!(snapshot(id).unwrap_err().0.contains("full load"));
    }
    assert!(snapshot(0).unwrap_err().0.contains("no snapshot is kept"));
    assert!(snapshot(77).unwrap_err().0.contains("no such snapshot"));
}

#[test]
fn points_are_written_as_they_are_read() {
    for text in ["start", "snapshot:3051729675574597004", "2026-11-20T10:00:00.250Z"] {
        assert_eq!(text.parse::<Point>().unwrap().to_string(), text);
    }
    for text in ["", "Start", "snapshot:", "snapshot:x", "2026-11-20", "2026-11-20T10:00:00"] {
        assert!(text.parse::<Point>().unwrap_err().to_string().contains("hint"), "{text}");
    }
}

fn object(key: String, second: i64) -> ObjectMeta {
    let modified_micros = at(second).timestamp_micros();
    ObjectMeta { key, etag: "e".to_owned(), size: 1, modified_micros }
}

fn load(second: i64) -> ObjectMeta {
    object("bronze/crm/customers/LOAD00000001.parquet".to_owned(), second)
}

fn changes(second: i64) -> ObjectMeta {
    let name = at(second).format("%Y/%m/%d/%Y%m%d-%H%M%S000");
    object(format!("bronze/crm/customers/{name}.parquet"), second)
}

fn lost(main: &Applied, there: &Applied, listing: &[ObjectMeta]) -> Option<String> {
    plan::lost(&"crm.customers".parse().unwrap(), main, there, listing)
}

/// What is applied once these files are.
fn applied(files: &[ObjectMeta]) -> Applied {
    let mut applied = Applied { generation: Some(generation(2)), ..Applied::default() };
    for object in files {
        let ObjectMeta { key, etag, size, modified_micros } = object.clone();
        let file = BatchFile { key: key.clone(), etag, size };
        let modified_micros = Some(modified_micros);
        let file = AppliedFile { file, modified_micros, rows: None, min_seq: None, max_seq: None };
        let state = &mut applied.state;
        if key.contains("LOAD") {
            state.loads.insert(key, file);
        } else {
            let oldest = state.first_change_micros.into_iter().chain(modified_micros).min();
            state.first_change_micros = oldest;
            state.changes.insert(key, file);
        }
    }
    applied
}

#[test]
fn a_file_that_is_remembered_and_gone_is_missed_unless_it_is_applied_already() {
    let all = [load(10), changes(20), changes(30)];
    let (main, nothing) = (applied(&all), applied(&[]));
    assert_eq!(lost(&main, &nothing, &all), None);
    for missing in 0..3 {
        let mut listing = all.to_vec();
        let gone = listing.remove(missing);
        assert_eq!(lost(&main, &nothing, &listing), Some(format!("`{}`", gone.key)));
        assert_eq!(lost(&main, &applied(std::slice::from_ref(&gone)), &listing), None);
    }
    // A file that was repaired is there.
    let mut repaired = all.to_vec();
    repaired[1].etag = "other".to_owned();
    assert_eq!(lost(&main, &nothing, &repaired), None);
}

#[test]
fn the_oldest_change_file_is_missed_though_its_name_is_forgotten() {
    let mut main = applied(&[load(10), changes(20), changes(30)]);
    main.state.changes.remove(&changes(20).key);
    let missed = lost(&main, &applied(&[]), &[load(10), changes(30)]).unwrap();
    assert!(missed.contains("oldest change file") && missed.contains("00:00:20Z"), "{missed}");
    // A change file of an earlier load does not stand for it.
    let earlier = changes(-2 * 3600);
    assert!(lost(&main, &applied(&[]), &[load(10), earlier, changes(30)]).is_some());
    // One that was put back later tells by its name.
    let put_back = ObjectMeta { modified_micros: at(900).timestamp_micros(), ..changes(20) };
    assert_eq!(lost(&main, &applied(&[]), &[load(10), put_back, changes(30)]), None);
    assert_eq!(lost(&main, &applied(&[changes(20)]), &[load(10), changes(30)]), None);
}

#[test]
fn change_files_that_are_forgotten_by_name_are_counted() {
    let files = [load(10), changes(20), changes(30), changes(9 * 86_400)];
    let mut main = applied(&files);
    for forgotten in &files[1..3] {
        let file = main.state.changes.remove(&forgotten.key).unwrap();
        main.state.forgotten_files.get_or_insert_default().add(&file.file);
    }
    main.state.forgotten_seq = Some(String::new());
    main.watermark = Some(files[3].key.clone());
    let start = main.restarted();
    assert_eq!(lost(&main, &start, &files), None);
    let listing = [files[0].clone(), files[1].clone(), files[3].clone()];
    let missed = lost(&main, &start, &listing).unwrap();
    assert_eq!(missed, "1 of 2 change files from before the look-back");
    // Where the rebuild begins, one of them was applied already and may be gone.
    let mut there = applied(&[load(10), changes(30)]);
    there.watermark = Some(changes(30).key);
    assert_eq!(lost(&main, &there, &listing), None);
}
