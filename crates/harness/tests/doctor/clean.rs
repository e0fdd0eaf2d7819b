//! A server and a schema that nothing can be said against.

use medallion_replicator::inspection::{KnownBinlog, Limits};
use medallion_replicator::preflight::{self, Flavor};
use medallion_replicator::server::Source;

use crate::server::{Server, connect, run};
use crate::{contract, examined, told};

pub(crate) const SCHEMA: &str = "
CREATE DATABASE fine CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin;
CREATE TABLE fine.customers (
    id BIGINT UNSIGNED AUTO_INCREMENT,
    code VARCHAR(9),
    name VARCHAR(90) CHARACTER SET latin1 NOT NULL,
    born DATE NOT NULL,
    seen DATETIME(6),
    notes MEDIUMTEXT,
    preferences JSON,
    hidden INT INVISIBLE,
    twice VARCHAR(20) AS (CONCAT(code, code)) VIRTUAL,
    PRIMARY KEY (id, code));
INSERT INTO fine.customers (code, name, born, notes, preferences) VALUES
    ('a', 'Zoë', '1970-01-01', REPEAT('é', 8000), '{}');
";

pub(crate) fn contract_text() -> String {
    let columns = [
        ("id", "bigint unsigned!"),
        ("code", "varchar(9)!"),
        ("name", "varchar(90)!"),
        ("born", "date!"),
        ("seen", "datetime(6)"),
        ("notes", "mediumtext"),
        ("preferences", "json"),
    ];
    contract::text("fine.customers", "id, code", &columns)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clean_source_has_no_findings() {
    let server = Server::start(&["--default-time-zone=+00:00"]).await;
    run(&mut connect(server.url()).await, SCHEMA).await;
    let contracts = contract::read(&[contract_text()]);
    let source = Source::from_url(server.url()).unwrap();
    let tables = [contracts[0].table.clone()];
    let facts = preflight::check(&source, &tables).await.unwrap();
    assert_eq!(facts.flavor, Flavor::MySql);
    assert!(facts.gtid);
    let set = |id: u16| facts.collations[&id].as_str();
    assert_eq!((set(8), set(46), set(63)), ("latin1", "utf8mb4", "binary"));
    preflight::check_contracts(&source, &contracts).await.unwrap();

    let mut conn = connect(server.url()).await;
    let file = source.binlog_end(&mut conn).await.unwrap().file().to_owned();
    let stopped_in =
        KnownBinlog { server_uuid: facts.server_uuid, file: Some(file), by_gtid: false };
    let limits = Limits { stopped_in: Some(stopped_in), ..Limits::default() };
    let found = examined(server.url(), &contracts, &limits).await;
    assert_eq!(told(&found), []);
    let longest: Vec<_> = found.lobs.iter().map(|lob| (lob.column.as_str(), lob.longest)).collect();
    assert_eq!(longest, [("notes", Some(16_000)), ("preferences", Some(2))], "bytes, not letters");
    server.stop().await;
}
