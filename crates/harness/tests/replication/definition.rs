//! Data definition between changes: files carry the columns of their time, and what took or
//! brought rows without telling is told, or leads to a new load.

use medallion_replicator::ddl::TableEffect;
use medallion_replicator::follow::UntoldRows;
use medallion_replicator::progress::Notice;

use crate::replay;
use crate::servers::{execute, run, schema, shared};
use crate::task::{Job, Task};

const TABLE: &str = "CREATE TABLE t (id INT PRIMARY KEY, name VARCHAR(10), amount INT)";

/// The effects that were told of, in order.
fn untold(task: &Task) -> Vec<TableEffect> {
    let notices = task.notices().into_iter();
    let effects = notices.filter_map(|notice| match notice {
        Notice::RowsUntold { effect, .. } => Some(effect),
        Notice::Reconnected { .. } | Notice::FailedOver { .. } => None,
    });
    effects.collect()
}

#[test]
fn columns_come_and_go_in_one_flush() {
    run(async {
        let url = shared().await;
        let mut conn = schema(url, "columns").await;
        execute(&mut conn, TABLE).await;
        execute(&mut conn, "INSERT INTO t VALUES (1, 'one', 10), (2, 'two', 20)").await;
        let mut job = Job::new(url, "columns", &["t"]);
        job.run().await;
        // All of it is read at once and waits for the same flush.
        job.settings.follow.flush.max_interval = std::time::Duration::from_secs(2);
        execute(
            &mut conn,
            "UPDATE t SET amount = 11 WHERE id = 1
             ALTER TABLE t ADD COLUMN note VARCHAR(20)
             INSERT INTO t VALUES (3, 'three', 30, 'added')
             ALTER TABLE t MODIFY amount BIGINT UNSIGNED, MODIFY name VARCHAR(200)
             INSERT INTO t VALUES (4, REPEAT('w', 150), 18446744073709551615, 'widened')
             ALTER TABLE t MODIFY note VARCHAR(20) FIRST
             INSERT INTO t VALUES ('reordered', 5, 'five', 50)
             ALTER TABLE t RENAME COLUMN name TO title
             UPDATE t SET title = CONCAT(title, '!')
             ALTER TABLE t DROP COLUMN amount, ADD INDEX (title)
             INSERT INTO t VALUES ('dropped', 6, 'six')
             ALTER TABLE t ADD COLUMN total INT AS (id * 2) STORED, ADD COLUMN secret INT INVISIBLE
             INSERT INTO t (note, id, title) VALUES ('generated', 7, 'seven')
             DELETE FROM t WHERE id = 2",
        )
        .await;
        job.run().await;
        let table = job.tables[0].clone();
        execute(&mut conn, "ALTER TABLE t DROP COLUMN total, DROP COLUMN secret").await;
        job.assert_same(&mut conn).await;
        let files = job.bronze.files(&table);
        let shapes: Vec<String> = files
            .iter()
            .filter(|file| !file.key.is_full_load())
            .map(|file| {
                let columns = replay::columns(&file.content);
                columns[2..columns.len() - 2].join(" ")
            })
            .collect();
        let mut distinct = shapes.clone();
        distinct.dedup();
        assert_eq!(
            distinct,
            [
                "id name amount",
                "id name amount note",
                "note id name amount",
                "note id title amount",
                "note id title",
            ],
            "{shapes:?}"
        );
    });
}

#[test]
fn what_rows_do_not_tell_is_told() {
    run(async {
        let url = shared().await;
        let mut conn = schema(url, "told").await;
        execute(&mut conn, TABLE).await;
        execute(&mut conn, "INSERT INTO t VALUES (1, 'one', 10), (2, 'two', 20)").await;
        let job = Job::new(url, "told", &["t"]);
        let mut task = job.follow().await;
        execute(
            &mut conn,
            "INSERT INTO t VALUES (3, 'three', 30)
             TRUNCATE TABLE t
             INSERT INTO t VALUES (4, 'four', 40)
             RENAME TABLE t TO aside
             INSERT INTO aside VALUES (99, 'not ours', 0)
             CREATE TABLE t LIKE aside
             INSERT INTO t VALUES (5, 'five', 50)
             DROP TABLE t
             ALTER TABLE aside RENAME TO t
             INSERT INTO t VALUES (6, 'six', 60)",
        )
        .await;
        task.caught_up().await;
        use TableEffect::{Created, Dropped, Emptied, RenamedAway, RenamedInto};
        assert_eq!(untold(&task), [Emptied, RenamedAway, Created, Dropped, RenamedInto]);
        assert_eq!(task.progress().tables[&job.tables[0]].ddls, 5);
        task.stop().await;
        // Bronze has what DMS would have: every row event of that name, and no more.
        let key = ["id".to_owned()];
        let found = replay::replay(&job.bronze, &job.tables[0], &key, replay::Rows::new());
        let ids: Vec<&str> = found.keys().map(|key| key[0].as_str()).collect();
        assert_eq!(ids, ["1", "2", "3", "4", "5", "6"]);
    });
}

#[test]
fn what_rows_do_not_tell_is_loaded_anew() {
    run(async {
        let url = shared().await;
        let mut conn = schema(url, "anew").await;
        for table in ["t", "other"] {
            execute(&mut conn, &TABLE.replace(" t ", &format!(" {table} "))).await;
            execute(&mut conn, &format!("INSERT INTO {table} VALUES (1, 'a', 1), (2, 'b', 2)"))
                .await;
        }
        let mut job = Job::new(url, "anew", &["t", "other"]);
        job.settings.follow.untold_rows = UntoldRows::Reload;
        let mut task = job.follow().await;
        // As gh-ost swaps a table: rows are copied aside, then both names change at once.
        let changes = [
            "UPDATE t SET amount = 7 WHERE id = 1
             TRUNCATE TABLE t
             INSERT INTO t VALUES (3, 'c', 3)",
            "CREATE TABLE _t_gho (id INT PRIMARY KEY, name VARCHAR(10), amount INT, extra INT DEFAULT 5)
             INSERT INTO _t_gho (id, name, amount) SELECT * FROM t
             INSERT INTO t VALUES (4, 'late', 4)
             INSERT INTO _t_gho (id, name, amount) VALUES (4, 'late', 4)
             RENAME TABLE t TO _t_del, _t_gho TO t
             UPDATE t SET extra = 6 WHERE id = 3
             DROP TABLE _t_del",
        ];
        for changes in changes {
            execute(&mut conn, "INSERT INTO other SELECT MAX(id) + 1, 'x', 0 FROM other").await;
            execute(&mut conn, changes).await;
            execute(&mut conn, "UPDATE other SET amount = amount + 1").await;
            task.caught_up().await;
            job.assert_same(&mut conn).await;
        }
        // The table goes away, and comes with its rows in one transaction.
        execute(&mut conn, "DROP TABLE t").await;
        task.caught_up().await;
        execute(&mut conn, "CREATE TABLE t (id INT PRIMARY KEY) SELECT id, name FROM other").await;
        task.caught_up().await;
        job.assert_same(&mut conn).await;
        execute(&mut conn, "DELETE FROM t WHERE id = 1").await;
        task.caught_up().await;
        job.assert_same(&mut conn).await;
        let tables = &task.progress().tables;
        assert_eq!(tables[&job.tables[1]].full_load_rows, 2, "the other table is not loaded again");
        assert_eq!(tables[&job.tables[0]].deletes, 1, "changes count since the load");
        task.stop().await;
    });
}
