//! Row rules: SQL conditions, planned once as DataFusion physical expressions.

use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::buffer::BooleanBuffer;
use arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::DFSchema;
use datafusion::error::DataFusionError;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::prelude::SessionContext;
use medallion_definition::contract::{OnFail, RowRule};

use super::QualityError;

/// A row rule that can be evaluated.
#[derive(Debug)]
pub(crate) struct CompiledRowRule {
    pub(crate) name: String,
    pub(crate) on_fail: OnFail,
    condition: Arc<dyn PhysicalExpr>,
}

fn plan(
    context: &SessionContext,
    rule: &RowRule,
    schema: &SchemaRef,
) -> Result<(Arc<dyn PhysicalExpr>, DataType), DataFusionError> {
    let columns = DFSchema::try_from(Arc::clone(schema))?;
    let logical = context.parse_sql_expr(&rule.sql, &columns)?;
    let condition = context.create_physical_expr(logical, &columns)?;
    let found = condition.data_type(schema)?;
    Ok((condition, found))
}

impl CompiledRowRule {
    /// Plans a rule over normalised columns.
    pub(crate) fn new(
        context: &SessionContext,
        rule: &RowRule,
        schema: &SchemaRef,
    ) -> Result<CompiledRowRule, QualityError> {
        let name = rule.name.to_string();
        match plan(context, rule, schema) {
            Err(source) => Err(QualityError::RowRule { rule: name, source: Box::new(source) }),
            Ok((condition, DataType::Boolean)) => {
                Ok(CompiledRowRule { name, on_fail: rule.on_fail.clone(), condition })
            }
            Ok((_, found)) => Err(QualityError::NotBoolean { rule: name, found }),
        }
    }

    /// True for each row that fails: the condition is FALSE, not NULL.
    pub(crate) fn failing(&self, rows: &RecordBatch) -> Result<BooleanBuffer, QualityError> {
        // DataFusion's messages may quote the value at fault, so they go no further.
        let unclear = |_| QualityError::Evaluation { rule: self.name.clone() };
        let verdict = self.condition.evaluate(rows).map_err(unclear)?;
        let verdict = verdict.into_array(rows.num_rows()).map_err(unclear)?;
        let verdict = verdict.as_boolean();
        let is_false = !verdict.values();
        Ok(match verdict.nulls() {
            Some(nulls) => &is_false & nulls.inner(),
            None => is_false,
        })
    }
}
