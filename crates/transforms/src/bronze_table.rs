//! Bronze as a table that can be queried: every file of a source table, streamed at query time.

use std::any::Any;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray, StringBuilder, TimestampMicrosecondArray};
use arrow::datatypes::{Field, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::Result;
use datafusion::datasource::TableType;
use datafusion::error::DataFusionError;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::Expr;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use futures::{StreamExt, TryStreamExt};
use medallion_definition::catalogue::CatalogueTable;
use medallion_definition::contract::TableContract;
use medallion_ingestion::layout::{BronzeKey, table_prefix};
use medallion_tables::schema::arrow_type;
use medallion_tables::store::Bucket;

use crate::bronze::{self, Changes};
use crate::record::BatchFile;

/// The Bronze files of one source table.
#[derive(Debug)]
pub struct BronzeTable {
    contract: Arc<TableContract>,
    schema: SchemaRef,
    bucket: Bucket,
    /// The files; those that are there when it is asked without.
    files: Option<Vec<BatchFile>>,
}

impl BronzeTable {
    /// The table as the catalogue describes it.
    pub fn new(contract: &TableContract, table: &CatalogueTable, bucket: Bucket) -> BronzeTable {
        let fields =
            table.columns.iter().map(|c| Field::new(&c.name, arrow_type(c.lake_type), c.nullable));
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        BronzeTable { contract: Arc::new(contract.clone()), schema, bucket, files: None }
    }

    /// As [`BronzeTable::new`] with the names of columns in lower case, as Glue keeps them.
    pub fn lower_case(
        contract: &TableContract,
        table: &CatalogueTable,
        bucket: Bucket,
    ) -> BronzeTable {
        let mut lower = table.clone();
        for column in &mut lower.columns {
            column.name = column.name.to_lowercase();
        }
        BronzeTable::new(contract, &lower, bucket)
    }

    /// The table made of these files, whatever others are there.
    pub fn with_files(&self, files: Vec<BatchFile>) -> BronzeTable {
        BronzeTable {
            contract: Arc::clone(&self.contract),
            schema: Arc::clone(&self.schema),
            bucket: self.bucket.clone(),
            files: Some(files),
        }
    }

    async fn files(&self) -> Result<Vec<BatchFile>> {
        if let Some(files) = &self.files {
            return Ok(files.clone());
        }
        let listed = self.bucket.list(&table_prefix(&self.contract.table)).await;
        let objects = listed.map_err(|e| DataFusionError::External(Box::new(e)))?;
        let bronze = objects.into_iter().filter(|o| o.key.parse::<BronzeKey>().is_ok());
        Ok(bronze.map(|o| BatchFile { key: o.key, etag: o.etag, size: o.size }).collect())
    }
}

#[async_trait]
impl TableProvider for BronzeTable {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
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
        let files = self.files().await?;
        let parts = state.config().target_partitions().clamp(1, files.len().max(1));
        let mut shares = vec![Vec::new(); parts];
        for (i, file) in files.into_iter().enumerate() {
            shares[i % parts].push(file);
        }
        let streams = shares.into_iter().map(|files| {
            let (contract, schema) = (Arc::clone(&self.contract), Arc::clone(&self.schema));
            let share = Share { contract, schema, bucket: self.bucket.clone(), files };
            Arc::new(share) as Arc<dyn PartitionStream>
        });
        let schema = Arc::clone(&self.schema);
        let plan =
            StreamingTableExec::try_new(schema, streams.collect(), projection, [], false, limit)?;
        Ok(Arc::new(plan))
    }
}

/// The files that one partition of the plan reads, one after the other.
#[derive(Clone, Debug)]
struct Share {
    contract: Arc<TableContract>,
    schema: SchemaRef,
    bucket: Bucket,
    files: Vec<BatchFile>,
}

impl PartitionStream for Share {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _context: Arc<TaskContext>) -> SendableRecordBatchStream {
        let external = |e| DataFusionError::External(Box::new(e));
        let share = self.clone();
        let changes = futures::stream::iter(self.files.clone()).then(move |file| {
            let share = share.clone();
            async move { bronze::open(&share.bucket, &share.contract, &file, 0).await }
        });
        let schema = Arc::clone(&self.schema);
        let batches = changes
            .try_flatten()
            .map(move |changes| batch(&schema, &changes.map_err(external)?))
            .boxed();
        Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), batches))
    }
}

fn batch(schema: &SchemaRef, changes: &Changes) -> Result<RecordBatch> {
    let mut columns: Vec<ArrayRef> =
        vec![Arc::new(changes.op.clone()), Arc::new(texts(&changes.changed_at))];
    columns.extend(changes.source.columns().iter().cloned());
    columns.extend(changes.before.columns().iter().cloned());
    columns.push(Arc::new(changes.seq.clone()));
    Ok(RecordBatch::try_new(Arc::clone(schema), columns)?)
}

/// Times as DMS writes them.
fn texts(times: &TimestampMicrosecondArray) -> StringArray {
    let mut out = StringBuilder::new();
    let mut last = (None, String::new());
    for micros in times {
        if last.0 != micros {
            let time = micros.and_then(chrono::DateTime::from_timestamp_micros);
            let text = time.map(|t| t.format("%Y-%m-%d %H:%M:%S%.6f").to_string());
            last = (micros, text.unwrap_or_default());
        }
        out.append_option(micros.map(|_| &last.1));
    }
    out.finish()
}
