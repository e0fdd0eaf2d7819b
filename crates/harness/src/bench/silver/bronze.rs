//! Bronze of the measured table as files of a local folder, which the endpoints then serve and
//! the peers read as they lie there.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use arrow::datatypes::SchemaRef;
use chrono::DateTime;
use medallion_definition::change::Op;
use medallion_definition::contract::TableContract;
use medallion_definition::name::TableId;
use medallion_ingestion::layout::BronzeKey;
use medallion_ingestion::schema::bronze_schema;
use medallion_replicator::parquet_file::ParquetFile;

use super::plan::Keys;
use super::rows::{Change, RowBuilder};
use crate::failure::HarnessError;

/// Rows of a full-load file: about 70 MiB.
const LOAD_ROWS: u64 = 500_000;
/// Rows of a change file, about what the replicator lets it grow to.
pub(super) const CHANGE_ROWS: usize = 100_000;
/// Rows of a row group (DMS: `RowGroupLength`).
const GROUP_ROWS: usize = 10_000;

/// A folder that looks like the lake's bucket.
#[derive(Clone, Debug)]
pub(super) struct Bronze {
    pub(super) folder: PathBuf,
    table: TableId,
    schema: SchemaRef,
    seed: u64,
}

/// Files of one kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Files {
    /// Keys, in file order; paths below the folder.
    pub(super) keys: Vec<String>,
    pub(super) bytes: u64,
}

/// The rows of one file, before they are made.
type Rows<'a> = Box<dyn Iterator<Item = Change> + Send + 'a>;

impl Bronze {
    pub(super) fn new(folder: PathBuf, contract: &TableContract, seed: u64) -> Bronze {
        let (table, schema) = (contract.table.clone(), bronze_schema(contract));
        Bronze { folder, table, schema, seed }
    }

    /// Where the peers find full-load and change files.
    pub(super) fn globs(&self) -> [String; 2] {
        let table = self.folder.join("bronze").join(self.table.schema.as_str());
        let table = table.join(self.table.table.as_str()).display().to_string();
        [format!("{table}/LOAD*.parquet"), format!("{table}/*/*/*/*.parquet")]
    }

    /// Writes the full load.
    pub(super) fn load(&self, keys: Keys) -> Result<Files, HarnessError> {
        let files = keys.rows.div_ceil(LOAD_ROWS);
        let rows = (0..files).map(|file| {
            let places = file * LOAD_ROWS..keys.rows.min((file + 1) * LOAD_ROWS);
            let table = self.table.clone();
            let key = BronzeKey::Load { table, segment: None, number: file as u32 + 1 };
            let row = move |place| Change { op: Op::Insert, id: keys.at(place), number: 0 };
            (key.to_string(), Box::new(places.map(row)) as Rows<'_>)
        });
        self.write(rows.collect())
    }

    /// Writes changes, so many to a file; a file is named for the moment of its last change.
    pub(super) fn changes(
        &self,
        changes: &[Change],
        of_a_file: usize,
    ) -> Result<Files, HarnessError> {
        let rows = changes.chunks(of_a_file).map(|rows| {
            let last = rows.last().map_or(0, Change::at);
            let written = DateTime::from_timestamp_micros(last).unwrap_or_default().naive_utc();
            let key = BronzeKey::Changes { table: self.table.clone(), written };
            (key.to_string(), Box::new(rows.iter().copied()) as Rows<'_>)
        });
        self.write(rows.collect())
    }

    /// Writes files, as many at a time as there are cores.
    fn write(&self, files: Vec<(String, Rows<'_>)>) -> Result<Files, HarnessError> {
        let keys: Vec<String> = files.iter().map(|(key, _)| key.clone()).collect();
        let files: Vec<_> = files.into_iter().map(|file| Mutex::new(Some(file))).collect();
        let next = AtomicUsize::new(0);
        let work = || -> Result<u64, HarnessError> {
            let mut bytes = 0;
            while let Some(file) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
                let taken = file.lock().ok().and_then(|mut file| file.take());
                if let Some((key, rows)) = taken {
                    bytes += self.write_file(&self.folder.join(key), rows)?;
                }
            }
            Ok(bytes)
        };
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let bytes = std::thread::scope(|scope| {
            let workers: Vec<_> = (0..cores).map(|_| scope.spawn(work)).collect();
            let joined = workers.into_iter().map(|worker| match worker.join() {
                Ok(bytes) => bytes,
                Err(panic) => std::panic::resume_unwind(panic),
            });
            joined.sum::<Result<u64, HarnessError>>()
        })?;
        Ok(Files { keys, bytes })
    }

    fn write_file(&self, path: &Path, rows: Rows<'_>) -> Result<u64, HarnessError> {
        let failed = |e: String| HarnessError::Bench(format!("`{}`: {e}", path.display()));
        let mut builder = RowBuilder::new(self.seed, self.schema.clone());
        let mut file: Option<ParquetFile> = None;
        let mut flush = |builder: &mut RowBuilder| {
            let batch = builder.finish().map_err(|e| failed(e.to_string()))?;
            let mut open = match file.take() {
                Some(file) => file,
                None => ParquetFile::begin(&batch).map_err(|e| failed(e.to_string()))?,
            };
            open.write(&batch).map_err(|e| failed(e.to_string()))?;
            file = Some(open);
            Ok::<(), HarnessError>(())
        };
        for row in rows {
            builder.push(&row);
            if builder.rows() == GROUP_ROWS {
                flush(&mut builder)?;
            }
        }
        if builder.rows() > 0 {
            flush(&mut builder)?;
        }
        let file = file.ok_or_else(|| failed("a file without rows".to_owned()))?;
        let bytes = file.finish().map_err(|e| failed(e.to_string()))?;
        let parent = path.parent().unwrap_or(path);
        std::fs::create_dir_all(parent)
            .and_then(|()| std::fs::write(path, &bytes))
            .map_err(|source| HarnessError::WorkFile { path: path.to_owned(), source })?;
        Ok(bytes.len() as u64)
    }
}
