//! A rebuild is refused, loses replies, or dies at any request, and the same command goes on.

use medallion_harness::aws::faults::{
    FAULT_ANY_REFUSED, FAULT_ANY_REPLY_LOST, FAULT_UPDATE_TABLE_REFUSED,
    FAULT_UPDATE_TABLE_REPLY_LOST, Fault, FaultPlan,
};
use medallion_harness::small_lake::{Endpoints, Repetition};
use medallion_transforms::error::Advice;
use medallion_transforms::reprocess::Point;

use crate::rules::followed;
use crate::world::{ANY_CASE, LOWER, World, contract};

/// Which endpoint of the lake.
const S3: usize = 0;
const GLUE: usize = 1;

/// A table by the old rules, with the files of several batches.
async fn old<'a>(endpoints: &'a Endpoints, name: &str) -> World<'a> {
    let mut world = World::new(endpoints, name).await;
    world.batch_bytes = 1;
    followed(&mut world).await;
    world.silver(&contract(LOWER)).await;
    world
}

/// Whatever was left, the regular job and the same command go on with it.
async fn finished(mut world: World<'_>) {
    world.changes(&[("I", 11, "Onze"), ("U", 1, "1")]).await;
    world.silver(&contract(ANY_CASE)).await;
    world.rebuilt(&contract(ANY_CASE), Point::Start).await;
    world.is_fresh(ANY_CASE).await;
}

/// Dies right after the request; false when there are not so many.
async fn dies_at(world: &World<'_>, endpoint: usize, fault: Fault, request: u32) -> bool {
    let faults = world.lake.endpoints().faults()[endpoint];
    let count = faults.install(FaultPlan::new(fault).after(request).times(1));
    let struck = async {
        while count.struck() == 0 {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
    };
    let rules = contract(ANY_CASE);
    let died = tokio::select! {
        biased;
        () = struck => true,
        _ = world.reprocess(&rules, Point::Start, Repetition::Off) => count.struck() > 0,
    };
    faults.clear();
    died
}

/// Dies at every so many requests: refused, and done without a reply.
async fn dies_everywhere(endpoint: usize, name: &str, steps: [u32; 2]) -> u32 {
    let endpoints = Endpoints::start().await.unwrap();
    let mut deaths = 0;
    for (fault, step) in [FAULT_ANY_REFUSED, FAULT_ANY_REPLY_LOST].into_iter().zip(steps) {
        for number in 0.. {
            let request = number * step;
            let lost = if fault == FAULT_ANY_REFUSED { "r" } else { "l" };
            let world = old(&endpoints, &format!("{name}{lost}{request}")).await;
            let died = dies_at(&world, endpoint, fault, request).await;
            finished(world).await;
            if !died {
                break;
            }
            deaths += 1;
        }
    }
    endpoints.stop().await;
    deaths
}

#[tokio::test]
async fn a_rebuild_that_dies_at_requests_to_the_catalog_is_finished_by_the_next() {
    let deaths = dies_everywhere(GLUE, "glue", [7, 2]).await;
    // Begin, four batches, the swap, quarantine and the dropping of two branches.
    assert!(deaths >= 15, "{deaths}");
}

#[tokio::test]
async fn a_rebuild_that_dies_at_requests_to_the_bucket_is_finished_by_the_next() {
    let deaths = dies_everywhere(S3, "bucket", [61, 31]).await;
    assert!(deaths >= 6, "{deaths}");
}

#[tokio::test]
async fn a_commit_that_is_refused_or_loses_its_reply_is_made_once() {
    let endpoints = Endpoints::start().await.unwrap();
    for (name, fault) in
        [("refused", FAULT_UPDATE_TABLE_REFUSED), ("lost", FAULT_UPDATE_TABLE_REPLY_LOST)]
    {
        for commit in 0.. {
            let world = old(&endpoints, &format!("{name}{commit}")).await;
            let plan = FaultPlan::new(fault).after(commit).times(1);
            let count = endpoints.plan_fault(fault, plan);
            let done = world.reprocess(&contract(ANY_CASE), Point::Start, Repetition::Off).await;
            endpoints.clear_faults();
            match done {
                Ok(_) => assert_eq!(world.swaps().await, 1),
                Err(error) => {
                    assert_eq!(fault, FAULT_UPDATE_TABLE_REFUSED, "{error:?}");
                    assert_eq!(error.advice(), Advice::Retry, "{error:?}");
                    assert!(world.swaps().await <= 1);
                    world.rebuilt(&contract(ANY_CASE), Point::Start).await;
                    assert_eq!(world.swaps().await, 1, "the same rebuild was finished");
                }
            }
            world.is_fresh(ANY_CASE).await;
            if count.struck() == 0 {
                assert!(commit >= 9, "there are more commits than {commit}");
                break;
            }
        }
    }
    endpoints.stop().await;
}
