//! From where a table can be rebuilt.

use medallion_harness::small_lake::{Endpoints, Repetition};
use medallion_tables::maintenance::expiry::{ExpiryPolicy, expire, plan_expiry};
use medallion_transforms::error::{Advice, TransformError};
use medallion_transforms::reprocess::{Point, ReprocessOutcome, ReprocessStep};
use medallion_transforms::silver::SilverOutcome;

use crate::rules::followed;
use crate::world::{ANY_CASE, LOWER, Put, World, contract};

/// A time so many minutes after the first file was due.
fn minute(minutes: i64) -> Point {
    let start = 1_767_322_800 + minutes * 60;
    Point::Time(chrono::DateTime::from_timestamp(start, 0).unwrap())
}

/// As [`followed`], each file a batch of its own: load, then changes at minutes 2, 3 and 4.
async fn stepwise(world: &mut World<'_>) -> Vec<i64> {
    world.batch_bytes = 1;
    followed(world).await;
    world.silver(&contract(LOWER)).await;
    let table = world.silver_table().await;
    table.history().iter().rev().map(|snapshot| snapshot.snapshot_id()).collect()
}

async fn refused(world: &World<'_>, from: Point) -> String {
    let before = world.silver_table().await;
    let error = world.reprocess(&contract(ANY_CASE), from, Repetition::Quick).await.unwrap_err();
    assert_eq!(error.advice(), Advice::Operator);
    let after = world.silver_table().await;
    assert_eq!(before.snapshot_id(), after.snapshot_id());
    assert!(after.at_branch("reprocess").is_err(), "nothing was begun");
    error.to_string()
}

#[tokio::test]
async fn what_was_applied_after_the_point_is_applied_again_and_nothing_else() {
    let endpoints = Endpoints::start().await.unwrap();
    for (name, by_snapshot) in [("bytime", false), ("bysnapshot", true)] {
        let mut world = World::new(&endpoints, name).await;
        let snapshots = stepwise(&mut world).await;
        assert_eq!(snapshots.len(), 4);
        let from = if by_snapshot { Point::Snapshot(snapshots[1]) } else { minute(2) };
        let done = world.rebuilt(&contract(ANY_CASE), from).await;
        assert_eq!(done.files, 2);
        let expected = world.fold(|file| if file < 2 { LOWER } else { ANY_CASE });
        assert_eq!(world.names().await, expected);
        assert_ne!(expected, world.fold(|_| ANY_CASE));
        // Of the files that were applied again, only `x9` is rejected.
        let rejected = world.rejected().await;
        let of = |put: &Put| rejected.iter().filter(|(key, _)| *key == put.key).count();
        assert_eq!(world.put.iter().map(of).collect::<Vec<_>>(), [1, 1, 1, 0]);
        assert!(matches!(world.silver(&contract(ANY_CASE)).await, SilverOutcome::UpToDate));
        world.changes(&[("I", 10, "Dez")]).await;
        world.silver(&contract(ANY_CASE)).await;
        assert_eq!(world.names().await[&10], "Dez");
        // From before everything is from the start, but not across the rebuild.
        let text = refused(&world, minute(2)).await;
        assert!(text.contains("was rebuilt after it"), "{text}");
        world.rebuilt(&contract(ANY_CASE), Point::Start).await;
        world.is_fresh(ANY_CASE).await;
    }
    endpoints.stop().await;
}

#[tokio::test]
async fn times_lie_before_between_and_after_batches() {
    let endpoints = Endpoints::start().await.unwrap();
    let mut world = World::new(&endpoints, "times").await;
    let snapshots = stepwise(&mut world).await;
    let on = async |point| match world.plan(&contract(ANY_CASE), point).await.unwrap().step {
        ReprocessStep::Begin { on, batch } => Some((on, batch.files.len() + batch.left)),
        ReprocessStep::Nothing => None,
        step => panic!("{step:?}"),
    };
    assert_eq!(on(minute(-60)).await, Some((None, 4)));
    assert_eq!(on(minute(1)).await, Some((Some(snapshots[0]), 3)));
    assert_eq!(on(minute(3)).await, Some((Some(snapshots[2]), 1)));
    assert_eq!(on(minute(4)).await, None);
    assert_eq!(on(Point::Snapshot(snapshots[3])).await, None);
    let nothing = world.reprocess(&contract(ANY_CASE), minute(9), Repetition::Quick).await;
    assert!(matches!(nothing.unwrap(), ReprocessOutcome::Nothing));
    assert_eq!(world.swaps().await, 0);
    endpoints.stop().await;
}

#[tokio::test]
async fn a_point_of_which_nothing_is_left_is_refused_with_the_oldest_that_is() {
    let endpoints = Endpoints::start().await.unwrap();
    let mut world = World::new(&endpoints, "expired").await;
    let snapshots = stepwise(&mut world).await;
    let policy = ExpiryPolicy { keep_since_ms: i64::MAX, keep_last: 2, ..Default::default() };
    let table = world.silver_table().await;
    let plan = plan_expiry(&table, &policy).unwrap();
    expire(&world.warehouse, &table, &plan, usize::MAX).await.unwrap();
    for point in [minute(-60), minute(2), Point::Snapshot(snapshots[1]), Point::Snapshot(5)] {
        let text = refused(&world, point).await;
        assert!(text.contains(&format!("from `{point}`")), "{text}");
        let oldest = format!("`snapshot:{}`, which holds what was written until", snapshots[2]);
        assert!(text.contains(&oldest) && text.contains("2026-01-02T03:03:00Z"), "{text}");
        assert!(text.contains("--from start"), "{text}");
    }
    assert_eq!(world.rebuilt(&contract(ANY_CASE), minute(3)).await.files, 1);
    world.rebuilt(&contract(ANY_CASE), Point::Start).await;
    world.is_fresh(ANY_CASE).await;
    endpoints.stop().await;
}

#[tokio::test]
async fn what_cannot_be_rebuilt_is_refused() {
    let endpoints = Endpoints::start().await.unwrap();
    let mut world = World::new(&endpoints, "refused").await;
    let nothing = world.plan(&contract(LOWER), Point::Start).await.unwrap_err();
    assert!(matches!(nothing, TransformError::NothingApplied { .. }), "{nothing}");
    let nothing = world.reprocess(&contract(LOWER), Point::Start, Repetition::Quick).await;
    assert!(matches!(nothing, Err(TransformError::NothingApplied { .. })), "{nothing:?}");
    stepwise(&mut world).await;
    // A file that the table was made from is gone: its rows would be too.
    for file in [0, 1, 3] {
        let put = world.put[file].clone();
        world.warehouse.bucket().delete(&put.key).await.unwrap();
        let text = refused(&world, Point::Start).await;
        assert!(text.contains("no longer holds") && text.contains(&put.key), "{text}");
        let modified = std::time::UNIX_EPOCH + std::time::Duration::from_secs(put.modified as u64);
        let stored = world.lake.put(&world.warehouse, &put.key, put.content, modified).await;
        stored.unwrap();
    }
    world.rebuilt(&contract(ANY_CASE), Point::Start).await;
    world.is_fresh(ANY_CASE).await;
    endpoints.stop().await;
}
