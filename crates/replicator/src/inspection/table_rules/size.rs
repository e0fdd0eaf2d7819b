//! Tables that one reader loads slowly.

use medallion_definition::finding::RuleId;

use crate::inspection::Limits;
use crate::inspection::finding::{Findings, Place};
use crate::inspection::table_state::TableState;

/// A large table.
const LARGE: RuleId = RuleId("source/large-table");

pub(super) fn check(table: &TableState<'_>, limits: &Limits, findings: &mut Findings) {
    let rows = table.source.estimated_rows;
    if rows >= limits.many_rows {
        findings.note(
            (LARGE, Place::Table(table.id().clone())),
            format!("it has about {rows} rows: a full load by one reader takes long"),
            format!("load it by parallel ranges of ({})", table.source.key.join(", ")),
        );
    }
}
