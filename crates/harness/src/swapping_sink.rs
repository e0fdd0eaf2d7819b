//! A Bronze sink that makes pairs of changes trade their sequence numbers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::compute::concat_batches;
use bytes::Bytes;
use medallion_definition::change::{CHANGE_SEQ, OP};
use medallion_definition::name::TableId;
use medallion_ingestion::layout::BronzeKey;
use medallion_replicator::sink::{BronzeSink, ObjectVersion, S3Sink, SinkError};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

/// Passes everything on; when armed, alters the files of the table in which a key was inserted and
/// then updated, so that the insert claims to be the later of the two.
#[derive(Debug)]
pub struct SwappingSink {
    inner: S3Sink,
    /// The table whose changes are swapped, and its key column.
    target: Option<(TableId, String)>,
    done: AtomicBool,
}

impl SwappingSink {
    /// With a target, the swap is armed.
    pub fn new(inner: S3Sink, target: Option<(TableId, String)>) -> SwappingSink {
        SwappingSink { inner, target, done: AtomicBool::new(false) }
    }

    /// True when a file was altered.
    pub fn swapped(&self) -> bool {
        self.done.load(Ordering::SeqCst)
    }

    fn altered(&self, key: &BronzeKey, content: &Bytes) -> Option<Bytes> {
        let (table, column) = self.target.as_ref()?;
        if key.table() != table || key.is_full_load() {
            return None;
        }
        swap(content, column)
    }
}

impl BronzeSink for SwappingSink {
    async fn put(&self, key: &BronzeKey, file: Bytes) -> Result<(), SinkError> {
        match self.altered(key, &file) {
            None => self.inner.put(key, file).await,
            Some(altered) => {
                self.inner.put(key, altered).await?;
                self.done.store(true, Ordering::SeqCst);
                Ok(())
            }
        }
    }

    async fn retain_loads(
        &self,
        table: &TableId,
        keep: &BTreeSet<BronzeKey>,
    ) -> Result<(), SinkError> {
        self.inner.retain_loads(table, keep).await
    }

    async fn read_checkpoint(&self) -> Result<Option<(Bytes, ObjectVersion)>, SinkError> {
        self.inner.read_checkpoint().await
    }

    async fn write_checkpoint(
        &self,
        json: Bytes,
        replaces: Option<&ObjectVersion>,
    ) -> Result<ObjectVersion, SinkError> {
        self.inner.write_checkpoint(json, replaces).await
    }
}

/// Swaps the sequence numbers of every key whose only changes in the file are an insert and an
/// update; `None` when there is no such key.
fn swap(content: &Bytes, key_column: &str) -> Option<Bytes> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(content.clone()).ok()?.build().ok()?;
    let schema = arrow::array::RecordBatchReader::schema(&reader);
    let batches = reader.collect::<Result<Vec<_>, _>>().ok()?;
    let rows = concat_batches(&schema, &batches).ok()?;
    let ops = rows.column_by_name(OP)?.as_string::<i32>().clone();
    let keys = rows.column_by_name(key_column)?.clone();
    let mut by_key: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for row in 0..rows.num_rows() {
        let key = arrow::util::display::array_value_to_string(&keys, row).ok()?;
        by_key.entry(key).or_default().push(row);
    }
    let index = schema.index_of(CHANGE_SEQ).ok()?;
    let seq = rows.column(index).as_string::<i32>();
    let mut seqs: Vec<Option<String>> =
        (0..seq.len()).map(|i| seq.is_valid(i).then(|| seq.value(i).to_owned())).collect();
    let mut swapped = false;
    for pair in by_key.values() {
        if let [first, second] = pair[..]
            && (ops.value(first), ops.value(second)) == ("I", "U")
        {
            seqs.swap(first, second);
            swapped = true;
        }
    }
    let mut columns = rows.columns().to_vec();
    columns[index] = std::sync::Arc::new(seqs.into_iter().collect::<StringArray>()) as ArrayRef;
    let rows = RecordBatch::try_new(schema.clone(), columns).ok()?;
    let mut out = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut out, schema, None).ok()?;
    writer.write(&rows).ok()?;
    writer.close().ok()?;
    swapped.then(|| Bytes::from(out))
}
