//! A server and a schema with every problem.

use medallion_definition::name::TableId;
use medallion_replicator::inspection::finding::Severity::{Error, Note, Warning};
use medallion_replicator::inspection::{KnownBinlog, Limits};
use medallion_replicator::preflight::{self, PreflightError};
use medallion_replicator::server::Source;

use crate::server::{Server, connect, run};
use crate::{contract, examined, sorted, told};

/// Everything that can be wrong with a server and still let it start.
const FLAGS: [&str; 11] = [
    "--binlog-row-image=MINIMAL",
    "--binlog-row-metadata=MINIMAL",
    "--binlog-row-value-options=PARTIAL_JSON",
    "--binlog-transaction-compression=ON",
    "--binlog-rows-query-log-events=ON",
    "--binlog-expire-logs-seconds=3600",
    "--binlog-ignore-db=trouble",
    "--gtid-mode=OFF",
    "--enforce-gtid-consistency=OFF",
    "--default-time-zone=-03:00",
    "--loose-innodb-native-foreign-keys=ON",
];

const SCHEMA: &str = "
CREATE DATABASE trouble CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin;
SET SESSION sql_mode = '', default_storage_engine = InnoDB;
CREATE TABLE trouble.keyless (id INT NOT NULL);
CREATE TABLE trouble.other_engine (id INT PRIMARY KEY) ENGINE = MyISAM;
CREATE TABLE trouble.other_key (a INT, b INT, PRIMARY KEY (a, b));
CREATE TABLE trouble.shapes (
    code VARCHAR(20) COLLATE utf8mb4_general_ci PRIMARY KEY,
    narrow BIGINT,
    total INT AS (narrow + 1) STORED,
    hidden INT INVISIBLE,
    loose INT,
    digits DECIMAL(40, 2),
    chinese VARCHAR(9) CHARACTER SET gbk,
    day DATE NOT NULL,
    maybe_day DATETIME,
    notes MEDIUMTEXT,
    document JSON,
    extra DATE,
    `od``d` INT,
    op INT,
    `Upper` INT);
INSERT INTO trouble.shapes (code, day, maybe_day, notes, document) VALUES
    ('a', '0000-00-00', '2020-00-01 10:00:00', REPEAT('x', 40000),
     JSON_OBJECT('text', REPEAT('x', 20000)));
CREATE TABLE trouble.parents (id INT PRIMARY KEY);
CREATE TABLE trouble.children (
    id INT PRIMARY KEY, parent INT,
    CONSTRAINT of_parent FOREIGN KEY (parent) REFERENCES trouble.parents (id)
        ON UPDATE CASCADE ON DELETE SET NULL);
CREATE TRIGGER trouble.children_before BEFORE INSERT ON trouble.children FOR EACH ROW
    SET NEW.id = NEW.id;
CREATE TABLE trouble.parts (id INT PRIMARY KEY) PARTITION BY HASH (id) PARTITIONS 3;
INSERT INTO trouble.parts VALUES (1), (2), (3), (4), (5), (6), (7), (8), (9), (10);
ANALYZE TABLE trouble.parts;
SET SESSION sql_generate_invisible_primary_key = ON;
CREATE TABLE trouble.hidden_key (n INT);
CREATE VIEW trouble.a_view AS SELECT id FROM trouble.parts;
CREATE USER poor IDENTIFIED BY 'poor';
GRANT SELECT ON trouble.parts TO poor;
GRANT SELECT (code) ON trouble.shapes TO poor;
";

fn contracts() -> Vec<String> {
    let one = |table, columns| contract::text(table, "id", columns);
    vec![
        one("trouble.missing", &[("id", "int!")]),
        one("trouble.keyless", &[("id", "int!")]),
        one("trouble.other_engine", &[("id", "int!")]),
        one("trouble.a_view", &[("id", "int!")]),
        one("trouble.parts", &[("id", "int!")]),
        one("trouble.children", &[("id", "int!"), ("parent", "int")]),
        contract::text("trouble.other_key", "a", &[("a", "int!"), ("b", "int!")]),
        contract::text(
            "trouble.hidden_key",
            "my_row_id",
            &[("my_row_id", "bigint unsigned!"), ("n", "int")],
        ),
        contract::text(
            "trouble.shapes",
            "code",
            &[
                ("code", "varchar(20)!"),
                ("gone", "int"),
                ("narrow", "int"),
                ("total", "int"),
                ("hidden", "int"),
                ("loose", "int!"),
                ("digits", "decimal(40,2)"),
                ("chinese", "varchar(9)"),
                ("day", "date!"),
                ("maybe_day", "datetime"),
                ("notes", "mediumtext"),
                ("document", "json"),
            ],
        ),
    ]
}

fn of_the_server()
-> Vec<(&'static str, medallion_replicator::inspection::finding::Severity, &'static str)> {
    vec![
        ("source/binlog-filter", Error, "server"),
        ("source/binlog-row-image", Error, "variable `binlog_row_image`"),
        ("source/binlog-row-metadata", Error, "variable `binlog_row_metadata`"),
        ("source/compression", Error, "variable `binlog_transaction_compression`"),
        ("source/gtid-off", Note, "variable `gtid_mode`"),
        ("source/partial-json", Warning, "variable `binlog_row_value_options`"),
        ("source/retention", Error, "variable `binlog_expire_logs_seconds`"),
        ("source/statement-text", Note, "variable `binlog_rows_query_log_events`"),
        ("source/time-zone", Note, "variable `time_zone`"),
    ]
}

fn of_the_tables()
-> Vec<(&'static str, medallion_replicator::inspection::finding::Severity, &'static str)> {
    vec![
        ("source/table-missing", Error, "table `trouble.missing`"),
        ("source/no-primary-key", Error, "table `trouble.keyless`"),
        ("source/engine", Error, "table `trouble.other_engine`"),
        ("source/table-kind", Error, "table `trouble.a_view`"),
        ("source/partitioned", Warning, "table `trouble.parts`"),
        ("source/large-table", Note, "table `trouble.parts`"),
        ("source/cascade", Error, "table `trouble.children`"),
        ("source/trigger", Note, "table `trouble.children`"),
        ("source/key-differs", Error, "table `trouble.other_key`"),
        ("source/key-left-out", Error, "column `trouble.hidden_key.my_row_id`"),
        ("source/column-left-out", Error, "column `trouble.hidden_key.my_row_id`"),
        ("source/key-case", Warning, "column `trouble.shapes.code`"),
        ("source/key-padding", Warning, "column `trouble.shapes.code`"),
        ("source/column-missing", Error, "column `trouble.shapes.gone`"),
        ("source/column-type", Error, "column `trouble.shapes.narrow`"),
        ("source/column-left-out", Error, "column `trouble.shapes.total`"),
        ("source/column-left-out", Error, "column `trouble.shapes.hidden`"),
        ("source/column-nullable", Warning, "column `trouble.shapes.loose`"),
        ("source/decimal-digits", Warning, "column `trouble.shapes.digits`"),
        ("source/character-set", Error, "column `trouble.shapes.chinese`"),
        ("source/zero-date", Warning, "column `trouble.shapes.day`"),
        ("source/zero-date", Note, "column `trouble.shapes.maybe_day`"),
        ("source/lob-cut", Error, "column `trouble.shapes.notes`"),
        ("source/lob-near-limit", Warning, "column `trouble.shapes.document`"),
        ("source/column-unknown", Warning, "column `trouble.shapes.extra`"),
        ("source/column-unknown", Warning, "column `trouble.shapes.od`d`"),
        ("source/name-quotes", Error, "column `trouble.shapes.od`d`"),
        ("source/column-unknown", Warning, "column `trouble.shapes.op`"),
        ("source/name-reserved", Error, "column `trouble.shapes.op`"),
        ("source/column-unknown", Warning, "column `trouble.shapes.Upper`"),
        ("source/name-lake", Warning, "column `trouble.shapes.Upper`"),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_problem_is_found_and_nothing_else() {
    let server = Server::start(&FLAGS).await;
    let mut conn = connect(server.url()).await;
    run(&mut conn, SCHEMA).await;
    let contracts = contract::read(&contracts());
    let limits = Limits { many_rows: 10, ..Limits::default() };

    let mut expected = of_the_server();
    expected.extend(of_the_tables());
    if server.major() >= 9 {
        run(&mut conn, "ALTER TABLE trouble.parts ADD v VECTOR(3);\nANALYZE TABLE trouble.parts")
            .await;
        expected.push(("source/type-unknown", Error, "column `trouble.parts.v`"));
        expected.push(("source/column-unknown", Warning, "column `trouble.parts.v`"));
    }
    let found = examined(server.url(), &contracts, &limits).await;
    assert_eq!(told(&found), sorted(expected));
    let notes = found.lobs.iter().find(|lob| lob.column == "notes").unwrap();
    assert_eq!((notes.longest, notes.complete), (Some(40_000), true));
    let all: String = found.findings.iter().map(ToString::to_string).collect();
    assert!(!all.contains("xxx"), "no value of a row is told");

    run(
        &mut conn,
        "XA START 'open';\nINSERT INTO trouble.parents VALUES (1);\nXA END 'open';\n\
                    XA PREPARE 'open'",
    )
    .await;
    let stopped_in = KnownBinlog {
        server_uuid: "another".to_owned(),
        file: Some("binlog.000001".to_owned()),
        by_gtid: false,
    };
    let limits = Limits { stopped_in: Some(stopped_in), ..limits };
    let mut expected = of_the_server();
    expected.retain(|(rule, ..)| *rule != "source/binlog-filter");
    expected.push(("source/xa-prepared", Warning, "server"));
    expected.push(("source/server-changed", Error, "server"));
    assert_eq!(told(&examined(server.url(), &[], &limits).await), sorted(expected));
    run(&mut connect(server.url()).await, "XA ROLLBACK 'open'").await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_user_may_not_do_is_found() {
    let server = Server::start(&["--default-time-zone=+00:00"]).await;
    run(&mut connect(server.url()).await, SCHEMA).await;
    let contracts: Vec<_> = contract::read(&contracts())
        .into_iter()
        .filter(|c| matches!(c.table.table.as_str(), "parts" | "keyless" | "shapes"))
        .collect();
    let found = examined(&server.url_of("poor", "poor"), &contracts, &Limits::default()).await;
    let mut told = told(&found);
    // Columns that the user may not see are missing for the user.
    told.retain(|(rule, ..)| !rule.contains("/column-") && !rule.contains("/key-"));
    let expected = sorted(vec![
        ("source/privilege", Error, "privilege `REPLICATION CLIENT`"),
        ("source/privilege", Error, "privilege `REPLICATION SLAVE`"),
        ("source/privilege", Warning, "privilege `RELOAD`"),
        ("source/privilege", Note, "privilege `XA_RECOVER_ADMIN`"),
        ("source/table-missing", Error, "table `trouble.keyless`"),
        ("source/privilege", Error, "table `trouble.shapes`"),
        ("source/partitioned", Warning, "table `trouble.parts`"),
    ]);
    assert_eq!(told, expected);
    // Granted through a role, which has to be active.
    run(
        &mut connect(server.url()).await,
        "
        CREATE ROLE reader;\n
        GRANT RELOAD, REPLICATION CLIENT, REPLICATION SLAVE, XA_RECOVER_ADMIN ON *.* TO reader;\n
        GRANT reader TO poor;\n
        SET DEFAULT ROLE reader TO poor",
    )
    .await;
    let found = examined(&server.url_of("poor", "poor"), &[], &Limits::default()).await;
    assert_eq!(crate::told(&found), []);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_replicator_refuses_all_that_blocks_at_once() {
    let server = Server::start(&FLAGS).await;
    run(&mut connect(server.url()).await, SCHEMA).await;
    let tables: Vec<TableId> =
        contract::read(&contracts()).into_iter().map(|contract| contract.table).collect();
    let source = Source::from_url(server.url()).unwrap();
    let Err(PreflightError::Findings { findings, .. }) = preflight::check(&source, &tables).await
    else {
        panic!("the source has to be refused");
    };
    let told: Vec<String> = findings.iter().map(ToString::to_string).collect();
    let firsts: Vec<&str> = told.iter().map(|text| text.lines().next().unwrap()).collect();
    assert_eq!(
        firsts,
        [
            "`binlog_row_image` is `MINIMAL`",
            "`binlog_row_metadata` is `MINIMAL`",
            "`binlog_transaction_compression` is `ON`",
            "the changes of schema `trouble` do not reach the binlog",
            "table `trouble.a_view`: it is a VIEW, and only plain tables are replicated",
            "table `trouble.hidden_key`: its key column `my_row_id` is invisible, and such columns \
         are not replicated",
            "table `trouble.keyless`: it has no primary key, so that changes cannot find their row",
            "table `trouble.missing`: the source has no such table, or the user may not read it",
            "table `trouble.other_engine`: only InnoDB gives a consistent snapshot",
            "table `trouble.shapes`: the character set `gbk` of its column `chinese` cannot be read \
         from the binlog",
        ]
    );
    server.stop().await;
}
