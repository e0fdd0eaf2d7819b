//! Servers that end, lose their binlog, or are replaced.

use medallion_replicator::checkpoint::CheckpointError;
use medallion_replicator::checkpoint_store::CheckpointStoreError;
use medallion_replicator::follow_error::FollowError;
use medallion_replicator::progress::{Notice, Phase};
use medallion_replicator::{ReplicateError, StartPosition};
use mysql_async::prelude::Queryable;

use crate::servers::{Alone, alone, connect, execute, fill, run, schema};
use crate::task::{Job, causes};

const TABLE: &str = "CREATE TABLE t (id INT PRIMARY KEY, name VARCHAR(40))";

#[test]
fn it_goes_on_when_the_server_comes_back() {
    run(async {
        let mut server = alone().await;
        let url = server.url().to_owned();
        let mut conn = schema(&url, "back").await;
        execute(&mut conn, TABLE).await;
        fill(&mut conn, "t", 1, 50).await;
        let job = Job::new(&url, "back", &["t"]).reconnecting();
        let mut task = job.follow().await;
        for kill in [false, true, true] {
            execute(&mut conn, "UPDATE t SET name = CONCAT(name, '.')").await;
            execute(&mut conn, "BEGIN").await;
            execute(&mut conn, "UPDATE t SET name = 'never committed'").await;
            if kill {
                server.kill().await.unwrap();
            } else {
                // A shutdown waits for others.
                conn.disconnect().await.unwrap();
                server.shut_down().await.unwrap();
            }
            task.until(|progress| progress.phase == Phase::Reconnecting).await;
            server.start_again(&[]).await.unwrap();
            conn = connect(&url).await;
            execute(&mut conn, "USE back").await;
            execute(&mut conn, "INSERT INTO t SELECT MAX(id) + 1, 'back' FROM t").await;
            task.caught_up().await;
            job.assert_same(&mut conn).await;
        }
        let reconnected = |notice: &Notice| matches!(notice, Notice::Reconnected { .. });
        assert!(task.notices().iter().filter(|notice| reconnected(notice)).count() >= 3);
        task.stop().await;
    });
}

/// A job that has followed and stopped.
async fn followed(server: &Alone, name: &str) -> (Job, mysql_async::Conn) {
    let mut conn = schema(server.url(), name).await;
    execute(&mut conn, TABLE).await;
    fill(&mut conn, "t", 1, 50).await;
    let mut job = Job::new(server.url(), name, &["t"]);
    // What heals by itself in the end is no error; nothing of this does.
    job.settings.reconnect.attempts = 3;
    job.run().await;
    execute(&mut conn, "UPDATE t SET name = CONCAT(name, '.')").await;
    (job, conn)
}

fn is_purged(error: &ReplicateError) -> bool {
    matches!(error, ReplicateError::Follow(FollowError::Purged { .. }))
}

#[test]
fn a_binlog_that_is_gone_is_an_error_with_a_hint() {
    run(async {
        let server = alone().await;
        let (job, mut conn) = followed(&server, "purged").await;
        let executed: String =
            conn.query_first("SELECT @@global.gtid_executed").await.unwrap().unwrap();
        execute(&mut conn, "INSERT INTO t VALUES (1000, 'lost')").await;
        execute(&mut conn, "FLUSH BINARY LOGS").await;
        let status: mysql_async::Row =
            conn.query_first("SHOW BINARY LOG STATUS").await.unwrap().unwrap();
        let file: String = status.get(0).unwrap();
        execute(&mut conn, &format!("PURGE BINARY LOGS TO '{file}'")).await;
        let before = job.bronze.checkpoint();
        let error = job.start().failure().await;
        assert!(is_purged(&error), "{}", causes(&error));
        assert!(causes(&error).contains("binlog_expire_logs_seconds"), "{}", causes(&error));
        assert_eq!(job.bronze.checkpoint(), before);
        let start = StartPosition::Gtid(executed.parse().unwrap());
        let by_gtid = Job::new(server.url(), "purged", &["t"]).following_from(start);
        let error = by_gtid.start().failure().await;
        assert!(is_purged(&error), "{}", causes(&error));
    });
}

/// The new binlog has a file and an offset of the same name as the old one.
#[test]
fn a_binlog_that_began_anew_is_an_error() {
    run(async {
        let server = alone().await;
        let mut conn = connect(server.url()).await;
        execute(&mut conn, "RESET BINARY LOGS AND GTIDS").await;
        let (job, mut conn) = followed(&server, "anew").await;
        execute(&mut conn, "RESET BINARY LOGS AND GTIDS").await;
        let error = job.start().failure().await;
        assert!(is_error_of_reset(&error), "{}", causes(&error));
        for _ in 0..20 {
            execute(&mut conn, "UPDATE t SET name = CONCAT(name, '.')").await;
        }
        let mut at_once = Job::new(server.url(), "anew", &["t"]);
        at_once.settings.reconnect.attempts = 3;
        let task = at_once.follow().await;
        let error = job.start().failure().await;
        assert!(is_error_of_reset(&error), "{}", causes(&error));
        // Under the eyes of one that follows.
        execute(&mut conn, "RESET BINARY LOGS AND GTIDS").await;
        execute(&mut conn, "UPDATE t SET name = 'unseen'").await;
        let error = task.failure().await;
        assert!(is_error_of_reset(&error), "{}", causes(&error));
    });
}

/// The place is gone, or the server lacks transactions that Bronze has.
fn is_error_of_reset(error: &ReplicateError) -> bool {
    let behind = matches!(
        error,
        ReplicateError::Checkpoint(CheckpointStoreError::Checkpoint(
            CheckpointError::Behind { .. }
        ))
    );
    behind || is_purged(error)
}

#[test]
fn another_server_without_gtids_is_an_error() {
    run(async {
        let mut server = alone().await;
        let flags = ["--gtid-mode=OFF", "--enforce-gtid-consistency=OFF"].map(str::to_owned);
        server.kill().await.unwrap();
        server.start_again(&flags).await.unwrap();
        let (job, _) = followed(&server, "replaced").await;
        job.run().await;
        replace(&mut server, &flags).await;
        let error = job.start().failure().await;
        let other = matches!(
            error,
            ReplicateError::Checkpoint(CheckpointStoreError::Checkpoint(
                CheckpointError::OtherServer { .. }
            ))
        );
        assert!(other && causes(&error).contains("hint: with GTIDs"), "{}", causes(&error));
        server.kill().await.unwrap();
        server.start_again(&[]).await.unwrap();
    });
}

/// A server restored from a backup has the same transactions under another identity.
#[test]
fn a_restored_server_goes_on_by_gtids() {
    run(async {
        let mut server = alone().await;
        let (job, _) = followed(&server, "restored").await;
        replace(&mut server, &[]).await;
        let mut task = job.follow().await;
        let mut conn = connect(server.url()).await;
        execute(&mut conn, "INSERT INTO restored.t VALUES (1000, 'by another')").await;
        task.caught_up().await;
        job.assert_same(&mut conn).await;
        assert!(matches!(task.notices()[..], [Notice::FailedOver { .. }]), "{:?}", task.notices());
        task.stop().await;
        job.run().await;
        let changes = crate::replay::changes(&job.bronze, &job.tables[0]);
        assert_eq!(changes.len(), 51, "nothing comes twice");
    });
}

/// The same data, another identity.
async fn replace(server: &mut Alone, flags: &[String]) {
    server.kill().await.unwrap();
    std::fs::remove_file(server.data_folder().unwrap().join("auto.cnf")).unwrap();
    server.start_again(flags).await.unwrap();
}
