//! The Gold job: a model's query over Silver and other models, checked, then published by one
//! atomic replacement of the table.

mod graph;
pub mod lineage;
mod session;

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::compute::{CastOptions, cast_with_options, concat_batches};
use arrow::row::{RowConverter, SortField};
use datafusion::catalog::TableProvider;
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

use graph::query_error;
pub use graph::{Input, inputs, levels};
pub use session::{empty_session, logical_plan, session};

use crate::error::{TransformError, unavailable};
use crate::{spec, summary};

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
        let tables = tables.into_iter().map(|(input, table)| {
            let provider: Arc<dyn TableProvider> = Arc::new(LakeTableProvider::new(table));
            (input, provider)
        });
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
