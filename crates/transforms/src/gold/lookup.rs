//! Tables of which only rows with some keys are read.

use std::any::Any;
use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, RecordBatch, RecordBatchOptions};
use arrow::compute::filter_record_batch;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::row::{OwnedRow, RowConverter, SortField};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use futures::{StreamExt, TryStreamExt};
use medallion_tables::files::LiveFile;
use medallion_tables::reader::KeySet;
use medallion_tables::table::{LakeTable, TableError};

/// Distinct tuples of values, NULL equal to NULL.
pub(crate) struct Tuples {
    converter: RowConverter,
    rows: HashSet<OwnedRow>,
}

impl std::fmt::Debug for Tuples {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tuples").field("rows", &self.rows.len()).finish_non_exhaustive()
    }
}

impl Tuples {
    /// The rows of the columns.
    pub(crate) fn new(columns: &[ArrayRef]) -> std::result::Result<Tuples, ArrowError> {
        let fields = columns.iter().map(|c| SortField::new(c.data_type().clone())).collect();
        let converter = RowConverter::new(fields)?;
        let rows = converter.convert_columns(columns)?;
        Ok(Tuples { rows: rows.iter().map(|r| r.owned()).collect(), converter })
    }

    /// Which rows of the columns, of the same types, are among them.
    pub(crate) fn contain(
        &self,
        columns: &[ArrayRef],
    ) -> std::result::Result<BooleanArray, ArrowError> {
        let rows = self.converter.convert_columns(columns)?;
        Ok(rows.iter().map(|row| Some(self.rows.contains(&row.owned()))).collect())
    }
}

/// A table of which only rows are read whose columns hold one of some tuples.
#[derive(Debug)]
pub(crate) struct Lookup {
    inner: Arc<dyn TableProvider>,
    /// The Iceberg table, where the columns are the first ones of its key.
    by_key: Option<(LakeTable, RecordBatch)>,
    columns: Vec<usize>,
    tuples: Arc<Tuples>,
}

impl Lookup {
    /// Rows of `inner` in which the columns at these places hold a row of `tuples`, which has a
    /// column for each, of the same type. `lake` is the table behind `inner` if it is an Iceberg
    /// one: then its files are searched, if the columns are the first ones of its key.
    pub(crate) fn new(
        inner: Arc<dyn TableProvider>,
        lake: Option<&LakeTable>,
        columns: Vec<usize>,
        tuples: &[ArrayRef],
    ) -> Result<Lookup> {
        let by_key = match lake {
            Some(table) => keys_of(table, &inner.schema(), &columns, tuples)?,
            None => None,
        };
        Ok(Lookup { inner, by_key, columns, tuples: Arc::new(Tuples::new(tuples)?) })
    }
}

/// The distinct tuples without NULL under the names of the table's first key columns, if that is
/// what they are.
fn keys_of(
    table: &LakeTable,
    schema: &SchemaRef,
    columns: &[usize],
    tuples: &[ArrayRef],
) -> Result<Option<(LakeTable, RecordBatch)>> {
    let names: HashSet<&str> = columns.iter().map(|i| schema.field(*i).name().as_str()).collect();
    let key = table.key();
    let leading: HashSet<&str> = key.iter().take(columns.len()).copied().collect();
    if key.len() < columns.len() || names != leading || names.len() != columns.len() {
        return Ok(None);
    }
    let named = columns.iter().zip(tuples).map(|(i, values)| (schema.field(*i).name(), values));
    let all = RecordBatch::try_from_iter(named.map(|(name, values)| (name, Arc::clone(values))))?;
    let rows = RowConverter::new(
        tuples.iter().map(|c| SortField::new(c.data_type().clone())).collect::<Vec<_>>(),
    )?
    .convert_columns(tuples)?;
    let mut seen = HashSet::new();
    let keep: BooleanArray = (0..all.num_rows())
        .map(|row| {
            let known = all.columns().iter().all(|c| c.is_valid(row));
            Some(known && seen.insert(rows.row(row)))
        })
        .collect();
    Ok(Some((table.clone(), filter_record_batch(&all, &keep)?)))
}

#[async_trait]
impl TableProvider for Lookup {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn schema(&self) -> SchemaRef {
        self.inner.schema()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let schema = self.schema();
        let all = || (0..schema.fields().len()).collect();
        let wanted: Vec<usize> = projection.cloned().unwrap_or_else(all);
        let out = Arc::new(schema.project(&wanted)?);
        let streams: Vec<Arc<dyn PartitionStream>> = match &self.by_key {
            Some((table, keys)) => {
                let keys = KeySet::leading(table, keys, self.columns.len()).map_err(external)?;
                let files = table.live_files().await.map_err(external)?;
                let names: Vec<String> =
                    out.fields().iter().map(|field| field.name().clone()).collect();
                let parts = state.config().target_partitions().clamp(1, files.len().max(1));
                let mut shares = vec![Vec::new(); parts];
                for (i, file) in files.into_iter().enumerate() {
                    shares[i % parts].push(file);
                }
                let share = |files| {
                    let (table, keys, names) = (table.clone(), keys.clone(), names.clone());
                    let share = Found { table, keys, names, files, schema: Arc::clone(&out) };
                    Arc::new(share) as Arc<dyn PartitionStream>
                };
                shares.into_iter().map(share).collect()
            }
            None => {
                let read: Vec<usize> = wanted.iter().chain(&self.columns).copied().collect();
                let mut distinct = read.clone();
                distinct.sort_unstable();
                distinct.dedup();
                let plan = self.inner.scan(state, Some(&distinct), &[], None).await?;
                let at = |i: &usize| distinct.binary_search(i).unwrap_or_default();
                vec![Arc::new(Filtered {
                    plan,
                    tuples: Arc::clone(&self.tuples),
                    keys: self.columns.iter().map(at).collect(),
                    wanted: wanted.iter().map(at).collect(),
                    schema: Arc::clone(&out),
                })]
            }
        };
        Ok(Arc::new(StreamingTableExec::try_new(out, streams, None, [], false, limit)?))
    }
}

fn external(error: TableError) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}

/// Rows of files that are found by key.
struct Found {
    table: LakeTable,
    keys: KeySet,
    names: Vec<String>,
    files: Vec<LiveFile>,
    schema: SchemaRef,
}

impl std::fmt::Debug for Found {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Found").field("table", &self.table.name()).finish_non_exhaustive()
    }
}

impl PartitionStream for Found {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _context: Arc<TaskContext>) -> SendableRecordBatchStream {
        let (table, keys, names) = (self.table.clone(), self.keys.clone(), self.names.clone());
        let schema = Arc::clone(&self.schema);
        let found = futures::stream::iter(self.files.clone()).then(move |file| {
            let (table, keys, names) = (table.clone(), keys.clone(), names.clone());
            let schema = Arc::clone(&schema);
            async move {
                let located = table.locate(&file, &keys).await.map_err(external)?;
                let batches = if names.is_empty() {
                    let options = RecordBatchOptions::new();
                    let options = options.with_row_count(Some(located.positions.len()));
                    vec![RecordBatch::try_new_with_options(schema, Vec::new(), &options)?]
                } else {
                    let read = table.read_positions(&file, &located.positions, &names).await;
                    read.map_err(external)?
                };
                Ok::<_, DataFusionError>(futures::stream::iter(batches.into_iter().map(Ok)))
            }
        });
        let schema = Arc::clone(&self.schema);
        Box::pin(RecordBatchStreamAdapter::new(schema, found.try_flatten().boxed()))
    }
}

/// Rows of another plan that hold one of the tuples.
#[derive(Debug)]
struct Filtered {
    plan: Arc<dyn ExecutionPlan>,
    tuples: Arc<Tuples>,
    keys: Vec<usize>,
    wanted: Vec<usize>,
    schema: SchemaRef,
}

impl PartitionStream for Filtered {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, context: Arc<TaskContext>) -> SendableRecordBatchStream {
        let (tuples, keys) = (Arc::clone(&self.tuples), self.keys.clone());
        let wanted = self.wanted.clone();
        let filter = move |batch: Result<RecordBatch>| {
            let batch = batch?;
            let columns: Vec<ArrayRef> =
                keys.iter().map(|i| Arc::clone(batch.column(*i))).collect();
            let kept = filter_record_batch(&batch, &tuples.contain(&columns)?)?;
            Ok(kept.project(&wanted)?)
        };
        let rows = match execute_stream(Arc::clone(&self.plan), context) {
            Ok(rows) => rows.map(filter).boxed(),
            Err(error) => futures::stream::iter([Err(error)]).boxed(),
        };
        Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), rows))
    }
}
