//! A table for DataFusion.

use std::any::Any;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::{Session, TableProvider};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use futures::{StreamExt, TryStreamExt};
use iceberg::scan::FileScanTask;

use crate::table::LakeTable;

/// One snapshot of a table as a DataFusion table.
///
/// Projections are pushed into the Parquet reader; filters are left to DataFusion. No statistics
/// are given, so none of a personal column either.
#[derive(Clone, Debug)]
pub struct LakeTableProvider {
    table: LakeTable,
}

impl LakeTableProvider {
    /// The snapshot that the table is read at, whatever is committed later; no rows where it is
    /// read at none.
    pub fn new(table: LakeTable) -> Self {
        LakeTableProvider { table }
    }

    /// The table that is read.
    pub fn table(&self) -> &LakeTable {
        &self.table
    }
}

#[async_trait]
impl TableProvider for LakeTableProvider {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn schema(&self) -> SchemaRef {
        Arc::clone(self.table.arrow_schema())
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
        let all = || (0..self.table.arrow_schema().fields().len()).collect();
        let columns: Vec<usize> = projection.cloned().unwrap_or_else(all);
        let schema = Arc::new(self.table.arrow_schema().project(&columns)?);
        let tasks = self.table.plan(&columns).await.map_err(external)?;
        let parts = state.config().target_partitions().clamp(1, tasks.len().max(1));
        let mut shares = vec![Vec::new(); parts];
        for (i, task) in tasks.into_iter().enumerate() {
            shares[i % parts].push(task);
        }
        let streams = shares.into_iter().map(|tasks| {
            let (table, schema) = (self.table.clone(), Arc::clone(&schema));
            Arc::new(Share { table, schema, columns: columns.clone(), tasks })
                as Arc<dyn PartitionStream>
        });
        let plan = StreamingTableExec::try_new(
            Arc::clone(&schema),
            streams.collect(),
            None,
            [],
            false,
            limit,
        )?;
        Ok(Arc::new(plan))
    }
}

/// The files that one partition of the plan reads, one after the other.
#[derive(Debug)]
struct Share {
    table: LakeTable,
    schema: SchemaRef,
    columns: Vec<usize>,
    tasks: Vec<FileScanTask>,
}

impl PartitionStream for Share {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _context: Arc<TaskContext>) -> SendableRecordBatchStream {
        let read = self.table.read_tasks(self.tasks.clone(), &self.columns, 1);
        let batches = match read {
            Ok(batches) => batches.map_err(external).boxed(),
            Err(error) => futures::stream::iter([Err(external(error))]).boxed(),
        };
        Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), batches))
    }
}

fn external(error: crate::table::TableError) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}
