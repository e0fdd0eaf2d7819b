//! The end of a history: what Bronze says beside what the source has.

use std::collections::BTreeMap;

use aws_sdk_s3::Client;
use medallion_definition::name::TableId;
use medallion_ingestion::layout::table_prefix;
use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use super::history::{Outcome, Place, TRACE};
use super::model::{self, BronzeFile, Row, Rows};
use super::workload::Table;

/// Compares every table, row by row.
pub(super) async fn compare(
    place: &Place,
    schema: &str,
    bucket: &str,
    tables: &[Table],
    conn: &mut Conn,
    outcome: &mut Outcome,
) -> Result<(), String> {
    for table in tables {
        let id: TableId = format!("{schema}.{}", table.name).parse().map_err(|e| format!("{e}"))?;
        let files = bronze(&place.client, bucket, &table_prefix(&id)).await?;
        outcome.files += files.len();
        let key: Vec<String> = table.key.iter().map(|name| (*name).to_owned()).collect();
        let replayed = model::replay(&files, &key).map_err(|e| format!("{id}: {e}"))?;
        let (names, source) = source(conn, schema, table, &key).await?;
        outcome.rows += source.len();
        let found = model::differences(&replayed, &source, &names);
        if !found.is_empty() {
            if std::env::var_os(TRACE).is_some() {
                files.iter().for_each(|file| eprintln!("{} at {}", file.key, file.received));
                eprintln!("{found:#?}");
            }
            let shown: Vec<&str> = found.iter().take(3).map(String::as_str).collect();
            return Err(format!("{id}: {} differences: {}", found.len(), shown.join("; ")));
        }
    }
    Ok(())
}

/// All Bronze files of a table.
async fn bronze(client: &Client, bucket: &str, prefix: &str) -> Result<Vec<BronzeFile>, String> {
    let mut pages = client.list_objects_v2().bucket(bucket).prefix(prefix).into_paginator().send();
    let mut files = Vec::new();
    while let Some(page) = pages.next().await {
        for object in page.map_err(|e| format!("{e:?}"))?.contents() {
            let name = object.key().unwrap_or_default();
            let got = client.get_object().bucket(bucket).key(name).send().await;
            let body = got.map_err(|e| format!("{e:?}"))?.body.collect().await;
            files.push(BronzeFile {
                key: name.parse().map_err(|e| format!("{e}"))?,
                received: object.last_modified().map_or(0, aws_sdk_s3::primitives::DateTime::secs),
                content: body.map_err(|e| e.to_string())?.into_bytes(),
            });
        }
    }
    Ok(files)
}

type Named = Vec<(String, Vec<String>)>;

/// The table as the source has it, as text, and its columns with their former names.
async fn source(
    conn: &mut Conn,
    schema: &str,
    table: &Table,
    key: &[String],
) -> Result<(Named, Rows), String> {
    let name = table.name;
    let columns: Vec<String> = conn
        .query(format!(
            "SELECT column_name FROM information_schema.columns WHERE table_schema = '{schema}' \
             AND table_name = '{name}' ORDER BY ordinal_position"
        ))
        .await
        .map_err(|e| e.to_string())?;
    let texts: Vec<String> = columns.iter().map(|c| format!("CAST(`{c}` AS CHAR)")).collect();
    let query = format!("SELECT {} FROM {schema}.{name}", texts.join(", "));
    let found: Vec<mysql_async::Row> = conn.query(query).await.map_err(|e| e.to_string())?;
    let mut rows = BTreeMap::new();
    for found in found {
        let texts = (0..columns.len()).map(|place| found.get::<Option<String>, _>(place).flatten());
        let row: Row = columns.iter().cloned().zip(texts).collect();
        let place = key.iter().map(|name| row.get(name).cloned().flatten()).collect();
        rows.insert(place, row);
    }
    let named = |column: String| {
        let former = table.former.get(&column).cloned().unwrap_or_default();
        (column, former)
    };
    Ok((columns.into_iter().map(named).collect(), rows))
}
