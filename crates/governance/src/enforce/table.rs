//! A table that shows only what an access allows.

use std::any::Any;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use arrow::datatypes::{Field, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{Column, case};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::projection::{ProjectionExec, ProjectionExpr};
use medallion_definition::row_expression::RowExpression;

use super::error::{ScanFailed, SessionError};
use super::plan::GovernedExec;
use super::predicate::{bind, columns_read, index_of};
use crate::access::{CellAccess, ColumnAccess, RowAccess};

/// A visible column.
struct VisibleColumn {
    /// Its place in the inner table.
    index: usize,
    /// Where it is shown; none means in every returned row.
    shown_when: Option<RowExpression>,
}

/// A [`TableProvider`] over another one that returns filtered rows and masked cells, and whose
/// schema holds visible columns only. It accepts no filters and tells no statistics.
pub(super) struct GovernedTable {
    name: String,
    inner: Arc<dyn TableProvider>,
    schema: SchemaRef,
    rows: Option<RowExpression>,
    columns: Vec<VisibleColumn>,
}

impl fmt::Debug for GovernedTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GovernedTable").field("name", &self.name).finish_non_exhaustive()
    }
}

impl GovernedTable {
    pub(super) fn try_new(
        name: String,
        rows: &RowAccess,
        access: &[ColumnAccess],
        inner: Arc<dyn TableProvider>,
    ) -> std::result::Result<GovernedTable, SessionError> {
        let source = inner.schema();
        let rows = match rows {
            RowAccess::All => None,
            RowAccess::Filter(filter) => Some(filter.clone()),
        };
        let (mut fields, mut columns) = (Vec::new(), Vec::new());
        for column in access {
            let lower = column.name.to_ascii_lowercase();
            let Some(index) = index_of(&source, &lower) else {
                let twice = source.fields().iter().any(|f| f.name().eq_ignore_ascii_case(&lower));
                if twice {
                    return Err(SessionError::AmbiguousColumn { table: name, column: lower });
                }
                continue;
            };
            let shown_when = match &column.shown_when {
                CellAccess::Always => None,
                CellAccess::When(filter) => Some(filter.clone()),
            };
            let field = source.field(index);
            // Neither the table's nor the field's metadata is passed on: it may name hidden things.
            let nullable = field.is_nullable() || shown_when.is_some();
            fields.push(Field::new(lower, field.data_type().clone(), nullable));
            columns.push(VisibleColumn { index, shown_when });
        }
        for filter in rows.iter().chain(columns.iter().filter_map(|c| c.shown_when.as_ref())) {
            bind(filter, &source).map_err(|error| SessionError::Filter {
                table: name.clone(),
                reason: error.to_string(),
            })?;
        }
        Ok(GovernedTable { name, inner, schema: Arc::new(Schema::new(fields)), rows, columns })
    }

    /// The inner columns that a scan of these visible columns reads, in the inner table's order.
    fn inner_projection(&self, requested: &[usize]) -> Vec<usize> {
        let source = self.inner.schema();
        let mut needed: BTreeSet<usize> =
            self.rows.iter().flat_map(|filter| columns_read(filter, &source)).collect();
        for column in requested.iter().map(|i| &self.columns[*i]) {
            needed.insert(column.index);
            needed.extend(column.shown_when.iter().flat_map(|f| columns_read(f, &source)));
        }
        if needed.is_empty() {
            // Providers differ in what they make of an empty projection.
            needed.extend(self.columns.first().map(|c| c.index));
        }
        needed.into_iter().collect()
    }

    /// Inner scan, then rows, then cells.
    fn governed(
        &self,
        scan: Arc<dyn ExecutionPlan>,
        inner_projection: &[usize],
        requested: &[usize],
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let schema = scan.schema();
        let filter = |filter: &RowExpression| {
            bind(filter, &schema).map_err(|error| DataFusionError::External(Box::new(error)))
        };
        let mut cells = Vec::with_capacity(requested.len());
        for place in requested {
            let column = &self.columns[*place];
            let at = inner_projection.iter().position(|i| *i == column.index).ok_or_else(|| {
                DataFusionError::Internal("a visible column is not in its scan".to_owned())
            })?;
            let value: Arc<dyn PhysicalExpr> = Arc::new(Column::new(schema.field(at).name(), at));
            let cell = match &column.shown_when {
                None => value,
                Some(shown) => case(None, vec![(filter(shown)?, value)], None)?,
            };
            cells.push(ProjectionExpr::new(cell, self.schema.field(*place).name().clone()));
        }
        let rows: Arc<dyn ExecutionPlan> = match &self.rows {
            None => Arc::clone(&scan),
            Some(rows) => Arc::new(FilterExec::try_new(filter(rows)?, scan)?),
        };
        Ok(Arc::new(ProjectionExec::try_new(cells, rows)?))
    }
}

#[async_trait]
impl TableProvider for GovernedTable {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let requested =
            projection.cloned().unwrap_or_else(|| (0..self.columns.len()).collect::<Vec<_>>());
        let inner_projection = self.inner_projection(&requested);
        // Below a row filter a limit would count rows that nobody sees.
        let limit = limit.filter(|_| self.rows.is_none());
        let failed = |error| ScanFailed::wrap(&self.name, error);
        let scan =
            self.inner.scan(state, Some(&inner_projection), &[], limit).await.map_err(failed)?;
        let governed = self.governed(scan, &inner_projection, &requested).map_err(failed)?;
        let schema = Arc::new(self.schema.project(&requested)?);
        Ok(Arc::new(GovernedExec::new(self.name.clone(), governed, schema)))
    }
}
