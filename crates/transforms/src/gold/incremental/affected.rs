//! Which keys of a model's result can differ, from the rows of its inputs that changed.
//!
//! For a plan and expressions over its output, `affected` gives plans whose rows hold the values of
//! these expressions in every output row that is there at one of two times only. It may give more
//! values, never fewer. The rules follow from how each node makes its rows:
//!
//! * a scan: the expressions over the rows that changed;
//! * projection, filter, alias, sort, distinct: what holds for the input;
//! * aggregate, window: the same, for expressions over what rows are grouped or partitioned by, since
//!   a group changes only by a row in it;
//! * union: what holds for one of the inputs;
//! * join: an output row appears or goes only by a changed row of one side together with a row that
//!   the other side has, or had. Where the expressions are known from the changed side, by the
//!   equalities of the join too, the other side is not even read. Rows that an outer, semi or anti
//!   join gives without a partner change only by a partner.

use std::sync::Arc;

use datafusion::common::{Column, NullEquality, TableReference};
use datafusion::error::Result;
use datafusion::logical_expr::{
    Expr, Filter, Join, JoinType, LogicalPlan, LogicalPlanBuilder, TableScan, Union,
};

use super::trace::{
    Traced, Untraceable, below, column_at, columns, holds, only_input, replace, stands_on,
};

/// The plans of what changed below a plan's scans.
pub(super) trait Changes {
    /// True when a row of the table changed.
    fn changed(&self, scan: &TableScan) -> bool;
    /// The rows of the scan that are there at one time only, in its own columns.
    fn rows(&self, scan: &TableScan) -> Result<LogicalPlan>;
    /// The plan over the tables as they were.
    fn before(&self, plan: &LogicalPlan) -> Result<LogicalPlan>;
}

/// Finds affected keys.
pub(super) struct Affected<'a> {
    pub(super) changes: &'a dyn Changes,
    /// Makes the names of intermediate results differ.
    pub(super) names: std::cell::Cell<usize>,
}

/// Name of the nth expression in an intermediate result.
fn name(place: usize) -> String {
    format!("k{place}")
}

fn engine(error: datafusion::error::DataFusionError) -> Untraceable {
    Untraceable(error.to_string())
}

impl Affected<'_> {
    /// Plans with one column per expression, whose rows together hold every affected value.
    ///
    /// # Errors
    /// [`Untraceable`] when the expressions cannot be known from the rows that changed.
    pub(super) fn of(&self, plan: &LogicalPlan, want: &[Expr]) -> Traced<Vec<LogicalPlan>> {
        if !self.is_changed(plan) {
            return Ok(Vec::new());
        }
        if subqueries(plan).iter().any(|query| self.is_changed(query)) {
            return Err(Untraceable("a subquery stands in an expression".to_owned()));
        }
        match plan {
            LogicalPlan::TableScan(scan) => {
                let rows = self.changes.rows(scan).map_err(engine)?;
                Ok(vec![projected(rows, want.to_vec())?])
            }
            LogicalPlan::Filter(filter) => self.filter(filter, want),
            LogicalPlan::Union(union) => self.union(union, want),
            LogicalPlan::Join(join) => self.join(join, want),
            node => {
                let not_followed = || Untraceable(format!("`{}` is not followed", node.display()));
                let input = only_input(node).ok_or_else(not_followed)?;
                let want: Vec<Expr> =
                    want.iter().map(|expr| below(node, expr)).collect::<Traced<_>>()?;
                self.of(input, &want)
            }
        }
    }

    fn is_changed(&self, plan: &LogicalPlan) -> bool {
        match plan {
            LogicalPlan::TableScan(scan) => self.changes.changed(scan),
            // An expression may hold a subquery; its tables count as read here.
            node => {
                node.inputs().into_iter().any(|input| self.is_changed(input))
                    || subqueries(node).iter().any(|plan| self.is_changed(plan))
            }
        }
    }

    /// Rows that the filter lets pass at no time are left out where its columns are known.
    fn filter(&self, filter: &Filter, want: &[Expr]) -> Traced<Vec<LogicalPlan>> {
        let tested: Vec<Column> = columns(&filter.predicate).into_iter().collect();
        let mut wider = want.to_vec();
        wider.extend(tested.iter().cloned().map(Expr::Column));
        let exact = self.of(&filter.input, &wider).and_then(|plans| {
            let renamed = replace(&filter.predicate, |column| {
                let place = tested.iter().position(|c| c == column);
                let place = place.ok_or_else(|| Untraceable(format!("no column `{column}`")))?;
                Ok(Expr::Column(Column::from_name(name(want.len() + place))))
            })?;
            let narrow = |plan| {
                let passing = LogicalPlanBuilder::from(plan).filter(renamed.clone());
                let passing = passing.and_then(LogicalPlanBuilder::build).map_err(engine)?;
                let kept = (0..want.len()).map(|i| Expr::Column(Column::from_name(name(i))));
                projected(passing, kept.collect())
            };
            plans.into_iter().map(narrow).collect()
        });
        exact.or_else(|_| self.of(&filter.input, want))
    }

    fn union(&self, union: &Union, want: &[Expr]) -> Traced<Vec<LogicalPlan>> {
        let mut all = Vec::new();
        for input in &union.inputs {
            let of_input = |column: &Column| {
                let place = union.schema.maybe_index_of_column(column);
                let place = place.ok_or_else(|| Untraceable(format!("no column `{column}`")))?;
                Ok(column_at(input.schema(), place))
            };
            let want: Vec<Expr> =
                want.iter().map(|expr| replace(expr, of_input)).collect::<Traced<_>>()?;
            all.extend(self.of(input, &want)?);
        }
        Ok(all)
    }

    fn join(&self, join: &Join, want: &[Expr]) -> Traced<Vec<LogicalPlan>> {
        let (left, right) = Side::both(join);
        let kept = match join.join_type {
            JoinType::Inner => None,
            JoinType::Left | JoinType::LeftSemi | JoinType::LeftAnti | JoinType::LeftMark => {
                Some(&left)
            }
            JoinType::Right | JoinType::RightSemi | JoinType::RightAnti | JoinType::RightMark => {
                Some(&right)
            }
            JoinType::Full => return Err(Untraceable("a full join is not followed".to_owned())),
        };
        if let Some(kept) = kept
            && !want.iter().all(|expr| stands_on(expr, kept.plan.schema()))
        {
            let why = "the key comes from the side of an outer join that may be missing";
            return Err(Untraceable(why.to_owned()));
        }
        if join.null_aware && self.is_changed(right.plan) {
            return Err(Untraceable("NOT IN depends on all rows of its subquery".to_owned()));
        }
        let mut all = self.by_side(&left, &right, want)?;
        all.extend(self.by_side(&right, &left, want)?);
        Ok(all)
    }

    /// What rows of one side that changed do to the join's rows.
    fn by_side(&self, of: &Side<'_>, other: &Side<'_>, want: &[Expr]) -> Traced<Vec<LogicalPlan>> {
        if !self.is_changed(of.plan) {
            return Ok(Vec::new());
        }
        let known: Traced<Vec<Expr>> = want.iter().map(|expr| of.express(other, expr)).collect();
        if let Ok(known) = known {
            return self.of(of.plan, &known);
        }
        if of.on.is_empty() {
            return Err(Untraceable("a join has no equality by which to follow it".to_owned()));
        }
        if of.null_equals_null {
            return Err(Untraceable("a join takes NULL for equal to NULL".to_owned()));
        }
        let own: Vec<Column> =
            want.iter().flat_map(columns).filter(|c| holds(of.plan.schema(), c)).collect();
        let wanted = own.iter().cloned().map(Expr::Column).chain(of.on.iter().cloned());
        let wanted: Vec<Expr> = wanted.collect();
        let mut partners = vec![other.plan.clone()];
        if self.is_changed(other.plan) {
            partners.push(self.changes.before(other.plan).map_err(engine)?);
        }
        let mut all = Vec::new();
        for changed in self.of(of.plan, &wanted)? {
            for partner in &partners {
                all.push(self.meet(changed.clone(), &own, partner, other, want)?);
            }
        }
        Ok(all)
    }

    /// Changed rows of one side joined with the rows of the other.
    fn meet(
        &self,
        changed: LogicalPlan,
        own: &[Column],
        partner: &LogicalPlan,
        other: &Side<'_>,
        want: &[Expr],
    ) -> Traced<LogicalPlan> {
        let number = self.names.get();
        self.names.set(number + 1);
        let alias = format!("changed_{number}");
        let at = |place: usize| {
            Expr::Column(Column::new(Some(TableReference::bare(alias.clone())), name(place)))
        };
        let keys: Vec<Expr> = (0..other.on.len()).map(|i| at(own.len() + i)).collect();
        let joined = LogicalPlanBuilder::from(changed)
            .alias(alias.as_str())
            .and_then(|b| {
                let on = (keys, other.on.clone());
                b.join_with_expr_keys(partner.clone(), JoinType::Inner, on, None)
            })
            .and_then(LogicalPlanBuilder::build)
            .map_err(engine)?;
        let renamed = |column: &Column| {
            let place = own.iter().position(|c| c == column);
            Ok(place.map_or_else(|| Expr::Column(column.clone()), at))
        };
        let want = want.iter().map(|expr| replace(expr, renamed)).collect::<Traced<_>>()?;
        projected(joined, want)
    }
}

/// One side of a join.
pub(super) struct Side<'a> {
    pub(super) plan: &'a LogicalPlan,
    /// Its expressions in the equalities of the join.
    pub(super) on: Vec<Expr>,
    /// Whether NULL meets NULL.
    null_equals_null: bool,
}

impl<'a> Side<'a> {
    pub(super) fn both(join: &'a Join) -> (Side<'a>, Side<'a>) {
        let (left, right) = join.on.iter().cloned().unzip();
        let null_equals_null = join.null_equality == NullEquality::NullEqualsNull;
        let side = |plan, on| Side { plan, on, null_equals_null };
        (side(&join.left, left), side(&join.right, right))
    }

    /// The expression over this side's columns: those of the other side are replaced by what they
    /// equal in rows that are joined.
    pub(super) fn express(&self, other: &Side<'_>, expr: &Expr) -> Traced<Expr> {
        replace(expr, |column| {
            if holds(self.plan.schema(), column) {
                return Ok(Expr::Column(column.clone()));
            }
            let equal = other.on.iter().position(|on| matches!(on, Expr::Column(c) if c == column));
            let equal = equal.and_then(|place| self.on.get(place)).cloned();
            equal.ok_or_else(|| Untraceable(format!("`{column}` is not known from one side")))
        })
    }
}

fn projected(plan: LogicalPlan, want: Vec<Expr>) -> Traced<LogicalPlan> {
    let named = want.into_iter().enumerate().map(|(i, expr)| expr.alias(name(i)));
    let built = LogicalPlanBuilder::from(plan).project(named.collect::<Vec<_>>());
    built.and_then(LogicalPlanBuilder::build).map_err(engine)
}

/// The plans of subqueries in a node's expressions.
fn subqueries(node: &LogicalPlan) -> Vec<Arc<LogicalPlan>> {
    use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
    let mut found = Vec::new();
    for expr in node.expressions() {
        // The closure never fails.
        let _ = expr.apply(|part| {
            match part {
                Expr::ScalarSubquery(query) => found.push(Arc::clone(&query.subquery)),
                Expr::Exists(exists) => found.push(Arc::clone(&exists.subquery.subquery)),
                Expr::InSubquery(within) => found.push(Arc::clone(&within.subquery.subquery)),
                Expr::SetComparison(set) => found.push(Arc::clone(&set.subquery.subquery)),
                _ => {}
            }
            Ok(TreeNodeRecursion::Continue)
        });
    }
    found
}
