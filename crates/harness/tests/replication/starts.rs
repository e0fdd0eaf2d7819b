//! Changes only, from a place that the caller names.

use medallion_replicator::{ReplicateError, StartPosition};
use mysql_async::prelude::Queryable;

use crate::replay::{self, assert_same_since};
use crate::servers::{execute, fill, run, schema, shared};
use crate::task::{Job, binlog_end};

const TABLE: &str = "CREATE TABLE t (id INT PRIMARY KEY, name VARCHAR(40))";
const CHANGES: &str = "INSERT INTO t VALUES (100, 'new')
    UPDATE t SET name = 'changed' WHERE id = 3
    UPDATE t SET id = 40 WHERE id = 4
    DELETE FROM t WHERE id = 5";

#[test]
fn from_a_place_in_the_binlog() {
    run(async {
        let url = shared().await;
        let mut conn = schema(url, "from_binlog").await;
        execute(&mut conn, TABLE).await;
        fill(&mut conn, "t", 1, 9).await;
        let start = StartPosition::Binlog(binlog_end(url).await);
        let job = Job::new(url, "from_binlog", &["t"]).following_from(start);
        let key = replay::key(&mut conn, &job.tables[0]).await;
        let before = replay::selected(&mut conn, &job.tables[0], &key).await;
        execute(&mut conn, CHANGES).await;
        job.run().await;
        assert!(job.bronze.loads(&job.tables[0]).is_empty());
        assert_same_since(&job.bronze, &mut conn, &job.tables[0], before).await;
    });
}

#[test]
fn after_a_set_of_transactions() {
    run(async {
        let url = shared().await;
        let mut conn = schema(url, "from_gtids").await;
        execute(&mut conn, TABLE).await;
        fill(&mut conn, "t", 1, 9).await;
        let start = StartPosition::Gtid(executed(&mut conn).await.parse().unwrap());
        let job = Job::new(url, "from_gtids", &["t"]).following_from(start);
        let key = replay::key(&mut conn, &job.tables[0]).await;
        let before = replay::selected(&mut conn, &job.tables[0], &key).await;
        execute(&mut conn, "FLUSH BINARY LOGS").await;
        execute(&mut conn, CHANGES).await;
        job.run().await;
        assert_same_since(&job.bronze, &mut conn, &job.tables[0], before).await;
    });
}

/// The transactions of the set lie in the same file as those that come: they must not come again,
/// neither at once nor after a restart by the position that was learned meanwhile.
#[test]
fn transactions_of_the_set_never_come() {
    run(async {
        let url = shared().await;
        let mut conn = schema(url, "from_gtids_again").await;
        execute(&mut conn, "FLUSH BINARY LOGS").await;
        execute(&mut conn, TABLE).await;
        fill(&mut conn, "t", 1, 9).await;
        let start = StartPosition::Gtid(executed(&mut conn).await.parse().unwrap());
        let job = Job::new(url, "from_gtids_again", &["t"]).following_from(start);
        // Nothing has happened since: it has caught up without a single event.
        job.run().await;
        job.run().await;
        assert_eq!(replay::changes(&job.bronze, &job.tables[0]).len(), 0);
        execute(&mut conn, CHANGES).await;
        job.run().await;
        job.run().await;
        assert_eq!(replay::changes(&job.bronze, &job.tables[0]).len(), 4);
    });
}

#[test]
fn a_malformed_or_foreign_place_is_an_error() {
    run(async {
        let url = shared().await;
        let mut conn = schema(url, "from_nowhere").await;
        execute(&mut conn, TABLE).await;
        let start = "binlog.999999".to_owned();
        let start = medallion_replicator::position::BinlogPosition::new(&start, 4).unwrap();
        let job =
            Job::new(url, "from_nowhere", &["t"]).following_from(StartPosition::Binlog(start));
        let error = job.start().failure().await;
        assert!(
            matches!(
                error,
                ReplicateError::Follow(
                    medallion_replicator::follow_error::FollowError::Purged { .. }
                )
            ),
            "{error:?}"
        );
    });
}

async fn executed(conn: &mut mysql_async::Conn) -> String {
    conn.query_first("SELECT @@global.gtid_executed").await.unwrap().unwrap()
}
