//! What Bronze leaves out, and what cannot be carried at all.

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::Int32Type;
use medallion_harness::mysql::Flavor;

use crate::compare::causes;
use crate::run::{connect, execute, renew_schema, replicated, rows, table};
use crate::servers::Server;

/// Names of the columns.
fn names(rows: &RecordBatch) -> Vec<String> {
    rows.schema().fields().iter().map(|field| field.name().clone()).collect()
}

/// Generated and invisible columns are not in Bronze, by neither way, and those beside
/// them keep their values: also where JSON columns are among them and only parts of documents are
/// logged.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn generated_and_invisible_columns_are_left_out() {
    let server = Server::start(Flavor::MySql).await;
    let mut conn = connect(server.url()).await;
    renew_schema(&mut conn).await;
    let create = "CREATE TABLE shapes (
        id INT PRIMARY KEY,
        a INT,
        virtual_number INT AS (a + 1) VIRTUAL,
        virtual_document JSON AS (JSON_OBJECT('a', a)) VIRTUAL,
        stored_number INT AS (a + 2) STORED,
        hidden_document JSON INVISIBLE,
        stored_document JSON AS (JSON_ARRAY(a)) STORED,
        first JSON,
        hidden INT DEFAULT 5 INVISIBLE,
        embedding VECTOR(3) INVISIBLE,
        second JSON,
        name VARCHAR(9) CHARACTER SET latin1,
        KEY ((a * 2)), KEY ((CAST(first->'$.x' AS UNSIGNED ARRAY))))";
    execute(&mut conn, create).await;
    let insert = |id: i32| {
        format!(
            "INSERT INTO shapes (id, a, hidden_document, first, embedding, second, name) VALUES \
             ({id}, {id}, '[0]', '{{\"x\": [1]}}', TO_VECTOR('[1,2,3]'), '{{\"y\": [5, 6]}}', 'é')"
        )
    };
    execute(&mut conn, &insert(1)).await;
    let changes = async |conn: &mut mysql_async::Conn| {
        execute(conn, "SET SESSION binlog_row_value_options = 'PARTIAL_JSON'").await;
        execute(conn, &insert(2)).await;
        let update = "UPDATE shapes SET a = 9, second = JSON_REPLACE(second, '$.y[1]', 7), \
                      hidden_document = JSON_REPLACE(hidden_document, '$[0]', 1) WHERE id = 2";
        execute(conn, update).await;
    };
    let memory = replicated(server.url(), &[table("shapes")], changes).await;
    let memory = memory.unwrap_or_else(|error| panic!("{}", causes(&error)));
    let expected = ["Op", "dms_ts", "id", "a", "first", "second", "name", "BI_id", "change_seq"];
    let mut found = Vec::new();
    for (_, file) in memory.files(&table("shapes")) {
        let rows = rows(&file);
        assert_eq!(names(&rows), expected);
        for row in 0..rows.num_rows() {
            let text =
                |name: &str| rows.column_by_name(name).unwrap().as_string::<i32>().value(row);
            let number = rows.column_by_name("a").unwrap().as_primitive::<Int32Type>().value(row);
            found.push(format!("{number} {} {} {}", text("first"), text("second"), text("name")));
        }
    }
    let row = |a: i32, y: i32| format!("{a} {{\"x\": [1]}} {{\"y\": [5, {y}]}} é");
    assert_eq!(found, [row(1, 6), row(2, 6), row(9, 7)]);
}

/// Text whose bytes cannot be turned into UTF-8 stops the replication, and names its column.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_character_set_without_a_decoder_stops_the_replication() {
    let server = Server::start(Flavor::MySql).await;
    let mut conn = connect(server.url()).await;
    renew_schema(&mut conn).await;
    let create = "CREATE TABLE chinese (id INT PRIMARY KEY, name VARCHAR(9) CHARACTER SET gbk)";
    execute(&mut conn, create).await;
    let changes = async |conn: &mut mysql_async::Conn| {
        execute(conn, "INSERT INTO chinese VALUES (1, '漢')").await;
    };
    let error =
        causes(&replicated(server.url(), &[table("chinese")], changes).await.err().unwrap());
    assert!(error.contains("character set") && error.contains("`name`"), "{error}");
}

/// Types that DMS does not know stop the replication before it begins.
async fn refused(server: &Server, column_type: &str) {
    let mut conn = connect(server.url()).await;
    renew_schema(&mut conn).await;
    let create = format!("CREATE TABLE odd (id INT PRIMARY KEY, name {column_type})");
    execute(&mut conn, &create).await;
    let changes = async |_: &mut mysql_async::Conn| {};
    let error = replicated(server.url(), &[table("odd")], changes).await.err();
    let error = error.map_or_else(|| "it was replicated".to_owned(), |error| causes(&error));
    assert!(error.contains("`name`"), "{column_type}: {error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn types_that_dms_does_not_know_are_refused_by_name() {
    refused(&Server::start(Flavor::MySql).await, "VECTOR(3)").await;
    let server = Server::start(Flavor::MariaDb).await;
    for column_type in ["UUID", "INET6", "INET4"] {
        refused(&server, column_type).await;
    }
}
