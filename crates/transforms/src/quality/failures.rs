//! Which rows failed which rules: a bitmap per rule, lists only for the rows that failed.

use arrow::buffer::BooleanBuffer;

/// The rules that failed somewhere in a batch, in the order in which they were judged.
pub(crate) struct Failures<'a> {
    rules: Vec<(&'a str, BooleanBuffer)>,
    /// The rows that failed any of them.
    any: BooleanBuffer,
}

impl<'a> Failures<'a> {
    /// None, for a batch of so many rows.
    pub(crate) fn new(rows: usize) -> Failures<'a> {
        Failures { rules: Vec::new(), any: BooleanBuffer::new_unset(rows) }
    }

    /// Adds the rows that failed a rule, when there are any.
    pub(crate) fn add(&mut self, rule: &'a str, failed: BooleanBuffer) {
        if failed.count_set_bits() > 0 {
            self.any = &self.any | &failed;
            self.rules.push((rule, failed));
        }
    }

    /// The failed rows in ascending order with the ids of their rules.
    pub(crate) fn by_row(self) -> Vec<(usize, Vec<String>)> {
        let mut rows: Vec<(usize, Vec<String>)> =
            self.any.set_indices().map(|row| (row, Vec::new())).collect();
        for (rule, failed) in &self.rules {
            // Both ascend, and each failed row is among the rows.
            let mut later = rows.iter_mut();
            for row in failed.set_indices() {
                let Some((_, rules)) = later.find(|(candidate, _)| *candidate == row) else {
                    break;
                };
                // Two regular expressions on one column share their rule id.
                if rules.last().map(String::as_str) != Some(*rule) {
                    rules.push((*rule).to_owned());
                }
            }
        }
        rows
    }
}
