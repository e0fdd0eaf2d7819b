//! Schemas whose changes the server leaves out of its binlog.

use std::collections::BTreeSet;

use medallion_definition::contract::TableContract;
use medallion_definition::finding::RuleId;

use crate::inspection::binlog::filtered;
use crate::inspection::finding::{Findings, Place};
use crate::inspection::state::ServerState;

/// Changes that are never written down.
const FILTERED: RuleId = RuleId("source/binlog-filter");

pub(super) fn check(state: &ServerState, contracts: &[TableContract], findings: &mut Findings) {
    let Some(Some((do_db, ignore_db))) = state.filters.answer() else { return };
    let schemas: BTreeSet<&str> =
        contracts.iter().map(|contract| contract.table.schema.as_str()).collect();
    for schema in schemas.iter().filter(|schema| filtered(schema, do_db, ignore_db)) {
        findings.error(
            (FILTERED, Place::Server),
            format!("the changes of schema `{schema}` do not reach the binlog"),
            "start the server without --binlog-do-db and --binlog-ignore-db",
        );
    }
}
