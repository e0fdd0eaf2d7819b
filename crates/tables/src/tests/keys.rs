//! Keys and rows found by position, against plain scans of the same files.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Int64Array, RecordBatch, StringArray, UInt32Array};
use arrow::compute::{concat_batches, take_record_batch};
use arrow::datatypes::{DataType, Field, Schema};
use futures::TryStreamExt;
use iceberg::spec::{DataContentType, DataFileBuilder, DataFileFormat, Datum, Operation};
use medallion_definition::types::LakeType;
use parquet::arrow::{ArrowWriter, PARQUET_FIELD_ID_META_KEY};
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use roaring::RoaringTreemap;

use super::ground::{Ground, field, raw, texts, values};
use crate::evolution::{evolve, plan_evolution};
use crate::files::LiveFile;
use crate::reader::KeySet;
use crate::table::{LakeTable, TableError};
use crate::writer::write_files;

const DECIMAL: LakeType = LakeType::Decimal { precision: 12, scale: 2 };

/// Keys of one and several columns, of all kinds of types.
const KEYS: [&[LakeType]; 9] = [
    &[LakeType::Long],
    &[LakeType::Int],
    &[LakeType::String],
    &[LakeType::Date],
    &[DECIMAL],
    &[LakeType::TimestampTz],
    &[LakeType::Long, LakeType::String],
    &[LakeType::String, LakeType::Int, LakeType::Date],
    &[LakeType::Boolean, LakeType::Long],
];

/// Distinct random keys, in any order, and each as text.
fn keys(
    ground: &Ground,
    random: &mut ChaCha8Rng,
    count: usize,
    range: i64,
) -> (RecordBatch, Vec<String>) {
    let seeds = ground.seeds(random, count, range);
    let columns = ground.fields[..ground.key].iter().zip(&seeds);
    let rows = columns.map(|(field, seeds)| (&field.name, values(field.lake_type, seeds)));
    let rows = RecordBatch::try_from_iter(rows).unwrap();
    let mut seen = HashSet::new();
    let found = texts(&rows, &ground.key_names());
    let mut distinct: Vec<u32> =
        (0..rows.num_rows() as u32).filter(|i| seen.insert(found[*i as usize].clone())).collect();
    distinct.shuffle(random);
    let rows = take_record_batch(&rows, &UInt32Array::from(distinct)).unwrap();
    let found = texts(&rows, &ground.key_names());
    (rows, found)
}

/// Random live rows to be deleted, by path.
async fn some_rows(table: &LakeTable, random: &mut ChaCha8Rng) -> HashMap<String, Vec<u64>> {
    let mut found = HashMap::new();
    for file in table.live_files().await.unwrap() {
        if random.random_bool(0.6) {
            let rows: Vec<u64> = (0..file.records()).filter(|_| random.random_bool(0.1)).collect();
            if !rows.is_empty() {
                found.insert(file.path().to_owned(), rows);
            }
        }
    }
    found
}

fn add(deleted: &mut HashMap<String, HashSet<u64>>, rows: HashMap<String, Vec<u64>>) {
    for (path, positions) in rows {
        deleted.entry(path).or_default().extend(positions);
    }
}

/// Every file of the table, through every way of reading it.
async fn check(
    ground: &Ground,
    table: &LakeTable,
    deleted: &HashMap<String, HashSet<u64>>,
    random: &mut ChaCha8Rng,
    range: i64,
) {
    let none = HashSet::new();
    let all: Vec<String> = table.arrow_schema().fields().iter().map(|f| f.name().clone()).collect();
    for file in table.live_files().await.unwrap() {
        let rows = raw(table, &file);
        let gone = deleted.get(file.path()).unwrap_or(&none);
        let count = random.random_range(1..60);
        let (batch, names) = keys(ground, random, count, range + 20);
        let set = KeySet::new(table, &batch).unwrap();
        assert_eq!(set.len(), names.len());
        let located = table.locate(&file, &set).await.unwrap();
        let wanted: HashMap<&String, u32> = names.iter().zip(0..).collect();
        let live = |at: &u64| !gone.contains(at);
        let found = texts(&rows, &ground.key_names());
        let naive = found.iter().zip(0..).filter(|(_, at)| live(at));
        let naive = naive.filter_map(|(key, at)| Some((at, *wanted.get(key)?)));
        let (positions, keys): (Vec<u64>, Vec<u32>) = naive.unzip();
        assert_eq!((&located.positions, &located.keys), (&positions, &keys), "{:?}", file.path());

        check_leading(ground, table, &file, &batch, gone).await;

        let some: Vec<String> = all.iter().rev().step_by(2).cloned().collect();
        let read = table.read_positions(&file, &positions, &some).await.unwrap();
        let at = UInt32Array::from_iter_values(positions.iter().map(|at| *at as u32));
        let expected = take_record_batch(&rows, &at).unwrap();
        let read: Vec<String> = read.iter().flat_map(|batch| texts(batch, &some)).collect();
        assert_eq!(read, texts(&expected, &some));

        let stream = table.read_except(&file, &positions.iter().copied().collect()).unwrap();
        let read: Vec<RecordBatch> = stream.try_collect().await.unwrap();
        let left = (0..rows.num_rows() as u32)
            .filter(|at| live(&u64::from(*at)) && !positions.contains(&u64::from(*at)));
        let expected = take_record_batch(&rows, &UInt32Array::from_iter_values(left)).unwrap();
        let read = concat_batches(table.arrow_schema(), &read).unwrap();
        assert_eq!(read, expected);

        // The crate's own scan sees the same rows.
        let scanned = table.read_file(&file, None).await.unwrap();
        let scanned = concat_batches(table.arrow_schema(), &scanned).unwrap();
        let left = (0..rows.num_rows() as u32).filter(|at| live(&u64::from(*at)));
        let expected = take_record_batch(&rows, &UInt32Array::from_iter_values(left)).unwrap();
        assert_eq!(texts(&scanned, &all), texts(&expected, &all));
    }
}

/// By the first key column only, all rows that agree in it are found.
async fn check_leading(
    ground: &Ground,
    table: &LakeTable,
    file: &LiveFile,
    keys: &RecordBatch,
    gone: &HashSet<u64>,
) {
    let first = [ground.key_names().remove(0)];
    let mut seen = HashSet::new();
    let names = texts(keys, &first);
    let distinct = (0..keys.num_rows() as u32).filter(|i| seen.insert(&names[*i as usize]));
    let keys = take_record_batch(keys, &UInt32Array::from_iter_values(distinct)).unwrap();
    let wanted: HashMap<String, u32> = texts(&keys, &first).into_iter().zip(0..).collect();
    let rows = texts(&raw(table, file), &first);
    let live = rows.iter().zip(0..).filter(|(_, at)| !gone.contains(at));
    let naive = live.filter_map(|(key, at)| Some((at, *wanted.get(key)?)));
    let (positions, indexes): (Vec<u64>, Vec<u32>) = naive.unzip();
    let set = KeySet::leading(table, &keys, 1).unwrap();
    let located = table.locate(file, &set).await.unwrap();
    assert_eq!((located.positions, located.keys), (positions, indexes), "{:?}", file.path());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_are_found_where_a_plain_scan_finds_them() {
    for (round, kind) in KEYS.iter().cycle().take(27).enumerate() {
        let mut random = ChaCha8Rng::seed_from_u64(round as u64);
        let mut ground = Ground::new(kind, round % 4 == 1);
        let hashable = !matches!(kind[0], LakeType::Boolean);
        let buckets = if round % 2 == 0 && hashable { 3 } else { 1 };
        let mut table = ground.table(buckets).await;
        let mut deleted = HashMap::new();
        let range = [40, 400, 4_000][round % 3];
        for step in 0..4 {
            let count = random.random_range(20..500);
            table = ground.append(&table, ground.rows(&mut random, count, range)).await;
            if step > 0 {
                let rows = some_rows(&table, &mut random).await;
                if !rows.is_empty() {
                    table = ground.delete(&table, &rows).await;
                    add(&mut deleted, rows);
                }
            }
            if step == 1 {
                table = evolved(&mut ground, &table).await;
            }
            check(&ground, &table, &deleted, &mut random, range).await;
        }
        // One delete file for each data file, however often rows were deleted from it.
        assert_eq!(table.delete_files().await.unwrap().len(), deleted.len());
    }
}

/// A wider type of the key where there is one, a column renamed, one widened, one added.
async fn evolved(ground: &mut Ground, table: &LakeTable) -> LakeTable {
    for field in &mut ground.fields {
        field.lake_type = match field.lake_type {
            // The hash of a bucketed integer stays the same when it is widened.
            LakeType::Int => LakeType::Long,
            LakeType::Decimal { scale, .. } => LakeType::Decimal { precision: 20, scale },
            other => other,
        };
    }
    let note = ground.key;
    ground.fields[note].renamed_from = vec![ground.fields[note].name.clone()];
    ground.fields[note].name = "remark".to_owned();
    ground.fields.push(field("extra", LakeType::Double, false));
    let buckets = if table.bucket_column().is_some() { 3 } else { 1 };
    let changes = plan_evolution(&ground.spec(buckets), table).unwrap();
    assert!(changes.len() >= 3);
    evolve(&ground.lake.warehouse, table, &changes).await.unwrap()
}

#[tokio::test]
async fn only_what_may_hold_a_key_is_read() {
    let ground = Ground::new(&[LakeType::Long], false);
    let table = ground.table(1).await;
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let rows = |seeds: std::ops::Range<i64>, random: &mut ChaCha8Rng| {
        let seeds: Vec<i64> = seeds.collect();
        let rows = ground.rows(random, seeds.len(), 10);
        let mut columns: Vec<_> = rows.columns().to_vec();
        columns[0] = values(LakeType::Long, &seeds);
        RecordBatch::try_new(rows.schema(), columns).unwrap()
    };
    let added = write_files(&table, vec![rows(0..400_000, &mut random)]).await.unwrap();
    let table = ground.lake.commit(&table, Operation::Append, added, Vec::new()).await.unwrap();
    let file = table.live_files().await.unwrap().remove(0);
    let locate = async |seeds: &[i64]| {
        let keys = RecordBatch::try_from_iter([("k0", values(LakeType::Long, seeds))]).unwrap();
        let keys = KeySet::new(&table, &keys).unwrap();
        table.locate(&file, &keys).await.unwrap()
    };
    // Outside of the file's bounds: not even the footer.
    let beyond = locate(&[400_000, 400_001]).await;
    assert_eq!((beyond.positions.len(), beyond.bytes_read), (0, 0));
    let all = locate(&(0..400_000).step_by(5_000).collect::<Vec<_>>()).await;
    assert_eq!(all.positions, (0..400_000).step_by(5_000).collect::<Vec<u64>>());
    let near = locate(&(200_000..201_000).collect::<Vec<_>>()).await;
    assert_eq!(near.positions, (200_000..201_000).collect::<Vec<u64>>());
    let footer = locate(&[-1]).await.bytes_read;
    assert_eq!(footer, 0);
    assert!(near.bytes_read * 2 < all.bytes_read, "{} {}", near.bytes_read, all.bytes_read);
}

#[tokio::test]
async fn positions_that_are_not_in_the_file_or_out_of_order_are_refused() {
    let ground = Ground::new(&[LakeType::Long], false);
    let table = ground.table(1).await;
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let table = ground.append(&table, ground.rows(&mut random, 30, 100)).await;
    let file = table.live_files().await.unwrap().remove(0);
    for wrong in [[29, 30].as_slice(), &[4, 3], &[4, 4]] {
        let read = table.read_positions(&file, wrong, &ground.key_names()).await;
        assert!(matches!(read, Err(TableError::Misfit { .. })), "{read:?}");
    }
    let none: &[String] = &[];
    let read = table.read_positions(&file, &[4, 7, 29], none).await.unwrap();
    assert_eq!(read.iter().map(RecordBatch::num_rows).sum::<usize>(), 3);
    let nothing = table.read_positions(&file, &[], &ground.key_names()).await.unwrap();
    assert!(nothing.is_empty());
    let all: RoaringTreemap = (0..30).collect();
    let left: Vec<RecordBatch> =
        table.read_except(&file, &all).unwrap().try_collect().await.unwrap();
    assert!(left.is_empty());
}

#[tokio::test]
async fn keys_that_are_no_keys_are_refused() {
    let ground = Ground::new(&[LakeType::Long], false);
    let table = ground.table(1).await;
    let set = |column, seeds: &[i64], lake_type| {
        let keys = RecordBatch::try_from_iter([(column, values(lake_type, seeds))]).unwrap();
        KeySet::new(&table, &keys).err().map(|e| e.to_string()).unwrap_or_default()
    };
    assert_eq!(set("k0", &[2, 1], LakeType::Long), "");
    assert!(set("k0", &[2, 1, 2], LakeType::Long).contains("twice"));
    assert!(set("k0", &[2, 2], LakeType::Long).contains("twice"));
    assert!(set("k1", &[1], LakeType::Long).contains("missing"));
    assert!(set("k0", &[1], LakeType::String).contains("not Int64"));
    let null = arrow::array::new_null_array(&DataType::Int64, 1);
    assert_eq!(null.null_count(), 1);
    let keys = RecordBatch::try_from_iter([("k0", null)]).unwrap();
    assert!(KeySet::new(&table, &keys).err().unwrap().to_string().contains("NULL"));
}

/// A delete file of another engine for the whole partition, as if it applied to `file`.
async fn shared_delete(table: &LakeTable, file: &LiveFile, content: DataContentType) -> LiveFile {
    let field = |name: &str, data_type, id: i32| {
        let id = HashMap::from([(PARQUET_FIELD_ID_META_KEY.to_owned(), id.to_string())]);
        Field::new(name, data_type, false).with_metadata(id)
    };
    let schema = Arc::new(Schema::new(vec![
        field("file_path", DataType::Utf8, 2_147_483_546),
        field("pos", DataType::Int64, 2_147_483_545),
    ]));
    let paths = StringArray::from(vec!["file:///another", file.path(), file.path()]);
    let columns: Vec<ArrayRef> = vec![Arc::new(paths), Arc::new(Int64Array::from(vec![1, 2, 5]))];
    let rows = RecordBatch::try_new(schema.clone(), columns).unwrap();
    let mut writer = ArrowWriter::try_new(Vec::new(), schema, None).unwrap();
    writer.write(&rows).unwrap();
    let bytes = writer.into_inner().unwrap();
    let path = format!("{}.shared", file.path());
    let data_file = DataFileBuilder::default()
        .content(content)
        .file_path(path.clone())
        .file_format(DataFileFormat::Parquet)
        .partition(file.data_file.partition().clone())
        .record_count(3)
        .file_size_in_bytes(bytes.len() as u64)
        .build()
        .unwrap();
    table.table.file_io().new_output(&path).unwrap().write(bytes.into()).await.unwrap();
    LiveFile { data_file, deletes: Vec::new(), ..file.clone() }
}

#[tokio::test]
async fn shared_delete_files_of_others_are_heeded_and_left_alone() {
    let ground = Ground::new(&[LakeType::Long], false);
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let table = ground.append(&ground.table(1).await, ground.rows(&mut random, 30, 9)).await;
    let mut file = table.live_files().await.unwrap().remove(0);
    let shared = shared_delete(&table, &file, DataContentType::PositionDeletes).await;
    file.deletes.push(Arc::new(shared));
    let gone: RoaringTreemap = [2, 5].into_iter().collect();
    assert_eq!(table.deleted_positions(&file).await.unwrap(), gone);
    let (keys, _) = keys(&ground, &mut random, 200, 9);
    let keys = KeySet::new(&table, &keys).unwrap();
    let located = table.locate(&file, &keys).await.unwrap();
    let live: Vec<u64> = (0..30).filter(|at| !gone.contains(*at)).collect();
    assert_eq!(located.positions, live);
    let new = [7].into_iter().collect();
    let (written, replaced) = table.write_position_deletes(&file, &new).await.unwrap();
    assert_eq!((written.record_count(), replaced.len()), (1, 0));
    assert_eq!(written.referenced_data_file().as_deref(), Some(file.path()));
    // Whole paths, for readers that look for the bounds.
    let path = Some(&Datum::string(file.path()));
    assert_eq!(written.lower_bounds().get(&2_147_483_546), path);
    assert_eq!(written.upper_bounds().get(&2_147_483_546), path);

    let shared = shared_delete(&table, &file, DataContentType::EqualityDeletes).await;
    file.deletes.push(Arc::new(shared));
    let refused = table.locate(&file, &keys).await.unwrap_err();
    assert!(!refused.is_retryable());
    let text = std::error::Error::source(&refused).unwrap().to_string();
    assert!(text.contains("deletes by equality"), "{text}");
}
