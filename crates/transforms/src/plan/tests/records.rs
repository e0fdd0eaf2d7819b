//! What a record carries from one batch to the next.

use super::*;
use crate::record::{AppliedFile, AppliedState, BatchFile};

fn history(world: &World, after: &str) -> Vec<String> {
    let files = world.plan().history(after);
    files.iter().map(|f| f.key.clone()).collect()
}

#[test]
fn history_is_the_change_files_that_may_hold_something_later() {
    let mut world = World::new();
    world.put(10, &load(1), "l1");
    for second in [20, 30, 40] {
        world.change(second);
    }
    world.step();
    assert_eq!(history(&world, ""), [changes(20), changes(30), changes(40)]);
    assert_eq!(history(&world, &seq(20)), [changes(30), changes(40)]);
    assert!(history(&world, &seq(40)).is_empty());
    let etags: Vec<String> = world.plan().history("").into_iter().map(|f| f.etag).collect();
    assert_eq!(etags, ["c20", "c30", "c40"]);
}

#[test]
fn files_are_forgotten_a_day_after_nobody_looks_for_them() {
    let mut world = World::new();
    world.put(10, &load(1), "l1");
    for hour in 0..200 {
        world.change(hours(hour) + 20);
        world.step();
    }
    let remembered = world.applied.changes().count();
    assert_eq!(remembered, 73, "72 hours and the newest one");
    let bound = world.applied.state.forgotten_seq.clone().unwrap();
    assert_eq!(bound, seq(hours(200 - 74) + 20), "the newest one forgotten");
    // Everything is still known not to be new, and who asks for more gets everything.
    assert!(world.plan().files.is_empty());
    assert_eq!(history(&world, &bound).len(), remembered);
    assert_eq!(history(&world, &seq(hours(10))).len(), 200 - 49 + 49, "all that there is");
    // A file of long ago that is put back is applied again, which changes nothing.
    world.put(hours(200), &changes(20), "c20");
    assert_eq!(world.step(), [name(20)]);
    assert!(world.step().is_empty());
}

#[test]
fn the_beginning_of_a_generation_outlives_its_files() {
    let mut world = World::new();
    world.put(10, &load(1), "l1");
    world.step();
    for hour in 1..100 {
        world.change(hours(hour));
        world.step();
    }
    assert_eq!(world.applied.state.first_change_micros, Some((START + hours(1)) * 1_000_000));
    world.put(hours(1), &load(2), "l2");
    assert_eq!(world.plan().mode, Mode::Merge, "not younger than the oldest change");
    world.put(hours(1) + 1, &load(2), "l2");
    assert_eq!(world.plan().mode, Mode::Replace);
}

/// What is known of a table whose records list only the files of their own batch.
fn older(world: &World) -> Applied {
    let bare = |key: &str, etag: &str| {
        let file = BatchFile { key: key.to_owned(), etag: etag.to_owned(), size: 10 };
        let file =
            AppliedFile { file, modified_micros: None, rows: None, min_seq: None, max_seq: None };
        (key.to_owned(), file)
    };
    let state = &world.applied.state;
    let strip = |files: &BTreeMap<String, AppliedFile>| {
        files.values().map(|f| bare(&f.file.key, &f.file.etag)).collect()
    };
    let state = AppliedState {
        loads: strip(&state.loads),
        changes: strip(&state.changes),
        forgotten_seq: Some(world.applied.watermark_seq.clone()),
        ..AppliedState::default()
    };
    Applied { state, ..world.applied.clone() }
}

#[test]
fn files_of_older_records_are_part_of_every_history_until_they_are_forgotten() {
    let mut world = World::new();
    world.put(10, &load(1), "l1");
    world.change(20);
    world.change(30);
    world.step();
    world.applied = older(&world);
    assert_eq!(history(&world, &seq(30)), [changes(20), changes(30)], "who knows");
    world.change(40);
    assert_eq!(world.step(), [name(40)]);
    assert_eq!(history(&world, &seq(35)), [changes(20), changes(30), changes(40)]);
    world.change(hours(100));
    world.step();
    assert_eq!(history(&world, &seq(40)), [changes(hours(100))], "they reach no further than 40");
    assert_eq!(history(&world, &seq(39)).len(), 4);
}

#[test]
fn older_records_do_not_hide_a_reload() {
    let mut world = World::new();
    world.put(10, &load(1), "l1");
    world.change(20);
    world.step();
    world.applied = older(&world);
    assert!(world.plan().files.is_empty());
    world.put(50, &load(2), "l2");
    assert_eq!(world.plan().mode, Mode::Replace, "younger than the change of 20");
    world.remove(&load(2));
    world.put(50, &load(1), "m1");
    world.change(60);
    let plan = world.plan();
    assert_eq!((plan.mode, plan.generation.number), (Mode::Replace, 2));
    world.commit(&plan);
    assert!(world.plan().files.is_empty());
}

#[test]
fn a_record_says_what_its_files_hold_and_reads_back() {
    let mut world = World::new();
    world.put(10, &load(1), "l1");
    world.change(20);
    let plan = world.plan();
    let stats = [
        FileStats { rows: 5, ..FileStats::default() },
        FileStats { rows: 2, min_seq: seq(18), max_seq: seq(19) },
    ];
    let record = plan.record(&stats);
    let json = serde_json::to_value(&record).unwrap();
    assert_eq!(json["version"], 2);
    assert_eq!(json["mode"], "merge");
    assert_eq!(json["generation"]["since"], "2026-01-02T00:00:10Z");
    assert_eq!(json["files"][1]["key"], changes(20));
    assert_eq!(json["files"][1]["etag"], "c20");
    assert_eq!(json["files"][1]["rows"], 2);
    assert_eq!(json["files"][1]["min_seq"], seq(18));
    assert_eq!(json["files"][1]["max_seq"], seq(19));
    assert_eq!(serde_json::from_value::<BatchRecord>(json).unwrap(), record);
    assert_eq!(record.id(), plan.batch_id());
}

#[test]
fn a_record_of_an_older_version_reads() {
    let text = r#"{"table":"crm.customers","files":[{"key":"k","etag":"e","size":3}]}"#;
    let record: BatchRecord = serde_json::from_str(text).unwrap();
    assert_eq!((record.version, record.generation, record.applied), (0, None, None));
    assert_eq!(record.files[0].max_seq, None);
    assert_eq!(record.files[0].file.size, 3);
}

#[test]
fn the_summary_names_batch_generation_and_watermarks() {
    let mut world = World::new();
    world.put(10, &load(1), "l1");
    world.change(20);
    let plan = world.plan();
    let record = plan.record(&[
        FileStats { rows: 1, ..FileStats::default() },
        FileStats { rows: 1, min_seq: seq(19), max_seq: seq(19) },
    ]);
    let written = ObjectReference { key: "k".to_owned(), sha256: "s".to_owned() };
    let entries = plan.summary(&record, &written);
    let expected = [
        (summary::BATCH, plan.batch_id()),
        (summary::BATCH_RECORD, "k".to_owned()),
        (summary::BATCH_SHA256, "s".to_owned()),
        (summary::GENERATION, "1".to_owned()),
        (summary::GENERATION_SINCE, "2026-01-02T00:00:10Z".to_owned()),
        (summary::MODE, "merge".to_owned()),
        (summary::CODE_VERSION, env!("CARGO_PKG_VERSION").to_owned()),
        (summary::WATERMARK, changes(20)),
        (summary::WATERMARK_SEQ, seq(19)),
    ];
    assert_eq!(entries, expected.map(|(key, value)| (key.to_owned(), value)).into());
}
