//! Full loads in parallel key ranges, whatever the key is made of.

use medallion_ingestion::layout::BronzeKey;
use mysql_async::Conn;

use crate::replay;
use crate::servers::{execute, run, schema, shared};
use crate::task::Job;

/// About as many rows as a range shall have.
const RANGE: u64 = 40;

/// Loads the table in ranges, changes some rows, and compares. Gives the number of ranges.
async fn ranges(conn: &mut Conn, table: &str) -> usize {
    let url = shared().await;
    // The number of ranges follows from the server's estimate.
    execute(conn, &format!("ANALYZE TABLE {table}")).await;
    let mut job = Job::new(url, "ranges", &[table]);
    job.settings.load.segment_rows = RANGE;
    job.settings.load.connections = 3;
    job.settings.load.max_rows = 15;
    let mut task = job.follow().await;
    execute(conn, &format!("UPDATE {table} SET v = v + 1 ORDER BY v LIMIT 30")).await;
    execute(conn, &format!("DELETE FROM {table} ORDER BY v DESC LIMIT 10")).await;
    task.caught_up().await;
    job.assert_same(conn).await;
    task.stop().await;
    let loads = job.bronze.loads(&job.tables[0]);
    let segments = loads.iter().map(|file| match &file.key {
        BronzeKey::Load { segment, .. } => *segment,
        BronzeKey::Changes { .. } => None,
    });
    let segments: std::collections::BTreeSet<_> = segments.collect();
    assert_eq!(replay::loaded(&job.bronze, &job.tables[0]).len(), 300, "{table}");
    segments.len()
}

/// 300 rows whose key is this expression of `n`.
async fn filled(conn: &mut Conn, table: &str, columns: &str, key: &str, values: &str) {
    let create = format!("CREATE TABLE {table} ({columns}, v INT, PRIMARY KEY ({key}))");
    execute(conn, &create).await;
    let rows = format!(
        "INSERT INTO {table} WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n \
         WHERE n < 300) SELECT {values}, n FROM n"
    );
    execute(conn, &rows).await;
}

/// Letters that a collation may take for others.
const ACCENTS: &str = "ELT(1 + n MOD 6, 'a', 'Á', 'b', 'ß', 'Z', 'é')";
/// Table, columns, key, and the key's values as expressions of `n`.
const CASES: [[&str; 4]; 14] = [
    ["ints", "id INT", "id", "n * 7"],
    [
        "limits",
        "id BIGINT",
        "id",
        "IF(n = 1, -9223372036854775807 - 1, IF(n = 2, 9223372036854775807, n - 150))",
    ],
    [
        "unsigned_limits",
        "id BIGINT UNSIGNED",
        "id",
        "IF(n = 1, 0, IF(n = 2, 18446744073709551615, CAST(9223372036854775658 AS UNSIGNED) + n))",
    ],
    ["tiny", "id TINYINT UNSIGNED, second INT", "id, second", "n MOD 256, n DIV 256"],
    ["texts", "id VARCHAR(40) COLLATE utf8mb4_0900_ai_ci", "id", "CONCAT(ACCENT, n)"],
    ["texts_of_old", "id CHAR(40) COLLATE utf8mb4_general_ci", "id", "CONCAT(ACCENT, ' ', n)"],
    [
        "texts_as_bytes",
        "id VARCHAR(40) COLLATE utf8mb4_bin",
        "id",
        "CONCAT(IF(n MOD 2, 'a', 'A'), ACCENT, n)",
    ],
    [
        "latin",
        "id VARCHAR(40) CHARACTER SET latin1 COLLATE latin1_german2_ci",
        "id",
        "CONCAT(ACCENT, n)",
    ],
    ["bytes", "id BINARY(16)", "id", "UNHEX(LEFT(SHA2(n, 256), 32))"],
    [
        "odd_bytes",
        "id VARBINARY(20)",
        "id",
        "CONCAT(CHAR(n MOD 256), CHAR(n DIV 256), IF(n MOD 3, '', CHAR(0)))",
    ],
    [
        "composite",
        "region VARCHAR(2), id INT",
        "region, id",
        "ELT(1 + n MOD 3, 'SP', 'RJ', 'MG'), n",
    ],
    ["dates", "id DATE", "id", "'2026-01-01' + INTERVAL n DAY"],
    ["decimals", "id DECIMAL(20, 5)", "id", "n / 7 - 20"],
    ["members", "id ENUM('z', 'a', 'm'), second INT", "id, second", "1 + n MOD 3, n"],
];

#[test]
fn every_row_is_loaded_once_for_every_kind_of_key() {
    run(async {
        let url = shared().await;
        let mut conn = schema(url, "ranges").await;
        let mut parallel = Vec::new();
        for [table, columns, key, values] in CASES {
            let values = values.replace("ACCENT", ACCENTS);
            filled(&mut conn, table, columns, key, &values).await;
            let count = ranges(&mut conn, table).await;
            parallel.push((table, count));
        }
        let several = parallel.iter().filter(|(_, count)| *count > 1).count();
        assert!(several >= 10, "{parallel:?}");
    });
}
