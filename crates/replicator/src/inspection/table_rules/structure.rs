//! A table has to be there, readable, plain, transactional, and to have the contract's key.

use medallion_definition::contract::TableContract;
use medallion_definition::finding::RuleId;
use medallion_definition::name::ColumnName;

use crate::inspection::finding::{Findings, Place};
use crate::inspection::table::SourceColumn;
use crate::inspection::table_state::TableState;

/// No such table.
const MISSING: RuleId = RuleId("source/table-missing");
/// The user may not read it.
const UNREADABLE: RuleId = RuleId("source/privilege");
/// A view, or a table that is more than a table.
const KIND: RuleId = RuleId("source/table-kind");
/// Another storage engine.
const ENGINE: RuleId = RuleId("source/engine");
/// No primary key.
const NO_KEY: RuleId = RuleId("source/no-primary-key");
/// Another primary key than the contract's.
const OTHER_KEY: RuleId = RuleId("source/key-differs");
/// A key column that is not replicated.
const KEY_LEFT_OUT: RuleId = RuleId("source/key-left-out");

pub(in crate::inspection) fn missing(contract: &TableContract, findings: &mut Findings) {
    findings.error(
        (MISSING, Place::Table(contract.table.clone())),
        "the source has no such table, or the user may not see it",
        format!("create it, grant SELECT on it, or remove `{}`", contract.file),
    );
}

pub(super) fn check(table: &TableState<'_>, findings: &mut Findings) {
    let at = |rule| (rule, Place::Table(table.id().clone()));
    let source = &table.source;
    if !table.readable {
        findings.error(
            at(UNREADABLE),
            "the user may not read all its columns",
            format!("GRANT SELECT ON {} TO the user", table.id()),
        );
    }
    if source.kind != "BASE TABLE" {
        findings.error(
            at(KIND),
            format!("it is a {}, and only plain tables are replicated", source.kind),
            "",
        );
        return;
    }
    if source.engine.as_deref() != Some("InnoDB") {
        let engine = source.engine.as_deref().unwrap_or("unknown");
        findings.error(
            at(ENGINE),
            format!("its engine is {engine}: without transactions a snapshot is not consistent"),
            format!("ALTER TABLE {} ENGINE = InnoDB", table.id()),
        );
    }
    key(table, findings);
}

fn key(table: &TableState<'_>, findings: &mut Findings) {
    let at = |rule| (rule, Place::Table(table.id().clone()));
    let source = &table.source;
    if source.key.is_empty() {
        findings.error(
            at(NO_KEY),
            "it has no primary key, so that changes cannot find their row",
            "add a primary key",
        );
        return;
    }
    let wanted: Vec<&str> = table.contract.key.iter().map(ColumnName::as_str).collect();
    if source.key != wanted {
        findings.error(
            at(OTHER_KEY),
            format!(
                "its primary key is ({}), the contract has ({})",
                source.key.join(", "),
                wanted.join(", ")
            ),
            "make the contract's `key` the primary key of the source",
        );
    }
    let left_out = source
        .key
        .iter()
        .filter_map(|name| Some((name, source.column(name).and_then(SourceColumn::left_out)?)));
    for (name, why) in left_out {
        findings.error(
            (KEY_LEFT_OUT, Place::Column(table.id().clone(), name.clone())),
            format!("it belongs to the primary key and is {why}; such columns are not replicated"),
            "make it a plain column",
        );
    }
}
