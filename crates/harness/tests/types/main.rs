//! Every MySQL type from the server to Bronze and on to Silver's types, with the server as oracle:
//! the full load and the binlog must give the same value, the one that MySQL prints.
//!
//! Values at the borders of each type are always among them; others come from a seed. More of them
//! on demand: `MEDALLION_SEED=7 MEDALLION_ROUNDS=20`.

#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod cases;
mod compare;
mod form;
mod judge;
mod memory;
mod partial_updates;
mod run;
mod servers;
mod shapes;
mod texts;

use cases::Case;
use compare::Kinds;
use medallion_harness::mysql::Flavor;
use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use run::connect;
use servers::Server;

/// The first seed and the number of rounds.
pub(crate) fn seeds() -> std::ops::Range<u64> {
    let number =
        |name, default| std::env::var(name).map_or(default, |n: String| n.parse().unwrap());
    let first = number("MEDALLION_SEED", 1);
    first..first + number("MEDALLION_ROUNDS", 1)
}

/// The character sets with single bytes that a server has.
pub(crate) async fn single_byte_sets(conn: &mut Conn) -> Vec<String> {
    let statement = "SELECT CHARACTER_SET_NAME FROM information_schema.CHARACTER_SETS \
                     WHERE MAXLEN = 1 ORDER BY 1";
    conn.query(statement).await.unwrap()
}

async fn of_mysql(conn: &mut Conn) -> Vec<Case> {
    let sets = single_byte_sets(conn).await;
    assert!(sets.len() > 20, "{sets:?}");
    let mut cases = cases::scalars();
    cases.extend(texts::texts());
    cases.extend(texts::character_sets(&sets, &["ucs2", "utf16", "utf16le", "utf32"]));
    cases.extend(texts::bytes());
    cases.extend(texts::members());
    cases.extend(texts::documents());
    cases.extend(texts::geometries("geometrycollection"));
    cases
}

/// MariaDB's types: documents are text there, and characters have more collations.
async fn of_mariadb(conn: &mut Conn) -> Vec<Case> {
    let sets = single_byte_sets(conn).await;
    assert!(sets.len() > 20, "{sets:?}");
    let mut cases = cases::scalars();
    cases.extend(texts::texts());
    cases.extend(texts::character_sets(&sets, &["ucs2", "utf16", "utf16le", "utf32"]));
    cases.push(texts::text("varchar(20) collate uca1400_as_cs", 20));
    cases.push(texts::text("char(20) character set utf8mb3 collate utf8mb3_uca1400_ai_ci", 20));
    cases.extend(texts::documents_as_text());
    cases.extend(texts::bytes());
    cases.extend(texts::members());
    cases.extend(texts::geometries("geometrycollection"));
    cases
}

async fn check(url: &str, cases: &[Case]) {
    for seed in seeds() {
        let kinds = Kinds::replicate(url, cases, seed).await;
        let different = kinds.differences();
        assert!(different.is_empty(), "seed {seed}:\n{}", different.join("\n"));
        judge::agrees(&kinds, seed);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_value_comes_by_both_ways_as_mysql_prints_it() {
    let server = Server::start(Flavor::MySql).await;
    let cases = of_mysql(&mut connect(server.url()).await).await;
    check(server.url(), &cases).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_value_comes_by_both_ways_as_mariadb_prints_it() {
    let server = Server::start(Flavor::MariaDb).await;
    let cases = of_mariadb(&mut connect(server.url()).await).await;
    check(server.url(), &cases).await;
}
