//! The regular job, compaction and other rebuilds go on beside a rebuild.

use medallion_harness::aws::faults::{FAULT_UPDATE_TABLE_REPLY_LOST, FaultPlan};
use medallion_harness::small_lake::{Endpoints, Repetition};
use medallion_transforms::maintenance::{MaintenancePolicy, When};
use medallion_transforms::reprocess::{Point, ReprocessOutcome, ReprocessStep};
use medallion_transforms::silver::{SilverJob, SilverOutcome};

use crate::rules::followed;
use crate::world::{ANY_CASE, LOWER, SHORT, World, contract};

/// Begins a rebuild and leaves it after so many commits to the Silver table.
async fn leave_after(world: &World<'_>, rules: &str, commits: u32) {
    let faults = world.lake.endpoints();
    let plan = FaultPlan::new(FAULT_UPDATE_TABLE_REPLY_LOST);
    let silver = |table: &str| table.contains("silver");
    let count = faults
        .plan_fault(FAULT_UPDATE_TABLE_REPLY_LOST, plan.when(silver).after(commits - 1).times(1));
    let left = async {
        while count.struck() == 0 {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
    };
    tokio::select! {
        biased;
        () = left => {}
        done = world.reprocess(rules, Point::Start, Repetition::Off) => {
            panic!("the rebuild was to be left: {done:?}")
        }
    }
    faults.clear_faults();
}

#[tokio::test]
async fn what_the_regular_job_applied_meanwhile_is_in_the_rebuilt_table() {
    let endpoints = Endpoints::start().await.unwrap();
    let mut world = World::new(&endpoints, "meanwhile").await;
    world.batch_bytes = 1;
    followed(&mut world).await;
    world.silver(&contract(LOWER)).await;
    // Begun, and one batch applied.
    leave_after(&world, &contract(ANY_CASE), 2).await;
    let main = world.names().await;
    assert_eq!(main, world.fold(|_| LOWER), "readers see nothing of it");
    world.changes(&[("D", 6, "Leonor"), ("I", 7, "Ivo")]).await;
    world.silver(&contract(LOWER)).await;
    let definition = world.definition(&contract(LOWER));
    // Maintenance takes away what neither main nor the branch needs.
    let mut policy = MaintenancePolicy::new(1 << 20, 1 << 28);
    (policy.keep, policy.keep_last) = (chrono::Duration::zero(), 1);
    let now_micros = chrono::Utc::now().timestamp_micros() + 2_000_000;
    let job = SilverJob { now_micros, ..world.job(&definition, &world.warehouse) };
    let reports = job.maintain(policy, When::Now).await.unwrap();
    assert!(reports.iter().any(|report| report.expired.is_some()), "{reports:?}");
    world.changes(&[("I", 8, "oito"), ("I", 9, "9")]).await;

    let plan = world.plan(&contract(ANY_CASE), Point::Start).await.unwrap();
    assert!(matches!(plan.step, ReprocessStep::Apply { .. }), "{plan}");
    let done = world.rebuilt(&contract(ANY_CASE), Point::Start).await;
    assert_eq!(done.files, 5, "the load was applied before");
    world.is_fresh(ANY_CASE).await;
    endpoints.stop().await;
}

#[tokio::test]
async fn a_rebuild_for_another_contract_or_point_begins_anew() {
    let endpoints = Endpoints::start().await.unwrap();
    let mut world = World::new(&endpoints, "another").await;
    world.batch_bytes = 1;
    followed(&mut world).await;
    world.silver(&contract(LOWER)).await;
    leave_after(&world, &contract(ANY_CASE), 3).await;
    let plan = world.plan(&contract(SHORT), Point::Start).await.unwrap();
    assert!(matches!(plan.step, ReprocessStep::Begin { .. }), "{plan}");
    let done = world.rebuilt(&contract(SHORT), Point::Start).await;
    assert_eq!(done.files, 4);
    world.is_fresh(SHORT).await;
    endpoints.stop().await;
}

#[tokio::test]
async fn jobs_and_rebuilds_race_and_nothing_is_lost_or_applied_twice() {
    let endpoints = Endpoints::start().await.unwrap();
    let mut world = World::new(&endpoints, "races").await;
    world.batch_bytes = 1;
    followed(&mut world).await;
    world.silver(&contract(ANY_CASE)).await;
    for round in 0..3 {
        let names: [&'static str; 3] = ["um", "Dois", "4"];
        for (id, name) in (0..).zip(names) {
            world.changes(&[("I", 20 + round * 3 + id, name), ("U", 1, name)]).await;
        }
        let rules = contract(ANY_CASE);
        let regular = async {
            let definition = world.definition(&rules);
            world.job(&definition, &world.warehouse).run().await
        };
        let rebuild = || world.reprocess(&rules, Point::Start, Repetition::Quick);
        let (regular, one, other) = tokio::join!(regular, rebuild(), rebuild());
        // A lost race may be given up, to be repeated; nothing else may go wrong.
        for error in [regular.err(), one.err(), other.err()].into_iter().flatten() {
            assert_eq!(error.advice(), medallion_transforms::error::Advice::Retry, "{error:?}");
        }
        assert_eq!(world.names().await.len(), world.fold(|_| ANY_CASE).len());
        let done = world.reprocess(&rules, Point::Start, Repetition::Quick).await.unwrap();
        assert!(matches!(done, ReprocessOutcome::Rebuilt(_)));
        world.is_fresh(ANY_CASE).await;
    }
    endpoints.stop().await;
}

#[tokio::test]
async fn a_job_that_was_planned_before_the_swap_is_planned_again() {
    let endpoints = Endpoints::start().await.unwrap();
    let mut world = World::new(&endpoints, "planned").await;
    followed(&mut world).await;
    world.silver(&contract(LOWER)).await;
    let before = world.silver_table().await;
    let definition = world.definition(&contract(ANY_CASE));
    let job = world.job(&definition, &world.warehouse);
    let plan = job.plan(Some(&before)).await.unwrap();
    world.rebuilt(&contract(ANY_CASE), Point::Start).await;
    let after = world.silver_table().await;
    assert!(!plan.holds_for(&after));
    assert!(job.plan(Some(&after)).await.unwrap().files.is_empty());
    assert!(matches!(job.run().await.unwrap().silver, SilverOutcome::UpToDate));
    endpoints.stop().await;
}
