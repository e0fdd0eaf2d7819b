//! Governed SQL sessions: DataFusion over tables that show only what a [`TableAccess`] allows.
//!
//! Enforcement lies below everything that SQL can say. What a session may not see is not in its
//! catalogue, and the scan of what it may see is a leaf of the plan that returns filtered rows and
//! masked cells only; so no predicate, function, join or optimizer rule ever meets the rest.

mod error;
mod plan;
mod predicate;
mod statement;
mod table;

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::catalog::{
    CatalogProvider, MemoryCatalogProvider, MemorySchemaProvider, SchemaProvider, TableProvider,
};
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::prelude::{SQLOptions, SessionConfig, SessionContext};
use futures::TryStreamExt;
use medallion_definition::catalogue::CatalogueTable;
use medallion_definition::name::Layer;

pub use error::{QueryError, SessionError};

use crate::access::TableAccess;
use table::GovernedTable;

/// The catalogue's name, as in Athena.
pub const CATALOG: &str = "awsdatacatalog";

/// What one session may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Memory of sorts, joins and aggregations together, in bytes. Nothing spills to disk.
    pub memory: usize,
    /// Size of one query's result, in bytes as Arrow holds it.
    pub result: usize,
    /// Threads that one query keeps busy.
    pub partitions: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { memory: 512 << 20, result: 256 << 20, partitions: 2 }
    }
}

/// SQL as somebody with limited access. The only way in is [`GovernedSession::query`].
#[derive(Clone)]
pub struct GovernedSession {
    context: SessionContext,
    limits: Limits,
}

impl std::fmt::Debug for GovernedSession {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GovernedSession").field("limits", &self.limits).finish_non_exhaustive()
    }
}

/// Builds a session in which each table is found as `<layer>.<name>`; unqualified names are looked
/// up in `gold`. Hidden tables are left out, and so is a layer without visible tables. Columns that
/// the access names but the provider lacks do not exist; a filter over such a column is an error.
///
/// # Errors
/// When a row filter cannot be evaluated on the provider's columns, or a table appears twice.
pub fn governed_session(
    tables: Vec<(CatalogueTable, TableAccess, Arc<dyn TableProvider>)>,
    limits: Limits,
) -> Result<GovernedSession, SessionError> {
    let catalog = MemoryCatalogProvider::new();
    for (facts, access, provider) in tables {
        let TableAccess::Visible { rows, columns } = access else { continue };
        let name = format!("{}.{}", facts.layer, facts.name);
        let governed = GovernedTable::try_new(name.clone(), &rows, &columns, provider)?;
        let schema = schema(&catalog, facts.layer)?;
        if schema.table_exist(&facts.name) {
            return Err(SessionError::DuplicateTable { table: name });
        }
        schema
            .register_table(facts.name, Arc::new(governed))
            .map_err(|source| SessionError::Engine { source })?;
    }
    let config = SessionConfig::new()
        .with_create_default_catalog_and_schema(false)
        .with_default_catalog_and_schema(CATALOG, Layer::Gold.as_str())
        .with_information_schema(true)
        .with_target_partitions(limits.partitions.max(1));
    let runtime = RuntimeEnvBuilder::new()
        .with_memory_limit(limits.memory, 1.0)
        .with_disk_manager_builder(
            DiskManagerBuilder::default().with_mode(DiskManagerMode::Disabled),
        )
        .build_arc()
        .map_err(|source| SessionError::Engine { source })?;
    let context = SessionContext::new_with_config_rt(config, runtime);
    context.register_catalog(CATALOG, Arc::new(catalog));
    Ok(GovernedSession { context, limits })
}

fn schema(
    catalog: &MemoryCatalogProvider,
    layer: Layer,
) -> Result<Arc<dyn SchemaProvider>, SessionError> {
    if let Some(schema) = catalog.schema(layer.as_str()) {
        return Ok(schema);
    }
    let schema = Arc::new(MemorySchemaProvider::new());
    catalog
        .register_schema(layer.as_str(), Arc::clone(&schema) as Arc<dyn SchemaProvider>)
        .map_err(|source| SessionError::Engine { source })?;
    Ok(schema)
}

impl GovernedSession {
    /// Runs one SELECT, EXPLAIN, DESCRIBE, SHOW TABLES or SHOW COLUMNS.
    ///
    /// # Errors
    /// [`QueryError`]; for what is hidden, in Athena's words.
    pub async fn query(&self, sql: &str) -> Result<(SchemaRef, Vec<RecordBatch>), QueryError> {
        let state = self.context.state();
        let statement = statement::parse(&state, sql, &self.limits)?;
        let references = state
            .resolve_table_references(&statement)
            .map_err(|error| QueryError::of(&error, &self.limits))?;
        let plan = match state.statement_to_plan(statement).await {
            Ok(plan) => plan,
            Err(error) => {
                return Err(statement::unknown_table(&state, references)
                    .unwrap_or_else(|| QueryError::of(&error, &self.limits)));
            }
        };
        let select_only = SQLOptions::new()
            .with_allow_ddl(false)
            .with_allow_dml(false)
            .with_allow_statements(false);
        if select_only.verify_plan(&plan).is_err() {
            return Err(QueryError::NotAllowed { statement: statement::first_word(sql) });
        }
        self.run(plan).await.map_err(|failure| match failure {
            Failure::Query(error) => error,
            Failure::Engine(error) => QueryError::of(&error, &self.limits),
        })
    }

    async fn run(
        &self,
        plan: datafusion::logical_expr::LogicalPlan,
    ) -> Result<(SchemaRef, Vec<RecordBatch>), Failure> {
        let frame = self.context.execute_logical_plan(plan).await?;
        let mut stream = frame.execute_stream().await?;
        let (mut batches, mut size) = (Vec::new(), 0usize);
        while let Some(batch) = stream.try_next().await? {
            size = size.saturating_add(batch.get_array_memory_size());
            if size > self.limits.result {
                return Err(Failure::Query(QueryError::ResultTooLarge {
                    limit: self.limits.result,
                }));
            }
            batches.push(batch);
        }
        Ok((stream.schema(), batches))
    }

    #[cfg(test)]
    fn context(&self) -> &SessionContext {
        &self.context
    }
}

enum Failure {
    Query(QueryError),
    Engine(datafusion::error::DataFusionError),
}

impl From<datafusion::error::DataFusionError> for Failure {
    fn from(error: datafusion::error::DataFusionError) -> Failure {
        Failure::Engine(error)
    }
}

#[cfg(test)]
mod tests;
