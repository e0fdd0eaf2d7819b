//! The binlog files that are there.

use medallion_definition::finding::RuleId;

use crate::inspection::finding::{Findings, Place};
use crate::inspection::state::ServerState;

/// DMS does not read binlog files above 4 GB (`CHAP_Source.MySQL`, limitations).
const TOO_LARGE: RuleId = RuleId("source/binlog-file-size");

const LARGEST: u64 = 4 << 30;

pub(super) fn check(state: &ServerState, findings: &mut Findings) {
    let Some(files) = state.binlogs.answer() else { return };
    let large: Vec<&str> =
        files.iter().filter(|(_, size)| **size > LARGEST).map(|(name, _)| name.as_str()).collect();
    if !large.is_empty() {
        // A transaction never spans files, so that one huge transaction makes one huge file.
        findings.error(
            (TOO_LARGE, Place::Server),
            format!("binlog files above 4 GB, which DMS does not read: {}", large.join(", ")),
            "change rows in smaller transactions; start DMS behind these files",
        );
    }
}
