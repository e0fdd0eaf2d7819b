//! How data files are laid out, and how they are encoded.

use std::collections::HashSet;

use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use arrow::row::{RowConverter, SortField};
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;

use crate::table::{LakeTable, TableError};

/// The zstd level. Generated rows of customers (names, CPFs, e-mails, phones, states, timestamps,
/// amounts) became no smaller by level 3 than by level 1 (1 % larger: what is left after the
/// dictionaries is mostly random), and encoding them took a quarter more time altogether; the
/// bench `keys` compares both. Reading costs the same.
const ZSTD_LEVEL: i32 = 1;

/// Values of a column that are looked at to tell whether a dictionary pays.
const SAMPLE_ROWS: usize = 2048;

/// Fewer values say nothing, and cost nothing either way.
const SMALLEST_SAMPLE: usize = 64;

/// Sizes of files and of their parts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layout {
    /// A file is closed once it has grown to about this size.
    pub(crate) file_bytes: u64,
    /// Rows of a row group: small enough that finding keys in a sorted file skips most of it.
    pub(crate) group_rows: usize,
    /// Bytes of a row group, which bounds the encoder's memory.
    pub(crate) group_bytes: usize,
    /// Rows of a page: what has to be decoded to find one key, or to read one row.
    pub(crate) page_rows: usize,
}

impl Default for Layout {
    fn default() -> Self {
        Layout {
            file_bytes: 256 * 1024 * 1024,
            group_rows: 128 * 1024,
            group_bytes: 32 * 1024 * 1024,
            page_rows: 8 * 1024,
        }
    }
}

/// How a file that begins with these rows is encoded: zstd, bounded row groups and pages, and no
/// statistics at all of personal columns: neither in the footer nor in page headers nor in the
/// page index.
///
/// Floating-point and binary columns have no statistics either. Manifests tell no bounds of them,
/// so nothing would show, once such a column becomes personal, that the file must be rewritten.
///
/// A column has a dictionary unless its first values are nearly all different: encoders build one
/// first and find out late that it does not fit, which costs time and makes the file larger.
///
/// There are no Bloom filters. They would tell files apart whose ranges of keys overlap, as those
/// of random text keys do; but a batch looks for many keys at a time, so that of some thousand in
/// a row group one is nearly always there.
pub(super) fn properties(
    table: &LakeTable,
    layout: &Layout,
    first: &RecordBatch,
) -> Result<WriterProperties, TableError> {
    let level = ZstdLevel::try_new(ZSTD_LEVEL).map_err(|e| table.rows_error(e))?;
    let mut builder = WriterProperties::builder()
        .set_compression(Compression::ZSTD(level))
        .set_statistics_enabled(EnabledStatistics::Page)
        .set_data_page_row_count_limit(layout.page_rows)
        .set_write_batch_size(layout.page_rows.min(1024))
        .set_max_row_group_row_count(Some(layout.group_rows))
        .set_max_row_group_bytes(Some(layout.group_bytes));
    for (field, column) in first.schema().fields().iter().zip(first.columns()) {
        let path = ColumnPath::new(vec![field.name().clone()]);
        if !is_bounded(field.data_type()) {
            let none = EnabledStatistics::None;
            builder = builder.set_column_statistics_enabled(path.clone(), none);
        }
        if !repeats(column).map_err(|e| table.rows_error(e))? {
            builder = builder.set_column_dictionary_enabled(path, false);
        }
    }
    for column in table.personal_columns()? {
        let path = ColumnPath::new(vec![column.to_owned()]);
        builder = builder.set_column_statistics_enabled(path, EnabledStatistics::None);
    }
    Ok(builder.build())
}

/// True for types of which [`super::metrics`] keeps bounds; nothing prunes by others.
fn is_bounded(data_type: &DataType) -> bool {
    !matches!(
        data_type,
        DataType::Float32
            | DataType::Float64
            | DataType::Binary
            | DataType::LargeBinary
            | DataType::FixedSizeBinary(_)
    )
}

/// True when the first values have at least two of each, on average, or say nothing.
fn repeats(column: &ArrayRef) -> Result<bool, ArrowError> {
    let sample = column.slice(0, column.len().min(SAMPLE_ROWS));
    let seen = sample.len() - sample.null_count();
    if seen < SMALLEST_SAMPLE {
        return Ok(true);
    }
    let converter = RowConverter::new(vec![SortField::new(sample.data_type().clone())])?;
    let rows = converter.convert_columns(std::slice::from_ref(&sample))?;
    let values = (0..sample.len()).filter(|place| sample.is_valid(*place));
    let distinct: HashSet<_> = values.map(|place| rows.row(place).data()).collect();
    Ok(2 * distinct.len() <= seen)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{BooleanArray, Int64Array, StringArray};

    use super::*;

    #[test]
    fn dictionaries_are_for_values_that_come_again() {
        let repeats = |column: ArrayRef| super::repeats(&column).unwrap();
        let numbers =
            |of: i64| Arc::new((0..2_000).map(|n| n % of).collect::<Int64Array>()) as ArrayRef;
        assert!(repeats(numbers(7)));
        assert!(!repeats(numbers(2_000)));
        assert!(repeats(numbers(2_000).slice(3, 20)), "too few to tell");
        assert!(!repeats(numbers(2_000).slice(3, 200)));
        let texts = |of: usize| {
            let texts = (0..2_000).map(|n| (n % 2 == 0).then(|| format!("text {}", n % of)));
            Arc::new(texts.collect::<StringArray>()) as ArrayRef
        };
        assert!(repeats(texts(10)));
        assert!(!repeats(texts(2_000)));
        assert!(repeats(Arc::new(BooleanArray::from(vec![true; 100]))));
    }
}
