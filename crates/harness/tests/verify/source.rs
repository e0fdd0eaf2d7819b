//! Silver beside a real MySQL.

use std::path::PathBuf;

use medallion::source_comparison::{ComparisonError, against_source};
use medallion_harness::mysql::{self, MySqlRequest, MySqlServer};
use medallion_harness::small_lake::Endpoints;
use medallion_replicator::preflight::Flavor;
use medallion_replicator::server::Source;
use medallion_transforms::plan::MEMORY_BYTES;
use medallion_transforms::verify::{Against, Counts, Kind, Shown, Verification};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts, OptsBuilder};

use crate::lake::{Lake, file, load, loaded};

async fn server(folder: &tempfile::TempDir) -> MySqlServer {
    let supervisor = PathBuf::from(env!("CARGO_BIN_EXE_medallion-harness"));
    let request = MySqlRequest {
        flavor: Flavor::MySql,
        url: None,
        work_dir: folder.path().join("mysql"),
        cache_dir: supervisor.ancestors().nth(2).unwrap().join("stack"),
        supervisor,
        extra_flags: Vec::new(),
    };
    mysql::obtain(&request, &|_| {}).await.unwrap()
}

async fn run(conn: &mut Conn, statements: &[&str]) {
    for statement in statements {
        conn.query_drop(*statement).await.unwrap_or_else(|error| panic!("{error}: {statement}"));
    }
}

async fn compared(lake: &Lake<'_>, url: &str) -> Result<Verification, ComparisonError> {
    let source = Source::from_url(url).unwrap();
    let found = against_source(&lake.verify_job(MEMORY_BYTES, 20), &source).await?;
    let spilled = against_source(&lake.verify_job(1 << 14, 20), &source).await?;
    assert_eq!(found.buckets, spilled.buckets);
    Ok(found)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silver_equals_the_source_until_the_source_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let server = server(&folder).await;
    let opts = OptsBuilder::from_opts(Opts::from_url(server.url()).unwrap()).prefer_socket(false);
    let mut conn = Conn::new(opts).await.unwrap();
    let schema = [
        "DROP DATABASE IF EXISTS shop",
        "CREATE DATABASE shop",
        "CREATE TABLE shop.items (id INT PRIMARY KEY, name VARCHAR(40), amount DECIMAL(12,2), \
         score DOUBLE, due DATE)",
        "INSERT INTO shop.items VALUES (1, ' ana ', 1.50, -0.25, '2026-01-01'), \
         (2, NULL, NULL, NULL, NULL), (3, 'caio', -3.00, 1e300, '2025-02-28'), \
         (4, 'N0T VALID', 4.00, 0, NULL)",
    ];
    run(&mut conn, &schema).await;
    let endpoints = Endpoints::start().await.unwrap();
    let lake = Lake::new(&endpoints, "source").await;
    // Written from texts, not by the reader that the comparison uses. Silver knows an older, valid
    // state of the row that fails its check now.
    let rows = vec![
        loaded(["1", " ana ", "1.50", "-0.25", "2026-01-01"]),
        loaded(["2", "NULL", "NULL", "NULL", "NULL"]),
        loaded(["3", "caio", "-3.00", "1e300", "2025-02-28"]),
        loaded(["4", "valid", "9.00", "0", "NULL"]),
    ];
    lake.put(0, &load(1), file(rows)).await;
    lake.run().await;
    let found = compared(&lake, server.url()).await.unwrap();
    assert!(found.is_equal(), "{found}");
    assert_eq!((found.rows(), found.taken.rows, found.taken.rejected), ((3, 3), 4, 1));
    let Against::Source(position) = &found.against else { panic!("{found}") };
    assert!(position.binlog.as_ref().is_some_and(|end| end.contains(':')), "{position:?}");
    let text = found.to_string();
    for line in ["quarantined at the source now: 1", "the source may be ahead of Silver"] {
        assert!(text.contains(line), "{text}");
    }

    let changes = [
        "UPDATE shop.items SET amount = 1.51, name = 'maria das dores' WHERE id = 1",
        "DELETE FROM shop.items WHERE id = 3",
        "INSERT INTO shop.items (id, name) VALUES (5, 'eva')",
    ];
    run(&mut conn, &changes).await;
    let found = compared(&lake, server.url()).await.unwrap();
    let counts = Counts { missing: 1, unexpected: 1, differing: 1, ..Counts::default() };
    assert_eq!(found.counts(), counts, "{found}");
    let differing = found.shown().find(|row| row.kind == Kind::Differs).unwrap();
    let columns: Vec<_> =
        differing.columns.iter().map(|c| (c.column.as_str(), &c.silver)).collect();
    assert_eq!(columns, [("name", &Shown::Personal), ("amount", &Shown::Text("1.50".to_owned()))]);
    let output = format!("{found}{}", found.to_json());
    assert!(!output.contains("maria") && !output.contains("eva"), "{output}");

    // A column that the contract does not know is told, as in Bronze.
    run(&mut conn, &["ALTER TABLE shop.items ADD COLUMN surprise INT"]).await;
    let error = compared(&lake, server.url()).await.unwrap_err();
    let told = medallion::error::with_causes(&error);
    assert!(told.contains("do not fit its contract") && told.contains("`surprise`"), "{told}");
    endpoints.stop().await;
    server.stop().await;
}
