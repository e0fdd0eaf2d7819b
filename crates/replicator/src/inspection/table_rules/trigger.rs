//! Triggers.

use medallion_definition::finding::RuleId;

use crate::inspection::finding::{Findings, Place};
use crate::inspection::table_state::TableState;

/// Rows that triggers write.
const TRIGGER: RuleId = RuleId("source/trigger");

pub(super) fn check(table: &TableState<'_>, findings: &mut Findings) {
    if table.triggers > 0 {
        findings.note(
            (TRIGGER, Place::Table(table.id().clone())),
            format!(
                "it has {} triggers; what they change is in the binlog like any other change",
                table.triggers
            ),
            "",
        );
    }
}
