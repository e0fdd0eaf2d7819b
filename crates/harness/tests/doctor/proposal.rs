//! `medallion new-table`: a table becomes a contract, which is valid and fits the table.

use std::path::Path;

use clap::Parser;
use medallion::cli::Cli;
use medallion::exit;
use medallion_definition::name::ColumnName;
use medallion_replicator::inspection::Limits;
use medallion_replicator::inspection::finding::Severity;

use crate::server::{Server, connect, run};
use crate::{contract, examined};

const SCHEMA: &str = "
CREATE DATABASE shop CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin;
CREATE TABLE shop.every_type (
    id BIGINT UNSIGNED COMMENT 'A number, \"its own\"',
    region CHAR(2),
    a TINYINT, b TINYINT UNSIGNED, c TINYINT(1), d SMALLINT, e SMALLINT UNSIGNED, f MEDIUMINT,
    g MEDIUMINT UNSIGNED, h INT, i INT UNSIGNED ZEROFILL, j BIGINT,
    k DECIMAL(12, 2), l DECIMAL(65, 30), m DECIMAL(10, 2) UNSIGNED, n FLOAT, o DOUBLE,
    p BIT(1), q BIT(64), r DATE, s DATETIME, t DATETIME(6), u TIMESTAMP NULL, v TIMESTAMP(3) NULL,
    w TIME, x TIME(6), y YEAR, z CHAR(20),
    aa VARCHAR(300), ab TINYTEXT, ac TEXT, ad MEDIUMTEXT, ae LONGTEXT,
    af BINARY(16), ag VARBINARY(300), ah TINYBLOB, ai BLOB, aj MEDIUMBLOB, ak LONGBLOB,
    al ENUM('a', 'it''s', 'b,c'), am SET('x', 'y'), an JSON, ao GEOMETRY, ap POINT,
    cpf CHAR(11) NOT NULL, cnpj VARCHAR(18), e_mail VARCHAR(90), celular VARCHAR(20),
    nome VARCHAR(90) NOT NULL, data_nascimento DATE, cep CHAR(8), uf CHAR(2),
    twice INT AS (h * 2), hidden INT INVISIBLE,
    PRIMARY KEY (region, id)) COMMENT 'Every type\nthat there is';
CREATE TABLE shop.by_cpf (cpf CHAR(11) PRIMARY KEY);
CREATE TABLE shop.keyless (id INT);
";

async fn proposed(url: &str, table: &str, out: &Path, more: &[&str]) -> Result<(), (u8, String)> {
    let mut line = vec!["medallion", "new-table", table, "--source-url", url, "--out"];
    line.push(out.to_str().unwrap());
    line.extend(more);
    let outcome = Cli::try_parse_from(line).unwrap().run().await;
    outcome.map_err(|error| (error.exit_code(), error.report()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proposed_contract_is_valid_and_fits_its_table() {
    let server = Server::start(&["--default-time-zone=+00:00"]).await;
    run(&mut connect(server.url()).await, SCHEMA).await;
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("tables");
    proposed(server.url(), "shop.every_type", &out, &[]).await.unwrap();
    let path = out.join("shop_every_type.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let contracts = contract::read(std::slice::from_ref(&text));
    let contract = &contracts[0];
    let key: Vec<&str> = contract.key.iter().map(ColumnName::as_str).collect();
    assert_eq!(key, ["region", "id"]);
    assert_eq!(contract.description, "Every type\nthat there is");
    assert_eq!(contract.columns[0].description, "A number, \"its own\"");
    for left_out in ["twice", "hidden"] {
        assert!(text.contains(&format!("# The column \"{left_out}\" is left out")), "{text}");
    }
    let found = examined(server.url(), &contracts, &Limits::default()).await;
    let worse: Vec<_> = found
        .findings
        .iter()
        .filter(|f| f.severity == Severity::Error || f.rule.0.starts_with("source/column-"))
        .map(ToString::to_string)
        .collect();
    assert_eq!(worse, [""; 0]);

    // A file that somebody may have reviewed stays.
    std::fs::write(&path, "reviewed").unwrap();
    let (code, report) = proposed(server.url(), "shop.every_type", &out, &[]).await.unwrap_err();
    assert_eq!(code, exit::OPERATOR);
    assert!(report.contains("--force"), "{report}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "reviewed");
    proposed(server.url(), "shop.every_type", &out, &["--force"]).await.unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tables_that_can_have_no_contract_are_refused_with_a_hint() {
    let server = Server::start(&[]).await;
    run(&mut connect(server.url()).await, SCHEMA).await;
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path();
    for (table, told) in [
        ("shop.keyless", "it has no primary key"),
        ("shop.by_cpf", "its key column `cpf` looks personal (the name says CPF)"),
        ("shop.nothing", "the source has no table `shop.nothing`"),
    ] {
        let (code, report) = proposed(server.url(), table, out, &[]).await.unwrap_err();
        assert_eq!(code, exit::FINDINGS, "{report}");
        assert!(report.contains(told) && report.contains("hint: "), "{report}");
    }
    assert_eq!(std::fs::read_dir(out).unwrap().count(), 0, "nothing was written");
    proposed(server.url(), "shop.by_cpf", out, &["--not-personal", "cpf"]).await.unwrap();
    let text = std::fs::read_to_string(out.join("shop_by_cpf.toml")).unwrap();
    contract::read(&[text]);
    server.stop().await;
}
