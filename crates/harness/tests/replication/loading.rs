//! Full loads that are disturbed.

use medallion_replicator::Mode;
use medallion_replicator::progress::Phase;
use mysql_async::prelude::Queryable;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::replay;
use crate::servers::{execute, fill, run, schema, shared};
use crate::task::Job;

const TABLE: &str = "CREATE TABLE t (id INT PRIMARY KEY, name VARCHAR(40))";

#[test]
fn a_load_that_is_killed_again_and_again_has_every_row_once() {
    let seed = std::env::var("MEDALLION_SEED").map_or(11, |seed| seed.parse().unwrap());
    eprintln!("replication: seed {seed}");
    run(async {
        let url = shared().await;
        let mut conn = schema(url, "killed").await;
        execute(&mut conn, TABLE).await;
        execute(&mut conn, &TABLE.replace(" t ", " void ")).await;
        execute(&mut conn, "CREATE TABLE whole (id DECIMAL(10) PRIMARY KEY, name VARCHAR(40))")
            .await;
        fill(&mut conn, "t", 1, 2000).await;
        fill(&mut conn, "whole", 1, 300).await;
        execute(&mut conn, "ANALYZE TABLE t, void, whole").await;
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        for _ in 0..4 {
            let mut job = Job::new(url, "killed", &["t", "void", "whole"]);
            job.settings.mode = Mode::LoadOnly;
            job.settings.load.segment_rows = 200;
            let mut kills = 0;
            for _ in 0..6 {
                job.settings.load.max_rows = random.random_range(20..90);
                job.bronze.stick_after(Some(random.random_range(0..25)));
                let task = job.start();
                let mut stuck = false;
                while !stuck && task.is_running() {
                    tokio::time::sleep(std::time::Duration::from_millis(3)).await;
                    stuck = job.bronze.is_stuck();
                }
                kills += u32::from(stuck);
                task.abort().await;
            }
            assert!(kills > 0, "seed {seed}");
            job.bronze.stick_after(None);
            job.start().finished().await;
            // The model itself fails when a key is loaded twice.
            job.assert_same(&mut conn).await;
            assert_eq!(replay::loaded(&job.bronze, &job.tables[0]).len(), 2000, "seed {seed}");
            assert!(job.bronze.files(&job.tables[1]).is_empty(), "no file for an empty table");
            job.settings.mode = Mode::LoadAndFollow;
            job.run().await;
        }
    });
}

#[test]
fn tables_grow_and_shrink_while_they_are_loaded() {
    run(async {
        let url = shared().await;
        let mut conn = schema(url, "growing").await;
        execute(&mut conn, TABLE).await;
        fill(&mut conn, "t", 1, 3000).await;
        execute(&mut conn, "ANALYZE TABLE t").await;
        let mut job = Job::new(url, "growing", &["t"]);
        job.settings.load.segment_rows = 300;
        job.settings.load.max_rows = 50;
        // The load is killed half-way, and goes on through a snapshot that is newer.
        job.bronze.stick_after(Some(30));
        let task = job.start();
        let mut next = 10_000;
        while !job.bronze.is_stuck() {
            execute(&mut conn, &format!("INSERT INTO t VALUES ({next}, 'grown')")).await;
            next += 1;
        }
        execute(
            &mut conn,
            "UPDATE t SET name = 'meanwhile' WHERE id MOD 7 = 0
             UPDATE t SET id = id + 5000 WHERE id BETWEEN 1000 AND 1400
             DELETE FROM t WHERE id MOD 11 = 0",
        )
        .await;
        task.abort().await;
        job.bronze.stick_after(None);
        let mut task = job.start();
        let mut rounds = 0;
        while task.progress().phase != Phase::Following || rounds < 20 {
            rounds += 1;
            execute(&mut conn, &format!("INSERT INTO t VALUES ({next}, 'grown')")).await;
            execute(&mut conn, &format!("DELETE FROM t WHERE id = {}", rounds * 3)).await;
            execute(&mut conn, &format!("UPDATE t SET name = 'x' WHERE id = {}", rounds * 5)).await;
            next += 1;
            assert!(task.is_running(), "it must go on");
        }
        task.caught_up().await;
        job.assert_same(&mut conn).await;
        task.stop().await;
    });
}

#[test]
fn a_user_without_reload_locks_the_tables_instead() {
    run(async {
        let url = shared().await;
        let mut conn = schema(url, "modest").await;
        execute(&mut conn, TABLE).await;
        fill(&mut conn, "t", 1, 100).await;
        execute(
            &mut conn,
            "DROP USER IF EXISTS 'modest'@'127.0.0.1'
             CREATE USER 'modest'@'127.0.0.1' IDENTIFIED BY 'a b&c'
             GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO 'modest'@'127.0.0.1'
             GRANT SELECT, LOCK TABLES ON modest.* TO 'modest'@'127.0.0.1'",
        )
        .await;
        let own = url.replace("root@", "modest:a%20b%26c@");
        let mut user = crate::servers::connect(&own).await;
        assert!(user.query_drop("FLUSH TABLES WITH READ LOCK").await.is_err());
        let job = Job::new(&own, "modest", &["t"]);
        let mut task = job.follow().await;
        execute(&mut conn, "UPDATE t SET name = 'changed' WHERE id > 50").await;
        task.caught_up().await;
        job.assert_same(&mut conn).await;
        task.stop().await;
        execute(&mut conn, "DROP USER 'modest'@'127.0.0.1'").await;
    });
}

#[test]
fn a_reload_on_demand_makes_a_new_generation() {
    run(async {
        let url = shared().await;
        let mut conn = schema(url, "demand").await;
        execute(&mut conn, TABLE).await;
        fill(&mut conn, "t", 1, 100).await;
        let mut job = Job::new(url, "demand", &["t"]);
        job.run().await;
        // What the binlog does not tell.
        execute(&mut conn, "SET SESSION sql_log_bin = 0").await;
        execute(&mut conn, "DELETE FROM t WHERE id <= 50").await;
        execute(&mut conn, "SET SESSION sql_log_bin = 1").await;
        execute(&mut conn, "UPDATE t SET name = 'before the load' WHERE id = 60").await;
        job.settings.reload = job.tables.iter().cloned().collect();
        let mut task = job.follow().await;
        execute(&mut conn, "UPDATE t SET name = 'after the load' WHERE id = 61").await;
        task.caught_up().await;
        job.assert_same(&mut conn).await;
        let statistics = task.progress().tables[&job.tables[0]];
        assert_eq!((statistics.full_load_rows, statistics.updates), (50, 1));
        task.stop().await;
        // It was a demand, not a setting of the task.
        job.settings.reload.clear();
        let puts = job.bronze.puts();
        job.run().await;
        assert_eq!(job.bronze.puts(), puts);
    });
}
