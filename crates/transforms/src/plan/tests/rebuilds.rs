//! Plans of a table that is computed anew: nothing is applied, and the generation goes on.

use super::super::new_load;
use super::*;

impl World {
    /// The same Bronze before a table on which nothing of the generation is applied.
    fn restarted(&self) -> World {
        World { applied: self.applied.restarted(), ..self.clone() }
    }
}

/// A second load at 40, with changes before and after it.
fn reloaded() -> World {
    let mut world = World::new();
    world.put(10, &load(1), "l1");
    world.put(10, &load(2), "l2");
    world.change(20);
    world.step();
    world.put(40, &load(1), "m1");
    world.change(50);
    world.change(60);
    world.step();
    assert_eq!(world.applied.generation.as_ref().unwrap().number, 2);
    world
}

#[test]
fn everything_of_the_generation_is_applied_again_and_nothing_older() {
    let world = reloaded();
    let mut anew = world.restarted();
    let plan = anew.plan();
    assert_eq!(keys(&plan), ["LOAD00000001".to_owned(), name(50), name(60)]);
    assert_eq!((plan.mode, plan.generation.number), (Mode::Merge, 2));
    assert_eq!(plan.generation.since, world.applied.generation.as_ref().unwrap().since);
    assert_eq!((plan.watermark.clone(), plan.watermark_seq.as_str()), (None, ""));
    anew.commit(&plan);
    let (ours, theirs) = (&anew.applied, &world.applied);
    assert_eq!((&ours.watermark, &ours.watermark_seq), (&theirs.watermark, &theirs.watermark_seq));
    assert_eq!(ours.state, theirs.state);
    assert!(anew.step().is_empty());
}

#[test]
fn batches_of_a_rebuild_are_bounded_and_end_where_one_would() {
    let world = reloaded();
    let mut anew = world.restarted();
    anew.options.batch_bytes = 1;
    for expected in ["LOAD00000001".to_owned(), name(50), name(60)] {
        assert_eq!(anew.step(), [expected]);
    }
    assert_eq!(anew.applied.state.changes, world.applied.state.changes);
    assert!(anew.step().is_empty());
}

#[test]
fn only_a_load_that_the_table_has_not_seen_is_new() {
    let mut world = reloaded();
    assert_eq!(new_load(&table(), &world.listing(), &world.applied), None);
    world.put(70, &load(1), "n1");
    let sign = new_load(&table(), &world.listing(), &world.applied).unwrap();
    assert!(sign.contains("LOAD00000001"), "{sign}");
}
