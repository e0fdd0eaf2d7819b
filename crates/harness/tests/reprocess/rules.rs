//! Rules change, and the table follows.

use medallion_definition::name::Layer;
use medallion_harness::small_lake::Endpoints;
use medallion_transforms::reprocess::{Point, ReprocessStep};
use medallion_transforms::silver::SilverOutcome;

use crate::world::{ANY_CASE, LOWER, SHORT, World, contract, names};

/// Three load rows and three change files; `Bad` and `longer` fail some checks.
pub(crate) async fn followed(world: &mut World<'_>) {
    world.load(1, &[("I", 1, " ana "), ("I", 2, "Bad"), ("I", 3, "eva")]).await;
    world.changes(&[("U", 1, "Worse"), ("I", 4, "longer"), ("U", 3, "evita")]).await;
    world.changes(&[("D", 3, "evita"), ("I", 5, "x9"), ("U", 4, "dora")]).await;
    world.changes(&[("I", 6, "leo"), ("U", 6, "Leonor")]).await;
}

#[tokio::test]
async fn a_relaxed_check_heals_rows_from_bronze_and_they_leave_quarantine() {
    let endpoints = Endpoints::start().await.unwrap();
    for batch_bytes in [1, 1 << 20] {
        let mut world = World::new(&endpoints, &format!("relaxed{batch_bytes}")).await;
        world.batch_bytes = batch_bytes;
        followed(&mut world).await;
        world.silver(&contract(LOWER)).await;
        assert_eq!(world.names().await, world.fold(|_| LOWER));
        assert_eq!(world.rejected().await.len(), 4);
        let before = world.silver_table().await;
        let relaxed = contract(ANY_CASE);
        let plan = world.plan(&relaxed, Point::Start).await.unwrap();
        assert!(matches!(plan.step, ReprocessStep::Begin { on: None, .. }), "{plan}");
        assert_eq!(world.plan(&relaxed, Point::Start).await.unwrap().main, before.snapshot_id());

        let done = world.rebuilt(&relaxed, Point::Start).await;
        assert_eq!((done.files, done.balance.read), (4, 11));
        assert!(done.balance.holds(), "{}", done.balance);
        assert_eq!((done.rows_before, done.rows_after), (Some(3), 4));
        assert_eq!((done.quarantined_before, done.quarantined_after), (4, 1));
        world.is_fresh(ANY_CASE).await;
        // History goes on in a line, and what was there before can still be read.
        let after = world.silver_table().await;
        assert_eq!(after.snapshot_id(), Some(done.snapshot));
        assert_eq!(after.history()[1].snapshot_id(), before.snapshot_id().unwrap());
        let old = after.at_snapshot(before.snapshot_id().unwrap()).unwrap();
        assert_eq!(names(&old).await, world.fold(|_| LOWER));

        world.changes(&[("D", 1, "Worse"), ("I", 7, "Ivo")]).await;
        let SilverOutcome::Committed { files, balance, .. } = world.silver(&relaxed).await else {
            panic!("the regular job goes on");
        };
        assert_eq!((files, balance.deleted, balance.inserted), (1, 1, 1));
        world.is_fresh(ANY_CASE).await;
    }
    endpoints.stop().await;
}

#[tokio::test]
async fn a_tightened_check_takes_rows_back_to_their_last_valid_state() {
    let endpoints = Endpoints::start().await.unwrap();
    let mut world = World::new(&endpoints, "tightened").await;
    followed(&mut world).await;
    world.silver(&contract(ANY_CASE)).await;
    assert_eq!(world.rejected().await.len(), 1);
    let done = world.rebuilt(&contract(SHORT), Point::Start).await;
    assert_eq!(world.names().await, [(1, "ana".to_owned()), (6, "leo".to_owned())].into());
    assert_eq!((done.rows_before, done.rows_after), (Some(4), 2));
    assert_eq!((done.quarantined_before, done.quarantined_after), (1, 7));
    world.is_fresh(SHORT).await;
    // And back again; the same rows come out.
    world.rebuilt(&contract(ANY_CASE), Point::Start).await;
    world.is_fresh(ANY_CASE).await;
    assert_eq!(world.swaps().await, 2);
    endpoints.stop().await;
}

#[tokio::test]
async fn a_column_that_the_contract_gives_another_name_is_rebuilt_under_it() {
    let endpoints = Endpoints::start().await.unwrap();
    let mut world = World::new(&endpoints, "renamed").await;
    followed(&mut world).await;
    world.silver(&contract(LOWER)).await;
    let renamed = contract(ANY_CASE)
        .replace("name = \"name\"\ntype", "name = \"title\"\nrenamed_from = [\"name\"]\ntype")
        + "[[column]]\nname = \"city\"\ntype = \"varchar(9)\"\nnullable = true\nadded = true\n\
         sensitivity = \"internal\"\n";
    world.rebuilt(&renamed, Point::Start).await;
    let table = world.silver_table().await;
    assert!(table.arrow_schema().index_of("city").is_ok());
    let found = medallion_harness::small_lake::contents::rows(&table).await.unwrap();
    let mut titles: Vec<_> = found.iter().map(|row| row["title"].clone().unwrap()).collect();
    titles.sort();
    let mut expected: Vec<_> = world.fold(|_| ANY_CASE).into_values().collect();
    expected.sort();
    assert_eq!(titles, expected);
    endpoints.stop().await;
}

#[tokio::test]
async fn a_rebuilt_table_is_loaded_anew_and_rebuilt_from_the_new_load_only() {
    let endpoints = Endpoints::start().await.unwrap();
    let mut world = World::new(&endpoints, "reloaded").await;
    followed(&mut world).await;
    world.silver(&contract(LOWER)).await;
    world.rebuilt(&contract(ANY_CASE), Point::Start).await;
    let old: Vec<_> = world.put.drain(..).filter(|put| !put.key.contains("LOAD")).collect();
    world.load(1, &[("I", 1, "Nova"), ("I", 9, "nove")]).await;
    // What is about to be replaced is not rebuilt.
    let refused = world.plan(&contract(LOWER), Point::Start).await.unwrap_err();
    assert!(refused.to_string().contains("new full load"), "{refused}");
    world.changes(&[("I", 8, "oito")]).await;
    let SilverOutcome::Committed { balance, .. } = world.silver(&contract(ANY_CASE)).await else {
        panic!("a new load is applied");
    };
    assert_eq!(balance.replaced, 4);
    assert_eq!(world.names().await, world.fold(|_| ANY_CASE));
    world.rebuilt(&contract(LOWER), Point::Start).await;
    assert_eq!(world.names().await, world.fold(|_| LOWER));
    assert_eq!(world.names().await.len(), 2);
    // Evidence of what an earlier load held stays.
    let earlier = world.rejected().await;
    assert!(earlier.iter().any(|(file, _)| old.iter().any(|put| put.key == *file)), "{earlier:?}");
    assert!(matches!(world.silver(&contract(LOWER)).await, SilverOutcome::UpToDate));
    assert!(world.table(Layer::Quarantine).await.unwrap().at_branch("reprocess").is_err());
    endpoints.stop().await;
}
