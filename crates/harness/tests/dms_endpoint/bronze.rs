//! What lies in Bronze, read from the objects themselves.

use std::collections::BTreeMap;

use arrow::array::{Array, AsArray};
use medallion_ingestion::layout::BronzeKey;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

/// Rows by table and kind: `load` for rows of full-load files, else the value of `Op`.
pub(crate) type Rows = BTreeMap<(String, String), u64>;

/// Counts the rows of every Bronze object; each key must be one that DMS would write.
pub(crate) async fn rows(client: &aws_sdk_s3::Client, bucket: &str) -> Rows {
    let mut rows = Rows::new();
    let mut pages =
        client.list_objects_v2().bucket(bucket).prefix("bronze/").into_paginator().send();
    while let Some(page) = pages.next().await {
        for object in page.unwrap().contents() {
            let key = object.key().unwrap();
            let parsed: BronzeKey = key.parse().unwrap();
            let file = client.get_object().bucket(bucket).key(key).send().await.unwrap();
            let file = file.body.collect().await.unwrap().into_bytes();
            let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap();
            for batch in reader {
                let batch = batch.unwrap();
                let operations = batch.column_by_name("Op").unwrap().as_string::<i32>();
                for row in 0..operations.len() {
                    let kind = if parsed.is_full_load() { "load" } else { operations.value(row) };
                    let place = (parsed.table().to_string(), kind.to_owned());
                    *rows.entry(place).or_default() += 1;
                }
            }
        }
    }
    rows
}
