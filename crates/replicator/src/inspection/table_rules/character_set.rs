//! Character sets whose text cannot be turned into UTF-8 from the binlog.

use std::collections::BTreeSet;

use medallion_definition::finding::RuleId;

use crate::inspection::finding::{Findings, Place};
use crate::inspection::table_state::TableState;

/// Text that the replicator cannot decode.
const CHARACTER_SET: RuleId = RuleId("source/character-set");

pub(super) fn check(
    table: &TableState<'_>,
    readable_sets: &BTreeSet<String>,
    findings: &mut Findings,
) {
    let travelling = table.source.columns.iter().filter(|column| column.left_out().is_none());
    for column in travelling {
        let Some(set) = &column.character_set else { continue };
        if readable_sets.contains(set) {
            continue;
        }
        findings.error(
            (CHARACTER_SET, Place::Column(table.id().clone(), column.name.clone())),
            format!("its character set `{set}` cannot be decoded from the binlog"),
            "convert the column to utf8mb4",
        );
    }
}
