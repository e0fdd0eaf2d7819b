//! From where a history goes on.

use super::super::history::Beginning;
use super::*;

/// A second load at 40 that left `LOAD00000002` of the first one alone, with changes around it.
fn reloaded() -> World {
    let mut world = World::new();
    world.put(10, &load(1), "l1");
    world.put(10, &load(2), "l2");
    world.change(20);
    world.step();
    world.put(40, &load(1), "m1");
    world.change(50);
    world.step();
    world
}

fn beginning(own: &Applied, silver: &World) -> Beginning {
    Beginning::of(&table(), own, &silver.applied, &silver.listing())
}

#[test]
fn a_history_that_is_asked_for_later_knows_what_silver_knows_of_earlier_loads() {
    let silver = reloaded();
    let nothing = Applied::nothing();
    assert_eq!(beginning(&nothing, &silver), Beginning::First);
    let mut history = World { applied: silver.applied.restarted(), ..silver.clone() };
    let plan = history.plan().above(&nothing).numbered(1);
    assert_eq!(keys(&plan), ["LOAD00000001".to_owned(), name(50)], "no remnant, no change of then");
    assert_eq!((plan.generation.number, plan.base), (1, None));
    history.applied = nothing;
    history.commit(&plan);
    assert!(history.step().is_empty());
}

#[test]
fn a_history_without_states_waits_with_silver_for_a_new_load() {
    let mut silver = reloaded();
    silver.put(100, &load(1), "n1");
    assert_eq!(beginning(&Applied::nothing(), &silver), Beginning::Waits);
}

#[test]
fn states_are_made_again_once_silver_was_reprocessed_and_bronze_has_everything() {
    let mut silver = reloaded();
    let own = silver.applied.clone();
    assert_eq!(beginning(&own, &silver), Beginning::Goes);
    silver.applied.state.rebuilt = Some("run".to_owned());
    assert_eq!(beginning(&own, &silver), Beginning::Restarts);
    let plan = World { applied: silver.applied.restarted(), ..silver.clone() }.plan();
    let plan = plan.above(&own).restarting(own.generation.as_ref());
    assert_eq!((plan.mode, plan.restarts, plan.base), (Mode::Replace, true, own.base));
    assert_eq!(plan.generation.number, 2);
    assert!(plan.to_string().contains("made again"), "{plan}");
    let mut known = own.clone();
    known.state.rebuilt = silver.applied.state.rebuilt.clone();
    assert_eq!(beginning(&known, &silver), Beginning::Goes, "once is enough");
    let mut repaired = silver.clone();
    repaired.put(60, &changes(50), "repaired");
    assert_eq!(beginning(&own, &repaired), Beginning::Restarts, "a repaired file is there");
    silver.remove(&changes(50));
    assert_eq!(beginning(&own, &silver), Beginning::Lost(format!("`{}`", changes(50))));
}
