//! Bronze as a table that can be queried: every file of a source table, read at query time.

use std::any::Any;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use arrow::datatypes::{Field, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::Result;
use datafusion::datasource::{MemTable, TableType};
use datafusion::error::DataFusionError;
use datafusion::logical_expr::Expr;
use datafusion::physical_plan::ExecutionPlan;
use medallion_definition::catalogue::CatalogueTable;
use medallion_definition::contract::TableContract;
use medallion_ingestion::layout::{BronzeKey, table_prefix};
use medallion_tables::schema::arrow_type;
use medallion_tables::store::Bucket;

use crate::bronze::{self, Changes};

/// The Bronze files of one source table.
#[derive(Debug)]
pub struct BronzeTable {
    contract: TableContract,
    schema: SchemaRef,
    bucket: Bucket,
}

impl BronzeTable {
    /// The table as the catalogue describes it.
    pub fn new(contract: &TableContract, table: &CatalogueTable, bucket: Bucket) -> BronzeTable {
        let fields =
            table.columns.iter().map(|c| Field::new(&c.name, arrow_type(c.lake_type), c.nullable));
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        BronzeTable { contract: contract.clone(), schema, bucket }
    }

    async fn batches(&self) -> Result<Vec<RecordBatch>> {
        let external = |e: Box<dyn std::error::Error + Send + Sync>| DataFusionError::External(e);
        let prefix = table_prefix(&self.contract.table);
        let objects = self.bucket.list(&prefix).await.map_err(|e| external(Box::new(e)))?;
        let mut batches = Vec::new();
        for object in objects.iter().filter(|o| o.key.parse::<BronzeKey>().is_ok()) {
            let content = self.bucket.get(&object.key).await.map_err(|e| external(Box::new(e)))?;
            let changes = bronze::read(&self.contract, &object.key, 0, content)
                .map_err(|e| external(Box::new(e)))?;
            batches.push(self.batch(&changes)?);
        }
        Ok(batches)
    }

    fn batch(&self, changes: &Changes) -> Result<RecordBatch> {
        let times = changes.changed_at.iter().map(|t| {
            let time = t.and_then(chrono::DateTime::from_timestamp_micros);
            time.map(|t| t.format("%Y-%m-%d %H:%M:%S%.6f").to_string())
        });
        let mut columns: Vec<ArrayRef> =
            vec![Arc::new(changes.op.clone()), Arc::new(times.collect::<StringArray>())];
        columns.extend(changes.source.columns().iter().cloned());
        columns.extend(changes.before.columns().iter().cloned());
        columns.push(Arc::new(changes.seq.clone()));
        Ok(RecordBatch::try_new(Arc::clone(&self.schema), columns)?)
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
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let rows = MemTable::try_new(self.schema(), vec![self.batches().await?])?;
        rows.scan(state, projection, filters, limit).await
    }
}
