//! Spark's types and how they combine.

use std::fmt;

use datafusion::arrow::datatypes::DataType;
use medallion_definition::types::LakeType;

/// The most digits that a decimal of either engine has.
pub(super) const MAX_DIGITS: u8 = 38;

/// A type as Spark 3.5 sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SparkType {
    /// The type of NULL.
    Void,
    Boolean,
    Smallint,
    Int,
    Bigint,
    Float,
    Double,
    Decimal(u8, u8),
    Date,
    /// An instant; Iceberg's `timestamptz`.
    Timestamp,
    /// A local time; Iceberg's `timestamp`.
    TimestampNtz,
    String,
    Binary,
    /// Outside the subset, or a mistake that is a finding already.
    Unknown,
}

impl fmt::Display for SparkType {
    /// As Spark names the type.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SparkType::Decimal(precision, scale) => {
                return write!(f, "decimal({precision},{scale})");
            }
            SparkType::Void => "void",
            SparkType::Boolean => "boolean",
            SparkType::Smallint => "smallint",
            SparkType::Int => "int",
            SparkType::Bigint => "bigint",
            SparkType::Float => "float",
            SparkType::Double => "double",
            SparkType::Date => "date",
            SparkType::Timestamp => "timestamp",
            SparkType::TimestampNtz => "timestamp_ntz",
            SparkType::String => "string",
            SparkType::Binary => "binary",
            SparkType::Unknown => "unknown",
        })
    }
}

impl SparkType {
    /// The type of a table's column, or of a cast's target.
    pub(super) fn of_arrow(arrow: &DataType) -> SparkType {
        match arrow {
            DataType::Null => SparkType::Void,
            DataType::Boolean => SparkType::Boolean,
            DataType::Int16 => SparkType::Smallint,
            DataType::Int32 => SparkType::Int,
            DataType::Int64 => SparkType::Bigint,
            DataType::Float32 => SparkType::Float,
            DataType::Float64 => SparkType::Double,
            DataType::Decimal128(precision, scale) => match u8::try_from(*scale) {
                Ok(scale) => SparkType::Decimal(*precision, scale),
                Err(_) => SparkType::Unknown,
            },
            DataType::Date32 => SparkType::Date,
            DataType::Timestamp(_, None) => SparkType::TimestampNtz,
            DataType::Timestamp(_, Some(_)) => SparkType::Timestamp,
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => SparkType::String,
            DataType::Binary | DataType::LargeBinary | DataType::BinaryView => SparkType::Binary,
            _ => SparkType::Unknown,
        }
    }

    /// The type that Spark sees in an Iceberg table.
    pub(super) fn of_lake(lake: LakeType) -> SparkType {
        match lake {
            LakeType::Boolean => SparkType::Boolean,
            LakeType::Int => SparkType::Int,
            LakeType::Long => SparkType::Bigint,
            LakeType::Float => SparkType::Float,
            LakeType::Double => SparkType::Double,
            LakeType::Decimal { precision, scale } => SparkType::Decimal(precision, scale),
            LakeType::Date => SparkType::Date,
            LakeType::Timestamp => SparkType::TimestampNtz,
            LakeType::TimestampTz => SparkType::Timestamp,
            LakeType::String => SparkType::String,
            LakeType::Binary => SparkType::Binary,
        }
    }

    pub(super) fn is_integer(self) -> bool {
        matches!(self, SparkType::Smallint | SparkType::Int | SparkType::Bigint)
    }

    pub(super) fn is_decimal(self) -> bool {
        matches!(self, SparkType::Decimal(..))
    }

    pub(super) fn is_float(self) -> bool {
        matches!(self, SparkType::Float | SparkType::Double)
    }

    pub(super) fn is_time(self) -> bool {
        matches!(self, SparkType::Date | SparkType::Timestamp | SparkType::TimestampNtz)
    }

    /// True when no operation on it is worth a finding.
    pub(super) fn is_open(self) -> bool {
        matches!(self, SparkType::Void | SparkType::Unknown)
    }

    /// Precision and scale of the decimal that holds every value of an exact number.
    pub(super) fn as_decimal(self) -> Option<(u8, u8)> {
        match self {
            SparkType::Smallint => Some((5, 0)),
            SparkType::Int => Some((10, 0)),
            SparkType::Bigint => Some((20, 0)),
            SparkType::Decimal(precision, scale) => Some((precision, scale)),
            _ => None,
        }
    }

    /// The wider of two integers.
    pub(super) fn wider(self, other: SparkType) -> SparkType {
        match (self, other) {
            (SparkType::Bigint, _) | (_, SparkType::Bigint) => SparkType::Bigint,
            (SparkType::Int, _) | (_, SparkType::Int) => SparkType::Int,
            _ => SparkType::Smallint,
        }
    }
}

/// Why two values have no common type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mismatch {
    /// The engines make different types of them.
    Types,
    /// A decimal for both would have more than 38 digits.
    Digits,
}

/// The type of a value that is one of two, as in `coalesce`, `case` and `union`.
pub(super) fn common(left: SparkType, right: SparkType) -> Result<SparkType, Mismatch> {
    match (left, right) {
        (SparkType::Unknown, _) | (_, SparkType::Unknown) => return Ok(SparkType::Unknown),
        (SparkType::Void, other) | (other, SparkType::Void) => return Ok(other),
        _ if left == right => return Ok(left),
        _ if left.is_integer() && right.is_integer() => return Ok(left.wider(right)),
        // A bigint beyond 2^53 is rounded by both engines to the nearest double.
        (SparkType::Double, other) | (other, SparkType::Double) if other.is_integer() => {
            return Ok(SparkType::Double);
        }
        _ => {}
    }
    let (Some(left), Some(right)) = (left.as_decimal(), right.as_decimal()) else {
        return Err(Mismatch::Types);
    };
    let (precision, scale) = wider_decimal(left, right);
    if precision > MAX_DIGITS {
        return Err(Mismatch::Digits);
    }
    Ok(SparkType::Decimal(precision, scale))
}

/// The decimal that holds every value of two others (Spark's `DecimalPrecision.widerDecimalType`,
/// not yet bounded).
pub(super) fn wider_decimal((p1, s1): (u8, u8), (p2, s2): (u8, u8)) -> (u8, u8) {
    let scale = s1.max(s2);
    ((p1 - s1).max(p2 - s2) + scale, scale)
}

/// Spark's type of a decimal quotient: `p1 - s1 + s2 + max(6, s1 + p2 + 1)` digits, of which
/// `max(6, s1 + p2 + 1)` are a fraction that gives way, down to six digits, beyond 38 digits
/// (`DecimalType.adjustPrecisionScale`).
pub(super) fn quotient((p1, s1): (u8, u8), (p2, s2): (u8, u8)) -> (u8, u8) {
    let scale = (s1 + p2 + 1).max(6);
    let precision = p1 - s1 + s2 + scale;
    if precision <= MAX_DIGITS {
        return (precision, scale);
    }
    let whole = precision - scale;
    let kept = MAX_DIGITS.saturating_sub(whole).max(scale.min(6));
    (MAX_DIGITS, kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotients_follow_sparks_rule() {
        assert_eq!(quotient((10, 2), (1, 0)), (14, 6));
        assert_eq!(quotient((30, 10), (20, 0)), (38, 18));
        assert_eq!(quotient((20, 10), (20, 0)), (38, 28));
        assert_eq!(quotient((38, 2), (38, 10)), (38, 6));
    }

    #[test]
    fn values_of_two_types_are_of_a_type_that_holds_both() {
        let decimal = SparkType::Decimal;
        assert_eq!(common(decimal(10, 2), SparkType::Int), Ok(decimal(12, 2)));
        assert_eq!(common(decimal(10, 2), decimal(12, 4)), Ok(decimal(12, 4)));
        assert_eq!(common(decimal(38, 10), SparkType::Int), Ok(decimal(38, 10)));
        assert_eq!(common(decimal(38, 30), SparkType::Int), Err(Mismatch::Digits));
        assert_eq!(common(SparkType::Float, SparkType::Int), Err(Mismatch::Types));
        assert_eq!(common(SparkType::Date, SparkType::String), Err(Mismatch::Types));
        assert_eq!(common(SparkType::Void, SparkType::Date), Ok(SparkType::Date));
    }
}
