//! A plan that is asked for some keys only.
//!
//! `restrict` puts the keys where they narrow the reading: into the scans. Its result has all rows
//! of the plan with one of the keys, and perhaps others; so whoever asks filters once more.

use std::sync::Arc;

use datafusion::common::Column;
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, Join, JoinType, LogicalPlan, TableScan, Union};

use super::affected::Side;
use super::trace::{Traced, Untraceable, below, column_at, only_input, replace};

/// An expression over a node's output with the place of the key column that it equals.
pub(super) type KeyExpr = (usize, Expr);

/// Gives scans that are asked for some values of some of their columns.
pub(super) trait Narrow {
    /// The scan where each of the columns, named as in the table, has the value of the key column
    /// beside it, in one of the keys.
    fn scan(&self, scan: &TableScan, keys: &[(String, usize)]) -> Result<LogicalPlan>;
}

/// The plan for keys only; unchanged where they cannot be followed.
///
/// # Errors
/// When a plan cannot be put together: a bug.
pub(super) fn restrict(
    plan: &LogicalPlan,
    keys: &[KeyExpr],
    narrow: &dyn Narrow,
) -> Result<LogicalPlan> {
    if keys.is_empty() {
        return Ok(plan.clone());
    }
    match plan {
        LogicalPlan::TableScan(scan) => {
            let column = |(place, expr): &KeyExpr| match expr {
                Expr::Column(column) => Some((column.name.clone(), *place)),
                _ => None,
            };
            let known: Vec<(String, usize)> = keys.iter().filter_map(column).collect();
            if known.is_empty() { Ok(plan.clone()) } else { narrow.scan(scan, &known) }
        }
        LogicalPlan::Join(join) => joined(plan, join, keys, narrow),
        LogicalPlan::Union(union) => united(plan, union, keys, narrow),
        node => {
            let Some(input) = only_input(node) else { return Ok(plan.clone()) };
            let keys = followed(keys, |expr| below(node, expr));
            let input = restrict(input, &keys, narrow)?;
            node.with_new_exprs(node.expressions(), vec![input])
        }
    }
}

/// The keys that can be followed.
fn followed(keys: &[KeyExpr], below: impl Fn(&Expr) -> Traced<Expr>) -> Vec<KeyExpr> {
    keys.iter().filter_map(|(place, expr)| Some((*place, below(expr).ok()?))).collect()
}

fn joined(
    plan: &LogicalPlan,
    join: &Join,
    keys: &[KeyExpr],
    narrow: &dyn Narrow,
) -> Result<LogicalPlan> {
    let (left, right) = Side::both(join);
    // Rows of the other side that have no key of ours never meet rows that have one. A row of the
    // kept side must stay, so keys that come from the other one do not narrow it.
    let (narrow_left, narrow_right) = match join.join_type {
        JoinType::Inner => (true, true),
        JoinType::Left | JoinType::LeftSemi | JoinType::LeftAnti | JoinType::LeftMark => {
            (true, !join.null_aware)
        }
        JoinType::Right | JoinType::RightSemi | JoinType::RightAnti | JoinType::RightMark => {
            (true, true)
        }
        JoinType::Full => (false, false),
    };
    let kept = match join.join_type {
        JoinType::Inner | JoinType::Full => None,
        JoinType::Left | JoinType::LeftSemi | JoinType::LeftAnti | JoinType::LeftMark => {
            Some(&left)
        }
        JoinType::Right | JoinType::RightSemi | JoinType::RightAnti | JoinType::RightMark => {
            Some(&right)
        }
    };
    let usable: Vec<KeyExpr> = match kept {
        None => keys.to_vec(),
        Some(kept) => {
            let stands = |(_, e): &&KeyExpr| super::trace::stands_on(e, kept.plan.schema());
            keys.iter().filter(stands).cloned().collect()
        }
    };
    let of = |side: &Side<'_>, other: &Side<'_>, narrowed: bool| {
        let keys =
            if narrowed { followed(&usable, |expr| side.express(other, expr)) } else { Vec::new() };
        restrict(side.plan, &keys, narrow)
    };
    let inputs = vec![of(&left, &right, narrow_left)?, of(&right, &left, narrow_right)?];
    plan.with_new_exprs(plan.expressions(), inputs)
}

fn united(
    plan: &LogicalPlan,
    union: &Union,
    keys: &[KeyExpr],
    narrow: &dyn Narrow,
) -> Result<LogicalPlan> {
    let input = |input: &Arc<LogicalPlan>| {
        let of_input = |column: &Column| {
            let place = union.schema.maybe_index_of_column(column);
            let place = place.ok_or_else(|| Untraceable(format!("no column `{column}`")))?;
            Ok(column_at(input.schema(), place))
        };
        restrict(input, &followed(keys, |expr| replace(expr, of_input)), narrow)
    };
    let inputs = union.inputs.iter().map(input).collect::<Result<Vec<_>>>()?;
    plan.with_new_exprs(plan.expressions(), inputs)
}
