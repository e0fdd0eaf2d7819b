//! A run is refused, loses replies, or dies at any request; the next one publishes.

use std::time::Duration;

use medallion_harness::aws::faults::{FAULT_ANY_REFUSED, FAULT_ANY_REPLY_LOST, Fault, FaultPlan};
use medallion_harness::small_lake::{Endpoints, Repetition};
use medallion_transforms::error::Advice;
use medallion_transforms::gold::BRANCH;

use crate::world::{ALL, INCREMENTAL, World, model, sp};

/// A table with one published person and one who waits.
async fn waiting<'a>(endpoints: &'a Endpoints, name: &str) -> World<'a> {
    let world = World::new(endpoints, name, &model(INCREMENTAL, ALL)).await;
    world.put(&[(1, Some("SP"), None)], true).await;
    world.published().await;
    world.put(&[(2, Some("SP"), None)], true).await;
    world
}

async fn is_right(world: &World<'_>) {
    world.run().await.unwrap();
    assert_eq!(world.seen().await, [sp(1), sp(2)]);
    assert!(world.gold().await.at_branch(BRANCH).is_err());
}

/// What readers see is one of the two states, whatever happened.
async fn is_whole(world: &World<'_>) {
    let seen = world.seen().await;
    assert!(seen == [sp(1)] || seen == [sp(1), sp(2)], "{seen:?}");
}

/// Every request of a run is struck once, by `fault`; with `dies` the run ends there.
async fn struck_everywhere(endpoint: usize, name: &str, fault: Fault, dies: bool) -> u32 {
    let endpoints = Endpoints::start().await.unwrap();
    let mut struck = 0;
    for request in 0.. {
        let world = waiting(&endpoints, &format!("{name}{request}")).await;
        let faults = endpoints.faults()[endpoint];
        let count = faults.install(FaultPlan::new(fault).after(request).times(1));
        let once = world.lake.warehouse(Repetition::Off);
        let job = world.job(&once);
        let died = async {
            while !dies || count.struck() == 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::select! {
            biased;
            () = died => {}
            outcome = job.run() => if let Err(error) = outcome {
                assert_eq!(error.advice(), Advice::Retry, "request {request}: {error:?}");
            },
        }
        faults.clear();
        is_whole(&world).await;
        is_right(&world).await;
        if count.struck() == 0 {
            break;
        }
        struck += 1;
    }
    endpoints.stop().await;
    struck
}

#[tokio::test]
async fn requests_to_the_catalog() {
    // Loading two tables and committing twice take at least four.
    for (kind, fault) in [("r", FAULT_ANY_REFUSED), ("l", FAULT_ANY_REPLY_LOST)] {
        for dies in [false, true] {
            let name = format!("glue{kind}{}", u8::from(dies));
            let struck = struck_everywhere(1, &name, fault, dies).await;
            assert!(struck >= 4, "{name}: {struck}");
        }
    }
}

#[tokio::test]
async fn requests_to_the_bucket() {
    for (kind, fault) in [("r", FAULT_ANY_REFUSED), ("l", FAULT_ANY_REPLY_LOST)] {
        let struck = struck_everywhere(0, &format!("bucket{kind}"), fault, false).await;
        assert!(struck >= 10, "{kind}: {struck}");
    }
}
