//! What the kernels of a Silver batch cost, on one core: decoding Bronze, normalising and checking,
//! finding the last change of every key.

mod rows;

use std::hint::black_box;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, UInt64Array};
use arrow::compute::cast;
use bytes::Bytes;
use criterion::{Criterion, Throughput};
use medallion_definition::contract::TableContract;
use medallion_transforms::bronze::{self, Changes, Decoder};
use medallion_transforms::quality::QualityPlan;
use medallion_transforms::silver::consolidate;
use parquet::arrow::ArrowWriter;

/// Rows of one batch.
const ROWS: usize = bronze::BATCH_ROWS;
/// Batches that are consolidated together.
const BATCHES: usize = 4;
/// 2026-11-01 00:00:00 UTC.
const NOW: i64 = 1_793_491_200_000_000;
const CHANGES: &str = "bronze/crm/customers/2026/01/31/20260131-120000000.parquet";

/// Fifteen columns, as most tables have them.
fn ordinary() -> TableContract {
    let types = [
        "bigint",
        "int",
        "varchar(40)",
        "varchar(40)",
        "varchar(200)",
        "decimal(12,2)",
        "date",
        "datetime(6)",
        "timestamp(6)",
        "tinyint(1)",
        "enum('a','b')",
        "bigint unsigned",
        "double",
        "char(2)",
        "varbinary(16)",
    ];
    let columns = types.iter().enumerate().map(|(i, source_type)| {
        format!(
            "[[column]]\nname = \"c{i}\"\ntype = \"{source_type}\"\nnullable = {}\n\
             sensitivity = \"internal\"\n",
            i > 0
        )
    });
    rows::contract(&format!(
        "version = 1\ntable = \"crm.customers\"\ndescription = \"x\"\nkey = [\"c0\"]\n{}",
        columns.collect::<String>()
    ))
}

fn customers() -> TableContract {
    rows::contract(include_str!("../../../infra/lake/tables/crm_customers.toml"))
}

fn parquet(rows: &RecordBatch) -> Bytes {
    let mut writer = ArrowWriter::try_new(Vec::new(), rows.schema(), None).expect("a writer");
    writer.write(rows).expect("rows that fit");
    writer.into_inner().expect("a file").into()
}

/// Casts, validation of operations and sequences, times; without and with Parquet's own work.
fn decoding(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decode Bronze");
    group.throughput(Throughput::Elements(ROWS as u64));
    for (name, contract) in [("15 columns", ordinary()), ("35 columns", customers())] {
        let rows = rows::bronze(&contract, ROWS, rows::Form::Normal);
        let decoder = Decoder::new(&contract, CHANGES, 0, &rows.schema()).expect("a fitting file");
        group.bench_function(name, |bencher| {
            bencher.iter(|| decoder.clone().decode(black_box(&rows)).expect("rows that fit"));
        });
        let file = parquet(&rows);
        group.bench_function(format!("{name}, with Parquet"), |bencher| {
            bencher.iter(|| {
                bronze::read(&contract, CHANGES, 0, black_box(file.clone())).expect("rows that fit")
            });
        });
    }
    group.finish();
}

/// The shipped rules of `crm.customers`.
fn judging(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("normalise and check crm.customers");
    group.throughput(Throughput::Elements(ROWS as u64));
    let contract = customers();
    let plan = QualityPlan::new(&contract).expect("the shipped rules compile");
    let forms = [
        ("normal already", rows::Form::Normal),
        ("as people type", rows::Form::Typed),
        ("one in ten wrong", rows::Form::Wrong),
    ];
    for (name, form) in forms {
        let rows = rows::bronze(&contract, ROWS, form);
        let decoder = Decoder::new(&contract, CHANGES, 0, &rows.schema());
        let changes =
            decoder.and_then(|mut decoder| decoder.decode(&rows)).expect("a fitting file");
        let failures = plan.apply(&changes.source, NOW).expect("rules that fit").failures.len();
        assert_eq!(failures > 0, form == rows::Form::Wrong, "{name}: {failures} failures");
        group.bench_function(name, |bencher| {
            bencher.iter(|| plan.apply(black_box(&changes.source), NOW).expect("rules that fit"));
        });
    }
    group.finish();
}

/// The last change of every key, of batches that say the same keys again and again.
fn consolidating(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("consolidate crm.customers");
    group.throughput(Throughput::Elements((BATCHES * ROWS) as u64));
    let contract = customers();
    let rows = rows::bronze(&contract, ROWS, rows::Form::Normal);
    for (name, keys) in [("every key once", BATCHES * ROWS), ("every key four times", ROWS)] {
        let batches: Vec<Changes> =
            (0..BATCHES).map(|batch| changes_of(&contract, &rows, batch, keys)).collect();
        let kept = consolidate(&contract, &batches).expect("changes that fit").upserts.num_rows();
        assert_eq!(kept, keys, "{name}");
        group.bench_function(name, |bencher| {
            bencher.iter(|| consolidate(&contract, black_box(&batches)).expect("they fit"));
        });
    }
    group.finish();
}

/// A file's changes, whose keys count up across files and begin again after `keys`.
fn changes_of(contract: &TableContract, rows: &RecordBatch, file: usize, keys: usize) -> Changes {
    let ids = (0..ROWS).map(|row| ((file * ROWS + row) % keys) as u64);
    let (at, field) =
        rows.schema().column_with_name("id").map(|(i, f)| (i, f.clone())).expect("id");
    let ids: ArrayRef = Arc::new(UInt64Array::from_iter_values(ids));
    let mut columns = rows.columns().to_vec();
    columns[at] = cast(&ids, field.data_type()).expect("a whole number");
    let rows = RecordBatch::try_new(rows.schema(), columns).expect("columns as before");
    let decoder = Decoder::new(contract, CHANGES, file as u64, &rows.schema());
    decoder.and_then(|mut decoder| decoder.decode(&rows)).expect("a fitting file")
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    decoding(&mut criterion);
    judging(&mut criterion);
    consolidating(&mut criterion);
    criterion.final_summary();
}
