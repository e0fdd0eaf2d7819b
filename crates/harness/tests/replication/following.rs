//! Full load and changes of all kinds, over one connection.

use crate::servers::{execute, run, schema, shared};
use crate::task::Job;

const CUSTOMERS: &str = "CREATE TABLE customers (id INT PRIMARY KEY, name VARCHAR(40), \
    balance DECIMAL(20, 4), born DATE, seen DATETIME(6), changed TIMESTAMP(3) NULL, \
    document JSON, code VARBINARY(20))";

#[test]
fn changes_of_all_kinds_follow_the_full_load() {
    run(async {
        let url = shared().await;
        let mut conn = schema(url, "following").await;
        execute(&mut conn, CUSTOMERS).await;
        execute(
            &mut conn,
            "CREATE TABLE orders (customer INT, line INT, PRIMARY KEY (line, customer))",
        )
        .await;
        execute(
            &mut conn,
            "INSERT INTO customers VALUES (1, 'Ana', 10.5, '1980-02-29', '2026-01-01 10:00:00.123456', '2026-01-01 10:00:00.5', '{\"a\": [1, 2, {\"b\": null}], \"t\": \"x\"}', x'00ff'), (2, NULL, NULL, NULL, NULL, NULL, NULL, NULL), (3, 'Zoë', -0.0001, '2000-01-01', '1999-12-31 23:59:59', NULL, '[]', x'')
             INSERT INTO orders VALUES (1, 1), (1, 2), (2, 1)",
        )
        .await;
        let job = Job::new(url, "following", &["customers", "orders"]);
        let mut task = job.follow().await;
        execute(
            &mut conn,
            "INSERT INTO customers (id, name) VALUES (4, 'd'), (5, 'e'), (6, 'f'), (7, 'g')
             UPDATE customers SET id = 40 WHERE id = 4
             UPDATE customers SET id = id + 100 WHERE id >= 5 ORDER BY id DESC
             DELETE FROM customers WHERE id = 105
             REPLACE INTO customers (id, name) VALUES (106, 'replaced')
             INSERT INTO customers (id, name) VALUES (107, 'x') ON DUPLICATE KEY UPDATE name = 'merged'
             BEGIN
             INSERT INTO customers (id, name) VALUES (50, 'never')
             ROLLBACK
             BEGIN
             INSERT INTO customers (id, name) VALUES (51, 'stays')
             SAVEPOINT s
             INSERT INTO customers (id, name) VALUES (52, 'goes')
             ROLLBACK TO s
             INSERT INTO orders VALUES (51, 1), (51, 2)
             UPDATE customers SET name = 'with two orders' WHERE id = 51
             COMMIT
             UPDATE orders SET line = line + 10, customer = 3 WHERE customer = 1
             DELETE FROM orders WHERE customer = 2",
        )
        .await;
        task.caught_up().await;
        job.assert_same(&mut conn).await;
        task.stop().await;
        let orders = crate::replay::changes(&job.bronze, &job.tables[1]);
        let ops: String = orders.iter().map(|change| change.op.as_str()).collect();
        assert_eq!(ops, "IIUUD");
        assert!(orders.iter().all(|change| change.timestamp.starts_with("20")));
    });
}

#[test]
fn sessions_choose_time_zones_and_partial_documents() {
    run(async {
        let url = shared().await;
        let mut conn = schema(url, "sessions").await;
        execute(&mut conn, CUSTOMERS).await;
        execute(
            &mut conn,
            "SET SESSION time_zone = '-11:00'
             INSERT INTO customers (id, changed, document) VALUES (1, '2026-03-01 00:00:00.001', '{\"a\": 1, \"list\": [1, 2, 3], \"text\": \"long enough to be worth a change of its own\"}')",
        )
        .await;
        let job = Job::new(url, "sessions", &["customers"]);
        let mut task = job.follow().await;
        execute(
            &mut conn,
            "SET SESSION time_zone = '+13:45', binlog_row_value_options = PARTIAL_JSON
             INSERT INTO customers (id, changed, seen) VALUES (2, '2026-03-01 00:00:00.999', '2026-03-01 00:00:00.999')
             UPDATE customers SET document = JSON_SET(document, '$.a', 2, '$.list[1]', 'two') WHERE id = 1
             UPDATE customers SET document = JSON_REMOVE(document, '$.list[0]'), name = 'both' WHERE id = 1
             UPDATE customers SET document = JSON_SET(document, '$.new', JSON_OBJECT('x', 1.5)) WHERE id = 1
             SET SESSION time_zone = 'SYSTEM', binlog_row_value_options = ''
             UPDATE customers SET changed = NOW(3), document = JSON_SET(document, '$.a', 3)",
        )
        .await;
        task.caught_up().await;
        job.assert_same(&mut conn).await;
        task.stop().await;
    });
}

#[test]
fn the_log_rotates_between_and_inside_transactions() {
    run(async {
        let url = shared().await;
        let mut conn = schema(url, "rotation").await;
        let mut other = crate::servers::connect(url).await;
        execute(&mut conn, "CREATE TABLE t (id INT PRIMARY KEY, name VARCHAR(40))").await;
        let job = Job::new(url, "rotation", &["t"]);
        let mut task = job.follow().await;
        for round in 1..=5 {
            execute(&mut conn, "BEGIN").await;
            execute(&mut conn, &format!("INSERT INTO t VALUES ({round}, 'before')")).await;
            execute(&mut other, "FLUSH BINARY LOGS").await;
            execute(&mut conn, &format!("UPDATE t SET name = 'after' WHERE id = {round}")).await;
            execute(&mut conn, "COMMIT").await;
            execute(&mut other, "FLUSH BINARY LOGS").await;
            if round == 3 {
                // Resuming at the beginning of a file, and behind it.
                task.caught_up().await;
                task.stop().await;
                task = job.follow().await;
            }
        }
        task.caught_up().await;
        job.assert_same(&mut conn).await;
        task.stop().await;
        job.run().await;
        let sequences = crate::replay::changes(&job.bronze, &job.tables[0]);
        assert_eq!(sequences.len(), 10, "an insert and an update each, none of them twice");
    });
}
