//! What capturing costs without a server: decoding of binlog events, encoding of Bronze files, and
//! the text of change sequences.
//!
//! The events are those of a real MySQL 9.7, recorded as `fixtures/bench/README.md` says.

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput};
use medallion_definition::change::{ChangeSeq, ChangeTime};
use medallion_definition::name::TableId;
use medallion_replicator::bench::Decoded;
use medallion_replicator::position::BinlogPosition;

/// 2000 changes in transactions of 500 rows.
const MANY_ROWS: &[u8] = include_bytes!("../../../fixtures/bench/many-rows.binlog");
/// 300 changes in transactions of one row.
const ONE_ROW: &[u8] = include_bytes!("../../../fixtures/bench/one-row.binlog");

fn table() -> TableId {
    "bench.changed".parse().expect("a table")
}

fn decoded(file: &[u8]) -> Decoded {
    Decoded::read(file, &table()).expect("the recorded events are readable")
}

/// Rows and bytes of the binlog per second.
fn decoding(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decode the binlog");
    for (name, file) in [("many rows a transaction", MANY_ROWS), ("one row a transaction", ONE_ROW)]
    {
        let elements = decoded(file).rows() as u64;
        group.throughput(Throughput::ElementsAndBytes { elements, bytes: file.len() as u64 });
        group.bench_function(name, |bencher| bencher.iter(|| decoded(black_box(file))));
    }
    group.finish();
}

/// Rows and bytes of the file per second. The recorded rows are fewer than a row group, so that
/// none of them is encoded before.
fn encoding(criterion: &mut Criterion) {
    let rows = decoded(MANY_ROWS);
    let elements = rows.rows() as u64;
    let encode = |rows: Decoded| rows.encode().expect("a file");
    let bytes = encode(rows).iter().map(|file| file.len() as u64).sum();
    let mut group = criterion.benchmark_group("encode a Bronze file");
    group.throughput(Throughput::ElementsAndBytes { elements, bytes });
    group.bench_function("changes", |bencher| {
        bencher.iter_batched(|| decoded(MANY_ROWS), encode, BatchSize::PerIteration);
    });
    group.finish();
}

fn sequences(criterion: &mut Criterion) {
    let time = ChangeTime::new((2026, 7, 1), (12, 30, 59), 0);
    let position = BinlogPosition::new("binlog.000042", 123_456_789).expect("a position");
    let mut group = criterion.benchmark_group("change sequence");
    group.throughput(Throughput::Elements(1));
    group.bench_function("format", |bencher| {
        let mut row = 0;
        bencher.iter(|| {
            row += 1;
            position
                .change_number(row % 1_000)
                .map(|number| ChangeSeq::new(black_box(&time), number))
        });
    });
    group.finish();
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    decoding(&mut criterion);
    encoding(&mut criterion);
    sequences(&mut criterion);
    criterion.final_summary();
}
