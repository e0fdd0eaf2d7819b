//! Running a unit test: the model's query over its rows, shaped and checked as in a build.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use datafusion::catalog::TableProvider;
use datafusion::datasource::MemTable;
use datafusion::error::DataFusionError;

use super::verdict::{Difference, Verdict};
use super::{Expected, UnitTest};
use crate::error::TransformError;
use crate::gold::graph::query_error;
use crate::gold::session;
use crate::gold::shape::{broken_promises, repeated_grain, shape};

/// Runs the test.
///
/// Where rows are expected, columns that must not be NULL are not asked about: most of them are
/// not given. The grain has to be unique.
///
/// # Errors
/// [`TransformError::Query`] when the query does not plan.
pub async fn run(test: &UnitTest) -> Result<Verdict, TransformError> {
    let built = build(test).await?;
    let verdict = match (&test.expected, built) {
        (Expected::Rows(expected), Ok(rows)) => {
            let names = expected.schema();
            let names: Vec<usize> = names
                .fields()
                .iter()
                .map(|field| rows.schema().index_of(field.name()))
                .collect::<Result<_, _>>()?;
            let difference = Difference::between(expected, &rows.project(&names)?)?;
            match repeated_grain(&test.model, &rows)? {
                _ if !difference.is_empty() => Verdict::Differs(difference),
                Some(reason) => Verdict::NotPublished { reasons: vec![reason] },
                None => Verdict::Passed,
            }
        }
        (Expected::Rows(_), Err(reason)) => Verdict::NotPublished { reasons: vec![reason] },
        (Expected::Error(expected), built) => {
            let reasons = match built {
                Ok(rows) => broken_promises(&test.model, &rows)?,
                Err(reason) => vec![reason],
            };
            if reasons.iter().any(|reason| reason.contains(expected)) {
                Verdict::Passed
            } else {
                Verdict::OtherError { expected: expected.clone(), reasons }
            }
        }
    };
    Ok(verdict)
}

/// The rows in the model's shape, or why there are none.
async fn build(test: &UnitTest) -> Result<Result<RecordBatch, String>, TransformError> {
    let planning = |e| query_error(&test.model, e);
    let mut tables = Vec::new();
    for (input, rows) in &test.given {
        let partitions = vec![vec![rows.clone()]];
        let table = MemTable::try_new(rows.schema(), partitions).map_err(planning)?;
        let table: Arc<dyn TableProvider> = Arc::new(table);
        tables.push((input.clone(), table));
    }
    let context = session(tables).map_err(planning)?;
    let frame = context.sql(&test.model.sql).await.map_err(planning)?;
    let schema = Arc::clone(frame.schema().inner());
    // The values are those of the test, so the reason may quote them.
    let failed = |e: DataFusionError| format!("the query fails: {}", e.strip_backtrace());
    let batches = match frame.collect().await.map_err(failed) {
        Ok(batches) => batches,
        Err(reason) => return Ok(Err(reason)),
    };
    match shape(&test.model, &concat_batches(&schema, &batches)?) {
        Ok(rows) => Ok(Ok(rows)),
        Err(TransformError::Check { reason, .. }) => Ok(Err(reason)),
        Err(error) => Err(error),
    }
}
