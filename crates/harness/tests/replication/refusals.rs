//! Events that cannot be carried stop the replicator where they are.

use medallion_replicator::ReplicateError;
use medallion_replicator::event::EventError;
use medallion_replicator::follow_error::FollowError;
use medallion_replicator::table_map::ImageError;

use crate::servers::{alone, execute, fill, run, schema};
use crate::task::{Job, binlog_end, causes};

const TABLE: &str =
    "CREATE TABLE t (id INT PRIMARY KEY, name VARCHAR(40), other VARCHAR(40) DEFAULT 'x')";

/// Follows, then a session changes rows under these settings; gives the error.
async fn refused(name: &str, settings: &str, change: &str) -> (String, ReplicateError) {
    let server = alone().await;
    let url = server.url();
    let mut conn = schema(url, name).await;
    execute(&mut conn, "CREATE TABLE t (id INT PRIMARY KEY, name VARCHAR(40))").await;
    fill(&mut conn, "t", 1, 10).await;
    execute(&mut conn, "DROP TABLE t").await;
    execute(&mut conn, TABLE).await;
    execute(&mut conn, "INSERT INTO t (id, name) VALUES (1, 'secret-value')").await;
    let job = Job::new(url, name, &["t"]).reconnecting();
    let mut task = job.follow().await;
    execute(&mut conn, "UPDATE t SET name = 'good'").await;
    task.caught_up().await;
    execute(&mut conn, settings).await;
    let begin = binlog_end(url).await;
    execute(&mut conn, change).await;
    let error = task.failure().await;
    let text = causes(&error);
    assert!(text.contains(begin.file()), "the place is named: {text}");
    assert!(!text.contains("secret"), "values do not show: {text}");
    // What was before is in Bronze; it stops there again.
    let changes = crate::replay::changes(&job.bronze, &job.tables[0]);
    assert_eq!(changes.len(), 1);
    let again = job.start().failure().await;
    if matches!(again, ReplicateError::Follow(_)) {
        assert_eq!(causes(&again), text);
    }
    assert_eq!(crate::replay::changes(&job.bronze, &job.tables[0]).len(), 1);
    (text, error)
}

#[test]
fn a_minimal_row_image_stops_it() {
    run(async {
        let settings = "SET SESSION binlog_row_image = MINIMAL";
        let (text, error) =
            refused("minimal", settings, "UPDATE t SET name = 'secret' WHERE id = 1").await;
        let ReplicateError::Follow(FollowError::Row { source, .. }) = &error else {
            panic!("{error:?}")
        };
        assert!(matches!(**source, ImageError::Partial { .. }), "{text}");
        assert!(text.contains("SET PERSIST binlog_row_image = FULL"), "{text}");
    });
}

#[test]
fn a_statement_in_place_of_rows_stops_it() {
    run(async {
        let settings = "SET SESSION binlog_format = STATEMENT";
        let (text, error) =
            refused("statement", settings, "UPDATE t SET name = 'secret' WHERE id = 1").await;
        let unsupported = matches!(
            error,
            ReplicateError::Follow(FollowError::Event {
                source: EventError::Unsupported { .. },
                ..
            })
        );
        assert!(unsupported && text.contains("SET PERSIST binlog_format = ROW"), "{text}");
    });
}

#[test]
fn compressed_transactions_stop_it() {
    run(async {
        let settings = "SET SESSION binlog_transaction_compression = ON";
        let (text, _) =
            refused("compressed", settings, "UPDATE t SET name = 'secret' WHERE id = 1").await;
        assert!(text.contains("binlog_transaction_compression = OFF"), "{text}");
    });
}

#[test]
fn a_table_that_loses_its_key_stops_it() {
    run(async {
        // The second start is refused by what the table is by then.
        let (text, _) = refused(
            "keyless",
            "ALTER TABLE t DROP PRIMARY KEY",
            "UPDATE t SET name = 'secret' WHERE id = 1",
        )
        .await;
        assert!(text.contains("primary key"), "{text}");
    });
}
