//! A replica takes over, and the replicator goes on with it.

use medallion_harness::mysql::replica::{catch_up, replicate_from};
use medallion_harness::mysql::{Flavor, MySqlServer};
use medallion_replicator::ReplicateError;
use medallion_replicator::checkpoint::CheckpointError;
use medallion_replicator::checkpoint_store::CheckpointStoreError;
use medallion_replicator::progress::Notice;

use crate::replay;
use crate::servers::{connect, execute, fill, run, schema, start};
use crate::task::{Job, causes};

/// Source, replica, and what follows the source.
struct Pair {
    source: MySqlServer,
    replica: MySqlServer,
    job: Job,
    flavor: Flavor,
}

async fn pair(name: &str, flavor: Flavor) -> Pair {
    let (first, second) = (format!("{name}-source"), format!("{name}-replica"));
    let (source, replica) =
        tokio::join!(start(&first, flavor, &[]), start(&second, flavor, &["--server-id=2"]));
    replicate_from(&replica, &source, flavor).await.unwrap();
    let mut conn = schema(source.url(), "failover").await;
    // Positions on the replica are lower than those on the source.
    for _ in 0..3 {
        execute(&mut conn, "FLUSH BINARY LOGS").await;
    }
    execute(&mut conn, "CREATE TABLE t (id INT PRIMARY KEY, name VARCHAR(40))").await;
    execute(&mut conn, "INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, 'c')").await;
    catch_up(&replica, &source, flavor).await.unwrap();
    let job = Job::new(source.url(), "failover", &["t"]);
    Pair { source, replica, job, flavor }
}

async fn goes_on_with_the_replica(pair: Pair) {
    let Pair { source, replica, job, flavor } = pair;
    let mut conn = connect(source.url()).await;
    execute(&mut conn, "USE failover").await;
    let mut task = job.follow().await;
    for round in 0..5 {
        execute(&mut conn, &format!("UPDATE t SET name = 'round {round}'")).await;
    }
    task.caught_up().await;
    task.stop().await;
    let before = replay::changes(&job.bronze, &job.tables[0]);
    // Not yet read by the replicator, but by the replica.
    execute(&mut conn, "INSERT INTO t VALUES (4, 'in between')").await;
    execute(&mut conn, "UPDATE t SET id = 30 WHERE id = 3").await;
    catch_up(&replica, &source, flavor).await.unwrap();
    source.stop().await;
    let mut conn = connect(replica.url()).await;
    execute(&mut conn, "STOP REPLICA").await;
    execute(&mut conn, "UPDATE failover.t SET name = 'of the new source' WHERE id = 1").await;
    let moved = job.at(replica.url());
    let mut task = moved.follow().await;
    task.caught_up().await;
    let notices = task.notices();
    assert!(matches!(notices[..], [Notice::FailedOver { .. }]), "{notices:?}");
    execute(&mut conn, "DELETE FROM failover.t WHERE id = 2").await;
    task.caught_up().await;
    moved.assert_same(&mut conn).await;
    task.stop().await;
    moved.run().await;
    let changes = replay::changes(&job.bronze, &job.tables[0]);
    let (old, new) = changes.split_at(before.len());
    let last = old.last().unwrap();
    assert_eq!(last.sequence, before.last().unwrap().sequence);
    assert!(
        new.iter().all(|change| change.sequence > last.sequence),
        "they go on after the others"
    );
    let ops: String = new.iter().map(|change| change.op.as_str()).collect();
    assert_eq!(ops, "IUUD", "nothing comes twice");
    replica.stop().await;
}

#[test]
fn mysql_goes_on_with_the_replica() {
    run(async { goes_on_with_the_replica(pair("mysql", Flavor::MySql).await).await });
}

#[test]
fn mariadb_goes_on_with_the_replica() {
    run(async { goes_on_with_the_replica(pair("mariadb", Flavor::MariaDb).await).await });
}

/// Transactions that Bronze has and the replica has not were lost by the failover.
#[test]
fn a_replica_that_lacks_transactions_is_an_error() {
    run(async {
        let Pair { source, replica, mut job, .. } = pair("behind", Flavor::MySql).await;
        let mut conn = connect(replica.url()).await;
        execute(&mut conn, "STOP REPLICA").await;
        let mut conn = connect(source.url()).await;
        execute(&mut conn, "USE failover").await;
        fill(&mut conn, "t", 100, 200).await;
        job.run().await;
        source.stop().await;
        job.settings.reconnect.attempts = 2;
        let error = job.at(replica.url()).start().failure().await;
        let behind = matches!(
            error,
            ReplicateError::Checkpoint(CheckpointStoreError::Checkpoint(
                CheckpointError::Behind { .. }
            ))
        );
        assert!(behind, "{}", causes(&error));
        replica.stop().await;
    });
}
