//! XA transactions: their rows stand in the binlog where they are prepared, and count where they
//! are committed, if at all.

use std::time::Duration;

use medallion_replicator::ReplicateError;
use medallion_replicator::progress::{Phase, Progress};
use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use tokio::time::sleep;

use crate::replay;
use crate::servers::{Alone, alone, connect, execute, mariadb, run, schema};
use crate::task::{Job, Task};

const TABLE: &str = "CREATE TABLE t (id INT PRIMARY KEY, name VARCHAR(40))";

/// Prepares a transaction over a connection of its own, which ends. Until the server has ended it
/// too, the transaction is not anybody else's to decide: MariaDB then says that it does not know
/// it.
async fn prepare(url: &str, schema: &str, name: &str, statements: &str) {
    let mut conn = connect(url).await;
    let id = conn.id();
    execute(&mut conn, &format!("USE {schema}\nXA START {name}")).await;
    execute(&mut conn, statements).await;
    execute(&mut conn, &format!("XA END {name}\nXA PREPARE {name}")).await;
    conn.disconnect().await.unwrap();
    let mut conn = connect(url).await;
    let there = format!("SELECT COUNT(*) FROM information_schema.processlist WHERE id = {id}");
    for _ in 0..1_000 {
        if conn.query_first::<u64, _>(&there).await.unwrap() == Some(0) {
            return conn.disconnect().await.unwrap();
        }
        sleep(Duration::from_millis(10)).await;
    }
    panic!("the connection that prepared {name} does not end");
}

/// Waits until so many rows were inserted: while a transaction is prepared, the safe place waits.
async fn inserted(task: &mut Task, job: &Job, rows: u64) {
    let table = job.tables[0].clone();
    task.until(move |progress: &Progress| {
        progress.tables.get(&table).is_some_and(|statistics| statistics.inserts >= rows)
    })
    .await;
}

/// The ids in Bronze.
fn ids(job: &Job) -> Vec<String> {
    let key = ["id".to_owned()];
    let rows = replay::replay(&job.bronze, &job.tables[0], &key, replay::Rows::new());
    rows.into_keys().map(|mut key| key.remove(0)).collect()
}

async fn begun(server: &Alone, name: &str) -> (Job, Conn) {
    let mut conn = schema(server.url(), name).await;
    execute(&mut conn, TABLE).await;
    execute(&mut conn, "INSERT INTO t VALUES (1, 'loaded'), (2, 'loaded')").await;
    (Job::new(server.url(), name, &["t"]), conn)
}

async fn decided_in_any_order(server: Alone) {
    let url = server.url();
    let (job, mut conn) = begun(&server, "xa_order").await;
    let mut task = job.follow().await;
    prepare(url, "xa_order", "'a'", "INSERT INTO t VALUES (10, 'a')\nDELETE FROM t WHERE id = 1")
        .await;
    prepare(url, "xa_order", "'b','branch',7", "INSERT INTO t VALUES (20, 'b')").await;
    execute(&mut conn, "INSERT INTO t VALUES (30, 'between')").await;
    prepare(url, "xa_order", "'c'", "INSERT INTO t VALUES (40, 'c')").await;
    prepare(url, "xa_order", "'nothing'", "SELECT * FROM t WHERE id = 2").await;
    inserted(&mut task, &job, 1).await;
    assert_eq!(ids(&job), ["1", "2", "30"], "what is prepared does not show");
    execute(
        &mut conn,
        "XA COMMIT 'c'
         UPDATE t SET name = 'after c' WHERE id = 40
         XA COMMIT 'b','branch',7
         XA START 'd'
         INSERT INTO t VALUES (50, 'one phase')
         XA END 'd'
         XA COMMIT 'd' ONE PHASE
         XA START 'e'
         INSERT INTO t VALUES (60, 'never prepared')
         XA END 'e'
         XA ROLLBACK 'e'
         XA COMMIT 'a'
         INSERT INTO t VALUES (1, 'again')",
    )
    .await;
    // MariaDB has ended it already, since it has changed nothing.
    drop(conn.query_drop("XA ROLLBACK 'nothing'").await);
    prepare(url, "xa_order", "'f'", "INSERT INTO t VALUES (70, 'f')").await;
    execute(&mut conn, "XA ROLLBACK 'f'").await;
    task.caught_up().await;
    job.assert_same(&mut conn).await;
    task.stop().await;
}

/// The replicator ends between PREPARE and COMMIT, in order and not.
async fn decided_after_a_restart(server: Alone) {
    let url = server.url();
    let (job, mut conn) = begun(&server, "xa_restart").await;
    let mut task = job.follow().await;
    prepare(url, "xa_restart", "'a'", "INSERT INTO t VALUES (10, 'a'), (11, 'a')").await;
    execute(&mut conn, "INSERT INTO t VALUES (20, 'between')").await;
    prepare(url, "xa_restart", "'b'", "UPDATE t SET name = 'b' WHERE id = 1").await;
    inserted(&mut task, &job, 1).await;
    task.stop().await;
    let mut task = job.follow().await;
    execute(&mut conn, "XA COMMIT 'b'").await;
    execute(&mut conn, "INSERT INTO t VALUES (21, 'between')").await;
    inserted(&mut task, &job, 2).await;
    task.abort().await;
    execute(&mut conn, "UPDATE t SET name = 'while away' WHERE id = 20").await;
    execute(&mut conn, "XA COMMIT 'a'").await;
    let mut task = job.follow().await;
    task.caught_up().await;
    job.assert_same(&mut conn).await;
    task.stop().await;
    // One that is prepared and rolled back in two runs.
    prepare(url, "xa_restart", "'c'", "DELETE FROM t WHERE id = 20").await;
    let mut task = job.follow().await;
    execute(&mut conn, "INSERT INTO t VALUES (99, 'x')").await;
    let before = task.progress().tables[&job.tables[0]].inserts;
    inserted(&mut task, &job, before + 1).await;
    task.abort().await;
    execute(&mut conn, "XA ROLLBACK 'c'").await;
    let mut task = job.follow().await;
    task.caught_up().await;
    job.assert_same(&mut conn).await;
    task.stop().await;
}

/// Its rows are neither in the snapshot nor behind it.
async fn prepared_before_the_load(server: Alone) {
    let url = server.url();
    let (job, mut conn) = begun(&server, "xa_before").await;
    prepare(url, "xa_before", "'a'", "INSERT INTO t VALUES (10, 'a')").await;
    let error = job.start().failure().await;
    assert!(matches!(error, ReplicateError::PreparedXa), "{error:?}");
    assert!(error.to_string().contains("XA RECOVER"), "{error}");
    let job = job.reconnecting();
    let mut task = job.start();
    task.until(|progress| progress.phase == Phase::Reconnecting).await;
    execute(&mut conn, "XA COMMIT 'a'").await;
    task.until(|progress| progress.phase == Phase::Following).await;
    execute(&mut conn, "UPDATE t SET name = 'followed'").await;
    task.caught_up().await;
    job.assert_same(&mut conn).await;
    task.stop().await;
}

#[test]
fn mysql_decides_in_any_order() {
    run(async { decided_in_any_order(alone().await).await });
}

#[test]
fn mysql_decides_after_a_restart_of_the_replicator() {
    run(async { decided_after_a_restart(alone().await).await });
}

#[test]
fn mysql_has_prepared_before_the_load() {
    run(async { prepared_before_the_load(alone().await).await });
}

#[test]
fn mariadb_decides_in_any_order() {
    run(async { decided_in_any_order(mariadb().await).await });
}

#[test]
fn mariadb_decides_after_a_restart_of_the_replicator() {
    run(async { decided_after_a_restart(mariadb().await).await });
}

#[test]
fn mariadb_has_prepared_before_the_load() {
    run(async { prepared_before_the_load(mariadb().await).await });
}
