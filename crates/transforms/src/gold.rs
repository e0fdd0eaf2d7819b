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
use medallion_definition::catalogue;
use medallion_definition::lake::LakeDefinition;
use medallion_definition::model::GoldModel;
use medallion_definition::name::{ColumnName, Layer};
use medallion_tables::Operation;
use medallion_tables::commit::{Branch, Change, commit};
use medallion_tables::provider::LakeTableProvider;
use medallion_tables::schema::arrow_type;
use medallion_tables::table::LakeTable;
use medallion_tables::warehouse::Warehouse;
use medallion_tables::writer::write_files;
use sha2::{Digest, Sha256};

use crate::error::{TransformError, unavailable};
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
            let known = readable(lake);
            let found = input.filter(|i| known.contains(i));
            inputs.insert(found.ok_or_else(|| TransformError::UnknownInput {
                model: model.name.to_string(),
                place: format!("{}:{}", model.file, model.sql_line),
                known: known.iter().map(ToString::to_string).collect(),
                input: table.to_string(),
            })?);
        }
    }
    Ok(inputs)
}

/// What models can read: Silver and each other. Bronze and quarantine are for people.
fn readable(lake: &LakeDefinition) -> BTreeSet<Input> {
    let served = |layer: Layer| matches!(layer, Layer::Silver | Layer::Gold);
    let tables = lake.catalogue().into_iter().filter(|t| served(t.layer));
    tables.map(|t| Input { layer: t.layer, table: t.name }).collect()
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
    /// Inputs that do not exist yet; the model waits for them.
    pub missing: Vec<String>,
    /// True when the published table was built from the same inputs by the same query.
    pub up_to_date: bool,
}

impl fmt::Display for GoldPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "gold plan for {}", self.model)?;
        for (table, snapshot) in &self.inputs {
            writeln!(f, "  reads {table} at snapshot {snapshot}")?;
        }
        if !self.missing.is_empty() {
            return writeln!(f, "  to do: nothing yet, waiting for {}", self.missing.join(", "));
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
    /// These inputs do not exist yet: nothing was written. Their jobs bring the model up again.
    Waiting(Vec<String>),
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
    /// When an input cannot be read.
    pub async fn plan(
        &self,
        base: Option<&LakeTable>,
    ) -> Result<(GoldPlan, Vec<(Input, LakeTable)>), TransformError> {
        let mut snapshots = BTreeMap::new();
        let (mut tables, mut missing) = (Vec::new(), Vec::new());
        for input in inputs(self.lake, self.model)? {
            let ident = spec::ident(self.lake, input.layer, &input.table);
            match self.warehouse.load(&ident).await? {
                // A table without a snapshot is empty, as an empty source table makes it.
                Some(table) => {
                    snapshots.insert(input.to_string(), table.snapshot_id().unwrap_or_default());
                    tables.push((input, table));
                }
                None => missing.push(input.to_string()),
            }
        }
        let built = base.and_then(LakeTable::summary);
        let same =
            |key: &str, value: &str| built.and_then(|s| s.get(key)).is_some_and(|v| v == value);
        let up_to_date = missing.is_empty()
            && same(summary::INPUTS, &inputs_json(&snapshots))
            && same(summary::MODEL, &self.fingerprint());
        let model = self.model.name.to_string();
        Ok((GoldPlan { model, inputs: snapshots, missing, up_to_date }, tables))
    }

    /// The plan as a text for people; nothing is created or changed.
    ///
    /// # Errors
    /// As [`GoldJob::plan`].
    pub async fn explain(&self) -> Result<String, TransformError> {
        let ident = spec::ident(self.lake, Layer::Gold, self.model.name.as_str());
        let base = self.warehouse.load(&ident).await?;
        Ok(self.plan(base.as_ref()).await?.0.to_string())
    }

    /// SHA-256 of everything in the model that decides over its table.
    fn fingerprint(&self) -> String {
        let columns = self.model.columns.iter().map(|c| {
            format!("{} {} {} {}\n", c.name, c.lake_type, c.nullable, c.sensitivity.as_str())
        });
        let grain: Vec<&str> = self.model.grain.iter().map(ColumnName::as_str).collect();
        let (columns, grain) = (columns.collect::<String>(), grain.join(","));
        hex::encode(Sha256::digest(format!("{columns}{grain}\n{}", self.model.sql)))
    }

    /// The Gold table, created when it is not there yet.
    ///
    /// # Errors
    /// When the catalog or the bucket refuses.
    pub async fn table(&self) -> Result<LakeTable, TransformError> {
        let ident = spec::ident(self.lake, Layer::Gold, self.model.name.as_str());
        let spec = spec::gold(self.warehouse.bucket().name(), self.model);
        spec::ensure(self.warehouse, &ident, &spec).await
    }

    /// Builds, checks and publishes.
    ///
    /// # Errors
    /// Any [`TransformError`]; the published table is then as it was.
    pub async fn run(&self) -> Result<GoldOutcome, TransformError> {
        let ident = spec::ident(self.lake, Layer::Gold, self.model.name.as_str());
        let (plan, tables) = self.plan(self.warehouse.load(&ident).await?.as_ref()).await?;
        if !plan.missing.is_empty() {
            return Ok(GoldOutcome::Waiting(plan.missing));
        }
        if plan.up_to_date {
            return Ok(GoldOutcome::UpToDate);
        }
        let base = self.table().await?;
        let rows = self.shape(self.build(tables).await?)?;
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
        let change = Change {
            operation: Operation::Overwrite,
            added,
            removed,
            summary,
            branch: Branch::Main,
        };
        let committed = commit(self.warehouse, &base, change).await.map_err(|source| {
            TransformError::commit(format!("gold.{}", self.model.name), source)
        })?;
        Ok(GoldOutcome::Published {
            rows: count,
            snapshot: committed.snapshot_id().unwrap_or_default(),
        })
    }

    async fn build(&self, tables: Vec<(Input, LakeTable)>) -> Result<RecordBatch, TransformError> {
        let planning = |e| query_error(self.model, e);
        let context = session(tables).map_err(planning)?;
        let frame = context.sql(&self.model.sql).await.map_err(planning)?;
        let schema = Arc::clone(frame.schema().inner());
        let batches = frame.collect().await.map_err(|error| TransformError::Evaluation {
            model: self.model.name.to_string(),
            place: format!("{}:{}", self.model.file, self.model.sql_line),
            retryable: unavailable(&error),
        })?;
        Ok(concat_batches(&schema, &batches)?)
    }

    /// The result in the declared columns: same names in the same order, cast to the types.
    fn shape(&self, rows: RecordBatch) -> Result<RecordBatch, TransformError> {
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
        let schema = spec::rows_schema(&catalogue::gold(self.model));
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
