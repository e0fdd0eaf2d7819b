//! The checkpoint in its store.

use medallion_replicator::ReplicateError;
use medallion_replicator::checkpoint_store::CheckpointStoreError;
use medallion_replicator::follow_error::FollowError;

use crate::servers::{execute, fill, run, schema, shared};
use crate::task::{Job, causes};

const TABLE: &str = "CREATE TABLE t (id INT PRIMARY KEY, name VARCHAR(40))";

#[test]
fn a_second_replicator_takes_the_checkpoint_and_the_first_stops() {
    run(async {
        let url = shared().await;
        let mut conn = schema(url, "taken").await;
        execute(&mut conn, TABLE).await;
        fill(&mut conn, "t", 1, 10).await;
        let first = Job::new(url, "taken", &["t"]).reconnecting();
        let task = first.follow().await;
        let mut second = first.at(url);
        // Under another id, the server lets both read.
        second.settings.follow.server_id += 500_000;
        let mut newer = second.follow().await;
        execute(&mut conn, "UPDATE t SET name = 'changed'").await;
        let error = task.failure().await;
        let taken = matches!(
            error,
            ReplicateError::Follow(FollowError::Checkpoint(CheckpointStoreError::Taken))
        );
        assert!(taken, "{error:?}");
        assert!(causes(&error).contains("only one may run per task"), "{}", causes(&error));
        newer.caught_up().await;
        second.assert_same(&mut conn).await;
        newer.stop().await;
    });
}

#[test]
fn a_second_replicator_of_the_same_id_is_refused_by_the_server() {
    run(async {
        let url = shared().await;
        let mut conn = schema(url, "same_id").await;
        execute(&mut conn, TABLE).await;
        let mut first = Job::new(url, "same_id", &["t"]);
        // It has no reason to touch the checkpoint before the server ends it.
        first.settings.follow.flush.max_interval = std::time::Duration::from_secs(600);
        let task = first.follow().await;
        let second = first.at(url);
        let newer = second.follow().await;
        let error = task.failure().await;
        assert!(
            matches!(error, ReplicateError::Follow(FollowError::Rejected { .. })),
            "{}",
            causes(&error)
        );
        execute(&mut conn, "INSERT INTO t VALUES (1, 'one')").await;
        newer.stop().await;
    });
}

#[test]
fn lost_answers_to_checkpoints_do_not_stop_it() {
    run(async {
        let url = shared().await;
        let mut conn = schema(url, "lost").await;
        execute(&mut conn, TABLE).await;
        fill(&mut conn, "t", 1, 100).await;
        execute(&mut conn, "ANALYZE TABLE t").await;
        let mut job = Job::new(url, "lost", &["t"]);
        job.settings.load.segment_rows = 10;
        // The load's checkpoints, then some of following.
        job.bronze.lose_answers(20);
        let mut task = job.follow().await;
        for round in 0..12 {
            execute(&mut conn, &format!("INSERT INTO t VALUES ({}, 'x')", 1000 + round)).await;
            task.caught_up().await;
        }
        assert_eq!(job.bronze.answers_to_lose(), 0);
        job.assert_same(&mut conn).await;
        task.stop().await;
        job.run().await;
        assert!(job.bronze.checkpoint().contains("\"version\": 2"));
    });
}
