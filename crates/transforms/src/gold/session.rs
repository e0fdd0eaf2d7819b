//! Sessions in which tables stand under their layer, as models name them: `silver.crm_customers`.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::arrow::datatypes::{Field, Schema, SchemaRef};
use datafusion::catalog::{
    CatalogProvider, MemoryCatalogProvider, MemorySchemaProvider, SchemaProvider, TableProvider,
};
use datafusion::common::config::ConfigOptions;
use datafusion::datasource::empty::EmptyTable;
use datafusion::error::DataFusionError;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::logical_expr::LogicalPlan;
use datafusion::prelude::{SessionConfig, SessionContext};
use medallion_definition::catalogue::CatalogueTable;
use medallion_definition::lake::LakeDefinition;
use medallion_definition::model::GoldModel;
use medallion_definition::name::Layer;
use medallion_tables::schema::arrow_type;

use super::graph::{Input, query_error};
use super::portable;
use crate::error::TransformError;

/// A session over tables.
///
/// # Errors
/// When a table comes twice.
pub fn session(
    tables: impl IntoIterator<Item = (Input, Arc<dyn TableProvider>)>,
) -> Result<SessionContext, DataFusionError> {
    session_with(tables, ConfigOptions::new(), Arc::new(RuntimeEnv::default()))
}

/// A session over tables with these options and resources.
///
/// # Errors
/// When a table comes twice.
pub(super) fn session_with(
    tables: impl IntoIterator<Item = (Input, Arc<dyn TableProvider>)>,
    options: ConfigOptions,
    runtime: Arc<RuntimeEnv>,
) -> Result<SessionContext, DataFusionError> {
    let mut config = SessionConfig::from(options)
        .with_default_catalog_and_schema("lake", "gold")
        .with_create_default_catalog_and_schema(false);
    // As in Spark: 1.5 is a decimal, and NULL comes first in ascending order.
    let parser = &mut config.options_mut().sql_parser;
    parser.parse_float_as_decimal = true;
    parser.default_null_ordering = "nulls_min".to_owned();
    let context = SessionContext::new_with_config_rt(config, runtime);
    portable::register(&context);
    let catalog = Arc::new(MemoryCatalogProvider::new());
    let mut schemas: BTreeMap<Layer, Arc<MemorySchemaProvider>> = BTreeMap::new();
    for (input, table) in tables {
        let schema = schemas.entry(input.layer).or_default();
        schema.register_table(input.table, table)?;
    }
    schemas.entry(Layer::Gold).or_default();
    for (layer, schema) in schemas {
        catalog.register_schema(layer.as_str(), schema)?;
    }
    context.register_catalog("lake", catalog);
    Ok(context)
}

/// A table's schema as models see it: Bronze columns have lower-case names, as in Glue.
pub fn described_schema(table: &CatalogueTable) -> SchemaRef {
    let fields = table.columns.iter();
    let fields =
        fields.map(|c| Field::new(c.name.to_lowercase(), arrow_type(c.lake_type), c.nullable));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// A session over every table of the lake as the definition describes it, without rows: enough to
/// plan a query, with nothing but the definition.
///
/// # Errors
/// When a table comes twice.
pub fn empty_session(lake: &LakeDefinition) -> Result<SessionContext, DataFusionError> {
    let tables = lake.catalogue().into_iter().map(|table| {
        let provider: Arc<dyn TableProvider> = Arc::new(EmptyTable::new(described_schema(&table)));
        (Input { layer: table.layer, table: table.name }, provider)
    });
    session(tables)
}

/// The model's query as a logical plan, analysed but not optimised, over tables without rows.
///
/// # Errors
/// [`TransformError::Query`] when it does not plan.
pub async fn logical_plan(
    lake: &LakeDefinition,
    model: &GoldModel,
) -> Result<LogicalPlan, TransformError> {
    let planned = async {
        let context = empty_session(lake)?;
        let frame = context.sql(&model.sql).await?;
        Ok(frame.into_unoptimized_plan())
    };
    planned.await.map_err(|e| query_error(model, e))
}
