//! The history follows when its Silver table was reprocessed.

use std::collections::BTreeSet;

use medallion_harness::small_lake::Endpoints;
use medallion_harness::small_lake::contents::{Row, rows};
use medallion_tables::warehouse::table_ident;
use medallion_transforms::error::TransformError;
use medallion_transforms::history::HistoryOutcome;
use medallion_transforms::reprocess::Point;

use crate::rules::followed;
use crate::world::{ANY_CASE, LOWER, SHORT, World, contract};

/// The contract with a history.
fn recorded(check: &str) -> String {
    contract(check).replace("buckets = 2\n", "buckets = 2\nhistory = true\n")
}

impl World<'_> {
    /// One run over both tables; what the history came to.
    async fn record(&self, contract: &str) -> Result<HistoryOutcome, TransformError> {
        let definition = self.definition(contract);
        let run = self.job(&definition, &self.warehouse).run().await.unwrap();
        Ok(run.history?.unwrap())
    }

    /// All states, without the time at which their rows were written.
    async fn states(&self) -> BTreeSet<Row> {
        let ident = table_ident(&format!("{}_silver", self.lake.name()), "shop_items_history");
        let table = self.warehouse.load(&ident).await.unwrap().unwrap();
        let mut found = BTreeSet::new();
        for mut row in rows(&table).await.unwrap() {
            row.remove("_loaded_at");
            assert!(found.insert(row.clone()), "{row:?} is there twice");
        }
        found
    }

    /// The states that last have the names that Silver has.
    async fn lasting_is_silver(&self) {
        let lasting = self.states().await.into_iter();
        let lasting = lasting.filter(|row| row["is_current"].as_deref() == Some("true"));
        let of =
            |row: Row| (row["id"].clone().unwrap().parse().unwrap(), row["name"].clone().unwrap());
        assert_eq!(lasting.map(of).collect::<crate::world::Names>(), self.names().await);
    }
}

#[tokio::test]
async fn states_are_made_again_by_the_rules_of_now() {
    let endpoints = Endpoints::start().await.unwrap();
    for (name, before, after) in [("relaxed", LOWER, ANY_CASE), ("tightened", ANY_CASE, SHORT)] {
        let mut world = World::new(&endpoints, name).await;
        world.batch_bytes = 1;
        followed(&mut world).await;
        world.record(&recorded(before)).await.unwrap();
        world.rebuilt(&recorded(after), Point::Start).await;
        let done = world.record(&recorded(after)).await.unwrap().committed.unwrap();
        assert_eq!(done.files, 4, "all files of the load, in one commit");
        world.lasting_is_silver().await;
        // What a lake by the rules of now would have recorded from the beginning.
        let mut fresh = World::new(&endpoints, &format!("{name}fresh")).await;
        (fresh.now, fresh.batch_bytes) = (world.now, 1);
        fresh.put_all(&world.put).await;
        fresh.record(&recorded(after)).await.unwrap();
        assert_eq!(world.states().await, fresh.states().await);
        assert!(world.record(&recorded(after)).await.unwrap().committed.is_none(), "once");
        world.changes(&[("U", 6, "lea"), ("I", 7, "Ivo")]).await;
        world.record(&recorded(after)).await.unwrap();
        world.lasting_is_silver().await;
    }
    endpoints.stop().await;
}

#[tokio::test]
async fn what_earlier_loads_knew_stays_and_what_the_load_in_force_ended_is_decided_again() {
    let endpoints = Endpoints::start().await.unwrap();
    let mut world = World::new(&endpoints, "loads").await;
    world.load(1, &[("I", 1, "ana"), ("I", 2, "bia"), ("I", 3, "eva")]).await;
    world.changes(&[("U", 1, "anne")]).await;
    world.record(&recorded(LOWER)).await.unwrap();
    let first = world.states().await;
    // Names of the first load end by the second one: `Bia` is rejected, so `bia` is missing.
    world.load(1, &[("I", 1, "anne"), ("I", 2, "Bia")]).await;
    world.changes(&[("U", 1, "Anna"), ("I", 4, "leo")]).await;
    world.record(&recorded(LOWER)).await.unwrap();
    world.rebuilt(&recorded(ANY_CASE), Point::Start).await;
    world.record(&recorded(ANY_CASE)).await.unwrap();
    world.lasting_is_silver().await;
    let states = world.states().await;
    let began = |row: &Row| (row["id"].clone(), row["name"].clone(), row["valid_from"].clone());
    let of_first = states.iter().filter(|row| row["_generation"].as_deref() == Some("1"));
    assert_eq!(of_first.map(began).collect::<BTreeSet<_>>(), first.iter().map(began).collect());
    let bia = states.iter().find(|row| row["name"].as_deref() == Some("bia")).unwrap();
    assert_eq!(bia["_ended_generation"].as_deref(), Some("2"));
    assert!(states.iter().any(|row| row["name"].as_deref() == Some("Bia")));
    endpoints.stop().await;
}

#[tokio::test]
async fn a_repaired_file_does_not_stop_the_history_once_silver_was_reprocessed() {
    let endpoints = Endpoints::start().await.unwrap();
    let mut world = World::new(&endpoints, "repaired").await;
    followed(&mut world).await;
    world.record(&recorded(LOWER)).await.unwrap();
    world.repair(2, &[("D", 3, "evita"), ("I", 5, "nine"), ("U", 4, "dora")]).await;
    let definition = world.definition(&recorded(LOWER));
    let refused = world.job(&definition, &world.warehouse).run().await.unwrap_err();
    assert!(refused.to_string().contains("medallion reprocess --from start"), "{refused}");
    world.rebuilt(&recorded(LOWER), Point::Start).await;
    world.record(&recorded(LOWER)).await.unwrap().committed.unwrap();
    world.lasting_is_silver().await;
    assert!(world.names().await.values().any(|name| name == "nine"));
    // The row that failed in the file before it was repaired is no evidence of anything now.
    let key = &world.put[2].key;
    assert!(!world.rejected().await.iter().any(|(file, _)| file == key));
    endpoints.stop().await;
}
