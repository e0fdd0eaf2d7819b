//! Checking rows before they are published.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{DataType, TimeUnit, TimestampMicrosecondType};
use arrow::util::display::array_value_to_string;
use datafusion::catalog::TableProvider;
use datafusion::datasource::MemTable;
use datafusion::error::DataFusionError;
use datafusion::prelude::SessionContext;
use medallion_definition::contract::Sensitivity;
use medallion_definition::model::{CheckKind, CheckSeverity, GoldModel, ModelCheck};
use medallion_definition::name::{ColumnName, Layer};

use super::graph::Input;
use crate::error::{TransformError, unavailable};

/// Failing rows that are shown.
const SHOWN: usize = 10;
/// The name under which the rows stand in a check's query.
pub const THIS: &str = "this";

/// What a check found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckResult {
    /// Its name.
    pub name: String,
    /// Its kind, as in the header.
    pub kind: &'static str,
    /// The column, when it is about one.
    pub column: Option<String>,
    /// What its failure means.
    pub severity: CheckSeverity,
    /// Failing rows, or groups of rows; 1 where the table as a whole fails.
    pub failing: u64,
    /// The first of them, personal values hidden; or a sentence about the table.
    pub shown: Vec<String>,
}

impl CheckResult {
    /// True when nothing failed.
    pub fn passed(&self) -> bool {
        self.failing == 0
    }

    /// True when the build must not be published.
    pub fn is_red(&self) -> bool {
        !self.passed() && self.severity == CheckSeverity::Error
    }
}

/// The rows to be checked.
pub(super) struct Audit<'a> {
    pub(super) model: &'a GoldModel,
    /// Tables that models can read, and `this`.
    pub(super) context: &'a SessionContext,
    /// Only these rows are new; every other one was checked when it was published. Nothing when all
    /// rows are new.
    pub(super) fresh: Option<Vec<RecordBatch>>,
    /// Rows of the build and of the published table, if there is one.
    pub(super) rows: (u64, Option<u64>),
    /// The time of the run, microseconds since the epoch.
    pub(super) now_micros: i64,
}

/// One check's question.
struct Question {
    name: String,
    kind: &'static str,
    column: Option<String>,
    severity: CheckSeverity,
    sql: String,
    /// Rows are judged one by one, or within one key: those that were published passed it.
    local: bool,
}

impl Audit<'_> {
    /// The results of all checks: columns that must not be NULL, the grain, those of the header.
    ///
    /// # Errors
    /// When a check's query cannot be answered.
    pub(super) async fn run(&self) -> Result<Vec<CheckResult>, TransformError> {
        let mut results = Vec::new();
        for question in self.implied() {
            results.push(self.ask(question).await?);
        }
        for check in &self.model.checks {
            results.push(self.check(check).await?);
        }
        Ok(results)
    }

    fn implied(&self) -> Vec<Question> {
        let required = self.model.columns.iter().filter(|c| !c.nullable);
        let mut questions: Vec<Question> = required
            .map(|column| Question {
                name: format!("not_null({})", column.name),
                kind: "not_null",
                column: Some(column.name.to_string()),
                severity: CheckSeverity::Error,
                sql: not_null(&column.name),
                local: true,
            })
            .collect();
        let names: Vec<&str> = self.model.grain.iter().map(ColumnName::as_str).collect();
        questions.push(Question {
            name: format!("grain({})", names.join(",")),
            kind: "unique",
            column: None,
            severity: CheckSeverity::Error,
            sql: repeated(&self.model.grain, false),
            local: true,
        });
        questions
    }

    async fn check(&self, check: &ModelCheck) -> Result<CheckResult, TransformError> {
        let (kind, sql, local) = match &check.kind {
            CheckKind::NotNull { column } => ("not_null", not_null(column), true),
            CheckKind::Unique { columns } => {
                ("unique", repeated(columns, true), self.holds_key(columns))
            }
            CheckKind::AcceptedValues { column, values } => {
                ("accepted_values", others(column, values), true)
            }
            CheckKind::Relationship { column, to_layer, to_table, to_column } => {
                ("relationship", orphans(column, (*to_layer, to_table, to_column)), false)
            }
            CheckKind::Sql { sql } => ("sql", sql.trim().trim_end_matches(';').to_owned(), false),
            CheckKind::RowCountChange { max_drop_permille, max_growth_permille } => {
                return Ok(self.row_count(check, *max_drop_permille, *max_growth_permille));
            }
            CheckKind::Freshness { column, max_age } => {
                return self.freshness(check, column, *max_age).await;
            }
        };
        let (name, column, severity) = (check.name.clone(), column_of(check), check.severity);
        self.ask(Question { name, kind, column, severity, sql, local }).await
    }

    /// Rows that agree in the columns have one key of the incremental build.
    fn holds_key(&self, columns: &[ColumnName]) -> bool {
        match &self.model.materialisation {
            medallion_definition::model::Materialisation::Full => false,
            medallion_definition::model::Materialisation::Incremental { key } => {
                key.iter().all(|k| columns.contains(k))
            }
        }
    }

    async fn ask(&self, question: Question) -> Result<CheckResult, TransformError> {
        let Question { name, kind, column, severity, sql, local } = question;
        let failed = |e: DataFusionError| self.failed(&name, &e);
        let local = match &self.fresh {
            // What only warns may be published: then the other rows count too.
            Some(rows) if local && severity == CheckSeverity::Error => {
                Some(self.with_fresh(rows).map_err(failed)?)
            }
            _ => None,
        };
        let context = local.as_ref().unwrap_or(self.context);
        let rows = context.sql(&sql).await.map_err(failed)?;
        let failing = rows.clone().count().await.map_err(failed)? as u64;
        let shown = match failing {
            0 => Vec::new(),
            _ => {
                let first = rows.limit(0, Some(SHOWN)).map_err(failed)?;
                self.show(&first.collect().await.map_err(failed)?)?
            }
        };
        Ok(CheckResult { name, kind, column, severity, failing, shown })
    }

    /// A session in which `this` has the new rows only.
    fn with_fresh(&self, rows: &[RecordBatch]) -> Result<SessionContext, DataFusionError> {
        let schema = crate::spec::rows_schema(&medallion_definition::catalogue::gold(self.model));
        let rows: Vec<RecordBatch> = rows.to_vec();
        let table: Arc<dyn TableProvider> = Arc::new(MemTable::try_new(schema, vec![rows])?);
        super::session::session([(this(), table)])
    }

    fn row_count(
        &self,
        check: &ModelCheck,
        max_drop: Option<u32>,
        max_growth: Option<u32>,
    ) -> CheckResult {
        let (new, old) = self.rows;
        let old = old.unwrap_or_default();
        let beyond = |change: u64, limit: Option<u32>| {
            limit.is_some_and(|l| u128::from(change) * 1000 > u128::from(old) * u128::from(l))
        };
        let dropped = beyond(old.saturating_sub(new), max_drop);
        let grown = beyond(new.saturating_sub(old), max_growth);
        let red = old > 0 && (dropped || grown);
        let shown = if red { vec![format!("{new} rows, {old} are published")] } else { Vec::new() };
        CheckResult {
            name: check.name.clone(),
            kind: "row_count_change",
            column: None,
            severity: check.severity,
            failing: u64::from(red),
            shown,
        }
    }

    async fn freshness(
        &self,
        check: &ModelCheck,
        column: &ColumnName,
        max_age: std::time::Duration,
    ) -> Result<CheckResult, TransformError> {
        let failed = |e: DataFusionError| self.failed(&check.name, &e);
        let sql = format!("select max({}) as newest from {THIS}", quoted(column));
        let rows = self.context.sql(&sql).await.map_err(failed)?;
        let rows = rows.collect().await.map_err(failed)?;
        let newest = rows.first().and_then(|batch| micros(batch.column(0)));
        let age = newest.map(|newest| self.now_micros.saturating_sub(newest));
        let limit = i64::try_from(max_age.as_micros()).unwrap_or(i64::MAX);
        let shown = match age {
            Some(age) if age <= limit => Vec::new(),
            Some(age) => vec![format!(
                "the greatest `{column}` is {} old, allowed are {}",
                hours(age),
                hours(limit)
            )],
            None => vec![format!("no row has a `{column}`")],
        };
        Ok(CheckResult {
            name: check.name.clone(),
            kind: "freshness",
            column: column_of(check),
            severity: check.severity,
            failing: u64::from(!shown.is_empty()),
            shown,
        })
    }

    fn failed(&self, check: &str, error: &DataFusionError) -> TransformError {
        TransformError::CheckFailed {
            model: self.model.name.to_string(),
            check: check.to_owned(),
            // The reason may quote a row; what is wrong with the query itself may not.
            reason: match error.find_root() {
                DataFusionError::Plan(_)
                | DataFusionError::SchemaError(..)
                | DataFusionError::SQL(..) => error.strip_backtrace(),
                _ => "it fails on some row".to_owned(),
            },
            retryable: unavailable(error),
        }
    }

    /// Rows as `name=value`, personal values and those of unknown columns hidden.
    fn show(&self, batches: &[RecordBatch]) -> Result<Vec<String>, TransformError> {
        let mut lines = Vec::new();
        for batch in batches {
            for row in 0..batch.num_rows() {
                let fields = batch.schema();
                let cells = fields.fields().iter().zip(batch.columns()).map(|(field, column)| {
                    let value = self.cell(field.name(), column, row)?;
                    Ok(format!("{}={value}", field.name()))
                });
                let cells = cells.collect::<Result<Vec<_>, TransformError>>()?;
                lines.push(cells.join(" "));
            }
        }
        lines.truncate(SHOWN);
        Ok(lines)
    }

    fn cell(&self, name: &str, column: &ArrayRef, row: usize) -> Result<String, TransformError> {
        if column.is_null(row) {
            return Ok("NULL".to_owned());
        }
        let known = self.model.columns.iter().find(|c| c.name.as_str() == name);
        let open = match known {
            Some(column) => column.sensitivity != Sensitivity::Personal,
            None => name == REPEATS,
        };
        Ok(if open { array_value_to_string(column, row)? } else { "***".to_owned() })
    }
}

/// The column that a check is about, if it is about one.
fn column_of(check: &ModelCheck) -> Option<String> {
    match &check.kind {
        CheckKind::NotNull { column }
        | CheckKind::AcceptedValues { column, .. }
        | CheckKind::Relationship { column, .. }
        | CheckKind::Freshness { column, .. } => Some(column.to_string()),
        CheckKind::Unique { .. } | CheckKind::RowCountChange { .. } | CheckKind::Sql { .. } => None,
    }
}

/// The table under which rows are checked.
pub(super) fn this() -> Input {
    Input { layer: Layer::Gold, table: THIS.to_owned() }
}

/// Column of the query for repeated rows: how often they come.
const REPEATS: &str = "rows_with_it";

fn quoted(column: &ColumnName) -> String {
    format!("\"{}\"", column.as_str().replace('"', "\"\""))
}

fn not_null(column: &ColumnName) -> String {
    format!("select * from {THIS} where {} is null", quoted(column))
}

fn repeated(columns: &[ColumnName], without_null: bool) -> String {
    let names: Vec<String> = columns.iter().map(quoted).collect();
    let list = names.join(", ");
    let known: Vec<String> = names.iter().map(|n| format!("{n} is not null")).collect();
    let only = if without_null { format!(" where {}", known.join(" and ")) } else { String::new() };
    format!(
        "select {list}, count(*) as {REPEATS} from {THIS}{only} group by {list} having count(*) > 1"
    )
}

fn others(column: &ColumnName, values: &[String]) -> String {
    let values: Vec<String> =
        values.iter().map(|v| format!("'{}'", v.replace('\'', "''"))).collect();
    let column = quoted(column);
    let list = values.join(", ");
    format!(
        "select * from {THIS} where {column} is not null and cast({column} as varchar) not in ({list})"
    )
}

fn orphans(column: &ColumnName, to: (Layer, &str, &ColumnName)) -> String {
    let (layer, table, other) = to;
    let (column, other) = (quoted(column), quoted(other));
    format!(
        "select t.* from {THIS} t where t.{column} is not null and not exists \
         (select 1 from {layer}.{table} r where r.{other} = t.{column})"
    )
}

/// A time or date as microseconds since the epoch; zone-less times are taken as UTC.
fn micros(column: &ArrayRef) -> Option<i64> {
    let wanted = DataType::Timestamp(TimeUnit::Microsecond, None);
    let time = arrow::compute::cast(column, &wanted).ok()?;
    time.as_primitive::<TimestampMicrosecondType>().iter().next()?
}

fn hours(micros: i64) -> String {
    let minutes = micros / 60_000_000;
    format!("{} h {} min", minutes / 60, minutes % 60)
}
