//! The Gold job: a model's query over Silver and other models, checked, then published by one
//! atomic replacement of the table.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::compute::{CastOptions, cast_with_options, concat_batches};
use arrow::row::{RowConverter, SortField};
use datafusion::catalog::{
    CatalogProvider, MemoryCatalogProvider, MemorySchemaProvider, SchemaProvider,
};
use datafusion::error::DataFusionError;
use datafusion::prelude::{SessionConfig, SessionContext};
use datafusion::sql::parser::DFParser;
use datafusion::sql::resolve::resolve_table_references;
use medallion_definition::lake::LakeDefinition;
use medallion_definition::model::GoldModel;
use medallion_definition::name::{ColumnName, Layer};
use medallion_tables::Operation;
use medallion_tables::commit::{Change, commit};
use medallion_tables::provider::LakeTableProvider;
use medallion_tables::schema::arrow_type;
use medallion_tables::table::LakeTable;
use medallion_tables::warehouse::Warehouse;
use medallion_tables::writer::write_files;
use sha2::{Digest, Sha256};

use crate::error::TransformError;
use crate::{spec, summary};

/// A table that a model reads.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Input {
    /// Silver or Gold.
    pub layer: Layer,
    /// The table's name in its Glue database.
    pub table: String,
}

impl fmt::Display for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.layer, self.table)
    }
}

/// The tables that a model's query names, found by parsing it.
///
/// # Errors
/// When the query does not parse, or names a table that the lake does not have.
pub fn inputs(lake: &LakeDefinition, model: &GoldModel) -> Result<BTreeSet<Input>, TransformError> {
    let statements = DFParser::parse_sql(&model.sql).map_err(|e| query_error(model, e))?;
    let mut inputs = BTreeSet::new();
    for statement in &statements {
        let (tables, _) =
            resolve_table_references(statement, true).map_err(|e| query_error(model, e))?;
        for table in tables {
            let input = table
                .schema()
                .and_then(|s| s.parse::<Layer>().ok())
                .map(|layer| Input { layer, table: table.table().to_owned() });
            let known = input.filter(|i| {
                lake.catalogue().iter().any(|t| t.layer == i.layer && t.name == i.table)
            });
            inputs.insert(known.ok_or_else(|| TransformError::UnknownInput {
                model: model.name.to_string(),
                input: table.to_string(),
            })?);
        }
    }
    Ok(inputs)
}

fn query_error(model: &GoldModel, source: DataFusionError) -> TransformError {
    TransformError::Query {
        model: model.name.to_string(),
        place: format!("{}:{}", model.file, model.sql_line),
        source: Box::new(source),
    }
}

/// The models in levels: each reads only Silver and models of earlier levels.
///
/// # Errors
/// [`TransformError::Circle`] when models read each other.
pub fn levels(lake: &LakeDefinition) -> Result<Vec<Vec<&GoldModel>>, TransformError> {
    let mut waiting: Vec<(&GoldModel, BTreeSet<String>)> = Vec::new();
    for model in &lake.models {
        let gold = inputs(lake, model)?.into_iter().filter(|i| i.layer == Layer::Gold);
        waiting.push((model, gold.map(|i| i.table).collect()));
    }
    let mut built = HashSet::new();
    let mut levels = Vec::new();
    while !waiting.is_empty() {
        let (ready, later): (Vec<_>, Vec<_>) =
            waiting.into_iter().partition(|(_, needs)| needs.iter().all(|n| built.contains(n)));
        if ready.is_empty() {
            let names: Vec<String> = later.iter().map(|(m, _)| format!("`{}`", m.name)).collect();
            return Err(TransformError::Circle { models: names.join(", ") });
        }
        built.extend(ready.iter().map(|(m, _)| m.name.to_string()));
        levels.push(ready.into_iter().map(|(m, _)| m).collect());
        waiting = later;
    }
    Ok(levels)
}

/// What a run is going to do. Printable.
#[derive(Clone, Debug)]
pub struct GoldPlan {
    /// The model.
    pub model: String,
    /// The snapshot of every input.
    pub inputs: BTreeMap<String, i64>,
    /// True when the published table was built from the same inputs by the same query.
    pub up_to_date: bool,
}

impl fmt::Display for GoldPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "gold plan for {}", self.model)?;
        for (table, snapshot) in &self.inputs {
            writeln!(f, "  reads {table} at snapshot {snapshot}")?;
        }
        let todo =
            if self.up_to_date { "nothing: inputs and query are unchanged" } else { "build" };
        writeln!(f, "  to do: {todo}")
    }
}

/// What a run did.
#[derive(Clone, Debug)]
pub enum GoldOutcome {
    /// Inputs and query are unchanged: nothing was written.
    UpToDate,
    /// The table was replaced.
    Published {
        /// Its rows.
        rows: usize,
        /// The new snapshot.
        snapshot: i64,
    },
}

/// The job of one model.
pub struct GoldJob<'a> {
    /// The lake.
    pub lake: &'a LakeDefinition,
    /// The model.
    pub model: &'a GoldModel,
    /// Where the lake lives.
    pub warehouse: &'a Warehouse,
}

impl GoldJob<'_> {
    /// Looks up the inputs and compares them with what the published table was built from.
    ///
    /// # Errors
    /// [`TransformError::InputNotBuilt`] when an input has no snapshot yet.
    pub async fn plan(
        &self,
        base: &LakeTable,
    ) -> Result<(GoldPlan, Vec<(Input, LakeTable)>), TransformError> {
        let mut snapshots = BTreeMap::new();
        let mut tables = Vec::new();
        for input in inputs(self.lake, self.model)? {
            let ident = spec::ident(self.lake, input.layer, &input.table);
            let table = self.warehouse.load(&ident).await?;
            let ready = table.and_then(|t| t.snapshot_id().map(|id| (t, id)));
            let Some((table, snapshot)) = ready else {
                let model = self.model.name.to_string();
                return Err(TransformError::InputNotBuilt { model, input: input.to_string() });
            };
            snapshots.insert(input.to_string(), snapshot);
            tables.push((input, table));
        }
        let built = base.summary();
        let same =
            |key: &str, value: &str| built.and_then(|s| s.get(key)).is_some_and(|v| v == value);
        let up_to_date = same(summary::INPUTS, &inputs_json(&snapshots))
            && same(summary::MODEL, &self.fingerprint());
        let model = self.model.name.to_string();
        Ok((GoldPlan { model, inputs: snapshots, up_to_date }, tables))
    }

    /// SHA-256 of everything in the model that decides over its table.
    fn fingerprint(&self) -> String {
        let columns: Vec<String> =
            self.model.columns.iter().map(|c| format!("{} {}", c.name, c.lake_type)).collect();
        hex::encode(Sha256::digest(format!("{}\n{}", columns.join("\n"), self.model.sql)))
    }

    /// The Gold table, created when it is not there yet.
    ///
    /// # Errors
    /// When the catalog or the bucket refuses.
    pub async fn table(&self) -> Result<LakeTable, TransformError> {
        let ident = spec::ident(self.lake, Layer::Gold, self.model.name.as_str());
        let spec = spec::gold(self.warehouse.bucket().name(), self.model);
        Ok(self.warehouse.ensure_table(&ident, &spec).await?)
    }

    /// Builds, checks and publishes.
    ///
    /// # Errors
    /// Any [`TransformError`]; the published table is then as it was.
    pub async fn run(&self) -> Result<GoldOutcome, TransformError> {
        let base = self.table().await?;
        let (plan, tables) = self.plan(&base).await?;
        if plan.up_to_date {
            return Ok(GoldOutcome::UpToDate);
        }
        let result = self.build(tables).await?;
        let rows = self.shape(&result, &base)?;
        self.check(&rows)?;
        let count = rows.num_rows();
        let batches = if count == 0 { Vec::new() } else { vec![rows] };
        let added = write_files(&base, batches).await?;
        let removed = base.live_files().await?;
        let summary = BTreeMap::from([
            (summary::INPUTS.to_owned(), inputs_json(&plan.inputs)),
            (summary::MODEL.to_owned(), self.fingerprint()),
            (summary::CODE_VERSION.to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
        ]);
        let change = Change { operation: Operation::Overwrite, added, removed, summary };
        let committed = commit(self.warehouse, &base, change).await.map_err(|source| {
            TransformError::commit(format!("gold.{}", self.model.name), source)
        })?;
        Ok(GoldOutcome::Published {
            rows: count,
            snapshot: committed.snapshot_id().unwrap_or_default(),
        })
    }

    async fn build(
        &self,
        tables: Vec<(Input, LakeTable)>,
    ) -> Result<Vec<RecordBatch>, TransformError> {
        let failed = |e| query_error(self.model, e);
        let context = session(tables).map_err(failed)?;
        let frame = context.sql(&self.model.sql).await.map_err(failed)?;
        frame.collect().await.map_err(failed)
    }

    /// The result in the declared columns: same names in the same order, cast to the types.
    fn shape(
        &self,
        result: &[RecordBatch],
        base: &LakeTable,
    ) -> Result<RecordBatch, TransformError> {
        let schema = Arc::clone(base.arrow_schema());
        let Some(first) = result.first() else { return Ok(RecordBatch::new_empty(schema)) };
        let rows = concat_batches(&first.schema(), result)?;
        let returned: Vec<String> =
            rows.schema().fields().iter().map(|f| f.name().clone()).collect();
        let declared: Vec<String> = self.model.columns.iter().map(|c| c.name.to_string()).collect();
        if returned != declared {
            let reason = format!(
                "the query returns ({}), the header declares ({})",
                returned.join(", "),
                declared.join(", ")
            );
            return Err(self.red(reason));
        }
        let options = CastOptions { safe: false, ..CastOptions::default() };
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(declared.len());
        for (column, declared) in rows.columns().iter().zip(&self.model.columns) {
            let wanted = arrow_type(declared.lake_type);
            let cast = cast_with_options(column, &wanted, &options);
            columns.push(cast.map_err(|_| {
                self.red(format!("column `{}` does not fit {}", declared.name, declared.lake_type))
            })?);
        }
        for (column, declared) in columns.iter().zip(&self.model.columns) {
            if !declared.nullable && column.null_count() > 0 {
                let count = column.null_count();
                return Err(self.red(format!("`{}` is NULL in {count} rows", declared.name)));
            }
        }
        Ok(RecordBatch::try_new(schema, columns)?)
    }

    /// The grain is unique.
    fn check(&self, rows: &RecordBatch) -> Result<(), TransformError> {
        let columns: Vec<ArrayRef> = self
            .model
            .grain
            .iter()
            .filter_map(|g| rows.column_by_name(g.as_str()).cloned())
            .collect();
        let sort = columns.iter().map(|c| SortField::new(c.data_type().clone())).collect();
        let encoded = RowConverter::new(sort)?.convert_columns(&columns)?;
        let distinct: HashSet<_> = encoded.iter().map(|r| r.owned()).collect();
        if distinct.len() == rows.num_rows() {
            return Ok(());
        }
        let grain: Vec<&str> = self.model.grain.iter().map(ColumnName::as_str).collect();
        let twice = rows.num_rows() - distinct.len();
        Err(self.red(format!("{twice} rows repeat the grain ({})", grain.join(", "))))
    }

    fn red(&self, reason: String) -> TransformError {
        TransformError::Check { model: self.model.name.to_string(), reason }
    }
}

fn inputs_json(inputs: &BTreeMap<String, i64>) -> String {
    serde_json::json!(inputs).to_string()
}

/// A session in which the tables stand under their layer: `silver.crm_customers`.
fn session(tables: Vec<(Input, LakeTable)>) -> Result<SessionContext, DataFusionError> {
    let config = SessionConfig::new().with_default_catalog_and_schema("lake", "gold");
    let context = SessionContext::new_with_config(config);
    let catalog = Arc::new(MemoryCatalogProvider::new());
    let mut schemas: BTreeMap<Layer, Arc<MemorySchemaProvider>> = BTreeMap::new();
    for (input, table) in tables {
        let schema = schemas.entry(input.layer).or_default();
        schema.register_table(input.table, Arc::new(LakeTableProvider::new(table)))?;
    }
    for (layer, schema) in schemas {
        catalog.register_schema(layer.as_str(), schema)?;
    }
    context.register_catalog("lake", catalog);
    Ok(context)
}
