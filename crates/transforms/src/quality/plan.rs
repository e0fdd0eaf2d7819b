//! The rules of one contract, compiled once and applied to batches.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch};
use arrow::compute::nullif;
use arrow::datatypes::{Field, Schema, SchemaRef};
use datafusion::prelude::SessionContext;
use medallion_definition::contract::{Normaliser, OnFail, TableContract};
use medallion_tables::schema::arrow_type;

use super::QualityError;
use super::check::CompiledCheck;
use super::failures::Failures;
use super::normalise::normalise_all;
use super::row_rule::CompiledRowRule;

/// What became of a batch.
#[derive(Debug)]
pub struct QualityOutcome {
    /// All rows in their order, normalised, with the fields of `null_field` rules set to NULL.
    pub batch: RecordBatch,
    /// The rows for quarantine by index, each with the ids of the rules that it failed: checks in
    /// the order of columns, then row rules.
    pub failures: Vec<(usize, Vec<String>)>,
    /// Failures of `warn` rules by rule id.
    pub warnings: BTreeMap<String, u64>,
}

/// The compiled rules of a contract.
#[derive(Debug)]
pub struct QualityPlan {
    schema: SchemaRef,
    columns: Vec<ColumnRules>,
    row_rules: Vec<CompiledRowRule>,
}

#[derive(Debug)]
struct ColumnRules {
    normalisers: Vec<Normaliser>,
    checks: Vec<(String, CompiledCheck)>,
}

impl QualityPlan {
    /// Compiles the rules of a contract.
    ///
    /// # Errors
    /// The first regular expression or row rule that does not compile.
    pub fn new(contract: &TableContract) -> Result<QualityPlan, QualityError> {
        let fields = contract
            .columns
            .iter()
            .map(|c| Field::new(c.name.as_str(), arrow_type(c.lake_type()), true));
        let schema: SchemaRef = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let mut columns = Vec::with_capacity(contract.columns.len());
        for column in &contract.columns {
            let mut checks = Vec::with_capacity(column.checks.len());
            for check in &column.checks {
                let rule = format!("{}:{}", column.name, check.name());
                checks.push((rule, CompiledCheck::new(check)?));
            }
            columns.push(ColumnRules { normalisers: column.normalisers.clone(), checks });
        }
        let context = SessionContext::new();
        let compile = |rule| CompiledRowRule::new(&context, rule, &schema);
        let row_rules: Vec<_> = contract.row_rules.iter().map(compile).collect::<Result<_, _>>()?;
        for rule in &row_rules {
            if let OnFail::NullField(column) = &rule.on_fail
                && schema.index_of(column.as_str()).is_err()
            {
                return Err(QualityError::MissingColumn { column: column.to_string() });
            }
        }
        Ok(QualityPlan { schema, columns, row_rules })
    }

    /// Normalises a batch and judges its rows. `now_micros` is the batch's own time in microseconds
    /// since the epoch, UTC.
    ///
    /// Columns are found by name; those that the contract does not have pass as they are. Every row
    /// rule sees the normalised row as it was before any field became NULL.
    ///
    /// # Errors
    /// A column that is missing or has another type than Silver gives it, or a row rule that
    /// cannot be evaluated.
    pub fn apply(
        &self,
        batch: &RecordBatch,
        now_micros: i64,
    ) -> Result<QualityOutcome, QualityError> {
        let mut failures = Failures::new(batch.num_rows());
        let mut values = Vec::with_capacity(self.columns.len());
        for (field, rules) in self.schema.fields().iter().zip(&self.columns) {
            let column = rules.normalise(find(batch, field)?);
            for (rule, check) in &rules.checks {
                failures.add(rule, !check.evaluate(&column, now_micros)?.values());
            }
            values.push(column);
        }
        let warnings = self.judge_rows(&mut values, batch, &mut failures)?;
        let batch = self.replaced(batch, &values)?;
        Ok(QualityOutcome { batch, failures: failures.by_row(), warnings })
    }

    /// Evaluates the row rules and sets fields to NULL in `values`.
    fn judge_rows<'a>(
        &'a self,
        values: &mut [ArrayRef],
        batch: &RecordBatch,
        failures: &mut Failures<'a>,
    ) -> Result<BTreeMap<String, u64>, QualityError> {
        let mut warnings = BTreeMap::new();
        let options =
            arrow::array::RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        let rows =
            RecordBatch::try_new_with_options(Arc::clone(&self.schema), values.to_vec(), &options)
                .map_err(QualityError::Batch)?;
        for rule in &self.row_rules {
            let failing = rule.failing(&rows)?;
            let count = failing.count_set_bits();
            if count == 0 {
                continue;
            }
            match &rule.on_fail {
                OnFail::Quarantine => failures.add(&rule.name, failing),
                OnFail::Warn => {
                    warnings.insert(rule.name.clone(), count as u64);
                }
                OnFail::NullField(column) => {
                    let index = self.schema.index_of(column.as_str());
                    let index = index.map_err(QualityError::Batch)?;
                    values[index] = cleared(&values[index], &BooleanArray::new(failing, None))?;
                }
            }
        }
        Ok(warnings)
    }

    /// The batch with new values for the columns of the contract.
    fn replaced(
        &self,
        batch: &RecordBatch,
        values: &[ArrayRef],
    ) -> Result<RecordBatch, QualityError> {
        let old = batch.schema();
        let mut fields = Vec::with_capacity(old.fields().len());
        let mut columns = Vec::with_capacity(old.fields().len());
        for (field, column) in old.fields().iter().zip(batch.columns()) {
            match self.schema.index_of(field.name()) {
                Ok(index) => {
                    let value = &values[index];
                    let nullable = field.is_nullable() || value.null_count() > 0;
                    fields.push(Arc::new(field.as_ref().clone().with_nullable(nullable)));
                    columns.push(Arc::clone(value));
                }
                Err(_) => {
                    fields.push(Arc::clone(field));
                    columns.push(Arc::clone(column));
                }
            }
        }
        let schema = Arc::new(Schema::new_with_metadata(fields, old.metadata().clone()));
        RecordBatch::try_new(schema, columns).map_err(QualityError::Batch)
    }
}

impl ColumnRules {
    fn normalise(&self, values: &ArrayRef) -> ArrayRef {
        let texts = values.as_string_opt::<i32>();
        match texts.and_then(|texts| normalise_all(&self.normalisers, texts)) {
            Some(changed) => Arc::new(changed),
            None => Arc::clone(values),
        }
    }
}

fn find<'a>(batch: &'a RecordBatch, field: &Field) -> Result<&'a ArrayRef, QualityError> {
    let column = batch
        .column_by_name(field.name())
        .ok_or_else(|| QualityError::MissingColumn { column: field.name().clone() })?;
    if column.data_type() == field.data_type() {
        return Ok(column);
    }
    Err(QualityError::ColumnType {
        column: field.name().clone(),
        found: column.data_type().clone(),
        wanted: field.data_type().clone(),
    })
}

fn cleared(values: &ArrayRef, where_true: &BooleanArray) -> Result<ArrayRef, QualityError> {
    nullif(values.as_ref(), where_true).map_err(QualityError::Batch)
}

#[cfg(test)]
mod tests;
