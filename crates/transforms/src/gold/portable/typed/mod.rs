//! The third pass: what only types tell. It walks the plan that `DataFusion`'s SQL planner makes,
//! before types are coerced, and computes for every expression the type that Spark gives to it.

mod arithmetic;
mod call;
mod cast;
mod expression;
mod keys;
mod window;

use std::collections::HashSet;

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema};
use datafusion::logical_expr::expr::WindowFunction;
use datafusion::logical_expr::{Aggregate, Distinct, Expr, Join, LogicalPlan, Union};
use medallion_definition::lake::LakeDefinition;

use super::place::Place;
use super::spark_type::{Mismatch, SparkType, common};
use super::{Report, rules};

/// Adds what the plan tells.
pub(super) fn check(
    lake: &LakeDefinition,
    plan: &LogicalPlan,
    silent_nulls: &HashSet<Place>,
    report: &mut Report<'_>,
) -> Vec<SparkType> {
    let mut checker = Checker { lake, silent_nulls, report, line: 1 };
    let result = checker.plan(plan, None);
    checker.result(&result);
    result.iter().map(|value| value.spark).collect()
}

/// What is known of a value.
#[derive(Clone, Copy, Debug)]
struct Value {
    /// Its type in Spark.
    spark: SparkType,
    /// The most digits that it has, without point, where that is less than the type allows.
    digits: Option<u8>,
    /// True when it is written in the query.
    literal: bool,
    /// The line that its definition begins on, for columns that have no place of their own.
    line: Option<u64>,
}

impl Value {
    fn of(spark: SparkType) -> Value {
        Value { spark, digits: None, literal: false, line: None }
    }
}

/// What columns an expression can name.
struct Scope<'a> {
    schema: &'a DFSchema,
    values: Vec<Value>,
    /// The scope around a subquery.
    outer: Option<&'a Scope<'a>>,
}

impl Scope<'_> {
    fn value(&self, column: &Column) -> Option<Value> {
        self.schema.maybe_index_of_column(column).and_then(|i| self.values.get(i)).copied()
    }

    fn outer_value(&self, column: &Column) -> Option<Value> {
        let outer = self.outer?;
        outer.value(column).or_else(|| outer.outer_value(column))
    }
}

struct Checker<'a, 'r> {
    lake: &'a LakeDefinition,
    silent_nulls: &'a HashSet<Place>,
    report: &'a mut Report<'r>,
    /// The line of the expression that was last seen with a place.
    line: u64,
}

impl Checker<'_, '_> {
    /// The columns of a plan.
    fn plan(&mut self, plan: &LogicalPlan, outer: Option<&Scope<'_>>) -> Vec<Value> {
        match plan {
            LogicalPlan::Projection(projection) => {
                let scope = self.scope(&projection.input, outer);
                projection.expr.iter().map(|e| self.top(e, &scope)).collect()
            }
            LogicalPlan::Filter(filter) => {
                let scope = self.scope(&filter.input, outer);
                self.top(&filter.predicate, &scope);
                scope.values
            }
            LogicalPlan::Aggregate(aggregate) => self.aggregate(aggregate, outer),
            LogicalPlan::Window(window) => {
                let mut scope = self.scope(&window.input, outer);
                let keys = keys::keys(self.lake, &window.input);
                let mut made = Vec::with_capacity(window.window_expr.len());
                for expr in &window.window_expr {
                    made.push(self.defined(expr, &scope));
                    if let Some(function) = window_function(expr) {
                        self.window(function, &scope, &keys);
                    }
                }
                scope.values.extend(made);
                scope.values
            }
            LogicalPlan::Join(join) => self.join(join, outer),
            LogicalPlan::Union(union) => self.union(union, outer),
            LogicalPlan::Distinct(Distinct::All(input)) => {
                let values = self.plan(input, outer);
                let floats = values.iter().any(|v| v.spark.is_float());
                self.no_floats(
                    floats,
                    "`distinct` and `union`",
                    "write union all, or cast to bigint",
                );
                values
            }
            LogicalPlan::SubqueryAlias(alias) => self.plan(&alias.input, outer),
            LogicalPlan::Subquery(subquery) => self.plan(&subquery.subquery, outer),
            LogicalPlan::Sort(sort) => self.plan(&sort.input, outer),
            LogicalPlan::Limit(limit) => self.plan(&limit.input, outer),
            // Tables; and what the syntax refuses.
            _ => {
                let fields = plan.schema().fields().iter();
                fields.map(|f| Value::of(SparkType::of_arrow(f.data_type()))).collect()
            }
        }
    }

    fn scope<'s>(&mut self, plan: &'s LogicalPlan, outer: Option<&'s Scope<'s>>) -> Scope<'s> {
        Scope { schema: plan.schema(), values: self.plan(plan, outer), outer }
    }

    fn aggregate(&mut self, aggregate: &Aggregate, outer: Option<&Scope<'_>>) -> Vec<Value> {
        let scope = self.scope(&aggregate.input, outer);
        let mut values = Vec::new();
        for key in &aggregate.group_expr {
            let value = self.defined(key, &scope);
            self.no_floats(value.spark.is_float(), "`group by`", "group by a decimal or bigint");
            values.push(value);
        }
        values.extend(aggregate.aggr_expr.iter().map(|e| self.defined(e, &scope)));
        values
    }

    fn join(&mut self, join: &Join, outer: Option<&Scope<'_>>) -> Vec<Value> {
        let mut values = self.plan(&join.left, outer);
        values.extend(self.plan(&join.right, outer));
        let Ok(schema) = join.left.schema().join(join.right.schema()) else { return values };
        let scope = Scope { schema: &schema, values, outer };
        for (left, right) in &join.on {
            let (left_value, right_value) = (self.top(left, &scope), self.top(right, &scope));
            self.comparable(left_value, right_value);
        }
        if let Some(filter) = &join.filter {
            self.top(filter, &scope);
        }
        let mut values = scope.values;
        values.truncate(join.schema.fields().len());
        values
    }

    fn union(&mut self, union: &Union, outer: Option<&Scope<'_>>) -> Vec<Value> {
        let mut inputs = union.inputs.iter();
        let Some(first) = inputs.next() else { return Vec::new() };
        let mut values = self.plan(first, outer);
        for input in inputs {
            let others = self.plan(input, outer);
            for (value, other) in values.iter_mut().zip(others) {
                *value = Value::of(self.one_type(*value, other));
            }
        }
        values
    }

    /// The result against the declared columns.
    fn result(&mut self, result: &[Value]) {
        let columns = &self.report.model.columns;
        // Another number of columns is the build's own finding.
        if columns.len() != result.len() {
            return;
        }
        for (column, value) in columns.iter().zip(result) {
            let declared = SparkType::of_lake(column.lake_type);
            if !cast::is_stored(value.spark, declared) {
                let message = format!(
                    "`{}` is {} in Spark and declared as {}",
                    column.name, value.spark, column.lake_type
                );
                let hint = "declare the type of the value, or cast it within the query";
                self.report.in_file(column.line, rules::COLUMN_TYPE, message, hint);
            }
        }
    }

    /// An expression of a node.
    fn top(&mut self, expr: &Expr, scope: &Scope<'_>) -> Value {
        if let Some(line) = self.place(expr, scope) {
            self.line = line;
        }
        self.expr(expr, scope)
    }

    /// An expression whose value later columns name without a place of their own.
    fn defined(&mut self, expr: &Expr, scope: &Scope<'_>) -> Value {
        let value = self.top(expr, scope);
        Value { line: self.place(expr, scope), ..value }
    }

    /// The line on which an expression's first column stands.
    fn place(&self, expr: &Expr, scope: &Scope<'_>) -> Option<u64> {
        let mut line = None;
        let _ = expr.apply(|part| {
            line = match part {
                Expr::Column(column) => match first_place(column) {
                    Some((line, _)) => Some(line),
                    None => scope.value(column).and_then(|v| v.line),
                },
                Expr::OuterReferenceColumn(_, column) => first_place(column).map(|(l, _)| l),
                _ => None,
            };
            Ok(if line.is_some() { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
        });
        line
    }

    fn find(&mut self, rule: medallion_definition::finding::RuleId, message: String, hint: &str) {
        self.report.at(self.line, rule, message, hint);
    }

    fn no_floats(&mut self, there: bool, what: &str, hint: &str) {
        if there {
            let message =
                format!("{what} compares floats, whose NaN and -0.0 the engines treat apart");
            self.find(rules::FLOAT, message, hint);
        }
    }

    /// The type of a value that is one of two.
    fn one_type(&mut self, left: Value, right: Value) -> SparkType {
        match common(left.spark, right.spark) {
            Ok(spark) => spark,
            Err(mismatch) => {
                self.mismatch(mismatch, left.spark, right.spark);
                SparkType::Unknown
            }
        }
    }

    fn mismatch(&mut self, mismatch: Mismatch, left: SparkType, right: SparkType) {
        match mismatch {
            Mismatch::Types => {
                let message = format!("{left} and {right} meet in one value or comparison");
                self.find(rules::TYPES, message, hint_for(left, right));
            }
            Mismatch::Digits => {
                let message = format!("no decimal of 38 digits holds both {left} and {right}");
                let hint = "cast the longer one to fewer digits first";
                self.find(rules::DECIMAL_PRECISION, message, hint);
            }
        }
    }
}

fn hint_for(left: SparkType, right: SparkType) -> &'static str {
    let either = |test: fn(SparkType) -> bool| test(left) || test(right);
    if either(|t| t == SparkType::Float) {
        "write cast(x as double)"
    } else if either(|t| t == SparkType::Double) {
        "write the decimal as cast(1.5 as double)"
    } else if either(|t| t == SparkType::Boolean) {
        "write the boolean itself, or `not x`; a number as `x = 1`"
    } else if either(|t| t == SparkType::Date) && either(|t| t == SparkType::String) {
        "write date '2024-12-31'"
    } else if either(SparkType::is_time) {
        "cast both to date, or keep times with zone and without apart"
    } else {
        "cast one of them to the type of the other"
    }
}

fn first_place(column: &Column) -> Option<Place> {
    column.spans.first().map(|span| (span.start.line, span.start.column))
}

fn window_function(expr: &Expr) -> Option<&WindowFunction> {
    match expr {
        Expr::WindowFunction(function) => Some(function),
        Expr::Alias(alias) => window_function(&alias.expr),
        _ => None,
    }
}
