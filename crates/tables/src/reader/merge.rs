//! Sorting by key, and merging what is sorted.

use std::sync::{Arc, Mutex};

use arrow::compute::SortOptions;
use arrow::datatypes::SchemaRef;
use datafusion::common::internal_err;
use datafusion::error::DataFusionError;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryPool, UnboundedMemoryPool};
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{LexOrdering, PhysicalSortExpr};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::expressions::Column;
use datafusion::physical_plan::metrics::{BaselineMetrics, ExecutionPlanMetricsSet};
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::sorts::streaming_merge::StreamingMergeBuilder;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use futures::{StreamExt, TryStreamExt};

use crate::scan::{BATCH_ROWS, BatchStream};
use crate::table::{LakeTable, TableError};

/// Merges streams of whole rows, each sorted by the table's key, into one sorted stream. Rows
/// with equal keys come in the order of their streams; without a key the streams come one after
/// the other. Holds about two batches of every stream.
///
/// # Errors
/// [`TableError::Rows`] when the key's type cannot be compared; those of the streams come through.
pub fn merge_sorted(
    table: &LakeTable,
    mut streams: Vec<BatchStream>,
) -> Result<BatchStream, TableError> {
    if streams.len() == 1
        && let Some(only) = streams.pop()
    {
        return Ok(only);
    }
    let Some(order) = key_order(table)? else {
        return Ok(futures::stream::iter(streams).flatten().boxed());
    };
    let schema = table.arrow_schema();
    let pool: Arc<dyn MemoryPool> = Arc::new(UnboundedMemoryPool::default());
    let merged = StreamingMergeBuilder::new()
        .with_streams(streams.into_iter().map(|rows| adapt(table, rows)).collect())
        .with_schema(Arc::clone(schema))
        .with_expressions(&order)
        .with_metrics(BaselineMetrics::new(&ExecutionPlanMetricsSet::new(), 0))
        .with_batch_size(BATCH_ROWS)
        .with_reservation(MemoryConsumer::new("merge of sorted rows").register(&pool))
        .with_round_robin_tie_breaker(false)
        .build()
        .map_err(|e| table.rows_error(e))?;
    Ok(adapt_back(table, merged))
}

/// Sorts whole rows by the table's key, on disk when they are more than fit into
/// [`SORT_BYTES`]. A table without a key keeps its order.
///
/// # Errors
/// [`TableError::Rows`] when the key's type cannot be compared; those of the stream come through.
pub(crate) fn sort(table: &LakeTable, rows: BatchStream) -> Result<BatchStream, TableError> {
    let Some(order) = key_order(table)? else { return Ok(rows) };
    let sorted = || {
        let once =
            Arc::new(Once(Mutex::new(Some(adapt(table, rows))), table.arrow_schema().clone()));
        let schema = Arc::clone(table.arrow_schema());
        let input = StreamingTableExec::try_new(schema, vec![once], None, [], false, None)?;
        let memory = RuntimeEnvBuilder::new().with_memory_limit(SORT_BYTES, 1.0).build_arc()?;
        let context = Arc::new(TaskContext::default().with_runtime(memory));
        SortExec::new(order, Arc::new(input)).execute(0, context)
    };
    sorted().map(|sorted| adapt_back(table, sorted)).map_err(|e| source(table, e))
}

/// What sorting may use of memory.
const SORT_BYTES: usize = 256 * 1024 * 1024;

/// A stream as a plan of DataFusion that can be executed once.
struct Once(Mutex<Option<SendableRecordBatchStream>>, SchemaRef);

impl std::fmt::Debug for Once {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Once").finish_non_exhaustive()
    }
}

impl PartitionStream for Once {
    fn schema(&self) -> &SchemaRef {
        &self.1
    }

    fn execute(&self, _context: Arc<TaskContext>) -> SendableRecordBatchStream {
        let taken = self.0.lock().map(|mut rows| rows.take());
        match taken {
            Ok(Some(rows)) => rows,
            _ => Box::pin(RecordBatchStreamAdapter::new(
                Arc::clone(&self.1),
                futures::stream::iter([internal_err!("rows can be sorted only once")]),
            )),
        }
    }
}

/// The order of rows in files: ascending, NULL first; nothing for a table without a key.
fn key_order(table: &LakeTable) -> Result<Option<LexOrdering>, TableError> {
    let options = SortOptions { descending: false, nulls_first: true };
    let column = |name: &str| {
        let column = Column::new_with_schema(name, table.arrow_schema())?;
        Ok(PhysicalSortExpr::new(Arc::new(column), options))
    };
    let order = table.key().into_iter().map(column).collect::<Result<Vec<_>, DataFusionError>>();
    Ok(LexOrdering::new(order.map_err(|e| table.rows_error(e))?))
}

/// A stream as DataFusion has it.
fn adapt(table: &LakeTable, rows: BatchStream) -> SendableRecordBatchStream {
    let rows = rows.map_err(|e| DataFusionError::External(Box::new(e)));
    Box::pin(RecordBatchStreamAdapter::new(Arc::clone(table.arrow_schema()), rows))
}

fn adapt_back(table: &LakeTable, rows: SendableRecordBatchStream) -> BatchStream {
    let table = table.clone();
    rows.map_err(move |error| source(&table, error)).boxed()
}

/// The error of a stream as it went in.
fn source(table: &LakeTable, error: DataFusionError) -> TableError {
    match error {
        DataFusionError::External(source) => match source.downcast::<TableError>() {
            Ok(source) => *source,
            Err(source) => table.rows_error(DataFusionError::External(source)),
        },
        other => table.rows_error(other),
    }
}
