//! Following expressions from a plan's output down to its inputs.

use std::collections::BTreeSet;

use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema};
use datafusion::error::Result;
use datafusion::logical_expr::expr::WindowFunction;
use datafusion::logical_expr::{Distinct, Expr, LogicalPlan};

/// Why an expression of a node's output is no expression of its input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Untraceable(pub(super) String);

pub(super) type Traced<T> = std::result::Result<T, Untraceable>;

/// The input of a node that has one, whose rows decide alone about the rows with one value of an
/// expression (see [`below`]); nothing for joins, unions, leaves and nodes of other kinds.
pub(super) fn only_input(node: &LogicalPlan) -> Option<&LogicalPlan> {
    match node {
        LogicalPlan::Projection(n) => Some(&n.input),
        LogicalPlan::Filter(n) => Some(&n.input),
        LogicalPlan::SubqueryAlias(n) => Some(&n.input),
        LogicalPlan::Aggregate(n) => Some(&n.input),
        LogicalPlan::Window(n) => Some(&n.input),
        LogicalPlan::Distinct(Distinct::All(input)) => Some(input),
        LogicalPlan::Sort(n) if n.fetch.is_none() => Some(&n.input),
        _ => None,
    }
}

/// The expression over the node's only input that has the same value in all input rows that make an
/// output row. So the output rows with one value are made of the input rows with it, and of no
/// others.
pub(super) fn below(node: &LogicalPlan, expr: &Expr) -> Traced<Expr> {
    match node {
        LogicalPlan::Projection(n) => {
            replace(expr, |column| Ok(unalias(&n.expr[place(&n.schema, column)?]).clone()))
        }
        LogicalPlan::SubqueryAlias(n) => {
            let input = n.input.schema();
            replace(expr, |column| Ok(column_at(input, place(&n.schema, column)?)))
        }
        LogicalPlan::Aggregate(n) => replace(expr, |column| {
            let group = n.group_expr.get(place(&n.schema, column)?);
            match group.map(unalias) {
                Some(Expr::GroupingSet(_)) | None => {
                    Err(Untraceable(format!("`{}` is not what rows are grouped by", column.name)))
                }
                Some(group) => Ok(group.clone()),
            }
        }),
        LogicalPlan::Window(n) => replace(expr, |column| {
            let of_input = n.input.schema().maybe_index_of_column(column).is_some();
            if of_input && n.window_expr.iter().all(|w| partitions_by(w, column)) {
                return Ok(Expr::Column(column.clone()));
            }
            Err(Untraceable(format!("a window is not partitioned by `{}`", column.name)))
        }),
        LogicalPlan::Filter(_) | LogicalPlan::Sort(_) | LogicalPlan::Distinct(_) => {
            Ok(expr.clone())
        }
        other => Err(Untraceable(format!("`{}` is not followed", other.display()))),
    }
}

fn partitions_by(window: &Expr, column: &Column) -> bool {
    let Expr::WindowFunction(window) = unalias(window) else { return false };
    let WindowFunction { params, .. } = window.as_ref();
    params.partition_by.iter().any(|p| matches!(p, Expr::Column(c) if c == column))
}

/// An expression without the name that it is given.
pub(super) fn unalias(expr: &Expr) -> &Expr {
    match expr {
        Expr::Alias(alias) => unalias(&alias.expr),
        other => other,
    }
}

fn place(schema: &DFSchema, column: &Column) -> Traced<usize> {
    let found = schema.maybe_index_of_column(column);
    found.ok_or_else(|| Untraceable(format!("there is no column `{column}`")))
}

/// The column at a place of a schema.
pub(super) fn column_at(schema: &DFSchema, place: usize) -> Expr {
    Expr::Column(Column::from(schema.qualified_field(place)))
}

/// The expression with its columns replaced.
pub(super) fn replace(expr: &Expr, with: impl Fn(&Column) -> Traced<Expr>) -> Traced<Expr> {
    let mut failed = None;
    let replaced = expr.clone().transform(|part| match part {
        Expr::Column(column) => match with(&column) {
            Ok(other) => Ok(Transformed::new(other, true, TreeNodeRecursion::Jump)),
            Err(why) => {
                failed = Some(why);
                Ok(Transformed::new(Expr::Column(column), false, TreeNodeRecursion::Stop))
            }
        },
        Expr::ScalarSubquery(_)
        | Expr::Exists(_)
        | Expr::InSubquery(_)
        | Expr::SetComparison(_) => {
            failed = Some(Untraceable("a subquery stands in an expression".to_owned()));
            Ok(Transformed::new(part, false, TreeNodeRecursion::Stop))
        }
        other => Ok(Transformed::no(other)),
    });
    match failed {
        Some(why) => Err(why),
        None => replaced.data().map_err(|e| Untraceable(e.to_string())),
    }
}

/// The columns in an expression.
pub(super) fn columns(expr: &Expr) -> BTreeSet<Column> {
    expr.column_refs().into_iter().cloned().collect()
}

/// True when the schema has the column, by table and name: a name alone may be that of another
/// side of a join.
pub(super) fn holds(schema: &DFSchema, column: &Column) -> bool {
    schema.columns().contains(column)
}

/// True when the schema has all columns of the expression.
pub(super) fn stands_on(expr: &Expr, schema: &DFSchema) -> bool {
    expr.column_refs().into_iter().all(|column| holds(schema, column))
}

/// Puts other leaves in place of a plan's table scans.
pub(super) fn with_scans(
    plan: &LogicalPlan,
    scan: impl Fn(&datafusion::logical_expr::TableScan) -> Result<Option<LogicalPlan>>,
) -> Result<LogicalPlan> {
    let replaced = plan.clone().transform_up(|node| match &node {
        LogicalPlan::TableScan(found) => match scan(found)? {
            Some(other) => Ok(Transformed::yes(other)),
            None => Ok(Transformed::no(node)),
        },
        _ => Ok(Transformed::no(node)),
    });
    replaced.data()
}
