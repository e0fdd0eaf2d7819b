//! What an expression is computed from.

use datafusion::common::Column;
use datafusion::logical_expr::expr::{
    AggregateFunction, Between, BinaryExpr, Case, Cast, Like, TryCast, WindowFunction,
    WindowFunctionDefinition,
};
use datafusion::logical_expr::{Expr, Subquery};

use super::plan::Walk;
use super::scope::Scope;
use super::source::{Sources, Subtype, Transformation};
use crate::error::TransformError;

/// Expressions still to be looked at, each with what is done to its value.
type Todo<'e> = Vec<(Transformation, &'e Expr)>;

impl Walk<'_> {
    /// The sources of an expression to whose value `how` is done. Works through a list, so that
    /// expressions may be as deep as they like; only subqueries recurse.
    pub(super) fn expression(
        &self,
        expression: &Expr,
        how: Transformation,
        scope: &Scope<'_>,
    ) -> Result<Sources, TransformError> {
        let mut sources = Sources::default();
        let mut todo: Todo<'_> = vec![(how, expression)];
        while let Some((how, expression)) = todo.pop() {
            let changed = how.of(Transformation::new(Subtype::Transformation));
            match expression {
                Expr::Literal(..) => {}
                Expr::Column(c) => sources.add(how, self.found(scope.inner(c), c)?),
                Expr::OuterReferenceColumn(_, c) => {
                    sources.add(how, self.found(scope.outer(c), c)?);
                }
                Expr::Alias(alias) => todo.push((how, &alias.expr)),
                Expr::Not(e)
                | Expr::IsNotNull(e)
                | Expr::IsNull(e)
                | Expr::IsTrue(e)
                | Expr::IsFalse(e)
                | Expr::IsUnknown(e)
                | Expr::IsNotTrue(e)
                | Expr::IsNotFalse(e)
                | Expr::IsNotUnknown(e)
                | Expr::Negative(e)
                | Expr::Cast(Cast { expr: e, .. })
                | Expr::TryCast(TryCast { expr: e, .. }) => todo.push((changed, e)),
                Expr::BinaryExpr(BinaryExpr { left, right, .. })
                | Expr::Like(Like { expr: left, pattern: right, .. })
                | Expr::SimilarTo(Like { expr: left, pattern: right, .. }) => {
                    todo.extend([(changed, &**left), (changed, &**right)]);
                }
                Expr::Between(Between { expr, low, high, .. }) => {
                    todo.extend([expr, low, high].map(|e| (changed, &**e)));
                }
                Expr::InList(l) => {
                    todo.push((changed, &l.expr));
                    todo.extend(l.list.iter().map(|e| (changed, e)));
                }
                Expr::ScalarFunction(f) => todo.extend(f.args.iter().map(|e| (changed, e))),
                Expr::Case(case) => push_case(case, how, &mut todo),
                Expr::AggregateFunction(f) => push_aggregate(f, how, &mut todo),
                Expr::WindowFunction(f) => push_window(f, how, &mut todo),
                Expr::ScalarSubquery(q) => self.subquery(q, Some(how), how, scope, &mut sources)?,
                Expr::Exists(e) => self.subquery(&e.subquery, None, how, scope, &mut sources)?,
                Expr::InSubquery(i) => {
                    todo.push((changed, &i.expr));
                    self.subquery(&i.subquery, Some(changed), how, scope, &mut sources)?;
                }
                Expr::SetComparison(c) => {
                    todo.push((changed, &c.expr));
                    self.subquery(&c.subquery, Some(changed), how, scope, &mut sources)?;
                }
                #[expect(deprecated, reason = "a plan may still hold it")]
                Expr::Wildcard { .. } => return Err(self.unknown("a wildcard in an expression")),
                Expr::GroupingSet(_) => return Err(self.unknown("grouping sets")),
                Expr::Placeholder(_) => return Err(self.unknown("a parameter")),
                Expr::ScalarVariable(..) => return Err(self.unknown("a variable")),
                Expr::Unnest(_) => return Err(self.unknown("UNNEST")),
            }
        }
        Ok(sources)
    }

    fn found<'s>(
        &self,
        sources: Option<&'s Sources>,
        column: &Column,
    ) -> Result<&'s Sources, TransformError> {
        sources.ok_or_else(|| self.unknown(&format!("the column `{column}`, which it cannot see")))
    }

    /// A subquery within an expression. Its values count as `values` says, if they count at all;
    /// what decides about its rows decides about the expression.
    fn subquery(
        &self,
        subquery: &Subquery,
        values: Option<Transformation>,
        how: Transformation,
        scope: &Scope<'_>,
        sources: &mut Sources,
    ) -> Result<(), TransformError> {
        let relation = self.relation(&subquery.subquery, Some(scope))?;
        if let Some(values) = values {
            relation.columns.iter().for_each(|c| sources.add(values, c));
        }
        sources.add(how.of(Transformation::new(Subtype::Conditional)), &relation.rows);
        Ok(())
    }
}

fn push_case<'e>(case: &'e Case, how: Transformation, todo: &mut Todo<'e>) {
    let condition = how.of(Transformation::new(Subtype::Conditional));
    let value = how.of(Transformation::new(Subtype::Transformation));
    todo.extend(case.expr.iter().map(|e| (condition, &**e)));
    for (when, then) in &case.when_then_expr {
        todo.extend([(condition, &**when), (value, &**then)]);
    }
    todo.extend(case.else_expr.iter().map(|e| (value, &**e)));
}

fn push_aggregate<'e>(f: &'e AggregateFunction, how: Transformation, todo: &mut Todo<'e>) {
    let with = |subtype| how.of(Transformation::new(subtype));
    let value = how.of(aggregation(f.func.name()));
    let params = &f.params;
    todo.extend(params.args.iter().map(|e| (value, e)));
    todo.extend(params.filter.iter().map(|e| (with(Subtype::Conditional), &**e)));
    todo.extend(params.order_by.iter().map(|s| (with(Subtype::Sort), &s.expr)));
}

fn push_window<'e>(f: &'e WindowFunction, how: Transformation, todo: &mut Todo<'e>) {
    let with = |subtype| how.of(Transformation::new(subtype));
    let value = match &f.fun {
        WindowFunctionDefinition::AggregateUDF(f) => how.of(aggregation(f.name())),
        WindowFunctionDefinition::WindowUDF(_) => with(Subtype::Transformation),
    };
    let params = &f.params;
    todo.extend(params.args.iter().map(|e| (value, e)));
    todo.extend(params.partition_by.iter().map(|e| (with(Subtype::Window), e)));
    todo.extend(params.order_by.iter().map(|s| (with(Subtype::Window), &s.expr)));
    todo.extend(params.filter.iter().map(|e| (with(Subtype::Conditional), &**e)));
}

/// An aggregate's way with its arguments; `count` shows none of their values.
fn aggregation(function: &str) -> Transformation {
    Transformation { subtype: Subtype::Aggregation, masking: function == "count" }
}
