//! One canonical text per value, made by MySQL on one side and from Arrow on the other.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int32Type, Int64Type, TimeUnit,
    TimestampMicrosecondType,
};
use medallion_definition::types::LakeType;

/// Microseconds, as MySQL's `%f` prints them.
const INSTANT: &str = "%Y-%m-%d %H:%M:%S%.6f";

/// A MySQL expression that gives the canonical text of a column of this lake type. `bits` is the
/// width of a BIT column. Floating-point columns come as they are: their bits are compared.
pub(super) fn mysql_expression(column: &str, lake_type: LakeType, bits: Option<u8>) -> String {
    let c = format!("`{column}`");
    match (lake_type, bits) {
        (LakeType::Boolean, _) => {
            format!("IF({c} + 0 = 1, 'true', IF({c} IS NULL, NULL, 'false'))")
        }
        (LakeType::Binary, Some(bits)) => {
            format!("LPAD(LOWER(HEX({c})), {}, '0')", usize::from(bits).div_ceil(8) * 2)
        }
        (LakeType::Binary, None) => format!("LOWER(HEX({c}))"),
        (LakeType::Date, _) => format!("DATE_FORMAT({c}, '%Y-%m-%d')"),
        (LakeType::Timestamp | LakeType::TimestampTz, _) => {
            format!("DATE_FORMAT({c}, '%Y-%m-%d %H:%i:%s.%f')")
        }
        (LakeType::Float | LakeType::Double, _) => c,
        // By way of a number, because MySQL prints the YEAR zero as `0000`.
        (LakeType::Int | LakeType::Long, _) => format!("CAST(CAST({c} AS SIGNED) AS CHAR)"),
        (LakeType::Decimal { .. } | LakeType::String, _) => {
            format!("CAST({c} AS CHAR CHARACTER SET utf8mb4)")
        }
    }
}

/// The canonical text of a value that MySQL returned for [`mysql_expression`].
pub(super) fn of_mysql(value: mysql_async::Value) -> Option<String> {
    match value {
        mysql_async::Value::NULL => None,
        mysql_async::Value::Float(v) => Some(format!("{v:e}")),
        mysql_async::Value::Double(v) => Some(format!("{v:e}")),
        mysql_async::Value::Bytes(bytes) => Some(String::from_utf8_lossy(&bytes).into_owned()),
        other => Some(other.as_sql(true)),
    }
}

/// The canonical texts of a column of the lake.
pub(super) fn of_arrow(array: &ArrayRef) -> Vec<Option<String>> {
    (0..array.len()).map(|row| array.is_valid(row).then(|| value(array, row))).collect()
}

fn value(array: &ArrayRef, row: usize) -> String {
    match array.data_type() {
        DataType::Boolean => array.as_boolean().value(row).to_string(),
        DataType::Int32 => array.as_primitive::<Int32Type>().value(row).to_string(),
        DataType::Int64 => array.as_primitive::<Int64Type>().value(row).to_string(),
        DataType::Float32 => format!("{:e}", array.as_primitive::<Float32Type>().value(row)),
        DataType::Float64 => format!("{:e}", array.as_primitive::<Float64Type>().value(row)),
        DataType::Decimal128(_, _) => array.as_primitive::<Decimal128Type>().value_as_string(row),
        DataType::Date32 => {
            let date = array.as_primitive::<Date32Type>().value_as_date(row);
            date.map(|d| d.format("%Y-%m-%d").to_string()).unwrap_or_default()
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            let time = array.as_primitive::<TimestampMicrosecondType>().value_as_datetime(row);
            time.map(|t| t.format(INSTANT).to_string()).unwrap_or_default()
        }
        DataType::Utf8 => array.as_string::<i32>().value(row).to_owned(),
        DataType::Binary => hex::encode(array.as_binary::<i32>().value(row)),
        DataType::LargeBinary => hex::encode(array.as_binary::<i64>().value(row)),
        DataType::LargeUtf8 => array.as_string::<i64>().value(row).to_owned(),
        other => format!("a value of the unforeseen type {other}"),
    }
}
