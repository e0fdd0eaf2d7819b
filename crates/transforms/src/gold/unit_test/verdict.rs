//! What became of a unit test.

use std::collections::HashMap;
use std::fmt;

use arrow::array::RecordBatch;
use arrow::error::ArrowError;
use arrow::row::{RowConverter, SortField};

use super::cell::texts;

/// The most rows of one kind that are shown.
const SHOWN: usize = 20;

/// What became of a unit test. It prints as lines without an end; values are those of the test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// As expected.
    Passed,
    /// Other rows came out.
    Differs(Difference),
    /// Rows were expected, but such a build is not published.
    NotPublished {
        /// Why.
        reasons: Vec<String>,
    },
    /// An error was expected.
    OtherError {
        /// The expected part of a reason.
        expected: String,
        /// Why such a build is not published; without reasons, it is.
        reasons: Vec<String>,
    },
}

/// Rows that are on one side only, each as often as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The columns that were compared.
    pub columns: Vec<String>,
    /// Expected rows that did not come out.
    pub missing: Vec<Vec<String>>,
    /// Rows that came out and were not expected.
    pub unexpected: Vec<Vec<String>>,
}

impl Verdict {
    /// True when everything was as expected.
    pub fn passed(&self) -> bool {
        *self == Verdict::Passed
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |reasons: &[String]| {
            reasons.iter().map(|reason| format!("\n  {reason}")).collect::<String>()
        };
        match self {
            Verdict::Passed => f.write_str("as expected"),
            Verdict::Differs(difference) => difference.fmt(f),
            Verdict::NotPublished { reasons } => {
                write!(f, "rows were expected, but the build is not published:{}", list(reasons))
            }
            Verdict::OtherError { expected, reasons } if reasons.is_empty() => {
                write!(f, "`{expected}` was expected, but the build is published")
            }
            Verdict::OtherError { expected, reasons } => {
                write!(f, "`{expected}` was expected, but the reasons are:{}", list(reasons))
            }
        }
    }
}

impl Difference {
    /// Compares rows of the same columns as bags.
    ///
    /// # Errors
    /// When Arrow fails.
    pub(super) fn between(
        expected: &RecordBatch,
        there: &RecordBatch,
    ) -> Result<Difference, ArrowError> {
        let fields = expected.columns().iter().map(|c| SortField::new(c.data_type().clone()));
        let converter = RowConverter::new(fields.collect())?;
        let wanted = converter.convert_columns(expected.columns())?;
        let found = converter.convert_columns(there.columns())?;
        let mut places: HashMap<_, Vec<usize>> = HashMap::new();
        for (place, row) in found.iter().enumerate() {
            places.entry(row).or_default().push(place);
        }
        let mut missing = Vec::new();
        for (place, row) in wanted.iter().enumerate() {
            if places.get_mut(&row).and_then(Vec::pop).is_none() {
                missing.push(place);
            }
        }
        let unexpected: Vec<usize> = places.into_values().flatten().collect();
        let sorted = |rows: &RecordBatch, places: &[usize]| {
            let mut texts = texts(rows, places)?;
            texts.sort();
            Ok::<_, ArrowError>(texts)
        };
        let fields = expected.schema();
        Ok(Difference {
            columns: fields.fields().iter().map(|f| f.name().clone()).collect(),
            missing: sorted(expected, &missing)?,
            unexpected: sorted(there, &unexpected)?,
        })
    }

    /// True when there is none.
    pub fn is_empty(&self) -> bool {
        self.missing.is_empty() && self.unexpected.is_empty()
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |rows: &'_ [Vec<String>]| rows.iter().take(SHOWN).cloned().collect::<Vec<_>>();
        let sides = [("missing", &self.missing), ("unexpected", &self.unexpected)];
        let mut lines = vec![("", self.columns.clone())];
        for (side, rows) in sides {
            lines.extend(shown(rows).into_iter().map(|row| (side, row)));
        }
        let width = |place: usize| {
            let cells = lines.iter().filter_map(|(_, row)| row.get(place));
            cells.map(|cell| cell.chars().count()).max().unwrap_or_default()
        };
        let widths: Vec<usize> = (0..self.columns.len()).map(width).collect();
        let line = |(side, row): &(&str, Vec<String>)| {
            let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
            format!("{side:<10} {}", cells.collect::<Vec<_>>().join(" | ")).trim_end().to_owned()
        };
        let mut told: Vec<String> = lines.iter().map(line).collect();
        for (side, rows) in sides {
            if rows.len() > SHOWN {
                told.push(format!("{side:<10} {} rows more", rows.len() - SHOWN));
            }
        }
        f.write_str(&told.join("\n"))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int64Array, StringArray};

    use super::*;

    fn rows(regions: &[Option<&str>], counts: &[i64]) -> RecordBatch {
        let regions: ArrayRef = Arc::new(StringArray::from(regions.to_vec()));
        let counts: ArrayRef = Arc::new(Int64Array::from(counts.to_vec()));
        RecordBatch::try_from_iter_with_nullable([
            ("region", regions, true),
            ("customers", counts, true),
        ])
        .unwrap()
    }

    #[test]
    fn rows_are_compared_as_bags() {
        let expected = rows(&[Some("SP"), None, Some("SP")], &[1, 2, 1]);
        let turned = rows(&[None, Some("SP"), Some("SP")], &[2, 1, 1]);
        assert!(Difference::between(&expected, &turned).unwrap().is_empty());

        let once = rows(&[Some("SP"), None], &[1, 2]);
        let difference = Difference::between(&expected, &once).unwrap();
        assert_eq!(difference.missing, [["SP", "1"]]);
        assert!(difference.unexpected.is_empty());
        let difference = Difference::between(&once, &expected).unwrap();
        assert_eq!(difference.unexpected, [["SP", "1"]]);
        assert!(difference.missing.is_empty());
    }

    #[test]
    fn a_difference_is_an_aligned_table() {
        let expected = rows(&[Some("SP"), Some("MG")], &[10, 7]);
        let there = rows(&[Some("SP"), Some("")], &[9, 7]);
        let difference = Difference::between(&expected, &there).unwrap();
        let told = [
            "           region | customers",
            "missing    MG     | 7",
            "missing    SP     | 10",
            "unexpected \"\"     | 7",
            "unexpected SP     | 9",
        ];
        assert_eq!(Verdict::Differs(difference).to_string(), told.join("\n"));
    }

    #[test]
    fn a_long_difference_is_cut() {
        let counts: Vec<i64> = (0..30).collect();
        let there = rows(&vec![Some("SP"); 30], &counts);
        let difference = Difference::between(&rows(&[], &[]), &there).unwrap();
        let text = difference.to_string();
        assert_eq!(text.lines().count(), 1 + SHOWN + 1);
        assert!(text.ends_with("unexpected 10 rows more"), "{text}");
    }
}
