//! Bronze that was copied to another place before a table was first written: files arrive in the
//! order of the copy, long after they were written.

use super::super::applied_files;
use super::*;

/// A load that began at hour 1 with changes after it, and one change file of an earlier load; all
/// copied at hour 30, the load last, as a listing by name has it.
fn copied() -> World {
    let mut world = World::new();
    let copy = hours(30);
    for (after, second) in (0..).zip([hours(0), hours(2), hours(3)]) {
        world.put(copy + after, &changes(second), &format!("c{second}"));
    }
    world.put(copy + 10, &load(1), "l1");
    world
}

#[test]
fn a_copy_that_does_not_tell_which_changes_follow_the_load_is_refused() {
    let error = copied().try_plan().unwrap_err();
    let TransformError::LoadUnclear { key } = &error else { panic!("{error}") };
    assert_eq!(*key, changes(hours(0)));
    assert!(error.to_string().contains("--load-began"), "{error}");
}

#[test]
fn told_when_the_load_began_the_changes_after_it_are_applied_and_no_others() {
    let mut world = copied();
    world.options.load_began = Some(at(hours(1)));
    let plan = world.plan();
    assert_eq!(keys(&plan), ["LOAD00000001".to_owned(), name(hours(2)), name(hours(3))]);
    assert_eq!(plan.generation.since, Some(at(hours(1))));
    assert_eq!(plan.ignored.earlier_generation, 1);
    world.commit(&plan);
    // From then on nothing has to be told.
    world.options.load_began = None;
    assert!(world.step().is_empty());
    world.change(hours(31));
    assert_eq!(world.step(), [name(hours(31))]);
    world.applied.earlier = world.earlier.clone();
    let found = applied_files(&table(), &world.listing(), &world.applied);
    assert_eq!((found.files.len(), found.unapplied, found.lost.len()), (4, 0, 0));
}

#[test]
fn files_of_an_earlier_load_that_came_when_they_were_written_are_left_alone() {
    let mut world = World::new();
    world.change(20);
    world.put(hours(30), &load(1), "l1");
    world.change(hours(30) + 5);
    assert_eq!(world.step(), ["LOAD00000001".to_owned(), name(hours(30) + 5)]);
}
