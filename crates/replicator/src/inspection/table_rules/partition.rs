//! Partitioned tables.

use medallion_definition::finding::RuleId;

use crate::inspection::finding::{Findings, Place};
use crate::inspection::table_state::TableState;

/// DMS suspends a table after DDL on its partitions.
const PARTITIONED: RuleId = RuleId("source/partitioned");

pub(super) fn check(table: &TableState<'_>, findings: &mut Findings) {
    if table.source.is_partitioned() {
        findings.warning(
            (PARTITIONED, Place::Table(table.id().clone())),
            "it is partitioned: after DDL on its partitions DMS suspends it, and dropping or \
             truncating a partition removes rows without a change of their own",
            "set skipTableSuspensionForPartitionDdl=true on the source endpoint; delete rows with \
             DELETE",
        );
    }
}
