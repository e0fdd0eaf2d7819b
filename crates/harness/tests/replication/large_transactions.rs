//! Transactions larger than what memory may hold.

use crate::replay;
use crate::servers::{execute, fill, run, schema, shared};
use crate::task::Job;

const ROWS: u32 = 200_000;

#[test]
fn a_transaction_waits_on_disk_and_becomes_many_files() {
    run(async {
        let url = shared().await;
        let mut conn = schema(url, "large").await;
        execute(
            &mut conn,
            "CREATE TABLE t (id INT PRIMARY KEY, name VARCHAR(40))
             CREATE TABLE small (id INT PRIMARY KEY, name VARCHAR(40))",
        )
        .await;
        let mut job = Job::new(url, "large", &["t", "small"]);
        job.settings.follow.max_transaction_bytes = 1 << 20;
        job.settings.follow.flush.max_bytes = 2 << 20;
        let mut task = job.follow().await;
        execute(&mut conn, "BEGIN").await;
        execute(&mut conn, "INSERT INTO small VALUES (1, 'before')").await;
        fill(&mut conn, "t", 1, ROWS).await;
        execute(&mut conn, "UPDATE small SET name = 'after'").await;
        execute(&mut conn, "COMMIT").await;
        execute(&mut conn, "BEGIN").await;
        fill(&mut conn, "small", 1000, 60_000).await;
        execute(&mut conn, "ROLLBACK").await;
        execute(&mut conn, "DELETE FROM t WHERE id > 10").await;
        task.caught_up().await;
        assert!(job.has_spilled(), "it must be larger than what memory may hold");
        let statistics = task.progress().tables[&job.tables[0]];
        assert_eq!((statistics.inserts, statistics.deletes), (ROWS.into(), u64::from(ROWS) - 10));
        task.stop().await;
        job.assert_same(&mut conn).await;
        let files = job.bronze.files(&job.tables[0]);
        assert!(files.len() > 4, "it must be more than one file: {}", files.len());
        let small = replay::changes(&job.bronze, &job.tables[1]);
        assert_eq!(small.len(), 2);
    });
}

/// Killed amid the files of a large transaction, it writes the same changes again.
#[test]
fn a_large_transaction_is_read_again_after_a_crash() {
    run(async {
        let url = shared().await;
        let mut conn = schema(url, "large_again").await;
        execute(&mut conn, "CREATE TABLE t (id INT PRIMARY KEY, name VARCHAR(40))").await;
        let mut job = Job::new(url, "large_again", &["t"]);
        job.settings.follow.max_transaction_bytes = 256 << 10;
        job.settings.follow.flush.max_bytes = 512 << 10;
        let task = job.follow().await;
        job.bronze.stick_after(Some(2));
        fill(&mut conn, "t", 1, 40_000).await;
        while !job.bronze.is_stuck() {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        task.abort().await;
        job.bronze.stick_after(None);
        let twice = replay::changes(&job.bronze, &job.tables[0]).len();
        assert!(twice > 0, "some files were written before");
        job.run().await;
        job.assert_same(&mut conn).await;
        assert_eq!(replay::changes(&job.bronze, &job.tables[0]).len(), 40_000);
    });
}
