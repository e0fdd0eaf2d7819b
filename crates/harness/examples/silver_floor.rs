//! The floor of a Silver merge: what no engine can go below by much. Plain Arrow and Parquet, no
//! table format, no checks, no network: read the key column of the table's files, and write the
//! changed rows.
//!
//! `silver_floor <folder> <files to write> <file with a list of data files> <file with a list of
//! change files>`; a list has one path per line. Prints what its steps took as one line of JSON.

use std::collections::HashMap;
use std::error::Error;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use arrow::array::{AsArray, RecordBatch};
use arrow::compute::interleave_record_batch;
use arrow::datatypes::Int64Type;
use parquet::arrow::ArrowWriter;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;
use serde::Serialize;

type Failure = Box<dyn Error + Send + Sync>;

const KEY: &str = "id";
/// Rows that are written at a time.
const ROWS: usize = 8_192;

/// What a step took.
#[derive(Clone, Copy, Debug, Serialize)]
struct Taken {
    seconds: f64,
    cpu_seconds: f64,
}

#[derive(Serialize)]
struct Outcome {
    /// Reading the key column.
    keys: Taken,
    /// Reading the changes and finding the last one of each key.
    bronze: Taken,
    /// Writing the rows that they leave.
    write: Taken,
    key_rows: usize,
    written_rows: usize,
    read_bytes: u64,
    written_bytes: u64,
}

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, files, data, changes] = &arguments[..] else {
        return Err("expected a folder, a number of files and two lists".into());
    };
    let (data, changes) = (list(data)?, list(changes)?);
    let (keys, key_rows) = timed(&data, |path| read_keys(path))?;
    let began = Instant::now();
    let (read, batches) = timed(&changes, |path| read_all(path))?;
    let before = own_cpu();
    let batches: Vec<RecordBatch> = batches.into_iter().flatten().collect();
    let last = last_changes(&batches)?;
    let bronze = Taken {
        seconds: began.elapsed().as_secs_f64(),
        cpu_seconds: read.cpu_seconds + own_cpu() - before,
    };
    let parts = last.len().div_ceil(files.parse::<usize>()?.max(1)).max(1);
    let parts: Vec<(PathBuf, &[(usize, usize)])> = last
        .chunks(parts)
        .enumerate()
        .map(|(number, rows)| (Path::new(folder).join(format!("{number}.parquet")), rows))
        .collect();
    let (write, written) = timed(&parts, |(path, rows)| write_rows(path, &batches, rows))?;
    let outcome = Outcome {
        keys,
        bronze,
        write,
        key_rows: key_rows.into_iter().sum(),
        written_rows: last.len(),
        read_bytes: read_bytes(),
        written_bytes: written.into_iter().sum(),
    };
    println!("{}", serde_json::to_string(&outcome)?);
    Ok(())
}

fn list(path: &str) -> Result<Vec<PathBuf>, Failure> {
    let text = std::fs::read_to_string(path)?;
    Ok(text.lines().map(PathBuf::from).collect())
}

/// Does the work for each item on as many threads as there are cores; results are in order.
fn timed<T: Sync, R: Send>(
    items: &[T],
    work: impl Fn(&T) -> Result<R, Failure> + Sync,
) -> Result<(Taken, Vec<R>), Failure> {
    let (next, results) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let worker = || -> Result<f64, Failure> {
        let before = own_cpu();
        loop {
            let place = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(place) else { return Ok(own_cpu() - before) };
            let result = work(item)?;
            results.lock().map_err(|_| "a thread has panicked")?.push((place, result));
        }
    };
    let began = Instant::now();
    let cores = std::thread::available_parallelism()?.get();
    let cpu_seconds = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..cores).map(|_| scope.spawn(worker)).collect();
        let joined = workers.into_iter().map(|worker| match worker.join() {
            Ok(taken) => taken,
            Err(_) => Err("a thread has panicked".into()),
        });
        joined.sum::<Result<f64, Failure>>()
    })?;
    let mut results = results.into_inner().map_err(|_| "a thread has panicked")?;
    results.sort_by_key(|(place, _)| *place);
    let taken = Taken { seconds: began.elapsed().as_secs_f64(), cpu_seconds };
    Ok((taken, results.into_iter().map(|(_, result)| result).collect()))
}

/// The CPU seconds of this thread; 0 where the system does not tell.
fn own_cpu() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds = text.split(' ').next().and_then(|first| first.parse::<f64>().ok());
    nanoseconds.unwrap_or_default() / 1e9
}

/// The bytes that this process has read.
fn read_bytes() -> u64 {
    let text = std::fs::read_to_string("/proc/self/io").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("rchar: "));
    line.and_then(|bytes| bytes.parse().ok()).unwrap_or_default()
}

fn read_keys(path: &Path) -> Result<usize, Failure> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(File::open(path)?)?;
    let mask = ProjectionMask::columns(builder.parquet_schema(), [KEY]);
    let mut rows = 0;
    for batch in builder.with_projection(mask).with_batch_size(ROWS).build()? {
        rows += batch?.num_rows();
    }
    Ok(rows)
}

fn read_all(path: &Path) -> Result<Vec<RecordBatch>, Failure> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(File::open(path)?)?;
    let batches: Result<Vec<_>, _> = builder.with_batch_size(ROWS).build()?.collect();
    Ok(batches?)
}

/// Batch and row of the last change of each key, in the order of the changes, but for deletes.
fn last_changes(batches: &[RecordBatch]) -> Result<Vec<(usize, usize)>, Failure> {
    let mut last: HashMap<i64, (usize, usize)> = HashMap::new();
    for (number, batch) in batches.iter().enumerate() {
        let ids = batch.column_by_name(KEY).ok_or("no key column")?.as_primitive::<Int64Type>();
        last.extend(ids.values().iter().enumerate().map(|(row, id)| (*id, (number, row))));
    }
    let mut kept = Vec::with_capacity(last.len());
    for (batch, row) in last.into_values() {
        let op = batches[batch].column_by_name("Op").ok_or("no operation")?.as_string::<i32>();
        if op.value(row) != "D" {
            kept.push((batch, row));
        }
    }
    kept.sort_unstable();
    Ok(kept)
}

fn write_rows(
    path: &Path,
    batches: &[RecordBatch],
    rows: &[(usize, usize)],
) -> Result<u64, Failure> {
    // Bronze's own columns stay behind, but for the sequence.
    let keep = |name: &str| !["Op", "dms_ts", "BI_id"].contains(&name);
    let schema = batches.first().ok_or("no changes")?.schema();
    let fields = schema.fields().iter().enumerate();
    let kept: Vec<usize> =
        fields.filter(|(_, field)| keep(field.name())).map(|(place, _)| place).collect();
    let compression = Compression::ZSTD(Default::default());
    let properties = WriterProperties::builder().set_compression(compression).build();
    let file = File::create(path)?;
    let mut writer = ArrowWriter::try_new(file, schema.project(&kept)?.into(), Some(properties))?;
    let batches: Result<Vec<RecordBatch>, _> =
        batches.iter().map(|batch| batch.project(&kept)).collect();
    let batches = batches?;
    let batches: Vec<&RecordBatch> = batches.iter().collect();
    for rows in rows.chunks(ROWS) {
        writer.write(&interleave_record_batch(&batches, rows)?)?;
    }
    writer.close()?;
    Ok(std::fs::metadata(path)?.len())
}
