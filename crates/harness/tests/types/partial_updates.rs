//! `binlog_row_value_options = PARTIAL_JSON`: after-images hold changes of documents only.

use std::collections::BTreeMap;

use arrow::array::{Array, AsArray};
use medallion_harness::mysql::Flavor;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Row};
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;

use crate::compare::causes;
use crate::run::{connect, execute, operations, renew_schema, replicated, rows, table};
use crate::seeds;
use crate::servers::Server;
use crate::texts::document;

const DOCUMENTS: i32 = 150;

/// Paths to values of a document, as MySQL writes them, the root left out.
fn paths(value: &Value, path: &str, paths: &mut Vec<String>) {
    let children: Vec<(String, &Value)> = match value {
        Value::Array(cells) => {
            cells.iter().enumerate().map(|(i, cell)| (format!("{path}[{i}]"), cell)).collect()
        }
        Value::Object(members) => {
            members.iter().map(|(name, value)| (format!("{path}.{}", json(name)), value)).collect()
        }
        _ => Vec::new(),
    };
    for (path, value) in children {
        self::paths(value, &path, paths);
        paths.push(path);
    }
}

/// A text in the quotes of JSON.
fn json(text: &str) -> String {
    serde_json::to_string(text).unwrap()
}

fn literal(text: &str) -> String {
    format!("CONVERT(x'{}' USING utf8mb4)", hex::encode(text))
}

/// A chain of changes that the server may log in parts.
fn changed(column: &str, before: &Value, random: &mut ChaCha8Rng) -> String {
    let mut known = Vec::new();
    paths(before, "$", &mut known);
    let mut expression = column.to_owned();
    for _ in 0..random.random_range(1..=4) {
        let path = known.choose(random).cloned().unwrap_or_else(|| "$.new".to_owned());
        let path = match random.random_range(0..4) {
            0 => format!(
                "{path}.{}",
                json(["k", "é", "a b", "kk", "$.x", "\""].choose(random).unwrap())
            ),
            1 => format!("{path}[{}]", random.random_range(0..4)),
            _ => path,
        };
        let value = format!("CAST({} AS JSON)", literal(&document(random, 2).to_string()));
        let path = literal(&path);
        expression = match random.random_range(0..5) {
            0 => format!("JSON_REMOVE({expression}, {path})"),
            1 => format!("JSON_REPLACE({expression}, {path}, {value})"),
            2 => format!("JSON_SET({expression}, {path}, {value}, '$.last', 1.5)"),
            3 => format!("JSON_REPLACE({expression}, {path}, {})", random.random::<i16>()),
            _ => format!("JSON_SET({expression}, {path}, {value})"),
        };
    }
    expression
}

/// How many events of partial updates the binlog has.
async fn partial_events(conn: &mut Conn) -> usize {
    let logs: Vec<Row> = conn.query("SHOW BINARY LOGS").await.unwrap();
    let last: String = logs.last().unwrap().get(0).unwrap();
    let events: Vec<Row> = conn.query(format!("SHOW BINLOG EVENTS IN '{last}'")).await.unwrap();
    let kind = |event: &Row| event.get::<String, _>(2).unwrap();
    events.iter().filter(|event| kind(event) == "Update_rows_partial").count()
}

async fn documents(conn: &mut Conn) -> BTreeMap<i32, [Option<String>; 2]> {
    let statement = "SELECT id, CAST(one AS CHAR), CAST(two AS CHAR) FROM documents ORDER BY id";
    let rows: Vec<(i32, Option<String>, Option<String>)> = conn.query(statement).await.unwrap();
    rows.into_iter().map(|(id, one, two)| (id, [one, two])).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn documents_changed_in_part_are_whole_in_bronze() {
    let server = Server::start(Flavor::MySql).await;
    for seed in seeds() {
        eprintln!("types: seed {seed}, {DOCUMENTS} documents");
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut conn = connect(server.url()).await;
        renew_schema(&mut conn).await;
        // The default session value would log whole documents.
        let create = "CREATE TABLE documents (id INT PRIMARY KEY, one JSON, n INT, two JSON)";
        execute(&mut conn, create).await;
        let mut before = Vec::new();
        for id in 1..=DOCUMENTS {
            let pair = [0; 2].map(|_: i32| {
                let members = (0..6).map(|n| (format!("m{n}"), document(&mut random, 3)));
                Value::Object(members.collect())
            });
            let [one, two] = pair.each_ref().map(|value| literal(&value.to_string()));
            execute(&mut conn, &format!("INSERT INTO documents VALUES ({id}, {one}, 0, {two})"))
                .await;
            before.push(pair);
        }
        let changes = async |conn: &mut Conn| {
            execute(conn, "FLUSH BINARY LOGS").await;
            execute(conn, "SET SESSION binlog_row_value_options = 'PARTIAL_JSON'").await;
            for (id, [one, two]) in (1..).zip(&before) {
                let one = changed("one", one, &mut random);
                let two = match random.random_range(0..4) {
                    0 => "two".to_owned(),
                    1 => "NULL".to_owned(),
                    2 => literal(&document(&mut random, 2).to_string()),
                    _ => changed("two", two, &mut random),
                };
                let set = format!("one = {one}, n = n + 1, two = {two}");
                execute(conn, &format!("UPDATE documents SET {set} WHERE id = {id}")).await;
            }
        };
        let memory = replicated(server.url(), &[table("documents")], changes).await;
        let memory = memory.unwrap_or_else(|error| panic!("seed {seed}: {}", causes(&error)));
        let events = partial_events(&mut conn).await;
        assert!(events > 10, "only {events} events were partial");
        let wanted = documents(&mut conn).await;
        let mut found = BTreeMap::new();
        for (_, file) in memory.files(&table("documents")) {
            let rows = rows(&file);
            let texts =
                ["one", "two"].map(|name| rows.column_by_name(name).unwrap().as_string::<i32>());
            for (row, (op, id)) in operations(&rows).into_iter().enumerate() {
                let value =
                    texts.map(|column| column.is_valid(row).then(|| column.value(row).to_owned()));
                if op == "U" {
                    assert_eq!(found.insert(id, value), None, "seed {seed}: {id} was updated once");
                }
            }
        }
        for (id, wanted) in wanted {
            assert_eq!(found.get(&id), Some(&wanted), "seed {seed}: document {id}");
        }
    }
}
