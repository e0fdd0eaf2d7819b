//! Casts that lose nothing.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, PrimitiveArray};
use arrow::compute::kernels::cmp::distinct;
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Int64Type, TimeUnit, TimestampMicrosecondType,
    TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType, UInt64Type,
};

/// Never `safe`: a value that does not fit is an error, not a silent NULL.
const STRICT: CastOptions<'static> =
    CastOptions { safe: false, format_options: arrow::util::display::FormatOptions::new() };

/// The values in another type, or nothing when one of them would not survive. The reason of a
/// failure is left out, since it may quote the value.
pub(super) fn without_loss(column: &ArrayRef, to: &DataType) -> Option<ArrayRef> {
    let from = column.data_type();
    if from == to {
        return Some(Arc::clone(column));
    }
    if let (DataType::Timestamp(unit, zone), DataType::Timestamp(_, wanted)) = (from, to)
        && zone != wanted
        && (wanted.is_some() || zone.as_deref().is_some_and(is_utc))
    {
        // The same instants: DMS writes UTC without saying so.
        return without_loss(&relabelled(column, *unit, wanted.clone()), to);
    }
    if is_time(from) != is_time(to) && !is_text(from) && !is_text(to) {
        // Arrow takes the number for one of days or microseconds, and back again.
        return None;
    }
    if let DataType::Decimal128(precision, scale) = to
        && widens(from, to)
        && let Some(decimal) = decimal_of_integer(column, *precision, *scale)
    {
        return Some(decimal);
    }
    if let (DataType::Date32, DataType::Timestamp(..)) = (from, to)
        && column
            .as_primitive::<Date32Type>()
            .iter()
            .flatten()
            .any(|day| !(-LAST_DAY..=LAST_DAY).contains(&day))
    {
        // Arrow multiplies without looking.
        return None;
    }
    let cast = cast_with_options(column, to, &STRICT).ok()?;
    // Casts that round or cut show when they are undone.
    if widens(from, to) {
        return Some(cast);
    }
    let back = cast_with_options(&cast, from, &STRICT).ok()?;
    (distinct(&back, column).ok()?.true_count() == 0).then_some(cast)
}

/// A day that is still an instant in microseconds: in the year 291,000 or so.
const LAST_DAY: i32 = 106_000_000;

fn is_time(data_type: &DataType) -> bool {
    data_type.is_temporal()
}

fn is_text(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
}

fn is_utc(zone: &str) -> bool {
    matches!(zone, "UTC" | "+00:00" | "Z")
}

fn relabelled(column: &ArrayRef, unit: TimeUnit, zone: Option<Arc<str>>) -> ArrayRef {
    match unit {
        TimeUnit::Second => {
            Arc::new(column.as_primitive::<TimestampSecondType>().clone().with_timezone_opt(zone))
        }
        TimeUnit::Millisecond => {
            let column = column.as_primitive::<TimestampMillisecondType>().clone();
            Arc::new(column.with_timezone_opt(zone))
        }
        TimeUnit::Microsecond => {
            let column = column.as_primitive::<TimestampMicrosecondType>().clone();
            Arc::new(column.with_timezone_opt(zone))
        }
        TimeUnit::Nanosecond => {
            let column = column.as_primitive::<TimestampNanosecondType>().clone();
            Arc::new(column.with_timezone_opt(zone))
        }
    }
}

/// Wide integers as decimals, for which Arrow's own cast checks every value.
fn decimal_of_integer(column: &ArrayRef, precision: u8, scale: i8) -> Option<ArrayRef> {
    let factor = 10_i128.checked_pow(u32::try_from(scale).ok()?)?;
    fn scaled<T: ArrowPrimitiveType>(
        column: &ArrayRef,
        factor: i128,
    ) -> PrimitiveArray<Decimal128Type>
    where
        i128: From<T::Native>,
    {
        column.as_primitive::<T>().unary(|value| i128::from(value) * factor)
    }
    let values = match column.data_type() {
        DataType::UInt64 => scaled::<UInt64Type>(column, factor),
        DataType::Int64 => scaled::<Int64Type>(column, factor),
        _ => return None,
    };
    Some(Arc::new(values.with_precision_and_scale(precision, scale).ok()?))
}

/// The most decimal digits that a value of an integer type has.
fn integer_digits(data_type: &DataType) -> Option<u8> {
    Some(match data_type {
        DataType::Int8 | DataType::UInt8 => 3,
        DataType::Int16 | DataType::UInt16 => 5,
        DataType::Int32 | DataType::UInt32 => 10,
        DataType::Int64 => 19,
        DataType::UInt64 => 20,
        _ => return None,
    })
}

/// Width in bits, and whether there is a sign.
fn integer_width(data_type: &DataType) -> Option<(u8, bool)> {
    Some(match data_type {
        DataType::Int8 => (8, true),
        DataType::Int16 => (16, true),
        DataType::Int32 => (32, true),
        DataType::Int64 => (64, true),
        DataType::UInt8 => (8, false),
        DataType::UInt16 => (16, false),
        DataType::UInt32 => (32, false),
        DataType::UInt64 => (64, false),
        _ => return None,
    })
}

/// True when every value of one type is a value of the other, or the cast refuses it by itself.
fn widens(from: &DataType, to: &DataType) -> bool {
    if let (Some((from_bits, from_signed)), Some((to_bits, to_signed))) =
        (integer_width(from), integer_width(to))
    {
        return match (from_signed, to_signed) {
            (true, false) => false,
            (false, true) => from_bits < to_bits,
            _ => from_bits <= to_bits,
        };
    }
    match (from, to) {
        (_, DataType::Float64) if from.is_integer() => {
            integer_width(from).is_some_and(|(bits, _)| bits <= 32)
        }
        (_, DataType::Float32) if from.is_integer() => {
            integer_width(from).is_some_and(|(bits, _)| bits <= 16)
        }
        (DataType::Float32, DataType::Float64) => true,
        (_, DataType::Decimal128(precision, scale)) if from.is_integer() => {
            let whole = i16::from(*precision) - i16::from(*scale);
            *scale >= 0 && integer_digits(from).is_some_and(|digits| i16::from(digits) <= whole)
        }
        (DataType::Decimal128(p1, s1), DataType::Decimal128(p2, s2)) => {
            s2 >= s1 && i16::from(*p2) - i16::from(*s2) >= i16::from(*p1) - i16::from(*s1)
        }
        (DataType::Timestamp(from, z1), DataType::Timestamp(to, z2)) => from <= to && z1 == z2,
        (
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View,
            DataType::Utf8 | DataType::LargeUtf8,
        ) => true,
        (
            DataType::Binary
            | DataType::LargeBinary
            | DataType::BinaryView
            | DataType::FixedSizeBinary(_),
            DataType::Binary | DataType::LargeBinary,
        ) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests;
