//! Which files of a listing a table was made of.

use super::super::{AppliedFiles, FileFate, LostFile, applied_files};
use super::{World, changes, hours, load, table};
use crate::record::Applied;

fn made_of(world: &World) -> AppliedFiles {
    let applied = Applied { earlier: world.earlier.clone(), ..world.applied.clone() };
    applied_files(&table(), &world.listing(), &applied)
}

fn keys(found: &AppliedFiles) -> Vec<String> {
    found.files.iter().map(|file| file.key.clone()).collect()
}

#[test]
fn what_was_applied_is_told_from_what_waits() {
    let mut world = World::new();
    assert_eq!((made_of(&world).files.len(), made_of(&world).unapplied), (0, 0));
    world.put(10, &load(1), "l1");
    world.change(20);
    world.step();
    world.change(40);
    world.put(50, &changes(30), "late");
    let found = made_of(&world);
    assert_eq!((keys(&found), found.unapplied), (vec![load(1), changes(20)], 2));
    assert!(found.lost.is_empty() && found.forgotten.certain);
}

#[test]
fn an_applied_file_that_is_not_there_as_it_was_is_lost() {
    let mut world = World::new();
    world.put(10, &load(1), "l1");
    world.change(20);
    world.change(30);
    world.step();
    world.remove(&changes(20));
    world.put(60, &load(1), "l2");
    let lost = |key: &str, fate| LostFile { key: key.to_owned(), fate };
    let expected = [lost(&changes(20), FileFate::Gone), lost(&load(1), FileFate::Overwritten)];
    let mut found = made_of(&world);
    found.lost.sort_by_key(|file| file.fate);
    assert_eq!(found.lost, expected);
    assert_eq!((keys(&found), found.unapplied), (vec![changes(30)], 1));
}

#[test]
fn files_of_an_earlier_generation_are_neither_applied_nor_waiting() {
    let mut world = World::new();
    world.put(10, &load(1), "l1");
    world.change(20);
    world.step();
    world.put(100, &load(1), "m1");
    world.change(110);
    world.step();
    let found = made_of(&world);
    assert_eq!((keys(&found), found.unapplied), (vec![load(1), changes(110)], 0));
    // Put back later, it is known by its content.
    world.put(200, &changes(20), "c20");
    assert_eq!((made_of(&world).files.len(), made_of(&world).unapplied), (2, 0));
}

#[test]
fn forgotten_files_are_counted_and_an_exchanged_one_is_noticed() {
    let mut world = World::new();
    world.put(10, &load(1), "l1");
    for hour in 0..100 {
        world.change(hours(hour) + 20);
        world.step();
    }
    let forgotten = made_of(&world).forgotten;
    assert_eq!((forgotten.listed, forgotten.applied, forgotten.certain), (27, Some(27), true));
    assert_eq!(made_of(&world).files.len(), 101);

    let mut exchanged = world.clone();
    exchanged.put(20, &changes(20), "another");
    let forgotten = made_of(&exchanged).forgotten;
    assert_eq!((forgotten.listed, forgotten.applied, forgotten.certain), (27, Some(27), false));

    world.remove(&changes(20));
    let forgotten = made_of(&world).forgotten;
    assert_eq!((forgotten.listed, forgotten.applied, forgotten.certain), (26, Some(27), false));

    // Records of older versions forgot without counting.
    world.applied.state.forgotten_files = None;
    world.change(hours(101));
    world.step();
    assert_eq!(made_of(&world).forgotten.applied, None);
    assert!(!made_of(&world).forgotten.certain);
}
