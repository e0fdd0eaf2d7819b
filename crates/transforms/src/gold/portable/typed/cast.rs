//! Casts, written and into declared columns.

use datafusion::common::ScalarValue;
use datafusion::logical_expr::Expr;
use datafusion::logical_expr::expr::Cast;

use super::{Checker, Scope, Value};
use crate::gold::portable::rules;
use crate::gold::portable::spark_type::SparkType;
use crate::gold::portable::syntax::is_date;

/// Decimals of so many digits are exact in a double's 53 bits, and so is every power of ten that
/// divides them, so that the quotient is the nearest double in both engines.
const DOUBLE_DIGITS: u8 = 15;

impl Checker<'_, '_> {
    pub(super) fn cast(&mut self, cast: &Cast, scope: &Scope<'_>) -> Value {
        let to = SparkType::of_arrow(&cast.data_type);
        if let (Expr::BinaryExpr(binary), SparkType::Decimal(_, scale)) = (cast.expr.as_ref(), to)
            && self.cast_quotient(binary, scale, scope).is_some()
        {
            return Value::of(to);
        }
        let from = self.expr(&cast.expr, scope);
        if !is_target(to) {
            // The name of the type is a finding of the syntax.
            return Value::of(to);
        }
        match (cast.expr.as_ref(), from.spark) {
            (Expr::Literal(ScalarValue::Utf8(Some(text)), _), SparkType::String) => {
                self.cast_of_text(text, to);
            }
            _ if is_portable(from.spark, to) => {}
            _ => {
                let message = format!("the engines cast {} to {to} differently", from.spark);
                self.find(rules::CAST, message, hint_for(from.spark, to));
            }
        }
        let whole = to.is_integer() || matches!(to, SparkType::Decimal(_, 0));
        Value { digits: from.digits.filter(|_| whole), ..Value::of(to) }
    }

    fn cast_of_text(&mut self, text: &str, to: SparkType) {
        let fits = match to {
            SparkType::String => true,
            SparkType::Date => is_date(text),
            SparkType::Boolean => matches!(text, "true" | "false"),
            SparkType::Smallint | SparkType::Int | SparkType::Bigint => is_number(text, false),
            SparkType::Decimal(..) | SparkType::Double => is_number(text, true),
            _ => false,
        };
        if !fits {
            let message = format!("`{text}` is not the plain form of {to}");
            self.find(rules::CAST, message, "write 2024-12-31, -1.5, 17, true or false");
        }
    }
}

fn is_target(to: SparkType) -> bool {
    !to.is_open()
        && !matches!(
            to,
            SparkType::Timestamp | SparkType::TimestampNtz | SparkType::Float | SparkType::Binary
        )
}

/// True when both engines cast every value alike, or both fail.
fn is_portable(from: SparkType, to: SparkType) -> bool {
    use SparkType::{Bigint, Boolean, Date, Decimal, Double, Float, Int, Smallint, String};
    match (from, to) {
        (SparkType::Void | SparkType::Unknown, _) => true,
        // Of other texts than 2024-12-31 Spark reads some at which DataFusion stops: no value differs.
        (String, Date) => true,
        _ if from == to => true,
        (
            Smallint | Int | Bigint,
            Smallint | Int | Bigint | Decimal(..) | Double | String | Boolean,
        )
        | (Decimal(..), Smallint | Int | Bigint | Decimal(..) | String)
        | (Float, Double | Smallint | Int | Bigint)
        | (Double, Smallint | Int | Bigint)
        | (Boolean, Smallint | Int | Bigint | String)
        | (Date, String)
        | (SparkType::Timestamp | SparkType::TimestampNtz, Date) => true,
        (Decimal(precision, _), Double) => precision <= DOUBLE_DIGITS,
        _ => false,
    }
}

/// True when a value can be stored in a declared column.
pub(super) fn is_stored(from: SparkType, declared: SparkType) -> bool {
    let float = (from, declared) == (SparkType::Double, SparkType::Float);
    // A text or a truth is no number by intention, nor the other way round.
    let alike =
        |t: SparkType| matches!(t, SparkType::String | SparkType::Boolean | SparkType::Date);
    let kept = from == declared || from.is_open() || !(alike(from) || alike(declared));
    float || (kept && is_portable(from, declared))
}

fn hint_for(from: SparkType, to: SparkType) -> &'static str {
    match (from, to) {
        (SparkType::Float | SparkType::Double, SparkType::Decimal(..)) => {
            "Spark rounds the shortest text of the double, DataFusion its binary value: declare the \
             column as decimal in the contract, or write cast(x * 1000 as bigint)"
        }
        (SparkType::Decimal(..), SparkType::Double) => {
            "decimals of up to 15 digits become the same double: cast to such a one first"
        }
        (SparkType::Timestamp | SparkType::TimestampNtz, SparkType::String) => {
            "texts of times differ: write cast(cast(t as date) as string)"
        }
        (SparkType::String, _) => "type the column in the contract; literals can be cast",
        (_, SparkType::Boolean) => "write `x <> 0`",
        _ => "docs/portable-sql.md lists the casts that both engines do alike",
    }
}

fn is_number(text: &str, fraction: bool) -> bool {
    let digits = |t: &str| !t.is_empty() && t.bytes().all(|b| b.is_ascii_digit());
    let text = text.strip_prefix('-').unwrap_or(text);
    match text.split_once('.') {
        None => digits(text),
        Some((whole, part)) => fraction && digits(whole) && digits(part),
    }
}
