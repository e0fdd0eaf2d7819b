//! A set of keys to look for.

use std::cmp::Ordering;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, UInt32Array};
use arrow::compute::{CastOptions, cast_with_options, take};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Date32Type, Decimal128Type, Int32Type, Int64Type, TimeUnit,
    TimestampMicrosecondType,
};
use arrow::error::ArrowError;
use arrow::row::{RowConverter, Rows, SortField};

use super::sorted::{intersect, sorted_order};
use crate::schema::lake_type_of_arrow;
use crate::table::{LakeTable, TableError};

/// Distinct keys of a table. Key `i` is row `i` of the batch that it was made of. Cheap to clone.
///
/// The keys are kept in the order by which files are sorted, so that finding them in a file is a
/// merge of two sorted sequences, in which the longer one is skipped through: no hash table has
/// to be built, and none is missed in the cache for every row of the file.
#[derive(Clone)]
pub struct KeySet(Arc<Keys>);

struct Keys {
    /// The key columns, sorted.
    columns: Vec<ArrayRef>,
    /// The place of each sorted key in the batch, unless that was sorted.
    places: Option<UInt32Array>,
    /// The sorted keys in a form that compares as one, unless a single column of a simple type
    /// does so itself.
    rows: Option<Rows>,
    converter: RowConverter,
}

/// Rows of a file that hold keys, as (row, key) pairs.
pub(super) type Matches = Vec<(u32, u32)>;

impl KeySet {
    /// The keys in the rows of `keys`, which has the table's key columns, found by name, in the
    /// types of [`LakeTable::arrow_schema`]; other columns are ignored. Any order will do; keys
    /// in the table's order are taken over without sorting.
    ///
    /// # Errors
    /// [`TableError::Misfit`] when the table has no key, a key column is missing or of another
    /// type, or a key is NULL or comes twice.
    pub fn new(table: &LakeTable, keys: &RecordBatch) -> Result<KeySet, TableError> {
        KeySet::leading(table, keys, table.key().len())
    }

    /// As [`KeySet::new`], by the first `columns` of the table's key columns only: rows that agree
    /// in these are all found.
    ///
    /// # Errors
    /// As [`KeySet::new`]; a key comes twice when it does so in these columns.
    pub fn leading(
        table: &LakeTable,
        keys: &RecordBatch,
        columns: usize,
    ) -> Result<KeySet, TableError> {
        let misfit = |reason: &str| TableError::Misfit {
            table: table.name(),
            reason: format!("keys to look for: {reason}"),
        };
        let columns = key_columns(table, keys, columns)?;
        if columns.iter().any(|column| column.null_count() > 0) {
            return Err(misfit("one is NULL"));
        }
        let made = Keys::new(columns).map_err(|e| table.rows_error(e))?;
        made.map(|keys| KeySet(Arc::new(keys))).ok_or_else(|| misfit("one comes twice"))
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.0.columns.first().map_or(0, Array::len)
    }

    /// True when there is no key.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// By how many of the table's key columns rows are found.
    pub(super) fn width(&self) -> usize {
        self.0.columns.len()
    }

    /// The first key column of all keys, ascending.
    pub(super) fn first_column(&self) -> Option<&ArrayRef> {
        self.0.columns.first()
    }

    /// The rows whose key is in the set, as (row, index of the key) pairs, by row. The columns are
    /// the key columns of rows of a file in any order; NULL is no key.
    pub(super) fn find(&self, columns: &[ArrayRef]) -> Result<Matches, ArrowError> {
        let mut found = self.0.find(columns)?;
        if let Some(places) = &self.0.places {
            for (_, key) in &mut found {
                *key = places.value(*key as usize);
            }
        }
        if !found.is_sorted_by_key(|(row, _)| *row) {
            found.sort_unstable();
        }
        Ok(found)
    }
}

impl Keys {
    /// Sorts the keys; nothing when two are equal.
    fn new(columns: Vec<ArrayRef>) -> Result<Option<Keys>, ArrowError> {
        let fields = columns.iter().map(|c| SortField::new(c.data_type().clone())).collect();
        let converter = RowConverter::new(fields)?;
        let rows = converter.convert_columns(&columns)?;
        let compare = |a: usize, b: usize| rows.row(a).cmp(&rows.row(b));
        let count = rows.num_rows();
        let simple = matches!(columns.as_slice(), [column] if is_simple(column.data_type()));
        let Some(order) = sorted_order(count, compare) else {
            let distinct = (1..count).all(|i| compare(i - 1, i) == Ordering::Less);
            let rows = (!simple).then_some(rows);
            return Ok(distinct.then_some(Keys { columns, places: None, rows, converter }));
        };
        let twice = |pair: &[u32]| compare(pair[0] as usize, pair[1] as usize).is_eq();
        if order.windows(2).any(twice) {
            return Ok(None);
        }
        let places = UInt32Array::from(order);
        let columns = columns.iter().map(|c| take(c, &places, None)).collect::<Result<Vec<_>, _>>();
        let columns = columns?;
        let rows = if simple { None } else { Some(converter.convert_columns(&columns)?) };
        Ok(Some(Keys { columns, places: Some(places), rows, converter }))
    }

    fn find(&self, columns: &[ArrayRef]) -> Result<Matches, ArrowError> {
        if let (Some(keys), [column], None) = (self.columns.first(), columns, &self.rows) {
            return Ok(find_simple(keys, column));
        }
        let keys = match &self.rows {
            Some(rows) => rows,
            None => &self.converter.convert_columns(&self.columns)?,
        };
        let rows = self.converter.convert_columns(columns)?;
        Ok(intersect(keys.num_rows(), |i| keys.row(i), rows.num_rows(), |i| rows.row(i)))
    }
}

/// Types whose values compare by themselves as the table sorts.
fn is_simple(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::Int32
            | DataType::Int64
            | DataType::Date32
            | DataType::Timestamp(TimeUnit::Microsecond, _)
            | DataType::Decimal128(_, _)
            | DataType::Utf8
    )
}

/// Both arrays have the same simple type.
fn find_simple(keys: &ArrayRef, rows: &ArrayRef) -> Matches {
    match keys.data_type() {
        DataType::Int32 => find_native::<Int32Type>(keys, rows),
        DataType::Int64 => find_native::<Int64Type>(keys, rows),
        DataType::Date32 => find_native::<Date32Type>(keys, rows),
        DataType::Timestamp(_, _) => find_native::<TimestampMicrosecondType>(keys, rows),
        DataType::Decimal128(_, _) => find_native::<Decimal128Type>(keys, rows),
        _ => {
            let (keys, rows) = (keys.as_string::<i32>(), rows.as_string::<i32>());
            let found = intersect(keys.len(), |i| keys.value(i), rows.len(), |i| rows.value(i));
            valid(rows, found)
        }
    }
}

fn find_native<T>(keys: &ArrayRef, rows: &ArrayRef) -> Matches
where
    T: ArrowPrimitiveType<Native: Ord>,
{
    let rows = rows.as_primitive::<T>();
    let (keys, values) = (keys.as_primitive::<T>().values(), rows.values());
    valid(rows, intersect(keys.len(), |i| keys[i], values.len(), |i| values[i]))
}

/// Without rows that are NULL, whose values mean nothing.
fn valid(rows: &dyn Array, mut found: Matches) -> Matches {
    if rows.null_count() > 0 {
        found.retain(|(row, _)| rows.is_valid(*row as usize));
    }
    found
}

/// The first key columns of the batch in the table's types.
fn key_columns(
    table: &LakeTable,
    keys: &RecordBatch,
    columns: usize,
) -> Result<Vec<ArrayRef>, TableError> {
    let misfit = |reason| TableError::Misfit { table: table.name(), reason };
    let mut names = table.key();
    names.truncate(columns);
    if names.is_empty() {
        return Err(misfit("it has no key".to_owned()));
    }
    let columns = names.iter().map(|name| {
        let column = keys.column_by_name(name);
        let column = column.ok_or_else(|| misfit(format!("key column `{name}` is missing")))?;
        let wanted = table.arrow_schema().field_with_name(name);
        let wanted = wanted.map_err(|e| table.rows_error(e))?.data_type();
        if wanted == column.data_type() {
            return Ok(Arc::clone(column));
        }
        if lake_type_of_arrow(wanted) != lake_type_of_arrow(column.data_type()) {
            let found = column.data_type();
            return Err(misfit(format!("key column `{name}` is {found}, not {wanted}")));
        }
        let strict = CastOptions { safe: false, ..CastOptions::default() };
        cast_with_options(column, wanted, &strict).map_err(|e| table.rows_error(e))
    });
    columns.collect()
}
