//! Types of expressions.

use std::collections::BTreeSet;

use datafusion::common::ScalarValue;
use datafusion::logical_expr::expr::{Case, InList};
use datafusion::logical_expr::{BinaryExpr, Expr, Operator, Subquery};

use super::{Checker, Mismatch, Scope, Value, keys};
use crate::gold::portable::rules;
use crate::gold::portable::spark_type::{MAX_DIGITS, SparkType, wider_decimal};

impl Checker<'_, '_> {
    pub(super) fn expr(&mut self, expr: &Expr, scope: &Scope<'_>) -> Value {
        let outer = self.line;
        if let Some(line) = self.place(expr, scope) {
            self.line = line;
        }
        let value = self.kind(expr, scope);
        self.line = outer;
        value
    }

    fn kind(&mut self, expr: &Expr, scope: &Scope<'_>) -> Value {
        match expr {
            Expr::Alias(alias) => self.expr(&alias.expr, scope),
            Expr::Column(column) => {
                let known = scope.value(column).or_else(|| scope.outer_value(column));
                Value { literal: false, ..known.unwrap_or(Value::of(SparkType::Unknown)) }
            }
            Expr::OuterReferenceColumn(_, column) => {
                scope.outer_value(column).unwrap_or(Value::of(SparkType::Unknown))
            }
            Expr::Literal(value, _) => self.literal(value),
            Expr::BinaryExpr(binary) => self.binary(binary, scope),
            Expr::Not(inner)
            | Expr::IsTrue(inner)
            | Expr::IsFalse(inner)
            | Expr::IsUnknown(inner)
            | Expr::IsNotTrue(inner)
            | Expr::IsNotFalse(inner)
            | Expr::IsNotUnknown(inner) => self.truth(inner, scope),
            Expr::IsNull(inner) | Expr::IsNotNull(inner) => {
                self.expr(inner, scope);
                Value::of(SparkType::Boolean)
            }
            Expr::Negative(inner) => self.negative(inner, scope),
            Expr::Like(like) => {
                for side in [&like.expr, &like.pattern] {
                    let value = self.expr(side, scope);
                    self.text(value.spark, "`like`");
                }
                Value::of(SparkType::Boolean)
            }
            Expr::Between(between) => {
                let value = self.expr(&between.expr, scope);
                for bound in [&between.low, &between.high] {
                    let bound = self.expr(bound, scope);
                    self.comparable(value, bound);
                }
                Value::of(SparkType::Boolean)
            }
            Expr::InList(list) => self.in_list(list, scope),
            Expr::Case(case) => self.case(case, scope),
            Expr::Cast(cast) => self.cast(cast, scope),
            Expr::ScalarFunction(function) => self.scalar(function, scope),
            Expr::AggregateFunction(function) => self.aggregated(function, scope),
            Expr::WindowFunction(function) => self.windowed(function, scope),
            Expr::Exists(exists) => {
                self.plan(&exists.subquery.subquery, Some(scope));
                Value::of(SparkType::Boolean)
            }
            Expr::InSubquery(subquery) => {
                let value = self.expr(&subquery.expr, scope);
                let column = self.plan(&subquery.subquery.subquery, Some(scope));
                if let Some(other) = column.first() {
                    self.comparable(value, *other);
                }
                Value::of(SparkType::Boolean)
            }
            Expr::ScalarSubquery(subquery) => self.scalar_subquery(subquery, scope),
            // The syntax refuses the rest.
            _ => Value::of(SparkType::Unknown),
        }
    }

    fn negative(&mut self, inner: &Expr, scope: &Scope<'_>) -> Value {
        let value = self.expr(inner, scope);
        self.number(value.spark);
        // DataFusion negates the smallest number of its type into itself.
        self.bigint(value.spark, value.digits, "-");
        Value { literal: false, ..value }
    }

    fn literal(&mut self, value: &ScalarValue) -> Value {
        let spark = match value {
            ScalarValue::Int64(Some(number)) if i32::try_from(*number).is_ok() => SparkType::Int,
            other => SparkType::of_arrow(&other.data_type()),
        };
        let digits = match value {
            ScalarValue::Int64(Some(number)) => Some(digits(number.unsigned_abs())),
            _ => None,
        };
        Value { spark, digits, literal: true, line: None }
    }

    fn binary(&mut self, binary: &BinaryExpr, scope: &Scope<'_>) -> Value {
        let BinaryExpr { left, op, right } = binary;
        match op {
            Operator::And | Operator::Or => {
                self.truth(left, scope);
                self.truth(right, scope)
            }
            Operator::StringConcat => {
                for side in [left, right] {
                    let value = self.expr(side, scope);
                    self.text(value.spark, "`||`");
                }
                Value::of(SparkType::String)
            }
            Operator::Plus
            | Operator::Minus
            | Operator::Multiply
            | Operator::Divide
            | Operator::Modulo => self.arithmetic(binary, scope),
            _ => {
                let (left, right) = (self.expr(left, scope), self.expr(right, scope));
                self.comparable(left, right);
                Value::of(SparkType::Boolean)
            }
        }
    }

    fn truth(&mut self, expr: &Expr, scope: &Scope<'_>) -> Value {
        let value = self.expr(expr, scope);
        if value.spark != SparkType::Boolean && !value.spark.is_open() {
            let message = format!("{} stands where Spark wants a boolean", value.spark);
            self.find(rules::TYPES, message, "write `x = 1`, or `x <> ''`");
        }
        Value::of(SparkType::Boolean)
    }

    pub(super) fn text(&mut self, spark: SparkType, what: &str) {
        if spark != SparkType::String && !spark.is_open() {
            let message = format!("{what} is applied to {spark}");
            self.find(rules::ARGUMENT, message, "write cast(x as string)");
        }
    }

    fn number(&mut self, spark: SparkType) {
        let number = spark.as_decimal().is_some() || spark.is_float();
        if !number && !spark.is_open() {
            let message = format!("arithmetic is applied to {spark}");
            self.find(rules::ARGUMENT, message, "cast it to a number");
        }
    }

    /// Two values that are compared.
    pub(super) fn comparable(&mut self, left: Value, right: Value) {
        if left.spark.is_float() || right.spark.is_float() {
            let message = "-0.0 equals 0.0 in Spark only".to_owned();
            let hint = "compare cast(x * 1000 as bigint), or declare the column as decimal";
            self.find(rules::FLOAT, message, hint);
            return;
        }
        if let (Some(l), Some(r)) = (exact(left), exact(right)) {
            let integers = left.spark.is_integer() && right.spark.is_integer();
            if !integers && wider_decimal(l, r).0 > MAX_DIGITS {
                self.mismatch(Mismatch::Digits, left.spark, right.spark);
            }
            return;
        }
        self.one_type(left, right);
    }

    fn in_list(&mut self, list: &InList, scope: &Scope<'_>) -> Value {
        let value = self.expr(&list.expr, scope);
        for item in &list.list {
            let item = self.expr(item, scope);
            self.comparable(value, item);
        }
        Value::of(SparkType::Boolean)
    }

    fn case(&mut self, case: &Case, scope: &Scope<'_>) -> Value {
        let operand = case.expr.as_ref().map(|e| self.expr(e, scope));
        let mut result = Value::of(SparkType::Void);
        for (when, then) in &case.when_then_expr {
            match operand {
                Some(operand) => {
                    let when = self.expr(when, scope);
                    self.comparable(operand, when);
                }
                None => {
                    self.truth(when, scope);
                }
            }
            let then = self.expr(then, scope);
            result = Value::of(self.one_type(result, then));
        }
        if let Some(other) = &case.else_expr {
            let other = self.expr(other, scope);
            result = Value::of(self.one_type(result, other));
        }
        result
    }

    fn scalar_subquery(&mut self, subquery: &Subquery, scope: &Scope<'_>) -> Value {
        let columns = self.plan(&subquery.subquery, Some(scope));
        if !subquery.outer_ref_columns.is_empty() {
            let message = "a subquery used as a value names columns from outside".to_owned();
            let hint = "left join a derived table that is grouped by these columns";
            self.find(rules::SUBQUERY, message, hint);
        } else if !keys::keys(self.lake, &subquery.subquery).iter().any(BTreeSet::is_empty) {
            let message = "a subquery used as a value may return more than one row".to_owned();
            let hint = "select an aggregate without group by, such as max(x)";
            self.find(rules::SUBQUERY, message, hint);
        }
        columns.first().copied().map_or(Value::of(SparkType::Unknown), |v| Value::of(v.spark))
    }
}

/// Precision and scale with which Spark takes a number into decimal arithmetic and comparisons: a
/// whole number written in the query has just its digits.
pub(super) fn exact(value: Value) -> Option<(u8, u8)> {
    match value {
        Value { spark, literal: true, digits: Some(digits), .. } if spark.is_integer() => {
            Some((digits, 0))
        }
        other => other.spark.as_decimal(),
    }
}

fn digits(number: u64) -> u8 {
    number.checked_ilog10().map_or(1, |log| u8::try_from(log + 1).unwrap_or(MAX_DIGITS))
}
