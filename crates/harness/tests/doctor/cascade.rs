//! Which servers write the rows of a cascade to the binlog.

use medallion_replicator::inspection::Limits;
use medallion_replicator::inspection::finding::Severity;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Row};

use crate::server::{Server, connect, run};
use crate::{contract, examined};

const SCHEMA: &str = "
CREATE DATABASE family;
CREATE TABLE family.parents (id INT PRIMARY KEY);
CREATE TABLE family.children (
    id INT PRIMARY KEY, parent INT,
    FOREIGN KEY (parent) REFERENCES family.parents (id) ON DELETE CASCADE);
INSERT INTO family.parents VALUES (1);
INSERT INTO family.children VALUES (10, 1);
FLUSH BINARY LOGS;
DELETE FROM family.parents;
";

/// The tables whose rows the newest binlog file changes.
async fn changed(conn: &mut Conn) -> Vec<String> {
    let logs: Vec<Row> = conn.query("SHOW BINARY LOGS").await.unwrap();
    let newest: String = logs.last().unwrap().get(0).unwrap();
    let events: Vec<Row> = conn.query(format!("SHOW BINLOG EVENTS IN '{newest}'")).await.unwrap();
    let maps = events.iter().filter(|row| row.get::<String, _>(2).unwrap() == "Table_map");
    let mut tables: Vec<String> = maps
        .map(|row| {
            let info: String = row.get(5).unwrap();
            info.rsplit_once('.').unwrap().1.trim_end_matches(')').to_owned()
        })
        .collect();
    tables.sort();
    tables.dedup();
    tables
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cascade_is_an_error_exactly_when_the_binlog_lacks_it() {
    let contracts = contract::read(&[contract::text(
        "family.children",
        "id",
        &[("id", "int!"), ("parent", "int")],
    )]);
    for native in ["ON", "OFF"] {
        // Servers before 9.6 do not know the option and always leave cascades to InnoDB.
        let flag = format!("--loose-innodb-native-foreign-keys={native}");
        let server = Server::start(&[&flag]).await;
        let mut conn = connect(server.url()).await;
        run(&mut conn, SCHEMA).await;
        let changed = changed(&mut conn).await;
        let found = examined(server.url(), &contracts, &Limits::default()).await;
        let cascade = found.findings.iter().find(|f| f.rule.0 == "source/cascade").unwrap();
        match cascade.severity {
            Severity::Error => assert_eq!(changed, ["parents"], "{native}: {cascade}"),
            Severity::Note => assert_eq!(changed, ["children", "parents"], "{native}: {cascade}"),
            Severity::Warning => panic!("{cascade}"),
        }
        server.stop().await;
    }
}
