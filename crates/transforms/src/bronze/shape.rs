//! Which column of a Bronze file stands for which column of the contract.

use std::collections::HashSet;

use arrow::datatypes::Schema;
use medallion_definition::change::{BEFORE_IMAGE_PREFIX, CHANGE_SEQ, DMS_TS, OP};
use medallion_definition::contract::{Column, TableContract};

/// Names in the file, found once per file.
#[derive(Clone, Debug)]
pub(super) struct Shape {
    /// For each column of the contract; none where the file may lack it and does.
    pub(super) source: Vec<Option<String>>,
    /// For each key column, its value before an update.
    pub(super) before: Vec<Option<String>>,
}

impl Shape {
    /// Finds the columns. The file has what the merge relies on, and nothing that the contract
    /// does not know: a column that came, went or was renamed at the source stops the batch
    /// unless the contract says so, so that no value turns into NULL behind anybody's back.
    ///
    /// # Errors
    /// What is wrong with the file, and what to do about it.
    pub(super) fn new(
        contract: &TableContract,
        full_load: bool,
        file: &Schema,
    ) -> Result<Shape, String> {
        let names: Vec<&str> = file.fields().iter().map(|f| f.name().as_str()).collect();
        let mut seen = HashSet::new();
        if let Some(twice) = names.iter().find(|name| !seen.insert(**name)) {
            return Err(format!("the column `{twice}` stands twice in it"));
        }
        if let Some(missing) = [OP, DMS_TS, CHANGE_SEQ].iter().find(|t| !seen.contains(*t)) {
            return Err(format!("the column `{missing}` is missing"));
        }
        check_known(contract, &names)?;
        let mut source = Vec::with_capacity(contract.columns.len());
        for column in &contract.columns {
            source.push(find(&seen, column, "")?);
            if source.last() == Some(&None) && !column.added {
                return Err(missing(column));
            }
        }
        let mut before = Vec::with_capacity(contract.key.len());
        for key in contract.key.iter().filter_map(|name| contract.column(name)) {
            before.push(find(&seen, key, BEFORE_IMAGE_PREFIX)?);
            if before.last() == Some(&None) && !full_load {
                return Err(format!("the column `{BEFORE_IMAGE_PREFIX}{}` is missing", key.name));
            }
        }
        Ok(Shape { source, before })
    }

    /// The places in the file's schema of the columns that are read.
    pub(super) fn places(&self, file: &Schema) -> Vec<usize> {
        let technical = [OP, DMS_TS, CHANGE_SEQ].into_iter();
        let carried = self.source.iter().chain(&self.before).flatten().map(String::as_str);
        technical.chain(carried).filter_map(|name| file.index_of(name).ok()).collect()
    }
}

fn check_known(contract: &TableContract, names: &[&str]) -> Result<(), String> {
    let known: HashSet<&str> = contract
        .columns
        .iter()
        .flat_map(Column::names)
        .chain(&contract.dropped)
        .map(AsRef::as_ref)
        .collect();
    let is_known = |name: &&&str| {
        let source = name.strip_prefix(BEFORE_IMAGE_PREFIX).unwrap_or(name);
        [OP, DMS_TS, CHANGE_SEQ].contains(*name) || known.contains(source)
    };
    match names.iter().find(|name| !is_known(name)) {
        Some(unknown) => Err(format!(
            "the contract does not know the column `{unknown}`\n    hint: add it to the contract \
             with `added = true`, name it in `renamed_from` of a column, or in `dropped` of the table"
        )),
        None => Ok(()),
    }
}

/// The column under its name or an earlier one.
fn find(names: &HashSet<&str>, column: &Column, prefix: &str) -> Result<Option<String>, String> {
    let prefixed = column.names().map(|name| format!("{prefix}{name}"));
    let mut found = prefixed.filter(|name| names.contains(name.as_str()));
    let Some(first) = found.next() else { return Ok(None) };
    match found.next() {
        Some(second) => Err(format!(
            "it has `{first}` and `{second}`, which the contract takes for one column\n    hint: \
             if they are two, take `{second}` out of `renamed_from` and add it as a column"
        )),
        None => Ok(Some(first)),
    }
}

fn missing(column: &Column) -> String {
    let earlier: Vec<String> = column.renamed_from.iter().map(|old| format!("`{old}`")).collect();
    let earlier =
        if earlier.is_empty() { String::new() } else { format!(" (once {})", earlier.join(", ")) };
    format!(
        "the column `{}`{earlier} is missing\n    hint: write `added = true` on the column when \
         earlier files may lack it, or remove it and name it in `dropped` when the source lost it",
        column.name
    )
}
