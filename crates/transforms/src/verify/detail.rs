//! Differing rows as they may be shown.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher, RandomState};

use arrow::array::{Array, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::compute::kernels::cmp::distinct;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use medallion_definition::change::{SILVER_CHANGE_SEQ, SILVER_CHANGED_AT};
use medallion_definition::contract::{Sensitivity, TableContract};

use super::hash::{AT, RowHasher, SEQ};
use super::report::{ColumnDifference, Kind, RowDifference, Shown};
use crate::error::TransformError;

/// The rows of the chosen keys, of both sides.
pub(super) struct Chosen<'a> {
    hasher: &'a RowHasher,
    kinds: BTreeMap<u128, Kind>,
    /// One row each: of the table and as expected.
    rows: BTreeMap<u128, [Vec<RecordBatch>; 2]>,
}

impl<'a> Chosen<'a> {
    pub(super) fn new(hasher: &'a RowHasher, kinds: BTreeMap<u128, Kind>) -> Chosen<'a> {
        Chosen { hasher, kinds, rows: BTreeMap::new() }
    }

    pub(super) fn add(&mut self, side: usize, rows: &RecordBatch) -> Result<(), TransformError> {
        let keys = self.hasher.keys(rows)?;
        let wanted: BooleanArray = keys.iter().map(|k| Some(self.kinds.contains_key(k))).collect();
        if wanted.true_count() == 0 {
            return Ok(());
        }
        let chosen = keys.iter().filter(|key| self.kinds.contains_key(key));
        let found = filter_record_batch(rows, &wanted)?;
        for (row, key) in chosen.enumerate() {
            self.rows.entry(*key).or_default()[side].push(found.slice(row, 1));
        }
        Ok(())
    }

    /// The rows in the order of their shown keys.
    pub(super) fn shown(&self, showing: &Showing) -> Result<Vec<RowDifference>, TransformError> {
        let mut shown = Vec::with_capacity(self.kinds.len());
        for (key, kind) in &self.kinds {
            let Some(rows) = self.rows.get(key) else { continue };
            shown.push(showing.row(*kind, *key, rows)?);
        }
        let order = |row: &RowDifference| {
            let texts = row.key.iter().map(|(_, shown)| match shown {
                Shown::Text(text) => (text.len(), text.clone()),
                Shown::Null | Shown::Personal => (0, String::new()),
            });
            (texts.collect::<Vec<_>>(), row.tag.clone())
        };
        shown.sort_by_cached_key(order);
        Ok(shown)
    }
}

/// What may be shown of a table's rows.
pub(super) struct Showing {
    key: Vec<String>,
    columns: Vec<String>,
    personal: BTreeSet<String>,
    /// Whether the changes that made the rows are compared.
    origins: bool,
    /// Makes tags that mean nothing outside one report.
    tags: RandomState,
}

impl Showing {
    pub(super) fn new(contract: &TableContract, origins: bool) -> Showing {
        let personal = contract.columns.iter().filter(|c| c.sensitivity == Sensitivity::Personal);
        Showing {
            key: contract.key.iter().map(ToString::to_string).collect(),
            columns: contract.columns.iter().map(|c| c.name.to_string()).collect(),
            personal: personal.map(|c| c.name.to_string()).collect(),
            origins,
            tags: RandomState::new(),
        }
    }

    fn row(
        &self,
        kind: Kind,
        hash: u128,
        [silver, expected]: &[Vec<RecordBatch>; 2],
    ) -> Result<RowDifference, TransformError> {
        let any = silver.iter().chain(expected).next();
        let key = self.key.iter().map(|name| {
            let value = any.map_or(Ok(Shown::Null), |row| self.value(row, name, name))?;
            Ok((name.clone(), value))
        });
        let key = key.collect::<Result<Vec<_>, TransformError>>()?;
        let hidden = key.iter().any(|(_, value)| *value == Shown::Personal);
        let mut columns = Vec::new();
        if let ([.., there], [wanted]) = (silver.as_slice(), expected.as_slice()) {
            for name in &self.columns {
                columns.extend(self.column(there, wanted, name, name)?);
            }
            if self.origins {
                columns.extend(self.column(there, wanted, SEQ, SILVER_CHANGE_SEQ)?);
                columns.extend(self.column(there, wanted, AT, SILVER_CHANGED_AT)?);
            }
        }
        let tag = hidden.then(|| format!("{:08x}", self.tags.hash_one(hash) as u32));
        Ok(RowDifference { kind, key, tag, rows: silver.len(), columns })
    }

    fn column(
        &self,
        silver: &RecordBatch,
        expected: &RecordBatch,
        ours: &str,
        name: &str,
    ) -> Result<Option<ColumnDifference>, TransformError> {
        let place = silver.schema().index_of(ours)?;
        if !distinct(silver.column(place), expected.column(place))?.value(0) {
            return Ok(None);
        }
        Ok(Some(ColumnDifference {
            column: name.to_owned(),
            silver: self.value(silver, ours, name)?,
            expected: self.value(expected, ours, name)?,
        }))
    }

    /// The value of the only row.
    fn value(&self, row: &RecordBatch, ours: &str, name: &str) -> Result<Shown, TransformError> {
        if self.personal.contains(name) {
            return Ok(Shown::Personal);
        }
        let column = row.column(row.schema().index_of(ours)?);
        if column.is_null(0) {
            return Ok(Shown::Null);
        }
        let formatter = ArrayFormatter::try_new(column.as_ref(), &FormatOptions::default())?;
        Ok(Shown::Text(formatter.value(0).try_to_string()?))
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{batch, contract};
    use super::*;

    #[test]
    fn a_personal_key_is_told_by_a_number_of_this_report() {
        let mut contract = contract();
        for column in &mut contract.columns {
            column.sensitivity = Sensitivity::Personal;
        }
        let hasher = RowHasher::new(&contract).unwrap();
        let rows = [batch(&[(4711, Some("x"), None, None)]), batch(&[(4711, None, None, None)])];
        let key = hasher.keys(&rows[0]).unwrap()[0];
        let mut chosen = Chosen::new(&hasher, BTreeMap::from([(key, Kind::Differs)]));
        rows.iter().enumerate().for_each(|(side, rows)| chosen.add(side, rows).unwrap());
        let tag = |showing: &Showing| {
            let shown = chosen.shown(showing).unwrap();
            assert_eq!(shown[0].key, [("id".to_owned(), Shown::Personal)]);
            let hidden = ColumnDifference {
                column: "left".to_owned(),
                silver: Shown::Personal,
                expected: Shown::Personal,
            };
            assert_eq!(shown[0].columns, [hidden], "that it is NULL is hidden too");
            assert!(!format!("{shown:?}").contains("4711"));
            shown[0].tag.clone().unwrap()
        };
        let (one, another) = (Showing::new(&contract, true), Showing::new(&contract, true));
        assert_eq!(tag(&one), tag(&one));
        assert_ne!(tag(&one), tag(&another), "it leads nobody from one report to another");
    }
}
