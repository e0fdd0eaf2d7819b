//! The same on MariaDB, whose settings, statements and `information_schema` differ.

use medallion_replicator::inspection::Limits;
use medallion_replicator::inspection::finding::Severity::{Error, Warning};
use medallion_replicator::preflight::{self, Flavor};
use medallion_replicator::server::Source;

use crate::server::{Server, connect, run};
use crate::{contract, examined, sorted, told};

const SCHEMA: &str = "
CREATE DATABASE maria CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin;
CREATE TABLE maria.fine (
    id INT, code VARCHAR(9), document JSON, packed TEXT COMPRESSED, hidden INT INVISIBLE,
    total INT AS (id + 1) PERSISTENT, PRIMARY KEY (id, code));
CREATE TABLE maria.trouble (
    id INT PRIMARY KEY, parent INT, address INET6,
    name VARCHAR(9) COLLATE utf8mb4_uca1400_ai_ci,
    CONSTRAINT of_parent FOREIGN KEY (parent) REFERENCES maria.trouble (id)
        ON DELETE CASCADE);
CREATE TABLE maria.versioned (id INT PRIMARY KEY) WITH SYSTEM VERSIONING;
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mariadb_is_examined_by_its_own_rules() {
    let server = Server::start_of(Flavor::MariaDb, &["--default-time-zone=+00:00"]).await;
    let url = server.url();
    run(&mut connect(url).await, SCHEMA).await;
    let fine = [("id", "int!"), ("code", "varchar(9)!"), ("document", "json"), ("packed", "text")];
    let contracts = contract::read(&[
        contract::text("maria.fine", "id, code", &fine),
        contract::text(
            "maria.trouble",
            "id",
            &[("id", "int!"), ("parent", "int"), ("name", "varchar(9)")],
        ),
        contract::text("maria.versioned", "id", &[("id", "int!")]),
    ]);
    let found = examined(url, &contracts, &Limits::default()).await;
    let expected = vec![
        ("source/cascade", Error, "table `maria.trouble`"),
        ("source/type-unknown", Error, "column `maria.trouble.address`"),
        ("source/column-unknown", Warning, "column `maria.trouble.address`"),
        ("source/table-kind", Error, "table `maria.versioned`"),
    ];
    assert_eq!(told(&found), sorted(expected));
    let source = Source::from_url(url).unwrap();
    let facts = preflight::check_contracts(&source, &contracts[..1]).await.unwrap();
    assert_eq!(facts.flavor, Flavor::MariaDb);
    assert!(facts.gtid && facts.server_uuid.starts_with("mariadb-"), "{facts:?}");
    // The newer collations have an id per character set.
    assert_eq!(facts.collations[&2304], "utf8mb4");
    server.stop().await;
}
