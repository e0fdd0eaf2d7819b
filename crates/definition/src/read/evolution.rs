//! What a contract says about columns that come, go and change their name: `added`,
//! `renamed_from`, `dropped`; and the names that a history table needs for itself.

use std::collections::BTreeMap;

use crate::catalogue::HISTORY_COLUMNS;
use crate::change::{BEFORE_IMAGE_PREFIX, CHANGE_SEQ, DMS_TS, OP};
use crate::contract::{Check, Column};
use crate::finding::RuleId;
use crate::name::ColumnName;
use crate::section::{At, Section};

/// A column that cannot have been added later: rows without it have no key, or all fail.
pub(crate) const ADDED: RuleId = RuleId("contract/added");
/// An earlier name that means something else too.
pub(crate) const RENAMED_FROM: RuleId = RuleId("contract/renamed-from");
/// A dropped name that means something else too.
pub(crate) const DROPPED: RuleId = RuleId("contract/dropped");
/// A history table needs a name that a column of the source has.
pub(crate) const HISTORY: RuleId = RuleId("contract/history");

/// Reports what contradicts itself.
pub(crate) fn check(
    root: &Section<'_>,
    key: &[At<ColumnName>],
    columns: &[At<Column>],
    dropped: &[At<ColumnName>],
) {
    check_added(root, key, columns);
    let old_names = check_renamed(root, columns);
    check_dropped(root, columns, dropped, &old_names);
}

fn check_added(root: &Section<'_>, key: &[At<ColumnName>], columns: &[At<Column>]) {
    for At { value: column, line } in columns.iter().filter(|c| c.value.added) {
        let name = &column.name;
        if key.iter().any(|k| k.value == *name) {
            let message = format!("the key column `{name}` is `added`");
            let hint = "rows of earlier files would have no key: load the table again, \
                        then leave `added` away";
            root.report(ADDED, *line, message, hint.to_owned());
        }
        if column.checks.contains(&Check::NotNull) {
            let message = format!("the column `{name}` is `added` and has the check `not_null`");
            let hint = "every row of earlier files would fail: leave one of the two away";
            root.report(ADDED, *line, message, hint.to_owned());
        }
    }
}

/// Returns the column that each earlier name belongs to.
fn check_renamed<'a>(
    root: &Section<'_>,
    columns: &'a [At<Column>],
) -> BTreeMap<&'a ColumnName, &'a ColumnName> {
    let mut owners = BTreeMap::new();
    for At { value: column, line } in columns {
        let name = &column.name;
        for old in &column.renamed_from {
            let report = |message: String, hint: &str| {
                root.report(RENAMED_FROM, *line, message, hint.to_owned());
            };
            if columns.iter().any(|c| c.value.name == *old) {
                let message = format!("`{name}` is renamed from `{old}`, which is a column");
                report(message, "a file that has both could be read in two ways");
            } else if is_technical(old) {
                report(
                    format!("`{name}` is renamed from `{old}`, which DMS writes itself"),
                    "name the column as it was called at the source",
                );
            } else if let Some(owner) = owners.insert(old, name) {
                let message = format!("`{name}` is renamed from `{old}`, and so is `{owner}`");
                report(message, "each earlier name belongs to one column, and stands once");
            }
        }
    }
    owners
}

fn check_dropped(
    root: &Section<'_>,
    columns: &[At<Column>],
    dropped: &[At<ColumnName>],
    old_names: &BTreeMap<&ColumnName, &ColumnName>,
) {
    for (i, At { value: name, line }) in dropped.iter().enumerate() {
        let report = |message: String, hint: &str| {
            root.report(DROPPED, *line, message, hint.to_owned());
        };
        if columns.iter().any(|c| c.value.name == *name) {
            let message = format!("`{name}` is dropped, and is a column");
            report(message, "remove its [[column]], or take it out of `dropped`");
        } else if let Some(owner) = old_names.get(name) {
            let message = format!("`{name}` is dropped, and `{owner}` is renamed from it");
            report(message, "its values are kept under the new name, or not at all");
        } else if is_technical(name) {
            let message = format!("`{name}` is dropped, and DMS writes it itself");
            report(message, "name columns of the source only");
        } else if dropped[..i].iter().any(|earlier| earlier.value == *name) {
            report(format!("`{name}` is dropped twice"), "name it once");
        }
    }
}

/// True for columns that a Bronze file has beside those of the source; Glue and Athena do not
/// tell upper case from lower case.
fn is_technical(name: &ColumnName) -> bool {
    let name = name.as_str();
    [OP, DMS_TS, CHANGE_SEQ].iter().any(|t| t.eq_ignore_ascii_case(name))
        || name.starts_with(&BEFORE_IMAGE_PREFIX.to_ascii_lowercase())
}

/// Reports columns that have a name which the history table needs.
pub(crate) fn check_history(root: &Section<'_>, line: usize, columns: &[At<Column>]) {
    let taken = |c: &&At<Column>| HISTORY_COLUMNS.contains(&c.value.name.as_str());
    for column in columns.iter().filter(taken) {
        let name = &column.value.name;
        let message = format!("`history` needs the name `{name}`, which is a column");
        let hint = format!("a history table has its own {}", HISTORY_COLUMNS.join(", "));
        root.report(HISTORY, line, message, hint);
    }
}
