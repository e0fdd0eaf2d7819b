//! Unit tests of models: rows that are given, rows that must come out, in plain files beside the
//! models (`models/tests/<model>/<case>.toml`, see [`medallion_definition::unit_test`]).
//!
//! Columns of a given table that are not named are NULL, whatever the contract says, so that tests
//! stay short; but its key has to be given. Tables that the model reads and that are not given are
//! empty. Expected rows may come in any order, each as often as it is there; columns that are not
//! named are not compared. Cells are those of [`crate::text_table`], in the form of the column's
//! lake type: `true`, `-1.50`, `2026-01-02`, `2026-01-02T03:04:05.000006` (a space in place of the
//! `T` is as good), with `Z` for instants, bytes in hexadecimal digits. A history table's and a
//! change feed's columns are named as in queries, in lower case.

mod cell;
mod parse;
mod run;
mod verdict;

use std::collections::BTreeMap;
use std::fmt;

use arrow::array::RecordBatch;
use medallion_definition::model::GoldModel;

pub use parse::{
    BAD_CELL, BAD_ROW, KEY, MODEL, NOT_NULL, NOT_READ, TWICE, UNKNOWN_COLUMN, UNKNOWN_MODEL,
    UNKNOWN_TABLE, parse, parse_all,
};
pub use run::run;
pub use verdict::{Difference, Verdict};

use super::Input;

/// A unit test whose tables, columns and cells are those of the lake.
#[derive(Clone, Debug, PartialEq)]
pub struct UnitTest {
    /// The model.
    pub model: GoldModel,
    /// The case: the name of the file.
    pub case: String,
    /// What it shows.
    pub description: String,
    /// The file, for messages.
    pub file: String,
    /// Every table that the model reads.
    given: BTreeMap<Input, RecordBatch>,
    expected: Expected,
}

impl fmt::Display for UnitTest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.file, self.description)
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Expected {
    /// The named columns of these rows.
    Rows(RecordBatch),
    /// A build that is not published, and a part of the reason.
    Error(String),
}

#[cfg(test)]
mod tests;
