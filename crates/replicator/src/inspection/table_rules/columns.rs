//! The contract's columns against the table's.

use medallion_definition::contract::Column;
use medallion_definition::finding::RuleId;

use crate::inspection::finding::{Findings, Place};
use crate::inspection::table_state::TableState;
use crate::preflight::holds;

/// The table lost a column, or never had it.
const MISSING: RuleId = RuleId("source/column-missing");
/// The contract does not know a column.
const UNKNOWN: RuleId = RuleId("source/column-unknown");
/// Values that the contract's type cannot hold.
const TYPE: RuleId = RuleId("source/column-type");
/// NULL where the contract allows none.
const NULLABLE: RuleId = RuleId("source/column-nullable");
/// A column that never arrives.
const LEFT_OUT: RuleId = RuleId("source/column-left-out");

pub(super) fn check(table: &TableState<'_>, findings: &mut Findings) {
    for column in &table.contract.columns {
        known(table, column, findings);
    }
    for column in &table.source.columns {
        let names = table.contract.columns.iter().flat_map(Column::names);
        let known = names.chain(&table.contract.dropped).any(|name| name.as_str() == column.name);
        if !known && column.left_out().is_none() {
            findings.warning(
                (UNKNOWN, Place::Column(table.id().clone(), column.name.clone())),
                "the contract does not know it, and Silver waits when it arrives",
                format!("add it to `{}`, or to its `dropped`", table.contract.file),
            );
        }
    }
}

fn known(table: &TableState<'_>, column: &Column, findings: &mut Findings) {
    let file = &table.contract.file;
    let at = |rule| (rule, Place::Column(table.id().clone(), column.name.to_string()));
    // Before the rename reaches the source, the column has its old name there.
    let Some(found) = column.names().find_map(|name| table.source.column(name.as_str())) else {
        findings.error(at(MISSING), "the source has no such column", format!("see `{file}`"));
        return;
    };
    if let Some(why) = found.left_out() {
        findings.error(
            at(LEFT_OUT),
            format!("it is {why}: DMS does not capture it, so that it never arrives"),
            format!("remove it from `{file}`, or make it a plain column"),
        );
        return;
    }
    let source_type = &found.column_type;
    if !source_type.parse().is_ok_and(|source| holds(&column.source_type, &source)) {
        findings.error(
            at(TYPE),
            format!(
                "it is `{source_type}`, whose values `{}` of the contract cannot hold",
                column.source_type
            ),
            format!("write `{source_type}` in `{file}`"),
        );
    }
    if found.nullable && !column.nullable {
        findings.warning(
            at(NULLABLE),
            "it may be NULL, and the contract says that it may not: such rows are quarantined",
            format!("write `nullable = true` in `{file}`, or make the column NOT NULL"),
        );
    }
}
