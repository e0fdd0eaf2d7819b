//! The quarantine table beside the model: every rejected row of an applied file, once, with the
//! rule that it failed and the whole raw row.

use std::collections::{BTreeMap, BTreeSet};

use super::check::Check;
use super::fold::Change;
use super::shape::Shape;
use crate::conformance::observe::Observed;
use crate::small_lake::bronze::Text;
use crate::small_lake::contents::Row;

/// A raw row by the names of its columns.
type Record = BTreeMap<String, Text>;

impl Check {
    /// Every rejected row of an applied file is there once; a row of a file that a new load
    /// overtook may be there.
    pub(super) fn quarantine(&self, observed: &Observed) -> Result<(), String> {
        let mut there = BTreeSet::new();
        for row in &observed.quarantine {
            let place = self.rejected(row)?;
            // A reload may reject the same row of another version of the file.
            if !there.insert(place.clone()) {
                return Err(format!("quarantined twice: {place:?}"));
            }
        }
        for file in &self.applied {
            let changes = self.arrived.get(file).map(|arrived| arrived.changes.as_slice());
            for (number, change) in changes.unwrap_or_default().iter().enumerate() {
                let place = (file.clone(), number);
                if change.rejected() && !there.contains(&place) {
                    return Err(format!("quarantine lacks {place:?}"));
                }
            }
        }
        Ok(())
    }

    /// The file and the number of a quarantined row, which is as the model says. It was rejected by
    /// a contract that was in force since the file arrived, and tells the columns of that.
    fn rejected(&self, row: &Row) -> Result<((String, String), usize), String> {
        let cell = |name: &str| row.get(name).cloned().flatten().unwrap_or_default();
        let file = (cell("file"), cell("etag"));
        let number = cell("row_number");
        let number = number.parse::<usize>().map_err(|e| format!("a row number: {e}"))?;
        let wrong = |what: &str| Err(format!("quarantine has row {number} of {file:?}: {what}"));
        let Some(arrived) = self.arrived.get(&file) else { return wrong("there is no such file") };
        let Some(change) = arrived.changes.get(number).filter(|change| change.rejected()) else {
            return wrong("it is no row that fails");
        };
        if (cell("op"), cell("change_seq")) != (change.op.to_owned(), change.seq.clone()) {
            return wrong("it is not that change");
        }
        let record: Record =
            serde_json::from_str(&cell("record")).map_err(|e| format!("a record: {e}"))?;
        let told = (cell("rules"), record);
        let since = self.shapes.get(arrived.since..).unwrap_or_default();
        if since.iter().any(|shape| self.told(*shape, change) == told) {
            return Ok((file, number));
        }
        let expected = since.last().map(|shape| self.told(*shape, change));
        wrong(&format!("it tells {told:?}, expected such as {expected:?}"))
    }

    /// The failed rule and the raw row, as a contract of this shape has them.
    fn told(&self, shape: Shape, change: &Change) -> (String, Record) {
        let columns = shape.columns(self.form).into_iter().map(|column| column.name);
        let values = shape.values(self.form, change.key, &change.row);
        (format!("{}:regex", shape.name_column()), columns.zip(values).collect())
    }
}
