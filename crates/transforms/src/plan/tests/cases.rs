//! Named situations, one after another as they happen in Bronze.

use super::*;

fn loads(numbers: &[u32]) -> Vec<String> {
    numbers.iter().map(|n| format!("LOAD{n:08X}")).collect()
}

/// A table that was loaded and followed: two load files at 10 and 11, changes at 20 and 30.
fn followed() -> World {
    let mut world = World::new();
    world.put(10, &load(1), "l1");
    world.put(11, &load(2), "l2");
    world.change(20);
    world.change(30);
    world.step();
    assert!(world.step().is_empty());
    world
}

#[test]
fn nothing_in_bronze_is_nothing_to_do() {
    let plan = World::new().plan();
    assert_eq!((plan.files.len(), plan.left, plan.mode), (0, 0, Mode::Merge));
    assert_eq!(plan.generation.number, 1);
    assert_eq!((plan.waiting, plan.base, plan.watermark), (None, None, None));
}

#[test]
fn the_full_load_comes_first_then_changes_by_write_time_then_by_key() {
    let mut world = World::new();
    world.change(30);
    world.change(20);
    // The same write time, once in the next day's folder.
    let twin = changes(20).replace("/02/20260102", "/03/20260102");
    world.put(21, &twin, "t");
    world.put(12, &load(10), "l10");
    world.put(11, &load(2), "l2");
    let plan = world.plan();
    let mut expected = loads(&[2, 10]);
    expected.extend([name(20), name(20), name(30)]);
    assert_eq!(keys(&plan), expected);
    assert_eq!(plan.files[2].file.key, changes(20));
    assert_eq!(plan.files[3].file.key, twin);
    assert_eq!((plan.generation.since, plan.generation.loads), (Some(at(11)), 2));
    assert_eq!(plan.mode, Mode::Merge, "an empty table needs no replacement");
}

#[test]
fn a_batch_is_bounded_and_the_next_one_takes_the_rest() {
    let mut world = followed();
    for second in [40, 50, 60] {
        world.change(second);
    }
    world.options.batch_bytes = 20;
    let plan = world.plan();
    assert_eq!((keys(&plan), plan.left), (vec![name(40), name(50)], 1));
    world.commit(&plan);
    world.options.batch_bytes = 1;
    assert_eq!(world.step(), [name(60)], "a file that is too large is a batch of its own");
}

#[test]
fn a_first_load_may_take_several_batches() {
    let mut world = World::new();
    for number in 1..=3 {
        world.put(10, &load(number), "l");
    }
    world.change(20);
    world.options.batch_bytes = 20;
    assert_eq!(world.step(), loads(&[1, 2]));
    let plan = world.plan();
    assert_eq!(keys(&plan), [loads(&[3])[0].clone(), name(20)]);
    assert_eq!((plan.mode, plan.generation.number), (Mode::Merge, 1));
    assert!(!plan.files[0].late && !plan.files[1].late);
}

#[test]
fn key_ranges_are_load_files() {
    let mut world = World::new();
    let range = |n: u32| format!("bronze/crm/customers/SEGMENT{n}_LOAD00000001.parquet");
    world.put(10, &range(2), "s2");
    assert_eq!(world.step(), ["SEGMENT2_LOAD00000001"]);
    world.put(12, &range(1), "s1");
    let plan = world.plan();
    assert_eq!(keys(&plan), ["SEGMENT1_LOAD00000001"]);
    assert_eq!((plan.generation.number, plan.generation.loads), (1, 2));
    assert!(!plan.files[0].late, "no change was applied that it could be late for");
    assert_eq!(plan.watermark.as_deref(), Some(range(2).as_str()));
    world.commit(&plan);
    assert_eq!(world.plan().watermark.as_deref(), Some(range(2).as_str()), "it never goes back");
}

#[test]
fn a_reload_replaces_the_table_and_leaves_old_change_files_alone() {
    let mut world = followed();
    world.change(40);
    world.put(100, &load(1), "m1");
    world.put(101, &load(2), "m2");
    world.change(110);
    let plan = world.plan();
    assert_eq!((plan.mode, plan.waiting.clone()), (Mode::Replace, None));
    assert_eq!(keys(&plan), [loads(&[1, 2]), vec![name(110)]].concat());
    assert_eq!((plan.generation.number, plan.generation.since), (2, Some(at(100))));
    assert_eq!(plan.ignored.earlier_generation, 3);
    assert_eq!((plan.watermark.clone(), plan.watermark_seq.as_str()), (None, ""));
    assert!(plan.history("").is_empty());
    world.commit(&plan);
    world.change(120);
    let plan = world.plan();
    assert_eq!((keys(&plan), plan.mode), (vec![name(120)], Mode::Merge));
    assert_eq!(plan.ignored.earlier_generation, 3, "the one of 40 was never applied, and stays so");
}

#[test]
fn a_replacement_holds_its_whole_load_however_large() {
    let mut world = followed();
    for number in 1..=5 {
        world.put(100, &load(number), "m");
    }
    world.change(110);
    world.change(120);
    world.options.batch_bytes = 10;
    let plan = world.plan();
    assert_eq!((keys(&plan), plan.left), (loads(&[1, 2, 3, 4, 5]), 2));
    world.options.batch_bytes = 60;
    assert_eq!(keys(&world.plan()).len(), 6);
}

#[test]
fn a_new_load_waits_until_it_rests_or_is_followed() {
    let mut world = followed();
    world.put(100, &load(1), "m1");
    world.change(100);
    let plan = world.plan();
    let waiting = plan.waiting.clone().unwrap();
    assert_eq!((waiting.newest, waiting.until), (at(100), at(400)));
    assert!(plan.files.is_empty() && plan.mode == Mode::Replace, "nothing at all is applied");
    assert_eq!(plan.left, 2);
    world.now = 399;
    assert!(world.plan().waiting.is_some());
    let mut rested = world.clone();
    rested.now = 400;
    assert_eq!(keys(&rested.plan()), [loads(&[1]), vec![name(100)]].concat());
    world.change(101);
    assert!(world.plan().waiting.is_none(), "a change file that is younger shows its end");
    world.put(102, &load(2), "m2");
    assert!(world.plan().waiting.is_some(), "it goes on after all");
}

#[test]
fn an_empty_table_waits_for_nothing() {
    let mut world = followed();
    world.applied.empty = true;
    world.put(100, &load(1), "m1");
    let plan = world.plan();
    assert_eq!((plan.mode, plan.waiting.clone()), (Mode::Merge, None));
    assert_eq!((keys(&plan), plan.generation.number), (loads(&[1]), 2));
    world.commit(&plan);
    world.put(102, &load(2), "m2");
    let plan = world.plan();
    assert_eq!((keys(&plan), plan.mode), (loads(&[2]), Mode::Merge), "the load goes on");
}

#[test]
fn files_of_a_load_that_were_not_written_again_are_remnants() {
    let mut world = followed();
    world.put(100, &load(1), "m1");
    world.change(110);
    let plan = world.plan();
    assert_eq!(keys(&plan), [loads(&[1]), vec![name(110)]].concat());
    assert_eq!(plan.generation.loads, 1);
    world.commit(&plan);
    let plan = world.plan();
    assert!(plan.files.is_empty());
    // The other load file, and the changes of 20 and 30.
    assert_eq!((plan.ignored.applied, plan.ignored.earlier_generation), (2, 3));
}

#[test]
fn a_load_file_with_the_same_content_belongs_to_the_load_that_wrote_it_again() {
    let mut world = followed();
    world.put(100, &load(1), "l1");
    assert!(world.plan().files.is_empty(), "a copy alone is no reload");
    world.put(101, &load(2), "m2");
    world.change(110);
    let plan = world.plan();
    assert_eq!(keys(&plan), [loads(&[1, 2]), vec![name(110)]].concat());
    assert_eq!(plan.generation.since, Some(at(100)));
}

#[test]
fn a_load_that_was_interrupted_before_any_change_goes_on() {
    let mut world = World::new();
    world.put(10, &load(1), "l1");
    world.step();
    world.put(50, &load(2), "l2");
    let plan = world.plan();
    assert_eq!((keys(&plan), plan.mode), (loads(&[2]), Mode::Merge));
    world.commit(&plan);
    // The last file was written anew with more rows; the first one is complete and stays.
    world.put(60, &load(2), "m2");
    world.now = 60 + 300;
    let plan = world.plan();
    assert_eq!((keys(&plan), plan.mode), (loads(&[1, 2]), Mode::Replace));
    assert_eq!((plan.generation.number, plan.generation.since), (2, Some(at(10))));
}

#[test]
fn a_table_without_any_load_is_a_generation_of_changes() {
    let mut world = World::new();
    world.change(20);
    let plan = world.plan();
    assert_eq!((keys(&plan), plan.generation.since), (vec![name(20)], None));
    world.commit(&plan);
    world.change(5);
    assert_eq!(world.step(), [name(5)]);
    world.put(50, &load(1), "l1");
    world.change(60);
    let plan = world.plan();
    assert_eq!(keys(&plan), [loads(&[1]), vec![name(60)]].concat());
    assert_eq!((plan.mode, plan.generation.number), (Mode::Replace, 2));
}

#[test]
fn an_empty_load_file_empties_the_table_each_time_it_is_written() {
    let empty = FileStats::default();
    let mut world = followed();
    world.remove(&load(2));
    world.put(100, &load(1), "no rows");
    world.now = 500;
    let plan = world.plan();
    assert_eq!((keys(&plan), plan.mode), (loads(&[1]), Mode::Replace));
    world.commit_with(&plan, std::slice::from_ref(&empty));
    assert!(world.plan().files.is_empty());
    world.change(600);
    world.step();
    // Truncated and loaded once more: the file has the same content and so the same etag.
    world.put(700, &load(1), "no rows");
    world.change(710);
    let plan = world.plan();
    assert_eq!(keys(&plan), [loads(&[1]), vec![name(710)]].concat());
    assert_eq!((plan.mode, plan.generation.number), (Mode::Replace, 3));
}

#[test]
fn archived_load_files_are_no_reload_and_neither_is_their_return() {
    let mut world = followed();
    world.remove(&load(1));
    world.remove(&load(2));
    world.change(40);
    assert_eq!(world.step(), [name(40)]);
    assert_eq!(world.plan().generation.since, Some(at(10)), "noted, not looked up");
    world.put(200, &load(1), "l1");
    world.put(200, &load(2), "l2");
    let plan = world.plan();
    assert!(plan.files.is_empty() && plan.waiting.is_none());
    assert_eq!(plan.generation.number, 1);
}

#[test]
fn a_load_file_that_comes_late_is_merged_when_no_change_is_older() {
    let mut world = followed();
    world.put(19, &load(3), "l3");
    let plan = world.plan();
    assert_eq!((keys(&plan), plan.mode), (loads(&[3]), Mode::Merge));
    assert!(plan.files[0].late);
    world.commit(&plan);
    world.put(21, &load(4), "l4");
    assert_eq!(world.plan().mode, Mode::Replace, "younger than the change of 20");
}

#[test]
fn change_files_of_the_second_in_which_a_load_began_belong_to_it() {
    let mut world = World::new();
    world.put(10, &load(1), "l1");
    world.put(9, &changes(9), "c9");
    world.put(10, &changes(8), "c8");
    assert_eq!(world.step(), [loads(&[1]), vec![name(8)]].concat());
}

#[test]
fn old_change_files_that_are_put_back_stay_old() {
    let mut world = World::new();
    world.change(3);
    world.put(10, &load(1), "l1");
    world.change(20);
    world.step();
    world.put(100, &load(1), "m1");
    world.change(110);
    world.step();
    // Applied in the first generation; never applied, since older than the first load; and one of
    // the same name that has another content.
    world.put(200, &changes(20), "c20");
    world.put(201, &changes(3), "c3");
    let plan = world.plan();
    assert!(plan.files.is_empty(), "{plan}");
    assert_eq!(plan.ignored.earlier_generation, 2);
    world.put(202, &changes(20), "other");
    assert_eq!(world.step(), [name(20)]);
    // And still so a generation later.
    world.put(300, &load(1), "n1");
    world.change(310);
    world.step();
    world.put(400, &changes(20), "c20");
    world.put(401, &changes(110), "c110");
    world.put(402, &changes(3), "c3");
    let plan = world.plan();
    assert_eq!(keys(&plan), [name(20)], "only the newest content of a key is known: {plan}");
}

#[test]
fn a_late_file_is_found_by_its_name_or_by_its_arrival_and_others_are_left() {
    let mut world = followed();
    world.change(hours(100));
    world.step();
    let limit = hours(100 - 48);
    world.put(limit, &changes(limit - 1), "young by arrival");
    world.put(limit - 1, &changes(limit), "young by name");
    world.put(limit - 1, &changes(limit - 2), "old");
    let plan = world.plan();
    assert_eq!(keys(&plan), [name(limit - 1), name(limit)]);
    assert!(plan.files.iter().all(|f| f.late));
    assert_eq!(plan.look_back, Some(at(limit).naive_utc()));
    assert_eq!(plan.ignored.before_look_back, 3, "with those of 20 and 30, applied long ago");
}

#[test]
fn a_name_from_the_future_makes_nothing_look_too_old() {
    let mut world = followed();
    world.put(40, &changes(hours(10_000)), "from the future");
    assert_eq!(world.step(), [name(hours(10_000))]);
    world.change(50);
    // The table sleeps for longer than the look-back.
    world.now = hours(400);
    let plan = world.plan();
    assert_eq!(keys(&plan), [name(50)]);
    assert!(plan.files[0].late);
}

#[test]
fn files_that_wait_for_their_batch_do_not_grow_too_old() {
    let mut world = followed();
    world.put(40, &changes(hours(10_000)), "from the future");
    world.step();
    world.change(50);
    world.change(60);
    world.options.batch_bytes = 10;
    assert_eq!(world.step(), [name(50)]);
    world.now = hours(100);
    world.change(hours(100));
    assert_eq!(world.step(), [name(60)]);
    assert_eq!(world.step(), [name(hours(100))]);
}

#[test]
fn a_new_load_of_an_empty_table_may_take_several_batches() {
    let mut world = World::new();
    world.put(10, &load(1), "l1");
    world.put(11, &load(2), "l2");
    world.step();
    world.put(20, &load(1), "m1");
    world.applied.empty = true;
    world.options.batch_bytes = 10;
    assert_eq!(world.step(), loads(&[1]));
    assert_eq!(world.step(), loads(&[2]), "applied by a batch of the load before, and again now");
    assert!(world.step().is_empty());
}

#[test]
fn a_change_file_that_was_applied_must_not_change() {
    let mut world = followed();
    world.put(40, &changes(20), "other");
    let error = world.try_plan().unwrap_err();
    assert!(matches!(&error, TransformError::Reloaded { key } if *key == changes(20)), "{error}");
}

#[test]
fn objects_that_are_none_of_bronze_are_counted() {
    let mut world = followed();
    world.put(40, "bronze/crm/customers/", "folder");
    world.put(40, "bronze/crm/customers/p0/LOAD00000001.parquet", "named segment");
    world.put(40, "bronze/crm/orders/LOAD00000001.parquet", "other table");
    let plan = world.plan();
    assert!(plan.files.is_empty());
    assert_eq!((plan.ignored.no_bronze_key, plan.ignored.applied), (3, 4));
}
