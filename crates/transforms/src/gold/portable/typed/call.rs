//! Calls of functions: arguments and results.

use datafusion::common::ScalarValue;
use datafusion::logical_expr::expr::{AggregateFunction, ScalarFunction, WindowFunction};
use datafusion::logical_expr::{Expr, WindowFunctionDefinition};

use super::{Checker, Scope, Value};
use crate::gold::portable::allowed::{self, Arg, CLOCK_PARTS, DATE_PARTS};
use crate::gold::portable::rules;
use crate::gold::portable::spark_type::{MAX_DIGITS, SparkType};

/// No count of rows has more digits.
const COUNT_DIGITS: u8 = 15;
/// Years of five digits, and their days since 1970.
const YEAR_DIGITS: u8 = 5;
const DAY_DIGITS: u8 = 8;
/// Functions into which `trim(… from …)` is planned.
const TRIMS: [&str; 3] = ["btrim", "ltrim", "rtrim"];
/// The largest code for which `chr` is the same.
const LAST_ASCII: i64 = 127;

impl Checker<'_, '_> {
    pub(super) fn scalar(&mut self, function: &ScalarFunction, scope: &Scope<'_>) -> Value {
        self.call(function.name(), &function.args, scope)
    }

    pub(super) fn aggregated(&mut self, function: &AggregateFunction, scope: &Scope<'_>) -> Value {
        let params = &function.params;
        if let Some(filter) = &params.filter {
            self.expr(filter, scope);
        }
        let value = self.call(function.func.name(), &params.args, scope);
        self.distinct(params.distinct, &params.args, scope);
        value
    }

    pub(super) fn windowed(&mut self, function: &WindowFunction, scope: &Scope<'_>) -> Value {
        let name = match &function.fun {
            WindowFunctionDefinition::AggregateUDF(function) => function.name(),
            WindowFunctionDefinition::WindowUDF(function) => function.name(),
        };
        self.call(name, &function.params.args, scope)
    }

    fn distinct(&mut self, distinct: bool, args: &[Expr], scope: &Scope<'_>) {
        for arg in args.iter().filter(|_| distinct) {
            let float = self.expr(arg, scope).spark.is_float();
            self.no_floats(float, "`distinct`", "cast to bigint in the query");
        }
    }

    /// Checks the arguments of a function of the subset and tells the type of its result.
    pub(super) fn call(&mut self, name: &str, args: &[Expr], scope: &Scope<'_>) -> Value {
        let values: Vec<Value> = args.iter().map(|arg| self.expr(arg, scope)).collect();
        let Some(allowed) = allowed::planned(name) else {
            return Value::of(SparkType::Unknown);
        };
        for (i, (arg, value)) in args.iter().zip(&values).enumerate() {
            let wanted = match allowed.args.get(i) {
                Some(wanted) => *wanted,
                // `trim(both 'x' from s)` is planned as a call with the characters behind.
                None if TRIMS.contains(&name) => Arg::LiteralText,
                None if allowed.most > allowed.args.len() => Arg::Same,
                // Their number is a finding of the syntax.
                None => continue,
            };
            if !fits(wanted, arg, value.spark) && !value.spark.is_open() {
                let message = format!(
                    "argument {} of `{}` is {}",
                    i + 1,
                    allowed.names[0],
                    describe(arg, value.spark)
                );
                self.find(rule_of(wanted, value.spark), message, &hint_for(wanted, allowed.why));
            }
        }
        self.bounds(name, args, &values);
        self.returned(name, &values)
    }

    fn bounds(&mut self, name: &str, args: &[Expr], values: &[Value]) {
        match (name, args, values) {
            ("chr", [Expr::Literal(ScalarValue::Int64(Some(code)), _)], _)
                if *code > LAST_ASCII =>
            {
                let message = format!("chr({code}) is not portable");
                self.find(rules::ARGUMENT, message, "write the character itself");
            }
            ("date_part", [Expr::Literal(ScalarValue::Utf8(Some(part)), _), _], [_, time])
                if time.spark == SparkType::Date && CLOCK_PARTS.contains(&lower(part).as_str()) =>
            {
                let message = format!("a date has no {}", lower(part));
                self.find(rules::ARGUMENT, message, "take it out of a time");
            }
            ("sum", _, [Value { spark: SparkType::Decimal(precision, _), .. }])
                if *precision > MAX_DIGITS - 10 =>
            {
                let message =
                    format!("the sum of decimals of {precision} digits may have more than 38");
                self.find(rules::DECIMAL_PRECISION, message, "cast to 28 digits or fewer first");
            }
            _ => {}
        }
    }

    fn returned(&mut self, name: &str, values: &[Value]) -> Value {
        let first = values.first().copied().unwrap_or(Value::of(SparkType::Unknown));
        let spark = match name {
            "count" => {
                return Value { digits: Some(COUNT_DIGITS), ..Value::of(SparkType::Bigint) };
            }
            "sum" => match first.spark {
                SparkType::Decimal(precision, scale) => {
                    SparkType::Decimal((precision + 10).min(MAX_DIGITS), scale)
                }
                spark if spark.is_integer() => SparkType::Bigint,
                _ => SparkType::Unknown,
            },
            "avg" => SparkType::Double,
            "bool_and" | "bool_or" | "contains" => SparkType::Boolean,
            "row_number" | "rank" | "dense_rank" | "ntile" | "character_length" | "strpos" => {
                SparkType::Int
            }
            "date_part" => {
                return Value { digits: Some(YEAR_DIGITS), ..Value::of(SparkType::Int) };
            }
            "unix_date" => {
                return Value { digits: Some(DAY_DIGITS), ..Value::of(SparkType::Int) };
            }
            "unix_micros" => SparkType::Bigint,
            "make_date" => SparkType::Date,
            "coalesce" | "greatest" | "least" => {
                let mut all = values.iter().copied();
                let start = all.next().unwrap_or(first);
                all.fold(start, |a, b| Value::of(self.one_type(a, b))).spark
            }
            "lag" | "lead" if values.len() == 3 => self.one_type(first, values[2]),
            "nullif" => {
                if let [left, right] = values {
                    self.comparable(*left, *right);
                }
                return Value { literal: false, ..first };
            }
            "min" | "max" | "abs" | "lag" | "lead" | "first_value" | "last_value" => first.spark,
            _ => SparkType::String,
        };
        Value::of(spark)
    }
}

fn fits(wanted: Arg, arg: &Expr, spark: SparkType) -> bool {
    let literal = |test: &dyn Fn(&str) -> bool| match arg {
        Expr::Literal(ScalarValue::Utf8(Some(text)), _) => test(&lower(text)),
        _ => false,
    };
    match wanted {
        Arg::Text => spark == SparkType::String,
        Arg::LiteralText => literal(&|text| !text.is_empty()),
        Arg::AtLeast(least) => match arg {
            Expr::Literal(ScalarValue::Int64(Some(number)), _) => {
                *number >= least && spark == SparkType::Int
            }
            _ => false,
        },
        Arg::Number => spark.as_decimal().is_some() || spark == SparkType::Double,
        Arg::Small => matches!(spark, SparkType::Smallint | SparkType::Int),
        Arg::Exact => spark.as_decimal().is_some(),
        Arg::Ordered => !spark.is_float() && spark != SparkType::Binary,
        // Whether they agree is seen where the result's type is made.
        Arg::Countable | Arg::Any | Arg::Same => true,
        Arg::Truth => spark == SparkType::Boolean,
        Arg::Date => spark == SparkType::Date,
        Arg::Time => spark.is_time(),
        Arg::Instant => spark == SparkType::Timestamp,
        Arg::Part => literal(&|t| DATE_PARTS.contains(&t) || CLOCK_PARTS.contains(&t)),
    }
}

fn rule_of(wanted: Arg, spark: SparkType) -> medallion_definition::finding::RuleId {
    match wanted {
        Arg::Exact | Arg::Ordered | Arg::Small if spark.is_float() => rules::FLOAT,
        _ => rules::ARGUMENT,
    }
}

fn hint_for(wanted: Arg, why: &str) -> String {
    format!("it takes {}: {why}", wanted.name())
}

fn describe(arg: &Expr, spark: SparkType) -> String {
    match arg {
        Expr::Literal(..) => format!("the literal `{arg}`"),
        _ => spark.to_string(),
    }
}

fn lower(text: &str) -> String {
    text.to_ascii_lowercase()
}
