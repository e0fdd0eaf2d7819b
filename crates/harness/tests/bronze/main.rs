//! Bronze files in a bucket: small and large ones, files of mixed shapes, files that change.

#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::sync::Arc;

use arrow::array::{AsArray, Int64Array, LargeBinaryArray, RecordBatch, StringArray};
use arrow::datatypes::Int64Type;
use bytes::Bytes;
use futures::TryStreamExt;
use medallion_definition::contract::TableContract;
use medallion_harness::small_lake::{Endpoints, Repetition, SmallLake, only_contract};
use medallion_tables::store::{Bucket, StoreError};
use medallion_transforms::bronze::{self, BATCH_ROWS};
use medallion_transforms::bronze_table::BronzeTable;
use medallion_transforms::error::{Advice, TransformError};
use medallion_transforms::record::BatchFile;
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;

const CONTRACT: &str = r#"version = 1
table = "crm.orders"
description = "orders"
key = ["id"]
dropped = ["coupon"]

[[column]]
name = "id"
type = "bigint"
nullable = false
sensitivity = "internal"
renamed_from = ["order_id"]

[[column]]
name = "photo"
type = "mediumblob"
nullable = true
sensitivity = "internal"
added = true
"#;
const SEQ: &str = "20260131120000000000000000000000001";

fn key(hour: u32) -> String {
    format!("bronze/crm/orders/2026/01/31/20260131-{hour:02}0000000.parquet")
}

fn contract(lake: &SmallLake<'_>) -> TableContract {
    only_contract(&lake.definition(CONTRACT).unwrap()).unwrap().clone()
}

/// Inserts of the keys in `ids`, with the key's name and further columns.
fn rows(ids: std::ops::Range<i64>, name: &str, more: &[(&str, usize)]) -> RecordBatch {
    let n = usize::try_from(ids.end - ids.start).unwrap();
    let text = |text: &str| Arc::new(StringArray::from(vec![text; n]));
    let before = format!("BI_{name}");
    let mut columns: Vec<(&str, arrow::array::ArrayRef)> = vec![
        ("Op", text("I")),
        ("dms_ts", text("2026-01-31 12:00:00.000001")),
        (name, Arc::new(Int64Array::from_iter_values(ids))),
        (&before, arrow::array::new_null_array(&arrow::datatypes::DataType::Int64, n)),
        ("change_seq", text(SEQ)),
    ];
    for (name, bytes) in more {
        let values = (0..n).map(|row| Some(vec![u8::try_from(row % 251).unwrap(); *bytes]));
        columns.push((name, Arc::new(LargeBinaryArray::from_iter(values))));
    }
    let columns = columns.into_iter().map(|(name, values)| (name, values, true));
    RecordBatch::try_from_iter_with_nullable(columns).unwrap()
}

fn parquet(rows: &RecordBatch, group: usize) -> Bytes {
    let properties = WriterProperties::builder()
        .set_max_row_group_row_count(Some(group))
        .set_compression(Compression::UNCOMPRESSED)
        .set_dictionary_enabled(false)
        .build();
    let mut writer = ArrowWriter::try_new(Vec::new(), rows.schema(), Some(properties)).unwrap();
    writer.write(rows).unwrap();
    writer.into_inner().unwrap().into()
}

/// Puts a file and lists it.
async fn put(bucket: &Bucket, key: &str, content: Bytes) -> BatchFile {
    bucket.put(key, content).await.unwrap();
    let listed = bucket.list(key).await.unwrap().remove(0);
    BatchFile { key: listed.key, etag: listed.etag, size: listed.size }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_read_by_ranges_has_the_rows_of_one_that_is_read_whole() {
    let endpoints = Endpoints::start().await.unwrap();
    let lake = endpoints.lake("ranges").await.unwrap();
    let (contract, warehouse) = (contract(&lake), lake.warehouse(Repetition::Quick));
    // 20,000 rows of 2.4 KB: beyond what is fetched whole; row groups larger and smaller than a
    // batch, and a column that is not read.
    let all = rows(0..20_000, "id", &[("photo", 1_500), ("coupon", 900)]);
    for (hour, group) in [(1, 10_000), (2, 700)] {
        let file = put(warehouse.bucket(), &key(hour), parquet(&all, group)).await;
        assert!(file.size > 40 << 20, "{}", file.size);
        let mut changes = bronze::open(warehouse.bucket(), &contract, &file, 3).await.unwrap();
        let mut next = 0_i64;
        while let Some(batch) = changes.try_next().await.unwrap() {
            assert!((1..=BATCH_ROWS).contains(&batch.len()), "{}", batch.len());
            let ids = batch.source.column(0).as_primitive::<Int64Type>();
            let photos = batch.source.column(1).as_binary::<i64>();
            for row in 0..batch.len() {
                assert_eq!((ids.value(row), batch.row.value(row)), (next, next.cast_unsigned()));
                let byte = u8::try_from(next % 251).unwrap();
                assert_eq!(photos.value(row), [byte; 1_500], "{next}");
                next += 1;
            }
            assert!(batch.file.values().iter().all(|file| *file == 3));
        }
        assert_eq!(next, 20_000);
    }
    endpoints.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_was_written_again_is_not_read() {
    let endpoints = Endpoints::start().await.unwrap();
    let lake = endpoints.lake("changed").await.unwrap();
    let (contract, warehouse) = (contract(&lake), lake.warehouse(Repetition::Quick));
    let bucket = warehouse.bucket();
    for (hour, bytes) in [(1, 10), (2, 3_000)] {
        let content = |ids| parquet(&rows(ids, "id", &[("photo", bytes)]), 5_000);
        let listed = put(bucket, &key(hour), content(0..15_000)).await;
        let opened = bronze::open(bucket, &contract, &listed, 0).await.unwrap();
        put(bucket, &key(hour), content(1..15_001)).await;
        let error = bronze::open(bucket, &contract, &listed, 0).await.err().unwrap();
        let changed = |error: &TransformError| matches!(error, TransformError::Store(e) if matches!(**e, StoreError::Changed { .. }));
        assert!(changed(&error) && error.advice() == Advice::Retry, "{error:?}");
        // What was opened before goes on only if it is in memory as a whole.
        let read: Result<Vec<_>, _> = opened.try_collect().await;
        match read {
            Ok(batches) => assert_eq!((hour, batches.len()), (1, 2)),
            Err(error) => assert!(hour == 2 && changed(&error), "{error:?}"),
        }
    }
    endpoints.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_of_mixed_shapes_are_one_table() {
    let endpoints = Endpoints::start().await.unwrap();
    let lake = endpoints.lake("mixed").await.unwrap();
    let (contract, warehouse) = (contract(&lake), lake.warehouse(Repetition::Quick));
    let shapes = [rows(0..10, "order_id", &[("coupon", 1)]), rows(10..30, "id", &[("photo", 2)])];
    for (hour, rows) in (1..).zip(&shapes) {
        put(warehouse.bucket(), &key(hour), parquet(rows, 1_000)).await;
    }
    let definition = lake.definition(CONTRACT).unwrap();
    let described = definition.catalogue().remove(0);
    let table = BronzeTable::new(&contract, &described, warehouse.bucket().clone());
    let context = datafusion::prelude::SessionContext::new();
    context.register_table("orders", Arc::new(table)).unwrap();
    let ask = |sql: &str| {
        let (context, sql) = (context.clone(), sql.to_owned());
        async move { context.sql(&sql).await.unwrap().collect().await.unwrap().remove(0) }
    };
    let counted = ask("select count(*), sum(id), count(photo), min(dms_ts) from orders").await;
    let number = |column: usize| counted.column(column).as_primitive::<Int64Type>().value(0);
    assert_eq!([number(0), number(1), number(2)], [30, 435, 20]);
    assert_eq!(counted.column(3).as_string::<i32>().value(0), "2026-01-31 12:00:00.000001");
    assert_eq!(ask("select id from orders limit 3").await.num_rows(), 3);

    put(warehouse.bucket(), &key(9), parquet(&rows(0..1, "id", &[("strange", 1)]), 10)).await;
    let failed = context.sql("select id from orders").await.unwrap().collect().await.unwrap_err();
    assert!(failed.to_string().contains("does not know the column `strange`"), "{failed}");
    endpoints.stop().await;
}
