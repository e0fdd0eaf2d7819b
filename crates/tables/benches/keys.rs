//! What Silver does most: finding keys in data files, reading rows by position, and writing
//! position deletes and data files.
//!
//! One thread decodes and encodes, so that time is CPU time as far as the disk does not wait.

mod lake;

use std::hint::black_box;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use criterion::{BatchSize, Criterion, Throughput};
use futures::TryStreamExt;
use lake::{CUSTOMERS, Lake, customers, mix};
use medallion_definition::contract::Sensitivity;
use medallion_definition::types::LakeType;
use medallion_tables::DataFile;
use medallion_tables::files::LiveFile;
use medallion_tables::reader::KeySet;
use medallion_tables::table::LakeTable;
use medallion_tables::writer::BucketWriter;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use parquet::schema::types::ColumnPath;
use roaring::RoaringTreemap;
use tokio::runtime::Runtime;

/// Rows of the table with a numeric key.
const ROWS: i64 = 10_000_000;
/// Rows of a batch that is written.
const BATCH: i64 = 65_536;
/// Buckets of the table with a numeric key.
const BUCKETS: i32 = 8;

fn one_column(name: &str, values: ArrayRef) -> RecordBatch {
    RecordBatch::try_from_iter([(name, values)]).expect("a batch")
}

/// Keys by bucket, each in order.
fn key_sets(table: &LakeTable, keys: impl Iterator<Item = i64>) -> Vec<KeySet> {
    let keys: ArrayRef = Arc::new(keys.collect::<Int64Array>());
    let buckets = table.buckets_of(&keys).expect("buckets").expect("a bucketed table");
    let ids = one_column("id", keys);
    let of = |bucket| {
        let is = buckets.iter().map(|value| Some(value == Some(bucket))).collect();
        arrow::compute::filter_record_batch(&ids, &is).expect("keys of a bucket")
    };
    (0..BUCKETS).map(|bucket| KeySet::new(table, &of(bucket)).expect("keys")).collect()
}

async fn locate(table: &LakeTable, files: &[LiveFile], keys: &[KeySet]) -> usize {
    let mut found = 0;
    for file in files {
        let bucket = file.bucket().and_then(|bucket| usize::try_from(bucket).ok());
        let keys = &keys[bucket.unwrap_or_default()];
        found += table.locate(file, keys).await.expect("keys are found").positions.len();
    }
    found
}

/// Keys of a table of ten million rows in eight buckets.
fn numbers(criterion: &mut Criterion, runtime: &Runtime, lake: &Lake) {
    let fields = [
        ("id", LakeType::Long, Sensitivity::Internal),
        ("uf", LakeType::String, Sensitivity::Public),
    ];
    let batches = (0..ROWS).step_by(BATCH as usize).map(|from| {
        let ids = from..(from + BATCH).min(ROWS);
        let ufs = ids.clone().map(|id| ["SP", "RJ", "MG", "AM"][(mix(id, 1) % 4) as usize]);
        let ids: ArrayRef = Arc::new(Int64Array::from_iter_values(ids));
        let ufs: ArrayRef = Arc::new(StringArray::from_iter_values(ufs));
        RecordBatch::try_from_iter([("id", ids), ("uf", ufs)]).expect("a batch")
    });
    let (table, files) = runtime.block_on(async {
        let table = lake.table("numbers", &fields, 1, BUCKETS.cast_unsigned()).await;
        let table = lake.append(&table, BUCKETS, batches).await;
        let files = table.live_files().await.expect("files");
        (table, files)
    });
    let mut group = criterion.benchmark_group("locate in 10 M rows");
    group.sample_size(10);
    let cases: [(&str, Vec<i64>); 4] = [
        ("1 M keys all over", (0..ROWS).filter(|id| mix(*id, 2).is_multiple_of(10)).collect()),
        ("50 K keys all over", (0..ROWS).filter(|id| mix(*id, 2).is_multiple_of(200)).collect()),
        ("50 K keys in a row", (4_000_000..4_050_000).collect()),
        ("1 M absent keys", (0..ROWS / 10).map(|id| id * 10 + ROWS).collect()),
    ];
    for (name, keys) in cases {
        group.throughput(Throughput::Elements(keys.len() as u64));
        let sets = key_sets(&table, keys.iter().copied());
        let found = runtime.block_on(locate(&table, &files, &sets));
        assert_eq!(found, if name.contains("absent") { 0 } else { keys.len() });
        group.bench_function(name, |b| {
            b.iter(|| runtime.block_on(locate(&table, &files, black_box(&sets))));
        });
    }
    let keys = || (0..ROWS).filter(|id| mix(*id, 2).is_multiple_of(10));
    group.bench_function("making sets of 1 M keys", |b| b.iter(|| key_sets(&table, keys())));
    group.finish();
}

/// Keys of two million rows that are text, or text and number.
fn texts(criterion: &mut Criterion, runtime: &Runtime, lake: &Lake) {
    let rows = 2_000_000;
    let mut group = criterion.benchmark_group("locate 200 K keys in 2 M rows");
    group.sample_size(10).throughput(Throughput::Elements(rows as u64));
    let all = |ids: &mut dyn Iterator<Item = i64>| {
        let ids: Vec<i64> = ids.collect();
        let codes = ids.iter().map(|id| format!("BR-{:09}", id / 4 * 3));
        let codes: ArrayRef = Arc::new(StringArray::from_iter_values(codes));
        let places: ArrayRef = Arc::new(ids.iter().map(|id| id % 4).collect::<Int64Array>());
        let texts = ids.iter().map(|id| format!("{id:032x}"));
        let texts: ArrayRef = Arc::new(StringArray::from_iter_values(texts));
        let columns = [("text", texts), ("code", codes), ("place", places)];
        RecordBatch::try_from_iter(columns).expect("a batch")
    };
    let (text, code) = (("text", LakeType::String), ("code", LakeType::String));
    let place = ("place", LakeType::Long);
    for (name, fields) in [("text", vec![text]), ("text and number", vec![code, place])] {
        let columns: Vec<_> =
            fields.iter().map(|(name, of)| (*name, *of, Sensitivity::Internal)).collect();
        let names: Vec<&str> = fields.iter().map(|(name, _)| *name).collect();
        let only = |batch: RecordBatch| {
            let places: Vec<usize> =
                names.iter().map(|name| batch.schema().index_of(name).expect("it")).collect();
            batch.project(&places).expect("columns")
        };
        let batch = only(all(&mut (0..rows)));
        let keys = only(all(&mut (0..rows).filter(|id| mix(*id, 2).is_multiple_of(10))));
        let (table, files) = runtime.block_on(async {
            let table = lake.table(&names.join("_"), &columns, names.len(), 1).await;
            let table = lake.append(&table, 1, std::iter::once(batch)).await;
            let files = table.live_files().await.expect("files");
            (table, files)
        });
        let keys = [KeySet::new(&table, &keys).expect("keys")];
        assert_eq!(runtime.block_on(locate(&table, &files, &keys)), keys[0].len());
        group.bench_function(name, |b| {
            b.iter(|| runtime.block_on(locate(&table, &files, black_box(&keys))));
        });
    }
    group.finish();
}

/// Rows of customers: written, read again by position, deleted by position.
fn rows(criterion: &mut Criterion, runtime: &Runtime, lake: &Lake) {
    let batches: Vec<RecordBatch> =
        (0..8).map(|part| customers(part * BATCH..(part + 1) * BATCH)).collect();
    let rows = batches.iter().map(|batch| batch.num_rows() as u64).sum();
    let table = runtime.block_on(lake.table("customers", &CUSTOMERS, 1, 1));
    let write = async |batches: &[RecordBatch]| {
        let mut writer = BucketWriter::new(&table, None, 256 << 20).expect("a writer");
        for batch in batches {
            writer.write(batch).await.expect("rows are written");
        }
        writer.finish().await.expect("a file")
    };
    let mut group = criterion.benchmark_group("customers");
    group.sample_size(10);
    let bytes = runtime.block_on(write(&batches)).iter().map(DataFile::file_size_in_bytes).sum();
    group.throughput(Throughput::ElementsAndBytes { elements: rows, bytes });
    eprintln!("{rows} rows are {bytes} bytes");
    group.bench_function("write a file", |b| b.iter(|| runtime.block_on(write(&batches))));

    let table = runtime.block_on(lake.append(&table, 1, batches.into_iter()));
    let file = runtime.block_on(table.live_files()).expect("files").remove(0);
    let all: Vec<String> = CUSTOMERS.iter().map(|(name, _, _)| (*name).to_owned()).collect();
    let some: Vec<u64> =
        (0..rows).filter(|row| mix(row.cast_signed(), 2).is_multiple_of(100)).collect();
    group.throughput(Throughput::Elements(some.len() as u64));
    group.bench_function("read 1 % of the rows", |b| {
        b.iter(|| runtime.block_on(table.read_positions(&file, &some, &all)).expect("rows"));
    });
    let some: RoaringTreemap = some.into_iter().collect();
    group.throughput(Throughput::Elements(rows));
    group.bench_function("read the other 99 %", |b| {
        let read = async || {
            let mut left = table.read_except(&file, &some).expect("a stream");
            let mut count = 0;
            while let Some(batch) = left.try_next().await.expect("rows") {
                count += batch.num_rows();
            }
            count
        };
        b.iter(|| runtime.block_on(read()));
    });
    group.finish();

    let mut group = criterion.benchmark_group("position deletes");
    for (name, every) in [("50 K all over", 10), ("500 K", 1)] {
        let positions: RoaringTreemap =
            (0..rows).filter(|row| mix(row.cast_signed(), 3).is_multiple_of(every)).collect();
        group.throughput(Throughput::Elements(positions.len()));
        let delete = |positions: RoaringTreemap| {
            runtime.block_on(table.write_position_deletes(&file, &positions)).expect("a file")
        };
        group.bench_function(name, |b| {
            b.iter_batched(|| positions.clone(), delete, BatchSize::SmallInput);
        });
    }
    group.finish();
}

/// What the level of compression costs and saves, with the Parquet crate alone.
fn levels(criterion: &mut Criterion) {
    let batches: Vec<RecordBatch> =
        (0..2).map(|part| customers(part * BATCH..(part + 1) * BATCH)).collect();
    let mut group = criterion.benchmark_group("zstd level");
    group.sample_size(10);
    for level in [1, 3] {
        let encode = || {
            let level = Compression::ZSTD(ZstdLevel::try_new(level).expect("a level"));
            let mut properties = WriterProperties::builder()
                .set_compression(level)
                .set_data_page_row_count_limit(8192)
                .set_dictionary_enabled(false);
            for column in ["city", "uf", "limit", "_loaded_at"] {
                let path = ColumnPath::new(vec![column.to_owned()]);
                properties = properties.set_column_dictionary_enabled(path, true);
            }
            let properties = Some(properties.build());
            let schema = batches[0].schema();
            let mut writer = ArrowWriter::try_new(Vec::new(), schema, properties).expect("it");
            for batch in &batches {
                writer.write(batch).expect("rows are encoded");
            }
            writer.into_inner().expect("a file")
        };
        let bytes = encode().len() as u64;
        eprintln!("level {level}: {bytes} bytes");
        group.throughput(Throughput::Bytes(bytes));
        group.bench_function(level.to_string(), |b| b.iter(encode));
    }
    group.finish();
}

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(1)
        .build()
        .expect("a runtime");
    let lake = runtime.block_on(async { Lake::new() });
    let mut criterion = Criterion::default().configure_from_args();
    numbers(&mut criterion, &runtime, &lake);
    texts(&mut criterion, &runtime, &lake);
    rows(&mut criterion, &runtime, &lake);
    levels(&mut criterion);
    criterion.final_summary();
}
