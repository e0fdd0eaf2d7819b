//! MariaDB: the same rows through another dialect of the binlog.

use medallion_harness::mysql::Flavor;
use medallion_replicator::ddl::TableEffect;
use medallion_replicator::follow::UntoldRows;
use medallion_replicator::follow_error::FollowError;
use medallion_replicator::progress::{Notice, Phase};
use medallion_replicator::{ReplicateError, StartPosition};
use mysql_async::prelude::Queryable;

use crate::replay::{self, assert_same_since};
use crate::servers::{connect, execute, mariadb, run, schema, start};
use crate::task::{Job, binlog_end, causes};

const TABLE: &str = "CREATE TABLE t (id INT PRIMARY KEY, name VARCHAR(40), amount DECIMAL(10, 2), \
    seen DATETIME(6), changed TIMESTAMP NULL)";

#[test]
fn changes_follow_the_full_load() {
    run(async {
        let mut server = mariadb().await;
        let url = server.url().to_owned();
        let mut conn = schema(&url, "maria").await;
        execute(&mut conn, TABLE).await;
        execute(
            &mut conn,
            "INSERT INTO t SELECT seq, CONCAT('name ', seq), seq / 7, '2026-01-01 10:00:00.25', '2026-01-01 10:00:00' FROM seq_1_to_500
             ANALYZE TABLE t",
        )
        .await;
        let mut job = Job::new(&url, "maria", &["t"]).reconnecting();
        job.settings.load.segment_rows = 60;
        let mut task = job.follow().await;
        execute(
            &mut conn,
            "SET SESSION time_zone = '-11:00'
             INSERT INTO t VALUES (1000, 'Zoë', -0.01, '1999-12-31 23:59:59.999999', '2026-06-01 00:00:00')
             UPDATE t SET id = id + 5000 WHERE id BETWEEN 10 AND 20
             BEGIN
             DELETE FROM t WHERE id > 490 AND id < 1000
             UPDATE t SET name = 'two in one' WHERE id < 5
             COMMIT
             FLUSH BINARY LOGS
             ALTER TABLE t ADD COLUMN note VARCHAR(10), RENAME COLUMN name TO title
             UPDATE t SET note = 'x'
             ALTER TABLE t MODIFY amount DECIMAL(20, 2) FIRST, DROP COLUMN note
             INSERT INTO t VALUES (123456789012.34, 2000, 'wide', NULL, NULL)",
        )
        .await;
        task.caught_up().await;
        job.assert_same(&mut conn).await;
        assert!(job.bronze.loads(&job.tables[0]).len() > 4, "it is loaded in ranges");
        // It comes back.
        server.kill().await.unwrap();
        task.until(|progress| progress.phase == Phase::Reconnecting).await;
        server.start_again(&[]).await.unwrap();
        conn = connect(&url).await;
        execute(&mut conn, "UPDATE maria.t SET seen = NOW(6) WHERE id < 100").await;
        task.caught_up().await;
        job.assert_same(&mut conn).await;
        task.stop().await;
        job.run().await;
    });
}

#[test]
fn domains_have_their_own_transactions() {
    run(async {
        let server = mariadb().await;
        let url = server.url();
        let mut conn = schema(url, "domains").await;
        execute(&mut conn, TABLE).await;
        let mut other = connect(url).await;
        execute(&mut other, "USE domains\nSET SESSION gtid_domain_id = 7").await;
        execute(&mut conn, "INSERT INTO t (id) VALUES (1), (2)").await;
        execute(&mut other, "INSERT INTO t (id) VALUES (11), (12)").await;
        let position: String =
            conn.query_first("SELECT @@global.gtid_binlog_pos").await.unwrap().unwrap();
        assert!(position.contains("7-1-"), "{position}");
        let start = StartPosition::Gtid(position.parse().unwrap());
        let job = Job::new(url, "domains", &["t"]).following_from(start);
        let key = replay::key(&mut conn, &job.tables[0]).await;
        let before = replay::selected(&mut conn, &job.tables[0], &key).await;
        job.run().await;
        for round in 0..3 {
            execute(&mut conn, &format!("INSERT INTO t (id) VALUES (10{round})")).await;
            execute(&mut other, &format!("UPDATE t SET name = 'r{round}' WHERE id > 10")).await;
        }
        job.run().await;
        job.run().await;
        assert_same_since(&job.bronze, &mut conn, &job.tables[0], before).await;
        let expected: u64 = 3 + 3 + 4 + 5;
        let found = replay::changes(&job.bronze, &job.tables[0]).len() as u64;
        assert_eq!(found, expected, "nothing of before, and nothing twice");
        // Positions serve as well.
        let start = StartPosition::Binlog(binlog_end(url).await);
        let before = replay::selected(&mut conn, &job.tables[0], &key).await;
        let by_position = Job::new(url, "domains", &["t"]).following_from(start);
        execute(&mut conn, "DELETE FROM t WHERE id = 1").await;
        by_position.run().await;
        assert_same_since(&by_position.bronze, &mut conn, &job.tables[0], before).await;
    });
}

#[test]
fn definition_is_told_and_tables_are_loaded_anew() {
    run(async {
        let server = mariadb().await;
        let url = server.url();
        let mut conn = schema(url, "maria_ddl").await;
        execute(&mut conn, "CREATE TABLE t (id INT PRIMARY KEY, name VARCHAR(40))").await;
        execute(&mut conn, "INSERT INTO t VALUES (1, 'a'), (2, 'b')").await;
        let mut job = Job::new(url, "maria_ddl", &["t"]);
        job.settings.follow.untold_rows = UntoldRows::Reload;
        let mut task = job.follow().await;
        execute(
            &mut conn,
            "TRUNCATE t
             INSERT INTO t VALUES (3, 'c')
             CREATE TABLE n LIKE t
             INSERT INTO n VALUES (4, 'd')
             RENAME TABLE t TO o, n TO t
             CREATE OR REPLACE TABLE t (id INT PRIMARY KEY) AS SELECT id, name FROM o
             UPDATE t SET name = 'after' WHERE id = 3",
        )
        .await;
        task.caught_up().await;
        job.assert_same(&mut conn).await;
        let truncated = task.notices().into_iter().any(|notice| {
            matches!(notice, Notice::RowsUntold { effect: TableEffect::Emptied, .. })
        });
        assert!(truncated, "{:?}", task.notices());
        task.stop().await;
    });
}

#[test]
fn a_binlog_that_is_gone_is_an_error() {
    run(async {
        let server = mariadb().await;
        let mut conn = schema(server.url(), "maria_gone").await;
        execute(&mut conn, TABLE).await;
        let job = Job::new(server.url(), "maria_gone", &["t"]);
        job.run().await;
        let gtids: String =
            conn.query_first("SELECT @@global.gtid_binlog_pos").await.unwrap().unwrap();
        execute(&mut conn, "INSERT INTO t (id) VALUES (1)\nFLUSH BINARY LOGS").await;
        let status: mysql_async::Row =
            conn.query_first("SHOW MASTER STATUS").await.unwrap().unwrap();
        let file: String = status.get(0).unwrap();
        // The server keeps what its own crash recovery may need for a moment.
        let mut kept = 1;
        while kept > 0 {
            execute(&mut conn, &format!("PURGE BINARY LOGS TO '{file}'")).await;
            let logs: Vec<mysql_async::Row> = conn.query("SHOW BINARY LOGS").await.unwrap();
            kept = logs.len() - 1;
        }
        let start = StartPosition::Gtid(gtids.parse().unwrap());
        let by_gtid = Job::new(server.url(), "maria_gone", &["t"]).following_from(start);
        for job in [job, by_gtid] {
            let error = job.start().failure().await;
            let purged = matches!(error, ReplicateError::Follow(FollowError::Purged { .. }));
            assert!(purged, "{}", causes(&error));
        }
    });
}

/// MariaDB removes what it finds of temporary tables when it starts, whosever they are.
#[test]
fn a_server_that_starts_leaves_the_temporary_tables_of_another_alone() {
    run(async {
        let first = start("first", Flavor::MariaDb, &[]).await;
        let mut conn = schema(first.url(), "temporary").await;
        execute(&mut conn, "CREATE TEMPORARY TABLE t (id INT) ENGINE = Aria").await;
        execute(&mut conn, "INSERT INTO t VALUES (7)").await;
        // Its files are closed, to be opened again when the table is used.
        execute(&mut conn, "FLUSH TABLES").await;
        let second = start("second", Flavor::MariaDb, &[]).await;
        assert_eq!(conn.query_first::<i32, _>("SELECT id FROM t").await.unwrap(), Some(7));
        execute(&mut conn, "DROP TEMPORARY TABLE t").await;
        second.stop().await;
        first.stop().await;
    });
}
