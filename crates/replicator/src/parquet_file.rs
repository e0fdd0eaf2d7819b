//! One Bronze file as Parquet, in the physical form of DMS's files.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Field, SchemaRef, TimeUnit};
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, ConvertedType, Repetition, Type as PhysicalType};
use parquet::errors::ParquetError;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterVersion};
use parquet::schema::types::{ColumnPath, SchemaDescriptor, Type};

/// The name of the root of DMS's Parquet schemas.
const SCHEMA_ROOT: &str = "schema";
/// Rows of a row group (DMS: `RowGroupLength`).
pub(crate) const ROW_GROUP_ROWS: usize = 10_000;
/// The most bytes of a page (DMS: `DataPageSize` and `DictPageSizeLimit`).
const PAGE_BYTES: usize = 1 << 20;
/// Values of a column that are looked at to tell whether a dictionary pays.
const SAMPLE: usize = 2_048;
/// Fewer values say nothing, and cost nothing either way.
const SMALLEST_SAMPLE: usize = 64;

/// A file that grows row group by row group.
pub struct ParquetFile {
    writer: ArrowWriter<Vec<u8>>,
}

impl ParquetFile {
    /// Begins a file as DMS does by the target endpoint's settings: V1 data pages, not compressed,
    /// short row groups, and nothing that tells of values but the values: no statistics, no page
    /// indexes, no key-value metadata. Columns have dictionaries unless the values of the first
    /// rows are nearly all different, where a dictionary only makes the file larger.
    ///
    /// # Errors
    /// [`ParquetError`] when a column has a type that Bronze does not know.
    pub fn begin(first: &RecordBatch) -> Result<ParquetFile, ParquetError> {
        let schema = first.schema();
        let mut properties = WriterProperties::builder()
            .set_writer_version(WriterVersion::PARQUET_1_0)
            .set_compression(Compression::UNCOMPRESSED)
            .set_statistics_enabled(EnabledStatistics::None)
            .set_offset_index_disabled(true)
            .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
            .set_data_page_size_limit(PAGE_BYTES)
            .set_dictionary_page_size_limit(PAGE_BYTES)
            .set_created_by("medallion-replicator".to_owned());
        for (field, column) in schema.fields().iter().zip(first.columns()) {
            if !repeats(column) {
                let path = ColumnPath::new(vec![field.name().clone()]);
                properties = properties.set_column_dictionary_enabled(path, false);
            }
        }
        let options = ArrowWriterOptions::new()
            .with_properties(properties.build())
            .with_skip_arrow_metadata(true)
            .with_parquet_schema(parquet_schema(&schema)?);
        let writer = ArrowWriter::try_new_with_options(Vec::new(), schema, options)?;
        Ok(ParquetFile { writer })
    }

    /// Adds rows.
    ///
    /// # Errors
    /// [`ParquetError`] when they are not of the first rows' schema.
    pub fn write(&mut self, rows: &RecordBatch) -> Result<(), ParquetError> {
        self.writer.write(rows)
    }

    /// The whole file.
    ///
    /// # Errors
    /// [`ParquetError`] when the last rows cannot be encoded.
    pub fn finish(self) -> Result<Bytes, ParquetError> {
        self.writer.into_inner().map(Bytes::from)
    }
}

/// True when the first values have at least two of each, on average, or say nothing.
fn repeats(column: &ArrayRef) -> bool {
    let places = (0..column.len().min(SAMPLE)).filter(|place| column.is_valid(*place));
    let data = column.to_data();
    let width = data.data_type().primitive_width();
    let mut distinct = HashSet::with_capacity(SAMPLE);
    let mut seen = 0;
    for place in places {
        let value = match (column.data_type(), width) {
            (DataType::Utf8, _) => column.as_string::<i32>().value(place).as_bytes(),
            (DataType::Binary, _) => column.as_binary::<i32>().value(place),
            (_, Some(width)) => {
                let start = (data.offset() + place) * width;
                &data.buffers()[0].as_slice()[start..start + width]
            }
            // Booleans.
            (_, None) => return true,
        };
        seen += 1;
        distinct.insert(value);
    }
    seen < SMALLEST_SAMPLE || 2 * distinct.len() <= seen
}

/// The schema of DMS's files: what a value means is said by converted types alone, as before
/// Parquet had logical types, and decimals of every precision are fixed-length bytes.
fn parquet_schema(schema: &SchemaRef) -> Result<SchemaDescriptor, ParquetError> {
    let columns = schema.fields().iter().map(|field| parquet_column(field).map(Arc::new));
    let fields = columns.collect::<Result<Vec<_>, _>>()?;
    let root = Type::group_type_builder(SCHEMA_ROOT).with_fields(fields).build()?;
    Ok(SchemaDescriptor::new(Arc::new(root)))
}

fn parquet_column(field: &Field) -> Result<Type, ParquetError> {
    use {ConvertedType as Converted, PhysicalType as Physical};
    let (physical, converted) = match field.data_type() {
        DataType::Int8 => (Physical::INT32, Converted::INT_8),
        DataType::Int16 => (Physical::INT32, Converted::INT_16),
        DataType::Int32 => (Physical::INT32, Converted::NONE),
        DataType::Int64 => (Physical::INT64, Converted::NONE),
        DataType::UInt8 => (Physical::INT32, Converted::UINT_8),
        DataType::UInt16 => (Physical::INT32, Converted::UINT_16),
        DataType::UInt32 => (Physical::INT32, Converted::UINT_32),
        DataType::UInt64 => (Physical::INT64, Converted::UINT_64),
        DataType::Decimal128(..) => (Physical::FIXED_LEN_BYTE_ARRAY, Converted::DECIMAL),
        DataType::Float32 => (Physical::FLOAT, Converted::NONE),
        DataType::Float64 => (Physical::DOUBLE, Converted::NONE),
        DataType::Boolean => (Physical::BOOLEAN, Converted::NONE),
        DataType::Date32 => (Physical::INT32, Converted::DATE),
        DataType::Timestamp(TimeUnit::Microsecond, None) => {
            (Physical::INT64, Converted::TIMESTAMP_MICROS)
        }
        DataType::Utf8 => (Physical::BYTE_ARRAY, Converted::UTF8),
        DataType::Binary => (Physical::BYTE_ARRAY, Converted::NONE),
        other => return Err(ParquetError::NYI(format!("Bronze has no columns of type {other}"))),
    };
    let repetition = if field.is_nullable() { Repetition::OPTIONAL } else { Repetition::REQUIRED };
    let column = Type::primitive_type_builder(field.name(), physical)
        .with_repetition(repetition)
        .with_converted_type(converted);
    match field.data_type() {
        DataType::Decimal128(precision, scale) => column
            .with_length(decimal_len(*precision))
            .with_precision(i32::from(*precision))
            .with_scale(i32::from(*scale))
            .build(),
        _ => column.build(),
    }
}

/// The fewest bytes of a two's complement that hold every number of so many decimal digits.
pub(crate) fn decimal_len(precision: u8) -> i32 {
    let largest = 10_i128.checked_pow(u32::from(precision)).unwrap_or(i128::MAX);
    (1..16).find(|bytes| largest <= 1_i128 << (8 * bytes - 1)).unwrap_or(16)
}

#[cfg(test)]
mod tests {
    use arrow::array::{BooleanArray, Int64Array, StringArray};

    use super::*;

    #[test]
    fn dictionaries_are_for_values_that_come_again() {
        let numbers =
            |of: i64| Arc::new((0..2_000).map(|n| n % of).collect::<Int64Array>()) as ArrayRef;
        assert!(repeats(&numbers(7)));
        assert!(!repeats(&numbers(2_000)));
        assert!(repeats(&numbers(2_000).slice(3, 20)), "too few to tell");
        assert!(!repeats(&numbers(2_000).slice(3, 200)));
        let texts = |of: usize| {
            let texts = (0..2_000).map(|n| (n % 2 == 0).then(|| format!("text {}", n % of)));
            Arc::new(texts.collect::<StringArray>()) as ArrayRef
        };
        assert!(repeats(&texts(10)));
        assert!(!repeats(&texts(2_000)));
        assert!(repeats(&(Arc::new(BooleanArray::from(vec![true; 100])) as ArrayRef)));
    }
}
