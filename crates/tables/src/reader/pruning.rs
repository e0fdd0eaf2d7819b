//! What of a file may hold a key, by the bounds of the first key column.
//!
//! Bounds are kept in three places: the manifest (for the file), the footer (for row groups) and
//! the page index. Files are sorted by key, so bounds of the first key column tell nearly as much
//! as bounds of the whole key would. Where bounds are missing, nothing is ruled out.

use std::cmp::Ordering;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, Date32Array, Decimal128Array, Int32Array, Int64Array, StringArray,
    TimestampMicrosecondArray, make_comparator,
};
use arrow::compute::SortOptions;
use arrow::datatypes::{DataType, TimeUnit};
use arrow::error::ArrowError;
use iceberg::spec::{Datum, PrimitiveLiteral};
use parquet::arrow::arrow_reader::statistics::StatisticsConverter;
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::page_index::offset_index::OffsetIndexMetaData;

use super::columns::promote;
use super::open::OpenFile;
use super::selection::{GroupRows, groups};
use crate::files::LiveFile;

/// False when the manifest's bounds of the column rule out that the file holds one of `values`,
/// which ascend.
pub(super) fn file_may_hold(
    file: &LiveFile,
    field_id: i32,
    values: &ArrayRef,
) -> Result<bool, ArrowError> {
    let bound = |bounds: &std::collections::HashMap<i32, Datum>| {
        datum_array(bounds.get(&field_id)?, values.data_type())
    };
    let (low, high) = (bound(file.data_file.lower_bounds()), bound(file.data_file.upper_bounds()));
    let (Some(low), Some(high)) = (low, high) else { return Ok(true) };
    Ok(may_hold(&low, &high, values)?.contains(&true))
}

/// A bound as an array of one value; nothing for types whose bounds are not used.
fn datum_array(datum: &Datum, data_type: &DataType) -> Option<ArrayRef> {
    use PrimitiveLiteral as Literal;
    Some(match (data_type, datum.literal()) {
        (DataType::Int32, Literal::Int(value)) => Arc::new(Int32Array::from(vec![*value])),
        (DataType::Int64, Literal::Long(value)) => Arc::new(Int64Array::from(vec![*value])),
        // From before the column was widened.
        (DataType::Int64, Literal::Int(value)) => {
            Arc::new(Int64Array::from(vec![i64::from(*value)]))
        }
        (DataType::Date32, Literal::Int(value)) => Arc::new(Date32Array::from(vec![*value])),
        (DataType::Timestamp(TimeUnit::Microsecond, zone), Literal::Long(value)) => {
            let array = TimestampMicrosecondArray::from(vec![*value]);
            Arc::new(array.with_timezone_opt(zone.clone()))
        }
        (DataType::Decimal128(precision, scale), Literal::Int128(value)) => {
            let array = Decimal128Array::from(vec![*value]);
            Arc::new(array.with_precision_and_scale(*precision, *scale).ok()?)
        }
        (DataType::Utf8, Literal::String(value)) => {
            Arc::new(StringArray::from(vec![value.as_str()]))
        }
        _ => return None,
    })
}

/// For each pair of bounds, whether one of `values`, which ascend, may lie between. NULL bounds
/// rule out nothing.
fn may_hold(mins: &ArrayRef, maxs: &ArrayRef, values: &ArrayRef) -> Result<Vec<bool>, ArrowError> {
    let options = SortOptions { descending: false, nulls_first: true };
    let low = make_comparator(mins, values, options)?;
    let high = make_comparator(maxs, values, options)?;
    let between = |bound: usize| {
        if mins.is_null(bound) || maxs.is_null(bound) {
            return true;
        }
        let (mut first, mut end) = (0, values.len());
        while first < end {
            let middle = first.midpoint(end);
            if low(bound, middle) == Ordering::Greater { first = middle + 1 } else { end = middle }
        }
        first < values.len() && high(bound, first) != Ordering::Less
    };
    Ok((0..mins.len()).map(between).collect())
}

/// The rows of the file that may hold one of `values`, which ascend, in the column that is the
/// `root`-th of the file.
pub(super) fn may_hold_rows(
    file: &OpenFile,
    root: Option<usize>,
    values: &ArrayRef,
) -> Result<Vec<GroupRows>, ParquetError> {
    let metadata = file.metadata();
    let groups = groups(metadata);
    let everything = |group: usize| GroupRows {
        group,
        all: groups[group].clone(),
        ranges: vec![groups[group].clone()],
    };
    let statistics = root.and_then(|root| Statistics::new(file, root, values.data_type()));
    let Some(statistics) = statistics else {
        return Ok((0..groups.len()).map(everything).collect());
    };
    let mut found = Vec::new();
    for (group, may) in statistics.groups(metadata, values)?.into_iter().enumerate() {
        if !may {
            continue;
        }
        let mut rows = everything(group);
        if let Some(ranges) = statistics.pages(metadata, group, &rows.all, values)? {
            rows.ranges = ranges;
        }
        if !rows.ranges.is_empty() {
            found.push(rows);
        }
    }
    Ok(found)
}

/// The statistics of one column of a file.
struct Statistics<'a> {
    converter: StatisticsConverter<'a>,
    column: usize,
    data_type: &'a DataType,
}

impl<'a> Statistics<'a> {
    /// Nothing when the column's order in Parquet is not that of the table, or is not certain.
    fn new(file: &'a OpenFile, root: usize, data_type: &'a DataType) -> Option<Self> {
        let usable = matches!(
            data_type,
            DataType::Int32
                | DataType::Int64
                | DataType::Date32
                | DataType::Timestamp(TimeUnit::Microsecond, _)
                | DataType::Decimal128(_, _)
                | DataType::Utf8
        );
        let arrow = file.footer().schema();
        let name = arrow.fields().get(root).filter(|_| usable)?.name();
        let parquet = file.footer().parquet_schema();
        let converter = StatisticsConverter::try_new(name, arrow, parquet).ok()?;
        let column = converter.parquet_column_index()?;
        Some(Statistics { converter, column, data_type })
    }

    fn may_hold(
        &self,
        mins: &ArrayRef,
        maxs: &ArrayRef,
        values: &ArrayRef,
    ) -> Result<Vec<bool>, ParquetError> {
        let (mins, maxs) = (promote(mins, self.data_type)?, promote(maxs, self.data_type)?);
        Ok(may_hold(&mins, &maxs, values)?)
    }

    /// Which row groups may hold a value.
    fn groups(
        &self,
        metadata: &ParquetMetaData,
        values: &ArrayRef,
    ) -> Result<Vec<bool>, ParquetError> {
        let mins = self.converter.row_group_mins(metadata.row_groups())?;
        let maxs = self.converter.row_group_maxes(metadata.row_groups())?;
        self.may_hold(&mins, &maxs, values)
    }

    /// The rows of those pages of a row group that may hold a value, as ranges of positions;
    /// nothing without a page index.
    fn pages(
        &self,
        metadata: &ParquetMetaData,
        group: usize,
        all: &Range<u64>,
        values: &ArrayRef,
    ) -> Result<Option<Vec<Range<u64>>>, ParquetError> {
        let (Some(index), Some(offsets)) = (metadata.column_index(), metadata.offset_index())
        else {
            return Ok(None);
        };
        let pages = offsets.get(group).and_then(|columns| columns.get(self.column));
        let Some(pages) = pages.map(OffsetIndexMetaData::page_locations) else { return Ok(None) };
        let mins = self.converter.data_page_mins(index, offsets, [&group])?;
        let maxs = self.converter.data_page_maxes(index, offsets, [&group])?;
        if mins.len() != pages.len() || maxs.len() != pages.len() {
            return Ok(None);
        }
        let may = self.may_hold(&mins, &maxs, values)?;
        let first_row = |page: usize| {
            let row = pages.get(page).map(|page| u64::try_from(page.first_row_index));
            row.map_or(all.end, |row| all.start + row.unwrap_or_default())
        };
        let mut ranges: Vec<Range<u64>> = Vec::new();
        for page in (0..may.len()).filter(|page| may[*page]) {
            let (start, end) = (first_row(page), first_row(page + 1));
            match ranges.last_mut() {
                Some(last) if last.end == start => last.end = end,
                _ => ranges.push(start..end),
            }
        }
        Ok(Some(ranges))
    }
}
