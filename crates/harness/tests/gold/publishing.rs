//! What is published, and what is not.

use medallion_harness::small_lake::Endpoints;
use medallion_transforms::gold::{Action, BRANCH, CheckResult, GoldOutcome};

use crate::world::{ALL, INCREMENTAL, World, check, model, sp};

const BOTH: [(&str, &str); 2] = [("full", ""), ("byid", INCREMENTAL)];

#[tokio::test]
async fn a_build_is_published_once_and_then_left_alone() {
    let endpoints = Endpoints::start().await.unwrap();
    for (name, head) in BOTH {
        let world = World::new(&endpoints, name, &model(head, ALL)).await;
        assert!(matches!(world.run().await.unwrap(), GoldOutcome::Published(r) if r.rows == 0));
        world.put(&[(1, Some("SP"), None), (2, Some("SP"), None)], true).await;
        let report = world.published().await;
        assert_eq!(
            (report.rows, report.mode),
            (2, if head.is_empty() { "full" } else { "incremental" })
        );
        assert_eq!(world.seen().await, [sp(1), sp(2)]);
        let snapshot = world.gold().await.snapshot_id();
        assert!(matches!(world.run().await.unwrap(), GoldOutcome::UpToDate));
        assert_eq!(world.gold().await.snapshot_id(), snapshot);
        assert!(world.gold().await.at_branch(BRANCH).is_err());
    }
    endpoints.stop().await;
}

#[tokio::test]
async fn a_null_or_a_repeated_key_stays_on_the_branch() {
    let endpoints = Endpoints::start().await.unwrap();
    for (name, head) in BOTH {
        let world = World::new(&endpoints, name, &model(head, ALL)).await;
        world.put(&[(1, Some("SP"), None), (2, Some("SP"), None)], true).await;
        world.published().await;
        let before = world.gold().await.snapshot_id();
        world.put(&[(2, Some("SP"), Some("Ana")), (3, None, Some("Bia"))], false).await;
        let report = world.red().await;
        assert_eq!(report.branch, Some(BRANCH));
        let nulls = check(&report, "not_null(region)");
        assert_eq!(
            (nulls.failing, nulls.shown.as_slice()),
            (1, ["id=3 region=NULL name=***".to_owned()].as_slice())
        );
        let grain = check(&report, "grain(id)");
        assert_eq!(
            (grain.failing, grain.shown.as_slice()),
            (1, ["id=2 rows_with_it=2".to_owned()].as_slice())
        );
        assert_eq!(world.seen().await, [sp(1), sp(2)]);
        assert_eq!(world.gold().await.snapshot_id(), before);
        let build = [sp(1), sp(2), sp(2), (3, "NULL".to_owned())];
        assert_eq!(world.on_branch().await, build);
        // It is red again until its input is right; then the branch goes.
        world.red().await;
        world.put(&[(2, Some("SP"), Some("Ana")), (3, Some("SP"), None)], true).await;
        let report = world.published().await;
        assert!(report.checks.iter().all(CheckResult::passed), "{report:?}");
        assert_eq!(world.seen().await, [sp(1), sp(2), sp(3)]);
        assert!(world.gold().await.at_branch(BRANCH).is_err());
    }
    endpoints.stop().await;
}

#[tokio::test]
async fn a_row_without_a_key_is_counted_although_it_cannot_be_written() {
    let endpoints = Endpoints::start().await.unwrap();
    let sql = "select case when id < 10 then id end as id, region, name from silver.crm_people";
    for (name, head) in BOTH {
        let world = World::new(&endpoints, name, &model(head, sql)).await;
        world.put(&[(1, Some("SP"), None)], true).await;
        world.published().await;
        world.put(&[(10, Some("SP"), None), (11, Some("SP"), None)], true).await;
        let report = world.red().await;
        assert_eq!(check(&report, "not_null(id)").failing, 2, "{report:?}");
        assert_eq!(world.seen().await, [sp(1)]);
        assert_eq!(world.on_branch().await, [sp(1)]);
    }
    endpoints.stop().await;
}

#[tokio::test]
async fn only_touched_keys_are_written() {
    let endpoints = Endpoints::start().await.unwrap();
    let world = World::new(&endpoints, "touched", &model(INCREMENTAL, ALL)).await;
    let people: Vec<_> = (0..500).map(|id| (id, Some("SP"), None)).collect();
    world.put(&people, true).await;
    world.published().await;
    // One comes, one changes, one is written again as it is.
    world.put(&[(7, Some("RJ"), None), (8, Some("SP"), None), (900, Some("SP"), None)], true).await;
    let report = world.published().await;
    assert_eq!((report.keys, report.inserted, report.deleted), (Some(2), 2, 1), "{report:?}");
    assert_eq!(report.rows, 501);
    // What changes in columns that the model does not read changes nothing.
    let none = model(
        INCREMENTAL,
        "select id, 'SP' as region, cast(null as string) as name from silver.crm_people",
    );
    let mut world = world;
    world.edit(&none);
    world.published().await;
    world.put(&[(7, Some("MG"), Some("Ana"))], true).await;
    let report = world.published().await;
    assert_eq!((report.keys, report.inserted, report.deleted), (Some(0), 0, 0), "{report:?}");
    endpoints.stop().await;
}

#[tokio::test]
async fn another_query_header_or_reader_makes_a_full_build() {
    let endpoints = Endpoints::start().await.unwrap();
    let mut world = World::new(&endpoints, "others", &model(INCREMENTAL, ALL)).await;
    world.put(&[(1, Some("SP"), None)], true).await;
    let because =
        |report: medallion_transforms::gold::GoldReport| report.because.unwrap_or_default();
    assert_eq!(because(world.published().await), "it was never built");
    world.edit(&model(INCREMENTAL, &format!("{ALL} where id > 0")));
    assert!(because(world.published().await).contains("query or header changed"));
    // Somebody else writes to the table: it is no longer what was built.
    let gold = world.gold().await;
    let change = medallion_tables::commit::Change {
        operation: medallion_tables::Operation::Overwrite,
        added: Vec::new(),
        removed: gold.live_files().await.unwrap(),
        summary: Default::default(),
        branch: medallion_tables::commit::Branch::Main,
    };
    medallion_tables::commit::commit(&world.warehouse, &gold, change).await.unwrap();
    assert_eq!(because(world.published().await), "it was never built");
    assert_eq!(world.seen().await, [sp(1)]);
    let forced = medallion_transforms::gold::GoldJob { full: true, ..world.job(&world.warehouse) };
    assert!(
        matches!(forced.explain().await.unwrap().action, Action::Full { because } if because == "it was asked for")
    );
    endpoints.stop().await;
}

#[tokio::test]
async fn columns_come_before_the_build_and_go_after_it() {
    let endpoints = Endpoints::start().await.unwrap();
    let mut world = World::new(&endpoints, "columns", &model("", ALL)).await;
    world.put(&[(1, Some("SP"), Some("Ana"))], true).await;
    world.published().await;
    let column = "[[column]]\nname = \"name\"\ntype = \"string\"\nsensitivity = \"personal\"\n";
    let other = "[[column]]\nname = \"letters\"\ntype = \"long\"\nsensitivity = \"internal\"\nsafe = \"a length\"\n";
    let edited = model("", "select id, region, length(name) as letters from silver.crm_people");
    world.edit(&edited.replace(column, other));
    world.put(&[(2, None, None)], true).await;
    world.red().await;
    let names = |table: &medallion_tables::table::LakeTable| {
        table.arrow_schema().fields().iter().map(|f| f.name().clone()).collect::<Vec<_>>()
    };
    // Readers still have the column that goes, and see nothing in the one that came.
    assert_eq!(names(&world.gold().await), ["id", "region", "name", "letters"]);
    assert_eq!(world.seen().await, [sp(1)]);
    world.put(&[(2, Some("SP"), None)], true).await;
    world.published().await;
    assert_eq!(names(&world.gold().await), ["id", "region", "letters"]);
    assert_eq!(world.seen().await, [sp(1), sp(2)]);
    endpoints.stop().await;
}

#[tokio::test]
async fn two_runs_at_once_publish_one_build_each_or_none() {
    let endpoints = Endpoints::start().await.unwrap();
    let world = World::new(&endpoints, "beside", &model(INCREMENTAL, ALL)).await;
    world.put(&[(1, Some("SP"), None)], true).await;
    world.published().await;
    world.put(&[(2, Some("SP"), None), (3, Some("SP"), None)], true).await;
    let (one, two) = tokio::join!(world.run(), world.run());
    let ended = [one, two].into_iter().filter(|outcome| match outcome {
        Ok(_) => true,
        Err(error) => {
            assert_eq!(error.advice(), medallion_transforms::error::Advice::Retry, "{error:?}");
            false
        }
    });
    assert!(ended.count() >= 1);
    world.run().await.unwrap();
    assert_eq!(world.seen().await, [sp(1), sp(2), sp(3)]);
    assert!(world.gold().await.at_branch(BRANCH).is_err());
    endpoints.stop().await;
}
