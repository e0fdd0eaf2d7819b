//! Columns in the making: the one place where a MySQL value takes the contract's Arrow type.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryBuilder, BooleanBuilder, Date32Builder, Decimal128Builder, Float32Builder,
    Float64Builder, Int8Builder, Int16Builder, Int32Builder, Int64Builder, StringBuilder,
    TimestampMicrosecondBuilder, UInt8Builder, UInt16Builder, UInt32Builder, UInt64Builder,
};
use arrow::datatypes::{DataType, Decimal128Type, DecimalType};
use medallion_definition::types::MySqlType;
use medallion_ingestion::types::arrow_type;

use crate::value::{Cell, ValueError};
use crate::{decimal, json};

/// A column of one source type that grows value by value.
pub(crate) struct ColumnBuilder {
    source_type: MySqlType,
    values: Values,
    bytes: usize,
}

enum Values {
    Int8(Int8Builder),
    Int16(Int16Builder),
    Int32(Int32Builder),
    Int64(Int64Builder),
    UInt8(UInt8Builder),
    UInt16(UInt16Builder),
    UInt32(UInt32Builder),
    UInt64(UInt64Builder),
    Decimal(Decimal128Builder),
    Float(Float32Builder),
    Double(Float64Builder),
    Boolean(BooleanBuilder),
    Binary(BinaryBuilder),
    Date(Date32Builder),
    Timestamp(TimestampMicrosecondBuilder),
    Text(StringBuilder),
}

/// Runs the same expression for whichever builder there is.
macro_rules! each {
    ($values:expr, $builder:ident => $body:expr) => {
        match $values {
            Values::Int8($builder) => $body,
            Values::Int16($builder) => $body,
            Values::Int32($builder) => $body,
            Values::Int64($builder) => $body,
            Values::UInt8($builder) => $body,
            Values::UInt16($builder) => $body,
            Values::UInt32($builder) => $body,
            Values::UInt64($builder) => $body,
            Values::Decimal($builder) => $body,
            Values::Float($builder) => $body,
            Values::Double($builder) => $body,
            Values::Boolean($builder) => $body,
            Values::Binary($builder) => $body,
            Values::Date($builder) => $body,
            Values::Timestamp($builder) => $body,
            Values::Text($builder) => $body,
        }
    };
}

impl Values {
    fn new(data_type: &DataType) -> Values {
        match data_type {
            DataType::Int8 => Values::Int8(Int8Builder::new()),
            DataType::Int16 => Values::Int16(Int16Builder::new()),
            DataType::Int32 => Values::Int32(Int32Builder::new()),
            DataType::Int64 => Values::Int64(Int64Builder::new()),
            DataType::UInt8 => Values::UInt8(UInt8Builder::new()),
            DataType::UInt16 => Values::UInt16(UInt16Builder::new()),
            DataType::UInt32 => Values::UInt32(UInt32Builder::new()),
            DataType::UInt64 => Values::UInt64(UInt64Builder::new()),
            DataType::Decimal128(..) => {
                Values::Decimal(Decimal128Builder::new().with_data_type(data_type.clone()))
            }
            DataType::Float32 => Values::Float(Float32Builder::new()),
            DataType::Float64 => Values::Double(Float64Builder::new()),
            DataType::Boolean => Values::Boolean(BooleanBuilder::new()),
            DataType::Binary => Values::Binary(BinaryBuilder::new()),
            DataType::Date32 => Values::Date(Date32Builder::new()),
            DataType::Timestamp(..) => Values::Timestamp(TimestampMicrosecondBuilder::new()),
            // Everything else in Bronze is text.
            _ => Values::Text(StringBuilder::new()),
        }
    }
}

impl ColumnBuilder {
    /// An empty column for values of this source type.
    pub(crate) fn new(source_type: &MySqlType) -> ColumnBuilder {
        let values = Values::new(&arrow_type(source_type));
        ColumnBuilder { source_type: source_type.clone(), values, bytes: 0 }
    }

    /// Appends a value. Dates that no calendar has become NULL, as in DMS.
    pub(crate) fn append(&mut self, cell: &Cell<'_>) -> Result<(), ValueError> {
        self.bytes += match cell {
            Cell::Text(bytes) | Cell::Bytes(bytes) => bytes.len() + 8,
            Cell::Json(document) => document.len() + 8,
            Cell::Decimal(text) => text.len() + 8,
            _ => 16,
        };
        if matches!(cell, Cell::Null) {
            each!(&mut self.values, builder => builder.append_null());
            return Ok(());
        }
        match &mut self.values {
            Values::Int8(builder) => builder.append_value(integer(cell)?),
            Values::Int16(builder) => builder.append_value(integer(cell)?),
            Values::Int32(builder) => builder.append_value(integer(cell)?),
            Values::Int64(builder) => builder.append_value(integer(cell)?),
            Values::UInt8(builder) => builder.append_value(integer(cell)?),
            Values::UInt16(builder) => builder.append_value(integer(cell)?),
            Values::UInt32(builder) => builder.append_value(integer(cell)?),
            Values::UInt64(builder) => builder.append_value(integer(cell)?),
            Values::Decimal(builder) => builder.append_value(scaled(cell, &self.source_type)?),
            Values::Float(builder) => match cell {
                Cell::Float(value) => builder.append_value(*value),
                other => return Err(wrong(other)),
            },
            Values::Double(builder) => match cell {
                Cell::Double(value) => builder.append_value(*value),
                Cell::Float(value) => builder.append_value(f64::from(*value)),
                other => return Err(wrong(other)),
            },
            Values::Boolean(builder) => builder.append_value(bit(cell)?),
            Values::Binary(builder) => match cell {
                Cell::Bytes(bytes) => builder.append_value(bytes),
                other => return Err(wrong(other)),
            },
            Values::Date(builder) => match cell {
                Cell::Date(day) => builder.append_option(day.since_epoch()),
                other => return Err(wrong(other)),
            },
            Values::Timestamp(builder) => builder.append_option(micros(cell)?),
            Values::Text(builder) => builder.append_value(text(cell, &self.source_type)?),
        }
        Ok(())
    }

    /// About how many bytes the values take in memory.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The column; the builder is empty afterwards.
    pub(crate) fn finish(&mut self) -> ArrayRef {
        self.bytes = 0;
        each!(&mut self.values, builder => Arc::new(builder.finish()) as ArrayRef)
    }
}

fn wrong(cell: &Cell<'_>) -> ValueError {
    ValueError::Kind { found: cell.kind() }
}

fn integer<T: TryFrom<i64> + TryFrom<u64>>(cell: &Cell<'_>) -> Result<T, ValueError> {
    match cell {
        Cell::Int(value) => T::try_from(*value).map_err(|_| ValueError::Range),
        Cell::UInt(value) => T::try_from(*value).map_err(|_| ValueError::Range),
        other => Err(wrong(other)),
    }
}

fn scaled(cell: &Cell<'_>, source_type: &MySqlType) -> Result<i128, ValueError> {
    match (cell, source_type) {
        (Cell::Scaled(value), MySqlType::Decimal { .. }) => Ok(*value),
        (Cell::Decimal(text), MySqlType::Decimal { precision, scale }) => {
            let precision = (*precision).min(Decimal128Type::MAX_PRECISION);
            decimal::scaled(text, precision, *scale).ok_or(ValueError::Range)
        }
        (other, _) => Err(wrong(other)),
    }
}

fn bit(cell: &Cell<'_>) -> Result<bool, ValueError> {
    match cell {
        Cell::Bytes(bytes) => match bytes.as_ref() {
            [0] => Ok(false),
            [1] => Ok(true),
            _ => Err(ValueError::Range),
        },
        other => Err(wrong(other)),
    }
}

fn micros(cell: &Cell<'_>) -> Result<Option<i64>, ValueError> {
    match cell {
        Cell::DateTime(day, clock) => {
            let days = day.since_epoch().map(i64::from);
            Ok(days.map(|days| days * 86_400_000_000 + clock.micros()))
        }
        Cell::Instant(0, _) => Ok(None),
        Cell::Instant(seconds, micros) => {
            Ok(Some(i64::from(*seconds) * 1_000_000 + i64::from(*micros)))
        }
        other => Err(wrong(other)),
    }
}

fn text<'a>(cell: &'a Cell<'_>, source_type: &MySqlType) -> Result<Cow<'a, str>, ValueError> {
    match (cell, source_type) {
        (Cell::Decimal(text), MySqlType::Decimal { .. }) => Ok(decimal::without_zerofill(text)),
        (Cell::Json(document), MySqlType::Json) => json::text(document).map(Cow::Owned),
        (Cell::Time { negative, clock }, MySqlType::Time(fsp)) => {
            Ok(Cow::Owned(clock.text(*negative, *fsp)))
        }
        (Cell::Text(bytes), _) => {
            std::str::from_utf8(bytes).map(Cow::Borrowed).map_err(|_| ValueError::Utf8)
        }
        (other, _) => Err(wrong(other)),
    }
}
