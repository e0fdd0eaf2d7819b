//! Hashes of rows whose sums do not depend on the order of the rows.
//!
//! Every value is hashed together with its column and the key of its row, so that a value that
//! stands in the wrong row or column is another value. A hash has 128 bits: two 64-bit hashes of
//! different seeds. Sums are taken modulo 2^128. Where the hash behaves as a random function, two
//! different multisets of values have the same sum with a probability of 2^-128, so that a
//! verification of a million sums overlooks a difference with one of 2^-108. It guards against
//! accidents, not against somebody who looks for collisions.
//!
//! What is hashed is the encoding by which Arrow compares rows: NULL differs from every value,
//! floating-point numbers count by their bits (`-0.0` is not `0.0`, as the merge has it), decimals
//! and times by their value.

use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::TimestampMicrosecondType;
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef, TimeUnit};
use arrow::row::{RowConverter, SortField};
use foldhash::quality::FixedState;
use medallion_definition::contract::TableContract;

use crate::bronze::source_schema;
use crate::error::TransformError;
use crate::merge::key::KeyEncoder;

/// Column of a compared row: the sequence of the change that made it.
pub(super) const SEQ: &str = "#seq";
/// Column of a compared row: the time of that change.
pub(super) const AT: &str = "#at";

/// Seeds of the two halves of a hash.
const SEEDS: [u64; 2] = [0x9ae1_6a3b_2f90_404f, 0x3c6e_f372_fe94_f82b];

/// The schema of compared rows: the source columns in Silver types, then [`SEQ`] and [`AT`].
pub(super) fn compared_schema(contract: &TableContract) -> SchemaRef {
    let mut fields: Vec<_> = source_schema(contract).fields().iter().cloned().collect();
    let time = DataType::Timestamp(TimeUnit::Microsecond, None);
    fields.push(Arc::new(Field::new(SEQ, DataType::Utf8, true)));
    fields.push(Arc::new(Field::new(AT, time, true)));
    Arc::new(Schema::new(fields))
}

/// The sums of one side of a bucket.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Sums {
    /// Rows.
    pub(super) rows: u64,
    /// Over the keys.
    pub(super) keys: u128,
    /// Over the values of each source column.
    pub(super) columns: Vec<u128>,
    /// Over the sequence and time of the changes that made the rows.
    pub(super) origins: u128,
}

/// The hashes of some rows, one per row.
#[derive(Default)]
pub(super) struct Hashes {
    /// Of the key.
    pub(super) keys: Vec<u128>,
    /// Over all source columns.
    pub(super) rows: Vec<u128>,
    /// Of the sequence and time of the change that made the row, with its key.
    pub(super) origins: Vec<u128>,
}

/// Hashes the rows of one table.
pub(super) struct RowHasher {
    key: KeyEncoder,
    key_hash: WideHash,
    columns: Vec<(RowConverter, WideHash)>,
    origin: WideHash,
}

/// A hash of 128 bits.
struct WideHash([FixedState; 2]);

impl WideHash {
    /// The hash of one column, known by its name.
    fn of(name: &str) -> WideHash {
        WideHash(
            SEEDS.map(|seed| FixedState::with_seed(FixedState::with_seed(seed).hash_one(name))),
        )
    }

    fn hash(&self, write: impl Fn(&mut foldhash::quality::FoldHasher<'_>)) -> u128 {
        let [high, low] = &self.0;
        let half = |state: &FixedState| {
            let mut hasher = state.build_hasher();
            write(&mut hasher);
            u128::from(hasher.finish())
        };
        half(high) << 64 | half(low)
    }
}

impl RowHasher {
    pub(super) fn new(contract: &TableContract) -> Result<RowHasher, TransformError> {
        let column = |field: &Arc<Field>| {
            let converter = RowConverter::new(vec![SortField::new(field.data_type().clone())])?;
            Ok((converter, WideHash::of(field.name())))
        };
        let schema = source_schema(contract);
        let columns = schema.fields().iter().map(column);
        Ok(RowHasher {
            key: KeyEncoder::new(contract)?,
            key_hash: WideHash::of("#key"),
            columns: columns.collect::<Result<_, TransformError>>()?,
            origin: WideHash::of("#origin"),
        })
    }

    /// The hashes of the keys of rows that hold the key columns under their names.
    pub(super) fn keys(&self, rows: &RecordBatch) -> Result<Vec<u128>, TransformError> {
        let keys = self.key.encode(rows)?;
        Ok(keys.iter().map(|key| self.key_hash.hash(|h| h.write(key.data()))).collect())
    }

    /// The hashes of rows of [`compared_schema`].
    pub(super) fn rows(&self, rows: &RecordBatch) -> Result<Hashes, TransformError> {
        self.hash(rows, |_, _| {})
    }

    /// Keys and origins alone.
    pub(super) fn changes(&self, rows: &RecordBatch) -> Result<Hashes, TransformError> {
        let keys = self.keys(rows)?;
        Ok(Hashes { origins: self.origins(rows, &keys)?, keys, rows: Vec::new() })
    }

    /// Adds the hashes of rows to sums.
    pub(super) fn add(&self, rows: &RecordBatch, sums: &mut Sums) -> Result<(), TransformError> {
        sums.columns.resize(self.columns.len(), 0);
        let columns = &mut sums.columns;
        let hashes = self.hash(rows, |column, cell| {
            columns[column] = columns[column].wrapping_add(cell);
        })?;
        sums.rows += rows.num_rows() as u64;
        sums.keys = sum(sums.keys, &hashes.keys);
        sums.origins = sum(sums.origins, &hashes.origins);
        Ok(())
    }

    /// `each` gets the place of a column and the hash of one of its values.
    fn hash(
        &self,
        rows: &RecordBatch,
        mut each: impl FnMut(usize, u128),
    ) -> Result<Hashes, TransformError> {
        let keys = self.keys(rows)?;
        let mut all = vec![0_u128; keys.len()];
        for (place, (converter, hash)) in self.columns.iter().enumerate() {
            let values = converter.convert_columns(&[Arc::clone(rows.column(place))])?;
            for ((row, key), value) in all.iter_mut().zip(&keys).zip(values.iter()) {
                let cell = hash.hash(|h| {
                    h.write_u128(*key);
                    h.write(value.data());
                });
                *row = row.wrapping_add(cell);
                each(place, cell);
            }
        }
        Ok(Hashes { origins: self.origins(rows, &keys)?, keys, rows: all })
    }

    fn origins(&self, rows: &RecordBatch, keys: &[u128]) -> Result<Vec<u128>, TransformError> {
        let found = |name: &str| {
            let missing =
                || arrow::error::ArrowError::SchemaError(format!("no compared row has `{name}`"));
            rows.column_by_name(name).ok_or_else(missing)
        };
        let (seqs, times) = (found(SEQ)?.as_string::<i32>(), found(AT)?);
        let times =
            times.as_primitive::<TimestampMicrosecondType>().reinterpret_cast::<Int64Type>();
        let origins = keys.iter().zip(seqs).zip(&times).map(|((key, seq), time)| {
            self.origin.hash(|h| {
                h.write_u128(*key);
                h.write_i64(time.unwrap_or(i64::MIN));
                h.write(seq.unwrap_or("NULL").as_bytes());
            })
        });
        Ok(origins.collect())
    }
}

fn sum(sum: u128, hashes: &[u128]) -> u128 {
    hashes.iter().fold(sum, |sum, hash| sum.wrapping_add(*hash))
}

#[cfg(test)]
mod tests {
    use arrow::compute::{concat_batches, take_record_batch};

    use super::super::fixture::{Row, batch, contract};
    use super::*;

    fn sums(batches: &[RecordBatch]) -> Sums {
        let (hasher, mut sums) = (RowHasher::new(&contract()).unwrap(), Sums::default());
        batches.iter().for_each(|batch| hasher.add(batch, &mut sums).unwrap());
        sums
    }

    #[test]
    fn the_order_and_the_batches_of_rows_do_not_matter() {
        let (first, second) =
            (batch(&[(1, Some("a"), None, None)]), batch(&[(2, None, None, None)]));
        let both = concat_batches(&first.schema(), [&first, &second]).unwrap();
        let turned = take_record_batch(&both, &arrow::array::UInt32Array::from(vec![1, 0]));
        let expected = sums(&[first.clone(), second.clone()]);
        assert_eq!(sums(&[both]), expected);
        assert_eq!(sums(&[turned.unwrap()]), expected);
        assert_ne!(sums(&[first.clone(), first]), expected);
    }

    #[test]
    fn a_value_counts_in_its_row_and_its_column_only() {
        let of = |rows: &[Row<'_>]| sums(&[batch(rows)]).columns;
        let plain = of(&[(1, Some("a"), Some("b"), None), (2, Some("c"), None, None)]);
        assert_ne!(of(&[(1, Some("c"), Some("b"), None), (2, Some("a"), None, None)]), plain);
        assert_ne!(of(&[(1, Some("b"), Some("a"), None), (2, Some("c"), None, None)]), plain);
        let differing =
            |a: &[u128], b: &[u128]| a.iter().zip(b).map(|(a, b)| a != b).collect::<Vec<_>>();
        let empty = of(&[(1, Some("a"), Some("b"), None), (2, Some("c"), Some(""), None)]);
        assert_eq!(differing(&plain, &empty), [false, false, true, false], "NULL is not empty");
        let number = |number: f64| of(&[(1, None, None, Some(number))]);
        assert_ne!(number(0.0), number(-0.0));
        assert_eq!(number(f64::NAN), number(f64::NAN));
        assert_ne!(number(0.0), of(&[(1, None, None, None)]));
    }

    #[test]
    fn a_row_hash_is_made_of_its_columns() {
        let hasher = RowHasher::new(&contract()).unwrap();
        let hashes = hasher.rows(&batch(&[(1, Some("a"), None, Some(1.0))])).unwrap();
        let sums = sums(&[batch(&[(1, Some("a"), None, Some(1.0))])]);
        assert_eq!(hashes.rows, [sum(0, &sums.columns)]);
        assert_eq!((hashes.keys[0], hashes.origins[0]), (sums.keys, sums.origins));
        assert!(hashes.keys[0] >> 64 != u128::from(hashes.keys[0] as u64), "two hashes, not one");
    }
}
