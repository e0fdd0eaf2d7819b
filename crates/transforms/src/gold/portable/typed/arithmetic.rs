//! `+ - * / %`.

use datafusion::common::ScalarValue;
use datafusion::logical_expr::{BinaryExpr, Expr, Operator};

use super::expression::exact;
use super::{Checker, Scope, Value};
use crate::gold::portable::rules;
use crate::gold::portable::spark_type::{MAX_DIGITS, SparkType, quotient, wider_decimal};

const DIVIDE: &str = "write cast(cast(a as decimal(20, 10)) / b as decimal(14, 4)): the dividend has \
                      some more fraction digits than the result";
/// `DataFusion` takes a whole number in the query as a bigint, which is a decimal of 20 digits.
const LITERAL_DIGITS: u8 = 20;
/// Every number of so many digits is an int.
const INT_DIGITS: u8 = 9;
/// Fraction digits that `DataFusion` adds to the dividend's; further ones are cut off.
const ADDED_SCALE: u8 = 4;

impl Checker<'_, '_> {
    pub(super) fn arithmetic(&mut self, binary: &BinaryExpr, scope: &Scope<'_>) -> Value {
        let left = self.expr(&binary.left, scope);
        let right = self.expr(&binary.right, scope);
        let (l, r) = (left.spark, right.spark);
        if l.is_open() || r.is_open() {
            return Value::of(if l.is_open() { r } else { l });
        }
        if l.is_time() || r.is_time() {
            let message = format!("{l} {} {r} is computed with times", binary.op);
            let hint = "subtract unix_date(d) or unix_micros(t); make dates with make_date";
            self.find(rules::TIME, message, hint);
            return Value::of(SparkType::Unknown);
        }
        if l.is_integer() && r.is_integer() {
            return self.integers(binary, left, right);
        }
        let spark = if let (Some(l), Some(r)) = (exact(left), exact(right)) {
            self.decimals(binary, l, r)
        } else {
            self.floats(binary, l, r)
        };
        Value::of(spark)
    }

    fn integers(&mut self, binary: &BinaryExpr, left: Value, right: Value) -> Value {
        let spark = left.spark.wider(right.spark);
        let both = left.digits.zip(right.digits);
        let digits = match binary.op {
            Operator::Divide => {
                let message = "DataFusion cuts the quotient of whole numbers, Spark makes a double";
                self.find(rules::INT_DIVISION, message.to_owned(), DIVIDE);
                return Value::of(SparkType::Unknown);
            }
            // The remainder is no larger than its operands.
            Operator::Modulo => return Value { digits: left.digits, ..Value::of(spark) },
            Operator::Multiply => both.map(|(l, r)| l.saturating_add(r)),
            _ => both.map(|(l, r)| l.max(r).saturating_add(1)),
        };
        self.bigint(spark, digits, &binary.op.to_string());
        Value { digits, ..Value::of(spark) }
    }

    /// Arithmetic of whole numbers whose result may leave Spark's type.
    pub(super) fn bigint(&mut self, spark: SparkType, digits: Option<u8>, operator: &str) {
        let narrow = spark.is_integer() && spark != SparkType::Bigint;
        if narrow && digits.is_none_or(|digits| digits > INT_DIGITS) {
            let message = format!(
                "`{operator}` of {spark} fails beyond its range in Spark and goes wrong in DataFusion"
            );
            self.find(rules::INT_OVERFLOW, message, "write cast(x as bigint)");
        }
    }

    fn decimals(&mut self, binary: &BinaryExpr, l: (u8, u8), r: (u8, u8)) -> SparkType {
        let ((p1, s1), (p2, s2)) = (l, r);
        let (precision, scale) = match binary.op {
            Operator::Divide => {
                let message = "the engines give decimal quotients other digits".to_owned();
                self.find(rules::DECIMAL_DIVISION, message, DIVIDE);
                return SparkType::Unknown;
            }
            Operator::Multiply => (p1 + p2 + 1, s1 + s2),
            Operator::Modulo => ((p1 - s1).min(p2 - s2) + s1.max(s2), s1.max(s2)),
            _ => {
                let (precision, scale) = wider_decimal(l, r);
                (precision + 1, scale)
            }
        };
        if precision > MAX_DIGITS {
            let message = format!(
                "`{}` of decimals with {p1} and {p2} digits needs {precision}, and the engines cut it \
                 apart to 38",
                binary.op
            );
            let hint = "cast the operands to fewer digits first";
            self.find(rules::DECIMAL_PRECISION, message, hint);
            return SparkType::Unknown;
        }
        SparkType::Decimal(precision, scale)
    }

    fn floats(&mut self, binary: &BinaryExpr, l: SparkType, r: SparkType) -> SparkType {
        let number = |t: SparkType| t.is_integer() || t.is_float() || t.is_decimal();
        if !number(l) || !number(r) {
            let message = format!("`{}` is applied to {l} and {r}", binary.op);
            self.find(rules::ARGUMENT, message, "cast both to numbers");
            return SparkType::Unknown;
        }
        let spark = self.one_type(Value::of(l), Value::of(r));
        match binary.op {
            Operator::Divide if !is_never_zero(&binary.right) => {
                let message = "Spark fails at a division by zero, DataFusion makes infinity";
                let hint = "divide by a literal, or divide decimals";
                self.find(rules::DOUBLE_DIVISION, message.to_owned(), hint);
            }
            Operator::Modulo => {
                let message = "the remainder of doubles is not portable".to_owned();
                self.find(rules::FLOAT, message, "cast to decimal or bigint in the contract");
            }
            _ => {}
        }
        spark
    }

    /// A quotient that is cast to `decimal(_, scale)`; nothing when it is another division.
    pub(super) fn cast_quotient(
        &mut self,
        binary: &BinaryExpr,
        scale: u8,
        scope: &Scope<'_>,
    ) -> Option<()> {
        if binary.op != Operator::Divide {
            return None;
        }
        let left = self.expr(&binary.left, scope);
        let right = self.expr(&binary.right, scope);
        if !left.spark.is_decimal() && !right.spark.is_decimal() {
            return None;
        }
        let (l, r) = (exact(left)?, exact(right)?);
        let dividend = Dividend {
            digits: if left.literal && left.spark.is_integer() { LITERAL_DIGITS } else { l.0 },
            scale: l.1,
            needed: needed_scale(&binary.left, l.1, scope),
        };
        let divisor_digits = right.digits.unwrap_or(r.0).min(r.0);
        if let Some(why) = differs(&dividend, l, r, divisor_digits, scale) {
            self.find(rules::DECIMAL_DIVISION, why, DIVIDE);
        }
        Some(())
    }
}

struct Dividend {
    /// Digits in `DataFusion`.
    digits: u8,
    scale: u8,
    /// Fraction digits that can be other than zero.
    needed: u8,
}

/// Why the engines may round a quotient to other digits, or nothing when they cannot.
///
/// `DataFusion` cuts it after four more fraction digits than the dividend has, so that rounding to
/// fewer is right. Spark rounds it to a scale `S` and the cast rounds again, which is right when no
/// quotient lies within half a unit of `S` of a rounding boundary: a quotient `a / b` is further than
/// `1 / (2 b 10^d)` from it, where `b` is the divisor's unscaled value and `d` the larger of the
/// result's scale and the difference of the operands' scales.
fn differs(
    dividend: &Dividend,
    l: (u8, u8),
    r: (u8, u8),
    divisor: u8,
    scale: u8,
) -> Option<String> {
    if scale >= dividend.scale + ADDED_SCALE {
        return Some(format!(
            "DataFusion cuts this quotient off after {} fraction digits, the cast keeps {scale}",
            dividend.scale + ADDED_SCALE
        ));
    }
    if dividend.digits + ADDED_SCALE + r.1 > MAX_DIGITS {
        return Some("DataFusion needs more than 38 digits for this quotient".to_owned());
    }
    let (precision, spark) = quotient(l, r);
    let whole = l.0 - l.1 + r.1;
    if whole + spark > precision.max(MAX_DIGITS) {
        return Some("Spark needs more than 38 digits for this quotient".to_owned());
    }
    let boundary = scale.max(dividend.needed.saturating_sub(r.1));
    if divisor + boundary > spark {
        return Some(format!(
            "Spark rounds this quotient to {spark} fraction digits first, too few to round it to \
             {scale} right"
        ));
    }
    None
}

/// Fraction digits of a number before it was cast to more.
fn needed_scale(expr: &Expr, scale: u8, scope: &Scope<'_>) -> u8 {
    match expr {
        Expr::Cast(cast) => match cast.expr.as_ref() {
            Expr::Column(column) => match scope.value(column).and_then(|v| v.spark.as_decimal()) {
                Some((_, inner)) => inner.min(scale),
                None => scale,
            },
            Expr::Literal(..) => scale,
            inner => needed_scale(inner, scale, scope),
        },
        _ => scale,
    }
}

/// A number other than zero that stands in the query.
fn is_never_zero(expr: &Expr) -> bool {
    match expr {
        Expr::Literal(ScalarValue::Int64(Some(0)) | ScalarValue::Decimal128(Some(0), ..), _) => {
            false
        }
        Expr::Literal(..) => true,
        Expr::Cast(cast) => matches!(*cast.expr, Expr::Literal(..)) && is_never_zero(&cast.expr),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn why(l: (u8, u8), needed: u8, r: (u8, u8), divisor: u8, scale: u8) -> Option<String> {
        differs(&Dividend { digits: l.0, scale: l.1, needed }, l, r, divisor, scale)
    }

    #[test]
    fn quotients_are_portable_when_rounding_twice_is_rounding_once() {
        // A sum of cents over a count, and a share.
        assert_eq!(why((30, 10), 2, (20, 0), 15, 2), None);
        assert_eq!(why((20, 10), 0, (20, 0), 15, 4), None);
        assert_eq!(why((10, 2), 2, (1, 0), 1, 2), None);
        // Cut off before the digit that decides.
        assert!(why((10, 2), 2, (10, 0), 10, 6).unwrap().contains("cuts"));
        // Six fraction digits of Spark over a divisor of nineteen.
        assert!(why((38, 2), 2, (20, 0), 20, 2).unwrap().contains("38"));
        assert!(why((34, 2), 2, (20, 0), 19, 2).unwrap().contains("rounds"));
    }
}
