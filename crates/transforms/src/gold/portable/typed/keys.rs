//! Which columns of a plan are unique together.

use std::collections::BTreeSet;

use datafusion::common::{Column, JoinType, TableReference};
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{BinaryExpr, Distinct, Expr, Join, LogicalPlan, Operator};
use medallion_definition::catalogue::{self, HISTORY_GENERATION};
use medallion_definition::change::SILVER_CHANGE_SEQ;
use medallion_definition::lake::LakeDefinition;
use medallion_definition::name::ColumnName;

/// Positions of columns that are unique together.
type Key = BTreeSet<usize>;

/// More keys than a query needs; products of joins are cut there.
const MOST: usize = 32;

/// The keys of a plan that can be told without data; the empty key is that of a single row.
pub(super) fn keys(lake: &LakeDefinition, plan: &LogicalPlan) -> Vec<Key> {
    match plan {
        LogicalPlan::TableScan(scan) => {
            let names = table_key(lake, &scan.table_name);
            let schema = plan.schema();
            let positions = |names: Vec<String>| {
                names
                    .iter()
                    .map(|n| schema.index_of_column_by_name(None, n))
                    .collect::<Option<Key>>()
            };
            names.and_then(positions).into_iter().collect()
        }
        LogicalPlan::Projection(projection) => {
            let input = projection.input.schema();
            let shown = |position: &usize| {
                projection.expr.iter().position(|expr| {
                    column_of(expr).and_then(|c| input.maybe_index_of_column(c)) == Some(*position)
                })
            };
            let moved = |key: &Key| key.iter().map(shown).collect::<Option<Key>>();
            keys(lake, &projection.input).iter().filter_map(moved).collect()
        }
        LogicalPlan::Aggregate(aggregate) => vec![(0..aggregate.group_expr.len()).collect()],
        LogicalPlan::Distinct(Distinct::All(input)) => {
            let mut all = keys(lake, input);
            all.push((0..plan.schema().fields().len()).collect());
            all
        }
        LogicalPlan::Join(join) => joined(lake, join),
        LogicalPlan::Filter(filter) => keys(lake, &filter.input),
        LogicalPlan::Window(window) => keys(lake, &window.input),
        LogicalPlan::SubqueryAlias(alias) => keys(lake, &alias.input),
        LogicalPlan::Subquery(subquery) => keys(lake, &subquery.subquery),
        LogicalPlan::Sort(sort) => keys(lake, &sort.input),
        LogicalPlan::Limit(limit) => keys(lake, &limit.input),
        LogicalPlan::EmptyRelation(empty) if empty.produce_one_row => vec![Key::new()],
        _ => Vec::new(),
    }
}

/// The key of a table of the lake; feeds of changes have none, since one may come twice.
fn table_key(lake: &LakeDefinition, table: &TableReference) -> Option<Vec<String>> {
    let name = table.table();
    let texts = |names: &[ColumnName]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
    match table.schema()? {
        "silver" => lake.tables.iter().find_map(|contract| {
            if contract.table.lake_table() == name {
                return Some(texts(&contract.key));
            }
            let history = contract.history && catalogue::history_name(contract) == name;
            history.then(|| {
                let mut key = texts(&contract.key);
                key.extend([HISTORY_GENERATION.to_owned(), SILVER_CHANGE_SEQ.to_owned()]);
                key
            })
        }),
        "gold" => lake.model(name).map(|model| texts(&model.grain)),
        _ => None,
    }
}

fn joined(lake: &LakeDefinition, join: &Join) -> Vec<Key> {
    let width = join.left.schema().fields().len();
    let left = keys(lake, &join.left);
    let right: Vec<Key> = keys(lake, &join.right)
        .iter()
        .map(|key| key.iter().map(|position| position + width).collect())
        .collect();
    let bound = bound_columns(join);
    let one_left = left.iter().any(|key| key.is_subset(&bound));
    let one_right = right.iter().any(|key| key.is_subset(&bound));
    let mut all: Vec<Key> = Vec::new();
    if one_right && matches!(join.join_type, JoinType::Inner | JoinType::Left) {
        all.extend(left.iter().cloned());
    }
    if one_left && matches!(join.join_type, JoinType::Inner | JoinType::Right) {
        all.extend(right.iter().cloned());
    }
    let pairs = left.iter().flat_map(|l| right.iter().map(move |r| l.union(r).copied().collect()));
    all.extend(pairs);
    all.truncate(MOST);
    all
}

/// The columns, by position in the join, that the condition makes equal to a column of the other
/// side or to a literal.
fn bound_columns(join: &Join) -> Key {
    let Ok(schema) = join.left.schema().join(join.right.schema()) else { return Key::new() };
    let width = join.left.schema().fields().len();
    let position = |expr: &Expr| column_of(expr).and_then(|c| schema.maybe_index_of_column(c));
    let mut bound = Key::new();
    let mut equal = |left: &Expr, right: &Expr| match (position(left), position(right)) {
        (Some(l), Some(r)) if (l < width) != (r < width) => bound.extend([l, r]),
        (Some(column), None) if matches!(right, Expr::Literal(..)) => {
            bound.insert(column);
        }
        (None, Some(column)) if matches!(left, Expr::Literal(..)) => {
            bound.insert(column);
        }
        _ => {}
    };
    for (left, right) in &join.on {
        equal(left, right);
    }
    for condition in join.filter.iter().flat_map(split_conjunction) {
        if let Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) = condition {
            equal(left, right);
        }
    }
    bound
}

fn column_of(expr: &Expr) -> Option<&Column> {
    match expr {
        Expr::Column(column) => Some(column),
        Expr::Alias(alias) => column_of(&alias.expr),
        _ => None,
    }
}
