//! Computing again only what changed inputs touch.
//!
//! The touched keys are found by [`affected`] from the difference between two versions of each
//! changed input, taken over the columns that the query reads. The query is then asked for these
//! keys only ([`restrict`]), and its rows take the place of the published rows with these keys.
//! Rows with other keys would come out as they are published, so the result is that of a full build.

mod affected;
mod restrict;
mod trace;

use std::cell::Cell;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, RecordBatch};
use arrow::compute::{CastOptions, cast_with_options, concat_batches, filter_record_batch};
use arrow::datatypes::Schema;
use arrow::row::{RowConverter, SortField};
use datafusion::catalog::{
    default_table_source::provider_as_source, default_table_source::source_as_provider,
};
use datafusion::common::Column;
use datafusion::error::{DataFusionError, Result};
use datafusion::functions_aggregate::sum::sum;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, TableScan, lit};
use datafusion::optimizer::decorrelate_predicate_subquery::DecorrelatePredicateSubquery;
use datafusion::optimizer::eliminate_cross_join::EliminateCrossJoin;
use datafusion::optimizer::extract_equijoin_predicate::ExtractEquijoinPredicate;
use datafusion::optimizer::optimize_projections::OptimizeProjections;
use datafusion::optimizer::rewrite_set_comparison::RewriteSetComparison;
use datafusion::optimizer::scalar_subquery_to_join::ScalarSubqueryToJoin;
use datafusion::optimizer::{Optimizer, OptimizerRule};
use datafusion::prelude::SessionContext;
use futures::TryStreamExt;
use medallion_definition::model::{GoldModel, ModelColumn};
use medallion_definition::name::{ColumnName, Layer};
use medallion_tables::schema::arrow_type;
use medallion_tables::table::LakeTable;

use self::affected::{Affected, Changes};
use self::restrict::{Narrow, restrict};
use self::trace::{Untraceable, column_at, with_scans};
use super::build::{Stopped, classify, execute, stopped};
use super::graph::Input;
use super::lookup::{Lookup, Tuples};
use super::source::{Since, Source};

/// Keys beyond which a full build is made: they are held in memory, and looked for one by one.
pub(super) const MOST_KEYS: usize = 500_000;
/// A full build is made when so many keys are touched per published row: 1 / this.
const SHARE: u64 = 2;

/// What is computed again.
pub(super) struct Recomputed {
    /// The touched keys in the declared types, distinct, under the names of the key columns.
    pub(super) keys: RecordBatch,
    /// The rows of the query with these keys.
    pub(super) rows: Vec<RecordBatch>,
}

/// Beyond what a full build is made.
#[derive(Clone, Copy)]
pub(super) struct Limits {
    /// The rows of the published table, of which keys may be a share.
    pub(super) published_rows: u64,
    /// The bytes of rows with touched keys, as Arrow holds them.
    pub(super) bytes: u64,
}

/// Inputs with what became of those that changed.
pub(super) struct Inputs<'a> {
    pub(super) sources: &'a [(Input, Source)],
    pub(super) changed: &'a BTreeMap<Input, Since>,
}

/// Computes touched keys and their rows, or tells why a full build is to be made.
pub(super) async fn recompute(
    context: &SessionContext,
    model: &GoldModel,
    plan: LogicalPlan,
    key: &[ColumnName],
    inputs: &Inputs<'_>,
    limits: Limits,
) -> std::result::Result<std::result::Result<Recomputed, String>, Stopped> {
    let engine = |e: DataFusionError| stopped(model, &e);
    let plan = followable(context, plan).map_err(engine)?;
    let place = |name: &ColumnName| model.columns.iter().position(|c| c.name == *name);
    let places: Vec<usize> = key.iter().filter_map(place).collect();
    let want: Vec<Expr> = places.iter().map(|i| column_at(plan.schema(), *i)).collect();
    let affected = Affected { changes: inputs, names: Cell::new(0) };
    let plans = match affected.of(&plan, &want) {
        Ok(plans) => plans,
        Err(Untraceable(why)) => return Ok(Err(why)),
    };
    let limit =
        usize::try_from(limits.published_rows / SHARE).unwrap_or(MOST_KEYS).clamp(1000, MOST_KEYS);
    let Some(raw) = distinct(context, plans, limit).await.map_err(engine)? else {
        return Ok(Err(format!("more than {limit} keys are touched")));
    };
    let Some(raw) = raw else {
        let none = no_keys(model, &places);
        return Ok(Ok(Recomputed { keys: none, rows: Vec::new() }));
    };
    let declared = |(column, place): (&ArrayRef, &usize)| match model.columns.get(*place) {
        Some(declared) => key_cast(column, declared),
        None => Ok(Arc::clone(column)),
    };
    let typed =
        raw.columns().iter().zip(&places).map(declared).collect::<std::result::Result<Vec<_>, _>>();
    let typed = typed.map_err(|e| Stopped::Failed(e.into()))?;
    let narrow = Keys { inputs, raw: &raw };
    // Several values may become one by the cast to the declared type; all of them are asked for then.
    let is_plain = |i: &usize| raw.column(*i).data_type() == typed[*i].data_type();
    let wanted: Vec<(usize, Expr)> =
        want.into_iter().enumerate().filter(|(i, _)| is_plain(i)).collect();
    let narrowed = restrict(&plan, &wanted, &narrow).map_err(engine)?;
    let tuples = Tuples::new(&typed).map_err(|e| Stopped::Failed(e.into()))?;
    let (mut rows, mut bytes) = (Vec::new(), 0);
    let mut found = execute(context, model, narrowed).await?;
    while let Some(batch) = found.try_next().await.map_err(|e| classify(model, e))? {
        let columns: Vec<ArrayRef> = places.iter().map(|i| Arc::clone(batch.column(*i))).collect();
        let ours = tuples.contain(&columns).and_then(|ours| filter_record_batch(&batch, &ours));
        let ours = ours.map_err(|e| Stopped::Failed(e.into()))?;
        bytes += ours.get_array_memory_size() as u64;
        if bytes > limits.bytes {
            let mib = limits.bytes >> 20;
            return Ok(Err(format!("more than {mib} MiB of rows have touched keys")));
        }
        if ours.num_rows() > 0 {
            rows.push(ours);
        }
    }
    let keys = once(&named(model, &places, typed).map_err(|e| Stopped::Failed(e.into()))?);
    let keys = keys.map_err(|e| Stopped::Failed(e.into()))?;
    Ok(Ok(Recomputed { keys, rows }))
}

/// The plan with only those nodes that can be followed: subqueries become joins, equalities are
/// found in their conditions, and scans read only the columns that are needed.
fn followable(context: &SessionContext, plan: LogicalPlan) -> Result<LogicalPlan> {
    let state = context.state();
    let options = state.config_options();
    let plan = state.analyzer().execute_and_check(plan, options, |_, _| {})?;
    let rules: Vec<Arc<dyn OptimizerRule + Send + Sync>> = vec![
        Arc::new(RewriteSetComparison::new()),
        Arc::new(DecorrelatePredicateSubquery::new()),
        Arc::new(ScalarSubqueryToJoin::new()),
        Arc::new(EliminateCrossJoin::new()),
        Arc::new(ExtractEquijoinPredicate::new()),
        Arc::new(OptimizeProjections::new()),
    ];
    Optimizer::with_rules(rules).optimize(plan, &state, |_, _| {})
}

/// The distinct rows of plans with the same columns: nothing when there are more than `limit`, and
/// nothing in that when there is none.
async fn distinct(
    context: &SessionContext,
    plans: Vec<LogicalPlan>,
    limit: usize,
) -> Result<Option<Option<RecordBatch>>> {
    let mut plans = plans.into_iter();
    let Some(first) = plans.next() else { return Ok(Some(None)) };
    let mut all = LogicalPlanBuilder::from(first);
    for plan in plans {
        all = all.union(plan)?;
    }
    let all = all.distinct()?.limit(0, Some(limit + 1))?.build()?;
    let frame = context.execute_logical_plan(all).await?;
    let schema = Arc::clone(frame.schema().inner());
    let rows = concat_batches(&schema, &frame.collect().await?)?;
    Ok(match rows.num_rows() {
        0 => Some(None),
        n if n > limit => None,
        _ => Some(Some(rows)),
    })
}

/// A key in its declared type. What does not fit is NULL, which no published row has for a key.
fn key_cast(
    column: &ArrayRef,
    declared: &ModelColumn,
) -> std::result::Result<ArrayRef, arrow::error::ArrowError> {
    let options = CastOptions { safe: true, ..CastOptions::default() };
    cast_with_options(column, &arrow_type(declared.lake_type), &options)
}

/// Key columns under their names.
fn named(
    model: &GoldModel,
    places: &[usize],
    columns: Vec<ArrayRef>,
) -> std::result::Result<RecordBatch, arrow::error::ArrowError> {
    let schema = key_schema(model, places);
    RecordBatch::try_new(Arc::new(schema), columns)
}

fn key_schema(model: &GoldModel, places: &[usize]) -> Schema {
    let all = crate::spec::rows_schema(&medallion_definition::catalogue::gold(model));
    Schema::new(places.iter().map(|i| Arc::clone(&all.fields()[*i])).collect::<Vec<_>>())
}

fn no_keys(model: &GoldModel, places: &[usize]) -> RecordBatch {
    RecordBatch::new_empty(Arc::new(key_schema(model, places)))
}

/// Keys that differ before a cast may be one after it. Keys with NULL are left out: no published
/// row has one.
fn once(keys: &RecordBatch) -> std::result::Result<RecordBatch, arrow::error::ArrowError> {
    let fields = keys.columns().iter().map(|c| SortField::new(c.data_type().clone()));
    let rows = RowConverter::new(fields.collect())?.convert_columns(keys.columns())?;
    let mut seen = HashSet::new();
    let keep: BooleanArray = (0..keys.num_rows())
        .map(|row| {
            let known = keys.columns().iter().all(|c| c.is_valid(row));
            Some(known && seen.insert(rows.row(row)))
        })
        .collect();
    filter_record_batch(keys, &keep)
}

/// The input that a scan reads.
pub(super) fn input_of(scan: &TableScan) -> Option<Input> {
    let layer = scan.table_name.schema().unwrap_or(Layer::Gold.as_str());
    let layer = layer.parse::<Layer>().ok()?;
    Some(Input { layer, table: scan.table_name.table().to_owned() })
}

impl Inputs<'_> {
    fn since(&self, scan: &TableScan) -> Option<&Since> {
        self.changed.get(&input_of(scan)?)
    }
}

impl Changes for Inputs<'_> {
    fn changed(&self, scan: &TableScan) -> bool {
        self.since(scan).is_some_and(|since| since.rows != Some(0))
    }

    /// The difference of two bags: rows that come as often on both sides did not change.
    fn rows(&self, scan: &TableScan) -> Result<LogicalPlan> {
        let Some(since) = self.since(scan) else {
            return Err(DataFusionError::Internal(
                "an unchanged table is asked for changes".into(),
            ));
        };
        let columns = scan.projected_schema.fields();
        let names: Vec<String> = columns.iter().map(|f| f.name().clone()).collect();
        let side = |provider: &Arc<dyn datafusion::catalog::TableProvider>, sign: i64| {
            let source = provider_as_source(Arc::clone(provider));
            let signed = names.iter().map(|n| Expr::Column(Column::new(Some("side"), n)));
            let signed = signed.chain([lit(sign).alias("#sign")]);
            LogicalPlanBuilder::scan("side", source, None)?
                .project(signed.collect::<Vec<_>>())?
                .build()
        };
        let plain = || names.iter().map(|n| Expr::Column(Column::from_name(n.clone())));
        let sides = LogicalPlanBuilder::from(side(&since.added, 1)?)
            .project(plain().chain([Expr::Column(Column::from_name("#sign"))]).collect::<Vec<_>>())?
            .union(
                LogicalPlanBuilder::from(side(&since.removed, -1)?)
                    .project(
                        plain()
                            .chain([Expr::Column(Column::from_name("#sign"))])
                            .collect::<Vec<_>>(),
                    )?
                    .build()?,
            )?;
        let total = sum(Expr::Column(Column::from_name("#sign"))).alias("#total");
        let differing = Expr::Column(Column::from_name("#total")).not_eq(lit(0_i64));
        sides
            .aggregate(plain().collect::<Vec<_>>(), vec![total])?
            .filter(differing)?
            .project(plain().collect::<Vec<_>>())?
            .alias(scan.table_name.clone())?
            .build()
    }

    fn before(&self, plan: &LogicalPlan) -> Result<LogicalPlan> {
        with_scans(plan, |scan| {
            let Some(since) = self.since(scan) else { return Ok(None) };
            let source = provider_as_source(Arc::clone(&since.before));
            Ok(Some(LogicalPlan::TableScan(TableScan { source, ..scan.clone() })))
        })
    }
}

/// Narrows scans to keys.
struct Keys<'a> {
    inputs: &'a Inputs<'a>,
    raw: &'a RecordBatch,
}

impl Narrow for Keys<'_> {
    fn scan(&self, scan: &TableScan, keys: &[(String, usize)]) -> Result<LogicalPlan> {
        let provider = source_as_provider(&scan.source)?;
        let schema = provider.schema();
        let (mut columns, mut tuples) = (Vec::new(), Vec::new());
        for (name, place) in keys {
            let column = schema.index_of(name)?;
            let values = self.raw.column(*place);
            // Types differ where a cast stands between the column and the key.
            if values.data_type() == schema.field(column).data_type() {
                columns.push(column);
                tuples.push(Arc::clone(values));
            }
        }
        if columns.is_empty() {
            return Ok(LogicalPlan::TableScan(scan.clone()));
        }
        let input = input_of(scan);
        let found = self.inputs.sources.iter().find(|(i, _)| Some(i) == input.as_ref());
        let lake: Option<&LakeTable> = found.and_then(|(_, source)| source.lake_table());
        let lookup = Lookup::new(provider, lake, columns, &tuples)?;
        let source = provider_as_source(Arc::new(lookup));
        Ok(LogicalPlan::TableScan(TableScan { source, ..scan.clone() }))
    }
}
