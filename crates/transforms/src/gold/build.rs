//! Executing a model's query with bounded memory.

use std::sync::Arc;

use datafusion::catalog::TableProvider;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::TreeNode;
use datafusion::error::DataFusionError;
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::logical_expr::LogicalPlan;
use datafusion::prelude::SessionContext;
use futures::{StreamExt, TryStreamExt};
use medallion_definition::model::GoldModel;
use medallion_tables::scan::BatchStream;
use medallion_tables::table::{LakeTable, TableError};

use super::graph::{Input, query_error};
use super::session;
use super::shape::{check_names, shape};
use super::source::Source;
use crate::error::{TransformError, unavailable};

/// How hash joins are had: they are fast, and hold one side in memory. Sort-merge joins go to disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Joins {
    Hash,
    SortMerge,
}

/// The share of the job's memory that joins, sorts and groups may take: 4/5. With less, sorts of wide
/// rows that a model of ten million customers needs side by side do not find room. What reads and
/// writes files, and the sort by key, come on top; so the job may take twice its memory and more.
const POOL: (u64, u64) = (4, 5);

/// A session over the inputs for a job that takes about so much memory; queries go on on disk.
pub(super) fn bounded(
    sources: &[(Input, Source)],
    memory_bytes: u64,
    joins: Joins,
) -> Result<SessionContext, DataFusionError> {
    let memory = usize::try_from(memory_bytes / POOL.1 * POOL.0).unwrap_or(usize::MAX);
    let runtime = RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::new(FairSpillPool::new(memory)))
        .build_arc()?;
    let mut options = ConfigOptions::new();
    options.optimizer.prefer_hash_join = joins == Joins::Hash;
    let tables = sources.iter().map(|(input, source)| (input.clone(), source.provider()));
    session::session_with(tables, options, runtime)
}

/// The model's query as a plan over the session's tables, analysed but not optimised.
pub(super) async fn plan(
    context: &SessionContext,
    model: &GoldModel,
) -> Result<LogicalPlan, TransformError> {
    let planned = context.state().create_logical_plan(&model.sql).await;
    let plan = planned.map_err(|e| query_error(model, e))?;
    check_names(model, plan.schema().as_arrow())?;
    Ok(plan)
}

/// True when the query holds a join that only hash joins answer right: `NOT IN`, to which a NULL on
/// the other side is an answer too.
pub(super) async fn needs_hash_joins(
    context: &SessionContext,
    model: &GoldModel,
) -> Result<bool, TransformError> {
    let query = plan(context, model).await?;
    let optimised = context.state().optimize(&query).map_err(|e| query_error(model, e))?;
    let needs = |node: &LogicalPlan| Ok(matches!(node, LogicalPlan::Join(join) if join.null_aware));
    optimised.exists(needs).map_err(|e| query_error(model, e))
}

/// Why a build did not come to its end.
pub(super) enum Stopped {
    /// Hash joins need more memory than there is.
    OutOfMemory,
    Failed(TransformError),
}

/// The rows of a plan of the model's query in the declared columns.
pub(super) async fn execute(
    context: &SessionContext,
    model: &GoldModel,
    plan: LogicalPlan,
) -> Result<BatchStream, Stopped> {
    let executed = async { context.execute_logical_plan(plan).await?.execute_stream().await };
    let rows = executed.await.map_err(|e| stopped(model, &e))?;
    let model = model.clone();
    let table = format!("gold.{}", model.name);
    let shaped = rows.map(move |batch| {
        let rows = batch.map_err(|source| TableError::Rows {
            table: table.clone(),
            source: Box::new(source),
        })?;
        shape(&model, &rows)
            .map_err(|source| TableError::Rows { table: table.clone(), source: Box::new(source) })
    });
    Ok(shaped.boxed())
}

/// The class of an error that came out of [`execute`]'s stream, perhaps through a writer.
pub(super) fn classify(model: &GoldModel, error: TableError) -> Stopped {
    let mut error = error;
    loop {
        match error {
            TableError::Rows { table, source } => match source.downcast::<TransformError>() {
                Ok(inner) => return Stopped::Failed(*inner),
                Err(source) => match source.downcast::<TableError>() {
                    Ok(inner) => error = *inner,
                    Err(source) => match source.downcast::<DataFusionError>() {
                        Ok(inner) => return stopped(model, &inner),
                        Err(source) => {
                            let error = TableError::Rows { table, source };
                            return Stopped::Failed(error.into());
                        }
                    },
                },
            },
            other => return Stopped::Failed(other.into()),
        }
    }
}

/// The class of an error of the engine.
pub(super) fn stopped(model: &GoldModel, error: &DataFusionError) -> Stopped {
    if matches!(error.find_root(), DataFusionError::ResourcesExhausted(_)) {
        return Stopped::OutOfMemory;
    }
    if let Some(TransformError::BronzeFile { key, reason }) = within::<TransformError>(error) {
        let (key, reason) = (key.clone(), reason.clone());
        return Stopped::Failed(TransformError::BronzeFile { key, reason });
    }
    Stopped::Failed(TransformError::Evaluation {
        model: model.name.to_string(),
        place: format!("{}:{}", model.file, model.sql_line),
        retryable: unavailable(error),
    })
}

fn within<T: std::error::Error + 'static>(error: &DataFusionError) -> Option<&T> {
    let error: &(dyn std::error::Error + 'static) = error;
    std::iter::successors(Some(error), |e| e.source()).find_map(|e| e.downcast_ref::<T>())
}

/// Rows of the declared columns as rows of the table: its own order of columns, and NULL in those
/// that the model no longer has.
pub(super) fn fit(table: &LakeTable, rows: BatchStream) -> BatchStream {
    let (schema, name) = (Arc::clone(table.arrow_schema()), table.name());
    rows.map_ok(move |batch| {
        let columns =
            schema.fields().iter().map(|field| match batch.column_by_name(field.name()) {
                Some(column) => Arc::clone(column),
                None => arrow::array::new_null_array(field.data_type(), batch.num_rows()),
            });
        // Key columns are required, but rows that lack one are kept apart before they come here.
        let fields = schema.fields().iter().map(|f| f.as_ref().clone().with_nullable(true));
        let schema = Arc::new(arrow::datatypes::Schema::new(fields.collect::<Vec<_>>()));
        arrow::array::RecordBatch::try_new(schema, columns.collect())
            .map_err(|e| TableError::Rows { table: name.clone(), source: Box::new(e) })
    })
    .and_then(std::future::ready)
    .boxed()
}

/// A table for DataFusion whose rows are given once more under the name `this`.
pub(super) fn with_this(
    context: &SessionContext,
    this: Arc<dyn TableProvider>,
) -> Result<(), DataFusionError> {
    let name = format!("lake.gold.{}", super::audit::THIS);
    context.register_table(name, this).map(drop)
}
