//! What is in data files, and what is not.

use std::collections::HashSet;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::Int64Type;
use bytes::Bytes;
use iceberg::spec::{DataFile, Datum, Literal, Operation, Transform, UnboundPartitionSpec};
use parquet::file::metadata::{
    PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader, RowGroupMetaData,
};

use super::fixture::{CANARY, Lake, batch, ids, one};
use crate::commit::publish_metadata;
use crate::table::{LakeTable, TableError};
use crate::writer::{Layout, write_files, write_files_of};

async fn bytes(table: &LakeTable, file: &DataFile) -> Bytes {
    table.table.file_io().new_input(file.file_path()).unwrap().read().await.unwrap()
}

fn footer(bytes: &Bytes) -> ParquetMetaData {
    ParquetMetaDataReader::new()
        .with_page_index_policy(PageIndexPolicy::Optional)
        .parse_and_finish(bytes)
        .unwrap()
}

#[tokio::test]
async fn rows_are_sorted_by_key_within_files_and_split_by_bucket_as_iceberg_hashes() {
    let lake = Lake::new();
    let table = lake.table(4).await;
    let odd: Vec<i64> = (0..200).rev().filter(|id| id % 2 == 1).collect();
    let even: Vec<i64> = (0..200).filter(|id| id % 2 == 0).collect();
    let added = write_files(&table, vec![batch(&odd, "Ana"), batch(&even, "Ana")]).await.unwrap();
    assert_eq!(added.len(), 4);
    let table = lake.commit(&table, Operation::Append, added, Vec::new()).await.unwrap();
    let mut of_34 = None;
    for file in table.live_files().await.unwrap() {
        let rows = one(&table.read_file(&file, None).await.unwrap());
        let ids = rows["id"].as_primitive::<Int64Type>().values();
        assert!(ids.is_sorted() && !ids.is_empty());
        let buckets = table.buckets_of(&rows["id"]).unwrap().unwrap();
        let buckets: HashSet<i32> = buckets.values().iter().copied().collect();
        assert_eq!(buckets, HashSet::from([file.bucket().unwrap()]));
        if ids.contains(&34) {
            of_34 = file.bucket();
        }
    }
    // The specification's test vector: the hash of the long 34 is 2017239379.
    assert_eq!(of_34, Some(2_017_239_379 % 4));
    assert_eq!(ids(&table).await, (0..200).collect::<Vec<_>>());
}

#[tokio::test]
async fn the_bucket_stands_in_the_partition_and_in_the_path() {
    let lake = Lake::new();
    let bucketed = lake.table(16).await;
    assert_eq!(bucketed.bucket_column(), Some("id"));
    let added = write_files(&bucketed, vec![batch(&[34], "Ana")]).await.unwrap();
    let bucket = Some(Literal::int(2_017_239_379 % 16));
    assert_eq!(added[0].partition().fields(), &[bucket]);
    assert!(added[0].file_path().contains("/data/id_bucket=3/"), "{}", added[0].file_path());
}

#[tokio::test]
async fn a_table_that_is_partitioned_otherwise_is_not_written() {
    let bucket = ("id_bucket", 1, Transform::Bucket(4));
    let visits = ("visits", 10, Transform::Identity);
    for fields in [vec![bucket, visits], vec![("id", 1, Transform::Identity)]] {
        let lake = Lake::new();
        let base = lake.table(1).await;
        let table = publish_metadata(&lake.warehouse, &base, |builder| {
            let mut spec = UnboundPartitionSpec::builder();
            for (name, source, transform) in fields {
                spec = spec.add_partition_field(source, name, transform)?;
            }
            builder.add_default_partition_spec(spec.build())
        });
        let table = table.await.unwrap();
        let written = write_files(&table, vec![batch(&[1, 2], "Ana")]).await;
        assert!(matches!(written, Err(TableError::Partitioning { .. })), "{written:?}");
        assert!(!lake.files().iter().any(|file| file.path.ends_with(".parquet")));
    }
}

#[tokio::test]
async fn personal_and_unordered_columns_have_counts_but_neither_bounds_nor_statistics() {
    let lake = Lake::new();
    let table = lake.table(1).await;
    let rows = batch(&(0..40).collect::<Vec<_>>(), "Ana");
    let added = write_files(&table, vec![rows]).await.unwrap();
    let file = &added[0];
    let id_of = |name: &str| table.metadata().current_schema().field_id_by_name(name).unwrap();
    for column in ["cpf", "born", "score", "photo"] {
        let id = id_of(column);
        assert!(!file.lower_bounds().contains_key(&id) && !file.upper_bounds().contains_key(&id));
        assert_eq!(file.value_counts()[&id], 40);
        assert_eq!(file.null_value_counts()[&id], 10);
    }
    let bytes = bytes(&table, file).await;
    let footer = footer(&bytes);
    let names: Vec<_> = table.arrow_schema().fields().iter().map(|f| f.name().as_str()).collect();
    let index = footer.column_index().unwrap();
    // The last two have no bounds in the manifest either, so nothing would show that the file must
    // be rewritten should they become personal.
    let without = ["cpf", "born", "score", "photo"];
    for (group, row_group) in footer.row_groups().iter().enumerate() {
        for (column, chunk) in row_group.columns().iter().enumerate() {
            let none = without.contains(&names[column]);
            assert_eq!(chunk.statistics().is_none(), none, "{}", names[column]);
            let indexed = chunk.column_index_offset().is_some();
            assert_eq!(indexed, !none, "{} {:?}", names[column], index[group][column]);
        }
    }
}

#[tokio::test]
async fn personal_values_are_in_no_metadata_file() {
    let lake = Lake::new();
    let table = lake.append(&lake.table(1).await, &[1, 2, 5], "Visible").await;
    let old = table.live_files().await.unwrap();
    let added = write_files(&table, vec![batch(&[1, 5], "Visible")]).await.unwrap();
    lake.commit(&table, Operation::Overwrite, added, old).await.unwrap();
    let mut visible = 0;
    for path in lake.metadata_files() {
        let bytes = std::fs::read(path).unwrap();
        let holds = |text: &str| bytes.windows(text.len()).any(|w| w == text.as_bytes());
        assert!(!holds(&CANARY[..16]));
        visible += usize::from(holds("Visible 1"));
    }
    // Bounds of public columns are found by the same search.
    assert!(visible >= 2, "{visible}");
}

#[tokio::test]
async fn bounds_enclose_all_values_of_the_other_columns() {
    let lake = Lake::new();
    let table = lake.table(1).await;
    let long = format!("a name of more than {} characters", 16);
    let added = write_files(&table, vec![batch(&[0, 1, 2, 9], &long)]).await.unwrap();
    let bound = |name: &str| {
        let id = table.metadata().current_schema().field_id_by_name(name).unwrap();
        (added[0].lower_bounds().get(&id).cloned(), added[0].upper_bounds().get(&id).cloned())
    };
    let both = |low, high| (Some(low), Some(high));
    let day = 86_400_000_000_i64;
    assert_eq!(bound("id"), both(Datum::long(0), Datum::long(9)));
    let name = both(Datum::string("a name of more t"), Datum::string("a name of more u"));
    assert_eq!(bound("name"), name);
    let seen = both(Datum::timestamp_micros(-9 * day), Datum::timestamp_micros(0));
    assert_eq!(bound("seen"), seen);
    let changed = both(Datum::timestamptz_micros(1), Datum::timestamptz_micros(9 * day + 1));
    assert_eq!(bound("changed_at"), changed);
    assert_eq!(bound("active"), both(Datum::bool(false), Datum::bool(true)));
    assert_eq!(bound("visits"), both(Datum::int(-27), Datum::int(0)));
    let amount = bound("amount");
    assert_eq!(amount.0.unwrap().to_string(), "-0.07");
    assert_eq!(amount.1.unwrap().to_string(), "9.02");
    assert_eq!(bound("big").1.unwrap().to_string(), u64::MAX.to_string());
    assert_eq!((bound("score"), bound("photo")), ((None, None), (None, None)));
}

#[tokio::test]
async fn a_file_is_described_as_it_is() {
    let lake = Lake::new();
    let table = lake.table(1).await;
    let added = write_files(&table, vec![batch(&[4, 1], "Ana")]).await.unwrap();
    let bytes = bytes(&table, &added[0]).await;
    assert_eq!(added[0].file_size_in_bytes(), bytes.len() as u64);
    assert_eq!(added[0].record_count(), 2);
    let sizes: u64 = added[0].column_sizes().values().sum();
    assert_eq!(added[0].column_sizes().len(), table.arrow_schema().fields().len());
    assert!(sizes > 0 && sizes < bytes.len() as u64);
    assert_eq!(added[0].split_offsets(), Some([4].as_slice()));
    assert_eq!(added[0].sort_order_id(), Some(1));
    let ids = footer(&bytes)
        .file_metadata()
        .schema_descr()
        .root_schema()
        .get_fields()
        .iter()
        .map(|f| f.get_basic_info().id())
        .collect::<Vec<_>>();
    assert_eq!(ids, (1..=12).collect::<Vec<_>>());
}

#[tokio::test]
async fn files_and_row_groups_are_bounded() {
    let lake = Lake::new();
    let table = lake.table(1).await;
    let many: Vec<i64> = (0..300_000).collect();
    let added = write_files(&table, vec![batch(&many, "Ana")]).await.unwrap();
    assert_eq!(added.len(), 1);
    let groups: Vec<i64> = footer(&bytes(&table, &added[0]).await)
        .row_groups()
        .iter()
        .map(RowGroupMetaData::num_rows)
        .collect();
    assert!(groups.len() >= 3 && groups.iter().all(|rows| *rows <= 131_072), "{groups:?}");
    assert_eq!(added[0].split_offsets().unwrap().len(), groups.len());
    let layout = Layout { file_bytes: 100_000, ..Layout::default() };
    let rows = vec![batch(&many[..50_000], "Ana")];
    let small = write_files_of(&table, rows, layout).await.unwrap();
    assert!(small.len() > 1);
    assert_eq!(small.iter().map(DataFile::record_count).sum::<u64>(), 50_000);
    let table = lake.commit(&table, Operation::Append, small, Vec::new()).await.unwrap();
    assert_eq!(ids(&table).await, many[..50_000]);
}

#[tokio::test]
async fn batches_that_do_not_fit_are_refused_by_column_name() {
    let lake = Lake::new();
    let table = lake.table(1).await;
    let good = batch(&[1, 2, 3], "Ana");
    let refused = async |batch: RecordBatch| match write_files(&table, vec![batch]).await {
        Err(TableError::Misfit { reason, .. }) => reason,
        other => panic!("{other:?}"),
    };
    let without = |name: &str| {
        let keep: Vec<usize> =
            (0..good.num_columns()).filter(|i| good.schema().field(*i).name() != name).collect();
        good.project(&keep).unwrap()
    };
    assert_eq!(refused(without("name")).await, "column `name` is missing");
    let columns = |name: &str, values: &dyn Fn() -> arrow::array::ArrayRef| {
        let mut columns: Vec<_> = without(name)
            .schema()
            .fields()
            .iter()
            .map(|f| (f.name().clone(), without(name)[f.name().as_str()].clone()))
            .collect();
        columns.push((name.to_owned(), values()));
        RecordBatch::try_from_iter(columns).unwrap()
    };
    let stranger = columns("stranger", &|| good["id"].clone());
    assert_eq!(refused(stranger).await, "column `stranger` is unknown");
    let mistyped = columns("name", &|| good["id"].clone());
    assert_eq!(refused(mistyped).await, "column `name` is Int64, not Utf8");
    let nulls = arrow::array::Int64Array::from(vec![Some(1), None, Some(3)]);
    let keyless = columns("id", &|| std::sync::Arc::new(nulls.clone()));
    assert_eq!(refused(keyless).await, "column `id` is required and holds NULL");
    // Another order and another layout of text are no misfit.
    let views = columns("name", &|| {
        arrow::compute::cast(&good["name"], &arrow::datatypes::DataType::Utf8View).unwrap()
    });
    assert_eq!(write_files(&table, vec![views]).await.unwrap().len(), 1);
    assert!(write_files(&table, vec![good.slice(0, 0)]).await.unwrap().is_empty());
    assert_eq!(good["id"].null_count(), 0);
}
